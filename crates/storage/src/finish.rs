//! Makes a written blob complete: digest checked, durable, recorded and published in one transaction.

use std::ops::Range;

use crate::digest::{BlobName, Digest, Incarnation};
use crate::error::{Result, StorageError};
use crate::hashes::Digests;
use crate::key::Key;
use crate::lease::{Lease, now_ms};
use crate::record::{BlobRecord, BlobState};
use crate::store::Store;
use crate::table::Blobs;
use crate::transaction::WriteTransaction;
use crate::writer::{BlobWriter, Work};

/// How finishing a blob went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finish {
    /// Complete, durable and published under this name.
    Complete(BlobName),
    /// These ranges are not there, or were found damaged on disk: write them (again), then finish again.
    Missing(Vec<Range<u64>>),
    /// The bytes are not what was expected, although the disk gives them back as they were written. They are still there:
    /// [`BlobWriter::compare`] repairs them with others, [`BlobWriter::discard`] drops them.
    Mismatch {
        /// The digest that was asked for.
        expected: Digest,
        /// The digest of the bytes.
        actual: Digest,
    },
    /// [`BlobWriter::interrupt`] was called before anybody knew. What was written stays, for the next writer.
    Ended,
}

impl BlobWriter {
    /// Waits until all bytes are hashed and compares; when they are right, syncs them and in one transaction marks the blob complete
    /// and runs `publish` with its name. The name differs from the writer's when only a git sha1 was known.
    ///
    /// # Errors
    /// What `publish` returns; [`StorageError::InUse`] when another process writes the same bytes under the name that was found;
    /// [`StorageError::NoSpace`], [`StorageError::Io`]. After each of them it may be called again.
    pub fn finish(
        &self,
        publish: impl FnOnce(&WriteTransaction<'_>, BlobName) -> Result<()>,
    ) -> Result<Finish> {
        self.finish_once(&mut Some(publish))
    }

    /// Ends a [`BlobWriter::finish`] that hashes or reads what may be many GiB, and every later one: with [`Finish::Ended`], unless
    /// the digests are known and right.
    pub fn interrupt(&self) {
        if let Some(work) = &self.inner.work {
            work.ledger.interrupt();
        }
    }

    /// As [`BlobWriter::finish`]; `publish` is taken only when it runs.
    pub(crate) fn finish_once<F>(&self, publish: &mut Option<F>) -> Result<Finish>
    where
        F: FnOnce(&WriteTransaction<'_>, BlobName) -> Result<()>,
    {
        let Some(work) = &self.inner.work else {
            let complete = self.inner.store.publish_once(self.name(), publish)?;
            return complete.then_some(Finish::Complete(*self.name())).ok_or_else(|| {
                StorageError::corrupt(format!("blob {}", self.name()), "it was removed although it is leased")
            });
        };
        self.inner.store.check_process()?;
        let missing = work.ledger.seal()?;
        if !missing.is_empty() {
            return Ok(Finish::Missing(missing));
        }
        let outcome = self.finish_sealed(work, publish);
        if !matches!(outcome, Ok(Finish::Complete(_))) {
            work.ledger.unseal();
        }
        outcome
    }

    fn finish_sealed<F>(&self, work: &Work, publish: &mut Option<F>) -> Result<Finish>
    where
        F: FnOnce(&WriteTransaction<'_>, BlobName) -> Result<()>,
    {
        let digests = match work.ledger.wait_for_digests() {
            Ok(Some(digests)) => digests,
            Ok(None) => return Ok(Finish::Ended),
            Err(missing) => return Ok(Finish::Missing(missing)),
        };
        if !digests.satisfy(&self.inner.expected) {
            return Ok(self.explain(work, &digests));
        }
        let name = BlobName(digests.sha256);
        // A provisional blob needs the lease of the name it gets, too.
        let _lease = if name == *self.name() { None } else { Some(self.lease_of(&name)?) };
        work.placement.seal(&digests.sha256)?;
        self.inner.store.syncer.checkpoint()?;
        work.journal.remove();
        self.publish(work, name, publish)?;
        Ok(Finish::Complete(name))
    }

    /// What is wrong with bytes of another digest than expected: the disk, or what was written to it.
    fn explain(&self, work: &Work, digests: &Digests) -> Finish {
        let damaged = work.hasher.drop_damaged();
        if work.ledger.is_interrupted() {
            return Finish::Ended;
        }
        if damaged {
            return Finish::Missing(work.ledger.missing());
        }
        let expected = self.inner.expected;
        Finish::Mismatch { expected, actual: digests.like(&expected) }
    }

    fn lease_of(&self, name: &BlobName) -> Result<Lease> {
        let lease = self.inner.store.try_lease(name)?;
        lease.ok_or_else(|| StorageError::InUse {
            what: format!("blob {name}"),
            reason: "the same bytes are being written or removed under another name; finish again later"
                .to_owned(),
        })
    }

    /// The one transaction of M that makes the blob complete; then chunks that no record names any more are given back.
    fn publish<F>(&self, work: &Work, name: BlobName, publish: &mut Option<F>) -> Result<()>
    where
        F: FnOnce(&WriteTransaction<'_>, BlobName) -> Result<()>,
    {
        let store = &self.inner.store;
        let identity = work.ledger.identity();
        let mut record = identity.record(BlobState::Complete, work.ledger.segments());
        record.provisional = false;
        let unused = store.write(|t| {
            let unused = put_complete(t, identity.name, name, &record)?;
            publish.take().map_or(Ok(()), |publish| publish(t, name))?;
            Ok(unused)
        })?;
        if let Some((incarnation, size)) = unused {
            // The blob is complete whatever becomes of them: what stays is an orphan for prune.
            store.release(&incarnation, size).ok();
        }
        Ok(())
    }
}

/// Records the complete blob under `name`, unless that is complete already; returns the chunks nobody needs then.
fn put_complete(
    t: &WriteTransaction<'_>,
    written_as: BlobName,
    name: BlobName,
    record: &BlobRecord,
) -> Result<Option<(Incarnation, u64)>> {
    if written_as == name {
        t.put::<Blobs>(&Key::blob(&name), record)?;
        return Ok(None);
    }
    t.delete::<Blobs>(&Key::blob(&written_as))?;
    let chunks = |record: &BlobRecord| (Incarnation(record.incarnation), record.size);
    match t.get::<Blobs>(&Key::blob(&name))? {
        Some(old) if old.state != BlobState::Partial => Ok(Some(chunks(record))),
        old => {
            t.put::<Blobs>(&Key::blob(&name), record)?;
            Ok(old.as_ref().map(chunks))
        }
    }
}

impl Store {
    /// Runs `publish` in one transaction of M when the blob is complete in it; false, and nothing done, otherwise.
    ///
    /// # Errors
    /// What `publish` returns, or [`StorageError::Database`].
    pub fn publish_existing(
        &self,
        name: &BlobName,
        publish: impl FnOnce(&WriteTransaction<'_>, BlobName) -> Result<()>,
    ) -> Result<bool> {
        self.publish_once(name, &mut Some(publish))
    }

    /// As [`Store::publish_existing`]; `publish` is taken only when it runs.
    pub(crate) fn publish_once<F>(&self, name: &BlobName, publish: &mut Option<F>) -> Result<bool>
    where
        F: FnOnce(&WriteTransaction<'_>, BlobName) -> Result<()>,
    {
        let key = Key::blob(name);
        // Most blobs are not there, and who looks need not wait for those who write.
        let is_complete =
            |record: Option<BlobRecord>| record.is_some_and(|it| it.state != BlobState::Partial);
        if !is_complete(self.read(|t| t.get::<Blobs>(&key))?) {
            self.check_writable()?;
            return Ok(false);
        }
        self.write(|t| match t.get::<Blobs>(&key)? {
            Some(mut record) if record.state != BlobState::Partial => {
                record.last_use_ms = now_ms();
                t.put::<Blobs>(&key, &record)?;
                publish.take().map_or(Ok(()), |publish| publish(t, *name))?;
                Ok(true)
            }
            _ => Ok(false),
        })
    }
}
