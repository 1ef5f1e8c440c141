use tabagent_hub::quant::Hints;
use tabagent_storage::{BlobName, Digest, RefRecord, Refs};

use super::{Key, ManifestQuant, ManifestRecord, Manifests, Sorted, Sortings, is_current};
use crate::fixture::{complete, listed, open, put, remembered, rename, scan};
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

#[test]
fn a_new_name_is_seen_also_in_the_same_millisecond_and_after_a_clock_went_back() {
    let folder = tempfile::tempdir().unwrap();
    let inner = open(&folder);
    let file = listed("m.gguf", 1, Digest::Sha256(BlobName::of(b"m").0));
    let (scope, record) = scan(&inner, "acme/m", vec![file.clone()]);
    put(&inner, &scope, &file, b"m");
    let sort = |name: &str, at_ms| {
        let quants = vec![ManifestQuant { name: name.to_owned(), ..record.quants[0].clone() }];
        let record = ManifestRecord { quants, ..record.clone() };
        let mut sorted = Sorted { at_ms, ..Sorted::stored(record, Hints::default()) };
        assert!(inner.store.write(|txn| sorted.store(txn, &inner, &scope)).unwrap());
    };
    sort("first", record.scanned_at_ms);
    for (name, at_ms) in [("second", record.scanned_at_ms), ("third", 0)] {
        let seen = inner.store.read(|txn| txn.get::<Sortings>(&Key::sorting(&scope))).unwrap();
        let still = || inner.store.write(|txn| is_current(txn, &scope, seen.as_ref())).unwrap();
        assert!(still());
        sort(name, at_ms);
        assert!(!still(), "{name}");
        complete(&inner, &scope, &record);
        assert_eq!(remembered(&inner, &scope), [name], "noted under the name that it has now");
    }
}
