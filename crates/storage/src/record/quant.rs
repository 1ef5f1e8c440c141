//! What happened to one quant of one commit.

use rkyv::{Archive, Deserialize, Serialize};

use super::record;

/// Why the last download of a quant failed.
#[derive(Archive, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct QuantFault {
    /// Public error code.
    pub code: String,
    /// Message for a person.
    pub message: String,
}

/// History of one quant. Its status is derived from this, its blobs and the live leases; it is never stored.
#[derive(Archive, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct QuantRecord {
    /// Name as in the manifest.
    pub name: String,
    /// Last change, milliseconds since 1970.
    pub updated_at_ms: u64,
    /// Set when all its files were complete at once; cleared by a removal.
    pub completed_at_ms: Option<u64>,
    /// Never evicted to make room.
    pub keep: bool,
    /// Set when the last download failed, cleared when the next begins.
    pub fault: Option<QuantFault>,
}
record!(QuantRecord, 1);
