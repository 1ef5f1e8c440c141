use super::*;
use crate::fixture::{self, is_stored, put, scan};

const BYTES: &[u8] = b"{}";

fn git_sha1(bytes: &[u8]) -> Digest {
    let whole = [format!("blob {}\0", bytes.len()).as_bytes(), bytes].concat();
    Digest::GitSha1((*sha1_checked::Sha1::try_digest(whole).hash()).into())
}

/// A commit with two files: one that was imported by its bytes and is listed with the digest of just these, and one that is
/// listed with another.
fn doubtful(inner: &Inner) -> (RepoScope, ManifestRecord, Vec<Doubt>) {
    let other = b"[]";
    let imported = [("config.json", BYTES), ("vocab.json", other)];
    let [config, vocab] = imported
        .map(|(path, bytes)| fixture::listed(path, bytes.len(), Digest::Sha256(BlobName::of(bytes).0)));
    let (scope, _) = scan(inner, "a", vec![config.clone(), vocab.clone()]);
    put(inner, &scope, &config, BYTES);
    put(inner, &scope, &vocab, other);
    let listed = imported.map(|(path, bytes)| fixture::listed(path, bytes.len(), git_sha1(BYTES)));
    let (_, record) = scan(inner, "a", listed.to_vec());
    let doubts = inner.store.write(|txn| forget_doubtful(txn, &scope, &record)).unwrap();
    assert_eq!(doubts.len(), 2);
    (scope, record, doubts)
}

#[test]
fn what_has_the_listed_digest_stays_and_the_bytes_of_others_go() {
    let folder = tempfile::tempdir().unwrap();
    let inner = fixture::open(&folder);
    let (scope, record, doubts) = doubtful(&inner);
    recheck(&inner, &record, &doubts).unwrap();
    assert!(is_stored(&inner, &scope, "config.json") && !is_stored(&inner, &scope, "vocab.json"));
    assert_eq!(inner.store.usage().unwrap().blobs, 1);
}

#[test]
fn a_repository_that_goes_meanwhile_is_no_failure_of_its_scan() {
    let folder = tempfile::tempdir().unwrap();
    let inner = fixture::open(&folder);
    let (scope, record, doubts) = doubtful(&inner);
    inner.store.write(|txn| txn.delete::<Manifests>(&Key::manifest(&scope))).unwrap();
    recheck(&inner, &record, &doubts).unwrap();
    assert!(!is_stored(&inner, &scope, "config.json"));
    assert_eq!(inner.store.usage().unwrap().blobs, 0, "nobody would find the bytes again");
}
