//! Files that accompany a model.

use super::Role;
use super::gguf_tag;
use super::words::words;

const DRAFTS: &[&str] = &["dflash", "draft", "drafter", "dspark", "eagle", "eagle2", "eagle3"];

/// The role of a GGUF that is not a model by its stem and folder; `None` for a model.
pub(super) fn role(dir: &str, stem: &str) -> Option<Role> {
    let lower = stem.to_ascii_lowercase();
    let words: Vec<&str> = words(&lower).collect();
    let has = |wanted: &str| words.contains(&wanted);
    let first = words.first().copied().unwrap_or_default();
    if words.iter().any(|word| word.contains("mmproj")) || has("projector") {
        Some(Role::Projector)
    } else if first == "imatrix" || (has("imatrix") && gguf_tag::find(stem).is_none()) {
        Some(Role::Imatrix)
    } else if has("lora") || has("loras") {
        Some(Role::Adapter)
    } else if has("vocab") {
        Some(Role::Other)
    } else if is_draft(dir, &lower) {
        Some(Role::Draft)
    } else {
        None
    }
}

/// Whether the stem, in lower case, or a folder says that it guesses tokens for another model.
pub(super) fn is_draft(dir: &str, stem: &str) -> bool {
    let mut words = words(stem);
    words.clone().next() == Some("mtp") || words.any(|word| DRAFTS.contains(&word)) || is_draft_folder(dir)
}

fn is_draft_folder(dir: &str) -> bool {
    let is_draft = |name: &str| {
        name == "mtp" || DRAFTS.contains(&name) || words(name).any(|word| matches!(word, "draft" | "drafter"))
    };
    dir.split('/').any(|component| is_draft(&component.to_ascii_lowercase()))
}
