//! Where a folder is that may not be there yet, and which file it is that is there.

use std::path::{Component, Path, PathBuf};

/// Where the folder is, or will be when it is made: step by step, since `..` leads to another place behind a link than its text says,
/// and a folder that is not there yet is none.
pub(crate) fn resolved(folder: &Path) -> PathBuf {
    let mut place = std::env::current_dir().unwrap_or_default();
    for component in folder.components() {
        match component {
            Component::ParentDir => {
                place.pop();
            }
            other => place.push(other),
        }
        place = place.canonicalize().unwrap_or(place);
    }
    place
}

/// What the file at `path` has alone, whatever it is called; `None` where nothing is. Of a link it is the link's.
#[cfg(unix)]
pub(crate) fn identity(path: &Path) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt as _;
    path.symlink_metadata().ok().map(|found| (found.dev(), found.ino()))
}

/// What the file at `path` has alone, whatever it is called; `None` where nothing is. The system says how it spells the path.
#[cfg(not(unix))]
pub(crate) fn identity(path: &Path) -> Option<PathBuf> {
    path.canonicalize().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_found_through_what_is_not_there_and_behind_links() {
        let folder = tempfile::tempdir().unwrap();
        let base = folder.path().canonicalize().unwrap();
        std::fs::create_dir_all(base.join("store/inner")).unwrap();
        for text in ["store", "new/../store", "new/deep/../../store", "store/inner/..", "./store"] {
            assert_eq!(resolved(&base.join(text)), base.join("store"), "{text}");
        }
        assert_eq!(resolved(&base.join("store/new/x")), base.join("store/new/x"));
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(base.join("store/inner"), base.join("link")).unwrap();
            assert_eq!(resolved(&base.join("link/../other")), base.join("store/other"));
        }
    }
}
