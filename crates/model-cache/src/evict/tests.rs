use std::sync::Arc;

use tabagent_storage::{Blobs, Digest, ManifestQuant, QuantRecord, Quants};

use super::*;
use crate::clock::now_ms;
use crate::download;
use crate::fixture::{
    begin, complete, is_stored, listed, open, put, refer, remembered, rename, scan, scan_at,
};
use crate::options::DownloadOptions;
use crate::runtime;

/// Bytes of each quant's one file.
const SIZE: u64 = 100_000;

const HOUR: u64 = 3_600_000;

fn bytes(repo: &str) -> Vec<u8> {
    repo.bytes().cycle().take(usize::try_from(SIZE).unwrap()).collect()
}

fn name(repo: &str) -> BlobName {
    BlobName::of(&bytes(repo))
}

/// A repository with one quant, stored, and used last so long ago.
fn add(inner: &Inner, repo: &str, unused_ms: u64) -> RepoScope {
    let bytes = bytes(repo);
    let file = listed("model", bytes.len(), Digest::Sha256(name(repo).0));
    let (scope, _) = scan(inner, repo, vec![file.clone()]);
    put(inner, &scope, &file, &bytes);
    set_used(inner, repo, now_ms() - unused_ms);
    scope
}

/// As another process does that opens the file.
fn set_used(inner: &Inner, repo: &str, ms: u64) {
    let key = Key::blob(&name(repo));
    inner
        .store
        .write(|txn| {
            let mut blob = txn.get::<Blobs>(&key)?.unwrap();
            blob.last_use_ms = ms;
            txn.put::<Blobs>(&key, &blob)
        })
        .unwrap();
}

/// Three repositories, the first one unused for longest, in a cache that has room for them.
fn three(inner: &Inner) -> [RepoScope; 3] {
    [("a", 3), ("b", 2), ("c", 1)].map(|(repo, hours)| add(inner, repo, hours * HOUR))
}

/// Makes room for as much as one of three takes; `meanwhile` is told how many plans there were before.
fn make_room_for_one(inner: &Inner, mut meanwhile: impl FnMut(usize)) -> Result<()> {
    let nowhere = RepoScope { endpoint: inner.endpoint.clone(), repo: String::new(), commit: String::new() };
    let claim = Claim { scope: &nowhere, places: &[], files: &[] };
    let mut plans = 0;
    make_room_between(inner, 3 * SIZE, SIZE, &claim, || {
        meanwhile(plans);
        plans += 1;
    })
}

fn stored(inner: &Inner, scopes: &[RepoScope; 3]) -> [bool; 3] {
    scopes.each_ref().map(|scope| is_stored(inner, scope, "model"))
}

#[test]
fn the_least_recently_used_goes() {
    let folder = tempfile::tempdir().unwrap();
    let inner = open(&folder);
    let scopes = three(&inner);
    make_room_for_one(&inner, |plan| assert_eq!(plan, 0)).unwrap();
    assert_eq!(stored(&inner, &scopes), [false, true, true]);
}

#[test]
fn to_download_what_is_stored_is_a_use() {
    let folder = tempfile::tempdir().unwrap();
    let inner = Arc::new(open(&folder));
    let scopes = three(&inner);
    for scope in &scopes {
        refer(&inner, scope);
    }
    let options = DownloadOptions::default();
    let quant = download::quant(Arc::clone(&inner), "a".to_owned(), "q4".to_owned(), options.clone());
    runtime::handle().unwrap().block_on(quant).unwrap();
    let file = download::file(Arc::clone(&inner), "b".to_owned(), "model".to_owned(), options);
    runtime::handle().unwrap().block_on(file).unwrap();
    make_room_for_one(&inner, |_| {}).unwrap();
    assert_eq!(stored(&inner, &scopes), [true, true, false]);
}

#[test]
fn what_is_used_or_kept_between_plan_and_removal_stays_and_another_one_goes() {
    let folder = tempfile::tempdir().unwrap();
    let inner = open(&folder);
    let scopes = three(&inner);
    let keep = QuantRecord {
        name: "q4".to_owned(),
        updated_at_ms: 1,
        completed_at_ms: None,
        keep: true,
        fault: None,
    };
    make_room_for_one(&inner, |plan| match plan {
        0 => set_used(&inner, "a", now_ms()),
        1 => inner.store.write(|txn| txn.put::<Quants>(&Key::quant(&scopes[1], "q4"), &keep)).unwrap(),
        _ => {}
    })
    .unwrap();
    assert_eq!(stored(&inner, &scopes), [true, true, false]);
}

#[test]
fn what_gets_another_name_between_plan_and_removal_goes_by_that_name() {
    let folder = tempfile::tempdir().unwrap();
    let inner = open(&folder);
    let scopes = three(&inner);
    let record = inner.store.read(|txn| txn.get::<Manifests>(&Key::manifest(&scopes[0]))).unwrap().unwrap();
    complete(&inner, &scopes[0], &record);
    let mut plans = 0;
    make_room_for_one(&inner, |plan| {
        plans = plan + 1;
        assert!(plan > 0 || rename(&inner, &scopes[0], &record, "Q4_K_M"));
    })
    .unwrap();
    assert_eq!((plans, stored(&inner, &scopes)), (2, [false, true, true]));
    assert!(remembered(&inner, &scopes[0]).is_empty());
}

