//! The errors of the cache, and the one place where they become public codes.

mod fields;

use std::path::PathBuf;
use std::sync::Arc;

use tabagent_hub::HubError;
use tabagent_storage::StorageError;

pub use self::fields::ErrorFields;

/// Result of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// An error of the cache. [`Error::code`] is what callers branch on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An argument that cannot be used; nothing was done.
    #[error("{name} is not valid: {message}")]
    InvalidArgument {
        /// Which argument.
        name: &'static str,
        /// What is wrong and what is expected.
        message: String,
    },
    /// A file stands where one is to be written; nothing was done.
    #[error("{} exists already: remove it, or allow overwriting", path.display())]
    Taken {
        /// The file.
        path: PathBuf,
    },
    /// The repository has no such quant.
    #[error("{repo} has no quant \"{quant}\" at commit {commit}; it has: {}", list(.available))]
    QuantNotFound {
        /// Repository.
        repo: String,
        /// Commit that was looked at.
        commit: String,
        /// The name as asked for.
        quant: String,
        /// The names there are.
        available: Vec<String>,
    },
    /// The commit has no such file.
    #[error("{repo} has no file \"{path}\" at {commit}; scan the repository to see what is there")]
    FileNotFound {
        /// Repository.
        repo: String,
        /// Commit that was looked at, or the revision when none of its commits has the file.
        commit: String,
        /// Path as asked for.
        path: String,
    },
    /// What is to be exported or loaded is not complete here.
    #[error("{repo} {what} is not complete in this cache at commit {commit}; download it first")]
    NotDownloaded {
        /// Repository.
        repo: String,
        /// Commit that was looked at.
        commit: String,
        /// The file or quant.
        what: String,
        /// The file, or the first one of the quant that is missing.
        path: String,
    },
    /// The store knows nothing of this repository (at this revision).
    #[error("{repo} is not in this cache at {revision}; scan it first")]
    NotStored {
        /// Repository.
        repo: String,
        /// Revision asked for.
        revision: String,
    },
    /// Nothing of the repository (at this revision) is here that could be removed or checked.
    #[error("nothing of {repo} is in this cache at {revision}; list the manifests to see what is")]
    NothingStored {
        /// Repository.
        repo: String,
        /// Revision asked for.
        revision: String,
    },
    /// A folder that was to be imported from does not have the repository.
    #[error("{repo} is not in the folder {}; look at the names of its subfolders (models--owner--name)", folder.display())]
    NotInFolder {
        /// Repository.
        repo: String,
        /// The folder.
        folder: PathBuf,
    },
    /// The network is needed and `offline` forbids it.
    #[error("{repo} {what}, and offline mode forbids the network; call again without offline")]
    Offline {
        /// Repository.
        repo: String,
        /// What is missing here.
        what: String,
    },
    /// The bytes that came are not the ones the listing promised. Nothing of them is served.
    #[error(
        "{repo} {path}: the downloaded bytes have another digest than the listing gives \
         (expected {expected}, got {actual}); download again, or use another endpoint"
    )]
    Integrity {
        /// Repository.
        repo: String,
        /// Path of the file.
        path: String,
        /// Digest the listing gave.
        expected: String,
        /// Digest of what came.
        actual: String,
    },
    /// Something else is using it now.
    #[error("{repo} {what} is in use: {reason}")]
    InUse {
        /// Repository.
        repo: String,
        /// The quant or file.
        what: String,
        /// By whom, and what to do.
        reason: String,
    },
    /// The download would exceed the size limit, and what may go is not enough. Nothing was removed.
    #[error(
        "the download needs {needed} bytes, and of the {limit} that the model cache at {} may hold (its size limit) only \
         {available} can be made free; raise the limit, remove quants, or close the files of some",
        path.display()
    )]
    OverLimit {
        /// Folder of the cache.
        path: PathBuf,
        /// The limit in bytes.
        limit: u64,
        /// Bytes the download needs.
        needed: u64,
        /// Bytes there would be without everything that may go.
        available: u64,
    },
    /// Stored bytes of a file are damaged or gone.
    #[error(
        "{path} of {repo} is damaged: {reason}; verify() with repair fetches just that again, or remove it and download it \
         again"
    )]
    Damaged {
        /// Repository.
        repo: String,
        /// Path of the file.
        path: String,
        /// Which bytes, and what does not fit.
        reason: String,
    },
    /// The cache was closed.
    #[error("the model cache at {path} is closed; open it again")]
    Closed {
        /// Folder of the cache.
        path: String,
    },
    /// The Hub, or the way to it.
    #[error(transparent)]
    Hub(HubError),
    /// The store.
    #[error(transparent)]
    Storage(StorageError),
    /// Outcome of a transfer that several callers waited for.
    #[error(transparent)]
    Shared(Arc<Error>),
}

