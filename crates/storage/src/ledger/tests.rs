use super::hashing::PIECE;
use super::*;
use crate::layout::BLOCK_SIZE;
use crate::segments::segments_of;

fn ledger(size: u64) -> Ledger {
    let (name, incarnation) = (BlobName([1; 32]), Incarnation([2; 16]));
    Ledger::new(BlobIdentity { name, size, incarnation, provisional: false }, &[], &[])
}

fn write(ledger: &Ledger, offset: u64, bytes: &[u8]) {
    let flight = ledger.begin(offset..offset + bytes.len() as u64).unwrap();
    ledger.end(flight, segments_of(offset, bytes));
}

#[test]
fn two_writes_of_the_same_bytes_at_once_count_for_neither() {
    let ledger = ledger(30);
    let first = ledger.begin(0..20).unwrap();
    let second = ledger.begin(10..30).unwrap();
    ledger.end(first, segments_of(0, &[1; 20]));
    ledger.end(second, segments_of(10, &[2; 20]));
    assert_eq!(ledger.covered(), 0);
    write(&ledger, 0, &[3; 30]);
    assert_eq!(ledger.missing(), []);
}

#[test]
fn bytes_count_only_between_two_writes_of_them() {
    let ledger = ledger(20);
    write(&ledger, 0, &[1; 20]);
    let again = ledger.begin(5..10).unwrap();
    assert_eq!(ledger.covered(), 0, "the checksum of the rest is not known");
    ledger.end(again, Vec::new());
    assert_eq!(ledger.covered(), 0, "the write has failed");
    write(&ledger, 5, &[1; 5]);
    assert_eq!(ledger.missing(), [0..5, 10..20]);
}

/// Takes the next step, which must be a piece.
fn piece(ledger: &Ledger) -> (u64, Range<u64>, Check) {
    match ledger.next_hash_step() {
        HashStep::Piece { epoch, range, check } => (epoch, range, check),
        HashStep::Finish(_) | HashStep::End => panic!("nothing is left to hash"),
    }
}

#[test]
fn a_write_below_what_was_hashed_begins_hashing_again() {
    let ledger = ledger(20);
    write(&ledger, 0, &[1; 20]);
    assert_eq!(piece(&ledger), (0, 0..20, Check::Needless));
    let flight = ledger.begin(3..4).unwrap();
    assert!(!ledger.end_piece(0, 20), "the bytes read are not those of the disk");
    ledger.end(flight, segments_of(3, &[1]));
    let digests = Digests { sha256: [9; 32], git_sha1: None, collision: false };
    ledger.set_digests(0, digests);
    write(&ledger, 0, &[1; 20]);
    assert_eq!(piece(&ledger).0, 1);
    assert!(ledger.end_piece(1, 20));
    assert!(matches!(ledger.next_hash_step(), HashStep::Finish(1)), "digests of old bytes were taken");
}

#[test]
fn a_write_hashes_its_bytes_only_at_the_frontier_and_alone() {
    let ledger = ledger(40);
    let ahead = ledger.begin(10..20).unwrap();
    assert_eq!(ledger.hash_in_flight(ahead), None, "bytes before it are missing");
    let next = ledger.begin(0..10).unwrap();
    assert_eq!(ledger.hash_in_flight(next), Some(0));
    assert!(!ledger.end(ahead, segments_of(10, &[1; 10])));
    assert!(ledger.end(next, segments_of(0, &[1; 10])));
    assert_eq!(piece(&ledger), (0, 10..20, Check::Needless));
    let after = ledger.begin(20..30).unwrap();
    assert_eq!(ledger.hash_in_flight(after), None, "the thread is hashing");
    assert!(ledger.end_piece(0, 20));
    assert_eq!(ledger.hash_in_flight(after), Some(0));
    assert!(!ledger.end(after, Vec::new()), "the write has failed");
    write(&ledger, 20, &[1; 20]);
    assert_eq!(piece(&ledger), (0, 20..40, Check::Needless));
}

