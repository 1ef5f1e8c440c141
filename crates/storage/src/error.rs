//! What can go wrong below the cache, by what the caller can do about it.

use std::io;
use std::path::{Path, PathBuf};

use crate::advice::{advice, advice_of_database};

/// Result of this crate.
pub type Result<T> = std::result::Result<T, StorageError>;

/// An error of the store.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// Free space and call again; nothing complete was lost.
    #[error("not enough disk space at {}{}; free some space and call again", path.display(), amounts(*needed, *reserve, *available))]
    NoSpace {
        /// Folder of the store.
        path: PathBuf,
        /// Bytes the operation needs, safety margin included; 0 when only the system knows.
        needed: u64,
        /// Bytes of those that must stay free.
        reserve: u64,
        /// Bytes the file system has for this user.
        available: u64,
    },
    /// Stored bytes or records are damaged: remove and download again.
    #[error("{what} is damaged: {reason}; remove it and download it again")]
    Corrupt {
        /// The record, blob or chunk.
        what: String,
        /// What does not fit.
        reason: String,
    },
    /// A write failed half-way, and this process cannot use the database any more: close the cache and all that was opened from it,
    /// then open it again. Nothing complete was lost.
    #[error(
        "a write to the database at {} failed half-way, and this process cannot use it any more; close the cache and all files \
         opened from it, then open it again: nothing complete was lost",
        path.display()
    )]
    Broken {
        /// Folder of the environment.
        path: PathBuf,
    },
    /// Someone else is using it now: call again later.
    #[error("{what} is in use: {reason}")]
    InUse {
        /// The blob or database.
        what: String,
        /// By whom, as far as known.
        reason: String,
    },
    /// What a download was for has been removed meanwhile: scan again, then download.
    #[error("{what} was removed while it was downloaded; scan it again, then download")]
    Gone {
        /// The repository or file.
        what: String,
    },
    /// The store or its file system cannot be written.
    #[error("the model cache at {} cannot be written: {reason}", path.display())]
    ReadOnly {
        /// Folder of the store.
        path: PathBuf,
        /// Why, and what to do.
        reason: String,
    },
    /// Another version of this library wrote or holds the files.
    #[error("the model cache at {} needs another version: {reason}", path.display())]
    VersionMismatch {
        /// Folder of the store.
        path: PathBuf,
        /// What differs and what to do.
        reason: String,
    },
    /// The file system cannot hold a shared memory-mapped store.
    #[error("the model cache cannot live at {}: {reason}; choose a folder on a local disk", path.display())]
    UnsupportedFilesystem {
        /// Folder of the store.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// A plain file cannot share its bytes with the store: copy them, or choose a folder where it can.
    #[error(
        "{} cannot share its bytes with the model cache at {}: {reason}; copy them, or choose a folder on the store's own \
         file system if that is btrfs, or XFS with reflinks",
        path.display(),
        store.display()
    )]
    NoReflink {
        /// The plain file.
        path: PathBuf,
        /// Folder of the store.
        store: PathBuf,
        /// Why.
        reason: &'static str,
    },
    /// Other programs cannot read the data file on this system: export the file, or hand over its bytes.
    #[error(
        "no other program can read in the model cache at {} on this system; export the file as a plain one, or hand over its \
         bytes",
        path.display()
    )]
    NotShown {
        /// Folder of the store.
        path: PathBuf,
    },
    /// This process is a fork child, and its parent opened the store: open it again in the child.
    #[error(
        "the model cache at {} was opened before this process was forked from another one; open it again in this process",
        path.display()
    )]
    Forked {
        /// Folder of the store.
        path: PathBuf,
    },
    /// Larger than what can be mapped or stored at once.
    #[error("{what} is too large: {size}, the limit is {limit}; read it in pieces with chunks()")]
    TooLarge {
        /// What was asked for.
        what: String,
        /// Its size (bytes or mappings).
        size: u64,
        /// The limit in the same unit.
        limit: u64,
    },
    /// The call does not fit the blob: a programming error of the caller.
    #[error("{what} does not allow this call: {reason}")]
    InvalidArgument {
        /// The blob or operation.
        what: String,
        /// What does not fit.
        reason: String,
    },
    /// The operating system refused.
    #[error("cannot {action}{}: {source}; {}", place(path), advice(source))]
    Io {
        /// Verb phrase, as in "cannot ...".
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// libmdbx refused for a reason that has no answer of its own.
    #[error("cannot {action} in the database at {}: {source}{}", path.display(), advice_of_database(source))]
    Database {
        /// Verb phrase, as in "cannot ...".
        action: &'static str,
        /// Folder of the environment.
        path: PathBuf,
        /// The cause.
        source: libmdbx::Error,
    },
}

