//! Which state of M somebody saw.

use std::io;

use crate::error::{Result, StorageError};

/// A state of M: two are equal when nothing was written in between, by whichever process.
///
/// The number of a transaction alone does not tell: where the disk did not keep one (see [`crate::StorageError::NoSpace`]), other
/// processes may have seen it before it was taken back, and the next one gets its number. So each transaction has a random mark, too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Version {
    /// Of the newest transaction in it; grows with each.
    pub number: u64,
    /// That transaction's own; 0 before this library marked one.
    pub mark: u64,
}

/// A mark like no other.
pub(crate) fn random_mark() -> Result<u64> {
    getrandom::u64().map_err(|error| StorageError::Io {
        action: "draw a random mark",
        path: std::path::PathBuf::new(),
        source: io::Error::other(error.to_string()),
    })
}
