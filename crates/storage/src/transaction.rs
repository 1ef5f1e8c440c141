//! Typed transactions on M. They last one call; no view pins M.

use std::borrow::Cow;
use std::ops::ControlFlow;
use std::path::Path;

use libmdbx::{NoWriteMap, ObjectLength, RO, RW, Transaction, TransactionKind, WriteFlags};

use crate::error::{Result, StorageError};
use crate::key::Key;
use crate::layout::{MANIFEST_PAGE, PAGE_HEADER};
use crate::record::Record as _;
use crate::table::Table;

/// A consistent view of M.
pub struct ReadTransaction<'db> {
    pub(crate) inner: Transaction<'db, RO, NoWriteMap>,
    pub(crate) path: &'db Path,
}

/// A change of M, durable when it is committed.
pub struct WriteTransaction<'db> {
    pub(crate) inner: Transaction<'db, RW, NoWriteMap>,
    pub(crate) path: &'db Path,
}

/// Refuses a key or value that reaches beyond its page, as a damaged one may say: neither is read before. libmdbx sees to it where
/// the database is open to be written; opened read-only it looks at the headers of pages alone. A large value begins behind the header
/// of its own pages, and libmdbx has compared its length with them.
fn inside(bytes: Cow<'_, [u8]>) -> libmdbx::Result<Cow<'_, [u8]>> {
    let Cow::Borrowed(mapped) = &bytes else { return Ok(bytes) };
    let at = mapped.as_ptr().addr() % MANIFEST_PAGE;
    if mapped.is_empty() || at == PAGE_HEADER || at + mapped.len() <= MANIFEST_PAGE {
        return Ok(bytes);
    }
    Err(libmdbx::Error::Corrupted)
}

/// The table; none in a store that an earlier version made and that is open read-only.
fn table<'txn, T: Table, K: TransactionKind>(
    txn: &'txn Transaction<'_, K, NoWriteMap>,
) -> libmdbx::Result<Option<libmdbx::Table<'txn>>> {
    match txn.open_table(Some(T::NAME)) {
        Err(libmdbx::Error::NotFound) => Ok(None),
        table => table.map(Some),
    }
}

fn get<T: Table, K: TransactionKind>(
    txn: &Transaction<'_, K, NoWriteMap>,
    path: &Path,
    key: &Key,
) -> Result<Option<T::Value>> {
    let fail = |error| StorageError::database("read a record", path, error);
    let Some(table) = table::<T, K>(txn).map_err(fail)? else { return Ok(None) };
    let value: Option<Cow<'_, [u8]>> = txn.get(&table, key.as_bytes()).map_err(fail)?;
    value.map(|bytes| T::Value::decode(&inside(bytes).map_err(fail)?)).transpose()
}

fn rows<T: Table, K: TransactionKind>(
    txn: &Transaction<'_, K, NoWriteMap>,
    path: &Path,
    prefix: &Key,
    mut visit: impl FnMut(&[u8], Result<T::Value>) -> Result<ControlFlow<()>>,
) -> Result<()> {
    let fail = |error| StorageError::database("scan a table", path, error);
    let Some(table) = table::<T, K>(txn).map_err(fail)? else { return Ok(()) };
    let mut cursor = txn.cursor(&table).map_err(fail)?;
    for row in cursor.iter_from::<Cow<'_, [u8]>, Cow<'_, [u8]>>(prefix.as_bytes()) {
        let (key, value) = row.and_then(|(key, value)| Ok((inside(key)?, inside(value)?))).map_err(fail)?;
        if !key.starts_with(prefix.as_bytes()) {
            break;
        }
        if visit(&key, T::Value::decode(&value))?.is_break() {
            break;
        }
    }
    Ok(())
}

fn contains<T: Table, K: TransactionKind>(
    txn: &Transaction<'_, K, NoWriteMap>,
    path: &Path,
    key: &Key,
) -> Result<bool> {
    let fail = |error| StorageError::database("look for a record", path, error);
    let Some(table) = table::<T, K>(txn).map_err(fail)? else { return Ok(false) };
    let length: Option<ObjectLength> = txn.get(&table, key.as_bytes()).map_err(fail)?;
    Ok(length.is_some())
}

