//! Records that cannot be read: which they are, and what becomes of them.
#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a failing unwrap is a failing test")]

mod support;

use std::sync::Arc;

use support::{bytes_on_disk, content, open, write_missing, writer_for};
use tabagent_storage::{
    AliasRecord, Aliases, BlobName, Blobs, Digest, EndpointId, FileMetadata, Files, Finish, HeaderRecord,
    Headers, ImportRecord, Imports, Inlines, Key, ManifestFile, ManifestRecord, Manifests, PutOutcome,
    QuantRecord, Quants, Record, RefRecord, Refs, RepoScope, Result, SortingRecord, Sortings, Store, Table,
    UseRecord, Uses, WriteTransaction,
};

const SIZE: usize = 9 << 20;

/// Bytes that no record has.
struct Damage;

impl Record for Damage {
    fn encode(&self) -> Result<Vec<u8>> {
        Ok(vec![99, 1, 2, 3])
    }

    fn decode(_: &[u8]) -> Result<Self> {
        Ok(Self)
    }

    fn check(_: &[u8]) -> Result<()> {
        Ok(())
    }
}

/// The table `T`, to write damage into.
struct Damaged<T>(T);

impl<T: Table> Table for Damaged<T> {
    const NAME: &'static str = T::NAME;
    const NUMBER: usize = T::NUMBER;
    type Value = Damage;
}

fn damage<T: Table>(store: &Store, key: &Key) {
    store.write(|t| t.put::<Damaged<T>>(key, &Damage)).unwrap();
}

fn scope() -> RepoScope {
    RepoScope { endpoint: EndpointId::of("x"), repo: "acme/m".to_owned(), commit: "c".repeat(40) }
}

fn file(path: &str, bytes: &[u8], git_sha1: Option<[u8; 20]>) -> FileMetadata {
    let (blob, size) = (BlobName::of(bytes).0, bytes.len() as u64);
    FileMetadata { path: path.to_owned(), blob, size, git_sha1, stored_at_ms: 5 }
}

fn publish(t: &WriteTransaction<'_>, file: &FileMetadata) -> Result<()> {
    let usage = Key::usage(&file.blob_name(), &scope(), &file.path);
    t.put::<Uses>(&usage, &UseRecord { path: file.path.clone() })?;
    t.put::<Files>(&Key::file(&scope(), &file.path), file)
}

fn listed(file: &FileMetadata) -> ManifestFile {
    let sha256 = file.git_sha1.is_none().then_some(file.blob);
    ManifestFile {
        path: file.path.clone(),
        size: file.size,
        sha256,
        git_sha1: file.git_sha1,
        role: "other".to_owned(),
    }
}

/// A store with a file in chunks and a small one in M, both of the same commit.
fn filled() -> (tempfile::TempDir, Arc<Store>, [FileMetadata; 2], [Vec<u8>; 2]) {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let (large, small) = (content(1, SIZE), b"{}\n".to_vec());
    let files = [file("model.gguf", &large, None), file("config.json", &small, Some([7; 20]))];
    let manifest = ManifestRecord {
        repo: "acme/m".to_owned(),
        commit: scope().commit,
        files: files.iter().map(listed).collect(),
        endpoint: String::new(),
        pipeline_task: None,
        library_name: None,
        license: None,
        tags: Vec::new(),
        gated: false,
        scanned_at_ms: 0,
        quants: Vec::new(),
        shared: Vec::new(),
    };
    store.write(|t| t.put::<Manifests>(&Key::manifest(&scope()), &manifest)).unwrap();
    let writer = writer_for(&store, &large);
    write_missing(&writer, &large);
    let finish = writer.finish(|t, _| publish(t, &files[0])).unwrap();
    assert_eq!(finish, Finish::Complete(BlobName::of(&large)));
    let name = BlobName::of(&small);
    let file = files[1].clone();
    let put = store.put_bytes(&small, &Digest::Sha256(name.0), move |t, _| publish(t, &file)).unwrap();
    assert_eq!(put, PutOutcome::Complete(name));
    (folder, store, files, [large, small])
}

fn damaged(store: &Store) -> Vec<Key> {
    store.damaged_records().unwrap().into_iter().map(|record| record.key).collect()
}

fn mend(store: &Arc<Store>, key: &Key) -> bool {
    store.mend(key, &|| true).unwrap()
}

/// Both files have their records, uses and bytes.
fn assert_whole(store: &Arc<Store>, files: &[FileMetadata], bytes: &[Vec<u8>]) {
    assert_eq!(damaged(store), []);
    for (file, bytes) in files.iter().zip(bytes) {
        let found = store.read(|t| t.get::<Files>(&Key::file(&scope(), &file.path))).unwrap().unwrap();
        assert_eq!(FileMetadata { stored_at_ms: 5, ..found }, *file);
        let usage = Key::usage(&file.blob_name(), &scope(), &file.path);
        assert!(store.read(|t| t.contains::<Uses>(&usage)).unwrap());
        assert!(bytes_on_disk(store, &file.blob_name()) == *bytes);
    }
    assert_eq!(store.orphans().unwrap().count(), 0);
}

