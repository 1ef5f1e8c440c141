//! Reading of M: one transaction over tables that stay open, its look-ups and its cursors.
#![expect(unsafe_code, reason = "raw libmdbx calls; every block states why it is sound")]

use std::ffi::CString;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ptr;

use libmdbx::{Database, DatabaseKind, Error};
use mdbx_sys as ffi;

use super::run::is_large;
use super::search::{Found, Pages};
use super::{Environment, ReadHandle, Result, TableHandle, check, value_of};
use crate::layout::{MANIFEST_PAGE, PAGE_HEADER};
use crate::mutex::Mutex;
use crate::version::Version;

/// `MAIN_DBI`, the table of tables, which is always open.
pub(super) const TABLES: TableHandle = TableHandle(1);

/// The transaction of the last reader, for the next one: it keeps its place in the table of readers, and no state of M.
/// It must end before its database is closed.
#[derive(Default)]
pub(crate) struct IdleReader(Mutex<Option<ReadHandle>>);

impl IdleReader {
    /// The transaction with the newest state; none where there is none, or libmdbx refuses.
    fn take(&self) -> Option<ReadHandle> {
        let mut transaction = self.0.lock().take()?;
        transaction.renew().then_some(transaction)
    }

    /// Keeps it, unless there is one already.
    fn keep(&self, mut transaction: ReadHandle) {
        if !transaction.reset() {
            return;
        }
        let mut idle = self.0.lock();
        if idle.is_none() {
            *idle = Some(transaction);
        }
    }
}

/// A consistent state of M. It stays on the thread that began it, as libmdbx asks of whoever shares a transaction.
pub(crate) struct Reader<'db> {
    transaction: ManuallyDrop<ReadHandle>,
    idle: &'db IdleReader,
    of_one_thread: PhantomData<*const ()>,
}

impl<'db> Reader<'db> {
    /// `idle` is that of the database.
    pub(crate) fn begin<K: DatabaseKind>(database: &'db Database<K>, idle: &'db IdleReader) -> Result<Self> {
        let transaction = match idle.take() {
            Some(transaction) => transaction,
            None => Environment::of(database).begin_read()?,
        };
        Ok(Self { transaction: ManuallyDrop::new(transaction), idle, of_one_thread: PhantomData })
    }

    /// Which state it is.
    pub(crate) fn version(&self) -> Result<Version> {
        Ok(Version { number: self.transaction.id(), mark: self.transaction.mark()? })
    }

    /// A table that was not there when the database was opened. The handle is of this transaction alone.
    pub(crate) fn open(&self, name: &str) -> Result<Option<TableHandle>> {
        let name = CString::new(name).map_err(|_| Error::Incompatible)?;
        let mut table = 0;
        // SAFETY: the transaction is alive until `self` drops; the name ends with a zero; libmdbx stores the handle in `table`.
        match unsafe {
            ffi::mdbx_dbi_open(self.transaction.txn, name.as_ptr(), ffi::MDBX_DB_ACCEDE, &raw mut table)
        } {
            ffi::MDBX_NOTFOUND => Ok(None),
            code => check(code).map(|()| Some(TableHandle(table))),
        }
    }

