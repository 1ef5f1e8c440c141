//! What nobody refers to, and what only seems so.

use std::path::Path;
use std::sync::Arc;

use super::child::Peer;
use super::fixture::{Content, add, add_inline, new_store, open, reserve};
use crate::digest::BlobName;
use crate::key::Key;
use crate::orphan::Orphans;
use crate::record::{
    FileMetadata, HeaderRecord, ImportRecord, ManifestFile, ManifestRecord, QuantRecord, UseRecord,
};
use crate::scope::{EndpointId, RepoScope};
use crate::store::Store;
use crate::table::{Files, Headers, Imports, InlineBytes, Inlines, Manifests, Quants, Table, Uses};

const MIB: u64 = 1 << 20;

fn scope() -> RepoScope {
    RepoScope { endpoint: EndpointId::of("x"), repo: "acme/m".to_owned(), commit: "c".repeat(40) }
}

/// A file of the blob, as a download publishes it.
fn publish(store: &Store, name: &BlobName, size: u64, path: &str) {
    let file = FileMetadata { path: path.to_owned(), blob: name.0, size, git_sha1: None, stored_at_ms: 0 };
    store
        .write(|t| {
            t.put::<Files>(&Key::file(&scope(), path), &file)?;
            t.put::<Uses>(&Key::usage(name, &scope(), path), &UseRecord { path: path.to_owned() })
        })
        .unwrap();
}

/// A store with one file in chunks and one in a record, to which nothing must happen.
fn used_store() -> (tempfile::TempDir, Arc<Store>, Content) {
    let (folder, store) = new_store();
    let content = Content::dense(1, 3 * MIB);
    add(&store, &content);
    publish(&store, &content.name(), content.size, "model.onnx");
    let small = BlobName::of(b"small");
    add_inline(&store, &small, b"small");
    publish(&store, &small, 5, "config.json");
    (folder, store, content)
}

fn remove(store: &Arc<Store>, content: &Content) {
    let orphans = store.orphans().unwrap();
    store.remove_orphans(&orphans).unwrap();
    assert_eq!(store.orphans().unwrap(), Orphans::default());
    store.reader(&content.name()).unwrap().unwrap().verify(0..content.size).unwrap();
    assert_eq!(store.usage().unwrap().blobs, 2);
    assert_eq!(crate::raw::problems(store.chunks.environment().unwrap()), 0);
}

#[test]
fn what_is_used_is_no_orphan() {
    let (_folder, store, content) = used_store();
    assert_eq!(store.orphans().unwrap(), Orphans::default());
    remove(&store, &content);
}

#[test]
fn chunks_that_no_record_names_go_and_their_space_comes_back() {
    let (_folder, store, content) = used_store();
    let lost = Content::dense(2, 20 * MIB);
    let incarnation = reserve(&store, lost.size);
    super::fixture::write(&store, &incarnation, lost.size, 0, &lost.bytes(0..lost.size));
    let full = store.usage().unwrap().disk_bytes;
    let orphans = store.orphans().unwrap();
    assert_eq!((orphans.count(), orphans.blobs()), (1, 0));
    assert!((lost.size..lost.size + 2 * MIB).contains(&orphans.bytes()), "{orphans:?}");
    remove(&store, &content);
    assert!(store.snapshot().unwrap().runs(&incarnation, lost.size).unwrap().is_none());
    assert!(store.usage().unwrap().disk_bytes + lost.size <= full + MIB);
}

#[test]
fn complete_blobs_that_no_file_uses_go() {
    let (_folder, store, content) = used_store();
    let unused = Content::dense(3, 2 * MIB);
    add(&store, &unused);
    add_inline(&store, &BlobName::of(b"unused"), b"unused");
    let orphans = store.orphans().unwrap();
    assert_eq!((orphans.count(), orphans.blobs(), orphans.blob_bytes()), (2, 2, unused.size + 6));
    // Somebody publishes a file of it meanwhile.
    publish(&store, &unused.name(), unused.size, "late.onnx");
    assert_eq!(store.remove_orphans(&orphans).unwrap().blobs, 1);
    assert!(store.reader(&unused.name()).unwrap().is_some());
    store
        .write(|t| {
            t.delete::<Files>(&Key::file(&scope(), "late.onnx"))?;
            t.delete::<Uses>(&Key::usage(&unused.name(), &scope(), "late.onnx"))
        })
        .unwrap();
    remove(&store, &content);
}

