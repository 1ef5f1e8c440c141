//! Takes chunks in C for a file, and gives them back.

use std::ops::Range;

use libmdbx::{RW, Transaction, WriteMap};

use crate::ballast;
use crate::chunk::{ChunkHeader, chunk_key};
use crate::digest::Incarnation;
use crate::error::{Result, StorageError};
use crate::layout::{CHUNK_PAGE, CHUNKS_PER_RESERVE, PAGE_HEADER, chunk_count, chunk_length, value_length};
use crate::raw::{self, PageRun, TableHandle};
use crate::store::Store;

/// What the trees need at least to change (16 MiB): less, and a full disk could end the process.
const TREE_ROOM: u64 = 16 << 20;

impl Store {
    /// Reserves chunks for a file of `size` bytes under a new incarnation, durable and with room on the disk. Nothing is left
    /// of it when it fails. Until M names the incarnation, the note of a live lease must.
    pub(crate) fn reserve(&self, incarnation: Incarnation, size: u64) -> Result<()> {
        let _room = self.lock_room()?;
        self.check_room(pages(size).saturating_mul(CHUNK_PAGE as u64))?;
        let mut reserved = 0;
        while reserved < chunk_count(size) {
            let end = chunk_count(size).min(reserved + CHUNKS_PER_RESERVE as u64);
            if let Err(error) = self.reserve_some(incarnation, size, reserved..end) {
                // The first error counts; what cannot be given back now is an orphan for prune.
                self.release(&incarnation, size).ok();
                return Err(error);
            }
            reserved = end;
        }
        ballast::take(self.locks());
        Ok(())
    }

    fn reserve_some(&self, incarnation: Incarnation, size: u64, chunks: Range<u64>) -> Result<()> {
        self.make_room(&run_pages(size, chunks.clone()))?;
        let runs = self.write_chunks(|txn| {
            chunks
                .map(|n| put_chunk(txn, self.chunks.table(), incarnation, size, n))
                .collect::<libmdbx::Result<Vec<_>>>()
        })?;
        let backed = runs.iter().try_for_each(|run| self.back(*run));
        if backed.is_err() {
            // Deleting needs room, which a partly backed run may just have taken.
            for run in &runs {
                self.unback(*run).ok();
            }
        }
        backed
    }

    /// Deletes the chunks of an incarnation that no record names any more; missing ones are no error.
    pub(crate) fn release(&self, incarnation: &Incarnation, size: u64) -> Result<()> {
        self.delete_chunks(&chunks_of(*incarnation, size).collect::<Vec<_>>())
    }

    /// Checks that chunks can be changed. A disk with less room than that may take gets back what is free inside the store, then
    /// its ballast.
    ///
    /// # Errors
    /// [`StorageError::NoSpace`] when it is too full all the same, [`StorageError::Io`] when it does not tell.
    pub fn check_tree_room(&self) -> Result<()> {
        if !self.has_tree_room() {
            // On such a disk the lock file that this takes may be too much.
            self.release_space().ok();
        }
        if !self.has_tree_room() {
            ballast::drop(self.locks());
        }
        self.enough_room(TREE_ROOM)
    }

    pub(crate) fn has_tree_room(&self) -> bool {
        self.enough_room(TREE_ROOM).is_ok()
    }