#[test]
fn a_file_s_record_is_made_again_from_its_use_and_the_listing() {
    let (_folder, store, files, bytes) = filled();
    for file in &files {
        let key = Key::file(&scope(), &file.path);
        damage::<Files>(&store, &key);
        assert_eq!(damaged(&store), std::slice::from_ref(&key));
        assert!(mend(&store, &key));
        assert_whole(&store, &files, &bytes);
    }
}

#[test]
fn a_use_is_made_again_from_the_file() {
    let (_folder, store, files, bytes) = filled();
    for file in &files {
        let key = Key::usage(&file.blob_name(), &scope(), &file.path);
        damage::<Uses>(&store, &key);
        assert_eq!(damaged(&store), std::slice::from_ref(&key));
        assert!(mend(&store, &key));
        assert_whole(&store, &files, &bytes);
    }
}

#[test]
fn a_blob_s_record_is_made_again_from_its_bytes() {
    let (_folder, store, files, bytes) = filled();
    for file in &files {
        let key = Key::blob(&file.blob_name());
        damage::<Blobs>(&store, &key);
        assert_eq!(damaged(&store), std::slice::from_ref(&key));
        assert!(store.reader(&file.blob_name()).is_err());
        assert!(mend(&store, &key));
        assert_whole(&store, &files, &bytes);
        // As good when the record is gone.
        store.write(|t| t.delete::<Blobs>(&key)).unwrap();
        let lease = store.try_lease(&file.blob_name()).unwrap().unwrap();
        assert!(store.rebuild(&lease, &|| true).unwrap());
        drop(lease);
        assert_whole(&store, &files, &bytes);
    }
}

#[test]
fn a_blob_whose_bytes_are_damaged_too_is_not_recorded_again() {
    let (folder, store, files, bytes) = filled();
    let [large, small] = files.each_ref().map(|file| Key::blob(&file.blob_name()));
    damage::<Blobs>(&store, &large);
    support::damage(folder.path(), &bytes[0][4 << 20..]);
    assert!(!mend(&store, &large));
    damage::<Blobs>(&store, &small);
    store.write(|t| t.delete::<Inlines>(&Key::inline(&files[1].blob_name()))).unwrap();
    assert!(!mend(&store, &small));
    assert_eq!(damaged(&store).len(), 2, "files say that they are here");
    for file in &files {
        assert!(store.forget_lost(&file.blob_name(), None, |_, _, _| Ok(())).unwrap());
    }
    assert_eq!(damaged(&store), []);
    assert!(store.read(|t| t.get::<Files>(&Key::file(&scope(), "model.gguf"))).unwrap().is_none());
}

#[test]
fn a_blob_that_no_file_uses_is_forgotten_and_its_chunks_are_an_orphan() {
    let (_folder, store, files, _) = filled();
    for file in &files {
        let key = Key::blob(&file.blob_name());
        store
            .write(|t| {
                t.delete::<Files>(&Key::file(&scope(), &file.path))?;
                t.delete::<Uses>(&Key::usage(&file.blob_name(), &scope(), &file.path))?;
                t.delete::<Inlines>(&Key::inline(&file.blob_name()))
            })
            .unwrap();
        damage::<Blobs>(&store, &key);
        assert!(!store.mend(&key, &|| false).unwrap(), "nobody wants it any more");
    }
    assert_eq!(damaged(&store).len(), 2);
}

#[test]
fn what_a_scan_brings_back_is_forgotten() {
    let (_folder, store, files, bytes) = filled();
    let (scope, id) = (scope(), EndpointId::of("x"));
    let (name, completed_at_ms) = ("q8".to_owned(), Some(1));
    let quant = QuantRecord { name, updated_at_ms: 1, completed_at_ms, keep: false, fault: None };
    let sorting = SortingRecord { sorted_at_ms: 1, ..SortingRecord::default() };
    let keys = [
        Key::reference(&id, "acme/m", "main"),
        Key::import(&scope),
        Key::quant(&scope, "q8"),
        Key::alias(&id, "Acme/M"),
        Key::manifest(&scope),
        Key::sorting(&scope),
        Key::header(&id, &files[0].blob_name()),
    ];
    store
        .write(|t| {
            t.put::<Refs>(&keys[0], &RefRecord { commits: Vec::new(), etag: None })?;
            t.put::<Imports>(&keys[1], &ImportRecord { imported_at_ms: 1 })?;
            t.put::<Quants>(&keys[2], &quant)?;
            t.put::<Sortings>(&keys[5], &sorting)?;
            t.put::<Headers>(&keys[6], &HeaderRecord { variant: None, rules: 1 })?;
            t.put::<Aliases>(&keys[3], &AliasRecord { repo: "acme/m".to_owned() })
        })
        .unwrap();
    damage::<Refs>(&store, &keys[0]);
    damage::<Imports>(&store, &keys[1]);
    damage::<Quants>(&store, &keys[2]);
    damage::<Aliases>(&store, &keys[3]);
    damage::<Manifests>(&store, &keys[4]);
    damage::<Sortings>(&store, &keys[5]);
    damage::<Headers>(&store, &keys[6]);
    let found = damaged(&store);
    assert_eq!(found.len(), 7);
    for key in found {
        assert!(mend(&store, &key));
    }
    assert_whole(&store, &files, &bytes);
    assert!(store.read(|t| t.get::<Manifests>(&keys[4])).unwrap().is_none());
}
