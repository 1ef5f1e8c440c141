//! Stored files as plain files, for programs that want a path.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tabagent_storage::{Folder, Link, Method, StorageError};
use tokio_util::sync::CancellationToken;

use crate::cache::ModelCache;
use crate::cached_file::CachedFile;
use crate::error::{Error, Result};
use crate::gauge::Gauge;
use crate::inner::Inner;
use crate::place::{identity, resolved};
use crate::progress::ProgressCallback;
use crate::repo_name::{check_path, check_repo, check_revision};
use crate::required::{stored_file, stored_quant};

/// Options of the exporting calls.
#[derive(Clone, Default)]
pub struct ExportOptions {
    /// Branch, tag or commit. Default: `main`.
    pub revision: Option<String>,
    /// How the files may come by their bytes. Default: [`Link::Auto`].
    pub link: Link,
    /// Replace files that exist. Default: false.
    pub overwrite: bool,
    /// Called at most 20 times a second, once at 100 %, and never after the future is ready.
    pub progress: Option<ProgressCallback>,
}

/// What an export wrote.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExportReport {
    /// In the order of the listing.
    pub files: Vec<ExportedFile>,
}

/// One plain file that was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportedFile {
    /// Path in the repository.
    pub path: String,
    /// Where it is now.
    pub destination: PathBuf,
    /// Size in bytes.
    pub size: u64,
    /// How it came by its bytes; files under 64 KiB are always copied.
    pub method: Method,
}

impl ModelCache {
    /// Writes all files of a stored quant into `directory`, under the paths they are listed with. Each file is complete or not
    /// there at all; on an error those written before it stay.
    ///
    /// # Errors
    /// `ERR_INVALID_ARGUMENT`, also when a file exists and `overwrite` is false (then nothing is written); `ERR_REPO_NOT_FOUND`,
    /// `ERR_QUANT_NOT_FOUND`, `ERR_FILE_NOT_FOUND` when it is not complete here; `ERR_UNSUPPORTED_FILESYSTEM` when
    /// [`Link::Reflink`] is not possible; `ERR_NO_SPACE`, `ERR_IO`, `ERR_CLOSED`.
    pub async fn export_quant(
        &self,
        repo: &str,
        quant: &str,
        directory: &Path,
        options: ExportOptions,
    ) -> Result<ExportReport> {
        let inner = self.inner()?;
        check_repo(repo)?;
        check_revision(options.revision.as_deref())?;
        let directory = absolute("directory", directory)?;
        let (repo, quant) = (repo.to_owned(), quant.to_owned());
        inner
            .call_blocking(move |inner, cancel| {
                let revision = check_revision(options.revision.as_deref())?;
                let (record, quant) = stored_quant(inner, &repo, revision, &quant)?;
                let files = quant.files.iter().filter_map(|place| record.files.get(*place as usize));
                let open = |path: &str| stored_file(inner, &record.repo, path, &record.commit);
                let items =
                    files.map(|file| Item::below(&directory, open(&file.path)?)).collect::<Result<_>>()?;
                Export { inner, folder: &directory, argument: "directory", options: &options, cancel }
                    .write_all(items, &record.repo, Some(quant.name))
            })
            .await
    }

    /// Writes one stored file as the plain file `destination`, whose parent folders are made.
    ///
    /// # Errors
    /// As [`ModelCache::export_quant`], but for the quant.
    pub async fn export_file(
        &self,
        repo: &str,
        path: &str,
        destination: &Path,
        options: ExportOptions,
    ) -> Result<ExportReport> {
        let inner = self.inner()?;
        check_repo(repo)?;
        check_path(path)?;
        check_revision(options.revision.as_deref())?;
        let (folder, name) = split(&absolute("destination", destination)?)?;
        let (repo, path) = (repo.to_owned(), path.to_owned());
        inner
            .call_blocking(move |inner, cancel| {
                let file = stored_file(inner, &repo, &path, check_revision(options.revision.as_deref())?)?;
                let repo = file.repo().to_owned();
                let item = Item { destination: folder.join(&name), segments: vec![name], file };
                Export { inner, folder: &folder, argument: "destination", options: &options, cancel }
                    .write_all(vec![item], &repo, None)
            })
            .await
    }
}

fn absolute(name: &'static str, path: &Path) -> Result<PathBuf> {
    std::path::absolute(path).map_err(|error| invalid(name, path, &format!("cannot be used: {error}")))
}

/// Folder and name of a plain file.
fn split(destination: &Path) -> Result<(PathBuf, String)> {
    let name = destination.file_name().and_then(|name| name.to_str());
    match (destination.parent(), name) {
        (Some(folder), Some(name)) if !destination.is_dir() => Ok((folder.to_owned(), name.to_owned())),
        _ => Err(invalid("destination", destination, "is not the path of a file: name the file to write")),
    }
}

/// Refuses a listed path that leads out of its folder.
pub(crate) fn check_safe(path: &str) -> Result<()> {
    if tabagent_hub::is_safe_path(path) {
        return Ok(());
    }
    Err(invalid("path", Path::new(path), "is listed, but would not stay in its folder"))
}

