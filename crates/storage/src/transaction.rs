//! Typed transactions on M. They last one call; no view pins M.

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::HashSet;
use std::ops::ControlFlow;
use std::path::Path;

use libmdbx::{NoWriteMap, ObjectLength, RW, Transaction, WriteFlags};

use crate::error::{Result, StorageError};
use crate::key::Key;
use crate::raw::{self, Found, Reader, TableHandle, Value};
use crate::record::Record as _;
use crate::table::{OpenTables, Table};
use crate::version::{Version, random_mark};

/// Records that a sweep deletes in one transaction: others wait for it.
pub(crate) const RECORDS_AT_ONCE: usize = 1_000;

/// A consistent view of M.
pub struct ReadTransaction<'db> {
    pub(crate) reader: Reader<'db>,
    pub(crate) tables: &'db OpenTables,
    pub(crate) path: &'db Path,
}

/// A change of M, durable when it is committed.
pub struct WriteTransaction<'db> {
    pub(crate) inner: Transaction<'db, RW, NoWriteMap>,
    path: &'db Path,
    /// Whether the state it makes has its mark.
    marked: Cell<bool>,
}

impl ReadTransaction<'_> {
    /// The record under `key`.
    ///
    /// # Errors
    /// [`StorageError::Corrupt`] when its bytes do not validate.
    pub fn get<T: Table>(&self, key: &Key) -> Result<Option<T::Value>> {
        self.find::<T>(key)?.map(T::Value::decode).transpose()
    }

    /// Whether there is a record under `key`, which is checked as if it were read.
    ///
    /// # Errors
    /// [`StorageError::Corrupt`] when it does not validate.
    pub fn contains_valid<T: Table>(&self, key: &Key) -> Result<bool> {
        self.find::<T>(key)?.map_or(Ok(false), |bytes| T::Value::check(bytes).map(|()| true))
    }

    /// The state it sees: another one when anything was written since, by whichever process.
    ///
    /// # Errors
    /// [`StorageError::Database`] when libmdbx refuses.
    pub fn version(&self) -> Result<Version> {
        self.reader.version().map_err(|error| self.failed("read the state", error))
    }

    /// Whether there is a record under `key`, which is not read.
    ///
    /// # Errors
    /// [`StorageError::Database`] when libmdbx refuses.
    pub fn contains<T: Table>(&self, key: &Key) -> Result<bool> {
        Ok(self.find::<T>(key)?.is_some())
    }

    /// Visits the keys that start with `prefix`, in order. The records are not read.
    ///
    /// # Errors
    /// What `visit` returns, or [`StorageError::Database`].
    pub fn keys<T: Table>(&self, prefix: &Key, mut visit: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        self.rows_under::<T>(prefix, |key, _| visit(key).map(ControlFlow::Continue))
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
        mut visit: impl FnMut(&[u8], Result<T::Value>) -> Result<ControlFlow<()>>,
    ) -> Result<()> {
        self.rows_under::<T>(prefix, |key, bytes| visit(key, T::Value::decode(self.bytes(&bytes)?)))
    }

    /// What follows `prefix` in the keys of the records that begin with it. The records are checked as if they were read.
    ///
    /// # Errors
    /// [`StorageError::Corrupt`] when one does not validate.
    pub fn tails<T: Table>(&self, prefix: &Key) -> Result<HashSet<&[u8]>> {
        let mut tails = HashSet::new();
        self.rows_under::<T>(prefix, |key, value| {
            T::Value::check(self.bytes(&value)?)?;
            tails.extend(key.strip_prefix(prefix.as_bytes()));
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(tails)
    }

    /// How many records have a key that begins with `prefix`. They are checked as if they were read.
    ///
    /// # Errors
    /// [`StorageError::Corrupt`] when one does not validate.
    pub fn count<T: Table>(&self, prefix: &Key) -> Result<u64> {
        let mut count = 0;
        self.rows_under::<T>(prefix, |_, value| {
            T::Value::check(self.bytes(&value)?)?;
            count += 1;
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(count)
    }

    fn rows_under<'t, T: Table>(
        &'t self,
        prefix: &Key,
        mut visit: impl FnMut(&'t [u8], Value<'t>) -> Result<ControlFlow<()>>,
    ) -> Result<()> {
        let Some(table) = self.table::<T>()? else { return Ok(()) };
        let fail = |error| self.failed("scan a table", error);
        for row in self.reader.rows(table, prefix.as_bytes()).map_err(fail)? {
            let (key, value) = row.map_err(fail)?;
            if !key.starts_with(prefix.as_bytes()) || visit(key, value)?.is_break() {
                break;
            }
        }
        Ok(())
    }

    fn find<T: Table>(&self, key: &Key) -> Result<Option<&[u8]>> {
        let fail = |error| self.failed("read a record", error);
        match self.reader.find(T::NAME, key.as_bytes()).map_err(fail)? {
            Found::Nothing => Ok(None),
            Found::Here(bytes) => Ok(Some(bytes)),
            Found::Apart => self.find_apart::<T>(key),
        }
    }

    fn find_apart<T: Table>(&self, key: &Key) -> Result<Option<&[u8]>> {
        let Some(table) = self.table::<T>()? else { return Ok(None) };
        let value = self.reader.get(table, key.as_bytes());
        let value = value.map_err(|error| self.failed("read a record", error))?;
        value.map(|value| self.bytes(&value)).transpose()
    }

    fn bytes<'t>(&self, value: &Value<'t>) -> Result<&'t [u8]> {
        value.bytes().map_err(|error| self.failed("read a record", error))
    }

    /// The table; none in a store that an earlier version made and that is open read-only.
    fn table<T: Table>(&self) -> Result<Option<TableHandle>> {
        match self.tables.get(T::NUMBER).copied().flatten() {
            Some(table) => Ok(Some(table)),
            // A writer of this version may have made it since.
            None => self.reader.open(T::NAME).map_err(|error| self.failed("open a table", error)),
        }
    }

    fn failed(&self, action: &'static str, error: libmdbx::Error) -> StorageError {
        StorageError::database(action, self.path, error)
    }
}

