//! Which repository, revision and path names may be put into a URL.

use crate::error::HubError;

/// `name` or `owner/name`, of letters, digits, `-`, `_` and `.`.
pub(crate) fn check_repo(repo: &str) -> Result<(), HubError> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let valid = |part: &str| !matches!(part, "" | "." | "..") && part.chars().all(allowed);
    if repo.split('/').count() <= 2 && repo.split('/').all(valid) {
        return Ok(());
    }
    Err(invalid("repo", repo, "name or owner/name, of letters, digits, '-', '_' and '.'"))
}

/// What git allows as the name of a branch, tag or commit.
pub(crate) fn check_revision(revision: &str) -> Result<(), HubError> {
    let allowed = |c: char| !c.is_control() && !" ~^:?*[\\".contains(c);
    if revision.chars().all(allowed) && revision.split('/').all(|part| !matches!(part, "" | "." | "..")) {
        return Ok(());
    }
    Err(invalid("revision", revision, "the name of a branch or tag, or a commit"))
}

/// A path as listings give it.
pub(crate) fn check_path(path: &str) -> Result<(), HubError> {
    if crate::listing::is_safe_path(path) {
        return Ok(());
    }
    Err(invalid("path", path, "relative, with '/' between folders and no '.' or '..' segment"))
}

fn invalid(name: &'static str, given: &str, rule: &str) -> HubError {
    HubError::InvalidArgument { name, message: format!("{given:?} is not {rule}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_the_names_the_hub_has() {
        for repo in ["gpt2", "Xenova/all-MiniLM-L6-v2", "a_b/c.d"] {
            assert!(check_repo(repo).is_ok(), "{repo}");
        }
        for revision in ["main", "refs/pr/3", "v1.0", "c5f93f5df8c1b7d9e4a1"] {
            assert!(check_revision(revision).is_ok(), "{revision}");
        }
    }

    #[test]
    fn refuses_names_that_would_change_the_url() {
        for repo in ["", "/", "a/", "/a", "a/b/c", "..", "a/..", "a b", "a/b?x", "a#b", "a%2fb", "a\\b"] {
            assert!(check_repo(repo).is_err(), "{repo}");
        }
        for revision in ["", ".", "..", "a/../b", "a b", "a\nb", "a:b"] {
            assert!(check_revision(revision).is_err(), "{revision}");
        }
    }
}
