//! Complete blobs whose bytes are gone.

use std::ops::ControlFlow;

use crate::digest::{BlobName, Incarnation};
use crate::error::Result;
use crate::key::{Key, RepoScope};
use crate::record::BlobState;
use crate::store::Store;
use crate::table::{Blobs, Files, Inlines, Uses};
use crate::transaction::WriteTransaction;

impl Store {
    /// Forgets a blob of which a check found that bytes of this reservation are nowhere, and every file that has it, in one
    /// transaction with `also`, which hears of each file. So their state is true again: not stored. False, and nothing done, when
    /// the blob is another reservation's by now, or someone holds its lease.
    ///
    /// # Errors
    /// What `also` returns; [`crate::StorageError::ReadOnly`], [`crate::StorageError::Database`].
    pub fn forget_lost(
        &self,
        name: &BlobName,
        incarnation: Incarnation,
        mut also: impl FnMut(&WriteTransaction<'_>, &RepoScope, &str) -> Result<()>,
    ) -> Result<bool> {
        let Some(lease) = self.try_lease(name)? else { return Ok(false) };
        let size = self.write(|t| {
            let record = t.get::<Blobs>(&Key::blob(name))?;
            let lost = |record: &crate::record::BlobRecord| {
                record.state != BlobState::Partial && record.incarnation == incarnation.0
            };
            let Some(record) = record.filter(lost) else { return Ok(None) };
            // All inline blobs have the same incarnation: somebody may have stored this one again.
            if record.state == BlobState::Inline && t.contains::<Inlines>(&Key::inline(name))? {
                return Ok(None);
            }
            for (key, scope, path) in uses_of(t, name)? {
                also(t, &scope, &path)?;
                t.delete::<Files>(&Key::file(&scope, &path))?;
                t.delete::<Uses>(&key)?;
            }
            t.delete::<Blobs>(&Key::blob(name))?;
            t.delete::<Inlines>(&Key::inline(name))?;
            Ok(Some(record.size))
        })?;
        if let Some(size) = size {
            // The blob is forgotten whatever becomes of what is left of it: that is an orphan for prune.
            self.release(&incarnation, size).ok();
        }
        drop(lease);
        Ok(size.is_some())
    }
}

fn uses_of(t: &WriteTransaction<'_>, name: &BlobName) -> Result<Vec<(Key, RepoScope, String)>> {
    let mut out = Vec::new();
    t.scan::<Uses>(&Key::usages(name), |key, used| {
        out.extend(RepoScope::in_key(key).map(|scope| (Key::stored(key), scope, used.path)));
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(out)
}
