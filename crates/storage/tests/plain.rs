//! Plain files that processes share: made once, there as long as one process holds them, never left by a dead one.
#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a failing unwrap is a failing test"
)]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::ops::ControlFlow;
use std::os::unix::fs::MetadataExt as _;

use support::child;
use support::disk::SmallDisk;
use support::plain::{COPY, SIZE, Scene, claim, hold, identity, left, put};
use support::{content, damage, open};
use tabagent_storage::{Added, BlobName, Method, PlainCount, StorageError};

/// The second process: holds, keeps and lets go of what it is told, and stops for good in the middle of a copy.
#[test]
#[ignore = "the other tests start it as their second process"]
fn peer() {
    let store = open(&child::folder());
    let name = BlobName::of(&content(1, SIZE));
    let mut held = Vec::new();
    for line in io::stdin().lines() {
        match line.unwrap().as_str() {
            "hold" => {
                let (set, added) = hold(&store, &[("model.gguf", name)]).unwrap();
                child::answer(&format!("{added:?}"));
                held.push(set);
            }
            "keep" => {
                held[0].keep().unwrap();
                child::answer("kept");
            }
            "drop" => {
                held.clear();
                child::answer("dropped");
            }
            "stop half-way" => {
                let writer = claim(&store, &[("model.gguf", name)]).begin().unwrap();
                let reader = store.reader(&name).unwrap().unwrap();
                writer
                    .add("model.gguf", &reader, &mut |_| {
                        child::answer("half-way");
                        loop {
                            std::thread::park();
                        }
                    })
                    .unwrap();
            }
            other => panic!("no command {other}"),
        }
    }
}

#[test]
fn all_processes_share_one_file_until_the_last_lets_it_go() {
    let scene = Scene::new();
    let mut peer = scene.peer();
    assert_eq!(peer.ask("hold"), format!("{:?}", [COPY]));
    let (first, added) = scene.hold();
    assert_eq!(added, [Added::Shared]);
    let file = first.folder().join("model.gguf");
    assert!(fs::read(&file).unwrap() == scene.bytes);
    assert_eq!(fs::metadata(&file).unwrap().mode() & 0o777, 0o444);
    let second = scene.hold().0;
    drop(first);
    assert_eq!(peer.ask("drop"), "dropped");
    let count = PlainCount { files: 1, bytes: SIZE as u64 };
    assert_eq!((scene.store.plain_files().unwrap(), scene.collect(true)), (count, 0), "someone holds it");
    assert!(fs::read(&file).unwrap() == scene.bytes);
    drop(second);
    assert_eq!(scene.left(), [""; 0]);
    assert_eq!(scene.store.plain_files().unwrap(), PlainCount::default());
}

#[test]
fn nothing_is_seen_of_a_copy_that_is_broken_off_by_kill() {
    let scene = Scene::new();
    let mut peer = scene.peer();
    assert_eq!(peer.ask("stop half-way"), "half-way");
    assert!(!claim(&scene.store, &[("model.gguf", scene.name)]).is_made());
    assert_eq!(scene.collect(true), 0, "someone makes it");
    peer.kill();
    assert!(
        !scene.left().iter().any(|path| path.ends_with(&scene.name.to_hex()) && path.starts_with("plain/"))
    );
    assert_eq!(scene.hold().1, [COPY], "whoever asks next makes it");
    scene.collect(false);
    assert_eq!(scene.left(), [""; 0], "nothing of either is left");
}

#[test]
fn who_asks_while_another_process_copies_waits_and_shares() {
    let scene = Scene::new();
    let mut peer = scene.peer();
    assert_eq!(peer.ask("stop half-way"), "half-way");
    let writer = claim(&scene.store, &[("model.gguf", scene.name)]).begin().unwrap();
    let reader = scene.store.reader(&scene.name).unwrap().unwrap();
    let add = || writer.add("model.gguf", &reader, &mut |_| ControlFlow::Continue(())).unwrap();
    assert_eq!(add(), Added::Busy);
    peer.kill();
    assert_eq!(add(), COPY, "its lock died with it");
    drop(writer);
    assert_eq!(scene.collect(false), 0);
    assert_eq!(scene.left(), [""; 0]);
}

