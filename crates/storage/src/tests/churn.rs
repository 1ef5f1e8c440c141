//! Random rounds of storing, removing, viewing and punching against a model of the contents.

use std::collections::BTreeMap;
use std::sync::Arc;

use tempfile::TempDir;

use super::child::Peer;
use super::fixture::{Content, Random, add, new_store};
use crate::block::crc32c;
use crate::mapping::Mapping;
use crate::store::Store;

const MIB: u64 = 1 << 20;
const ROUNDS: u64 = 40;

/// The store, what must be in it, and what must be seen.
struct Churn {
    // Views and peer end before the store and its folder.
    views: Vec<(u32, Arc<Mapping>)>,
    peer: Option<Peer>,
    stored: BTreeMap<u64, (Content, u32)>,
    store: Arc<Store>,
    _folder: TempDir,
    random: Random,
    next_seed: u64,
}

impl Churn {
    fn new(seed: u64, second_process: bool) -> Self {
        let (folder, store) = new_store();
        let peer = second_process.then(|| Peer::start(folder.path()));
        Self {
            views: Vec::new(),
            peer,
            stored: BTreeMap::new(),
            store,
            _folder: folder,
            random: Random(seed),
            next_seed: 0,
        }
    }

    fn round(&mut self) {
        match self.random.below(10) {
            0..=3 => self.add(),
            4..=5 => self.remove(),
            6 => self.view(),
            7 if !self.views.is_empty() => {
                let at = self.random.below(self.views.len() as u64);
                drop(self.views.swap_remove(usize::try_from(at).unwrap()));
            }
            8 => drop(self.store.refresh_pins().unwrap()),
            _ => drop(self.store.release_space().unwrap()),
        }
        self.ask_peer();
    }

    fn add(&mut self) {
        let sizes = [70_000, MIB, 3 * MIB + 5, 9 * MIB];
        let size = sizes[usize::try_from(self.random.below(4)).unwrap()] + self.random.below(200_000);
        let content = Content::dense(self.next_seed, size);
        self.next_seed += 1;
        match &mut self.peer {
            Some(peer) if self.random.0.is_multiple_of(2) => peer.add(&content),
            _ => drop(add(&self.store, &content)),
        }
        self.stored.insert(content.seed, (content, content.crc()));
    }

    fn pick(&mut self) -> Option<(Content, u32)> {
        let at = self.random.below((self.stored.len() as u64).max(1));
        self.stored.values().nth(usize::try_from(at).unwrap()).copied()
    }

    fn remove(&mut self) {
        let Some((content, _)) = self.pick() else { return };
        match &mut self.peer {
            Some(peer) if self.random.0.is_multiple_of(2) => peer.remove(&content),
            _ => assert_eq!(self.store.remove_blobs(&[content.name()]).unwrap().blobs, 1),
        }
        self.stored.remove(&content.seed);
    }

    fn view(&mut self) {
        let Some((content, crc)) = self.pick() else { return };
        let reader = self.store.reader(&content.name()).unwrap().unwrap();
        self.views.push((crc, reader.map().unwrap()));
        if let Some(peer) = &mut self.peer {
            peer.view(&content);
        }
    }

    fn ask_peer(&mut self) {
        let Some(peer) = &mut self.peer else { return };
        match self.random.below(8) {
            0 => peer.ask("drop"),
            1 => peer.ask("refresh"),
            2 => peer.ask("check"),
            _ => {}
        }
    }

    fn check(&self) {
        for (crc, view) in &self.views {
            assert_eq!(crc32c(view), *crc, "a view of {} changed", view.reader().name());
        }
        for (content, crc) in self.stored.values() {
            let reader = self.store.reader(&content.name()).unwrap().unwrap();
            assert_eq!(reader.size(), content.size);
            assert_eq!(crc32c(&reader.copy(0..content.size).unwrap()), *crc, "{content:?} changed");
        }
        assert_eq!(crate::raw::problems(self.store.chunks.environment().unwrap()), 0);
    }

    fn run(mut self) {
        for _ in 0..ROUNDS {
            self.round();
            self.check();
        }
        self.finish();
    }

    /// With no view left everything that was removed can be given back.
    fn finish(mut self) {
        self.views.clear();
        if let Some(mut peer) = self.peer.take() {
            peer.ask("check");
            peer.finish();
        }
        self.store.release_space().unwrap();
        self.check();
        let usage = self.store.usage().unwrap();
        assert_eq!((usage.blobs, usage.readers), (self.stored.len() as u64, 0));
        let bytes: u64 = self.stored.values().map(|(content, _)| content.size).sum();
        assert_eq!(usage.bytes, bytes);
    }
}

#[test]
fn random_rounds_in_one_process() {
    Churn::new(1, false).run();
}

#[test]
fn random_rounds_with_a_second_process() {
    Churn::new(2, true).run();
}