    /// Runs `f` in a durable transaction of C, right after a sync outside its lock: the commit flushes everything pending. A
    /// failed sync stops all writers: the system tells of it only once.
    pub(crate) fn write_chunks<T>(
        &self,
        f: impl FnOnce(&Transaction<'_, RW, WriteMap>) -> libmdbx::Result<T>,
    ) -> Result<T> {
        self.syncer.flush_chunks()?;
        // After the sync, which may take a while.
        self.check_tree_room()?;
        let fail = |error| StorageError::database("change the chunks", self.chunks.path(), error);
        let txn = self.chunks.begin_write()?;
        let out = f(&txn).map_err(fail)?;
        // Again, after the wait for other writers: the commit then has little to flush before it writes through memory, where a
        // full disk is a signal.
        self.syncer.flush_chunks()?;
        self.enough_room(TREE_ROOM)?;
        self.syncer.backlog().guard(txn.commit().map_err(fail))?;
        Ok(out)
    }
}

fn put_chunk(
    txn: &Transaction<'_, RW, WriteMap>,
    table: TableHandle,
    incarnation: Incarnation,
    file_size: u64,
    n: u64,
) -> libmdbx::Result<PageRun> {
    let n = u32::try_from(n).map_err(|_| libmdbx::Error::BadValSize)?;
    let header = ChunkHeader { incarnation, n, file_size };
    raw::reserve(txn, table, chunk_key(&incarnation, n).as_bytes(), header.payload_length(), &header.encode())
}

/// The chunks of a file of `size` bytes.
pub(crate) fn chunks_of(incarnation: Incarnation, size: u64) -> impl Iterator<Item = (Incarnation, u32)> {
    (0..u32::try_from(chunk_count(size)).unwrap_or(u32::MAX)).map(move |n| (incarnation, n))
}

/// Pages in the data file of these chunks of a file of `size` bytes.
fn run_pages(size: u64, chunks: Range<u64>) -> Vec<u64> {
    chunks.map(|n| chunk_pages(size, n)).collect()
}

fn chunk_pages(size: u64, n: u64) -> u64 {
    (PAGE_HEADER as u64 + value_length(chunk_length(size, n))).div_ceil(CHUNK_PAGE as u64)
}

/// Pages of all chunks of a file. All but the last are equal: the size is a server's word, and takes neither time nor memory here.
fn pages(size: u64) -> u64 {
    match chunk_count(size).checked_sub(1) {
        Some(last) => last * chunk_pages(size, 0) + chunk_pages(size, last),
        None => 0,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::layout::CHUNK_SIZE;
    use crate::placement::Placement;
    use crate::registry::{StorageRegistry, StoreOptions};

    #[test]
    fn a_file_of_more_than_one_transaction_has_all_its_chunks_until_it_is_released() {
        let folder = tempfile::tempdir().unwrap();
        let store = StorageRegistry::new(folder.path()).open("s".as_ref(), StoreOptions::default()).unwrap();
        let size = 17 * CHUNK_SIZE + 70_000;
        let incarnation = Incarnation::random().unwrap();
        store.reserve(incarnation, size).unwrap();
        let placement = Placement::find(&store.chunks, incarnation, size).unwrap().unwrap();
        let places = [0, 16 * CHUNK_SIZE - 1000, 17 * CHUNK_SIZE - 1, size - 2000];
        for (seed, offset) in (1_u8..).zip(places) {
            placement.write_at(offset, &[seed; 2000]).unwrap();
        }
        placement.seal(&[7; 32]).unwrap();
        for (seed, offset) in (1_u8..).zip(places) {
            let mut found = [0; 2000];
            placement.read_at(offset, &mut found).unwrap();
            assert_eq!(found, [seed; 2000], "at {offset}");
        }
        assert!(placement.refresh(&Arc::new(store.snapshot().unwrap())).is_ok());
        store.release(&incarnation, size).unwrap();
        assert!(Placement::find(&store.chunks, incarnation, size).unwrap().is_none());
        let newest = Arc::new(store.snapshot().unwrap());
        assert!(!placement.refresh(&newest).unwrap(), "the pin of deleted chunks was given up");
    }

    #[test]
    fn a_file_of_more_than_one_transaction_is_released_in_more_than_one() {
        let folder = tempfile::tempdir().unwrap();
        let store = StorageRegistry::new(folder.path()).open("s".as_ref(), StoreOptions::default()).unwrap();
        let states = [16, 17].map(|chunks| {
            let incarnation = Incarnation::random().unwrap();
            store.reserve(incarnation, chunks * CHUNK_SIZE).unwrap();
            let before = store.snapshot().unwrap().id();
            store.release(&incarnation, chunks * CHUNK_SIZE).unwrap();
            store.snapshot().unwrap().id() - before
        });
        assert!(states[1] > states[0], "{states:?}");
    }

    #[test]
    fn a_size_that_no_disk_has_is_refused_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let store = StorageRegistry::new(folder.path()).open("s".as_ref(), StoreOptions::default()).unwrap();
        for size in [1 << 63, u64::MAX] {
            let refused = store.reserve(Incarnation::random().unwrap(), size);
            let needs = matches!(refused, Err(StorageError::NoSpace { needed, .. }) if needed >= size);
            assert!(needs, "{refused:?}");
        }
    }

    #[test]
    fn pages_are_counted_like_one_chunk_after_the_other() {
        for size in [0, 1, 70_000, CHUNK_SIZE - 1, CHUNK_SIZE, CHUNK_SIZE + 1, 17 * CHUNK_SIZE + (20 << 20)] {
            assert_eq!(pages(size), run_pages(size, 0..chunk_count(size)).iter().sum::<u64>(), "{size}");
        }
    }

    #[test]
    fn released_pages_are_reserved_again() {
        let folder = tempfile::tempdir().unwrap();
        let store = StorageRegistry::new(folder.path()).open("s".as_ref(), StoreOptions::default()).unwrap();
        let before = |store: &Store| store.chunks.writable().unwrap().info().unwrap().last_pgno();
        for _ in 0..3 {
            let incarnation = Incarnation::random().unwrap();
            store.reserve(incarnation, CHUNK_SIZE).unwrap();
            store.release(&incarnation, CHUNK_SIZE).unwrap();
        }
        let end = before(&store);
        for _ in 0..20 {
            let incarnation = Incarnation::random().unwrap();
            store.reserve(incarnation, CHUNK_SIZE).unwrap();
            store.release(&incarnation, CHUNK_SIZE).unwrap();
        }
        assert!(before(&store) <= end, "{} pages, then {}", end, before(&store));
    }
}