fn taken(destination: &Path) -> Error {
    Error::Taken { path: destination.to_owned() }
}

fn invalid(name: &'static str, path: &Path, reason: &str) -> Error {
    Error::InvalidArgument { name, message: format!("{} {reason}", path.display()) }
}

/// One file to write.
struct Item {
    /// Open from before the first byte is written: a removal meanwhile changes nothing.
    file: CachedFile,
    /// Folders below the export's, and the file's name.
    segments: Vec<String>,
    destination: PathBuf,
}

impl Item {
    /// Under its listed path in `directory`.
    fn below(directory: &Path, file: CachedFile) -> Result<Self> {
        check_safe(file.path())?;
        let segments: Vec<String> = file.path().split('/').map(str::to_owned).collect();
        Ok(Self {
            destination: segments.iter().fold(directory.to_owned(), |at, name| at.join(name)),
            segments,
            file,
        })
    }
}

/// One call.
struct Export<'a> {
    inner: &'a Arc<Inner>,
    folder: &'a Path,
    /// Name of the argument that says where to.
    argument: &'static str,
    options: &'a ExportOptions,
    cancel: &'a CancellationToken,
}

impl Export<'_> {
    fn write_all(&self, items: Vec<Item>, repo: &str, quant: Option<String>) -> Result<ExportReport> {
        for item in &items {
            self.check_free(&item.destination)?;
        }
        self.check_outside()?;
        self.check_link(&items)?;
        let total = items.iter().map(|item| item.file.size()).sum();
        let mut gauge = Gauge::start(self.options.progress.clone(), repo, quant, total);
        let (mut report, mut written) = (ExportReport::default(), HashSet::new());
        for item in items {
            gauge.begin(item.file.path(), item.file.size());
            if identity(&item.destination).is_some_and(|there| written.contains(&there)) {
                return Err(self.one_of_two(&item.destination));
            }
            let method = self.write(&item, &mut gauge)?;
            written.extend(identity(&item.destination));
            report.files.push(ExportedFile {
                path: item.file.path().to_owned(),
                destination: item.destination,
                size: item.file.size(),
                method,
            });
        }
        gauge.finish();
        Ok(report)
    }

    /// Refuses what stands in the way before anything is written.
    fn check_free(&self, destination: &Path) -> Result<()> {
        match fs::symlink_metadata(destination) {
            Ok(found) if found.is_dir() => Err(invalid(self.argument, destination, "is a folder")),
            Ok(_) if !self.options.overwrite => Err(taken(destination)),
            // What cannot be looked at is told by the attempt to write.
            _ => Ok(()),
        }
    }

    /// On a file system that does not tell case apart, for example.
    fn one_of_two(&self, destination: &Path) -> Error {
        let reason = "is the same file there as another one of this export: choose a folder that tells their names apart";
        invalid(self.argument, destination, reason)
    }

    /// Refuses to write into the store's own folder.
    fn check_outside(&self) -> Result<()> {
        if resolved(self.folder).starts_with(self.inner.store.root()) {
            return Err(invalid(self.argument, self.folder, "lies in the model cache's own folder"));
        }
        Ok(())
    }

    /// With [`Link::Reflink`] one piece of the largest file goes into a file that is never published: where blocks cannot be shared,
    /// that is told before anything is made.
    fn check_link(&self, items: &[Item]) -> Result<()> {
        let existing = self.folder.ancestors().find(|folder| folder.is_dir());
        let largest = items.iter().max_by_key(|item| item.file.size());
        let (Link::Reflink, Some(existing), Some(item)) = (self.options.link, existing, largest) else {
            return Ok(());
        };
        let target = Folder::create(existing)?.begin("reflink")?;
        match item.file.reader().export(&target, Link::Reflink, &mut |_| ControlFlow::Break(())) {
            Err(StorageError::NoReflink { store, reason, .. }) => {
                Err(StorageError::NoReflink { path: item.destination.clone(), store, reason }.into())
            }
            outcome => Ok(outcome.map(drop)?),
        }
    }

    fn write(&self, item: &Item, gauge: &mut Gauge) -> Result<Method> {
        let mut folder = Folder::create(self.folder)?;
        let (name, folders) = item.segments.split_last().ok_or_else(|| self.inner.closed())?;
        for name in folders {
            folder = folder.create_below(name)?;
        }
        let target = folder.begin(name)?;
        let method = item.file.reader().export(&target, self.options.link, &mut |bytes| {
            if self.cancel.is_cancelled() {
                return ControlFlow::Break(());
            }
            gauge.advance(bytes);
            ControlFlow::Continue(())
        })?;
        let method = method.ok_or_else(|| self.inner.closed())?;
        match target.publish(self.options.overwrite) {
            Err(StorageError::Io { source, .. }) if source.kind() == io::ErrorKind::AlreadyExists => {
                Err(taken(&item.destination))
            }
            outcome => Ok(outcome.map(|()| method)?),
        }
    }
}
