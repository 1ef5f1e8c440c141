//! Names that lead to others.

use rkyv::{Archive, Deserialize, Serialize};

use super::record;

/// The id the API returned for a name that was asked for (other case, old name after a rename).
#[derive(Archive, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct AliasRecord {
    /// Repository id as the API spells it.
    pub repo: String,
}
record!(AliasRecord, 1);

/// Marks that a file of a commit uses a blob; the key says everything but the path of an overlong key.
#[derive(Archive, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct UseRecord {
    /// Path of the file in its repository.
    pub path: String,
}
record!(UseRecord, 1);
