//! Changes of environment C.

use std::ops::Deref;
use std::sync::MutexGuard;

use libmdbx::{Database, RW, Transaction, WriteMap};

use crate::raw::{self, TableHandle};
use crate::table::CHUNK_TABLE;

/// A change of C, durable when it is committed.
pub(crate) struct ChunkTransaction<'db> {
    // Field order is load-bearing: the next thread's turn begins after this one's end.
    inner: Transaction<'db, RW, WriteMap>,
    _checked: CheckedPages<'db>,
    _turn: MutexGuard<'db, ()>,
}

impl<'db> ChunkTransaction<'db> {
    /// Begins a change when it is this thread's turn.
    pub(crate) fn begin(
        database: &'db Database<WriteMap>,
        turn: MutexGuard<'db, ()>,
    ) -> libmdbx::Result<Self> {
        let checked = CheckedPages::begin(database)?;
        Ok(Self { inner: database.begin_rw_txn()?, _checked: checked, _turn: turn })
    }

    pub(crate) fn commit(self) -> libmdbx::Result<()> {
        self.inner.commit().map(drop)
    }
}

impl<'db> Deref for ChunkTransaction<'db> {
    type Target = Transaction<'db, RW, WriteMap>;

    fn deref(&self) -> &Self::Target {
        &self.inner
    }
}

/// As long as it lives, pages of C are checked from end to end when they are looked at. A change moves bytes by what pages say, in a
/// map of all chunks: it must not trust a damaged one. Reading need not be as careful, and the check would have it look at the
/// header of every chunk in a page of the tree.
struct CheckedPages<'db>(&'db Database<WriteMap>);

impl<'db> CheckedPages<'db> {
    fn begin(database: &'db Database<WriteMap>) -> libmdbx::Result<Self> {
        raw::check_pages(database, true)?;
        Ok(Self(database))
    }
}

impl Drop for CheckedPages<'_> {
    fn drop(&mut self) {
        // Left on, reading is slower and no less right.
        raw::check_pages(self.0, false).ok();
    }
}

/// Creates (or opens) the table of chunks.
pub(crate) fn create_chunk_table(database: &Database<WriteMap>) -> libmdbx::Result<TableHandle> {
    let _checked = CheckedPages::begin(database)?;
    raw::create_table(database, CHUNK_TABLE)
}
