//! The libmdbx calls the `libmdbx` crate has no safe form for, each wrapped once.
#![expect(unsafe_code, reason = "raw libmdbx calls; every block states why it is sound")]

#[cfg(test)]
mod check;
mod gc;
mod mark;
mod reader;
mod run;
mod search;

#[cfg(test)]
pub(crate) use check::problems;
pub(crate) use gc::{FreeSpan, PageCounts, reclaimable_spans};
pub(crate) use mark::mark;
pub(crate) use reader::{IdleReader, Reader, Value};
pub(crate) use run::{PageRun, RunValue};
use search::Bytes;
pub(crate) use search::Found;

use std::ffi::c_void;
use std::marker::PhantomData;
use std::ptr;

use libmdbx::{Database, DatabaseKind, Error, NoWriteMap, RW, TableFlags, Transaction, WriteMap};
use mdbx_sys as ffi;

use crate::chunk::SEAL_OFFSET;
use crate::layout::{PADDING, value_length};
use crate::platform::BorrowedFile;
use crate::process::Process;

type Result<T> = std::result::Result<T, Error>;

/// A permanently open table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TableHandle(ffi::MDBX_dbi);

/// Turns a libmdbx result code into a `Result`.
fn check(code: i32) -> Result<()> {
    if code == ffi::MDBX_SUCCESS || code == ffi::MDBX_RESULT_TRUE {
        return Ok(());
    }
    Err(Error::from_err_code(code))
}

fn value_of(bytes: &[u8]) -> ffi::MDBX_val {
    ffi::MDBX_val { iov_len: bytes.len(), iov_base: bytes.as_ptr().cast_mut().cast() }
}

/// Creates (or opens) a table and keeps its handle open for the life of the database.
pub(crate) fn create_table(database: &Database<WriteMap>, name: &str) -> Result<TableHandle> {
    let txn = database.begin_rw_txn()?;
    let table = txn.create_table(Some(name), TableFlags::empty())?;
    let handle = TableHandle(table.dbi());
    txn.prime_for_permaopen(table);
    txn.commit()?;
    Ok(handle)
}

/// Opens an existing table in a database that cannot be written.
pub(crate) fn open_table_read_only<K: DatabaseKind>(
    database: &Database<K>,
    name: &str,
) -> Result<TableHandle> {
    let txn = database.begin_ro_txn()?;
    let table = txn.open_table(Some(name))?;
    let handle = TableHandle(table.dbi());
    txn.prime_for_permaopen(table);
    txn.commit()?;
    Ok(handle)
}

/// Opens the tables of these names and keeps their handles open for the life of the database. None of one that is not there, or
/// that cannot be opened: it is opened when it is used, and whoever does hears why.
pub(crate) fn open_tables<const N: usize>(
    database: &Database<NoWriteMap>,
    names: [&str; N],
) -> Result<[Option<TableHandle>; N]> {
    let txn = database.begin_ro_txn()?;
    let handles = names.map(|name| txn.open_table(Some(name)).ok().map(|table| TableHandle(table.dbi())));
    txn.commit()?;
    Ok(handles)
}

/// Switches off libmdbx's write prefault, which writes a growing file twice.
pub(crate) fn disable_prefault(database: &Database<WriteMap>) -> Result<()> {
    // SAFETY: the environment is open (the database is borrowed) and this option may be set at any time (mdbx.h).
    check(unsafe { ffi::mdbx_env_set_option(database.ptr().0, ffi::MDBX_opt_prefault_write_enable, 0) })
}

/// Whether libmdbx takes no call any more, since a write failed half-way (`MDBX_PANIC`).
pub(crate) fn is_broken<K: DatabaseKind>(database: &Database<K>) -> bool {
    let mut flags = 0;
    // SAFETY: the environment is open (the database is borrowed) and the variable lives.
    let code = unsafe { ffi::mdbx_env_get_flags(database.ptr().0, &raw mut flags) };
    code == ffi::MDBX_PANIC
}

/// Whether every page is checked from end to end when it is looked at, not its header alone (`MDBX_VALIDATION`): what a damaged page
/// says then leads nowhere outside of it. Nobody may be writing to the database in this process.
pub(crate) fn check_pages<K: DatabaseKind>(database: &Database<K>, on: bool) -> Result<()> {
    // SAFETY: the environment is open (the database is borrowed) and this flag may be changed at any time (mdbx.h).
    check(unsafe { ffi::mdbx_env_set_flags(database.ptr().0, ffi::MDBX_VALIDATION, on) })
}

