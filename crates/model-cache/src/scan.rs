//! One request to the Hub becomes a stored listing, sorted into quants.

use std::sync::Arc;

use tabagent_hub::quant::{self, SourceFile};
use tabagent_hub::{HubError, Listing};
use tabagent_storage::{
    AliasRecord, Aliases, Key, ManifestFile, ManifestQuant, ManifestRecord, Manifests, RefRecord, Refs,
    StorageError, WriteTransaction,
};

use crate::clock::now_ms;
use crate::error::{Error, Result};
use crate::inner::Inner;
use crate::lookup::{Lookup, scope_of};
use crate::manifest::Manifest;
use crate::options::ScanOptions;
use crate::repo_name::{check_repo, check_revision, is_commit};
use crate::runtime::blocking;
use crate::status::Probe;

/// Scans `repo` and stores what was found.
pub(crate) async fn scan(inner: Arc<Inner>, repo: String, options: ScanOptions) -> Result<Manifest> {
    check_repo(&repo)?;
    let revision = check_revision(options.revision.as_deref())?.to_owned();
    // The listing of a commit never changes.
    let immutable = is_commit(&revision) && !options.refresh;
    if (immutable || inner.options.offline)
        && let Some(manifest) = stored(&inner, &repo, &revision).await?
    {
        return Ok(Manifest { stale: !immutable, ..manifest });
    }
    if inner.options.offline {
        return Err(Error::Offline { repo, what: format!("was never scanned at {revision}") });
    }
    match inner.hub.scan(&repo, &revision, &inner.closing).await {
        Ok(listing) => keep(&inner, repo, revision, listing).await,
        Err(error @ HubError::Network { .. }) => match stored(&inner, &repo, &revision).await? {
            Some(manifest) => Ok(Manifest { stale: true, ..manifest }),
            None => Err(error.into()),
        },
        Err(error) => Err(error.into()),
    }
}

async fn stored(inner: &Arc<Inner>, repo: &str, revision: &str) -> Result<Option<Manifest>> {
    let (inner, repo, revision) = (Arc::clone(inner), repo.to_owned(), revision.to_owned());
    blocking(move || inner.manifest(&repo, &revision)).await
}

/// Stores the listing and returns it with the state of its files.
async fn keep(inner: &Arc<Inner>, asked: String, revision: String, listing: Listing) -> Result<Manifest> {
    let inner = Arc::clone(inner);
    blocking(move || {
        let record = to_record(&inner.options.endpoint, listing);
        if !inner.is_read_only() {
            inner.store.write(|txn| write(txn, &inner, &asked, &revision, &record))?;
        }
        let probe = Probe { store: &inner.store, endpoint: &inner.endpoint };
        inner.read(|txn| Manifest::assemble(&probe, txn, &record, &revision))
    })
    .await
}

fn write(
    txn: &WriteTransaction<'_>,
    inner: &Inner,
    asked: &str,
    revision: &str,
    record: &ManifestRecord,
) -> tabagent_storage::Result<()> {
    let scope = scope_of(&inner.endpoint, record);
    txn.put::<Manifests>(&Key::manifest(&scope), record)?;
    let key = Key::reference(&inner.endpoint, &record.repo, revision);
    let mut reference = txn.get::<Refs>(&key)?.unwrap_or(RefRecord { commits: Vec::new(), etag: None });
    reference.observe(&record.commit, record.scanned_at_ms, None);
    txn.put::<Refs>(&key, &reference)?;
    // The Hub ignores case and follows renames; so does a later look-up without network.
    let alias = AliasRecord { repo: record.repo.clone() };
    for name in [asked, &record.repo] {
        txn.put::<Aliases>(&Key::alias(&inner.endpoint, name), &alias)?;
    }
    Ok(())
}

/// Sorts a listing into quants.
fn to_record(endpoint: &str, listing: Listing) -> ManifestRecord {
    let sources: Vec<SourceFile<'_>> =
        listing.files.iter().map(|file| SourceFile { path: &file.path, size: file.size }).collect();
    let detection = quant::detect(&sources, &listing.hints);
    let quants = detection.quants.iter().map(|quant| ManifestQuant {
        name: quant.name.clone(),
        format: quant.format.as_str().to_owned(),
        files: indices(&quant.files),
    });
    let quants = quants.collect();
    let files = listing.files.iter().zip(&detection.roles).map(|(file, role)| {
        let (sha256, git_sha1) = match file.digest {
            tabagent_hub::Digest::Sha256(digest) => (Some(digest), None),
            tabagent_hub::Digest::GitSha1(digest) => (None, Some(digest)),
        };
        ManifestFile {
            path: file.path.clone(),
            size: file.size,
            sha256,
            git_sha1,
            role: role.as_str().to_owned(),
        }
    });
    ManifestRecord {
        endpoint: endpoint.to_owned(),
        files: files.collect(),
        quants,
        shared: indices(&detection.shared),
        repo: listing.repo,
        commit: listing.commit,
        pipeline_task: listing.pipeline_task,
        library_name: listing.library_name,
        license: listing.license,
        tags: listing.tags,
        gated: listing.gated,
        scanned_at_ms: now_ms(),
    }
}

fn indices(from: &[usize]) -> Vec<u32> {
    from.iter().filter_map(|index| u32::try_from(*index).ok()).collect()
}

/// The stored listing a download works from; scanned first when there is none.
pub(crate) async fn listing(
    inner: &Arc<Inner>,
    repo: &str,
    revision: Option<&str>,
) -> Result<ManifestRecord> {
    check_repo(repo)?;
    let revision = check_revision(revision)?.to_owned();
    if let Some(record) = inner.read(|txn| find(inner, txn, repo, &revision))? {
        return Ok(record);
    }
    let options = ScanOptions { revision: Some(revision.clone()), refresh: false };
    let manifest = scan(Arc::clone(inner), repo.to_owned(), options).await?;
    inner.read(|txn| find(inner, txn, repo, &revision))?.ok_or_else(|| {
        // Only a read-only cache has just scanned and still has no listing.
        Error::Storage(StorageError::ReadOnly {
            path: inner.store.root().to_owned(),
            reason: format!("it was opened read-only and does not have {} yet", manifest.repo),
        })
    })
}

fn find(
    inner: &Inner,
    txn: &tabagent_storage::ReadTransaction<'_>,
    repo: &str,
    revision: &str,
) -> Result<Option<ManifestRecord>> {
    Lookup { txn, endpoint: &inner.endpoint }.manifest(repo, revision)
}
