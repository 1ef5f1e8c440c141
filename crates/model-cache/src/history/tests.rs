use tabagent_storage::{Digest, EndpointId, FileMetadata, SortingRecord, StorageRegistry, StoreOptions};

use super::*;
use crate::fixture::{listed, listing};

fn record(quant: &str) -> ManifestRecord {
    let file = listed("m.gguf", 1, Digest::Sha256([7; 32]));
    ManifestRecord { scanned_at_ms: 5, ..listing("acme/m", vec![file], quant) }
}

fn sorting(sorted_at_ms: u64) -> SortingRecord {
    SortingRecord { sorted_at_ms, ..SortingRecord::default() }
}

#[test]
fn a_download_that_began_under_the_old_name_is_complete_under_the_new_one() {
    let folder = tempfile::tempdir().unwrap();
    let store = StorageRegistry::new(folder.path())
        .open("store".as_ref(), StoreOptions { read_only: false })
        .unwrap();
    let scope =
        RepoScope { endpoint: EndpointId::of("x"), repo: "acme/m".to_owned(), commit: "c0ffee".to_owned() };
    let old = record("m");
    let file =
        FileMetadata { path: "m.gguf".to_owned(), blob: [7; 32], size: 1, git_sha1: None, stored_at_ms: 1 };
    let write = |quant, sorted_at_ms| {
        store
            .write(|txn| {
                txn.put::<Files>(&Key::file(&scope, &file.path), &file)?;
                txn.put::<Manifests>(&Key::manifest(&scope), &record(quant))?;
                txn.put::<Sortings>(&Key::sorting(&scope), &sorting(sorted_at_ms))
            })
            .unwrap();
        History { store: &store, record: &old, scope: &scope, keep: Some(&[0]) }.complete(&[0]).unwrap();
    };
    let noted = |quant: &str| store.read(|txn| txn.get::<Quants>(&Key::quant(&scope, quant))).unwrap();
    write("Q4_K_M", 6);
    assert!(noted("m").is_none());
    let history = noted("Q4_K_M").unwrap();
    assert!(history.completed_at_ms.is_some() && history.name == "Q4_K_M" && history.keep);
    // A download that begins now is seen by that name, too.
    let history = History { store: &store, record: &old, scope: &scope, keep: None };
    let announced = history.begin(&old.quants[0]).unwrap();
    let is_announced = |quant: &str| store.is_present(&presence(&scope, quant)).unwrap();
    assert!(is_announced("Q4_K_M") && !is_announced("m"));
    drop(announced);
    let seen = history.look(|_, quants| Ok(now(quants, &old.quants[0]))).unwrap();
    write("m", 5);
    assert!(!history.note(&seen, |old| old).unwrap(), "it has another name now");
    assert!(noted("m").is_some());
}