/// An open environment, for calls outside transactions.
#[derive(Clone, Copy)]
pub(crate) struct Environment<'a> {
    env: *mut ffi::MDBX_env,
    database: PhantomData<&'a ()>,
}

impl<'a> Environment<'a> {
    pub(crate) fn of<K: DatabaseKind>(database: &'a Database<K>) -> Self {
        Self { env: database.ptr().0, database: PhantomData }
    }

    /// The data file. libmdbx owns it: it is never closed here (on some systems closing any descriptor of the file drops
    /// libmdbx's locks).
    pub(crate) fn data_file(&self) -> Result<BorrowedFile<'a>> {
        let mut file: ffi::mdbx_filehandle_t = crate::platform::NO_FILE;
        // SAFETY: the environment is open for 'a; libmdbx writes one handle.
        check(unsafe { ffi::mdbx_env_get_fd(self.env, &raw mut file) })?;
        // SAFETY: the handle stays open as long as the environment, which 'a borrows.
        Ok(unsafe { BorrowedFile::borrow_raw(file) })
    }

    /// Read transactions alive now, in all processes.
    pub(crate) fn live_readers(&self) -> Result<u64> {
        let mut count = 0_u64;
        // SAFETY: the environment is open; the callback only adds to `count`, which outlives the call.
        check(unsafe { ffi::mdbx_reader_list(self.env, Some(count_reader), (&raw mut count).cast()) })?;
        Ok(count)
    }

    /// Frees what readers of dead processes pin. libmdbx does it by itself only when it runs out of something.
    pub(crate) fn clear_dead_readers(&self) -> Result<()> {
        // SAFETY: the environment is open; libmdbx allows a null counter.
        check(unsafe { ffi::mdbx_reader_check(self.env, ptr::null_mut()) })
    }

    /// Begins a read transaction that is not bound to a lifetime. The caller keeps the environment open until it ends.
    pub(crate) fn begin_read(&self) -> Result<ReadHandle> {
        let mut txn = ptr::null_mut();
        // SAFETY: the environment is open; libmdbx stores the new transaction in `txn`.
        check(unsafe {
            ffi::mdbx_txn_begin_ex(
                self.env,
                ptr::null_mut(),
                ffi::MDBX_TXN_RDONLY,
                &raw mut txn,
                ptr::null_mut(),
            )
        })?;
        Ok(ReadHandle { txn, process: Process::current() })
    }
}

unsafe extern "C" fn count_reader(
    context: *mut c_void,
    _number: i32,
    _slot: i32,
    _pid: ffi::mdbx_pid_t,
    _thread: ffi::mdbx_tid_t,
    txnid: u64,
    _lag: u64,
    _used: usize,
    _retained: usize,
) -> i32 {
    if txnid != 0 {
        // SAFETY: `live_readers` passes a pointer to its own counter, and nobody else has it during the call.
        unsafe { *context.cast::<u64>() += 1 };
    }
    0
}

/// A read transaction that owns itself. It must end before its environment closes: for C `Snapshot` sees to that, for M the
/// order of fields.
pub(crate) struct ReadHandle {
    txn: *mut ffi::MDBX_txn,
    process: Process,
}

// SAFETY: the environment is opened with MDBX_NOSTICKYTHREADS (the libmdbx crate always sets it), so a read transaction is not
// bound to the thread that began it.
unsafe impl Send for ReadHandle {}
// SAFETY: the only calls made through a shared reference are mdbx_get and mdbx_txn_id, and `Snapshot` serializes them.
unsafe impl Sync for ReadHandle {}

