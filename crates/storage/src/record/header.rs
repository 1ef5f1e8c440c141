//! What the header of a file says of how its weights are quantized.

use rkyv::{Archive, Deserialize, Serialize};

use super::record;

/// What the header of a file of one endpoint says. An endpoint is believed for its own listings only: nothing proves the bytes of a
/// header as long as the whole file is not here.
#[derive(Archive, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct HeaderRecord {
    /// The name it gives to a quant; none when it says nothing that names one.
    pub variant: Option<String>,
    /// Which rules were read by: others may find more. The upper half counts how often that came to no end.
    pub rules: u32,
}
record!(HeaderRecord, 1);
