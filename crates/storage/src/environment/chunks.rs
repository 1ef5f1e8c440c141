//! Environment C: the chunks.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use libmdbx::{Database, DatabaseKind, DatabaseOptions, NoWriteMap, ObjectLength, WriteMap};

use super::{Turn, check, data_file, disk_bytes, open, options};
use crate::chunk_transaction::{ChunkTransaction, create_chunk_table};
use crate::closing::OpenToken;
use crate::error::{OPENED_READ_ONLY, Result, StorageError};
use crate::layout::{CHUNK_GROWTH, CHUNK_MAX_SIZE, CHUNK_PAGE, DATA_FILE};
use crate::platform::{self, BorrowedFile, ForkPause};
use crate::process::Process;
use crate::raw::{self, Environment, TableHandle};
use crate::table::CHUNK_TABLE;

enum ChunkDatabase {
    /// Writers map the file writable: a reservation is then a page run and nothing is written but the tree.
    Writable(Database<WriteMap>),
    /// Readers never hold a writable map of the store.
    ReadOnly(Database<NoWriteMap>),
}

/// Environment C: the chunks.
pub(crate) struct ChunkEnvironment {
    database: ChunkDatabase,
    table: TableHandle,
    path: PathBuf,
    turn: Turn,
    process: Process,
    /// As in [`super::ManifestEnvironment`].
    closing: Option<ForkPause>,
    // Last: dropped when the database is closed.
    _open: OpenToken,
}

impl ChunkEnvironment {
    /// Opens C in `path`, creating it unless `read_only`.
    pub(crate) fn open(path: PathBuf, read_only: bool, token: OpenToken) -> Result<Self> {
        // Pages are written in the map itself, so what they have before is the data file's own. (M's are written from memory, and would
        // put what the process had there before into the file.)
        let no_meminit = true;
        let common = options(CHUNK_PAGE, CHUNK_MAX_SIZE, CHUNK_GROWTH, read_only);
        let options = DatabaseOptions { no_meminit, ..common };
        let fail = |error| StorageError::database("open the chunk table", &path, error);
        let (database, table) = if read_only {
            let database = open::<NoWriteMap>(&path, CHUNK_PAGE, options)?;
            let table = raw::open_table_read_only(&database, CHUNK_TABLE).map_err(fail)?;
            (ChunkDatabase::ReadOnly(database), table)
        } else {
            let database = open::<WriteMap>(&path, CHUNK_PAGE, options)?;
            // Left on, a growing file is written 1.9 times (measured).
            raw::disable_prefault(&database).map_err(fail)?;
            let table = create_chunk_table(&database).map_err(fail)?;
            (ChunkDatabase::Writable(database), table)
        };
        let (turn, process) = (Turn::default(), Process::current());
        Ok(Self { database, table, path, turn, process, closing: None, _open: token })
    }

    /// The database to write to.
    pub(crate) fn writable(&self) -> Result<&Database<WriteMap>> {
        check(self.process, &self.path)?;
        match &self.database {
            ChunkDatabase::Writable(database) => Ok(database),
            ChunkDatabase::ReadOnly(_) => {
                Err(StorageError::ReadOnly { path: self.path.clone(), reason: OPENED_READ_ONLY.to_owned() })
            }
        }
    }

    /// Begins a change. Never nest it.
    pub(crate) fn begin_write(&self) -> Result<ChunkTransaction<'_>> {
        let database = self.writable()?;
        let turn = self.turn.lock();
        ChunkTransaction::begin(database, turn)
            .map_err(|error| StorageError::database("begin a change of the chunks", &self.path, error))
    }

    /// Handle for raw calls.
    pub(crate) fn environment(&self) -> Result<Environment<'_>> {
        check(self.process, &self.path)?;
        Ok(match &self.database {
            ChunkDatabase::Writable(database) => Environment::of(database),
            ChunkDatabase::ReadOnly(database) => Environment::of(database),
        })
    }

    /// The data file.
    pub(crate) fn data_file(&self) -> Result<BorrowedFile<'_>> {
        data_file(self.environment()?, &self.path)
    }

    /// Bytes the data file occupies on the disk.
    pub(crate) fn disk_bytes(&self) -> Result<u64> {
        disk_bytes(self.data_file()?, &self.path)
    }

    /// Visits the key and the length of every value in the newest state, in the order of the keys.
    pub(crate) fn visit(&self, visit: impl FnMut(&[u8], usize)) -> Result<()> {
        check(self.process, &self.path)?;
        let visited = match &self.database {
            ChunkDatabase::Writable(database) => visit_all(database, visit),
            ChunkDatabase::ReadOnly(database) => visit_all(database, visit),
        };
        visited.map_err(|error| StorageError::database("list the chunks", &self.path, error))
    }

    pub(crate) fn table(&self) -> TableHandle {
        self.table
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The data file, for messages and extents.
    pub(crate) fn data_path(&self) -> PathBuf {
        self.path.join(DATA_FILE)
    }
}

impl Drop for ChunkEnvironment {
    fn drop(&mut self) {
        self.closing = platform::pause_forks().ok();
    }
}

fn visit_all<K: DatabaseKind>(
    database: &Database<K>,
    mut visit: impl FnMut(&[u8], usize),
) -> libmdbx::Result<()> {
    let txn = database.begin_ro_txn()?;
    let table = txn.open_table(Some(CHUNK_TABLE))?;
    let mut cursor = txn.cursor(&table)?;
    for row in cursor.iter_start::<Cow<'_, [u8]>, ObjectLength>() {
        let (key, ObjectLength(length)) = row?;
        visit(&key, length);
    }
    Ok(())
}