#[test]
fn records_that_point_nowhere_go() {
    let (_folder, store, content) = used_store();
    let quant = QuantRecord {
        name: "q4".to_owned(),
        updated_at_ms: 0,
        completed_at_ms: None,
        keep: true,
        fault: None,
    };
    store
        .write(|t| {
            t.put::<Inlines>(&Key::inline(&BlobName([4; 32])), &InlineBytes(vec![1, 2]))?;
            t.put::<Quants>(&Key::quant(&scope(), "q4"), &quant)?;
            // A file that is not there, and one that has other bytes.
            for path in ["gone.onnx", "config.json"] {
                let used = UseRecord { path: path.to_owned() };
                t.put::<Uses>(&Key::usage(&content.name(), &scope(), path), &used)?;
            }
            Ok(())
        })
        .unwrap();
    assert_eq!(store.orphans().unwrap().count(), 4);
    remove(&store, &content);
}

#[test]
fn lock_files_of_the_dead_go_and_those_of_the_living_stay() {
    let (folder, store, content) = used_store();
    let locks = folder.path().join("store/locks");
    let lease = store.try_lease(&content.name()).unwrap().unwrap();
    let presence = store.hold_presence("q4").unwrap();
    for dead in [BlobName([5; 32]).to_hex(), format!("quant-{}", BlobName([6; 32]).to_hex())] {
        std::fs::write(locks.join(dead), "pid 1\n").unwrap();
    }
    // What was written of a blob that is gone, and of one that is leased.
    for name in [BlobName([7; 32]), content.name()] {
        std::fs::write(locks.join(format!("{}.written", name.to_hex())), "").unwrap();
    }
    std::fs::write(locks.join("of-another-version"), "").unwrap();
    assert_eq!(store.orphans().unwrap().count(), 3);
    remove(&store, &content);
    for left in
        [content.name().to_hex(), format!("{}.written", content.name()), "of-another-version".to_owned()]
    {
        assert!(locks.join(&left).exists(), "{left}");
    }
    // Those of the lease and of the announcement, too.
    assert_eq!(std::fs::read_dir(&locks).unwrap().count(), 4);
    assert!(store.is_leased(&content.name()).unwrap() && store.is_present("q4").unwrap());
    drop((lease, presence));
}

/// The file of a reservation that another process makes.
fn reserved() -> Content {
    Content::dense(7, 5 * MIB)
}

fn stopped_peer(folder: &Path) -> Peer {
    let mut peer = Peer::start(folder);
    let Content { seed, size, .. } = reserved();
    peer.ask(&format!("reserve {seed} {size}"));
    peer
}

#[test]
fn a_reservation_whose_process_is_stopped_before_it_records_it_is_no_orphan() {
    let (folder, store, content) = used_store();
    let mut peer = stopped_peer(folder.path());
    assert_eq!(store.blob(&reserved().name()).unwrap(), None, "it is recorded already");
    remove(&store, &content);
    peer.ask("go on");
    let found = store.blob(&reserved().name()).unwrap().unwrap();
    assert_eq!((found.size, found.complete), (reserved().size, false));
    assert_eq!(store.orphans().unwrap(), Orphans::default());
    peer.finish();
}

#[test]
fn a_reservation_whose_process_is_killed_before_it_records_it_is_an_orphan() {
    let (folder, store, content) = used_store();
    stopped_peer(folder.path()).kill();
    // The chunks and the file of the lease.
    assert_eq!(store.orphans().unwrap().count(), 2);
    remove(&store, &content);
}

#[test]
fn a_reservation_that_is_recorded_while_orphans_are_looked_for_is_none() {
    let (folder, store, _) = used_store();
    let mut peer = Some(stopped_peer(folder.path()));
    let orphans = store.orphans_between(|| {
        let mut peer = peer.take().unwrap();
        peer.ask("go on");
        peer.finish();
    });
    assert_eq!(orphans.unwrap(), Orphans::default());
}

#[test]
fn a_reservation_that_is_made_while_orphans_are_looked_for_is_none() {
    let (folder, store, _) = used_store();
    let mut peer = None;
    let orphans = store.orphans_between(|| peer = Some(stopped_peer(folder.path())));
    assert_eq!(orphans.unwrap(), Orphans::default());
    peer.unwrap().kill();
}

#[test]
fn a_store_without_a_lock_folder_has_no_lock_files() {
    let (folder, store, _) = used_store();
    std::fs::remove_dir_all(folder.path().join("store/locks")).unwrap();
    assert_eq!(store.orphans().unwrap(), Orphans::default());
    drop(store);
    drop(open(folder.path()));
}

