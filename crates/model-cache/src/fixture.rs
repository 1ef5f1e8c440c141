//! A cache with listings that no endpoint gave, for tests below the public interface.

use std::ops::ControlFlow;

use tabagent_hub::quant::Hints;
use tabagent_storage::{
    Digest, Files, Key, ManifestFile, ManifestQuant, ManifestRecord, Manifests, Presence, QuantRecord,
    Quants, RefRecord, Refs, RepoScope, StorageRegistry,
};

use crate::history::History;
use crate::inner::Inner;
use crate::lookup::scope_of;
use crate::options::CacheOptions;
use crate::sorting::Sorted;
use crate::transfer::publish;

/// A cache in this folder.
pub(crate) fn open(folder: &tempfile::TempDir) -> Inner {
    Inner::open(&StorageRegistry::new(folder.path()), "store".as_ref(), CacheOptions::default()).unwrap()
}

/// The listing of a repository whose files make one quant.
pub(crate) fn listing(repo: &str, files: Vec<ManifestFile>, quant: &str) -> ManifestRecord {
    let places = (0..).take(files.len()).collect();
    ManifestRecord {
        endpoint: String::new(),
        repo: repo.to_owned(),
        commit: "c0ffee".to_owned(),
        pipeline_task: None,
        library_name: None,
        license: None,
        tags: Vec::new(),
        gated: false,
        scanned_at_ms: 1,
        files,
        quants: vec![ManifestQuant { name: quant.to_owned(), format: "gguf".to_owned(), files: places }],
        shared: Vec::new(),
    }
}

/// Such a listing, with the quant `q4`, stored.
pub(crate) fn scan(inner: &Inner, repo: &str, files: Vec<ManifestFile>) -> (RepoScope, ManifestRecord) {
    scan_at(inner, repo, "c0ffee", files)
}

/// The same at a commit.
pub(crate) fn scan_at(
    inner: &Inner,
    repo: &str,
    commit: &str,
    files: Vec<ManifestFile>,
) -> (RepoScope, ManifestRecord) {
    let (endpoint, commit) = (inner.options.endpoint.clone(), commit.to_owned());
    let record = ManifestRecord { endpoint, commit, ..listing(repo, files, "q4") };
    let scope = scope_of(&inner.endpoint, &record);
    inner.store.write(|txn| txn.put::<Manifests>(&Key::manifest(&scope), &record)).unwrap();
    (scope, record)
}

/// The branch `main` is at this commit.
pub(crate) fn refer(inner: &Inner, scope: &RepoScope) {
    let mut reference = RefRecord { commits: Vec::new(), etag: None };
    reference.observe(&scope.commit, 1, None);
    let key = Key::reference(&inner.endpoint, &scope.repo, "main");
    inner.store.write(|txn| txn.put::<Refs>(&key, &reference)).unwrap();
}

/// A later scan by which the one quant has another name.
pub(crate) fn rename(inner: &Inner, scope: &RepoScope, record: &ManifestRecord, quant: &str) -> bool {
    let quants = vec![ManifestQuant { name: quant.to_owned(), ..record.quants[0].clone() }];
    let (gated, tags) = (true, vec!["new".to_owned()]);
    let record = ManifestRecord { quants, gated, tags, scanned_at_ms: 2, ..record.clone() };
    let mut sorted = Sorted::stored(record, Hints::default());
    inner.store.write(|txn| sorted.store(txn, inner, scope)).unwrap()
}

/// The quants of a commit of which something is remembered.
pub(crate) fn remembered(inner: &Inner, scope: &RepoScope) -> Vec<String> {
    let mut names = Vec::new();
    let note = |_: &[u8], quant: QuantRecord| {
        names.push(quant.name);
        Ok(ControlFlow::Continue(()))
    };
    inner.store.read(|txn| txn.scan::<Quants>(&Key::quants(scope), note)).unwrap();
    names
}

/// Remembers of the one quant that it is complete.
pub(crate) fn complete(inner: &Inner, scope: &RepoScope, record: &ManifestRecord) {
    History { store: &inner.store, record, scope, keep: None }.complete(&record.quants[0].files).unwrap();
}

/// A download of the quant that has just begun, and lasts until this is dropped.
pub(crate) fn begin(inner: &Inner, scope: &RepoScope, quant: &ManifestQuant) -> Presence {
    let record = inner.store.read(|txn| txn.get::<Manifests>(&Key::manifest(scope))).unwrap().unwrap();
    History { store: &inner.store, record: &record, scope, keep: None }.begin(quant).unwrap()
}

/// A file that has these bytes, as a listing has it.
pub(crate) fn listed(path: &str, size: usize, digest: Digest) -> ManifestFile {
    let (sha256, git_sha1) = match digest {
        Digest::Sha256(digest) => (Some(digest), None),
        Digest::GitSha1(digest) => (None, Some(digest)),
    };
    let (path, role) = (path.to_owned(), "weights".to_owned());
    ManifestFile { path, size: size as u64, sha256, git_sha1, role }
}

/// Stores a listed file.
pub(crate) fn put(inner: &Inner, scope: &RepoScope, file: &ManifestFile, bytes: &[u8]) {
    let (scope, digest, file) = (scope.clone(), file.digest().unwrap(), file.clone());
    inner.store.put_bytes(bytes, &digest, move |txn, name| publish(txn, &scope, &file, name)).unwrap();
}

/// Whether a file is stored.
pub(crate) fn is_stored(inner: &Inner, scope: &RepoScope, path: &str) -> bool {
    inner.read(|txn| Ok(txn.get::<Files>(&Key::file(scope, path))?.is_some())).unwrap()
}
