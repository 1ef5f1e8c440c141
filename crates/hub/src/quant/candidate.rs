//! A variant that has no final name yet.

use super::Format;

#[derive(Debug)]
pub(super) struct Candidate {
    pub(super) format: Format,
    /// The folder it lives in, without the folders that hold parts of it.
    pub(super) dir: String,
    /// Identifies the model among those of the same format.
    pub(super) model: String,
    /// The name if nothing else has it: `q4`, `Q4_K_M`, `awq`.
    pub(super) short: String,
    /// The name that tells models apart: the stem without the words for its parts.
    pub(super) label: String,
    /// The file name, when even the label is taken.
    pub(super) detail: String,
    /// Whether the folder itself says what the variant is, so that its path is name enough.
    pub(super) by_folder: bool,
    /// The file whose header says what no name does: `short` is a guess or the stem.
    pub(super) open: Option<usize>,
    /// Indices of its own files, unsorted.
    pub(super) files: Vec<usize>,
}
