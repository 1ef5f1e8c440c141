//! Names of quants from headers of files, where a scan is to read them.

use std::sync::Arc;

use tabagent_storage::{Key, ManifestFile, Manifests, RepoScope};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::cached_file::CachedFile;
use crate::error::{Error, Result};
use crate::header::{self, Telling, Whole};
use crate::header_ranges::HeaderRanges;
use crate::inner::Inner;
use crate::lookup::scope_of;
use crate::runtime::blocking;
use crate::scan::Found;
use crate::sorting::Sorted;
use crate::told::{self, Told, Word};

/// Most headers that one scan reads; the next one goes on.
const MOST_FILES: usize = 32;

/// How many scans ask for more of a header that goes on where one of them has to end, each for twice as much as the last one. Then it
/// is called by what is known, until the file is here.
const MOST_TRIES: u16 = 3;

/// How many at once.
const AT_ONCE: usize = 4;

/// Reads the headers that are open and not known, from the store where their files are there, and names the quants by them.
pub(crate) async fn refine(inner: &Arc<Inner>, found: Found) -> Result<Found> {
    let Found { record, hints: Some(hints), stale } = found else { return Ok(found) };
    let (holder, again) = (Arc::clone(inner), hints.clone());
    let (sorted, unread) = blocking(inner.tasks.token(), move || {
        let sorted = Sorted::stored(record, again);
        let unread = if is_settled(&holder, &sorted)? { Vec::new() } else { unread(&holder, &sorted.open)? };
        Ok((sorted, unread))
    })
    .await?;
    let scope = scope_of(&inner.endpoint, &sorted.record);
    let asks = !stale && !inner.options.offline;
    let (told, failure) = read_all(inner, &scope, unread, asks).await;
    let holder = Arc::clone(inner);
    let sorted = blocking(inner.tasks.token(), move || apply(&holder, &scope, sorted, told)).await?;
    match failure {
        Some(failure) => Err(failure),
        None => Ok(Found { record: sorted.record, hints: Some(hints), stale }),
    }
}

/// Whether no header can change a name: a listing in a store that may not be written keeps those it has there.
fn is_settled(inner: &Inner, sorted: &Sorted) -> Result<bool> {
    let key = Key::manifest(&scope_of(&inner.endpoint, &sorted.record));
    Ok(inner.is_read_only() && inner.read(|txn| Ok(txn.contains::<Manifests>(&key)?))?)
}

/// A file whose header is not known for sure, and how often it was read in vain.
struct Unread {
    file: ManifestFile,
    tries: u16,
}

/// Those that were read least often first, so that none keeps others from their turn.
fn unread(inner: &Inner, open: &[ManifestFile]) -> Result<Vec<Unread>> {
    let told = inner.read(|txn| told::told(txn, &inner.endpoint, open))?;
    let mut unread = Vec::new();
    for file in open {
        let tries = told.get(&file.digest()?.blob_name()).map(|word| word.tries);
        if tries != Some(0) {
            unread.push(Unread { file: file.clone(), tries: tries.unwrap_or_default() });
        }
    }
    unread.sort_by_key(|unread| unread.tries);
    unread.truncate(MOST_FILES);
    Ok(unread)
}

/// What the headers say that could be read, and the first failure.
async fn read_all(
    inner: &Arc<Inner>,
    scope: &RepoScope,
    unread: Vec<Unread>,
    asks: bool,
) -> (Told, Option<Error>) {
    let gate = Arc::new(Semaphore::new(AT_ONCE));
    let mut tasks = JoinSet::new();
    for unread in unread {
        let (inner, scope, gate) = (Arc::clone(inner), scope.clone(), Arc::clone(&gate));
        tasks.spawn(inner.tasks.clone().track_future(async move {
            let _turn = gate.acquire_owned().await;
            let name = unread.file.digest()?.blob_name();
            Ok(read(&inner, &scope, unread, asks).await?.map(|word| (name, word)))
        }));
    }
    let (mut told, mut failure) = (Told::new(), None);
    while let Some(done) = tasks.join_next().await {
        match done {
            Ok(Ok(read)) => told.extend(read),
            Ok(Err(error)) => failure = failure.or(Some(error)),
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Err(_) => failure = failure.or_else(|| Some(inner.closed())),
        }
    }
    (told, failure)
}

/// What a header says; `None` when the file is not here and the endpoint is not asked, or was often enough.
async fn read(
    inner: &Arc<Inner>,
    scope: &RepoScope,
    Unread { file, tries }: Unread,
    asks: bool,
) -> Result<Option<Word>> {
    let (holder, scope_here, path) = (Arc::clone(inner), scope.clone(), file.path.clone());
    let here = blocking(inner.tasks.token(), move || {
        let file = CachedFile::open(&holder, &scope_here.repo, &path, &scope_here.commit)?;
        file.map(|file| Ok(header::variant(&path, &Whole(&file.view()?)))).transpose()
    })
    .await?;
    let told = match here {
        None if asks && tries < MOST_TRIES => {
            HeaderRanges::new(inner, scope.clone(), file).variant(tries).await?
        }
        None => return Ok(None),
        Some(here) => Telling { missing: None, ..here },
    };
    let tries = if told.missing.is_some() { tries + 1 } else { 0 };
    Ok(Some(Word { name: told.name, tries }))
}

/// Names the quants by all that is known, and keeps that.
fn apply(inner: &Inner, scope: &RepoScope, mut sorted: Sorted, new: Told) -> Result<Sorted> {
    let mut told = inner.read(|txn| told::told(txn, &inner.endpoint, &sorted.open))?;
    let has_news = !new.is_empty();
    if has_news && !inner.is_read_only() {
        inner.store.write(|txn| told::note(txn, &inner.endpoint, &new))?;
    }
    told.extend(new);
    if sorted.refine(&told, None)? && !inner.is_read_only() {
        inner.store.write(|txn| {
            // What was removed meanwhile stays so.
            let is_there = txn.contains::<Manifests>(&Key::manifest(scope))?;
            if is_there { sorted.store(txn, inner, scope).map(drop) } else { Ok(()) }
        })?;
    }
    Ok(sorted)
}
