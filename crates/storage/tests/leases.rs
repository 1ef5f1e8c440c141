//! Leases and announcements: who holds them in which process, who only looks, and what a death frees.
#![allow(clippy::panic, clippy::unwrap_used, reason = "a failing unwrap is a failing test")]

mod support;

use std::sync::Arc;

use support::child::{self, Peer};
use support::open;
use tabagent_storage::{BlobName, Lease, Presence, Store};

#[derive(Default)]
struct Held {
    leases: Vec<Lease>,
    presence: Vec<Presence>,
}

impl Held {
    fn run(&mut self, store: &Arc<Store>, command: &str) {
        match command.split_once(' ').unwrap() {
            ("lease", name) => {
                self.leases.extend(store.try_lease(&BlobName::of(name.as_bytes())).unwrap());
                child::answer(&self.leases.len().to_string());
            }
            ("announce", what) => {
                self.presence.push(store.hold_presence(what).unwrap());
                child::answer("announced");
            }
            (other, _) => panic!("unknown command {other}"),
        }
    }
}

#[test]
#[ignore = "the other tests start it as their second process"]
fn peer() {
    let store = open(&child::folder());
    let mut held = Held::default();
    for command in std::io::stdin().lines() {
        held.run(&store, &command.unwrap());
    }
}

#[test]
fn a_lease_is_held_by_one_process_and_freed_by_its_death() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let name = BlobName::of(b"x");
    assert!(!store.is_leased(&name).unwrap());
    let mut peer = Peer::start("peer", folder.path());
    assert_eq!(peer.ask("lease x"), "1");
    assert!(store.is_leased(&name).unwrap());
    assert!(store.try_lease(&name).unwrap().is_none());
    peer.kill();
    assert!(!store.is_leased(&name).unwrap());
    let lease = store.try_lease(&name).unwrap().unwrap();
    assert_eq!(lease.name(), &name);
    assert!(store.try_lease(&name).unwrap().is_none(), "one process got a lease twice");
    let mut peer = Peer::start("peer", folder.path());
    assert_eq!(peer.ask("lease x"), "0");
    drop(lease);
    assert!(!store.is_leased(&name).unwrap());
    assert_eq!(peer.ask("lease x"), "1");
}

#[test]
fn an_announcement_holds_until_its_last_holder_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    assert!(!store.is_present("q4").unwrap());
    let ours = store.hold_presence("q4").unwrap();
    let mut peer = Peer::start("peer", folder.path());
    assert_eq!(peer.ask("announce q4"), "announced");
    assert!(store.is_present("q4").unwrap());
    drop(ours);
    assert!(store.is_present("q4").unwrap(), "the other process still holds it");
    assert!(!store.is_present("q8").unwrap());
    peer.kill();
    assert!(!store.is_present("q4").unwrap());
    drop(store.hold_presence("q4").unwrap());
    let left = std::fs::read_dir(folder.path().join("store/locks")).unwrap().count();
    assert_eq!(left, 0, "a holder removes its file, and those that killed ones have left");
}

#[test]
fn probes_that_meet_take_each_other_for_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let mut peer = Peer::start("peer", folder.path());
    assert_eq!(peer.ask("announce q4"), "announced");
    assert!(store.activity().unwrap().announces("q4"));
    peer.kill();
    let mut left = std::fs::read_dir(folder.path().join("store/locks")).unwrap();
    let path = left.next().unwrap().unwrap().path();
    let file = std::fs::File::options().write(true).open(path).unwrap();
    // What another probe does, for an instant.
    file.try_lock_shared().unwrap();
    assert!(!store.is_present("q4").unwrap());
    assert_eq!(store.activity().unwrap(), tabagent_storage::Activity::default());
    // A sweep marks the file, and cannot remove it before the probe has ended.
    drop(store.hold_presence("q4").unwrap());
    file.unlock().unwrap();
    // What a sweep does then, for an instant.
    file.try_lock().unwrap();
    assert!(!store.is_present("q4").unwrap());
    assert_eq!(store.activity().unwrap(), tabagent_storage::Activity::default());
}

#[test]
fn a_probe_creates_nothing_and_a_lease_file_says_who_holds_it() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let name = BlobName([3; 32]);
    let path = folder.path().join("store/locks").join(name.to_hex());
    assert!(!store.is_leased(&name).unwrap());
    assert!(!path.exists());
    let lease = store.try_lease(&name).unwrap().unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains(&format!("\npid {}\n", std::process::id())), "{text}");
    drop(lease);
    assert!(!path.exists());
}

#[test]
fn a_taker_waits_out_a_probe_but_not_a_holder() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let name = BlobName([4; 32]);
    let path = folder.path().join("store/locks").join(name.to_hex());
    let probe = std::fs::File::create(&path).unwrap();
    probe.try_lock_shared().unwrap();
    assert!(!store.is_leased(&name).unwrap(), "probes do not see each other");
    assert!(store.try_lease(&name).unwrap().is_none());
    drop(probe);
    assert!(store.try_lease(&name).unwrap().is_some());
}

/// Leases that come and go on one name: each removal of the file races with openers of it.
#[test]
fn removing_the_lease_file_never_gives_two_holders() {
    use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let (held, taken) = (AtomicBool::new(false), AtomicU32::new(0));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while taken.load(Ordering::SeqCst) < 300 {
                    let Some(lease) = store.try_lease(&BlobName([5; 32])).unwrap() else { continue };
                    assert!(!held.swap(true, Ordering::SeqCst), "two holders at once");
                    taken.fetch_add(1, Ordering::SeqCst);
                    held.store(false, Ordering::SeqCst);
                    drop(lease);
                }
            });
        }
    });
}
