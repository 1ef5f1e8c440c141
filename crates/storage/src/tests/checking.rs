//! Checking many blobs at once.

use std::sync::Mutex;

use super::fixture::{Content, add, add_inline, delete_chunks, new_store, write};
use crate::check::{CheckWatch, Verdict};
use crate::digest::BlobName;
use crate::key::Key;
use crate::layout::{BLOCK_SIZE, CHUNK_SIZE};
use crate::platform;
use crate::record::UseRecord;
use crate::scope::{EndpointId, RepoScope};
use crate::table::{Blobs, InlineBytes, Inlines, Uses};

const MIB: u64 = 1 << 20;

/// Adds up what it hears, and ends the check after so many pieces.
struct Heard {
    bytes: Mutex<Vec<u64>>,
    most: usize,
}

impl Heard {
    fn new(most: usize) -> Self {
        Self { bytes: Mutex::default(), most }
    }
}

impl CheckWatch for Heard {
    fn checked(&self, _index: usize, bytes: u64) -> bool {
        let mut heard = self.bytes.lock().unwrap();
        heard.push(bytes);
        heard.len() < self.most
    }
}

#[test]
fn intact_blobs_are_compared_to_the_last_byte_and_do_not_count_as_used() {
    let (_folder, store) = new_store();
    let contents = [
        Content::dense(1, 9 * MIB + 5),
        Content::sparse(2, CHUNK_SIZE + 70_000),
        Content::dense(3, 64 << 10),
    ];
    for content in &contents {
        add(&store, content);
    }
    let inline = BlobName::of(b"small");
    add_inline(&store, &inline, b"small");
    let mut names: Vec<BlobName> = contents.iter().map(Content::name).collect();
    names.extend([inline, BlobName([9; 32])]);
    let heard = Heard::new(usize::MAX);
    let verdicts = store.check_blobs(&names, &heard).unwrap();
    let sizes = contents.iter().map(|content| content.size).chain([5]);
    let expected: Vec<_> = sizes
        .clone()
        .map(|size| Some(Verdict::Checked { size, damaged: Vec::new() }))
        .chain([Some(Verdict::Absent)])
        .collect();
    assert_eq!(verdicts, expected);
    assert_eq!(heard.bytes.into_inner().unwrap().iter().sum::<u64>(), sizes.sum::<u64>());
    store.record_uses().unwrap();
    for name in &names[..4] {
        assert_eq!(store.read(|t| t.get::<Blobs>(&Key::blob(name))).unwrap().unwrap().last_use_ms, 0);
    }
    assert!(store.opened().is_empty());
}

#[test]
fn damage_is_found_block_by_block_and_neighbours_are_joined() {
    let (_folder, store) = new_store();
    let content = Content::dense(4, CHUNK_SIZE + 9 * MIB);
    let incarnation = add(&store, &content);
    let intact = Content::dense(5, 5 * MIB);
    add(&store, &intact);
    for at in [0, 5 * MIB, 12 * MIB - 1, CHUNK_SIZE, content.size - 1] {
        write(&store, &incarnation, content.size, at, &[!content.bytes(at..at + 1)[0]]);
    }
    let verdicts = store.check_blobs(&[content.name(), intact.name()], &Heard::new(usize::MAX)).unwrap();
    let damaged =
        vec![0..12 * MIB, CHUNK_SIZE..CHUNK_SIZE + BLOCK_SIZE, CHUNK_SIZE + 2 * BLOCK_SIZE..content.size];
    assert_eq!(
        verdicts,
        [
            Some(Verdict::Checked { size: content.size, damaged }),
            Some(Verdict::Checked { size: intact.size, damaged: Vec::new() })
        ]
    );
}

#[test]
fn inline_bytes_are_compared_with_their_name() {
    let (_folder, store) = new_store();
    let name = BlobName::of(b"right");
    add_inline(&store, &name, b"right");
    store.write(|t| t.put::<Inlines>(&Key::inline(&name), &InlineBytes(b"wrong".to_vec()))).unwrap();
    let check = || store.check_blobs(&[name], &Heard::new(usize::MAX)).unwrap().remove(0).unwrap();
    assert_eq!(check(), Verdict::Checked { size: 5, damaged: std::iter::once(0..5).collect() });
    store.write(|t| t.delete::<Inlines>(&Key::inline(&name))).unwrap();
    assert!(matches!(check(), Verdict::Lost { size: 5, .. }));
}

