//! Plain files from stored blobs: shared with the store on file systems that can, copied elsewhere, and their own ever after.
//!
//! The file systems are loop mounts, for which the system must let this test mount (root) and have the tools (xfsprogs,
//! btrfs-progs). Elsewhere the test says so and ends.
#![allow(
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a failing unwrap is a failing test"
)]

mod support;

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use support::disk::SmallDisk;
use support::{bytes_on_disk, content, no_publish, open, write_missing, writer_for};
use tabagent_storage::{BlobName, Digest, Finish, Folder, Link, Method, StorageError, Store};

const MIB: usize = 1 << 20;

/// Two chunks, the last of which ends within a page.
const SIZE: usize = 110 * MIB + 777;

fn put(store: &Arc<Store>, bytes: &[u8]) -> BlobName {
    let name = BlobName::of(bytes);
    store.put_bytes(bytes, &Digest::Sha256(name.0), no_publish).unwrap();
    name
}

fn export(store: &Arc<Store>, name: &BlobName, to: &Path, link: Link) -> Result<Method, StorageError> {
    let reader = store.reader(name).unwrap().unwrap();
    let folder = Folder::create(to.parent().unwrap())?;
    let file = folder.begin(to.file_name().unwrap().to_str().unwrap())?;
    let mut loaded = 0;
    let method = reader.export(&file, link, &mut |more| {
        loaded += more;
        ControlFlow::Continue(())
    })?;
    assert_eq!(loaded, reader.size());
    file.publish(false)?;
    Ok(method.unwrap())
}

/// Runs `test` on a file system of each kind that can share parts of files.
fn on_each(megabytes: u64, test: impl Fn(&SmallDisk, &str)) {
    for kind in ["xfs", "btrfs"] {
        match SmallDisk::mount(kind, megabytes) {
            Some(disk) => test(&disk, kind),
            None => println!("not run on {kind}: this system does not let the test make and mount one"),
        }
    }
}

/// Where a blob's bytes begin in the data file.
fn place(store: &Arc<Store>, name: &BlobName) -> Vec<(PathBuf, u64)> {
    let extents = store.reader(name).unwrap().unwrap().extents();
    extents.into_iter().map(|extent| (extent.path, extent.offset)).collect()
}

#[test]
fn a_shared_file_takes_no_room_and_a_copied_one_does() {
    on_each(1536, |disk, _| {
        let store = open(&disk.mounted);
        let bytes = content(1, SIZE);
        let name = put(&store, &bytes);
        let free = || {
            // btrfs counts what is on the disk only; there are loop mounts on Linux alone.
            #[cfg(target_os = "linux")]
            rustix::fs::syncfs(std::fs::File::open(&disk.mounted).unwrap()).unwrap();
            let stat = rustix::fs::statvfs(&disk.mounted).unwrap();
            usize::try_from(stat.f_bavail * stat.f_frsize).unwrap()
        };
        let before = free();
        let shared = disk.mounted.join("out/shared");
        assert_eq!(export(&store, &name, &shared, Link::Reflink).unwrap(), Method::Reflink);
        let after = free();
        assert!(before < after + 8 * MIB, "{before} free before, {after} after");
        let auto = disk.mounted.join("out/auto");
        assert_eq!(export(&store, &name, &auto, Link::Auto).unwrap(), Method::Reflink);
        let copied = disk.mounted.join("out/copied");
        assert_eq!(export(&store, &name, &copied, Link::Copy).unwrap(), Method::Copy);
        assert!(free() + 100 * MIB < after, "a copy owns its blocks");
        for file in [shared, auto, copied] {
            assert!(std::fs::read(&file).unwrap() == bytes, "{}", file.display());
        }
    });
}

/// The run of the removed blob is reserved again. Its pages are shared with the export, so that without new room of its own the
/// first write into them on a full disk would fail, and one through libmdbx's map end the process.
#[test]
fn a_shared_file_keeps_its_bytes_and_takes_no_room_from_the_store() {
    on_each(1536, |disk, kind| {
        let store = open(&disk.mounted);
        let (old, new) = (content(2, SIZE), content(3, SIZE));
        let name = put(&store, &old);
        let shared = disk.mounted.join("shared");
        assert_eq!(export(&store, &name, &shared, Link::Reflink).unwrap(), Method::Reflink);
        let before = place(&store, &name);
        // What someone reads is not given back to the disk: its pages are still the shared ones when they are free.
        let reader = store.reader(&name).unwrap();
        assert_eq!(store.remove_blobs(&[name]).unwrap().blobs, 1);
        drop(reader);
        // A blob of the same size, so that it gets the freed runs: two of them, in case the first went elsewhere.
        let writers = [writer_for(&store, &new), writer_for(&store, &content(4, SIZE))];
        // btrfs writes nothing in place, so that on a full one even the map of a lock file cannot be written.
        let filler = (kind == "xfs").then(|| disk.fill());
        for (writer, bytes) in writers.iter().zip([&new, &content(4, SIZE)]) {
            write_missing(writer, bytes);
            writer.checkpoint().unwrap();
        }
        filler.map(std::fs::remove_file).transpose().unwrap();
        for writer in &writers {
            assert!(matches!(writer.finish(no_publish).unwrap(), Finish::Complete(_)));
        }
        drop(writers);
        let after =
            [BlobName::of(&new), BlobName::of(&content(4, SIZE))].map(|name| place(&store, &name)).concat();
        assert!(
            before.iter().any(|place| after.contains(place)),
            "the freed runs were not used: {before:?} {after:?}"
        );
        assert!(std::fs::read(&shared).unwrap() == old);
        assert!(bytes_on_disk(&store, &BlobName::of(&new)) == new);
    });
}

