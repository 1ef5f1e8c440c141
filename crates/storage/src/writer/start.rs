//! Where a writer begins: at a reservation of its own, or where an earlier one stopped.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::{BlobWriter, Inner, Work, refused};
use crate::digest::{Digest, Incarnation};
use crate::error::{Result, StorageError};
use crate::hasher::Hasher;
use crate::journal::Journal;
use crate::key::Key;
use crate::layout::INLINE_LIMIT;
use crate::lease::Lease;
use crate::ledger::{BlobIdentity, Ledger};
use crate::mutex::Mutex;
use crate::placement::Placement;
use crate::record::{BlobRecord, BlobState, Segment};
use crate::store::Store;
use crate::table::Blobs;

/// A reservation: its incarnation, where it lies, and what of it is recorded.
pub(crate) type Found = (Incarnation, Placement, Vec<Segment>);

impl Store {
    /// Continues the partial blob of the lease, or reserves room for it. A partial blob continues when it has the same size and its
    /// chunks are still there; else it is dropped. A blob that is complete already gives a writer that misses nothing and
    /// whose `finish` only publishes. Files under 64 KiB have no writer: [`Store::put_bytes`] takes them.
    ///
    /// # Errors
    /// [`StorageError::NoSpace`] before anything is changed; [`StorageError::InvalidArgument`] when the lease is another
    /// blob's or the file is under 64 KiB; [`StorageError::Io`] also when an earlier sync of this store failed.
    pub fn writer(self: &Arc<Self>, lease: Lease, size: u64, expected: Digest) -> Result<BlobWriter> {
        let name = *lease.name();
        if expected.blob_name() != name {
            return Err(refused(name, "the lease is another blob's"));
        }
        let record = self.read(|t| t.get::<Blobs>(&Key::blob(&name)))?;
        let work = match record {
            Some(BlobRecord { state: BlobState::Complete | BlobState::Inline, .. }) => None,
            _ if size < INLINE_LIMIT => return Err(refused(name, "it is under 64 KiB: use put_bytes")),
            record => Some(self.start_work(&lease, size, expected, record)?),
        };
        let resumed_from = work.as_ref().map_or(size, |work| work.ledger.covered());
        lease.show(|| resumed_from);
        let store = Arc::clone(self);
        let yields_room = AtomicBool::new(false);
        Ok(BlobWriter {
            inner: Arc::new(Inner { work, expected, size, resumed_from, yields_room, lease, store }),
        })
    }

    fn start_work(
        &self,
        lease: &Lease,
        size: u64,
        expected: Digest,
        record: Option<BlobRecord>,
    ) -> Result<Work> {
        let name = *lease.name();
        let provisional = matches!(expected, Digest::GitSha1(_));
        let found = self.resume(lease, size, record)?;
        let resumes = found.is_some();
        let (incarnation, placement, segments) = match found {
            Some(found) => found,
            None => self.begin(lease, size, provisional)?,
        };
        let identity = BlobIdentity { name, size, incarnation, provisional };
        let (journal, claimed) = Journal::open(self.journal_path(&name), &incarnation);
        let ledger = Arc::new(Ledger::new(identity, &segments, &claimed));
        let (placement, journal) = (Arc::new(placement), Arc::new(journal));
        if resumes {
            self.take_missing(&ledger, &placement)?;
        }
        self.syncer.register(&ledger, &placement)?;
        let hasher = Arc::new(Hasher::new(
            Arc::clone(&ledger),
            Arc::clone(&placement),
            Arc::clone(&journal),
            &expected,
            Arc::clone(&self.recent),
        ));
        let hashing = Mutex::new(Some(hasher.start()?));
        Ok(Work { ledger, placement, journal, hasher, hashing })
    }

    /// The chunks of a partial blob, when they still fit; drops it otherwise.
    fn resume(&self, lease: &Lease, size: u64, record: Option<BlobRecord>) -> Result<Option<Found>> {
        let Some(record) = record else { return Ok(None) };
        let incarnation = Incarnation(record.incarnation);
        let placement = match Placement::find(&self.chunks, incarnation, size) {
            Ok(placement) => placement.filter(|_| record.size == size),
            Err(StorageError::Corrupt { .. }) => None,
            Err(error) => return Err(error),
        };
        match placement {
            Some(placement) => {
                // For people who look into the folder: M names this reservation.
                lease.note(Some(&incarnation)).ok();
                Ok(Some((incarnation, placement, record.segments)))
            }
            None => self.forget(*lease.name(), &record).map(|()| None),
        }
    }

    /// Reserves chunks and records the blob: its lease, C, its pin, then M.
    fn begin(&self, lease: &Lease, size: u64, provisional: bool) -> Result<Found> {
        self.begin_between(lease, size, provisional, || {})
    }

    /// As [`Store::begin`]; `between` runs when the reservation is in C and not yet in M.
    pub(crate) fn begin_between(
        &self,
        lease: &Lease,
        size: u64,
        provisional: bool,
        between: impl FnOnce(),
    ) -> Result<Found> {
        let incarnation = Incarnation::random()?;
        if let Err(error) = lease.note(Some(&incarnation)) {
            // On a full disk it is the first to fail, and does not know what is needed.
            self.check_room(size)?;
            return Err(error);
        }
        self.reserve(incarnation, size)?;
        between();
        let name = *lease.name();
        let begun = self.record_new(BlobIdentity { name, size, incarnation, provisional });
        if begun.is_err() {
            // The first error counts; what cannot be given back now is an orphan for prune.
            self.release(&incarnation, size).ok();
        }
        begun.map(|placement| (incarnation, placement, Vec::new()))
    }

    fn record_new(&self, identity: BlobIdentity) -> Result<Placement> {
        let placement = Placement::find(&self.chunks, identity.incarnation, identity.size)?;
        let placement = placement
            .ok_or_else(|| StorageError::corrupt("a new reservation", "its chunks are not there"))?;
        let record = identity.record(BlobState::Partial, Vec::new());
        self.write(|t| t.put::<Blobs>(&Key::blob(&identity.name), &record))?;
        Ok(placement)
    }
}
