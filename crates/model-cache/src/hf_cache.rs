//! The cache folder of `huggingface_hub` as it lies on the disk:
//!
//! ```text
//! models--{owner}--{name}/refs/{revision}                 a commit
//! models--{owner}--{name}/snapshots/{commit}/{path}       a link to ../../blobs/{digest}; without links the file itself
//! models--{owner}--{name}/blobs/{sha256 or git sha1}
//! models--{owner}--{name}/trees/{commit}.json             what the Hub listed, written since huggingface_hub 1.22
//! ```
//!
//! (<https://huggingface.co/docs/hub/local-cache>.) Its contents are somebody else's: nothing outside the folder is read.

use std::collections::HashMap;
use std::fs::{self, DirEntry};
use std::io;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tabagent_hub::is_safe_path;
use tabagent_storage::Digest;

use crate::error::{Error, Result};
use crate::repo_name::{check_repo, check_revision, is_commit};

/// What the folder holds.
#[derive(Default)]
pub(crate) struct HfCache {
    pub(crate) snapshots: Vec<Snapshot>,
    pub(crate) skipped: Vec<Skipped>,
}

/// A file or folder that was left alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// Path in the folder that was imported from.
    pub path: String,
    /// Why.
    pub why: String,
}

/// One commit of one repository; rarely with all its files.
pub(crate) struct Snapshot {
    pub(crate) repo: String,
    pub(crate) commit: String,
    /// Branches and tags that stood for the commit.
    pub(crate) revisions: Vec<String>,
    pub(crate) files: Vec<SnapshotFile>,
}

/// One file of a snapshot.
#[derive(Clone)]
pub(crate) struct SnapshotFile {
    /// Path in the repository.
    pub(crate) path: String,
    /// Path in the cache folder, for messages.
    pub(crate) shown: String,
    /// Where its bytes are.
    pub(crate) source: PathBuf,
    pub(crate) size: u64,
    /// From the name of its blob, or the Hub's listing for a file that is no link; older folders have none for such a file.
    pub(crate) digest: Option<Digest>,
}

impl HfCache {
    /// Looks at all models in `directory`, or at one.
    ///
    /// # Errors
    /// `ERR_INVALID_ARGUMENT` when it cannot be read as a folder, `ERR_REPO_NOT_FOUND` when it has not the one asked for.
    pub(crate) fn read(directory: &Path, repo: Option<&str>) -> Result<Self> {
        let unusable = |error: &io::Error| Error::InvalidArgument {
            name: "directory",
            message: format!("{} cannot be read as a folder: {error}", directory.display()),
        };
        let root = directory.canonicalize().map_err(|error| unusable(&error))?;
        let mut walk = Walk { root: &root, out: Self::default() };
        let mut seen = false;
        for entry in entries(&root).map_err(|error| unusable(&error))? {
            let name = entry.file_name().to_string_lossy().into_owned();
            let Some(found) = name.strip_prefix("models--").map(|id| id.replace("--", "/")) else {
                if repo.is_none() && (name.starts_with("datasets--") || name.starts_with("spaces--")) {
                    walk.skip(&entry.path(), "it is no model");
                }
                continue;
            };
            if repo.is_some_and(|repo| !repo.eq_ignore_ascii_case(&found)) {
                continue;
            }
            seen = true;
            walk.model(&entry.path(), &found);
        }
        match repo {
            Some(repo) if !seen => {
                Err(Error::NotInFolder { repo: repo.to_owned(), folder: directory.to_owned() })
            }
            _ => Ok(walk.out),
        }
    }
}

struct Walk<'a> {
    /// Canonical.
    root: &'a Path,
    out: HfCache,
}

