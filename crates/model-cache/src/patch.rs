//! Fetching damaged blocks of stored files again.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use tabagent_hub::{RangeSink, SinkError, TransferRequest};
use tabagent_storage::{BlobName, Lease, Patch, Patched, StorageError};

use crate::error::{Error, Result};
use crate::inner::Inner;
use crate::lock::lock;
use crate::runtime::blocking;
use crate::stored_file::{StoredBlob, StoredFile, StoredFiles};
use crate::transfer::hub_digest;

/// Most damaged bytes of one file that are fetched for a repair (256 MiB): they are kept in memory until they are proven.
const MOST: u64 = 256 << 20;

/// Makes a blob whole again: its damaged bytes come from any commit at this endpoint that has the file.
pub(crate) async fn repair(
    inner: &Arc<Inner>,
    files: &StoredFiles,
    blob: &StoredBlob,
    damaged: &[Range<u64>],
) -> Result<()> {
    let mut failure = None;
    for file in files.files_of(blob).filter(|file| file.scope.endpoint == inner.endpoint) {
        match repair_from(inner, file, damaged).await {
            Ok(()) => return Ok(()),
            // The same bytes may still be had elsewhere.
            Err(error) => failure = Some(error),
        }
    }
    Err(failure.unwrap_or_else(|| Error::Storage(corrupt(blob.name, "it came from another endpoint"))))
}

async fn repair_from(inner: &Arc<Inner>, source: &StoredFile, damaged: &[Range<u64>]) -> Result<()> {
    let StoredFile { scope, file } = source;
    let name = file.blob_name();
    if damaged.iter().map(|range| range.end - range.start).sum::<u64>() > MOST {
        return Err(corrupt(name, "more than 256 MiB of it are damaged").into());
    }
    if inner.options.offline {
        let what = format!("has damaged bytes in {}", file.path);
        return Err(Error::Offline { repo: scope.repo.clone(), what });
    }
    let lease = take_lease(inner, source).await?;
    let patches = fetch(inner, source, damaged).await?;
    match write(inner, lease, patches).await? {
        Patched::Whole => Ok(()),
        Patched::Wrong(actual) => Err(Error::Integrity {
            repo: scope.repo.clone(),
            path: file.path.clone(),
            expected: name.to_hex(),
            actual: actual.to_hex(),
        }),
        Patched::Absent => Err(corrupt(name, "its chunks are gone").into()),
        Patched::Ended => Err(inner.closed()),
    }
}

async fn take_lease(inner: &Arc<Inner>, StoredFile { scope, file }: &StoredFile) -> Result<Lease> {
    let (holder, name) = (Arc::clone(inner), file.blob_name());
    let lease = blocking(inner.tasks.token(), move || Ok(holder.store.try_lease(&name)?)).await?;
    lease.ok_or_else(|| Error::InUse {
        repo: scope.repo.clone(),
        what: file.path.clone(),
        reason: "it is being downloaded, removed or repaired; call again later".to_owned(),
    })
}

async fn fetch(inner: &Inner, source: &StoredFile, damaged: &[Range<u64>]) -> Result<Vec<Patch>> {
    let StoredFile { scope, file } = source;
    let request = TransferRequest {
        repo: scope.repo.clone(),
        commit: scope.commit.clone(),
        path: file.path.clone(),
        size: file.size,
        digest: hub_digest(file.digest()),
        missing: damaged.to_vec(),
    };
    let sink = Arc::new(PatchSink::new(damaged));
    inner.hub.transfer(&request, Arc::clone(&sink) as _, &inner.closing).await?;
    Ok(sink.take())
}

/// Writes them once they are proven.
async fn write(inner: &Arc<Inner>, lease: Lease, patches: Vec<Patch>) -> Result<Patched> {
    let stop = Stop::default();
    let (holder, stopped) = (Arc::clone(inner), Arc::clone(&stop.0));
    blocking(inner.tasks.token(), move || {
        let go_on = || !stopped.load(Ordering::Relaxed);
        let outcome = holder.store.patch(&lease, &patches, &go_on)?;
        if matches!(outcome, Patched::Whole) {
            // Plain files may have been made of the damaged bytes.
            holder.store.renew_plain_files(lease.name())?;
        }
        Ok(outcome)
    })
    .await
}

pub(crate) fn corrupt(name: BlobName, reason: &str) -> StorageError {
    StorageError::Corrupt { what: format!("blob {name}"), reason: reason.to_owned() }
}

/// Gathers the bytes of some ranges.
pub(crate) struct PatchSink {
    patches: Mutex<Vec<Patch>>,
}

impl PatchSink {
    pub(crate) fn new(ranges: &[Range<u64>]) -> Self {
        let patch = |range: &Range<u64>| {
            let length = usize::try_from(range.end - range.start).unwrap_or_default();
            Patch { offset: range.start, bytes: vec![0; length] }
        };
        Self { patches: Mutex::new(ranges.iter().map(patch).collect()) }
    }

    pub(crate) fn take(&self) -> Vec<Patch> {
        std::mem::take(&mut lock(&self.patches))
    }
}

impl RangeSink for PatchSink {
    fn write(&self, offset: u64, bytes: Bytes) -> std::result::Result<(), SinkError> {
        let mut patches = lock(&self.patches);
        let at = patches.partition_point(|patch| patch.offset <= offset);
        let patch = at.checked_sub(1).and_then(|at| patches.get_mut(at));
        let place = patch.and_then(|patch| {
            let start = usize::try_from(offset - patch.offset).ok()?;
            patch.bytes.get_mut(start..start.checked_add(bytes.len())?)
        });
        let place = place.ok_or_else(|| StorageError::Corrupt {
            what: "a downloaded file".to_owned(),
            reason: format!("bytes at {offset} were not asked for"),
        })?;
        place.copy_from_slice(&bytes);
        Ok(())
    }
}

/// Ends work on another thread when its caller is gone.
#[derive(Default)]
pub(crate) struct Stop(pub(crate) Arc<AtomicBool>);

impl Drop for Stop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_land_in_their_range_and_nowhere_else() {
        let sink = PatchSink::new(&[10..14, 20..22]);
        sink.write(20, Bytes::from_static(b"xy")).unwrap();
        sink.write(12, Bytes::from_static(b"cd")).unwrap();
        sink.write(10, Bytes::from_static(b"ab")).unwrap();
        for (offset, bytes) in [(9, &b"a"[..]), (13, b"ab"), (15, b"a"), (21, b"ab"), (40, b"a")] {
            assert!(sink.write(offset, Bytes::copy_from_slice(bytes)).is_err(), "{offset}");
        }
        let bytes = |offset, bytes: &[u8]| Patch { offset, bytes: bytes.to_vec() };
        assert_eq!(sink.take(), [bytes(10, b"abcd"), bytes(20, b"xy")]);
    }
}
