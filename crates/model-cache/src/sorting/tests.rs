use tabagent_storage::{Digest, RefRecord, Refs};

use super::*;
use crate::fixture::{listed, open, scan};
use crate::status::presence;

/// Stores a later listing of the same commit, whose quant has another name.
fn store_renamed(inner: &Inner, scope: &RepoScope, earlier: &ManifestRecord) -> bool {
    let quants = vec![ManifestQuant { name: "Q4_K_M".to_owned(), ..earlier.quants[0].clone() }];
    let (gated, tags) = (true, vec!["new".to_owned()]);
    let record = ManifestRecord { quants, gated, tags, scanned_at_ms: 2, ..earlier.clone() };
    let mut sorted = Sorted::stored(record, Hints::default());
    inner.store.write(|txn| sorted.store(txn, inner, scope)).unwrap()
}

#[test]
fn names_that_a_download_holds_back_come_with_the_next_scan_and_all_else_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let inner = open(&folder);
    let (scope, earlier) = scan(&inner, "acme/m", vec![listed("m.gguf", 1, Digest::Sha256([7; 32]))]);
    let key = Key::reference(&inner.endpoint, "acme/m", "main");
    let mut reference = RefRecord { commits: Vec::new(), etag: None };
    reference.observe(&scope.commit, 1, Some("of q4".to_owned()));
    inner.store.write(|txn| txn.put::<Refs>(&key, &reference)).unwrap();
    let etag = || inner.store.read(|txn| txn.get::<Refs>(&key)).unwrap().unwrap().etag;
    let stored = || inner.store.read(|txn| txn.get::<Manifests>(&Key::manifest(&scope))).unwrap().unwrap();

    let download = inner.store.hold_presence(&presence(&scope, "q4")).unwrap();
    assert!(!store_renamed(&inner, &scope, &earlier));
    let held = stored();
    assert_eq!(
        (held.quants, held.gated, held.tags.as_slice()),
        (earlier.quants.clone(), true, &["new".to_owned()][..])
    );
    assert_eq!((held.scanned_at_ms, etag()), (2, None));

    drop(download);
    assert!(store_renamed(&inner, &scope, &earlier));
    assert_eq!(stored().quants[0].name, "Q4_K_M");
}
