//! The mark that each transaction leaves on the state it makes (libmdbx's canary: it lies beside the number of the transaction).
#![expect(unsafe_code, reason = "raw libmdbx calls; every block states why it is sound")]

use libmdbx::{NoWriteMap, RW, Transaction};
use mdbx_sys as ffi;

use super::{ReadHandle, Result, check};

/// Marks the state that this transaction makes. It counts as a change.
pub(crate) fn mark(transaction: &Transaction<'_, RW, NoWriteMap>, mark: u64) -> Result<()> {
    let canary = ffi::MDBX_canary { x: mark, y: 0, z: 0, v: 0 };
    // SAFETY: the transaction is alive and used by this thread only; libmdbx copies the canary.
    check(unsafe { ffi::mdbx_canary_put(transaction.txn().0, &raw const canary) })
}

impl ReadHandle {
    /// The mark of its state; 0 where no transaction left one yet.
    pub(crate) fn mark(&self) -> Result<u64> {
        let mut canary = ffi::MDBX_canary { x: 0, y: 0, z: 0, v: 0 };
        // SAFETY: the transaction is alive until `self` drops; libmdbx fills the canary.
        check(unsafe { ffi::mdbx_canary_get(self.txn, &raw mut canary) })?;
        Ok(canary.x)
    }
}
