//! One request to the Hub becomes a stored listing, sorted into quants.

use std::sync::Arc;

use tabagent_hub::Listing;
use tabagent_hub::quant::Hints;
use tabagent_storage::{
    AliasRecord, Aliases, EndpointId, Key, ManifestRecord, ReadTransaction, RefRecord, Refs, WriteTransaction,
};

use crate::error::{Error, Result};
use crate::imported::{self, Doubt};
use crate::inner::Inner;
use crate::lookup::{Lookup, scope_of};
use crate::manifest::Manifest;
use crate::options::ScanOptions;
use crate::refinement;
use crate::repo_name::{check_repo, check_revision, is_commit};
use crate::runtime::blocking;
use crate::sorting::{self, Sorted};
use crate::told;

/// A listing as it is known now.
pub(crate) struct Found {
    pub(crate) record: ManifestRecord,
    /// By what it was sorted; none when an earlier version or an import did that.
    pub(crate) hints: Option<Hints>,
    /// The endpoint could not be asked.
    pub(crate) stale: bool,
}

/// Scans `repo`, stores what was found, and returns it with the state of its files.
pub(crate) async fn scan(inner: Arc<Inner>, repo: String, options: ScanOptions) -> Result<Manifest> {
    check_repo(&repo)?;
    let revision = check_revision(options.revision.as_deref())?.to_owned();
    let mut found = current(&inner, &repo, &revision, &options).await?;
    if options.headers {
        found = refinement::refine(&inner, found).await?;
    }
    blocking(inner.tasks.token(), move || {
        let probe = inner.probe()?;
        let manifest = inner.read(|txn| {
            let record = sorting::as_stored(txn, &inner.endpoint, found.record)?;
            Manifest::assemble(&probe, txn, record, &revision)
        })?;
        Ok(Manifest { stale: found.stale || manifest.stale, ..manifest })
    })
    .await
}

/// The listing as the Hub gives it now, or the stored one: of a commit, offline, or (and then it is stale) when the Hub does not
/// answer.
/// One that was made from an import is no more than what is known when the Hub does not answer; nor is one whose quants cannot be
/// named by headers, where that is asked for.
async fn current(inner: &Arc<Inner>, repo: &str, revision: &str, options: &ScanOptions) -> Result<Found> {
    let stored = stored(inner, repo, revision).await?;
    // The listing of a commit never changes.
    let immutable = is_commit(revision) && !options.refresh;
    let lacks = |stored: &Stored| stored.imported || (options.headers && stored.hints.is_none());
    match stored {
        Some(stored) if (immutable && !lacks(&stored)) || inner.options.offline => {
            Ok(stored.found(!immutable))
        }
        None if inner.options.offline => {
            let what = format!("was never scanned at {revision}");
            Err(Error::Offline { repo: repo.to_owned(), what })
        }
        Some(stored) => {
            let whole = options.refresh || lacks(&stored);
            again(inner, repo, revision, stored, whole).await
        }
        None => {
            let listing = inner.hub.scan(repo, revision, &inner.closing).await?;
            keep(inner, repo, revision, listing).await
        }
    }
}

/// Asks for what is stored already; for the `whole` of it or for what has changed.
async fn again(inner: &Arc<Inner>, repo: &str, revision: &str, stored: Stored, whole: bool) -> Result<Found> {
    let answer = if whole {
        inner.hub.scan(repo, revision, &inner.closing).await.map(Some)
    } else {
        inner.hub.rescan(repo, revision, stored.etag.as_deref(), &inner.closing).await
    };
    match answer {
        Ok(Some(listing)) => keep(inner, repo, revision, listing).await,
        Ok(None) => Ok(stored.found(false)),
        Err(error) if error.is_transient() => Ok(stored.found(true)),
        Err(error) => Err(error.into()),
    }
}

