//! Environment M: everything small.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::RwLockReadGuard;

use libmdbx::{Database, NoWriteMap, TableFlags};

use super::{Turn, check, data_file, disk_bytes, open, options};
use crate::closing::OpenToken;
use crate::error::{Result, StorageError, is_full};
use crate::layout::{MANIFEST_GROWTH, MANIFEST_MAX_SIZE, MANIFEST_PAGE};
use crate::mutex::RwLock;
use crate::platform::{self, ForkPause};
use crate::process::Process;
use crate::raw::{self, Environment, IdleReader, Reader};
use crate::room::make_room_to_open;
use crate::table::{MANIFEST_TABLES, OpenTables};
use crate::transaction::{ReadTransaction, WriteTransaction};
use crate::version::Version;

/// The database of M, and its tables.
struct ManifestDatabase {
    // First: it ends before the database is closed.
    idle: IdleReader,
    database: Database<NoWriteMap>,
    tables: OpenTables,
}

impl ManifestDatabase {
    /// Opens it. Where it is written every page is checked from end to end: they are small, so that costs next to nothing, and records of
    /// any length are never read beyond their page. libmdbx knows no such thing for a database that is opened read-only: see
    /// [`raw::Value`].
    fn open(path: &Path, read_only: bool) -> Result<Self> {
        let options = options(MANIFEST_PAGE, MANIFEST_MAX_SIZE, MANIFEST_GROWTH, read_only);
        let database = open(path, MANIFEST_PAGE, options)?;
        if !read_only {
            raw::check_pages(&database, true)
                .map_err(|error| StorageError::database("have pages checked", path, error))?;
        }
        let mut opened = Self { idle: IdleReader::default(), database, tables: OpenTables::default() };
        opened.open_tables(path)?;
        Ok(opened)
    }

    /// Opens the tables that are there, for as long as the database is open.
    fn open_tables(&mut self, path: &Path) -> Result<()> {
        self.tables = raw::open_tables(&self.database, MANIFEST_TABLES)
            .map_err(|error| StorageError::database("open the tables", path, error))?;
        Ok(())
    }

    fn is_broken(&self) -> bool {
        raw::is_broken(&self.database)
    }
}

/// How often a reader begins again when a write of another thread breaks the database.
const ATTEMPTS: usize = 3;

/// The database of M while it is used.
struct OpenedManifests<'a> {
    database: RwLockReadGuard<'a, Option<ManifestDatabase>>,
    path: &'a Path,
}

impl OpenedManifests<'_> {
    fn get(&self) -> Result<&ManifestDatabase> {
        let closed = || StorageError::database("open", self.path, libmdbx::Error::Busy);
        self.database.as_ref().ok_or_else(closed)
    }
}

/// Environment M: everything small. Durable, written through file I/O.
pub(crate) struct ManifestEnvironment {
    /// None where it could not be opened anew.
    database: RwLock<Option<ManifestDatabase>>,
    path: PathBuf,
    locks: PathBuf,
    read_only: bool,
    turn: Turn,
    process: Process,
    /// From before the database is closed until it is: libmdbx takes a lock then which a fork child needs.
    closing: Option<ForkPause>,
    // Last: dropped when the database is closed.
    _open: OpenToken,
}

impl ManifestEnvironment {
    /// Opens M in `path`, creating it and its tables unless `read_only`; `locks` is the folder of the store's lock files.
    pub(crate) fn open(path: PathBuf, locks: PathBuf, read_only: bool, token: OpenToken) -> Result<Self> {
        let database = RwLock::new(Some(ManifestDatabase::open(&path, read_only)?));
        let (turn, process) = (Turn::default(), Process::current());
        let environment =
            Self { database, path, locks, read_only, turn, process, closing: None, _open: token };
        if !read_only {
            environment.create_tables()?;
        }
        Ok(environment)
    }

