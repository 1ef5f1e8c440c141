//! From what a listing was sorted into quants, besides its files.

use rkyv::{Archive, Deserialize, Serialize};

use super::record;

/// What the endpoint said of the repository when the listing of the same key was sorted. With it the listing can be sorted again
/// without a network, when headers have told more.
#[derive(Archive, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
pub struct SortingRecord {
    /// When it was sorted last, milliseconds since 1970: as the listing was scanned, unless headers told more since.
    pub sorted_at_ms: u64,
    /// Repository id.
    pub repo: Option<String>,
    /// Library of the model card.
    pub library_name: Option<String>,
    /// Tags.
    pub tags: Vec<String>,
    /// Quantization method of the model's configuration.
    pub quant_method: Option<String>,
    /// Bits per weight of the same.
    pub bits: Option<u32>,
    /// The dtype that most parameters have.
    pub dtype: Option<String>,
    /// Whether the repository is in MLX form.
    pub mlx: bool,
}
record!(SortingRecord, 1);
