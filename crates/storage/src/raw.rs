//! The libmdbx calls the `libmdbx` crate has no safe form for, each wrapped once.
#![allow(unsafe_code, reason = "raw libmdbx calls; every block states why it is sound")]

#[cfg(test)]
mod check;
mod gc;

#[cfg(test)]
pub(crate) use check::problems;
pub(crate) use gc::{FreeSpan, PageCounts, reclaimable_spans};

use std::ffi::c_void;
use std::marker::PhantomData;
use std::ptr;

use libmdbx::{Database, DatabaseKind, Error, RW, TableFlags, Transaction, WriteMap};
use mdbx_sys as ffi;

use crate::chunk::SEAL_OFFSET;
use crate::layout::{CHUNK_PAGE, PADDING, PAGE_HEADER, PAYLOAD_ALIGNMENT, spare_pages_of_run, value_length};
use crate::platform::BorrowedFile;
use crate::process::Process;

type Result<T> = std::result::Result<T, Error>;

/// `P_LARGE`, the only flag of a large value's first page (libmdbx 0.14 `layout-dxb.h`).
const LARGE_PAGE: u16 = 4;

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

/// A read transaction of C that owns itself. It must end before its environment closes: `Snapshot` sees to that.
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

/// Where a large value lies in the data file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PageRun {
    pub(crate) first_page: u32,
    pub(crate) pages: u32,
}

impl PageRun {
    /// File offset of the first page.
    pub(crate) fn offset(self) -> u64 {
        u64::from(self.first_page) * CHUNK_PAGE as u64
    }

    /// File offset after the first page, which header and padding fill.
    pub(crate) fn second_page(self) -> u64 {
        self.offset() + CHUNK_PAGE as u64
    }

    /// File offset after the last page.
    pub(crate) fn end(self) -> u64 {
        self.offset() + u64::from(self.pages) * CHUNK_PAGE as u64
    }

    /// File offset of the payload: that of the second page, or the first boundary of 1 MiB from there on.
    pub(crate) fn payload_offset(self) -> u64 {
        match self.spare_pages() {
            0 => self.second_page(),
            _ => self.second_page().next_multiple_of(PAYLOAD_ALIGNMENT),
        }
    }

    /// File offset after the last page of the payload.
    pub(crate) fn payload_end(self) -> u64 {
        let spare = self.spare_pages() * CHUNK_PAGE as u64;
        self.payload_offset() + (self.end() - self.second_page()) - spare
    }

    fn spare_pages(self) -> u64 {
        spare_pages_of_run(self.pages.into())
    }
}

/// A chunk's value as libmdbx maps it. Bulk bytes are never read through it: its map is advised random, 0.04 GB/s cold.
pub(crate) struct RunValue<'a> {
    pub(crate) run: PageRun,
    /// Bytes of the value, padding included.
    pub(crate) length: usize,
    /// libmdbx's header of the first page.
    pub(crate) page_header: [u8; PAGE_HEADER],
    /// The padding before the payload.
    pub(crate) padding: &'a [u8],
}

impl RunValue<'_> {
    /// Reads the page header before a value and checks that it is what libmdbx writes before a large value of this length.
    ///
    /// # Safety
    /// `value` was returned by libmdbx in a transaction that outlives the result.
    unsafe fn of(value: &ffi::MDBX_val) -> Result<Self> {
        if value.iov_len < PADDING {
            return Err(Error::Corrupted);
        }
        let start = value.iov_base.cast::<u8>().cast_const();
        let mut page_header = [0_u8; PAGE_HEADER];
        // SAFETY: a value longer than half a page is stored in its own page run, 20 bytes after the run's start.
        let header_start = unsafe { start.sub(PAGE_HEADER) };
        // SAFETY: those 20 bytes are the page header, in the same mapped page.
        unsafe { ptr::copy_nonoverlapping(header_start, page_header.as_mut_ptr(), PAGE_HEADER) };
        // SAFETY: the value has at least PADDING bytes and stays mapped as long as its transaction.
        let padding = unsafe { std::slice::from_raw_parts(start, PADDING) };
        let run = parse_header(&page_header, value.iov_len).ok_or(Error::Corrupted)?;
        Ok(Self { run, length: value.iov_len, page_header, padding })
    }
}

/// `u64 txnid | u16 | u16 flags | u32 pages | u32 page number` (libmdbx 0.14 `layout-dxb.h`); `None` when the header is not that
/// of a large value of `length` bytes.
fn parse_header(header: &[u8; PAGE_HEADER], length: usize) -> Option<PageRun> {
    let word = |at: usize| Some(u32::from_le_bytes(header.get(at..at + 4)?.try_into().ok()?));
    let flags = u16::from_le_bytes(header.get(10..12)?.try_into().ok()?);
    let (pages, first_page) = (word(12)?, word(16)?);
    let expected = u32::try_from((PAGE_HEADER + length).div_ceil(CHUNK_PAGE)).ok()?;
    (flags == LARGE_PAGE && pages == expected).then_some(PageRun { first_page, pages })
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

#[cfg(test)]
mod tests {
    use super::*;

    fn header(flags: u16, pages: u32, page: u32) -> [u8; PAGE_HEADER] {
        let mut out = [0; PAGE_HEADER];
        out[10..12].copy_from_slice(&flags.to_le_bytes());
        out[12..16].copy_from_slice(&pages.to_le_bytes());
        out[16..20].copy_from_slice(&page.to_le_bytes());
        out
    }

    #[test]
    fn only_the_header_of_a_large_value_of_that_length_is_trusted() {
        let length = PADDING + (1 << 20);
        assert_eq!(parse_header(&header(4, 17, 9), length), Some(PageRun { first_page: 9, pages: 17 }));
        assert_eq!(parse_header(&header(2, 17, 9), length), None);
        assert_eq!(parse_header(&header(4, 16, 9), length), None);
    }

    #[test]
    fn the_run_of_a_value_holds_its_payload_on_the_boundary_of_its_size() {
        let large = 16 << 20;
        for payload in [1 << 16, 3 << 20, large - 1, large, large + 1, 100 << 20] {
            for first_page in 3..40 {
                let pages = (PAGE_HEADER as u64 + value_length(payload)).div_ceil(CHUNK_PAGE as u64);
                let run = PageRun { first_page, pages: pages.try_into().unwrap() };
                let boundary = if payload < large { CHUNK_PAGE as u64 } else { PAYLOAD_ALIGNMENT };
                let (start, end) = (run.payload_offset(), run.payload_end());
                assert!(start.is_multiple_of(boundary), "{payload} bytes in page {first_page}");
                assert!(run.second_page() <= start && start < run.second_page() + boundary);
                assert_eq!(end - start, payload.next_multiple_of(CHUNK_PAGE as u64));
                assert!(end <= run.end());
            }
        }
    }
}
