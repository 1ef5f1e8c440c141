//! Blobs that share their disk blocks with a file that was there before: they are what they were when they were taken.
//!
//! The file systems are loop mounts, for which the system must let this test mount (root) and have the tools (xfsprogs,
//! btrfs-progs). Elsewhere the test says so and ends.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a failing unwrap is a failing test")]

mod support;

use std::fs::File;
use std::os::unix::fs::FileExt as _;

use support::disk::SmallDisk;
use support::{content, finish, no_publish, open, writer_for};
use tabagent_storage::{BLOCK_SIZE, Finish};

const MIB: usize = 1 << 20;
const BLOCK: usize = 4 * MIB;

#[test]
fn shared_bytes_are_hashed_as_they_are_in_the_store() {
    const { assert!(BLOCK as u64 == BLOCK_SIZE) };
    for kind in ["xfs", "btrfs"] {
        let Some(disk) = SmallDisk::mount(kind, 1536) else {
            println!("not run on {kind}: this system does not let the test make and mount one");
            continue;
        };
        let store = open(&disk.mounted);
        // Over the seam of two chunks, and with an end within a page.
        let bytes = content(1, 110 * MIB + 777);
        let path = disk.mounted.join("source");
        std::fs::write(&path, &bytes).unwrap();
        let source = File::options().read(true).write(true).open(&path).unwrap();
        let writer = writer_for(&store, &bytes);
        let whole = bytes.len() / BLOCK * BLOCK;
        let mut buffer = vec![0; BLOCK];
        for at in (0..whole).step_by(BLOCK) {
            assert!(writer.share(at as u64, &mut buffer, &source).unwrap());
            assert!(buffer == bytes[at..at + BLOCK], "what was taken is told");
        }
        writer.write(whole as u64, &bytes[whole..]).unwrap();
        source.write_all_at(&[0; 100], 5 * MIB as u64).unwrap();
        finish(&store, &writer, &bytes);

        // Changed before they are taken, they are not what was expected, and nothing of them stays.
        let other = content(2, BLOCK);
        std::fs::write(&path, &other).unwrap();
        source.write_all_at(&[0; 100], 5000).unwrap();
        let writer = writer_for(&store, &other);
        assert!(writer.share(0, &mut buffer, &source).unwrap());
        assert!(matches!(writer.finish(no_publish).unwrap(), Finish::Mismatch { .. }));
        writer.discard().unwrap();
        assert_eq!(writer.written(), 0);
    }
}

#[test]
fn where_nothing_can_be_shared_nothing_is_done() {
    let Some(disk) = SmallDisk::mount("ext4", 1024) else {
        println!("not run: this system does not let the test make and mount an ext4");
        return;
    };
    let store = open(&disk.mounted);
    let bytes = content(3, BLOCK);
    let path = disk.mounted.join("source");
    std::fs::write(&path, &bytes).unwrap();
    let writer = writer_for(&store, &bytes);
    let mut buffer = vec![0; BLOCK];
    assert!(!writer.share(0, &mut buffer, &File::open(&path).unwrap()).unwrap());
    assert_eq!((writer.written(), writer.missing().len()), (0, 1));
    writer.write(0, &bytes).unwrap();
    assert!(matches!(writer.finish(no_publish).unwrap(), Finish::Complete(_)));
}
