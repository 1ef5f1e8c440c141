//! What downloads that run now have yet to bring: their bytes count for the limit before they are here.

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, MutexGuard};

use tabagent_storage::{BlobName, BlobState, Blobs, Key, ManifestFile};

use crate::error::Result;
use crate::inner::Inner;
use crate::lock::lock;

/// The downloads of a cache that have got room under its limit.
#[derive(Debug, Default)]
pub(crate) struct Running {
    /// Held by whoever makes room, until what it is for counts.
    turn: Mutex<()>,
    wanted: Mutex<HashMap<BlobName, Wanted>>,
}

#[derive(Debug)]
struct Wanted {
    size: u64,
    downloads: usize,
}

impl Running {
    /// One at a time: two that look at the same room would both take it.
    pub(super) fn turn(&self) -> MutexGuard<'_, ()> {
        lock(&self.turn)
    }

    /// The bytes of these files count until the result is dropped. Those in git are small, and have another name once they are here.
    pub(super) fn want(self: &Arc<Self>, files: &[ManifestFile]) -> Wish {
        let files = files.iter().filter_map(|file| Some((BlobName(file.sha256?), file.size)));
        let files: HashMap<BlobName, u64> = files.collect();
        let mut wanted = lock(&self.wanted);
        for (name, size) in &files {
            wanted.entry(*name).or_insert(Wanted { size: *size, downloads: 0 }).downloads += 1;
        }
        Wish { running: Arc::clone(self), names: files.into_keys().collect() }
    }
}

/// The bytes that one download is to bring.
#[derive(Debug)]
pub(crate) struct Wish {
    running: Arc<Running>,
    names: Vec<BlobName>,
}

impl Drop for Wish {
    fn drop(&mut self) {
        let mut wanted = lock(&self.running.wanted);
        for name in &self.names {
            if let Some(entry) = wanted.get_mut(name) {
                entry.downloads -= 1;
            }
        }
        wanted.retain(|_, entry| entry.downloads > 0);
    }
}

/// What is to come besides the claimed blobs: of this cache's downloads all that they lack, of others the rest of the files that
/// they have begun.
pub(super) fn to_come(inner: &Inner, claimed: &HashSet<BlobName>) -> Result<u64> {
    let mut lacking: HashMap<BlobName, u64> = lock(&inner.running.wanted)
        .iter()
        .filter(|(name, _)| !claimed.contains(*name))
        .map(|(name, wanted)| (*name, wanted.size))
        .collect();
    let mut begun = Vec::new();
    inner.read(|txn| {
        Ok(txn.scan::<Blobs>(&Key::blobs(), |key, blob| {
            let Some(name) = Key::blob_name(key).filter(|name| !claimed.contains(name)) else {
                return Ok(ControlFlow::Continue(()));
            };
            if let Some(lacks) = lacking.get_mut(&name) {
                *lacks = lacks.saturating_sub(blob.downloaded());
            } else if blob.state == BlobState::Partial {
                begun.push((name, blob.size.saturating_sub(blob.downloaded())));
            }
            Ok(ControlFlow::Continue(()))
        })?)
    })?;
    let mut sum: u64 = lacking.values().fold(0, |sum, lacks| sum.saturating_add(*lacks));
    for (name, lacks) in begun {
        if inner.store.is_leased(&name)? {
            sum = sum.saturating_add(lacks);
        }
    }
    Ok(sum)
}
