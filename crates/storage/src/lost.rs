//! Complete blobs whose bytes are gone.

use std::ops::ControlFlow;

use crate::digest::{BlobName, Incarnation};
use crate::error::Result;
use crate::key::Key;
use crate::record::BlobState;
use crate::scope::RepoScope;
use crate::store::Store;
use crate::table::{Blobs, Files, Inlines, Uses};
use crate::transaction::WriteTransaction;

impl Store {
    /// Forgets a blob of which a check found that bytes of this reservation are nowhere or cannot be told from others, and every file
    /// that has it, in one transaction with `also`, which hears of each file. So their state is true again: not stored. With no
    /// reservation it is a blob without a record that can be read. False, and nothing done, when it is another reservation's by
    /// now, or someone holds its lease.
    ///
    /// # Errors
    /// What `also` returns; [`crate::StorageError::ReadOnly`], [`crate::StorageError::Database`].
    pub fn forget_lost(
        &self,
        name: &BlobName,
        incarnation: Option<Incarnation>,
        mut also: impl FnMut(&WriteTransaction<'_>, &RepoScope, &str) -> Result<()>,
    ) -> Result<bool> {
        let Some(lease) = self.try_lease(name)? else { return Ok(false) };
        let size = self.write(|t| {
            let Some(size) = lost_size(t, name, incarnation)? else { return Ok(None) };
            for (key, scope, path) in uses_of(t, name)? {
                also(t, &scope, &path)?;
                t.delete::<Files>(&Key::file(&scope, &path))?;
                t.delete::<Uses>(&key)?;
            }
            t.delete::<Blobs>(&Key::blob(name))?;
            t.delete::<Inlines>(&Key::inline(name))?;
            Ok(Some(size))
        })?;
        if let (Some(size), Some(incarnation)) = (size, incarnation) {
            // The blob is forgotten whatever becomes of what is left of it: that is an orphan for prune.
            self.release(&incarnation, size).ok();
        }
        drop(lease);
        Ok(size.is_some())
    }
}

/// The size that the blob's record gives, 0 where it cannot be read; `None` where the blob is another reservation's by now.
fn lost_size(
    t: &WriteTransaction<'_>,
    name: &BlobName,
    incarnation: Option<Incarnation>,
) -> Result<Option<u64>> {
    // What cannot be read is as good as gone.
    let record = t.get::<Blobs>(&Key::blob(name)).ok().flatten();
    if record.as_ref().map(|record| Incarnation(record.incarnation)) != incarnation {
        return Ok(None);
    }
    let Some(record) = record else { return Ok(Some(0)) };
    // All inline blobs have the same incarnation: somebody may have stored this one again.
    let is_back = record.state == BlobState::Inline && t.contains::<Inlines>(&Key::inline(name))?;
    Ok((record.state != BlobState::Partial && !is_back).then_some(record.size))
}

fn uses_of(t: &WriteTransaction<'_>, name: &BlobName) -> Result<Vec<(Key, RepoScope, String)>> {
    let mut out = Vec::new();
    t.rows::<Uses>(&Key::usages(name), |key, used| {
        let scope = RepoScope::in_key(key);
        out.extend(scope.zip(used.ok()).map(|(scope, used)| (Key::stored(key), scope, used.path)));
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(out)
}
