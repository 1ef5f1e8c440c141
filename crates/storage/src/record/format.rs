//! Which format a store has.

use rkyv::{Archive, Deserialize, Serialize};

use super::record;

/// Written when a store is created, checked whenever it is opened. Its own schema never changes.
#[derive(Archive, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub struct FormatRecord {
    /// Number of the on-disk format; a larger one than this library knows is refused.
    pub format: u32,
}
record!(FormatRecord, 1);
