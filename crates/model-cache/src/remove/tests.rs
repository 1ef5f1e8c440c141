use tabagent_storage::{BlobName, Digest};

use super::*;
use crate::fixture::{begin, complete, is_stored, listed, open, put, refer, remembered, rename, scan};

/// A repository at `main` with one quant, stored.
fn stored(inner: &Inner) -> (RepoScope, ManifestRecord) {
    let bytes = vec![7; 1000];
    let file = listed("m.gguf", bytes.len(), Digest::Sha256(BlobName::of(&bytes).0));
    let (scope, record) = scan(inner, "acme/m", vec![file.clone()]);
    put(inner, &scope, &file, &bytes);
    complete(inner, &scope, &record);
    refer(inner, &scope);
    assert_eq!(remembered(inner, &scope), ["q4"]);
    (scope, record)
}

#[test]
fn nothing_is_remembered_of_a_quant_that_got_another_name_before_its_removal() {
    let folder = tempfile::tempdir().unwrap();
    let inner = open(&folder);
    let (scope, record) = stored(&inner);
    let between = || assert!(rename(&inner, &scope, &record, "Q4_K_M"));
    assert_eq!(quant_once(&inner, "acme/m", "main", "q4", between).unwrap(), None);
    assert_eq!(remembered(&inner, &scope), ["Q4_K_M"]);
    let removed = quant_once(&inner, "acme/m", "main", "Q4_K_M", || {}).unwrap().unwrap();
    assert_eq!((removed.files, is_stored(&inner, &scope, "m.gguf")), (1, false));
    assert!(remembered(&inner, &scope).is_empty());
}

#[test]
fn with_a_listing_all_that_is_remembered_of_its_quants_goes() {
    let folder = tempfile::tempdir().unwrap();
    let inner = open(&folder);
    let (scope, record) = stored(&inner);
    rename(&inner, &scope, &record, "Q4_K_M");
    remove_commit(&inner, &record).unwrap();
    assert!(remembered(&inner, &scope).is_empty());
}

#[test]
fn a_download_that_begins_before_the_removal_keeps_what_it_takes_for_granted() {
    let folder = tempfile::tempdir().unwrap();
    let inner = open(&folder);
    let (scope, record) = stored(&inner);
    let mut download = None;
    let between = || download = Some(begin(&inner, &scope, &record.quants[0]));
    let refused = quant_once(&inner, "acme/m", "main", "q4", between).unwrap_err();
    assert_eq!((refused.code(), is_stored(&inner, &scope, "m.gguf")), ("ERR_IN_USE", true));
    let refused =
        [file_once(&inner, &scope, "m.gguf").unwrap_err(), remove_commit(&inner, &record).unwrap_err()];
    assert_eq!(refused.map(|error| error.code()), ["ERR_IN_USE"; 2]);
    drop(download);
    let removed = quant_once(&inner, "acme/m", "main", "q4", || {}).unwrap().unwrap();
    assert_eq!((removed.files, is_stored(&inner, &scope, "m.gguf")), (1, false));
}
