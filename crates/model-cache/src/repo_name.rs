//! The grammar of repository names and revisions (hub documentation: `name` or `owner/name`, letters, digits, `-`, `_`, `.`).

use crate::error::{Error, Result};

/// The revision used when none is named.
pub(crate) const MAIN: &str = "main";

/// Checks a repository name.
pub(crate) fn check_repo(repo: &str) -> Result<()> {
    let valid = match repo.split_once('/') {
        Some((owner, name)) => is_name(owner) && is_name(name),
        None => is_name(repo),
    };
    if valid {
        return Ok(());
    }
    Err(Error::InvalidArgument {
        name: "repo",
        message: format!("\"{repo}\" must be name or owner/name, as in \"acme/tiny-model\""),
    })
}

fn is_name(part: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    !part.is_empty()
        && part.len() <= 96
        && part.chars().all(allowed)
        && !part.starts_with('.')
        && !part.contains("..")
}

/// The revision asked for, `main` by default.
pub(crate) fn check_revision(revision: Option<&str>) -> Result<&str> {
    let revision = revision.unwrap_or(MAIN);
    let bad = |c: char| c.is_control() || matches!(c, ' ' | ':' | '~' | '^' | '?' | '*' | '[' | '\\');
    if revision.is_empty() || revision.len() > 250 || revision.contains("..") || revision.contains(bad) {
        return Err(Error::InvalidArgument {
            name: "revision",
            message: format!("\"{revision}\" must be a branch, a tag or a commit"),
        });
    }
    Ok(revision)
}

/// Whether a revision is a full commit hash (sha1, or sha256 in newer repositories), whose listing never changes.
pub(crate) fn is_commit(revision: &str) -> bool {
    matches!(revision.len(), 40 | 64) && revision.bytes().all(|b| b.is_ascii_hexdigit())
}

/// Checks a path in a repository.
pub(crate) fn check_path(path: &str) -> Result<()> {
    if path.is_empty() || path.contains('\0') {
        return Err(Error::InvalidArgument {
            name: "path",
            message: "it must be a path in the repository, as in \"onnx/model.onnx\"".to_owned(),
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_name_or_owner_and_name() {
        for good in ["bert-base", "acme/tiny_model-1.5", "A/b"] {
            assert!(check_repo(good).is_ok(), "{good}");
        }
        for bad in ["", "a/b/c", "/b", "a/", "a b", "a/..", "../x", "a@b", "a:b", ".hidden/x"] {
            assert!(check_repo(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn revisions_default_to_main_and_refuse_what_git_refuses() {
        assert_eq!(check_revision(None).unwrap(), "main");
        assert_eq!(check_revision(Some("refs/pr/3")).unwrap(), "refs/pr/3");
        for bad in ["", "a b", "a..b", "a:b", "a\n"] {
            assert!(check_revision(Some(bad)).is_err(), "{bad}");
        }
    }

    #[test]
    fn only_a_full_hash_is_a_commit() {
        assert!(is_commit(&"a1".repeat(20)) && is_commit(&"a1".repeat(32)));
        assert!(!is_commit(&"a1".repeat(19)) && !is_commit("main"));
    }
}
