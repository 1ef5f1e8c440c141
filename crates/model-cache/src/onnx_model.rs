//! An ONNX model as a path, for engines that load from one: a small file whose weights are those in the store.

use std::cell::RefCell;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use tabagent_storage::{BlobReader, StorageError, Stub, StubDraft, StubName};
use tokio_util::sync::CancellationToken;

use crate::cache::ModelCache;
use crate::cached_file::CachedFile;
use crate::error::{Error, Result};
use crate::inner::Inner;
use crate::onnx::{self, Copied, Failure, MODEL, Rope, Run, Segment, Source, Sources};
use crate::repo_name::{check_path, check_repo, check_revision};
use crate::required::stored_file;

/// What a name of a stub begins with: another one for each way to write stubs.
const RECIPE: &[u8] = b"onnx 1";

/// A stored ONNX model as an engine loads it: the path of a stub that says where in the store its weights are. The stub and the
/// weights stay in place as long as this lives, whatever is removed meanwhile.
#[derive(Debug)]
pub struct OnnxModel {
    // Field order is load-bearing: the stub goes before the pins of what it points to.
    stub: Stub,
    repo: String,
    path: String,
    commit: String,
    _pins: Vec<Arc<BlobReader>>,
}

impl OnnxModel {
    /// Repository id.
    #[must_use]
    pub fn repo(&self) -> &str {
        &self.repo
    }

    /// Path of the model in the repository.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Commit the model belongs to.
    #[must_use]
    pub fn commit(&self) -> &str {
        &self.commit
    }

    /// Path of the stub on this machine, for the engine.
    #[must_use]
    pub fn model_path(&self) -> &Path {
        self.stub.path()
    }
}

impl ModelCache {
    /// The path of a stored ONNX model whose weights, its own and those in files beside it, an engine then maps from the store itself.
    /// No network. Weights across two chunks (at each 100 MiB of a file) are copied, on btrfs and XFS without taking room.
    ///
    /// # Errors
    /// `ERR_FILE_NOT_FOUND` when the model or a file with its weights is not stored; `ERR_INVALID_ARGUMENT` also for a file that is no
    /// ONNX model or names weights elsewhere than below its folder; `ERR_READ_ONLY` for a cache opened read-only;
    /// `ERR_UNSUPPORTED_FILESYSTEM` on systems where no other program can read the store (Windows); `ERR_TOO_LARGE`, `ERR_NO_SPACE`,
    /// `ERR_IO`, `ERR_CLOSED`.
    pub async fn onnx_model(&self, repo: &str, path: &str, revision: Option<&str>) -> Result<OnnxModel> {
        let inner = self.inner()?;
        check_repo(repo)?;
        check_path(path)?;
        check_revision(revision)?;
        let (repo, path, revision) = (repo.to_owned(), path.to_owned(), revision.map(str::to_owned));
        inner
            .call_blocking(move |inner, cancel| {
                check_stubs(inner)?;
                let model = stored_file(inner, &repo, &path, check_revision(revision.as_deref())?)?;
                make(inner, &model, cancel)
            })
            .await
    }
}

fn check_stubs(inner: &Inner) -> Result<()> {
    if inner.is_read_only() {
        return Err(Error::Storage(StorageError::ReadOnly {
            path: inner.store.root().to_owned(),
            reason: "it was opened read-only, and the path of an ONNX model is that of a file written into it; hand its bytes to \
                     the engine, or open the cache to be written"
                .to_owned(),
        }));
    }
    Ok(inner.store.check_stubs()?)
}

fn make(inner: &Arc<Inner>, model: &CachedFile, cancel: &CancellationToken) -> Result<OnnxModel> {
    let view = model.reader().map()?;
    let pins = RefCell::new(vec![Arc::clone(model.reader())]);
    let mut open_external = |location: &str| {
        let file = open_external(inner, model, location)?;
        pins.borrow_mut().push(Arc::clone(file.reader()));
        Ok(source_of(file.reader()))
    };
    let mut sources = Sources::new(source_of(model.reader()), &mut open_external);
    let rope = onnx::rewrite(&view, &mut sources).map_err(|failure| explain(model, failure))?;
    let copied = sources.into_copied();
    let pins = pins.into_inner();
    let name = name_of(&pins);
    let drawing = Drawing { view: &view, pins: &pins, rope: &rope, copied: &copied, name, cancel };
    let stub = inner.store.stub(&name, &mut |draft| drawing.draw(draft), &|| !cancel.is_cancelled())?;
    Ok(OnnxModel {
        stub: stub.ok_or_else(|| inner.closed())?,
        repo: model.repo().to_owned(),
        path: model.path().to_owned(),
        commit: model.commit().to_owned(),
        _pins: pins,
    })
}