fn list(names: &[String]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

/// Every public code, in the order of the documentation.
pub const ERROR_CODES: &[&str] = &[
    "ERR_INVALID_ARGUMENT",
    "ERR_REPO_NOT_FOUND",
    "ERR_REVISION_NOT_FOUND",
    "ERR_FILE_NOT_FOUND",
    "ERR_QUANT_NOT_FOUND",
    "ERR_UNAUTHORIZED",
    "ERR_GATED",
    "ERR_RATE_LIMITED",
    "ERR_OFFLINE",
    "ERR_NETWORK",
    "ERR_HTTP",
    "ERR_INTEGRITY",
    "ERR_NO_SPACE",
    "ERR_CORRUPT",
    "ERR_IN_USE",
    "ERR_READ_ONLY",
    "ERR_CLOSED",
    "ERR_TOO_LARGE",
    "ERR_VERSION_MISMATCH",
    "ERR_UNSUPPORTED_FILESYSTEM",
    "ERR_IO",
];

impl Error {
    /// The public code, one of [`ERROR_CODES`].
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::InvalidArgument { .. } | Self::Taken { .. } => "ERR_INVALID_ARGUMENT",
            Self::NotStored { .. } | Self::NothingStored { .. } | Self::NotInFolder { .. } => {
                "ERR_REPO_NOT_FOUND"
            }
            Self::QuantNotFound { .. } => "ERR_QUANT_NOT_FOUND",
            Self::FileNotFound { .. } | Self::NotDownloaded { .. } => "ERR_FILE_NOT_FOUND",
            Self::Offline { .. } => "ERR_OFFLINE",
            Self::Integrity { .. } => "ERR_INTEGRITY",
            Self::InUse { .. } => "ERR_IN_USE",
            Self::OverLimit { .. } => "ERR_NO_SPACE",
            Self::Damaged { .. } => "ERR_CORRUPT",
            Self::Closed { .. } => "ERR_CLOSED",
            Self::Hub(error) => hub_code(error),
            Self::Storage(error) => storage_code(error),
            Self::Shared(error) => error.code(),
        }
    }
}

fn hub_code(error: &HubError) -> &'static str {
    match error {
        HubError::RepoNotFound { .. } => "ERR_REPO_NOT_FOUND",
        HubError::RevisionNotFound { .. } => "ERR_REVISION_NOT_FOUND",
        HubError::FileNotFound { .. } => "ERR_FILE_NOT_FOUND",
        HubError::Unauthorized { .. } => "ERR_UNAUTHORIZED",
        HubError::Gated { .. } => "ERR_GATED",
        HubError::RateLimited { .. } => "ERR_RATE_LIMITED",
        HubError::Network { .. } => "ERR_NETWORK",
        HubError::Http { .. } => "ERR_HTTP",
        HubError::Integrity { .. } => "ERR_INTEGRITY",
        HubError::InvalidArgument { .. } => "ERR_INVALID_ARGUMENT",
        HubError::Cancelled => "ERR_CLOSED",
        HubError::Sink(_) => "ERR_IO",
    }
}

fn storage_code(error: &StorageError) -> &'static str {
    match error {
        StorageError::InvalidArgument { .. } => "ERR_INVALID_ARGUMENT",
        StorageError::NoSpace { .. } => "ERR_NO_SPACE",
        StorageError::Corrupt { .. } => "ERR_CORRUPT",
        StorageError::InUse { .. } | StorageError::Gone { .. } => "ERR_IN_USE",
        StorageError::Forked { .. } => "ERR_CLOSED",
        StorageError::ReadOnly { .. } => "ERR_READ_ONLY",
        StorageError::VersionMismatch { .. } => "ERR_VERSION_MISMATCH",
        StorageError::UnsupportedFilesystem { .. }
        | StorageError::NoReflink { .. }
        | StorageError::NotShown { .. } => "ERR_UNSUPPORTED_FILESYSTEM",
        StorageError::TooLarge { .. } => "ERR_TOO_LARGE",
        StorageError::Io { .. } | StorageError::Database { .. } | StorageError::Broken { .. } => "ERR_IO",
    }
}

impl From<HubError> for Error {
    fn from(error: HubError) -> Self {
        match error {
            // What the sink refused is an error of the store, handed through the transfer unchanged.
            HubError::Sink(cause) => match cause.downcast::<StorageError>() {
                Ok(storage) => Self::Storage(*storage),
                Err(other) => Self::Hub(HubError::Sink(other)),
            },
            other => Self::Hub(other),
        }
    }
}

impl From<StorageError> for Error {
    fn from(error: StorageError) -> Self {
        Self::Storage(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_write_keeps_its_own_code_through_the_transfer() {
        let no_space = StorageError::NoSpace { path: "/x".into(), needed: 5, reserve: 0, available: 3 };
        let error = Error::from(HubError::Sink(Box::new(no_space)));
        assert_eq!(error.code(), "ERR_NO_SPACE");
        assert_eq!((error.fields().needed, error.fields().available), (Some(5), Some(3)));
    }

    #[test]
    fn a_shared_error_says_what_the_original_says() {
        let original = Error::Closed { path: "/cache".to_owned() };
        let text = original.to_string();
        let shared = Error::Shared(Arc::new(original));
        assert_eq!((shared.code(), shared.to_string()), ("ERR_CLOSED", text));
        assert!(ERROR_CODES.contains(&shared.code()));
    }
}
