//! Fills a store with many small repositories, all of their files stored, as downloads would: for measuring a large one.
//!
//! `cargo run --release -p tabagent-storage --example many_files -- FOLDER ENDPOINT REPOS` stores 100 files in 20 quants for each of
//! `many/repo-0`, `many/repo-1` ... of the endpoint, whose URL has no slash at its end.

use std::error::Error;
use std::path::Path;

use tabagent_storage::{
    BlobName, BlobRecord, BlobState, Blobs, EndpointId, FileMetadata, Files, InlineBytes, Inlines, Key,
    ManifestFile, ManifestQuant, ManifestRecord, Manifests, QuantRecord, Quants, RefRecord, Refs, RepoScope,
    StorageRegistry, StoreOptions, UseRecord, Uses, WriteTransaction,
};

type Outcome<T> = Result<T, Box<dyn Error>>;

const QUANTS: u32 = 20;
/// Files of each quant alone.
const SHARDS: u32 = 4;
/// Files that all quants need.
const SHARED: u32 = 20;

/// Repositories stored in one transaction.
const REPOS_AT_ONCE: usize = 1_000;

/// Some time, milliseconds since 1970.
const NOW: u64 = 1_750_000_000_000;

fn main() -> Outcome<()> {
    let [folder, endpoint, repos] = arguments()?;
    let repos: Vec<u32> = (0..repos.parse()?).collect();
    let store = StorageRegistry::new(".").open(Path::new(&folder), StoreOptions::default())?;
    for some in repos.chunks(REPOS_AT_ONCE) {
        store.write(|t| some.iter().try_for_each(|repo| Repo::new(&endpoint, *repo).store(t)))?;
    }
    Ok(())
}

fn arguments() -> Outcome<[String; 3]> {
    let given: Vec<String> = std::env::args().skip(1).collect();
    given.try_into().map_err(|_| "usage: many_files FOLDER ENDPOINT REPOS".into())
}

/// One repository and its only commit.
struct Repo {
    scope: RepoScope,
    manifest: ManifestRecord,
}

impl Repo {
    fn new(endpoint: &str, number: u32) -> Self {
        let (repo, commit) = (format!("many/repo-{number}"), format!("{number:040x}"));
        let scope =
            RepoScope { endpoint: EndpointId::of(endpoint), repo: repo.clone(), commit: commit.clone() };
        let shared = (0..SHARED).map(|n| file(number, &format!("shared/{n}.json"), "config"));
        let weights = (0..QUANTS).flat_map(|quant| {
            let path = move |n| format!("weights/{}-{n}-of-{SHARDS}.gguf", quant_name(quant));
            (1..=SHARDS).map(move |n| file(number, &path(n), "weights"))
        });
        let manifest = ManifestRecord {
            endpoint: endpoint.to_owned(),
            repo,
            commit,
            pipeline_task: Some("text-generation".to_owned()),
            library_name: Some("gguf".to_owned()),
            license: Some("apache-2.0".to_owned()),
            tags: ["gguf", "text-generation", "en"].map(str::to_owned).into(),
            gated: false,
            scanned_at_ms: NOW,
            files: shared.chain(weights).collect(),
            quants: (0..QUANTS).map(quant).collect(),
            shared: (0..SHARED).collect(),
        };
        Self { scope, manifest }
    }

    fn store(&self, t: &WriteTransaction<'_>) -> tabagent_storage::Result<()> {
        t.put::<Manifests>(&Key::manifest(&self.scope), &self.manifest)?;
        let mut seen = RefRecord { commits: Vec::new(), etag: None };
        seen.observe(&self.scope.commit, NOW, None);
        t.put::<Refs>(&Key::reference(&self.scope.endpoint, &self.scope.repo, "main"), &seen)?;
        self.manifest.files.iter().try_for_each(|file| self.store_file(t, file))?;
        self.manifest.quants.iter().try_for_each(|quant| self.store_quant(t, &quant.name))
    }

    fn store_file(&self, t: &WriteTransaction<'_>, file: &ManifestFile) -> tabagent_storage::Result<()> {
        let bytes = bytes_of(&self.scope.repo, &file.path);
        let (name, path) = (BlobName::of(&bytes), file.path.clone());
        let blob = BlobRecord {
            state: BlobState::Inline,
            size: file.size,
            incarnation: [0; 16],
            segments: Vec::new(),
            provisional: false,
            last_use_ms: NOW,
        };
        let (blob_key, use_key) = (Key::blob(&name), Key::usage(&name, &self.scope, &path));
        t.put::<Inlines>(&Key::inline(&name), &InlineBytes(bytes))?;
        t.put::<Blobs>(&blob_key, &blob)?;
        t.put::<Uses>(&use_key, &UseRecord { path: path.clone() })?;
        let file_key = Key::file(&self.scope, &path);
        let size = file.size;
        let metadata = FileMetadata { path, blob: name.0, size, git_sha1: None, stored_at_ms: NOW };
        t.put::<Files>(&file_key, &metadata)
    }

    fn store_quant(&self, t: &WriteTransaction<'_>, name: &str) -> tabagent_storage::Result<()> {
        let record = QuantRecord {
            name: name.to_owned(),
            updated_at_ms: NOW,
            completed_at_ms: Some(NOW),
            keep: false,
            fault: None,
        };
        t.put::<Quants>(&Key::quant(&self.scope, name), &record)
    }
}

fn bytes_of(repo: &str, path: &str) -> Vec<u8> {
    format!("{repo}/{path}").into_bytes()
}

fn file(repo: u32, path: &str, role: &str) -> ManifestFile {
    let bytes = bytes_of(&format!("many/repo-{repo}"), path);
    ManifestFile {
        path: path.to_owned(),
        size: bytes.len() as u64,
        sha256: Some(BlobName::of(&bytes).0),
        git_sha1: None,
        role: role.to_owned(),
    }
}

fn quant_name(n: u32) -> String {
    format!("Q{}_{n}", n % 8 + 1)
}

fn quant(n: u32) -> ManifestQuant {
    let first = SHARED + n * SHARDS;
    let files = (0..SHARED).chain(first..first + SHARDS).collect();
    ManifestQuant { name: quant_name(n), format: "gguf".to_owned(), files }
}