/// The newest stored listing of a revision.
struct Stored {
    record: ManifestRecord,
    hints: Option<Hints>,
    /// For a conditional request; `None` as well when another version of this library sorted the listing into quants, so that the
    /// next scan sorts it anew.
    etag: Option<String>,
    /// It was made from an import, and no scan has confirmed it.
    imported: bool,
}

impl Stored {
    fn found(self, stale: bool) -> Found {
        Found { record: self.record, hints: self.hints, stale }
    }
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
            let hints = sorting::hints(txn, &scope_of(&inner.endpoint, &record))?.filter(|_| !imported);
            Ok(Some(Stored { record, hints, etag: etag.filter(|_| !imported), imported }))
        })
    })
    .await
}

/// Sorts the listing into quants, by the headers that are known too, and stores it.
async fn keep(inner: &Arc<Inner>, asked: &str, revision: &str, listing: Listing) -> Result<Found> {
    let (inner, asked, revision) = (Arc::clone(inner), asked.to_owned(), revision.to_owned());
    blocking(inner.tasks.token(), move || {
        let etag = listing.etag.as_ref().map(|etag| format!("{SORTED_BY}{etag}"));
        let mut sorted = sorting::sort(&inner.options.endpoint, listing);
        let told = inner.read(|txn| told::told(txn, &inner.endpoint, &sorted.open))?;
        if !told.is_empty() {
            let earlier = inner.read(|txn| earlier(txn, &inner.endpoint, &sorted.record, &revision))?;
            sorted.refine(&told, earlier.as_ref())?;
        }
        if !inner.is_read_only() {
            let seen = Seen { asked: &asked, revision: &revision, etag };
            let doubts = inner.store.write(|txn| write(txn, &inner, &seen, &mut sorted))?;
            if let Some(doubts) = doubts {
                imported::recheck(&inner, &sorted.record, &doubts)?;
            }
        }
        Ok(Found { hints: Some(sorted.hints), record: sorted.record, stale: false })
    })
    .await
}

/// The stored listing of the same commit, else the newest one of the revision.
fn earlier(
    txn: &ReadTransaction<'_>,
    endpoint: &EndpointId,
    record: &ManifestRecord,
    revision: &str,
) -> Result<Option<ManifestRecord>> {
    let lookup = Lookup { txn, endpoint };
    let mut scopes = vec![scope_of(endpoint, record)];
    scopes.extend(lookup.scopes(&record.repo, revision)?);
    lookup.manifest_in(&scopes)
}

/// Where a listing was seen.
struct Seen<'a> {
    asked: &'a str,
    revision: &'a str,
    etag: Option<String>,
}

/// Stores a listing; gives what stays in doubt of an import when there was one.
fn write(
    txn: &WriteTransaction<'_>,
    inner: &Inner,
    seen: &Seen<'_>,
    sorted: &mut Sorted,
) -> tabagent_storage::Result<Option<Vec<Doubt>>> {
    let scope = scope_of(&inner.endpoint, &sorted.record);
    let doubts = imported::confirm(txn, &scope, &sorted.record)?;
    let is_new = sorted.store(txn, inner, &scope)?;
    let record = &sorted.record;
    let key = Key::reference(&inner.endpoint, &record.repo, seen.revision);
    let mut reference = txn.get::<Refs>(&key)?.unwrap_or(RefRecord { commits: Vec::new(), etag: None });
    reference.observe(&record.commit, record.scanned_at_ms, seen.etag.clone().filter(|_| is_new));
    txn.put::<Refs>(&key, &reference)?;
    // The Hub ignores case and follows renames; so does a later look-up without network.
    let alias = AliasRecord { repo: record.repo.clone() };
    for name in [seen.asked, &record.repo] {
        txn.put::<Aliases>(&Key::alias(&inner.endpoint, name), &alias)?;
    }
    Ok(doubts)
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
        _ => Ok(current(inner, repo, revision, &ScanOptions::default()).await?.record),
    }
}