#[test]
fn what_a_download_that_begins_between_plan_and_removal_takes_for_granted_stays() {
    let folder = tempfile::tempdir().unwrap();
    let inner = open(&folder);
    let scopes = three(&inner);
    let key = Key::manifest(&scopes[0]);
    let mut record = inner.store.read(|txn| txn.get::<Manifests>(&key)).unwrap().unwrap();
    record.files.push(listed("more", 9, Digest::Sha256([9; 32])));
    let larger = ManifestQuant { name: "q8".to_owned(), format: "gguf".to_owned(), files: vec![0, 1] };
    record.quants.push(larger.clone());
    inner.store.write(|txn| txn.put::<Manifests>(&key, &record)).unwrap();
    let mut download = None;
    make_room_for_one(&inner, |plan| {
        if plan == 0 {
            download = Some(begin(&inner, &scopes[0], &larger));
        }
    })
    .unwrap();
    assert_eq!(stored(&inner, &scopes), [true, false, true]);
}

#[test]
fn bytes_that_the_download_needs_stay_when_the_commit_that_has_them_goes() {
    let folder = tempfile::tempdir().unwrap();
    let inner = open(&folder);
    let file = |path: &str, repo: &str| listed(path, bytes(repo).len(), Digest::Sha256(name(repo).0));
    let (weights, small) = (file("model", "w"), file("small", "s"));
    let (old, _) = scan(&inner, "old", vec![weights.clone(), small.clone()]);
    put(&inner, &old, &weights, &bytes("w"));
    put(&inner, &old, &small, &bytes("s"));
    for repo in ["w", "s"] {
        set_used(&inner, repo, now_ms() - 2 * HOUR);
    }
    let other = add(&inner, "other", HOUR);
    let (new, record) = scan(&inner, "new", vec![weights, file("small", "t")]);
    let claim = Claim { scope: &new, places: &[0, 1], files: &record.files };
    let error = make_room(&inner, SIZE, SIZE, &claim).unwrap_err();
    assert_eq!((error.code(), is_stored(&inner, &old, "model")), ("ERR_NO_SPACE", true));
    make_room(&inner, 3 * SIZE, SIZE, &claim).unwrap();
    assert!(is_stored(&inner, &new, "model") && is_stored(&inner, &other, "model"));
    assert!(!is_stored(&inner, &old, "model") && !is_stored(&inner, &old, "small"));
    assert_eq!(inner.store.usage().unwrap().bytes, 2 * SIZE);
}

#[test]
fn what_another_process_removes_is_not_removed_twice() {
    let folder = tempfile::tempdir().unwrap();
    let inner = open(&folder);
    let scopes = three(&inner);
    let remove = |scope: &RepoScope| {
        let (paths, quants) = (["model".to_owned()].into(), ["q4".to_owned()].into());
        forget(&inner, scope.clone(), paths, quants, HashMap::new(), |_| Ok(true)).unwrap();
    };
    make_room_for_one(&inner, |_| remove(&scopes[2])).unwrap();
    let [_, second, third] = stored(&inner, &scopes);
    assert!(second && !third);
}

#[test]
fn the_limit_is_never_passed_in_silence_and_nothing_waits_forever() {
    let folder = tempfile::tempdir().unwrap();
    let inner = open(&folder);
    let scopes = three(&inner);
    let start = now_ms() - HOUR;
    let mut plans = 0;
    let refused = make_room_for_one(&inner, |plan| {
        plans = plan as u64 + 1;
        for repo in ["a", "b", "c"] {
            set_used(&inner, repo, start + plans);
        }
    });
    let error = refused.unwrap_err();
    assert_eq!((error.code(), plans), ("ERR_IN_USE", CROSSED as u64));
    assert!(error.to_string().contains("raise the limit"), "{error}");
    assert_eq!(stored(&inner, &scopes), [true; 3]);
    make_room_for_one(&inner, |_| {}).unwrap();
}

#[test]
fn of_two_commits_with_quants_of_the_same_name_the_one_that_went_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let inner = open(&folder);
    add(&inner, "a", 2 * HOUR);
    let bytes = b"newer".repeat(1000);
    let file = listed("model", bytes.len(), Digest::Sha256(BlobName::of(&bytes).0));
    let scope = scan_at(&inner, "a", "decade", vec![file.clone()]).0;
    put(&inner, &scope, &file, &bytes);
    let mut plan = Plan::make(&inner, u64::MAX, None, HashSet::new()).unwrap();
    assert_eq!(plan.quants().collect::<Vec<_>>(), [("a", "q4"), ("a", "q4")]);
    set_used(&inner, "a", now_ms());
    let removed = plan.carry_out(&inner).unwrap();
    assert_eq!((removed.files, is_stored(&inner, &scope, "model")), (1, false));
    assert_eq!(plan.quants().collect::<Vec<_>>(), [("a", "q4")]);
}