/// Why a store opened read-only cannot be written, and what to do.
pub const OPENED_READ_ONLY: &str = "it was opened read-only; open it without that to change it";

/// What to do where the system does not let the store be written.
const ALLOW_WRITING: &str = "choose another folder, allow writing to this one, or open it read-only";

/// Where it was; nothing for what has no place.
fn place(path: &Path) -> String {
    if path.as_os_str().is_empty() { String::new() } else { format!(" at {}", path.display()) }
}

impl StorageError {
    /// Classifies an operating system error met while doing `action` at `path`.
    pub(crate) fn io(action: &'static str, path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => {
                Self::ReadOnly { path, reason: format!("cannot {action}: {source}; {ALLOW_WRITING}") }
            }
            _ if is_full(&source) => Self::NoSpace { path, needed: 0, reserve: 0, available: 0 },
            _ => Self::Io { action, path, source },
        }
    }

    /// Classifies a libmdbx error met while doing `action` in the environment at `path`.
    pub(crate) fn database(action: &'static str, path: &Path, source: libmdbx::Error) -> Self {
        use libmdbx::Error as E;
        let owned = path.to_owned();
        let reason = format!("cannot {action}: {source}");
        match source {
            E::VersionMismatch | E::Incompatible => Self::VersionMismatch {
                path: owned,
                reason: format!(
                    "{source}; a process with another version of this library has it open: close it or use the same version"
                ),
            },
            // A new store makes its files itself, so that one which is no database was overwritten.
            E::Invalid => Self::Corrupt {
                what: format!("the database at {}", path.display()),
                reason: "its file does not begin as one of this library".to_owned(),
            },
            E::WannaRecovery => Self::ReadOnly {
                path: owned,
                reason: "it was not closed in order, or its file is damaged: open it once to be written"
                    .to_owned(),
            },
            E::RemoteFilesystem => Self::UnsupportedFilesystem { path: owned, reason },
            E::ReadOnlyFilesystem | E::Access | E::PermissionDenied => {
                Self::ReadOnly { path: owned, reason: format!("{reason}; {ALLOW_WRITING}") }
            }
            // The last four are what a damaged page or a lost one makes of a search, or a cut file of an open.
            E::Corrupted | E::PageNotFound | E::CursorFull | E::PageFull | E::NotFound | E::NoData => {
                Self::Corrupt { what: format!("the database at {}", path.display()), reason }
            }
            E::Other(code) if is_full(&io::Error::from_raw_os_error(code)) => {
                Self::NoSpace { path: owned, needed: 0, reserve: 0, available: 0 }
            }
            // This process has it open, in another copy of libmdbx: that one's list of what is open is not looked at, but its locks are.
            E::Other(code) if action == "open" && is_locked(&io::Error::from_raw_os_error(code)) => Self::InUse {
                what: format!("the database at {}", path.display()),
                reason: "another copy of this library in this process has it open; use one copy for both, or close the other"
                    .to_owned(),
            },
            E::Panic => Self::Broken { path: owned },
            E::Busy => Self::InUse { what: format!("the database at {}", path.display()), reason },
            E::FileNotFound => {
                Self::Io { action, path: owned, source: io::Error::new(io::ErrorKind::NotFound, source) }
            }
            other => Self::Database { action, path: owned, source: other },
        }
    }

    /// A record, chunk or blob that is not what it must be.
    pub(crate) fn corrupt(what: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Corrupt { what: what.into(), reason: reason.into() }
    }
}

/// The part of a message that says how much is missing, where that is known.
fn amounts(needed: u64, reserve: u64, available: u64) -> String {
    match (needed, reserve) {
        (0, _) => String::new(),
        (_, 0) => format!(": {needed} bytes needed, {available} available"),
        _ => format!(
            ": {needed} bytes needed, of which {reserve} are a reserve that stays free, {available} available"
        ),
    }
}

/// Whether the disk, or the user's part of it, is full.
pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// Whether somebody else has a lock.
fn is_locked(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_nobody_knows_are_not_told() {
        let full = StorageError::io("write", Path::new("/s"), io::ErrorKind::StorageFull.into());
        assert_eq!(full.to_string(), "not enough disk space at /s; free some space and call again");
        let short = |reserve| {
            StorageError::NoSpace { path: "/s".into(), needed: 5, reserve, available: 3 }.to_string()
        };
        assert!(short(0).contains("/s: 5 bytes needed, 3 available"));
        assert!(
            short(4).contains("/s: 5 bytes needed, of which 4 are a reserve that stays free, 3 available")
        );
    }
}
