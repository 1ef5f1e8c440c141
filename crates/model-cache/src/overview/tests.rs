use tabagent_storage::{
    BlobRecord, BlobState, Digest, FileMetadata, RefCommit, RefRecord, Refs, Segment, WriteTransaction,
};

use super::*;
use crate::fixture::{self, listed, open};
use crate::manifest::QuantStatus;

const SIZE: u64 = 100;
const COMMIT: &str = "c0ffee";

fn write(inner: &Inner, change: impl FnOnce(&WriteTransaction<'_>) -> tabagent_storage::Result<()>) {
    inner.store.write(change).unwrap();
}

fn scope(inner: &Inner, repo: &str) -> RepoScope {
    RepoScope { endpoint: inner.endpoint.clone(), repo: repo.to_owned(), commit: COMMIT.to_owned() }
}

/// The one blob of a repository.
fn blob(repo: &str) -> BlobName {
    BlobName::of(repo.as_bytes())
}

fn scan(inner: &Inner, repo: &str) {
    let size = usize::try_from(SIZE).unwrap();
    fixture::scan(inner, repo, vec![listed("model", size, Digest::Sha256(blob(repo).0))]);
    let seen = RefCommit { commit: COMMIT.to_owned(), scanned_at_ms: 1 };
    write(inner, |txn| {
        let key = Key::reference(&inner.endpoint, repo, "main");
        txn.put::<Refs>(&key, &RefRecord { commits: vec![seen], etag: None })
    });
}

/// What is read of the store now, and what is shown of that.
fn look(inner: &Inner, overview: &mut Overview) -> (Vec<String>, Vec<Manifest>) {
    let wanted = [Wanted::new(inner, None).unwrap()];
    let pulse = Pulse::feel(inner).unwrap();
    let current = overview.is_current(&pulse);
    let due = overview.due(inner, &pulse, &wanted).unwrap();
    let read: Vec<String> = due.unread.into_iter().map(|(repo, _)| repo).collect();
    assert!(!current || read.is_empty(), "a change that the pulse does not tell");
    (read, overview.look(inner, pulse, &wanted).unwrap())
}

#[test]
fn where_nothing_changed_nothing_is_read_and_else_only_what_did() {
    let folder = tempfile::tempdir().unwrap();
    let (inner, mut overview) = (open(&folder), Overview::default());
    scan(&inner, "a");
    scan(&inner, "b");
    assert_eq!(look(&inner, &mut overview).1.len(), 2);
    assert!(overview.is_current(&Pulse::feel(&inner).unwrap()));

    let other = BlobRecord {
        state: BlobState::Partial,
        size: SIZE,
        incarnation: [1; 16],
        segments: vec![Segment { start: 0, length: 5, crc: 0 }],
        provisional: false,
        last_use_ms: 0,
    };
    write(&inner, |txn| txn.put::<Blobs>(&Key::blob(&blob("another store's")), &other));
    assert!(!overview.is_current(&Pulse::feel(&inner).unwrap()));
    assert_eq!(look(&inner, &mut overview), (Vec::new(), Vec::new()), "a checkpoint of another blob");

    let file = FileMetadata {
        path: "model".to_owned(),
        blob: blob("a").0,
        size: SIZE,
        git_sha1: None,
        stored_at_ms: 0,
    };
    let key = Key::file(&scope(&inner, "a"), "model");
    write(&inner, |txn| txn.put::<Files>(&key, &file));
    let (read, changed) = look(&inner, &mut overview);
    assert_eq!(read, ["a"]);
    assert_eq!(changed[0].quants["q4"].status, QuantStatus::Downloaded);
}

#[test]
fn the_lock_files_tell_of_downloads() {
    let folder = tempfile::tempdir().unwrap();
    let (inner, mut overview) = (open(&folder), Overview::default());
    scan(&inner, "a");
    scan(&inner, "b");
    look(&inner, &mut overview);
    let presence = inner.store.hold_presence(&presence(&scope(&inner, "b"), "q4")).unwrap();
    let lease = inner.store.try_lease(&blob("b")).unwrap().unwrap();
    for written in [0, 5, SIZE] {
        lease.show(|| written);
        let (read, changed) = look(&inner, &mut overview);
        assert_eq!((read, changed.len()), (vec!["b".to_owned()], 1));
        let quant = &changed[0].quants["q4"];
        assert_eq!((quant.status, quant.downloaded), (QuantStatus::Downloading, written));
    }
    drop((presence, lease));
    let (read, changed) = look(&inner, &mut overview);
    assert_eq!(read, ["b"]);
    let quant = &changed[0].quants["q4"];
    assert_eq!((quant.status, quant.downloaded), (QuantStatus::Available, 0));
    assert_eq!(look(&inner, &mut overview), (Vec::new(), Vec::new()));
}

#[test]
fn what_is_gone_is_shown_once_more() {
    let folder = tempfile::tempdir().unwrap();
    let (inner, mut overview) = (open(&folder), Overview::default());
    scan(&inner, "a");
    let before = look(&inner, &mut overview).1;
    write(&inner, |txn| txn.delete::<Manifests>(&Key::manifest(&scope(&inner, "a"))).map(|_| ()));
    assert_eq!(look(&inner, &mut overview).1, before);
    assert_eq!(look(&inner, &mut overview).1, []);
    assert_eq!(overview.all().count(), 0);
}
