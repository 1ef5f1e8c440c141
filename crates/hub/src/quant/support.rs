//! Gives every variant the tokenizer and configuration files it needs.

use std::collections::{HashMap, HashSet};

use super::Role;
use super::candidate::Candidate;
use super::entry::{Entry, ancestors};
use super::kind::Kind;

/// Entries that all variants together may gain. Beyond it (no real repository is near) they keep their own files
/// only, so that a listing of a million files cannot take a million times its size in memory.
const BUDGET: usize = 1 << 24;

/// Adds to each candidate the settings of its folder and of the folders above it, and returns those of every variant.
/// Settings in a folder without weights (`tokenizer/`, `1_Pooling/`) belong to the folder that has them, those beside an adapter or a
/// drafter to no variant.
pub(super) fn assign(
    entries: &[Entry<'_>],
    owned: &HashSet<usize>,
    candidates: &mut [Candidate],
) -> Vec<usize> {
    let above: HashSet<String> =
        candidates.iter().flat_map(|one| ancestors(&one.dir).map(str::to_owned)).collect();
    let aside: HashSet<&str> =
        entries.iter().filter(|entry| is_aside(entry.kind)).map(|entry| entry.dir).collect();
    let mut by_folder: HashMap<&str, Vec<usize>> = HashMap::new();
    for (position, entry) in entries.iter().enumerate() {
        let needed = matches!(entry.kind, Kind::Settled(role) if role.supports_weights());
        let mut below = ancestors(entry.dir).take_while(|dir| !above.contains(*dir));
        if needed && !owned.contains(&position) && !below.any(|dir| aside.contains(dir)) {
            let folder = ancestors(entry.dir).find(|dir| above.contains(*dir)).unwrap_or_default();
            by_folder.entry(folder).or_default().push(entry.index);
        }
    }
    let found = |dir: &str| by_folder.get(dir).map(Vec::as_slice).unwrap_or_default();
    let mut left = BUDGET;
    for candidate in candidates.iter_mut() {
        for dir in ancestors(&candidate.dir) {
            let files = found(dir);
            if files.len() <= left {
                left -= files.len();
                candidate.files.extend(files);
            }
        }
    }
    let mut shared = found("").to_vec();
    shared.sort_unstable();
    shared
}

/// Weights that are no variant.
const fn is_aside(kind: Kind) -> bool {
    matches!(kind, Kind::Settled(Role::Adapter | Role::Draft))
}
