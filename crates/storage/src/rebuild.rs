//! The record of a blob, made again from its bytes.

use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use crate::block::crc32c;
use crate::chunk::parse_chunk_key;
use crate::digest::{BlobName, Incarnation};
use crate::error::{Result, StorageError};
use crate::key::Key;
use crate::layout::BLOCK_SIZE;
use crate::lease::{Lease, now_ms};
use crate::pin::PinnedChunks;
use crate::platform;
use crate::record::{BlobRecord, BlobState, Segment};
use crate::store::Store;
use crate::table::{Blobs, InlineBytes, Inlines};

impl Store {
    /// Records a complete blob anew whose record is damaged or gone and whose bytes are here: in M, or in chunks of C that carry its
    /// name. Every byte is read and must give the name. False when the bytes are not here, or when `go_on` said no.
    ///
    /// # Errors
    /// [`StorageError::ReadOnly`], [`StorageError::Database`], [`StorageError::Corrupt`] when C is damaged.
    pub fn rebuild(self: &Arc<Self>, lease: &Lease, go_on: &dyn Fn() -> bool) -> Result<bool> {
        self.check_writable()?;
        let name = lease.name();
        let record = match self.inline_record(name)? {
            Some(record) => Some(record),
            None => self.chunked_record(name, go_on)?,
        };
        let Some(record) = record else { return Ok(false) };
        self.write(|t| t.put::<Blobs>(&Key::blob(name), &record))?;
        Ok(true)
    }

    fn inline_record(&self, name: &BlobName) -> Result<Option<BlobRecord>> {
        let bytes = self.read(|t| t.get::<Inlines>(&Key::inline(name)))?;
        let right = bytes.filter(|InlineBytes(bytes)| BlobName::of(bytes) == *name);
        let record = |bytes: InlineBytes| BlobRecord {
            state: BlobState::Inline,
            ..complete(Incarnation([0; 16]), bytes.0.len() as u64, Vec::new())
        };
        Ok(right.map(record))
    }

    fn chunked_record(
        self: &Arc<Self>,
        name: &BlobName,
        go_on: &dyn Fn() -> bool,
    ) -> Result<Option<BlobRecord>> {
        let mut first_chunks = Vec::new();
        self.chunks.visit(|key, _| {
            first_chunks
                .extend(parse_chunk_key(key).filter(|(_, n)| *n == 0).map(|(incarnation, _)| incarnation));
        })?;
        for incarnation in first_chunks {
            // A chunk that cannot be read is not the one that is looked for.
            let Ok(Some(size)) = self.snapshot()?.sealed(&incarnation, name) else { continue };
            let Ok(Some(chunks)) = self.readers.find(self, incarnation, size) else { continue };
            if let Some(segments) = self.sum(name, size, &chunks, go_on)? {
                return Ok(Some(complete(incarnation, size, segments)));
            }
        }
        Ok(None)
    }

    /// The checksums of all blocks, when they are the bytes of the name.
    fn sum(
        &self,
        name: &BlobName,
        size: u64,
        chunks: &PinnedChunks,
        go_on: &dyn Fn() -> bool,
    ) -> Result<Option<Vec<Segment>>> {
        let file = self.chunks.data_file()?;
        let (mut sha256, mut segments, mut block) = (Sha256::new(), Vec::new(), Vec::new());
        for start in (0..size).step_by(usize::try_from(BLOCK_SIZE).unwrap_or(usize::MAX)) {
            if !go_on() {
                return Ok(None);
            }
            let length = BLOCK_SIZE.min(size - start);
            block.resize(usize::try_from(length).unwrap_or_default(), 0);
            // A block never crosses a chunk.
            for piece in chunks.pieces(start..start + length) {
                platform::read_once_at(file, &mut block, piece.offset).map_err(|error| {
                    StorageError::io("read stored bytes", &self.chunks.data_path(), error)
                })?;
            }
            sha256.update(&block);
            segments.push(Segment {
                start,
                length: u32::try_from(length).unwrap_or_default(),
                crc: crc32c(&block),
            });
        }
        Ok((sha256.finalize().as_slice() == name.0).then_some(segments))
    }
}

fn complete(incarnation: Incarnation, size: u64, segments: Vec<Segment>) -> BlobRecord {
    BlobRecord {
        state: BlobState::Complete,
        size,
        incarnation: incarnation.0,
        segments,
        provisional: false,
        last_use_ms: now_ms(),
    }
}