/// A stored listing of a repository with these files.
fn list(store: &Store, endpoint: &str, repo: &str, digests: &[u8]) -> ManifestRecord {
    let file = |digest: &u8| ManifestFile {
        path: format!("{digest}.gguf"),
        size: 1,
        sha256: Some([*digest; 32]),
        git_sha1: None,
        role: "weights".to_owned(),
    };
    let listing = ManifestRecord {
        endpoint: endpoint.to_owned(),
        repo: repo.to_owned(),
        commit: "c".repeat(40),
        pipeline_task: None,
        library_name: None,
        license: None,
        tags: Vec::new(),
        gated: false,
        scanned_at_ms: 1,
        files: digests.iter().map(file).collect(),
        quants: Vec::new(),
        shared: Vec::new(),
    };
    store.write(|t| t.put::<Manifests>(&Key::manifest(&listed(endpoint, repo)), &listing)).unwrap();
    listing
}

fn listed(endpoint: &str, repo: &str) -> RepoScope {
    RepoScope { endpoint: EndpointId::of(endpoint), repo: repo.to_owned(), ..scope() }
}

fn unlist(store: &Store, endpoint: &str, repo: &str) {
    store.write(|t| t.delete::<Manifests>(&Key::manifest(&listed(endpoint, repo)))).unwrap();
}

fn header(endpoint: &str, digest: u8) -> Key {
    Key::header(&EndpointId::of(endpoint), &BlobName([digest; 32]))
}

/// What headers told of these files at an endpoint.
fn tell(store: &Store, endpoint: &str, digests: &[u8]) {
    let record = HeaderRecord { variant: Some("Q4_K_M".to_owned()), rules: 1 };
    for digest in digests {
        store.write(|t| t.put::<Headers>(&header(endpoint, *digest), &record)).unwrap();
    }
}

/// Of which of the files 0 to 9 a header is known.
fn known(store: &Store, endpoint: &str) -> Vec<u8> {
    let is_known = |digest: &u8| store.read(|t| t.contains::<Headers>(&header(endpoint, *digest))).unwrap();
    (0..10).filter(is_known).collect()
}

#[test]
fn what_headers_told_goes_with_the_last_listing_of_the_endpoint_that_has_the_file() {
    let (_folder, store, content) = used_store();
    let gone = list(&store, "x", "acme/a", &[1, 2, 3]);
    list(&store, "x", "acme/b", &[2, 4]);
    list(&store, "y", "acme/a", &[1]);
    tell(&store, "x", &[1, 2, 3, 4, 5]);
    tell(&store, "y", &[1, 2]);
    unlist(&store, "x", "acme/a");
    store.remove_headers_of(&[gone]).unwrap();
    // 5 is for prune to find: nothing tells a removal of it.
    assert_eq!((known(&store, "x"), known(&store, "y")), (vec![2, 4, 5], vec![1, 2]));
    assert_eq!(store.orphans().unwrap().count(), 2);
    remove(&store, &content);
    assert_eq!((known(&store, "x"), known(&store, "y")), (vec![2, 4], vec![1]));
}

#[test]
fn what_a_listing_has_that_came_meanwhile_or_replaced_an_imported_one_stays() {
    let (_folder, store, content) = used_store();
    list(&store, "x", "acme/imported", &[1]);
    store
        .write(|t| {
            t.put::<Imports>(&Key::import(&listed("x", "acme/imported")), &ImportRecord { imported_at_ms: 1 })
        })
        .unwrap();
    tell(&store, "x", &[2, 3, 4]);
    let orphans = store.orphans().unwrap();
    assert_eq!(orphans.count(), 3);
    list(&store, "x", "acme/new", &[2]);
    list(&store, "x", "acme/imported", &[1, 3]);
    store.remove_orphans(&orphans).unwrap();
    assert_eq!(known(&store, "x"), [2, 3]);
    remove(&store, &content);
}

#[test]
fn beside_a_damaged_listing_no_header_is_unused() {
    let (_folder, store, _) = used_store();
    list(&store, "x", "acme/a", &[1]);
    tell(&store, "x", &[1, 2]);
    let damaged = Key::manifest(&listed("x", "acme/a"));
    store.write(|t| t.put::<Damaged>(&damaged, &InlineBytes(vec![99]))).unwrap();
    assert_eq!(store.orphans().unwrap(), Orphans::default());
}

/// Listings with any bytes.
struct Damaged;

impl Table for Damaged {
    const NAME: &'static str = Manifests::NAME;
    const NUMBER: usize = Manifests::NUMBER;
    type Value = InlineBytes;
}
