//! Random operations on a store, and the same on a plain map of what it must hold. What differs is shrunk to the shortest way there.
#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a failing unwrap is a failing test")]

mod support;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use support::{content, no_publish, open, writer_for};
use tabagent_storage::{BlobName, Digest, Finish, Mapping, PutOutcome, Store};

/// In records, in one page, in several blocks, and aligned.
const SIZES: [usize; 5] = [10_000, 66_000, 3 << 20, (4 << 20) + 1, (16 << 20) + 3];

/// Sequences that are tried: 12 unless the variable of proptest says otherwise.
const CASES: u32 = 12;

#[derive(Clone, Debug)]
enum Operation {
    /// Stores a whole file.
    Put(usize),
    /// Begins a file or goes on with it, up to this part of it in 256ths.
    Write(usize, u8),
    /// Writes what is missing and finishes.
    Finish(usize),
    Abandon(usize),
    Remove(usize),
    View(usize),
    /// Ends the oldest view.
    EndView,
    MovePins,
    ReleaseSpace,
    RemovePartials,
    /// Closes the store (views keep it open otherwise) and opens it again.
    Reopen,
}

fn operation() -> impl Strategy<Value = Operation> {
    let file = 0..SIZES.len();
    prop_oneof![
        3 => file.clone().prop_map(Operation::Put),
        3 => (file.clone(), any::<u8>()).prop_map(|(n, part)| Operation::Write(n, part)),
        3 => file.clone().prop_map(Operation::Finish),
        1 => file.clone().prop_map(Operation::Abandon),
        3 => file.clone().prop_map(Operation::Remove),
        2 => file.prop_map(Operation::View),
        1 => Just(Operation::EndView),
        1 => Just(Operation::MovePins),
        2 => Just(Operation::ReleaseSpace),
        1 => Just(Operation::RemovePartials),
        1 => Just(Operation::Reopen),
    ]
}

/// What the store has of a file.
#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    /// So many bytes from its start on.
    Partial(usize),
    Complete,
}

struct Contents {
    bytes: Vec<Vec<u8>>,
    names: Vec<BlobName>,
}

/// The store and its model.
struct World<'a> {
    contents: &'a Contents,
    folder: PathBuf,
    store: Option<Arc<Store>>,
    views: Vec<(usize, Arc<Mapping>)>,
    model: BTreeMap<usize, State>,
}