#[test]
fn a_blob_whose_chunks_are_gone_is_lost_and_one_with_a_damaged_header_cannot_be_read() {
    let (_folder, store) = new_store();
    let (lost, unreadable) = (Content::dense(6, 3 * MIB), Content::dense(7, 3 * MIB));
    let incarnation = add(&store, &lost);
    delete_chunks(&store, &incarnation, lost.size);
    let other = add(&store, &unreadable);
    let run = store.snapshot().unwrap().runs(&other, unreadable.size).unwrap().unwrap()[0];
    platform::write_at(store.chunks.data_file().unwrap(), &[0; 60], run.offset()).unwrap();
    let verdicts = store.check_blobs(&[lost.name(), unreadable.name()], &Heard::new(usize::MAX)).unwrap();
    assert_eq!(verdicts[0], Some(Verdict::Lost { size: lost.size, incarnation }));
    assert!(matches!(&verdicts[1], Some(Verdict::Unreadable { .. })), "{verdicts:?}");
}

#[test]
fn a_lost_blob_is_forgotten_with_its_files_unless_it_is_another_reservation_s_by_now() {
    let (_folder, store) = new_store();
    let content = Content::dense(8, 3 * MIB);
    let gone = add(&store, &content);
    let scope =
        RepoScope { endpoint: EndpointId::of("x"), repo: "acme/m".to_owned(), commit: "c".repeat(40) };
    let (used, path) = (Key::usage(&content.name(), &scope, "a"), "a".to_owned());
    store.write(|t| t.put::<Uses>(&used, &UseRecord { path })).unwrap();
    delete_chunks(&store, &gone, content.size);
    // Somebody has stored it again since the check.
    let here = add(&store, &content);
    let forget = |incarnation| {
        let mut heard = Vec::new();
        let also = |_: &crate::WriteTransaction<'_>, scope: &RepoScope, path: &str| {
            heard.push((scope.clone(), path.to_owned()));
            Ok(())
        };
        (store.forget_lost(&content.name(), Some(incarnation), also).unwrap(), heard)
    };
    assert_eq!(forget(gone), (false, Vec::new()));
    assert!(store.reader(&content.name()).unwrap().is_some());
    let lease = store.try_lease(&content.name()).unwrap();
    assert_eq!(forget(here), (false, Vec::new()), "somebody is at work on it");
    drop(lease);
    assert_eq!(forget(here), (true, vec![(scope, "a".to_owned())]));
    assert_eq!(store.blob(&content.name()).unwrap(), None);
    assert_eq!(store.orphans().unwrap(), crate::Orphans::default());
}

#[test]
fn a_lost_inline_blob_is_forgotten_unless_its_bytes_are_there_again() {
    let (_folder, store) = new_store();
    let name = BlobName::of(b"bytes");
    let lose = || {
        add_inline(&store, &name, b"bytes");
        store.write(|t| t.delete::<Inlines>(&Key::inline(&name))).unwrap();
        match store.check_blobs(&[name], &Heard::new(usize::MAX)).unwrap().remove(0) {
            Some(Verdict::Lost { incarnation, .. }) => incarnation,
            other => panic!("{other:?}"),
        }
    };
    let gone = lose();
    add_inline(&store, &name, b"bytes");
    assert!(!store.forget_lost(&name, Some(gone), |_, _, _| Ok(())).unwrap());
    assert!(store.reader(&name).unwrap().is_some());
    let gone = lose();
    assert!(store.forget_lost(&name, Some(gone), |_, _, _| Ok(())).unwrap());
    assert_eq!(store.blob(&name).unwrap(), None);
}

#[test]
fn a_check_ends_when_nobody_wants_it_any_more() {
    let (_folder, store) = new_store();
    let contents: Vec<Content> = (10..20).map(|seed| Content::dense(seed, 8 * MIB)).collect();
    for content in &contents {
        add(&store, content);
    }
    let names: Vec<BlobName> = contents.iter().map(Content::name).collect();
    let heard = Heard::new(1);
    let verdicts = store.check_blobs(&names, &heard).unwrap();
    // Each thread ends with the piece it has at hand.
    assert!(heard.bytes.into_inner().unwrap().len() <= 4);
    assert!(verdicts.iter().any(Option::is_none));
}
