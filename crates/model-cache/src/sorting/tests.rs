use tabagent_storage::{Digest, RefRecord, Refs};

use super::{Key, Manifests};
use crate::fixture::{listed, open, rename, scan};
use crate::status::presence;

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
    assert!(!rename(&inner, &scope, &earlier, "Q4_K_M"));
    let held = stored();
    assert_eq!(
        (held.quants, held.gated, held.tags.as_slice()),
        (earlier.quants.clone(), true, &["new".to_owned()][..])
    );
    assert_eq!((held.scanned_at_ms, etag()), (2, None));

    drop(download);
    assert!(rename(&inner, &scope, &earlier, "Q4_K_M"));
    assert_eq!(stored().quants[0].name, "Q4_K_M");
}
