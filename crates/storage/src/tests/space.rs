//! Free pages, the holes that are punched over them, and how much the store keeps of the disk.

use super::child::Peer;
use super::fixture::{Content, Random, add, delete_chunks, new_store, reserve};
use super::walk::number;
use crate::digest::Incarnation;
use crate::layout::CHUNK_PAGE;
use crate::raw::{FreeSpan, PageRun, reclaimable_spans};
use crate::store::Store;

const MIB: u64 = 1 << 20;

/// MiB that are stored before most of it is removed: 600 unless this is set.
const FILL: &str = "MODEL_CACHE_STRESS_FILL";

fn spans(store: &Store) -> Vec<FreeSpan> {
    // libmdbx looks at the table of readers anew only after one has ended since it last did.
    drop(store.snapshot().unwrap());
    let transaction = store.chunks.begin_write().unwrap();
    reclaimable_spans(&transaction).unwrap()
}

fn pages(run: PageRun) -> std::ops::Range<u64> {
    u64::from(run.first_page)..u64::from(run.first_page) + u64::from(run.pages)
}

/// libmdbx hands over the last page of a span and calls it the first: taken at its word, live pages would be punched.
#[test]
fn a_free_span_is_exactly_the_pages_of_what_was_deleted() {
    let (_folder, store) = new_store();
    let sizes = [2, 3, 5, 2].map(|n| n * MIB);
    let stored = sizes.map(|size| (reserve(&store, size), size));
    let state = store.snapshot().unwrap();
    let runs = stored.map(|(incarnation, size)| state.runs(&incarnation, size).unwrap().unwrap()[0]);
    drop(state);
    for gone in [1, 2] {
        delete_chunks(&store, &stored[gone].0, stored[gone].1);
        let (gone, spans) = (pages(runs[gone]), spans(&store));
        let covers =
            |span: &&FreeSpan| span.first_page <= gone.start && gone.end <= span.first_page + span.pages;
        assert!(spans.iter().any(|span| covers(&span)), "{gone:?} is not free in {spans:?}");
        for run in [runs[0], runs[3]] {
            let live = pages(run);
            let apart =
                |span: &FreeSpan| span.first_page + span.pages <= live.start || live.end <= span.first_page;
            assert!(spans.iter().all(apart), "{live:?} is in use and free in {spans:?}");
        }
    }
}

#[test]
fn a_free_span_that_a_reader_of_another_process_sees_is_not_reclaimable() {
    let (folder, store) = new_store();
    let content = Content::dense(1, 5 * MIB);
    let incarnation = add(&store, &content);
    let run = store.snapshot().unwrap().runs(&incarnation, content.size).unwrap().unwrap()[0];
    let mut peer = Peer::start(folder.path());
    peer.view(&content);
    super::fixture::evict(&store, &content, &incarnation);
    let is_free = |store: &Store| {
        let (gone, spans) = (pages(run), spans(store));
        spans.iter().any(|span| span.first_page < gone.end && gone.start < span.first_page + span.pages)
    };
    assert!(!is_free(&store));
    peer.ask("check");
    peer.ask("drop");
    assert!(is_free(&store));
    peer.finish();
}

/// What a view of another process holds back is what went between two moves of its pin, and no more.
#[test]
fn an_old_view_of_another_process_keeps_only_what_went_since_its_pin_moved() {
    const ROUNDS: u64 = 40;
    const BETWEEN: u64 = 8;
    const SIZE: u64 = 8 * MIB;
    let (folder, store) = new_store();
    let viewed = Content::dense(1, 2 * MIB);
    add(&store, &viewed);
    let mut peer = Peer::start(folder.path());
    peer.view(&viewed);
    let run = SIZE + CHUNK_PAGE as u64;
    // The viewed blob, what went since the pin moved, the blobs of this round and of the one before, and the trees.
    let bound = viewed.size + (BETWEEN + 2) * run + 16 * MIB;
    assert!(bound < ROUNDS * SIZE / 2, "else it would hold without the pin's moves");
    for round in 0..ROUNDS {
        let content = Content::dense(100 + round, SIZE);
        add(&store, &content);
        let disk = store.chunks.disk_bytes().unwrap();
        assert!(disk <= bound, "{disk} bytes on disk after {round} rounds, {bound} at most");
        assert_eq!(store.remove_blobs(&[content.name()]).unwrap().blobs, 1);
        if round % BETWEEN == BETWEEN - 1 {
            peer.ask("refresh");
        }
    }
    peer.ask("check");
    peer.finish();
}

#[test]
fn a_small_file_takes_little_of_the_disk() {
    let (_folder, store) = new_store();
    let incarnation = Incarnation::random().unwrap();
    store.reserve(incarnation, 300_000).unwrap();
    let disk = store.chunks.disk_bytes().unwrap();
    assert!((300_000..8 * MIB).contains(&disk), "{disk} bytes on the disk");
}

#[test]
fn most_of_a_full_store_is_removed_and_the_disk_has_it_back() {
    const FILES: u64 = 40;
    let size = number(FILL, 600) * MIB / FILES;
    let (_folder, store) = new_store();
    let contents: Vec<Content> = (0..FILES).map(|seed| Content::dense(seed, size)).collect();
    for content in &contents {
        add(&store, content);
    }
    let (mut random, mut gone) = (Random(7), contents);
    let kept: Vec<Content> = (0..FILES / 4).map(|_| gone.swap_remove(random.index(gone.len()))).collect();
    for content in gone {
        assert_eq!(store.remove_blobs(&[content.name()]).unwrap().blobs, 1);
    }
    let live: u64 = kept.iter().map(|content| content.size).sum();
    let disk = store.usage().unwrap().disk_bytes;
    println!("counts: {} bytes stored, {live} left, {disk} on the disk", FILES * size);
    assert!((live..=live + live / 10).contains(&disk), "{live} bytes live, {disk} on the disk");
    for content in kept {
        store.reader(&content.name()).unwrap().unwrap().verify(0..content.size).unwrap();
    }
    assert_eq!(crate::raw::problems(store.chunks.environment().unwrap()), 0);
}
