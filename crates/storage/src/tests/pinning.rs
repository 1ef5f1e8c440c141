//! Pins: what keeps the pages of a view from being reused, and for how long.

use std::sync::Arc;

use super::fixture::{Content, add, evict, new_store};

const MIB: u64 = 1 << 20;

fn live_readers(store: &crate::Store) -> u64 {
    store.chunks.environment().unwrap().live_readers().unwrap()
}

#[test]
fn readers_opened_at_one_state_share_a_pin_and_none_joins_an_older_one() {
    let (_folder, store) = new_store();
    let contents = [1, 2, 3].map(|seed| Content::dense(seed, MIB));
    add(&store, &contents[0]);
    add(&store, &contents[1]);
    let a = store.reader(&contents[0].name()).unwrap().unwrap();
    let b = store.reader(&contents[1].name()).unwrap().unwrap();
    let pin = |reader: &crate::BlobReader| reader.chunks().unwrap().pin();
    assert!(Arc::ptr_eq(&pin(&a), &pin(&b)));
    add(&store, &contents[2]);
    let c = store.reader(&contents[2].name()).unwrap().unwrap();
    assert!(pin(&c).id() > pin(&a).id());
    assert_eq!(live_readers(&store), 2);
}

#[test]
fn a_refresh_moves_the_pins_of_what_is_stored_and_keeps_those_of_what_was_deleted() {
    let (_folder, store) = new_store();
    let (kept, deleted) = (Content::dense(1, 2 * MIB), Content::dense(2, 2 * MIB));
    add(&store, &kept);
    let incarnation = add(&store, &deleted);
    let a = store.reader(&kept.name()).unwrap().unwrap();
    let b = store.reader(&deleted.name()).unwrap().unwrap();
    let (view_a, view_b) = (a.map().unwrap(), b.map().unwrap());
    let old = a.chunks().unwrap().pin().id();
    assert_eq!(store.refresh_pins().unwrap(), 0, "the head did not move");
    evict(&store, &deleted, &incarnation);
    assert_eq!(store.refresh_pins().unwrap(), 1);
    assert!(a.chunks().unwrap().pin().id() > old);
    assert_eq!(b.chunks().unwrap().pin().id(), old);
    assert_eq!(live_readers(&store), 2);
    for seed in 3..9 {
        add(&store, &Content::dense(seed, 2 * MIB));
    }
    assert_eq!(view_a.to_vec(), kept.bytes(0..kept.size));
    assert_eq!(view_b.to_vec(), deleted.bytes(0..deleted.size));
    drop((b, view_b));
    assert_eq!(store.refresh_pins().unwrap(), 1);
    assert_eq!(live_readers(&store), 1);
}

#[test]
fn a_refreshed_pin_lets_the_space_be_reused() {
    let (_folder, store) = new_store();
    let kept = Content::dense(1, MIB);
    add(&store, &kept);
    let reader = store.reader(&kept.name()).unwrap().unwrap();
    let view = reader.map().unwrap();
    let size = || store.chunks.data_path().metadata().unwrap().len();
    let mut peak = 0;
    for round in 0..12 {
        let other = Content::sparse(2 + round, 100 * MIB);
        let incarnation = add(&store, &other);
        evict(&store, &other, &incarnation);
        assert_eq!(store.refresh_pins().unwrap(), 1);
        peak = peak.max(size());
    }
    // Twelve times 100 MiB passed through; with the first pin kept nothing would have been reused.
    assert!(peak <= 768 * MIB, "the data file grew to {peak} bytes");
    assert_eq!(view.to_vec(), kept.bytes(0..kept.size));
}