    /// What is under `key` in the table of this name.
    pub(crate) fn find(&self, table: &str, key: &[u8]) -> Result<Found<'_>> {
        let Some(tree) = self.get(TABLES, table.as_bytes())? else { return Ok(Found::Nothing) };
        let (tree, is_page) = (tree.bytes()?, |page: *const _| self.transaction.is_page(page));
        // SAFETY: libmdbx tells about pages of this transaction, which lives until `self` drops; it changes none of them before.
        unsafe { Pages::around(tree, is_page) }?.find(tree, key)
    }

    /// The value under `key`.
    pub(crate) fn get(&self, table: TableHandle, key: &[u8]) -> Result<Option<Value<'_>>> {
        let key = value_of(key);
        let mut value = nothing();
        // SAFETY: the transaction is alive until `self` drops; key and value are valid for the call.
        match unsafe { ffi::mdbx_get(self.transaction.txn, table.0, &raw const key, &raw mut value) } {
            ffi::MDBX_NOTFOUND => Ok(None),
            code => check(code).map(|()| Some(Value { value, state: PhantomData })),
        }
    }

    /// The rows from the first key on that is not before `from`.
    pub(crate) fn rows<'t, 'k>(&'t self, table: TableHandle, from: &'k [u8]) -> Result<Rows<'t, 'k>> {
        let mut cursor = ptr::null_mut();
        // SAFETY: the transaction is alive until `self` drops; libmdbx stores the new cursor in `cursor`.
        check(unsafe { ffi::mdbx_cursor_open(self.transaction.txn, table.0, &raw mut cursor) })?;
        Ok(Rows { cursor, from: Some(from), state: PhantomData })
    }
}

impl Drop for Reader<'_> {
    fn drop(&mut self) {
        // SAFETY: nothing borrows from the transaction any more, and it is not used again.
        self.idle.keep(unsafe { ManuallyDrop::take(&mut self.transaction) });
    }
}

/// Rows in the order of their keys.
pub(crate) struct Rows<'t, 'k> {
    cursor: *mut ffi::MDBX_cursor,
    /// Where to begin; none when it has begun.
    from: Option<&'k [u8]>,
    state: PhantomData<&'t ()>,
}

impl<'t> Iterator for Rows<'t, '_> {
    type Item = Result<(&'t [u8], Value<'t>)>;

    fn next(&mut self) -> Option<Self::Item> {
        let (mut key, operation) = match self.from.take() {
            Some(from) => (value_of(from), ffi::MDBX_SET_RANGE),
            None => (nothing(), ffi::MDBX_NEXT),
        };
        let mut value = nothing();
        // SAFETY: the cursor is open until `self` drops, and its transaction outlives 't; key and value are valid for the call.
        let code = unsafe { ffi::mdbx_cursor_get(self.cursor, &raw mut key, &raw mut value, operation) };
        if code == ffi::MDBX_NOTFOUND {
            return None;
        }
        let key = check(code).and_then(|()| Value { value: key, state: PhantomData }.bytes());
        Some(key.map(|key| (key, Value { value, state: PhantomData })))
    }
}

impl Drop for Rows<'_, '_> {
    fn drop(&mut self) {
        // SAFETY: the cursor is open, its transaction is alive, and it is not used again.
        unsafe { ffi::mdbx_cursor_close(self.cursor) };
    }
}

/// A key or a value where it lies in the map.
pub(crate) struct Value<'t> {
    value: ffi::MDBX_val,
    state: PhantomData<&'t ()>,
}

impl<'t> Value<'t> {
    /// Its bytes. Refused when they reach beyond their page, as a damaged one may say: libmdbx sees to it where the database is open
    /// to be written; opened read-only it looks at the headers of pages alone. A large value begins behind the header of its own
    /// pages, which says how many they are.
    pub(crate) fn bytes(&self) -> Result<&'t [u8]> {
        let (start, length) = (self.value.iov_base.cast::<u8>().cast_const(), self.value.iov_len);
        if length == 0 {
            return Ok(&[]);
        }
        let at = start.addr() % MANIFEST_PAGE;
        if at + length > MANIFEST_PAGE {
            // SAFETY: libmdbx returned the value, and the page's header is before it.
            let is_whole = at == PAGE_HEADER && unsafe { is_large(&self.value, MANIFEST_PAGE) };
            if !is_whole {
                return Err(Error::Corrupted);
            }
        }
        // SAFETY: libmdbx returned these bytes in a transaction that lives as long as 't and changes nothing; they are in its map.
        Ok(unsafe { std::slice::from_raw_parts(start, length) })
    }
}

fn nothing() -> ffi::MDBX_val {
    ffi::MDBX_val { iov_len: 0, iov_base: ptr::null_mut() }
}
