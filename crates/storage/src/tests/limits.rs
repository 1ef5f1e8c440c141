//! What a process may spend on views, each in a process of its own: its memory map is counted.

use std::fs;

use super::child::{start, store_of_child};
use super::fixture::{Content, add, new_store};
use crate::error::StorageError;

const MIB: u64 = 1 << 20;

fn run_child(name: &str) {
    let (folder, store) = new_store();
    add(&store, &content());
    let mut child = start(name, folder.path());
    drop(child.stdin.take());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"), "the child test did not run");
}

fn content() -> Content {
    Content::sparse(1, 130 * MIB + 5)
}

fn mappings() -> usize {
    fs::read_to_string("/proc/self/maps").unwrap().lines().count()
}

/// Kibibytes of anonymous memory.
fn anonymous_memory() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("RssAnon:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn mapping_and_dropping_leaks_nothing() {
    run_child("tests::limits::ten_thousand_cycles");
}

#[test]
#[ignore = "another test starts it in a process of its own"]
fn ten_thousand_cycles() {
    let store = store_of_child();
    let cycle = || {
        let reader = store.reader(&content().name()).unwrap().unwrap();
        let view = reader.map().unwrap();
        let window = reader.window(100 * MIB - 9..100 * MIB + 9).unwrap();
        assert_eq!(window[..], view[100 * (1 << 20) - 9..100 * (1 << 20) + 9]);
    };
    (0..100).for_each(|_| cycle());
    let before = (mappings(), anonymous_memory());
    (0..10_000).for_each(|_| cycle());
    // A leak would be one per cycle; the store's thread may get its own memory only now.
    assert!(mappings() <= before.0 + 100, "{} mappings, {} before", mappings(), before.0);
    let grown = anonymous_memory().saturating_sub(before.1);
    assert!(grown < 8 << 10, "{grown} KiB of memory more");
    let usage = store.usage().unwrap();
    assert_eq!((usage.readers, usage.views), (0, 0));
}

#[test]
fn a_spent_mapping_budget_is_an_error_and_copies_still_work() {
    run_child("tests::limits::spend_the_budget");
}

#[test]
#[ignore = "another test starts it in a process of its own"]
fn spend_the_budget() {
    let store = store_of_child();
    let reader = store.reader(&content().name()).unwrap().unwrap();
    let mut windows = Vec::new();
    let refused = loop {
        match reader.window(0..10) {
            Ok(window) => windows.push(window),
            Err(error) => break error,
        }
    };
    assert!(matches!(refused, StorageError::TooLarge { .. }), "{refused:?}");
    assert!(windows.len() as u64 >= crate::platform::mapping_limit() / 4 - 10, "{}", windows.len());
    assert!(matches!(reader.map(), Err(StorageError::TooLarge { .. })));
    assert_eq!(reader.copy(0..10).unwrap(), content().bytes(0..10));
    assert_eq!(reader.load().unwrap().len() as u64, content().size);
    windows.truncate(windows.len() - 2);
    assert_eq!(reader.map().unwrap().len() as u64, content().size);
}