#[test]
fn a_set_that_several_make_at_once_is_there_once() {
    let scene = Scene::new();
    let mut theirs = scene.peer();
    let writer = claim(&scene.store, &[("model.gguf", scene.name)]).begin().unwrap();
    assert_eq!(theirs.ask("hold"), format!("{:?}", [COPY]));
    let reader = scene.store.reader(&scene.name).unwrap().unwrap();
    let added = writer.add("model.gguf", &reader, &mut |_| ControlFlow::Continue(())).unwrap();
    assert_eq!(added, Added::Shared);
    let set = writer.publish().unwrap();
    assert!(fs::read(set.folder().join("model.gguf")).unwrap() == scene.bytes);
    drop(set);
    assert_eq!(theirs.ask("drop"), "dropped");
    assert_eq!(scene.left(), [""; 0]);
}

#[test]
fn what_a_killed_process_held_is_collected() {
    let scene = Scene::new();
    let mut peer = scene.peer();
    peer.ask("hold");
    peer.kill();
    assert_eq!(scene.store.plain_files().unwrap().files, 1);
    assert_eq!(scene.collect(false), 1);
    assert_eq!(scene.left(), [""; 0]);
}

#[test]
fn a_kept_set_stays_until_it_is_asked_for() {
    let scene = Scene::new();
    let mut peer = scene.peer();
    peer.ask("hold");
    peer.ask("keep");
    peer.kill();
    assert_eq!(scene.collect(false), 0);
    let (set, added) = scene.hold();
    assert_eq!(added, [Added::Shared]);
    assert_eq!(scene.collect(true), 0, "someone holds it");
    drop(set);
    assert_eq!(scene.collect(false), 0);
    assert_eq!(scene.collect(true), 1);
    assert_eq!(scene.left(), [""; 0]);
}

#[test]
fn sets_with_the_same_bytes_share_the_file() {
    let scene = Scene::new();
    let small = put(&scene.store, b"{}");
    let (one, _) = scene.hold();
    let files = [("a/b/model.gguf", scene.name), ("config.json", small), ("other.json", small)];
    let (two, added) = hold(&scene.store, &files).unwrap();
    assert_eq!(added, [Added::Shared, COPY, Added::Shared]);
    assert_eq!(identity(&one.folder().join("model.gguf")), identity(&two.folder().join("a/b/model.gguf")));
    drop(one);
    assert_eq!(scene.store.plain_files().unwrap().files, 2);
    assert!(fs::read(two.folder().join("a/b/model.gguf")).unwrap() == scene.bytes);
    drop(two);
    assert_eq!(scene.left(), [""; 0]);
}

#[test]
fn plain_files_go_with_the_bytes_in_the_store() {
    let scene = Scene::new();
    let (kept, _) = scene.hold();
    kept.keep().unwrap();
    drop(kept);
    scene.store.remove_blobs(&[scene.name]).unwrap();
    assert_eq!(scene.left(), [""; 0], "it was kept only as long as the blob is there");
    put(&scene.store, &scene.bytes);
    let (held, _) = scene.hold();
    held.keep().unwrap();
    scene.store.remove_blobs(&[scene.name]).unwrap();
    assert!(fs::read(held.folder().join("model.gguf")).unwrap() == scene.bytes, "someone holds it");
    drop(held);
    assert_eq!(scene.left(), [""; 0]);
}