impl<'db> WriteTransaction<'db> {
    pub(crate) fn new(inner: Transaction<'db, RW, NoWriteMap>, path: &'db Path) -> Self {
        Self { inner, path, marked: Cell::new(false) }
    }

    /// The record under `key`, changes of this transaction included.
    ///
    /// # Errors
    /// [`StorageError::Corrupt`] when its bytes do not validate.
    pub fn get<T: Table>(&self, key: &Key) -> Result<Option<T::Value>> {
        let fail = |error| StorageError::database("read a record", self.path, error);
        let table = self.inner.open_table(Some(T::NAME)).map_err(fail)?;
        let value: Option<Cow<'_, [u8]>> = self.inner.get(&table, key.as_bytes()).map_err(fail)?;
        value.map(|bytes| T::Value::decode(&bytes)).transpose()
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
        mut visit: impl FnMut(&[u8], Result<T::Value>) -> Result<ControlFlow<()>>,
    ) -> Result<()> {
        let fail = |error| StorageError::database("scan a table", self.path, error);
        let table = self.inner.open_table(Some(T::NAME)).map_err(fail)?;
        let mut cursor = self.inner.cursor(&table).map_err(fail)?;
        // Copies: a change that `visit` makes may move what the map shows.
        for row in cursor.iter_from::<Vec<u8>, Vec<u8>>(prefix.as_bytes()) {
            let (key, value) = row.map_err(fail)?;
            if !key.starts_with(prefix.as_bytes()) || visit(&key, T::Value::decode(&value))?.is_break() {
                break;
            }
        }
        Ok(())
    }

    /// Visits the keys that start with `prefix`, in order. The records are not read.
    pub(crate) fn keys<T: Table>(&self, prefix: &Key, mut visit: impl FnMut(&[u8])) -> Result<()> {
        let fail = |error| StorageError::database("scan a table", self.path, error);
        let table = self.inner.open_table(Some(T::NAME)).map_err(fail)?;
        let mut cursor = self.inner.cursor(&table).map_err(fail)?;
        for row in cursor.iter_from::<Vec<u8>, ObjectLength>(prefix.as_bytes()) {
            let (key, _) = row.map_err(fail)?;
            if !key.starts_with(prefix.as_bytes()) {
                break;
            }
            visit(&key);
        }
        Ok(())
    }

    /// Whether there is a record under `key`, which is not read.
    ///
    /// # Errors
    /// [`StorageError::Database`] when libmdbx refuses.
    pub fn contains<T: Table>(&self, key: &Key) -> Result<bool> {
        let fail = |error| StorageError::database("look for a record", self.path, error);
        let table = self.inner.open_table(Some(T::NAME)).map_err(fail)?;
        let length: Option<ObjectLength> = self.inner.get(&table, key.as_bytes()).map_err(fail)?;
        Ok(length.is_some())
    }

    /// Writes `value` under `key`, replacing what was there.
    ///
    /// # Errors
    /// [`StorageError::Database`] when libmdbx refuses.
    pub fn put<T: Table>(&self, key: &Key, value: &T::Value) -> Result<()> {
        let fail = |error| StorageError::database("write a record", self.path, error);
        let table = self.inner.open_table(Some(T::NAME)).map_err(fail)?;
        self.inner.put(&table, key.as_bytes(), value.encode()?, WriteFlags::empty()).map_err(fail)?;
        self.mark()
    }

    /// Deletes the record under `key`; true when there was one.
    ///
    /// # Errors
    /// [`StorageError::Database`] when libmdbx refuses.
    pub fn delete<T: Table>(&self, key: &Key) -> Result<bool> {
        let fail = |error| StorageError::database("delete a record", self.path, error);
        let table = self.inner.open_table(Some(T::NAME)).map_err(fail)?;
        let deleted = self.inner.del(&table, key.as_bytes(), None).map_err(fail)?;
        if deleted {
            self.mark()?;
        }
        Ok(deleted)
    }

    /// Marks the new state with its first change: without one there is none, and nothing to write.
    fn mark(&self) -> Result<()> {
        if self.marked.replace(true) {
            return Ok(());
        }
        raw::mark(&self.inner, random_mark()?)
            .map_err(|error| StorageError::database("mark a transaction", self.path, error))
    }
}
