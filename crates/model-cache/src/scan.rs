//! One request to the Hub becomes a stored listing, sorted into quants.

use std::sync::Arc;

use tabagent_hub::Listing;
use tabagent_hub::quant::{self, SourceFile};
use tabagent_storage::{
    AliasRecord, Aliases, Key, ManifestFile, ManifestQuant, ManifestRecord, Manifests, RefRecord, Refs,
    WriteTransaction,
};

use crate::clock::now_ms;
use crate::error::{Error, Result};
use crate::imported::{self, Doubt};
use crate::inner::Inner;
use crate::lookup::{Lookup, scope_of};
use crate::manifest::Manifest;
use crate::options::ScanOptions;
use crate::repo_name::{check_repo, check_revision, is_commit};
use crate::runtime::blocking;

/// Scans `repo`, stores what was found, and returns it with the state of its files.
pub(crate) async fn scan(inner: Arc<Inner>, repo: String, options: ScanOptions) -> Result<Manifest> {
    check_repo(&repo)?;
    let revision = check_revision(options.revision.as_deref())?.to_owned();
    let (record, stale) = current(&inner, &repo, &revision, options.refresh).await?;
    blocking(inner.tasks.token(), move || {
        let probe = inner.probe()?;
        let manifest = inner.read(|txn| Manifest::assemble(&probe, txn, &record, &revision))?;
        Ok(Manifest { stale: stale || manifest.stale, ..manifest })
    })
    .await
}

/// The listing as the Hub gives it now, or the stored one: of a commit, offline, or (and then it is stale) when the Hub does not
/// answer.
/// One that was made from an import is no more than what is known when the Hub does not answer.
async fn current(
    inner: &Arc<Inner>,
    repo: &str,
    revision: &str,
    refresh: bool,
) -> Result<(ManifestRecord, bool)> {
    let stored = stored(inner, repo, revision).await?;
    // The listing of a commit never changes.
    let immutable = is_commit(revision) && !refresh;
    match stored {
        Some(stored) if (immutable && !stored.imported) || inner.options.offline => {
            Ok((stored.record, !immutable))
        }
        None if inner.options.offline => {
            let what = format!("was never scanned at {revision}");
            Err(Error::Offline { repo: repo.to_owned(), what })
        }
        Some(stored) => again(inner, repo, revision, stored, refresh).await,
        None => {
            let listing = inner.hub.scan(repo, revision, &inner.closing).await?;
            Ok((keep(inner, repo, revision, listing).await?, false))
        }
    }
}

/// Asks for what is stored already.
async fn again(
    inner: &Arc<Inner>,
    repo: &str,
    revision: &str,
    stored: Stored,
    refresh: bool,
) -> Result<(ManifestRecord, bool)> {
    let answer = if refresh {
        inner.hub.scan(repo, revision, &inner.closing).await.map(Some)
    } else {
        inner.hub.rescan(repo, revision, stored.etag.as_deref(), &inner.closing).await
    };
    match answer {
        Ok(Some(listing)) => Ok((keep(inner, repo, revision, listing).await?, false)),
        Ok(None) => Ok((stored.record, false)),
        Err(error) if error.is_transient() => Ok((stored.record, true)),
        Err(error) => Err(error.into()),
    }
}

/// The newest stored listing of a revision.
struct Stored {
    record: ManifestRecord,
    /// For a conditional request; `None` as well when another version of this library sorted the listing into quants, so that the
    /// next scan sorts it anew.
    etag: Option<String>,
    /// It was made from an import, and no scan has confirmed it.
    imported: bool,
}

/// Goes before a stored `ETag`.
const SORTED_BY: &str = concat!(env!("CARGO_PKG_VERSION"), " ");

/// Disk work: a listing may have a million files.
async fn stored(inner: &Arc<Inner>, repo: &str, revision: &str) -> Result<Option<Stored>> {
    let (inner, repo, revision) = (Arc::clone(inner), repo.to_owned(), revision.to_owned());
    blocking(inner.tasks.token(), move || {
        inner.read(|txn| {
            let lookup = Lookup { txn, endpoint: &inner.endpoint };
            let Some((record, etag)) = lookup.listing(&repo, &revision)? else { return Ok(None) };
            let imported = lookup.is_imported(&record)?;
            let etag = etag.and_then(|etag| etag.strip_prefix(SORTED_BY).map(str::to_owned));
            Ok(Some(Stored { record, etag: etag.filter(|_| !imported), imported }))
        })
    })
    .await
}

/// Sorts the listing into quants and stores it.
async fn keep(inner: &Arc<Inner>, asked: &str, revision: &str, listing: Listing) -> Result<ManifestRecord> {
    let (inner, asked, revision) = (Arc::clone(inner), asked.to_owned(), revision.to_owned());
    blocking(inner.tasks.token(), move || {
        let etag = listing.etag.as_ref().map(|etag| format!("{SORTED_BY}{etag}"));
        let record = to_record(&inner.options.endpoint, listing);
        if !inner.is_read_only() {
            let doubts = inner.store.write(|txn| write(txn, &inner, &asked, &revision, &record, etag))?;
            if let Some(doubts) = doubts {
                imported::recheck(&inner, &record, &doubts)?;
            }
        }
        Ok(record)
    })
    .await
}

/// Stores a listing; gives what stays in doubt of an import when there was one.
fn write(
    txn: &WriteTransaction<'_>,
    inner: &Inner,
    asked: &str,
    revision: &str,
    record: &ManifestRecord,
    etag: Option<String>,
) -> tabagent_storage::Result<Option<Vec<Doubt>>> {
    let scope = scope_of(&inner.endpoint, record);
    let doubts = imported::confirm(txn, &scope, record)?;
    txn.put::<Manifests>(&Key::manifest(&scope), record)?;
    let key = Key::reference(&inner.endpoint, &record.repo, revision);
    let mut reference = txn.get::<Refs>(&key)?.unwrap_or(RefRecord { commits: Vec::new(), etag: None });
    reference.observe(&record.commit, record.scanned_at_ms, etag);
    txn.put::<Refs>(&key, &reference)?;
    // The Hub ignores case and follows renames; so does a later look-up without network.
    let alias = AliasRecord { repo: record.repo.clone() };
    for name in [asked, &record.repo] {
        txn.put::<Aliases>(&Key::alias(&inner.endpoint, name), &alias)?;
    }
    Ok(doubts)
}

/// Sorts a listing into quants.
pub(crate) fn to_record(endpoint: &str, listing: Listing) -> ManifestRecord {
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

/// The listing a download works from: the stored one, else a new one. What was imported may lack what is asked for.
pub(crate) async fn listing(
    inner: &Arc<Inner>,
    repo: &str,
    revision: Option<&str>,
) -> Result<ManifestRecord> {
    check_repo(repo)?;
    let revision = check_revision(revision)?;
    match stored(inner, repo, revision).await? {
        Some(stored) if !stored.imported => Ok(stored.record),
        _ => Ok(current(inner, repo, revision, false).await?.0),
    }
}
