//! Stores files held in memory.

use std::sync::Arc;

use crate::digest::{BlobName, Digest};
use crate::error::{Result, StorageError};
use crate::finish::Finish;
use crate::hashes::Hashes;
use crate::key::Key;
use crate::layout::INLINE_LIMIT;
use crate::lease::now_ms;
use crate::record::{BlobRecord, BlobState};
use crate::store::Store;
use crate::table::{Blobs, InlineBytes, Inlines};
use crate::transaction::WriteTransaction;
use crate::writer::BlobWriter;

/// How often bytes found damaged right after they were written are written again.
const ATTEMPTS: u32 = 3;

/// How storing bytes went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PutOutcome {
    /// Complete, durable and published under this name.
    Complete(BlobName),
    /// The bytes are not what was expected. Nothing was stored.
    Mismatch {
        /// The digest that was asked for.
        expected: Digest,
        /// The digest of the bytes.
        actual: Digest,
    },
}

impl Store {
    /// Stores a whole file and runs `publish` with its name in the transaction that makes it complete. Bytes that are stored
    /// already are only published. Files under 64 KiB go into M, larger ones into chunks. Several threads that store small files
    /// share transactions; `publish` may then run once more, in another one, when the first did not come to its end.
    ///
    /// # Errors
    /// What `publish` returns; [`StorageError::InUse`] when someone else holds the blob's lease: call again later;
    /// [`StorageError::NoSpace`], [`StorageError::Io`].
    pub fn put_bytes(
        self: &Arc<Self>,
        bytes: &[u8],
        expected: &Digest,
        publish: impl Fn(&WriteTransaction<'_>, BlobName) -> Result<()> + Send + Sync + 'static,
    ) -> Result<PutOutcome> {
        let size = bytes.len() as u64;
        let mut hashes = Hashes::new(expected, size);
        hashes.update(bytes);
        let digests = hashes.finish();
        if !digests.satisfy(expected) {
            return Ok(PutOutcome::Mismatch { expected: *expected, actual: digests.like(expected) });
        }
        let name = BlobName(digests.sha256);
        let mut once = Some(&publish);
        if !self.publish_once(&name, &mut once)? {
            if size < INLINE_LIMIT {
                self.put_inline(name, bytes, publish)?;
            } else {
                self.put_chunks(name, bytes, &mut once)?;
            }
        }
        Ok(PutOutcome::Complete(name))
    }

    fn put_inline<F>(&self, name: BlobName, bytes: &[u8], publish: F) -> Result<()>
    where
        F: Fn(&WriteTransaction<'_>, BlobName) -> Result<()> + Send + Sync + 'static,
    {
        let record = BlobRecord {
            state: BlobState::Inline,
            size: bytes.len() as u64,
            incarnation: [0; 16],
            segments: Vec::new(),
            provisional: false,
            last_use_ms: now_ms(),
        };
        let bytes = InlineBytes(bytes.to_vec());
        self.write_together(Box::new(move |t| {
            t.put::<Inlines>(&Key::inline(&name), &bytes)?;
            t.put::<Blobs>(&Key::blob(&name), &record)?;
            publish(t, name)
        }))
    }

    fn put_chunks<F>(self: &Arc<Self>, name: BlobName, bytes: &[u8], publish: &mut Option<F>) -> Result<()>
    where
        F: FnOnce(&WriteTransaction<'_>, BlobName) -> Result<()>,
    {
        let lease = self.try_lease(&name)?.ok_or_else(|| StorageError::InUse {
            what: format!("blob {name}"),
            reason: "someone else writes or removes it; call again later".to_owned(),
        })?;
        let writer = self.writer(lease, bytes.len() as u64, Digest::Sha256(name.0))?;
        for _ in 0..ATTEMPTS {
            write_missing(&writer, bytes)?;
            if matches!(writer.finish_once(publish)?, Finish::Complete(_)) {
                return Ok(());
            }
        }
        Err(StorageError::corrupt(format!("blob {name}"), "the disk does not give back what was written"))
    }
}

fn write_missing(writer: &BlobWriter, bytes: &[u8]) -> Result<()> {
    for range in writer.missing() {
        let at = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX);
        let piece = bytes.get(at(range.start)..at(range.end)).unwrap_or_default();
        writer.write(range.start, piece)?;
    }
    Ok(())
}