#[test]
fn bytes_hashed_in_flight_do_not_count_when_another_write_touched_them() {
    let ledger = ledger(20);
    let first = ledger.begin(0..20).unwrap();
    assert_eq!(ledger.hash_in_flight(first), Some(0));
    let second = ledger.begin(10..20).unwrap();
    assert_eq!(ledger.hash_in_flight(second), None);
    assert!(!ledger.end(first, segments_of(0, &[1; 20])));
    assert!(!ledger.end(second, segments_of(10, &[2; 10])));
    let again = ledger.begin(0..20).unwrap();
    assert_eq!(ledger.hash_in_flight(again), Some(1));
    assert!(ledger.end(again, segments_of(0, &[3; 20])));
    assert!(matches!(ledger.next_hash_step(), HashStep::Finish(1)));
}

#[test]
fn only_blocks_with_bytes_of_an_earlier_run_are_compared() {
    let recorded = segments_of(0, &[1; 10]);
    let identity = *ledger(BLOCK_SIZE + 10).identity();
    let ledger = Ledger::new(identity, &recorded, &[]);
    assert_eq!(piece(&ledger), (0, 0..10, Check::Now(recorded[0].crc)));
    assert!(ledger.end_piece(0, 10));
    let rest = vec![2; usize::try_from(BLOCK_SIZE).unwrap()];
    let flight = ledger.begin(10..BLOCK_SIZE + 10).unwrap();
    assert_eq!(ledger.hash_in_flight(flight), None);
    ledger.end(flight, segments_of(10, &rest));
    assert_eq!(piece(&ledger), (0, 10..PIECE + 10, Check::Later));
    assert!(ledger.end_piece(0, BLOCK_SIZE));
    assert_eq!(piece(&ledger), (0, BLOCK_SIZE..BLOCK_SIZE + 10, Check::Needless));
}

#[test]
fn a_record_is_due_until_it_was_written_and_again_after_each_change() {
    let ledger = ledger(20);
    assert!(ledger.unrecorded().is_none());
    write(&ledger, 0, &[1; 10]);
    let (version, record) = ledger.unrecorded().unwrap();
    assert_eq!(record.downloaded(), 10);
    write(&ledger, 10, &[1; 10]);
    ledger.set_recorded(version);
    let (version, record) = ledger.unrecorded().unwrap();
    assert_eq!(record.downloaded(), 20);
    ledger.set_recorded(version);
    assert!(ledger.unrecorded().is_none());
    ledger.drop_block(0, 0);
    assert_eq!(ledger.unrecorded().unwrap().1.downloaded(), 0);
}

#[test]
fn nothing_is_written_to_a_sealed_blob() {
    let ledger = ledger(10);
    assert_eq!(ledger.seal().unwrap().len(), 1, "not all bytes are there");
    write(&ledger, 0, &[1; 10]);
    assert!(ledger.seal().unwrap().is_empty());
    assert!(ledger.begin(0..1).is_err());
    assert!(ledger.seal().is_err(), "two calls finish one blob");
    ledger.unseal();
    ledger.begin(0..1).unwrap();
}

#[test]
fn hashing_goes_back_no_further_than_the_block_that_changed() {
    let size = 3 * BLOCK_SIZE;
    let ledger = ledger(size);
    write(&ledger, 0, &vec![1; usize::try_from(size).unwrap()]);
    for end in (PIECE..=size).step_by(usize::try_from(PIECE).unwrap()) {
        assert_eq!(piece(&ledger).1.end, end);
        assert!(ledger.end_piece(0, end));
    }
    let (second, last) = (BLOCK_SIZE, size - 1);
    for (epoch, changed, from) in [(1, last, 2 * BLOCK_SIZE), (2, second + 9, second), (3, 0, 0)] {
        ledger.drop_range(&(changed..changed + 1));
        let block = changed - changed % BLOCK_SIZE;
        write(&ledger, block, &vec![1; usize::try_from(BLOCK_SIZE).unwrap()]);
        assert_eq!(piece(&ledger), (epoch, from..from + PIECE, Check::Needless));
        assert!(ledger.end_piece(epoch, from + PIECE));
    }
    ledger.drop_range(&(last..size));
    write(&ledger, 2 * BLOCK_SIZE, &vec![1; usize::try_from(BLOCK_SIZE).unwrap()]);
    assert_eq!(piece(&ledger), (4, 0..PIECE, Check::Needless), "what was not hashed yet is not skipped");
}