#[test]
fn a_change_of_the_shared_file_never_reaches_the_store() {
    on_each(1024, |disk, _| {
        let store = open(&disk.mounted);
        let bytes = content(5, 3 * MIB);
        let name = put(&store, &bytes);
        let shared = disk.mounted.join("shared");
        assert_eq!(export(&store, &name, &shared, Link::Reflink).unwrap(), Method::Reflink);
        std::fs::write(&shared, vec![0; bytes.len()]).unwrap();
        assert!(bytes_on_disk(&store, &name) == bytes);
    });
}

#[test]
fn what_cannot_be_shared_is_refused_or_copied() {
    let Some(disk) = SmallDisk::mount("ext4", 1024) else {
        println!("not run: this system does not let the test make and mount an ext4");
        return;
    };
    let elsewhere = tempfile::tempdir().unwrap();
    let store = open(&disk.mounted);
    let bytes = content(6, SIZE);
    let name = put(&store, &bytes);
    for (n, folder) in [disk.mounted.join("out"), elsewhere.path().to_owned()].into_iter().enumerate() {
        let refused = export(&store, &name, &folder.join("shared"), Link::Reflink).unwrap_err();
        let why = ["their file system cannot share", "on different file systems"][n];
        assert!(
            matches!(refused, StorageError::NoReflink { .. }) && refused.to_string().contains(why),
            "{refused}"
        );
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0, "nothing is left of it");
        assert_eq!(export(&store, &name, &folder.join("auto"), Link::Auto).unwrap(), Method::Copy);
        assert_eq!(export(&store, &name, &folder.join("copy"), Link::Copy).unwrap(), Method::Copy);
        for file in ["auto", "copy"] {
            assert!(std::fs::read(folder.join(file)).unwrap() == bytes, "{file}");
        }
    }
}

#[test]
fn a_disk_too_small_for_the_copy_is_told_with_figures_and_keeps_nothing_of_it() {
    let Some(disk) = SmallDisk::mount("ext4", 64) else {
        println!("not run: this system does not let the test make and mount an ext4");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let name = put(&store, &content(7, SIZE));
    match export(&store, &name, &disk.mounted.join("out/file"), Link::Auto) {
        Err(StorageError::NoSpace { path, needed, available, .. }) => {
            assert!(path.ends_with("out/file") && needed == SIZE as u64 && available < needed);
        }
        other => panic!("not a full disk: {other:?}"),
    }
    assert_eq!(std::fs::read_dir(disk.mounted.join("out")).unwrap().count(), 0);
}

#[test]
fn an_export_that_is_broken_off_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let name = put(&store, &content(8, 20 * MIB));
    let reader = store.reader(&name).unwrap().unwrap();
    for link in [Link::Auto, Link::Copy] {
        let file = Folder::create(&folder.path().join("out")).unwrap().begin("file").unwrap();
        let mut calls = 0;
        let broken = reader.export(&file, link, &mut |_| {
            calls += 1;
            if calls == 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        assert_eq!((broken.unwrap(), calls), (None, 2));
        drop(file);
        assert_eq!(std::fs::read_dir(folder.path().join("out")).unwrap().count(), 0);
    }
}

#[test]
fn a_blob_that_is_removed_and_replaced_meanwhile_is_exported_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let bytes = content(9, 20 * MIB);
    let name = put(&store, &bytes);
    let reader = store.reader(&name).unwrap().unwrap();
    let file = Folder::create(&folder.path().join("out")).unwrap().begin("file").unwrap();
    let mut calls = 0;
    reader
        .export(&file, Link::Copy, &mut |_| {
            calls += 1;
            if calls == 1 {
                assert_eq!(store.remove_blobs(&[name]).unwrap().blobs, 1);
                put(&store, &content(10, 20 * MIB));
                put(&store, &content(11, 20 * MIB));
            }
            ControlFlow::Continue(())
        })
        .unwrap();
    file.publish(false).unwrap();
    assert!(calls > 1 && std::fs::read(folder.path().join("out/file")).unwrap() == bytes);
}

#[test]
fn links_below_the_folder_are_not_followed() {
    let folder = tempfile::tempdir().unwrap();
    let (inside, outside) = (folder.path().join("inside"), folder.path().join("outside"));
    std::fs::create_dir_all(&inside).unwrap();
    std::fs::create_dir_all(&outside).unwrap();
    std::os::unix::fs::symlink(&outside, inside.join("onnx")).unwrap();
    std::os::unix::fs::symlink(outside.join("file"), inside.join("model")).unwrap();
    let refused = Folder::create(&inside).unwrap().create_below("onnx").err().unwrap();
    assert!(refused.to_string().contains("links are not followed"), "{refused}");
    let file = Folder::create(&inside).unwrap().begin("model").unwrap();
    assert!(file.publish(false).is_err(), "the link has the name");
    let file = Folder::create(&inside).unwrap().begin("model").unwrap();
    file.publish(true).unwrap();
    assert!(!inside.join("model").is_symlink(), "the file took the place of the link");
    assert_eq!(std::fs::read_dir(&outside).unwrap().count(), 0, "nothing was written where the links lead");
    for name in ["..", "a/b", "/a", ""] {
        assert!(Folder::create(&inside).unwrap().create_below(name).is_err(), "{name}");
        assert!(Folder::create(&inside).unwrap().begin(name).is_err(), "{name}");
    }
}
