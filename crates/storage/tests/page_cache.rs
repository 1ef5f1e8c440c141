//! What a check leaves in the page cache.
#![cfg(target_os = "linux")]
#![allow(clippy::print_stderr, clippy::unwrap_used, reason = "a failing unwrap is a failing test")]

mod support;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use rustix::fs::{Advice, fadvise};
use support::{content, no_publish, open, write_missing, writer_for};
use tabagent_storage::{BlobName, CheckWatch, Store, Verdict};

const SIZE: usize = 48 << 20;
/// What threads that read at once may leave: the kernel reads on behind what one asks for, where another one is at work.
const LEFT: u64 = 16 << 20;

struct Unwatched;

impl CheckWatch for Unwatched {
    fn checked(&self, _index: usize, _bytes: u64) -> bool {
        true
    }
}

/// Bytes of the file in the page cache (`fincore` of util-linux); `None` where nobody tells.
fn cached(path: &Path) -> Option<u64> {
    let output =
        Command::new("fincore").args(["--bytes", "--noheadings", "--output", "RES"]).arg(path).output();
    String::from_utf8(output.ok()?.stdout).ok()?.trim().parse().ok()
}

/// Whether this kernel and file system can leave the page cache alone (`RWF_DONTCACHE`, Linux 6.14).
fn can_be_left_alone(path: &Path) -> bool {
    let file = File::open(path).unwrap();
    let mut byte = [0];
    let flag = rustix::io::ReadWriteFlags::from_bits_retain(0x80);
    rustix::io::preadv2(&file, &mut [std::io::IoSliceMut::new(&mut byte)], 0, flag).is_ok()
}

fn check(store: &Arc<Store>, name: BlobName) {
    let verdicts = store.check_blobs(&[name], &Unwatched).unwrap();
    assert_eq!(verdicts, [Some(Verdict::Checked { size: SIZE as u64, damaged: Vec::new() })]);
}

fn forget(path: &Path) {
    let file = File::open(path).unwrap();
    file.sync_all().unwrap();
    fadvise(&file, 0, None, Advice::DontNeed).unwrap();
}

#[test]
fn a_check_leaves_in_the_page_cache_what_was_there_and_no_more() {
    // Nothing is on a disk in a file system in memory.
    let base = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let folder = tempfile::tempdir_in(base).unwrap();
    let store = open(folder.path());
    let bytes = content(1, SIZE);
    let writer = writer_for(&store, &bytes);
    write_missing(&writer, &bytes);
    writer.finish(no_publish).unwrap();
    drop(writer);
    let path: PathBuf = folder.path().join("store/model_cache_chunks/mdbx.dat");
    let (true, Some(_)) = (can_be_left_alone(&path), cached(&path)) else {
        eprintln!("left out: this system cannot do it, or has no fincore");
        return;
    };
    forget(&path);
    let before = cached(&path).unwrap();
    check(&store, BlobName::of(&bytes));
    let after = cached(&path).unwrap();
    assert!(after <= before + LEFT, "{before} bytes were there, and {after} are");
    // What somebody uses stays.
    let reader = store.reader(&BlobName::of(&bytes)).unwrap().unwrap();
    assert!(reader.copy(0..reader.size()).unwrap() == bytes);
    let used = cached(&path).unwrap();
    assert!(used >= SIZE as u64 / 2, "{used} bytes are there");
    check(&store, BlobName::of(&bytes));
    let kept = cached(&path).unwrap();
    assert!(kept + LEFT >= used, "{used} bytes were there, and {kept} are");
}
