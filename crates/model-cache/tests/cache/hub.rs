//! A Hub of a few small repositories.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use serde_json::json;
use sha2::{Digest as _, Sha256};
use tabagent_model_cache::{CacheOptions, ModelCache, StorageRegistry};

use crate::server::{Reply, Request, Server};

/// One commit of a repository; all its files are LFS files.
#[derive(Clone)]
pub(crate) struct Repo {
    /// The id the API returns, whatever name was asked for.
    pub(crate) id: String,
    pub(crate) commit: String,
    pub(crate) files: BTreeMap<String, Vec<u8>>,
}

impl Repo {
    pub(crate) fn new(id: &str, commit: char, files: &[(&str, &[u8])]) -> Self {
        let files = files.iter().map(|(path, bytes)| ((*path).to_owned(), bytes.to_vec())).collect();
        Self { id: id.to_owned(), commit: commit.to_string().repeat(40), files }
    }

    fn info(&self) -> Reply {
        let siblings = self.files.iter().map(|(path, bytes)| {
            let sha256 = hex::encode(Sha256::digest(bytes));
            json!({
                "rfilename": path, "size": bytes.len(), "blobId": "0".repeat(40),
                "lfs": { "sha256": sha256, "size": bytes.len() }
            })
        });
        let siblings: Vec<_> = siblings.collect();
        Reply::json(&json!({ "id": self.id, "sha": self.commit, "siblings": siblings }))
    }
}

/// The repositories by the name they are asked for.
type Repos = Arc<Mutex<BTreeMap<String, Repo>>>;

pub(crate) struct Hub {
    pub(crate) server: Server,
    repos: Repos,
    folder: tempfile::TempDir,
}

impl Hub {
    pub(crate) async fn start() -> Self {
        let repos = Repos::default();
        let known = Arc::clone(&repos);
        let server = Server::start(move |request| {
            answer(&known.lock().unwrap(), request).unwrap_or_else(|| Reply::new(404, b"{}"))
        });
        Self { server: server.await, repos, folder: tempfile::tempdir().unwrap() }
    }

    /// From now on `name` is this repository.
    pub(crate) fn set(&self, name: &str, repo: Repo) {
        self.repos.lock().unwrap().insert(name.to_owned(), repo);
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Opens the one cache of this Hub's folder.
    pub(crate) fn open(&self, options: CacheOptions) -> ModelCache {
        let options = CacheOptions { endpoint: self.server.url(), ..options };
        ModelCache::open(&StorageRegistry::new(self.folder()), Path::new("cache"), options).unwrap()
    }
}

fn answer(repos: &BTreeMap<String, Repo>, request: &Request) -> Option<Reply> {
    let target = request.target.split('?').next()?;
    if let Some(asked) = target.strip_prefix("/api/models/") {
        return Some(repos.get(asked.split_once("/revision/")?.0)?.info());
    }
    let (name, rest) = target.strip_prefix('/')?.split_once("/resolve/")?;
    let repo = repos.get(name)?;
    let bytes = repo.files.get(rest.split_once('/')?.1)?;
    Some(Reply::ranged(request, bytes).header("X-Repo-Commit", &repo.commit))
}