impl World<'_> {
    fn store(&self) -> &Arc<Store> {
        self.store.as_ref().unwrap()
    }

    fn run(&mut self, operation: &Operation) {
        match *operation {
            Operation::Put(n) => self.put(n),
            Operation::Write(n, part) => {
                self.write(n, self.contents.bytes[n].len() * usize::from(part) / 256);
            }
            Operation::Finish(n) => self.finish(n),
            Operation::Abandon(n) => self.abandon(n),
            Operation::Remove(n) => self.remove(n),
            Operation::View(n) => self.view(n),
            Operation::EndView => drop((!self.views.is_empty()).then(|| self.views.remove(0))),
            Operation::MovePins => drop(self.store().refresh_pins().unwrap()),
            Operation::ReleaseSpace => drop(self.store().release_space().unwrap()),
            Operation::RemovePartials => self.remove_partials(),
            Operation::Reopen => self.reopen(),
        }
    }

    fn put(&mut self, n: usize) {
        let (bytes, name) = (&self.contents.bytes[n], self.contents.names[n]);
        let outcome = self.store().put_bytes(bytes, &Digest::Sha256(name.0), no_publish).unwrap();
        assert_eq!(outcome, PutOutcome::Complete(name));
        self.model.insert(n, State::Complete);
    }

    /// Files in records have no writer.
    fn is_in_chunks(&self, n: usize) -> bool {
        self.contents.bytes[n].len() as u64 >= tabagent_storage::INLINE_LIMIT
    }

    fn write(&mut self, n: usize, end: usize) {
        if !self.is_in_chunks(n) {
            return;
        }
        let bytes = &self.contents.bytes[n];
        let writer = writer_for(self.store(), bytes);
        let done = match self.model.get(&n) {
            Some(State::Complete) => return assert_eq!(writer.missing(), []),
            Some(State::Partial(done)) => *done,
            None => 0,
        };
        assert_eq!(writer.resumed_from(), done as u64);
        if done < end {
            writer.write(done as u64, &bytes[done..end]).unwrap();
        }
        self.model.insert(n, State::Partial(done.max(end)));
    }

    fn finish(&mut self, n: usize) {
        if !self.is_in_chunks(n) {
            return;
        }
        self.write(n, self.contents.bytes[n].len());
        let writer = writer_for(self.store(), &self.contents.bytes[n]);
        assert_eq!(writer.finish(no_publish).unwrap(), Finish::Complete(self.contents.names[n]));
        self.model.insert(n, State::Complete);
    }

    fn abandon(&mut self, n: usize) {
        let lease = self.store().try_lease(&self.contents.names[n]).unwrap().unwrap();
        let partial = matches!(self.model.get(&n), Some(State::Partial(_)));
        assert_eq!(self.store().abandon(lease).unwrap(), partial);
        if partial {
            self.model.remove(&n);
        }
    }

    fn remove(&mut self, n: usize) {
        let freed = self.store().remove_blobs(&[self.contents.names[n]]).unwrap();
        assert_eq!(freed.blobs, u64::from(self.model.remove(&n).is_some()));
    }

    fn view(&mut self, n: usize) {
        let reader = self.store().reader(&self.contents.names[n]).unwrap();
        assert_eq!(reader.is_some(), self.model.get(&n) == Some(&State::Complete));
        self.views.extend(reader.map(|reader| (n, reader.map().unwrap())));
    }

    fn remove_partials(&mut self) {
        let stale = self.store().stale_partials(Duration::ZERO).unwrap();
        let gone = self.store().remove_partials(&stale, Duration::ZERO).unwrap().blobs;
        let before = self.model.len() as u64;
        self.model.retain(|_, state| *state == State::Complete);
        assert_eq!(gone, before - self.model.len() as u64);
    }

    fn reopen(&mut self) {
        self.store = None;
        self.store = Some(open(&self.folder));
    }

    /// Everything the store says and shows is as the model has it.
    fn check(&self) {
        let store = self.store();
        let (mut blobs, mut bytes, mut partial) = (0, 0, 0);
        for (n, (content, name)) in self.contents.bytes.iter().zip(&self.contents.names).enumerate() {
            let blob = store.blob(name).unwrap();
            let size = content.len() as u64;
            match self.model.get(&n) {
                None => assert_eq!(blob, None, "file {n}"),
                Some(State::Partial(done)) => {
                    assert_eq!(
                        blob.map(|blob| (blob.complete, blob.downloaded)),
                        Some((false, *done as u64))
                    );
                    partial += *done as u64;
                }
                Some(State::Complete) => {
                    assert_eq!(blob.map(|blob| (blob.complete, blob.size)), Some((true, size)), "file {n}");
                    let reader = store.reader(name).unwrap().unwrap();
                    reader.verify(0..size).unwrap();
                    assert!(reader.copy(0..size).unwrap() == *content, "file {n} has other bytes");
                    (blobs, bytes) = (blobs + 1, bytes + size);
                }
            }
        }
        for (n, view) in &self.views {
            assert!(view[..] == self.contents.bytes[*n][..], "the view of file {n} changed");
        }
        let usage = store.usage().unwrap();
        assert_eq!((usage.blobs, usage.bytes, usage.partial_bytes), (blobs, bytes, partial));
    }
}

#[test]
fn a_store_does_what_a_plain_map_does() {
    let bytes: Vec<Vec<u8>> = (1..).zip(SIZES).map(|(seed, size)| content(seed, size)).collect();
    let names = bytes.iter().map(|bytes| BlobName::of(bytes)).collect();
    let contents = Contents { bytes, names };
    let cases = std::env::var("PROPTEST_CASES").map_or(CASES, |text| text.parse().unwrap());
    let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    proptest!(config, |(operations in prop::collection::vec(operation(), 1..16))| {
        let folder = tempfile::tempdir().unwrap();
        let mut world = World {
            contents: &contents,
            folder: folder.path().to_owned(),
            store: Some(open(folder.path())),
            views: Vec::new(),
            model: BTreeMap::new(),
        };
        for operation in &operations {
            world.run(operation);
            world.check();
        }
    });
    println!("counts: {cases} sequences of operations");
}