impl Walk<'_> {
    fn skip(&mut self, path: &Path, why: impl Into<String>) {
        self.out.skipped.push(Skipped { path: self.shown(path), why: why.into() });
    }

    fn shown(&self, path: &Path) -> String {
        path.strip_prefix(self.root).unwrap_or(path).to_string_lossy().replace('\\', "/")
    }

    fn model(&mut self, folder: &Path, repo: &str) {
        if check_repo(repo).is_err() {
            return self.skip(folder, "its name is not that of a repository");
        }
        for entry in entries(&folder.join("blobs")).unwrap_or_default() {
            if entry.file_name().to_string_lossy().ends_with(".incomplete") {
                self.skip(&entry.path(), "it is a download that was not finished");
            }
        }
        let mut revisions = self.revisions(&folder.join("refs"));
        for entry in entries(&folder.join("snapshots")).unwrap_or_default() {
            let commit = entry.file_name().to_string_lossy().to_ascii_lowercase();
            if !is_commit(&commit) {
                self.skip(&entry.path(), "its name is not a commit");
                continue;
            }
            let tree = self.tree(&folder.join("trees").join(format!("{commit}.json")));
            let files = self.files(&entry.path(), &tree);
            let revisions = revisions.remove(&commit).unwrap_or_default();
            self.out.snapshots.push(Snapshot { repo: repo.to_owned(), commit, revisions, files });
        }
    }

    /// Revisions by the commit they stand for.
    fn revisions(&mut self, folder: &Path) -> HashMap<String, Vec<String>> {
        let mut out: HashMap<String, Vec<String>> = HashMap::new();
        for (at, revision) in self.walk(folder) {
            let source = match self.source(&at) {
                Ok((source, _)) => source,
                Err(why) => {
                    self.skip(&at, why);
                    continue;
                }
            };
            let commit = fs::read_to_string(source).map(|text| text.trim().to_ascii_lowercase());
            match commit {
                Ok(commit) if is_commit(&commit) && check_revision(Some(&revision)).is_ok() => {
                    out.entry(commit).or_default().push(revision);
                }
                _ => self.skip(&at, "it is no revision with a commit"),
            }
        }
        out
    }

    /// The digests of a commit's files as the Hub listed them; empty when that was not kept.
    fn tree(&self, path: &Path) -> HashMap<String, Digest> {
        let text = self.source(path).ok().and_then(|(source, _)| fs::read(source).ok()).unwrap_or_default();
        let tree: Value = serde_json::from_slice(&text).unwrap_or_default();
        let files = tree.get("files").and_then(Value::as_object).into_iter().flatten();
        let digest = |(path, file): (&String, &Value)| {
            let named = file.get("lfs_sha256").or_else(|| file.get("blob_id"))?;
            Some((path.clone(), digest_of(named.as_str()?)?))
        };
        files.filter_map(digest).collect()
    }

    fn files(&mut self, snapshot: &Path, tree: &HashMap<String, Digest>) -> Vec<SnapshotFile> {
        let mut out = Vec::new();
        for (at, path) in self.walk(snapshot) {
            match self.file(&at, path, tree) {
                Ok(file) => out.push(file),
                Err(why) => self.skip(&at, why),
            }
        }
        out
    }

    /// Everything below `folder` that is no folder, by its path there with `/`. Links are not followed.
    fn walk(&mut self, folder: &Path) -> Vec<(PathBuf, String)> {
        let mut out = Vec::new();
        let mut folders = vec![(folder.to_owned(), String::new())];
        while let Some((folder, prefix)) = folders.pop() {
            for entry in entries(&folder).unwrap_or_default() {
                let Ok(name) = entry.file_name().into_string() else {
                    self.skip(&entry.path(), "its name is not text");
                    continue;
                };
                let path = format!("{prefix}{name}");
                if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                    folders.push((entry.path(), format!("{path}/")));
                } else {
                    out.push((entry.path(), path));
                }
            }
        }
        out
    }

    fn file(
        &self,
        at: &Path,
        path: String,
        tree: &HashMap<String, Digest>,
    ) -> std::result::Result<SnapshotFile, String> {
        if !is_safe_path(&path) {
            return Err("its path is none that a repository may have".to_owned());
        }
        let (source, size) = self.source(at)?;
        let name = source.file_name().unwrap_or_default().to_string_lossy();
        if name.ends_with(".incomplete") {
            return Err("it is a download that was not finished".to_owned());
        }
        let digest = if at.is_symlink() { digest_of(&name) } else { tree.get(&path).copied() };
        Ok(SnapshotFile { path, shown: self.shown(at), digest, size, source })
    }

    /// The file that `at` is or leads to, and its bytes; or why it is not to be read.
    fn source(&self, at: &Path) -> std::result::Result<(PathBuf, u64), String> {
        let source = at.canonicalize().map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => "its link leads to nothing".to_owned(),
            _ => format!("it cannot be reached: {error}"),
        })?;
        if !source.starts_with(self.root) {
            return Err("its link leads out of the folder".to_owned());
        }
        let metadata = fs::metadata(&source).map_err(|error| format!("it cannot be looked at: {error}"))?;
        if !metadata.is_file() {
            return Err("it is no file".to_owned());
        }
        Ok((source, metadata.len()))
    }
}

/// The digest that is a blob's name; other endpoints than the Hub may give other names.
fn digest_of(name: &str) -> Option<Digest> {
    let mut sha256 = [0; 32];
    let mut git_sha1 = [0; 20];
    if hex::decode_to_slice(name, &mut sha256).is_ok() {
        return Some(Digest::Sha256(sha256));
    }
    hex::decode_to_slice(name, &mut git_sha1).ok().map(|()| Digest::GitSha1(git_sha1))
}

/// The entries of a folder, by name.
fn entries(folder: &Path) -> io::Result<Vec<DirEntry>> {
    let mut out = fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>()?;
    out.sort_by_key(DirEntry::file_name);
    Ok(out)
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn neither_revisions_nor_listings_are_read_outside_of_the_folder() {
        let (folder, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (repo, commit) = (folder.path().join("models--acme--m"), "c".repeat(40));
        let snapshot = repo.join("snapshots").join(&commit);
        for made in [&snapshot, &repo.join("refs"), &repo.join("trees")] {
            fs::create_dir_all(made).unwrap();
        }
        fs::write(snapshot.join("a"), "bytes").unwrap();
        fs::write(repo.join("refs/main"), &commit).unwrap();
        fs::write(outside.path().join("commit"), &commit).unwrap();
        let tree = format!(r#"{{"files":{{"a":{{"blob_id":"{}"}}}}}}"#, "d".repeat(40));
        fs::write(outside.path().join("tree"), tree).unwrap();
        symlink(outside.path().join("commit"), repo.join("refs/other")).unwrap();
        symlink(outside.path().join("tree"), repo.join("trees").join(format!("{commit}.json"))).unwrap();
        let found = HfCache::read(folder.path(), None).unwrap();
        assert_eq!(found.snapshots[0].revisions, ["main"]);
        assert_eq!(found.snapshots[0].files[0].digest, None);
        let why = "its link leads out of the folder".to_owned();
        assert_eq!(found.skipped, [Skipped { path: "models--acme--m/refs/other".to_owned(), why }]);
    }
}
