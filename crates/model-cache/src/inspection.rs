//! What a model file says of itself, whether it is stored or not.

use std::sync::Arc;

use tabagent_storage::{INLINE_LIMIT, ManifestFile, ManifestRecord};

use crate::cache::ModelCache;
use crate::cached_file::CachedFile;
use crate::download;
use crate::error::{Error, Result};
use crate::header::{self, Header, Stop, Whole};
use crate::header_ranges::HeaderRanges;
use crate::inner::Inner;
use crate::lookup::scope_of;
use crate::options::DownloadOptions;
use crate::repo_name::{check_path, check_repo, check_revision};
use crate::runtime::blocking;
use crate::scan::listing;

/// What a model file says of itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Inspection {
    /// Repository id.
    pub repo: String,
    /// Path of the file in the repository.
    pub path: String,
    /// Commit the file belongs to.
    pub commit: String,
    /// Bytes of the file.
    pub size: u64,
    /// What its header says.
    pub header: Header,
}

impl ModelCache {
    /// What a safetensors, GGUF or ONNX file says of itself: its tensors and its metadata. Of a file that is not stored only the bytes
    /// that say so are fetched, unless it is small; they need not be fetched again by a download.
    ///
    /// # Errors
    /// Those of [`ModelCache::scan_repo_with`], `ERR_FILE_NOT_FOUND`; `ERR_INVALID_ARGUMENT` also for a file that is none of these.
    pub async fn inspect(&self, repo: &str, path: &str, revision: Option<&str>) -> Result<Inspection> {
        let inner = self.inner()?;
        let revision = revision.map(str::to_owned);
        inner.call(inspect(Arc::clone(&inner), repo.to_owned(), path.to_owned(), revision)).await
    }
}

async fn inspect(
    inner: Arc<Inner>,
    repo: String,
    path: String,
    revision: Option<String>,
) -> Result<Inspection> {
    check_repo(&repo)?;
    check_path(&path)?;
    if let Some(found) = stored(&inner, &repo, &path, revision.as_deref()).await? {
        return Ok(found);
    }
    let record = listing(&inner, &repo, revision.as_deref()).await?;
    let file = find(&record, &path)?.clone();
    if inner.options.offline {
        return Err(Error::Offline { repo: record.repo, what: format!("does not have {path} here") });
    }
    let whole = file.sha256.is_none() || file.size < INLINE_LIMIT;
    if whole && !inner.is_read_only() {
        let options = DownloadOptions { revision: Some(record.commit.clone()), ..DownloadOptions::default() };
        download::file(Arc::clone(&inner), record.repo.clone(), path.clone(), options).await?;
        if let Some(found) = stored(&inner, &record.repo, &path, Some(&record.commit)).await? {
            return Ok(found);
        }
    }
    let size = file.size;
    let header = HeaderRanges::new(&inner, scope_of(&inner.endpoint, &record), file).read().await?;
    Ok(Inspection { size, repo: record.repo, path, commit: record.commit, header })
}

/// What a stored file says; `None` when it is not stored.
async fn stored(
    inner: &Arc<Inner>,
    repo: &str,
    path: &str,
    revision: Option<&str>,
) -> Result<Option<Inspection>> {
    let revision = check_revision(revision)?.to_owned();
    let (holder, repo, path) = (Arc::clone(inner), repo.to_owned(), path.to_owned());
    blocking(inner.tasks.token(), move || {
        let Some(file) = CachedFile::open(&holder, &repo, &path, &revision)? else { return Ok(None) };
        let header =
            header::read(&path, &Whole(&file.view()?)).map_err(|stop| refused(&repo, &path, stop))?;
        let (repo, commit, size) = (file.repo().to_owned(), file.commit().to_owned(), file.size());
        Ok(Some(Inspection { repo, path, commit, size, header }))
    })
    .await
}

/// What a parser has to say against a file. Its bytes are those of the repository: fetching them again would not help.
pub(crate) fn refused(repo: &str, path: &str, stop: Stop) -> Error {
    let what = match stop {
        Stop::Malformed(what) => format!("its header is damaged in the repository itself: {what}"),
        Stop::Unknown(what) => what,
        Stop::Missing(range) => format!("its bytes {} to {} are not there", range.start, range.end),
    };
    Error::InvalidArgument { name: "path", message: format!("{path} of {repo} cannot be inspected: {what}") }
}

fn find<'a>(record: &'a ManifestRecord, path: &str) -> Result<&'a ManifestFile> {
    record.files.iter().find(|file| file.path == path).ok_or_else(|| Error::FileNotFound {
        repo: record.repo.clone(),
        commit: record.commit.clone(),
        path: path.to_owned(),
    })
}