/// The file that the model calls `location`, of the same commit.
pub(crate) fn open_external(
    inner: &Inner,
    model: &CachedFile,
    location: &str,
) -> std::result::Result<CachedFile, Failure> {
    let path = onnx::resolve(model.path(), location)?;
    let opened = stored_file(inner, model.repo(), &path, model.commit());
    opened.map_err(|error| {
        Failure::External(Box::new(match error {
            Error::NotDownloaded { repo, commit, path, .. } => {
                let what = format!("{path}, which holds weights of {},", model.path());
                Error::NotDownloaded { repo, commit, what, path }
            }
            other => other,
        }))
    })
}

pub(crate) fn explain(model: &CachedFile, failure: Failure) -> Error {
    match failure {
        Failure::External(error) => *error,
        Failure::Malformed(what) => Error::InvalidArgument {
            name: "path",
            message: format!(
                "{} of {} is no ONNX model that can be loaded: {what}",
                model.path(),
                model.repo()
            ),
        },
    }
}

pub(crate) fn source_of(reader: &BlobReader) -> Source {
    let mut start = 0;
    let extents = reader.extents().into_iter();
    let runs = extents.map(|extent| {
        let run = Run { start, offset: extent.offset, length: extent.length };
        start += extent.length;
        run
    });
    Source { runs: runs.collect(), size: reader.size() }
}

/// Stubs of the same bytes at the same places are the same.
fn name_of(pins: &[Arc<BlobReader>]) -> StubName {
    let mut parts = vec![RECIPE.to_vec()];
    for reader in pins {
        let mut part = reader.name().0.to_vec();
        for extent in reader.extents() {
            part.extend(extent.offset.to_le_bytes());
            part.extend(extent.length.to_le_bytes());
        }
        parts.push(part);
    }
    StubName::of(parts.iter().map(Vec::as_slice))
}

/// What a stub is made of.
struct Drawing<'a> {
    view: &'a [u8],
    /// The model and the files with its weights, in the order of the [`Sources`].
    pins: &'a [Arc<BlobReader>],
    rope: &'a Rope,
    copied: &'a [Copied],
    name: StubName,
    cancel: &'a CancellationToken,
}

impl Drawing<'_> {
    fn draw(&self, draft: &mut StubDraft) -> tabagent_storage::Result<ControlFlow<()>> {
        let write = &mut |bytes: &[u8]| draft.write(bytes);
        write_out(self.rope, self.view, |file| self.pins.get(file), &self.name.side(), write)?;
        self.draw_side(draft)
    }

    fn draw_side(&self, draft: &mut StubDraft) -> tabagent_storage::Result<ControlFlow<()>> {
        let mut advance = |_| {
            if self.cancel.is_cancelled() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        for Copied { file, range, at } in self.copied {
            let Some(reader) = self.pins.get(*file) else { continue };
            if !draft.copy(reader, range.clone(), *at, &mut advance)? {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }
}

/// Hands the bytes that a rope says to `write`. `view` shows the model, and `reader` has the other files.
pub(crate) fn write_out<'a>(
    rope: &Rope,
    view: &[u8],
    reader: impl Fn(usize) -> Option<&'a Arc<BlobReader>>,
    side_name: &str,
    write: &mut dyn FnMut(&[u8]) -> tabagent_storage::Result<()>,
) -> tabagent_storage::Result<()> {
    for segment in &rope.segments {
        match segment {
            Segment::Bytes(bytes) => write(bytes)?,
            Segment::SideName => write(side_name.as_bytes())?,
            Segment::Copy { file: MODEL, range } => {
                let start = usize::try_from(range.start).unwrap_or(usize::MAX);
                let end = usize::try_from(range.end).unwrap_or(usize::MAX);
                write(view.get(start..end).unwrap_or_default())?;
            }
            Segment::Copy { file, range } => {
                let Some(reader) = reader(*file) else { continue };
                write(&reader.copy(range.clone())?)?;
            }
        }
    }
    Ok(())
}
