//! Records that cannot be read, and files whose bytes cannot be told from others.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tabagent_storage::{Incarnation, Key};

use crate::download;
use crate::error::{Error, Result};
use crate::inner::Inner;
use crate::lookup::Lookup;
use crate::options::DownloadOptions;
use crate::patch::{Stop, corrupt};
use crate::runtime::blocking;
use crate::stored_file::{StoredBlob, StoredFiles};
use crate::verify::{DamagedRecord, forget_blob};

/// Finds the records that cannot be read, of a repository or all, and mends them with `repair`.
pub(crate) async fn find_records(
    inner: &Arc<Inner>,
    repo: Option<&str>,
    repair: bool,
) -> Result<Vec<DamagedRecord>> {
    let (holder, repo, stop) = (Arc::clone(inner), repo.map(str::to_owned), Stop::default());
    let stopped = Arc::clone(&stop.0);
    let work = move || {
        let names = match &repo {
            Some(repo) => {
                let endpoint = &holder.endpoint;
                Some(holder.read(|txn| Lookup { txn, endpoint }.names(repo))?)
            }
            None => None,
        };
        let go_on = || !stopped.load(Ordering::Relaxed);
        let found = holder.store.damaged_records()?.into_iter();
        let wanted = found.filter(|record| names.as_ref().is_none_or(|names| is_of(&record.key, names)));
        wanted
            .map(|record| {
                let repaired = repair && holder.store.mend(&record.key, &go_on)?;
                Ok(DamagedRecord { key: text(&record.key), why: record.reason, repaired })
            })
            .collect()
    };
    blocking(inner.tasks.token(), work).await
}

/// The key; one that was damaged itself may hold anything, which is told as escapes.
fn text(key: &Key) -> String {
    match std::str::from_utf8(key.as_bytes()) {
        Ok(text) if !text.contains(char::is_control) => text.to_owned(),
        _ => key.as_bytes().escape_ascii().to_string(),
    }
}

/// Whether the key names one of the repositories.
fn is_of(key: &Key, names: &[String]) -> bool {
    names.iter().any(|name| text(key).contains(&format!(":{name}@")))
}

/// Brings a blob back whose bytes cannot be told from others: what is stored of it is forgotten, and its files at this endpoint are
/// downloaded again.
pub(crate) async fn replace(
    inner: &Arc<Inner>,
    files: &StoredFiles,
    blob: &StoredBlob,
    incarnation: Option<Incarnation>,
) -> Result<()> {
    let own = || files.files_of(blob).filter(|file| file.scope.endpoint == inner.endpoint);
    let first = own().next().ok_or_else(|| corrupt(blob.name, "it came from another endpoint"))?;
    if inner.options.offline {
        let what = format!("cannot read {}", first.file.path);
        return Err(Error::Offline { repo: first.scope.repo.clone(), what });
    }
    let (holder, forgotten) = (Arc::clone(inner), StoredBlob { files: Vec::new(), ..*blob });
    blocking(inner.tasks.token(), move || forget_blob(&holder, &forgotten, incarnation)).await?;
    for file in own() {
        let (repo, path) = (file.scope.repo.clone(), file.file.path.clone());
        let options = DownloadOptions { revision: Some(file.scope.commit.clone()), ..Default::default() };
        download::file(Arc::clone(inner), repo, path, options).await?;
    }
    Ok(())
}
