//! Stored files as plain files that all callers and processes share, for engines that want a path.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tabagent_storage::{Added, Method, PlainSet, PlainSetWriter};
use tokio_util::sync::CancellationToken;

use crate::cache::ModelCache;
use crate::error::Result;
use crate::gauge::Gauge;
use crate::inner::{Inner, LEASE_POLL};
use crate::plain_choice::PlainChoice;
use crate::progress::ProgressCallback;
use crate::repo_name::{check_path, check_repo, check_revision};
use crate::runtime::blocking;

/// Options of [`ModelCache::materialize`].
#[derive(Clone, Default)]
pub struct MaterializeOptions {
    /// Branch, tag or commit. Default: `main`.
    pub revision: Option<String>,
    /// Leave the files there when nobody holds them any more. Default: false.
    pub keep: bool,
    /// Called at most 20 times a second, once at 100 %, and never after the future is ready.
    pub progress: Option<ProgressCallback>,
}

/// Plain files, held. They stay as long as any process holds them; dropping this removes them when nobody else does and they are
/// not kept, which is disk work. It may outlive the cache.
#[derive(Debug)]
pub struct PlainFiles {
    set: PlainSet,
    files: Vec<PlainFile>,
    first: usize,
}

/// One plain file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlainFile {
    /// Path in the repository.
    pub path: String,
    /// Where it is. Nobody may write to it.
    pub file: PathBuf,
    /// Size in bytes.
    pub size: u64,
    /// How it came to be there.
    pub method: PlainMethod,
}

/// How a plain file came to be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlainMethod {
    /// It was there already.
    Shared,
    /// It was made, and shares its disk blocks with the store.
    Reflink,
    /// It was made, and its bytes were copied.
    Copy,
}

impl PlainFiles {
    /// The file that an engine is given: the one that was asked for, the first of its numbered parts, or the first file of the
    /// quant that holds weights.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.files.get(self.first).map_or(Path::new(""), |file| &file.file)
    }

    /// The folder in which the files have their listed paths.
    #[must_use]
    pub fn folder(&self) -> PathBuf {
        self.set.folder()
    }

    /// All files, in the order of the listing.
    #[must_use]
    pub fn files(&self) -> &[PlainFile] {
        &self.files
    }

    /// Bytes that this call copied: those the files now take on the disk.
    #[must_use]
    pub fn copied(&self) -> u64 {
        self.files.iter().filter(|file| file.method == PlainMethod::Copy).map(|file| file.size).sum()
    }
}

impl ModelCache {
    /// Holds plain files of a stored file (with its numbered parts) or of a quant, for engines that want a path: shared by all
    /// callers and processes that want the same, and made by the first: without a copy where the file system shares blocks. They
    /// are removed with the last who holds them, or with their bytes in the store when they are to be kept.
    ///
    /// # Errors
    /// As [`ModelCache::export_file`]; `ERR_READ_ONLY` for a cache opened read-only, and never `ERR_UNSUPPORTED_FILESYSTEM`.
    pub async fn materialize(
        &self,
        repo: &str,
        path_or_quant: &str,
        options: MaterializeOptions,
    ) -> Result<PlainFiles> {
        let inner = self.inner()?;
        let (repo, asked) = (repo.to_owned(), path_or_quant.to_owned());
        inner.call(materialize(Arc::clone(&inner), repo, asked, options)).await
    }
}

async fn materialize(
    inner: Arc<Inner>,
    repo: String,
    path_or_quant: String,
    options: MaterializeOptions,
) -> Result<PlainFiles> {
    check_repo(&repo)?;
    check_path(&path_or_quant)?;
    let revision = check_revision(options.revision.as_deref())?.to_owned();
    let cancel = inner.closing.child_token();
    let _guard = cancel.clone().drop_guard();
    let holder = Arc::clone(&inner);
    let choice = blocking(inner.tasks.token(), move || {
        holder.check_writable()?;
        PlainChoice::make(&holder, &repo, &revision, &path_or_quant)
    });
    let choice = Arc::new(choice.await?);
    let gauge = Gauge::start(options.progress, &choice.repo, choice.quant.clone(), choice.size());
    let set = hold(&inner, &choice).await?;
    let (set, methods, gauge) = if set.is_made() {
        (set, vec![PlainMethod::Shared; choice.files.len()], gauge)
    } else {
        make(&inner, &choice, set, gauge, &cancel).await?
    };
    let keep = options.keep;
    let set = blocking(inner.tasks.token(), move || {
        if keep {
            set.keep()?;
        }
        Ok(set)
    });
    let set = set.await?;
    gauge.finish();
    Ok(PlainFiles { files: choice.report(&set.folder(), &methods), first: choice.first, set })
}

/// Holds the set, which need not be there yet. Whoever removes it now takes a moment.
async fn hold(inner: &Arc<Inner>, choice: &Arc<PlainChoice>) -> Result<PlainSet> {
    loop {
        let (holder, chosen) = (Arc::clone(inner), Arc::clone(choice));
        let take = move || Ok(holder.store.plain_set(&chosen.blobs())?);
        if let Some(set) = blocking(inner.tasks.token(), take).await? {
            return Ok(set);
        }
        tokio::time::sleep(LEASE_POLL).await;
    }
}

/// Makes the set file by file.
async fn make(
    inner: &Arc<Inner>,
    choice: &Arc<PlainChoice>,
    set: PlainSet,
    gauge: Gauge,
    cancel: &CancellationToken,
) -> Result<(PlainSet, Vec<PlainMethod>, Gauge)> {
    let holder = Arc::clone(inner);
    let begin = move || {
        // What a dead process left may be what the disk has no room for.
        holder.store.collect_plain_files(false, false)?;
        Ok(set.begin()?)
    };
    let writer = blocking(inner.tasks.token(), begin).await?;
    let mut work = Work { writer, gauge, methods: Vec::new() };
    while work.methods.len() < choice.files.len() {
        let (holder, chosen, end) = (Arc::clone(inner), Arc::clone(choice), cancel.clone());
        let step = move || work.step(&holder, &chosen, &end);
        let (rest, is_busy) = blocking(inner.tasks.token(), step).await?;
        work = rest;
        if is_busy {
            tokio::time::sleep(LEASE_POLL).await;
        }
    }
    let Work { writer, gauge, methods } = work;
    let set = blocking(inner.tasks.token(), move || Ok(writer.publish()?)).await?;
    Ok((set, methods, gauge))
}

/// A set in the making, and how the files that it has came to be there.
struct Work {
    writer: PlainSetWriter,
    gauge: Gauge,
    methods: Vec<PlainMethod>,
}

impl Work {
    /// Adds the next file, unless another process is making it: then true.
    fn step(
        mut self,
        inner: &Inner,
        choice: &PlainChoice,
        cancel: &CancellationToken,
    ) -> Result<(Self, bool)> {
        let Some(file) = choice.files.get(self.methods.len()) else { return Ok((self, false)) };
        self.gauge.begin(file.path(), file.size());
        let added = self.writer.add(file.path(), file.reader(), &mut |bytes| {
            if cancel.is_cancelled() {
                return ControlFlow::Break(());
            }
            self.gauge.advance(bytes);
            ControlFlow::Continue(())
        })?;
        let method = match added {
            Added::Busy => return Ok((self, true)),
            Added::Stopped => return Err(inner.closed()),
            Added::Shared => {
                self.gauge.advance(file.size());
                PlainMethod::Shared
            }
            Added::Made(Method::Reflink) => PlainMethod::Reflink,
            Added::Made(Method::Copy) => PlainMethod::Copy,
        };
        self.methods.push(method);
        Ok((self, false))
    }
}