    /// The database. Hold it for one call, and never twice.
    fn opened(&self) -> Result<OpenedManifests<'_>> {
        self.check()?;
        let database = self.database.read();
        if database.as_ref().is_some_and(|database| !database.is_broken()) {
            return Ok(OpenedManifests { database, path: &self.path });
        }
        drop(database);
        self.reopen()?;
        Ok(OpenedManifests { database: self.database.read(), path: &self.path })
    }

    /// Calls `f` with the database, and again when another thread's write broke it meanwhile.
    fn with<T>(
        &self,
        action: &'static str,
        f: impl Fn(&Database<NoWriteMap>) -> libmdbx::Result<T>,
    ) -> Result<T> {
        for _ in 0..ATTEMPTS {
            match f(&self.opened()?.get()?.database) {
                Err(libmdbx::Error::Panic) => {}
                outcome => return outcome.map_err(|error| StorageError::database(action, &self.path, error)),
            }
        }
        Err(self.breaks_again(action))
    }

    /// Opened anew it breaks again: what libmdbx reads in it is damaged.
    fn breaks_again(&self, action: &'static str) -> StorageError {
        let reason = format!("cannot {action}: {}", libmdbx::Error::Panic);
        StorageError::corrupt(format!("the database at {}", self.path.display()), reason)
    }

    /// Opens the database anew after a write that failed half-way: libmdbx takes no call any more then, lest it build on what may
    /// not be on the disk.
    fn reopen(&self) -> Result<()> {
        let mut database = self.database.write();
        if database.as_ref().is_some_and(|database| !database.is_broken()) {
            return Ok(());
        }
        let _forks = platform::pause_forks().ok();
        // It is open once in a process.
        *database = None;
        if !self.read_only {
            make_room_to_open(&self.path, &self.locks)?;
        }
        *database = Some(ManifestDatabase::open(&self.path, self.read_only)?);
        Ok(())
    }

    fn create_tables(&self) -> Result<()> {
        self.write(|t| {
            for name in MANIFEST_TABLES {
                t.inner
                    .create_table(Some(name), TableFlags::empty())
                    .map_err(|error| StorageError::database("create a table", &self.path, error))?;
            }
            Ok(())
        })?;
        self.database.write().as_mut().map_or(Ok(()), |database| database.open_tables(&self.path))
    }

    pub(crate) fn is_read_only(&self) -> bool {
        self.read_only
    }

    /// Bytes the data file occupies on the disk.
    pub(crate) fn disk_bytes(&self) -> Result<u64> {
        self.with("open the data file", |database| {
            Ok(disk_bytes(Environment::of(database).data_file()?, &self.path))
        })?
    }

    /// Has the whole file read from the disk in its order. Its map is advised random: a pass over all records of a table would wait for
    /// each of its pages.
    pub(crate) fn read_ahead(&self) -> Result<()> {
        self.with("open the data file", |database| {
            platform::read_ahead(Environment::of(database).data_file()?);
            Ok(())
        })
    }

    /// Fails in a fork child of the process that opened it.
    pub(crate) fn check(&self) -> Result<()> {
        check(self.process, &self.path)
    }

    /// The newest state, of any process. A look at memory.
    pub(crate) fn version(&self) -> Result<Version> {
        self.read(|t: &ReadTransaction<'_>| ReadTransaction::version(t))
    }

    /// Runs `f` on a consistent view.
    pub(crate) fn read<T>(&self, f: impl FnOnce(&ReadTransaction<'_>) -> Result<T>) -> Result<T> {
        self.check()?;
        for _ in 0..ATTEMPTS {
            // A broken database says so at once: it need not be asked before.
            if let Some(ManifestDatabase { idle, database, tables }) = &*self.database.read() {
                match Reader::begin(database, idle) {
                    Ok(reader) => return f(&ReadTransaction { reader, tables, path: &self.path }),
                    Err(libmdbx::Error::Panic) => {}
                    Err(error) => return Err(StorageError::database("begin reading", &self.path, error)),
                }
            }
            self.reopen()?;
        }
        Err(self.breaks_again("begin reading"))
    }

    /// Runs `f` in a write transaction; durable when it returns `Ok`, without any effect otherwise.
    pub(crate) fn write<T>(&self, f: impl FnOnce(&WriteTransaction<'_>) -> Result<T>) -> Result<T> {
        self.check()?;
        let _turn = self.turn.lock();
        // No other thread can break it from here on.
        let opened = self.opened()?;
        let database = &opened.get()?.database;
        self.keep_room(database)?;
        let inner =
            database.begin_rw_txn().map_err(|e| StorageError::database("begin writing", &self.path, e))?;
        let transaction = WriteTransaction::new(inner, &self.path);
        let out = f(&transaction)?;
        transaction.inner.commit().map_err(|error| self.failed_commit(error))?;
        Ok(out)
    }

    /// Gives the file and its next growth room on the disk. libmdbx tells a write that a full disk cut short as an input/output
    /// error. On a disk that is full already, transactions that fit into the file still go on.
    fn keep_room(&self, database: &Database<NoWriteMap>) -> Result<()> {
        let file = data_file(Environment::of(database), &self.path)?;
        let fail = |error| StorageError::io("make room in the data file of", &self.path, error);
        let (size, allocated) = platform::file_size(file).map_err(fail)?;
        let wanted = size + MANIFEST_GROWTH.unsigned_abs() as u64;
        if allocated >= wanted {
            return Ok(());
        }
        match platform::allocate(file, 0, wanted) {
            Err(error) if is_full(&error) && allocated < size => Err(self.no_space(wanted - allocated)),
            Err(error) if is_full(&error) || error.kind() == io::ErrorKind::Unsupported => Ok(()),
            outcome => outcome.map_err(fail),
        }
    }

    fn failed_commit(&self, error: libmdbx::Error) -> StorageError {
        let growth = MANIFEST_GROWTH.unsigned_abs() as u64;
        match error {
            libmdbx::Error::Io if self.available() < growth => self.no_space(growth),
            error => StorageError::database("commit", &self.path, error),
        }
    }

    fn no_space(&self, needed: u64) -> StorageError {
        StorageError::NoSpace { path: self.path.clone(), needed, reserve: 0, available: self.available() }
    }

    /// Bytes the file system has; more than anybody needs where it does not tell.
    fn available(&self) -> u64 {
        platform::available(&self.path).unwrap_or(u64::MAX)
    }
}

impl Drop for ManifestEnvironment {
    fn drop(&mut self) {
        // Where the system cannot keep forks out, one right now is unlikely.
        self.closing = platform::pause_forks().ok();
    }
}
