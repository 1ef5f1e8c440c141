//! A file of the listing, taken apart once.

use super::kind::{self, Kind};
use super::{Role, SourceFile};

pub(super) struct Entry<'a> {
    /// Position in the listing.
    pub(super) index: usize,
    pub(super) path: &'a str,
    /// Folder without a trailing slash; empty at the root.
    pub(super) dir: &'a str,
    pub(super) name: &'a str,
    pub(super) lower: String,
    pub(super) size: u64,
    pub(super) kind: Kind,
}

impl<'a> Entry<'a> {
    pub(super) fn new(index: usize, file: &SourceFile<'a>) -> Self {
        let (dir, name) = file.path.rsplit_once('/').unwrap_or(("", file.path));
        let lower = name.to_ascii_lowercase();
        let kind = kind::of_name(&lower);
        Self { index, path: file.path, dir, name, lower, size: file.size, kind }
    }

    /// The name without its last extension.
    pub(super) fn stem(&self) -> &'a str {
        self.name.rsplit_once('.').map_or(self.name, |(stem, _)| stem)
    }

    /// The last extension in lower case, empty when there is none.
    pub(super) fn extension(&self) -> &str {
        self.lower.rsplit_once('.').map_or("", |(_, extension)| extension)
    }

    pub(super) fn settle(&mut self, role: Role) {
        self.kind = Kind::Settled(role);
    }
}

/// The folders above and including `dir`, deepest first, the root (empty) last.
pub(super) fn ancestors(dir: &str) -> impl Iterator<Item = &str> {
    let mut next = Some(dir);
    std::iter::from_fn(move || {
        let current = next?;
        next = if current.is_empty() { None } else { Some(parent(current)) };
        Some(current)
    })
}

/// The folder that holds `dir`; empty for a folder at the root.
pub(super) fn parent(dir: &str) -> &str {
    dir.rsplit_once('/').map_or("", |(parent, _)| parent)
}

/// The last component of `dir`.
pub(super) fn last_component(dir: &str) -> &str {
    dir.rsplit_once('/').map_or(dir, |(_, last)| last)
}
