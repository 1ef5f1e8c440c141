//! Blobs made piece by piece, for tests that need to stop between the steps of a writer.

use std::path::Path;
use std::sync::Arc;

use tempfile::TempDir;

use crate::block::crc32c;
use crate::chunk::{ChunkHeader, chunk_key};
use crate::digest::{BlobName, Incarnation};
use crate::extent::pieces;
use crate::key::Key;
use crate::layout::{BLOCK_SIZE, CHUNK_SIZE, chunk_count};
use crate::platform;
use crate::record::{BlobRecord, BlobState, Segment};
use crate::registry::{StorageRegistry, StoreOptions};
use crate::store::Store;
use crate::table::{Blobs, InlineBytes, Inlines};

/// Opens the store in `folder`.
pub(crate) fn open(folder: &Path) -> Arc<Store> {
    StorageRegistry::new(folder).open("store".as_ref(), StoreOptions::default()).unwrap()
}

/// A new store in a folder of its own.
pub(crate) fn new_store() -> (TempDir, Arc<Store>) {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    (folder, store)
}

/// A small generator (xorshift64*), so that a failure can be repeated. Not to begin with 0.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11) % limit
    }

    pub(crate) fn index(&mut self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).unwrap()
    }
}

/// Known bytes: everywhere, or only around the seams of chunks so that most of a large file is a hole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Content {
    pub(crate) seed: u64,
    pub(crate) size: u64,
    pub(crate) sparse: bool,
}

/// Bytes on each side of a seam that a sparse content has.
const SEAM: u64 = 64 << 10;

impl Content {
    pub(crate) fn dense(seed: u64, size: u64) -> Self {
        Self { seed, size, sparse: false }
    }

    pub(crate) fn sparse(seed: u64, size: u64) -> Self {
        Self { seed, size, sparse: true }
    }

    pub(crate) fn name(&self) -> BlobName {
        BlobName::of(&self.seed.to_le_bytes())
    }

    /// The bytes of `range`.
    pub(crate) fn bytes(&self, range: std::ops::Range<u64>) -> Vec<u8> {
        let start = range.start - range.start % 8;
        let mut bytes = vec![0; usize::try_from((range.end - start).next_multiple_of(8)).unwrap()];
        if self.touches_a_seam(&range) {
            for (offset, word) in (start..).step_by(8).zip(bytes.as_chunks_mut::<8>().0) {
                if self.is_written(offset) {
                    *word = self.word(offset / 8).to_le_bytes();
                }
            }
        }
        bytes.drain(..usize::try_from(range.start - start).unwrap());
        bytes.truncate(usize::try_from(range.end - range.start).unwrap());
        bytes
    }

    /// CRC32C of all bytes.
    pub(crate) fn crc(&self) -> u32 {
        crc32c(&self.bytes(0..self.size))
    }

    fn touches_a_seam(&self, range: &std::ops::Range<u64>) -> bool {
        let near = |offset: u64| (offset + SEAM) / CHUNK_SIZE;
        !self.sparse || self.is_written(range.start) || near(range.start) != near(range.end)
    }

    fn word(&self, n: u64) -> u64 {
        (self.seed.wrapping_mul(0xA24B_AED4_963E_E407) ^ n).wrapping_mul(0x9E37_79B9_7F4A_7C15)
    }

    fn is_written(&self, offset: u64) -> bool {
        let within = offset % CHUNK_SIZE;
        !self.sparse || !(SEAM..CHUNK_SIZE - SEAM).contains(&within)
    }

    /// Every range that is written, at most 4 MiB each.
    fn written(&self) -> Vec<std::ops::Range<u64>> {
        let blocks = (0..self.size.div_ceil(BLOCK_SIZE)).map(|block| block * BLOCK_SIZE);
        let dense = blocks.map(|start| start..self.size.min(start + BLOCK_SIZE));
        if !self.sparse {
            return dense.collect();
        }
        let seams = (0..chunk_count(self.size)).map(|n| n * CHUNK_SIZE);
        let around = seams.map(|seam| seam.saturating_sub(SEAM)..self.size.min(seam + SEAM));
        let last = chunk_count(self.size) * CHUNK_SIZE - SEAM;
        around.chain((last < self.size).then_some(last..self.size)).collect()
    }
}