#[test]
fn a_file_made_of_damaged_bytes_is_made_anew() {
    let scene = Scene::new();
    damage(scene.folder.path(), &scene.bytes[..64]);
    let (old, _) = scene.hold();
    let file = old.folder().join("model.gguf");
    assert!(fs::read(&file).unwrap() != scene.bytes, "stored bytes are taken as they are");
    let before = identity(&file);
    scene.store.renew_plain_files(&scene.name).unwrap();
    let (other, added) = hold(&scene.store, &[("other.gguf", scene.name)]).unwrap();
    assert_eq!(added, [COPY]);
    assert_ne!(identity(&other.folder().join("other.gguf")), before);
    drop(old);
    drop(other);
    assert_eq!(scene.left(), [""; 0]);
}

#[test]
fn names_that_lead_elsewhere_are_refused_and_leave_nothing() {
    let scene = Scene::new();
    for path in ["../model.gguf", "a/../../x", "", "a//b", "a\\b"] {
        let refused = hold(&scene.store, &[(path, scene.name)]).unwrap_err();
        assert!(matches!(refused, StorageError::InvalidArgument { .. }), "{path}: {refused}");
    }
    assert_eq!(scene.left(), [""; 0]);
}

#[test]
fn a_file_that_someone_cut_is_not_shared() {
    let scene = Scene::new();
    let (old, _) = scene.hold();
    let file = old.folder().join("model.gguf");
    let mut permissions = fs::metadata(&file).unwrap().permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o644);
    fs::set_permissions(&file, permissions).unwrap();
    fs::File::options().write(true).open(&file).unwrap().set_len(5).unwrap();
    let (new, added) = hold(&scene.store, &[("other.gguf", scene.name)]).unwrap();
    assert_eq!(added, [COPY]);
    assert!(fs::read(new.folder().join("other.gguf")).unwrap() == scene.bytes);
}

#[test]
fn a_copy_for_which_there_is_no_room_is_told_and_leaves_nothing() {
    let Some(disk) = SmallDisk::mount("ext4", 768) else {
        println!("not run: this system does not let the test make and mount an ext4");
        return;
    };
    let store = open(&disk.mounted);
    let name = put(&store, &content(2, SIZE));
    // Room for folders and a part of the file.
    let filler = fs::File::options().write(true).open(disk.fill()).unwrap();
    filler.set_len(filler.metadata().unwrap().len() - (4 << 20)).unwrap();
    let refused = hold(&store, &[("model.gguf", name)]).unwrap_err();
    assert!(matches!(refused, StorageError::NoSpace { needed, .. } if needed == SIZE as u64), "{refused}");
    assert_eq!(left(&disk.mounted), [""; 0]);
}

#[test]
fn where_blocks_can_be_shared_nothing_is_copied() {
    for kind in ["xfs", "btrfs"] {
        let Some(disk) = SmallDisk::mount(kind, 1024) else {
            println!("not run on {kind}: this system does not let the test make and mount one");
            continue;
        };
        let store = open(&disk.mounted);
        let bytes = content(3, SIZE);
        let name = put(&store, &bytes);
        let (set, added) = hold(&store, &[("model.gguf", name)]).unwrap();
        assert_eq!(added, [Added::Made(Method::Reflink)], "{kind}");
        assert_eq!(store.remove_blobs(&[name]).unwrap().blobs, 1);
        assert!(fs::read(set.folder().join("model.gguf")).unwrap() == bytes, "{kind}");
        drop(set);
        assert_eq!(left(&disk.mounted), [""; 0]);
    }
}

#[test]
fn a_read_only_store_makes_none() {
    let scene = Scene::new();
    drop(scene.store);
    let registry = tabagent_storage::StorageRegistry::new(scene.folder.path());
    let options = tabagent_storage::StoreOptions { read_only: true };
    let store = registry.open("store".as_ref(), options).unwrap();
    let refused = store.plain_set(&BTreeMap::from([("a".to_owned(), scene.name)])).unwrap_err();
    assert!(matches!(refused, StorageError::ReadOnly { .. }), "{refused}");
    assert!(matches!(store.collect_plain_files(false, false), Err(StorageError::ReadOnly { .. })));
    assert_eq!(store.collect_plain_files(true, true).unwrap(), PlainCount::default());
}