impl ReadTransaction<'_> {
    /// The record under `key`.
    ///
    /// # Errors
    /// [`StorageError::Corrupt`] when its bytes do not validate.
    pub fn get<T: Table>(&self, key: &Key) -> Result<Option<T::Value>> {
        get::<T, _>(&self.inner, self.path, key)
    }

    /// Whether there is a record under `key`, which is not read.
    ///
    /// # Errors
    /// [`StorageError::Database`] when libmdbx refuses.
    pub fn contains<T: Table>(&self, key: &Key) -> Result<bool> {
        contains::<T, _>(&self.inner, self.path, key)
    }

    /// Visits the keys that start with `prefix`, in order. The records are not read.
    ///
    /// # Errors
    /// What `visit` returns, or [`StorageError::Database`].
    pub fn keys<T: Table>(&self, prefix: &Key, mut visit: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        let fail = |error| StorageError::database("scan a table", self.path, error);
        let Some(table) = table::<T, RO>(&self.inner).map_err(fail)? else { return Ok(()) };
        let mut cursor = self.inner.cursor(&table).map_err(fail)?;
        for row in cursor.iter_from::<Cow<'_, [u8]>, ObjectLength>(prefix.as_bytes()) {
            let key = row.and_then(|(key, _)| inside(key)).map_err(fail)?;
            if !key.starts_with(prefix.as_bytes()) {
                break;
            }
            visit(&key)?;
        }
        Ok(())
    }

    /// Visits the records whose key starts with `prefix`, in key order, until `visit` breaks.
    ///
    /// # Errors
    /// What `visit` returns, or [`StorageError::Corrupt`].
    pub fn scan<T: Table>(
        &self,
        prefix: &Key,
        mut visit: impl FnMut(&[u8], T::Value) -> Result<ControlFlow<()>>,
    ) -> Result<()> {
        self.rows::<T>(prefix, |key, value| visit(key, value?))
    }

    /// As [`ReadTransaction::scan`], and tells of damaged records, too.
    ///
    /// # Errors
    /// What `visit` returns, or [`StorageError::Corrupt`] when the database itself is damaged.
    pub fn rows<T: Table>(
        &self,
        prefix: &Key,
        visit: impl FnMut(&[u8], Result<T::Value>) -> Result<ControlFlow<()>>,
    ) -> Result<()> {
        rows::<T, _>(&self.inner, self.path, prefix, visit)
    }
}

impl WriteTransaction<'_> {
    /// The record under `key`, changes of this transaction included.
    ///
    /// # Errors
    /// [`StorageError::Corrupt`] when its bytes do not validate.
    pub fn get<T: Table>(&self, key: &Key) -> Result<Option<T::Value>> {
        get::<T, _>(&self.inner, self.path, key)
    }

    /// As [`ReadTransaction::scan`].
    ///
    /// # Errors
    /// As there.
    pub fn scan<T: Table>(
        &self,
        prefix: &Key,
        mut visit: impl FnMut(&[u8], T::Value) -> Result<ControlFlow<()>>,
    ) -> Result<()> {
        self.rows::<T>(prefix, |key, value| visit(key, value?))
    }

    /// As [`ReadTransaction::rows`].
    ///
    /// # Errors
    /// As there.
    pub fn rows<T: Table>(
        &self,
        prefix: &Key,
        visit: impl FnMut(&[u8], Result<T::Value>) -> Result<ControlFlow<()>>,
    ) -> Result<()> {
        rows::<T, _>(&self.inner, self.path, prefix, visit)
    }

    /// Whether there is a record under `key`, which is not read.
    ///
    /// # Errors
    /// [`StorageError::Database`] when libmdbx refuses.
    pub fn contains<T: Table>(&self, key: &Key) -> Result<bool> {
        contains::<T, _>(&self.inner, self.path, key)
    }

    /// Writes `value` under `key`, replacing what was there.
    ///
    /// # Errors
    /// [`StorageError::Database`] when libmdbx refuses.
    pub fn put<T: Table>(&self, key: &Key, value: &T::Value) -> Result<()> {
        let fail = |error| StorageError::database("write a record", self.path, error);
        let table = self.inner.open_table(Some(T::NAME)).map_err(fail)?;
        self.inner.put(&table, key.as_bytes(), value.encode()?, WriteFlags::empty()).map_err(fail)
    }

    /// Deletes the record under `key`; true when there was one.
    ///
    /// # Errors
    /// [`StorageError::Database`] when libmdbx refuses.
    pub fn delete<T: Table>(&self, key: &Key) -> Result<bool> {
        let fail = |error| StorageError::database("delete a record", self.path, error);
        let table = self.inner.open_table(Some(T::NAME)).map_err(fail)?;
        self.inner.del(&table, key.as_bytes(), None).map_err(fail)
    }
}