/// Reserves room for `size` bytes in C.
pub(crate) fn reserve(store: &Store, size: u64) -> Incarnation {
    let incarnation = Incarnation::random().unwrap();
    let transaction = store.chunks.begin_write().unwrap();
    for n in 0..u32::try_from(chunk_count(size)).unwrap() {
        let header = ChunkHeader { incarnation, n, file_size: size };
        let key = chunk_key(&incarnation, n);
        let (table, payload) = (store.chunks.table(), header.payload_length());
        crate::raw::reserve(&transaction, table, key.as_bytes(), payload, &header.encode()).unwrap();
    }
    transaction.commit().unwrap();
    incarnation
}

/// Writes `bytes` at `offset` of the blob, past every check.
pub(crate) fn write(store: &Store, incarnation: &Incarnation, size: u64, offset: u64, bytes: &[u8]) {
    let runs = store.snapshot().unwrap().runs(incarnation, size).unwrap().unwrap();
    let file = store.chunks.data_file().unwrap();
    let mut rest = bytes;
    for piece in pieces(&runs, size, offset..offset + bytes.len() as u64) {
        let (part, after) = rest.split_at(usize::try_from(piece.length).unwrap());
        platform::write_at(file, part, piece.offset).unwrap();
        rest = after;
    }
}

/// Writes the record of a complete blob.
pub(crate) fn publish(store: &Store, content: &Content, incarnation: &Incarnation) {
    let segments = (0..content.size.div_ceil(BLOCK_SIZE)).map(|block| {
        let range = block * BLOCK_SIZE..content.size.min((block + 1) * BLOCK_SIZE);
        let bytes = content.bytes(range.clone());
        Segment { start: range.start, length: u32::try_from(bytes.len()).unwrap(), crc: crc32c(&bytes) }
    });
    let record = BlobRecord {
        state: BlobState::Complete,
        size: content.size,
        incarnation: incarnation.0,
        segments: segments.collect(),
        provisional: false,
        last_use_ms: 0,
    };
    store.write(|t| t.put::<Blobs>(&Key::blob(&content.name()), &record)).unwrap();
}

/// Stores a complete blob with this content.
pub(crate) fn add(store: &Store, content: &Content) -> Incarnation {
    let incarnation = reserve(store, content.size);
    for range in content.written() {
        write(store, &incarnation, content.size, range.start, &content.bytes(range));
    }
    publish(store, content, &incarnation);
    incarnation
}

/// Stores a blob inline, under any name.
pub(crate) fn add_inline(store: &Store, name: &BlobName, bytes: &[u8]) {
    let record = BlobRecord {
        state: BlobState::Inline,
        size: bytes.len() as u64,
        incarnation: [0; 16],
        segments: Vec::new(),
        provisional: false,
        last_use_ms: 0,
    };
    store
        .write(|t| {
            t.put::<Inlines>(&Key::inline(name), &InlineBytes(bytes.to_vec()))?;
            t.put::<Blobs>(&Key::blob(name), &record)
        })
        .unwrap();
}

/// Deletes the chunks of an incarnation from C alone.
pub(crate) fn delete_chunks(store: &Store, incarnation: &Incarnation, size: u64) {
    let transaction = store.chunks.begin_write().unwrap();
    for n in 0..u32::try_from(chunk_count(size)).unwrap() {
        let key = chunk_key(incarnation, n);
        assert!(crate::raw::delete(&transaction, store.chunks.table(), key.as_bytes()).unwrap());
    }
    transaction.commit().unwrap();
}

/// Deletes a blob as a removal does: M, then C.
pub(crate) fn evict(store: &Store, content: &Content, incarnation: &Incarnation) {
    assert!(store.write(|t| t.delete::<Blobs>(&Key::blob(&content.name()))).unwrap());
    delete_chunks(store, incarnation, content.size);
}
