//! Downloading a quant or a file.

use std::sync::Arc;

use tabagent_storage::ManifestQuant;

use crate::batch::Batch;
use crate::error::{Error, Result};
use crate::file::FileInfo;
use crate::history::fault_of;
use crate::inner::Inner;
use crate::lookup::scope_of;
use crate::manifest::Manifest;
use crate::options::DownloadOptions;
use crate::repo_name::{MAIN, check_path};
use crate::required::listed_quant;
use crate::runtime::blocking;
use crate::scan::listing;

/// Downloads a quant.
pub(crate) async fn quant(
    inner: Arc<Inner>,
    repo: String,
    quant: String,
    options: DownloadOptions,
) -> Result<Manifest> {
    let record = Arc::new(listing(&inner, &repo, options.revision.as_deref()).await?);
    let (holder, listed) = (Arc::clone(&inner), Arc::clone(&record));
    let found = blocking(inner.tasks.token(), move || {
        let scope = scope_of(&holder.endpoint, &listed);
        holder.read(|txn| listed_quant(txn, &listed, &scope, &quant))
    })
    .await?;
    let mut batch =
        Batch::open(&inner, &record, Some(found.name.clone()), found.files.clone(), &options).await?;
    // Until the result is read: it says what this call has brought.
    let _presence = if batch.is_stored() {
        batch.report_all();
        None
    } else {
        inner.check_writable()?;
        let asked = found.clone();
        let presence = batch.remember(move |history| history.begin(&asked)).await?;
        // Whoever removes sees the announcement from here on, in the transaction that forgets; what is there is looked at again.
        batch = Batch::open(&inner, &record, Some(found.name.clone()), found.files.clone(), &options).await?;
        bring(&batch, found).await?;
        Some(presence)
    };
    note_complete(&batch).await?;
    batch.note_use().await?;
    let revision = options.revision.unwrap_or_else(|| MAIN.to_owned());
    blocking(inner.tasks.token(), move || {
        let probe = inner.probe()?;
        inner.read(|txn| Manifest::assemble(&probe, txn, Arc::unwrap_or_clone(record), &revision))
    })
    .await
}

/// Downloads what is missing of a quant, remembering when it fails.
async fn bring(batch: &Arc<Batch>, quant: ManifestQuant) -> Result<()> {
    let outcome = batch.run().await;
    if let Some(fault) = outcome.as_ref().err().and_then(fault_of) {
        batch.remember(move |history| history.fail(&quant, &fault)).await?;
    }
    outcome
}

async fn note_complete(batch: &Arc<Batch>) -> Result<()> {
    if batch.inner.is_read_only() {
        return Ok(());
    }
    let places = batch.places.clone();
    batch.remember(move |history| history.complete(&places)).await
}

/// Downloads a file.
pub(crate) async fn file(
    inner: Arc<Inner>,
    repo: String,
    path: String,
    options: DownloadOptions,
) -> Result<FileInfo> {
    check_path(&path)?;
    let record = Arc::new(listing(&inner, &repo, options.revision.as_deref()).await?);
    let index = record.files.iter().position(|file| file.path == path).ok_or_else(|| {
        Error::FileNotFound { repo: record.repo.clone(), commit: record.commit.clone(), path: path.clone() }
    })?;
    let places = u32::try_from(index).into_iter().collect();
    let batch = Batch::open(&inner, &record, None, places, &options).await?;
    if batch.is_stored() {
        batch.report_all();
    } else {
        batch.run().await?;
        note_complete(&batch).await?;
    }
    batch.note_use().await?;
    let file = record.files.get(index).ok_or_else(|| batch.inner.closed())?;
    FileInfo::listed(file.clone(), true)
}
