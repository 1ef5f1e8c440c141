//! Partial blobs that nobody goes on with.

use std::ops::ControlFlow;
use std::time::Duration;

use crate::digest::BlobName;
use crate::error::Result;
use crate::key::Key;
use crate::lease::now_ms;
use crate::record::{BlobRecord, BlobState};
use crate::remove::Freed;
use crate::store::Store;
use crate::table::Blobs;

/// A partial blob that nobody writes and nobody has written for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StalePartial {
    /// The blob.
    pub name: BlobName,
    /// Its durable bytes.
    pub downloaded: u64,
    /// Bytes of the whole blob, for which it has a reservation.
    pub size: u64,
}

impl Store {
    /// The partial blobs that were not written for at least `age` and whose lease nobody holds.
    ///
    /// # Errors
    /// [`crate::StorageError::Corrupt`] when a record is damaged; [`crate::StorageError::Io`].
    pub fn stale_partials(&self, age: Duration) -> Result<Vec<StalePartial>> {
        let mut found = Vec::new();
        self.read(|t| {
            t.scan::<Blobs>(&Key::blobs(), |key, record| {
                if let Some(name) = Key::blob_name(key).filter(|_| is_stale(&record, age)) {
                    found.push(StalePartial { name, downloaded: record.downloaded(), size: record.size });
                }
                Ok(ControlFlow::Continue(()))
            })
        })?;
        let mut out = Vec::with_capacity(found.len());
        for partial in found {
            if !self.is_leased(&partial.name)? {
                out.push(partial);
            }
        }
        Ok(out)
    }

    /// Removes those of the partial blobs that are still stale, each with its lease, and gives their space back to the disk.
    ///
    /// # Errors
    /// As [`Store::remove_blobs`]. What was removed before stays removed.
    pub fn remove_partials(&self, partials: &[StalePartial], age: Duration) -> Result<Freed> {
        let mut freed = Freed::default();
        for StalePartial { name, .. } in partials {
            let Some(lease) = self.try_lease(name)? else {
                freed.busy.push(*name);
                continue;
            };
            // Somebody may have gone on with it and stopped again.
            let record = self.read(|t| t.get::<Blobs>(&Key::blob(name)))?;
            if record.is_some_and(|record| is_stale(&record, age)) && self.abandon(lease)? {
                freed.blobs += 1;
            }
        }
        if freed.blobs > 0 {
            freed.freed = self.release_space()?;
        }
        freed.reusable = self.reusable()?;
        Ok(freed)
    }
}

/// A clock that goes back makes a partial younger, never older.
fn is_stale(record: &BlobRecord, age: Duration) -> bool {
    let idle = now_ms().saturating_sub(record.last_use_ms);
    record.state == BlobState::Partial && u128::from(idle) >= age.as_millis()
}
