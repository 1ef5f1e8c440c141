use std::sync::mpsc::{RecvTimeoutError, TryRecvError, channel};
use std::thread;

use super::*;

fn no_space() -> StorageError {
    StorageError::NoSpace { path: "/s".into(), needed: 5, reserve: 0, available: 3 }
}

fn lost() -> StorageError {
    StorageError::Io { action: SYNC, path: "/s".into(), source: io::Error::from_raw_os_error(5) }
}

#[test]
fn a_writer_beyond_the_limit_waits_for_the_end_of_a_pass() {
    let backlog = Backlog::default();
    backlog.admit(UNSYNCED_LIMIT).unwrap();
    backlog.landed(UNSYNCED_LIMIT, PASS_BYTES);
    let pass = backlog.next_pass().unwrap();
    let (sender, receiver) = channel();
    thread::scope(|scope| {
        scope.spawn(|| sender.send(backlog.admit(1).is_ok()).unwrap());
        assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
        backlog.finish(&pass, Ok(()));
        assert!(receiver.recv().unwrap());
    });
    let state = backlog.state.lock();
    assert_eq!((state.unsynced, state.flying), (0, 1));
}

#[test]
fn a_write_larger_than_the_limit_goes_alone() {
    let backlog = Backlog::default();
    backlog.admit(2 * UNSYNCED_LIMIT).unwrap();
    backlog.failed(2 * UNSYNCED_LIMIT);
    backlog.admit(UNSYNCED_LIMIT).unwrap();
}

#[test]
fn few_bytes_are_recorded_without_being_asked_for() {
    let backlog = Backlog::default();
    backlog.admit(1).unwrap();
    backlog.landed(1, PASS_BYTES);
    assert_eq!(backlog.next_pass().unwrap().bytes, 1);
}

#[test]
fn a_blob_near_its_end_is_synced_in_smaller_parts() {
    let backlog = Backlog::default();
    backlog.admit(2 * LAST_PASS_BYTES).unwrap();
    backlog.landed(LAST_PASS_BYTES, PASS_BYTES);
    assert!(!backlog.state.lock().has_enough());
    backlog.landed(LAST_PASS_BYTES, PASS_BYTES - 1);
    assert_eq!(backlog.next_pass().unwrap().bytes, 2 * LAST_PASS_BYTES);
    backlog.admit(LAST_PASS_BYTES).unwrap();
    backlog.landed(LAST_PASS_BYTES, PASS_BYTES);
    assert!(!backlog.state.lock().has_enough(), "that was another blob's end");
}

#[test]
fn a_failed_pass_is_told_to_who_waits_and_may_succeed_later() {
    let backlog = Backlog::default();
    for (outcome, expected) in [(Err(no_space()), false), (Ok(()), true)] {
        thread::scope(|scope| {
            let waiting = scope.spawn(|| backlog.checkpoint());
            backlog.finish(&backlog.next_pass().unwrap(), outcome);
            let answer = waiting.join().unwrap();
            assert_eq!(answer.is_ok(), expected);
            if let Err(error) = answer {
                assert!(matches!(error, StorageError::NoSpace { needed: 5, available: 3, .. }), "{error}");
            }
        });
    }
}

#[test]
fn damage_is_told_as_damage_to_who_waits() {
    let damage = Arc::new(StorageError::corrupt("the database", "a page is damaged"));
    assert!(matches!(repeat(&damage), StorageError::Corrupt { .. }));
}

#[test]
fn after_a_failed_sync_everybody_waiting_and_later_gets_the_error() {
    let backlog = Backlog::default();
    backlog.admit(UNSYNCED_LIMIT).unwrap();
    backlog.landed(UNSYNCED_LIMIT, PASS_BYTES);
    let pass = backlog.next_pass().unwrap();
    thread::scope(|scope| {
        let writer = scope.spawn(|| backlog.admit(1));
        let waiting = scope.spawn(|| backlog.checkpoint());
        backlog.finish(&pass, Err(lost()));
        for outcome in
            [writer.join().unwrap(), waiting.join().unwrap(), backlog.check(), backlog.checkpoint()]
        {
            assert!(matches!(outcome, Err(StorageError::Io { action: SYNC, .. })), "{outcome:?}");
        }
    });
    backlog.close();
    assert!(backlog.next_pass().is_none());
}

#[test]
fn the_pass_under_way_when_the_store_breaks_is_waited_for() {
    let backlog = Backlog::default();
    backlog.settle();
    backlog.admit(1).unwrap();
    backlog.landed(1, PASS_BYTES);
    let pass = backlog.next_pass().unwrap();
    assert!(backlog.guard::<()>(Err(lost())).is_err());
    assert!(backlog.checkpoint().is_err());
    let (sender, receiver) = channel();
    thread::scope(|scope| {
        scope.spawn(|| {
            backlog.settle();
            sender.send(()).unwrap();
        });
        let early = receiver.recv_timeout(Duration::from_millis(50));
        backlog.finish(&pass, Ok(()));
        assert_eq!(early, Err(RecvTimeoutError::Timeout));
        receiver.recv().unwrap();
    });
}

#[test]
fn an_error_elsewhere_breaks_the_store_only_when_bytes_may_be_lost() {
    let backlog = Backlog::default();
    assert!(backlog.guard::<()>(Err(no_space())).is_err());
    backlog.check().unwrap();
    let io = libmdbx::Error::Io;
    let failed = StorageError::Database { action: "commit", path: "/s".into(), source: io };
    assert!(backlog.guard::<()>(Err(failed)).is_err());
    assert!(backlog.check().is_err());
}
