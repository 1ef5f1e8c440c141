//! What an error says to programs besides its code and message.

use std::error::Error as _;

use tabagent_hub::HubError;
use tabagent_storage::StorageError;

use super::Error;

/// The optional fields of an error.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ErrorFields {
    /// Repository.
    pub repo: Option<String>,
    /// Path in the repository, or of the folder.
    pub path: Option<String>,
    /// URL without query.
    pub url: Option<String>,
    /// HTTP status.
    pub status: Option<u16>,
    /// Seconds after which the server allows another try.
    pub retry_after: Option<f64>,
    /// What should have come.
    pub expected: Option<String>,
    /// What came.
    pub actual: Option<String>,
    /// Bytes needed.
    pub needed: Option<u64>,
    /// Bytes there are.
    pub available: Option<u64>,
}

impl ErrorFields {
    fn of(repo: &str, path: Option<&str>) -> Self {
        Self { repo: Some(repo.to_owned()), path: path.map(str::to_owned), ..Self::default() }
    }
}

impl Error {
    /// Messages of the errors below this one, outermost first.
    #[must_use]
    pub fn causes(&self) -> Vec<String> {
        std::iter::successors(self.source(), |&cause| cause.source()).map(ToString::to_string).collect()
    }

    /// What a program may want besides the message.
    #[must_use]
    pub fn fields(&self) -> ErrorFields {
        match self {
            Self::InvalidArgument { .. } | Self::Closed { .. } => ErrorFields::default(),
            Self::QuantNotFound { repo, .. }
            | Self::NotStored { repo, .. }
            | Self::NothingStored { repo, .. }
            | Self::NotInFolder { repo, .. }
            | Self::Offline { repo, .. }
            | Self::InUse { repo, .. } => ErrorFields::of(repo, None),
            Self::FileNotFound { repo, path, .. }
            | Self::Damaged { repo, path, .. }
            | Self::NotDownloaded { repo, path, .. } => ErrorFields::of(repo, Some(path)),
            Self::Integrity { repo, path, expected, actual } => ErrorFields {
                expected: Some(expected.clone()),
                actual: Some(actual.clone()),
                ..ErrorFields::of(repo, Some(path))
            },
            Self::OverLimit { path, needed, available, .. } => ErrorFields {
                path: Some(path.display().to_string()),
                needed: Some(*needed),
                available: Some(*available),
                ..ErrorFields::default()
            },
            Self::Taken { path } => {
                ErrorFields { path: Some(path.display().to_string()), ..ErrorFields::default() }
            }
            Self::Hub(error) => hub_fields(error),
            Self::Storage(error) => storage_fields(error),
            Self::Shared(error) => error.fields(),
        }
    }
}

fn hub_fields(error: &HubError) -> ErrorFields {
    let url = |url: &str| ErrorFields { url: Some(url.to_owned()), ..ErrorFields::default() };
    match error {
        HubError::RepoNotFound { repo, url: u } | HubError::RevisionNotFound { repo, url: u, .. } => {
            ErrorFields { repo: Some(repo.clone()), ..url(u) }
        }
        HubError::FileNotFound { repo, path, url: u, .. } => {
            ErrorFields { repo: Some(repo.clone()), path: Some(path.clone()), ..url(u) }
        }
        HubError::Unauthorized { url: u, .. } | HubError::Network { url: u, .. } => url(u),
        HubError::Gated { repo, page } => ErrorFields { repo: Some(repo.clone()), ..url(page) },
        HubError::RateLimited { retry_after, url: u } => ErrorFields {
            retry_after: retry_after.map(|wait| wait.as_secs_f64()),
            status: Some(429),
            ..url(u)
        },
        HubError::Http { status, url: u, .. } => ErrorFields { status: Some(*status), ..url(u) },
        HubError::Integrity { url: u, expected, actual } => {
            ErrorFields { expected: Some(expected.clone()), actual: Some(actual.clone()), ..url(u) }
        }
        HubError::InvalidArgument { .. } | HubError::Cancelled | HubError::Sink(_) => ErrorFields::default(),
    }
}

fn storage_fields(error: &StorageError) -> ErrorFields {
    let at = |path: &std::path::Path| ErrorFields {
        path: Some(path.display().to_string()),
        ..ErrorFields::default()
    };
    match error {
        StorageError::NoSpace { path, needed, available, .. } => {
            ErrorFields { needed: Some(*needed), available: Some(*available), ..at(path) }
        }
        StorageError::ReadOnly { path, .. }
        | StorageError::VersionMismatch { path, .. }
        | StorageError::UnsupportedFilesystem { path, .. }
        | StorageError::NoReflink { path, .. }
        | StorageError::NotShown { path }
        | StorageError::Forked { path }
        | StorageError::Io { path, .. }
        | StorageError::Broken { path }
        | StorageError::Database { path, .. } => at(path),
        StorageError::TooLarge { size, limit, .. } => {
            ErrorFields { needed: Some(*size), available: Some(*limit), ..ErrorFields::default() }
        }
        StorageError::Corrupt { .. }
        | StorageError::InUse { .. }
        | StorageError::Gone { .. }
        | StorageError::InvalidArgument { .. } => ErrorFields::default(),
    }
}
