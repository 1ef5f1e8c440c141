//! Marks a listing that was made from files of this machine.

use rkyv::{Archive, Deserialize, Serialize};

use super::record;

/// The listing of the same key was made from what an import found: it names no file that was not there, and no endpoint has
/// confirmed it. A scan of the commit replaces it.
#[derive(Archive, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct ImportRecord {
    /// When, milliseconds since 1970.
    pub imported_at_ms: u64,
}
record!(ImportRecord, 1);