impl ReadHandle {
    /// The value under `key`, checked to be a page run of its own.
    pub(crate) fn get(&self, table: TableHandle, key: &[u8]) -> Result<Option<RunValue<'_>>> {
        let key = value_of(key);
        let mut value = ffi::MDBX_val { iov_len: 0, iov_base: ptr::null_mut() };
        // SAFETY: the transaction is alive until `self` drops; key and value are valid for the call.
        match unsafe { ffi::mdbx_get(self.txn, table.0, &raw const key, &raw mut value) } {
            ffi::MDBX_NOTFOUND => Ok(None),
            code => {
                check(code)?;
                // SAFETY: libmdbx returned this value for a live transaction, which the result borrows.
                unsafe { RunValue::of(&value) }.map(Some)
            }
        }
    }

    /// Lets go of its state, and keeps its place in the table of readers until it is renewed. False where libmdbx refuses.
    fn reset(&mut self) -> bool {
        // SAFETY: the transaction is alive, and nothing borrows from it (`self` is borrowed exclusively).
        unsafe { ffi::mdbx_txn_reset(self.txn) == ffi::MDBX_SUCCESS }
    }

    /// Takes the newest state after a reset. False where libmdbx refuses.
    fn renew(&mut self) -> bool {
        // SAFETY: as for a reset.
        unsafe { ffi::mdbx_txn_renew(self.txn) == ffi::MDBX_SUCCESS }
    }

    /// Whether a page of its state begins at the address, with its own number in it.
    fn is_page(&self, page: *const Bytes) -> bool {
        // SAFETY: the transaction is alive until `self` drops. libmdbx looks whether the address is in the part of its map that the
        // state uses, and only then at the page: at its number, and at its transaction, which must not be newer.
        unsafe { ffi::mdbx_is_dirty(self.txn, page.cast()) == ffi::MDBX_RESULT_FALSE }
    }

    /// Number of the snapshot: the transaction that was the newest when it began.
    pub(crate) fn id(&self) -> u64 {
        // SAFETY: the transaction is alive until `self` drops.
        unsafe { ffi::mdbx_txn_id(self.txn) }
    }
}

impl Drop for ReadHandle {
    fn drop(&mut self) {
        if !self.process.is_current() {
            // The transaction is the parent's, and a fork child has no table of readers to clear.
            return;
        }
        // SAFETY: the transaction is alive, nobody else uses it (`self` is borrowed exclusively), and it is not used again.
        unsafe { ffi::mdbx_txn_abort_ex(self.txn, ptr::null_mut()) };
    }
}

/// Reserves a page run for a chunk of `payload` bytes under `key` and writes `header` at the start of its padding. The
/// payload is left as it is: nothing but both ends of the first page is touched.
pub(crate) fn reserve(
    txn: &Transaction<'_, RW, WriteMap>,
    table: TableHandle,
    key: &[u8],
    payload: u64,
    header: &[u8],
) -> Result<PageRun> {
    let length = usize::try_from(value_length(payload)).map_err(|_| Error::BadValSize)?;
    let key = value_of(key);
    let mut value = ffi::MDBX_val { iov_len: length, iov_base: ptr::null_mut() };
    // SAFETY: the transaction is alive and used by this thread only; libmdbx sets `value` to `length` writable bytes.
    check(unsafe { ffi::mdbx_put(txn.txn().0, table.0, &raw const key, &raw mut value, ffi::MDBX_RESERVE) })?;
    // SAFETY: the reserved value has at least PADDING bytes, writable until the next change in this transaction, and no other
    // reference to them exists.
    let padding = unsafe { std::slice::from_raw_parts_mut(value.iov_base.cast::<u8>(), PADDING) };
    for (to, from) in padding.iter_mut().zip(header) {
        *to = *from;
    }
    // The pages may have been another chunk's: its digest must not be taken for this one's. Nobody reads what lies between.
    for byte in padding.iter_mut().skip(SEAL_OFFSET) {
        *byte = 0;
    }
    // SAFETY: the value was just returned by libmdbx in this transaction.
    unsafe { RunValue::of(&value) }.map(|value| value.run)
}

/// Deletes the value under `key`; true when there was one.
pub(crate) fn delete(txn: &Transaction<'_, RW, WriteMap>, table: TableHandle, key: &[u8]) -> Result<bool> {
    let key = value_of(key);
    // SAFETY: the transaction is alive and used by this thread only; the key is valid for the call.
    match unsafe { ffi::mdbx_del(txn.txn().0, table.0, &raw const key, ptr::null()) } {
        ffi::MDBX_NOTFOUND => Ok(false),
        code => check(code).map(|()| true),
    }
}
