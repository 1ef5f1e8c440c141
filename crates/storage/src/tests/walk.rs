//! Processes that do as they like with one store until they are killed.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::process::Child;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::child::{start, store_of_child};
use super::fixture::{Random, open};
use crate::digest::{BlobName, Digest};
use crate::error::{Result, StorageError};
use crate::key::Key;
use crate::layout::INLINE_LIMIT;
use crate::mapping::Mapping;
use crate::orphan::Orphans;
use crate::record::{FileMetadata, UseRecord};
use crate::scope::{EndpointId, RepoScope};
use crate::store::Store;
use crate::table::{Files, Uses};
use crate::transaction::WriteTransaction;
use crate::writer::BlobWriter;

/// How many processes are killed: 100 unless this is set.
const KILLS: &str = "MODEL_CACHE_STRESS_KILLS";
/// Has the same decisions again; when which process does what is up to the system.
const SEED: &str = "MODEL_CACHE_STRESS_SEED";

/// Processes at once.
const WALKERS: u64 = 4;
/// Longest life of a process after it has begun, milliseconds.
const LIFE: u64 = 150;

const SIZES: [usize; 8] = [30_000, 70_000, 300_000, 1 << 20, (1 << 20) + 1, 2_500_000, 5 << 20, 17 << 20];

const READY: &str = "walking";
/// Name of the file in which a process leaves why it failed.
const FAILED: &str = "failed";

pub(super) fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

/// The bytes of file `n`: no two of its pages are alike, and none of another file's.
fn content(n: usize) -> Vec<u8> {
    let mut bytes = vec![u8::try_from(n).unwrap(); SIZES[n]];
    for (at, page) in (0_u32..).zip(bytes.chunks_mut(4096)) {
        let stamp = at.to_le_bytes();
        let length = page.len().min(stamp.len());
        page[..length].copy_from_slice(&stamp[..length]);
    }
    bytes
}

#[derive(Clone)]
struct File {
    bytes: Vec<u8>,
    name: BlobName,
    path: String,
}

impl File {
    fn all() -> Vec<Self> {
        let file = |n| {
            let bytes = content(n);
            Self { name: BlobName::of(&bytes), path: format!("{n}.bin"), bytes }
        };
        (0..SIZES.len()).map(file).collect()
    }

    fn keys(&self) -> (Key, Key) {
        let (endpoint, repo) = (EndpointId::of("x"), "acme/walk".to_owned());
        let scope = RepoScope { endpoint, repo, commit: "d".repeat(40) };
        (Key::file(&scope, &self.path), Key::usage(&self.name, &scope, &self.path))
    }

    fn publish(&self, t: &WriteTransaction<'_>) -> Result<()> {
        let (path, size) = (self.path.clone(), self.bytes.len() as u64);
        let file = FileMetadata { path, blob: self.name.0, size, git_sha1: None, stored_at_ms: 0 };
        let (file_key, use_key) = self.keys();
        t.put::<Files>(&file_key, &file)?;
        t.put::<Uses>(&use_key, &UseRecord { path: self.path.clone() })
    }

    fn forget(&self, t: &WriteTransaction<'_>) -> Result<()> {
        let (file, usage) = self.keys();
        t.delete::<Files>(&file)?;
        t.delete::<Uses>(&usage).map(drop)
    }
}

/// One process's walk.
struct Walk {
    store: Arc<Store>,
    files: Vec<File>,
    random: Random,
    views: Vec<(usize, Arc<Mapping>)>,
}

impl Walk {
    fn step(&mut self) {
        let n = self.random.index(self.files.len());
        match self.random.below(14) {
            0..=4 => self.store(n),
            5 | 6 => self.remove(n),
            7 | 8 => self.view(n),
            9 => self.look_again(),
            10 | 11 => drop(self.store.release_space().unwrap()),
            12 => drop(self.store.refresh_pins().unwrap()),
            _ => self.prune(),
        }
    }

    fn store(&mut self, n: usize) {
        let (store, file) = (Arc::clone(&self.store), &self.files[n]);
        if (file.bytes.len() as u64) < INLINE_LIMIT {
            let published = file.clone();
            let publish = move |t: &WriteTransaction<'_>, _: BlobName| published.publish(t);
            store.put_bytes(&file.bytes, &Digest::Sha256(file.name.0), publish).unwrap();
            return;
        }
        let Some(lease) = store.try_lease(&file.name).unwrap() else { return };
        let writer = store.writer(lease, file.bytes.len() as u64, Digest::Sha256(file.name.0)).unwrap();
        // Some stop half-way, for the next to go on.
        let enough = if self.random.below(4) == 0 { self.random.index(file.bytes.len()) } else { usize::MAX };
        write(&writer, &file.bytes, enough);
        if writer.missing().is_empty() {
            writer.finish(|t, _| file.publish(t)).unwrap();
        }
    }

    fn remove(&mut self, n: usize) {
        let file = &self.files[n];
        self.store.write(|t| file.forget(t)).unwrap();
        self.store.remove_blobs(&[file.name]).unwrap();
    }

    fn view(&mut self, n: usize) {
        let Some(reader) = self.store.reader(&self.files[n].name).unwrap() else { return };
        let view = reader.map().unwrap();
        assert!(view[..] == self.files[n].bytes[..], "file {n} has other bytes");
        if self.random.below(2) == 0 {
            self.views.push((n, view));
        }
    }

    fn look_again(&mut self) {
        for (n, view) in self.views.drain(..) {
            assert!(view[..] == self.files[n].bytes[..], "the view of file {n} changed");
        }
    }

    fn prune(&mut self) {
        let orphans = self.store.orphans().unwrap();
        self.store.remove_orphans(&orphans).unwrap();
        if self.random.below(4) == 0 {
            let stale = self.store.stale_partials(Duration::ZERO).unwrap();
            self.store.remove_partials(&stale, Duration::ZERO).unwrap();
        }
    }
}

/// Writes what is missing, `enough` bytes at most.
fn write(writer: &BlobWriter, bytes: &[u8], enough: usize) {
    let mut left = enough;
    for range in writer.missing() {
        let (start, end) = (usize::try_from(range.start).unwrap(), usize::try_from(range.end).unwrap());
        for at in (start..end).step_by(1 << 20) {
            let piece = &bytes[at..end.min(at + (1 << 20))];
            let Some(rest) = left.checked_sub(piece.len()) else { return };
            left = rest;
            writer.write(at as u64, piece).unwrap();
        }
    }
}

#[test]
#[ignore = "another test starts it in processes of their own, and kills them"]
fn walker() {
    let mut seed = String::new();
    std::io::stdin().read_line(&mut seed).unwrap();
    let (store, random) = (store_of_child(), Random(seed.trim_end().parse().unwrap()));
    tell_of_panics(store.root().join(FAILED));
    let mut walk = Walk { store, files: File::all(), random, views: Vec::new() };
    println!("{READY}");
    loop {
        walk.step();
    }
}

/// A process may be killed before its failure could end it.
fn tell_of_panics(file: PathBuf) {
    let print = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        std::fs::write(&file, panic.to_string()).ok();
        print(panic);
    }));
}

/// What kills the processes, and looks at what they leave.
struct Killer {
    folder: TempDir,
    files: Vec<File>,
    random: Random,
    slowest: Duration,
}

impl Killer {
    fn start(&mut self) -> Child {
        let mut child = start("tests::walk::walker", self.folder.path());
        let seed = self.random.below(1 << 40) + 1;
        child.stdin.as_mut().unwrap().write_all(format!("{seed}\n").as_bytes()).unwrap();
        child
    }

    /// Starts some processes and kills one after the other, each at any moment.
    fn round(&mut self) {
        let mut children: Vec<Child> = (0..WALKERS).map(|_| self.start()).collect();
        for child in &mut children {
            let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
            assert!(lines.any(|line| line.unwrap().contains(READY)), "a process ended before it began");
        }
        for mut child in children {
            std::thread::sleep(Duration::from_millis(self.random.below(LIFE)));
            assert!(child.try_wait().unwrap().is_none(), "a process ended by itself");
            child.kill().unwrap();
            child.wait().unwrap();
        }
        self.check();
    }

    fn check(&mut self) {
        let failed = std::fs::read_to_string(self.folder.path().join("store").join(FAILED));
        assert!(failed.is_err(), "a process failed: {failed:?}");
        let start = Instant::now();
        let store = open(self.folder.path());
        self.slowest = self.slowest.max(start.elapsed());
        assert_eq!(crate::raw::problems(store.chunks.environment().unwrap()), 0);
        let files: BTreeMap<&str, &File> = self.files.iter().map(|file| (file.path.as_str(), file)).collect();
        for path in published(&store) {
            assert!(
                bytes_of(&store, &files[path.as_str()].name) == files[path.as_str()].bytes,
                "{path} has other bytes"
            );
        }
        for file in &self.files {
            assert!(store.try_lease(&file.name).unwrap().is_some(), "a lock outlives its holder");
        }
        store.remove_orphans(&store.orphans().unwrap()).unwrap();
        assert_eq!(store.orphans().unwrap(), Orphans::default());
        assert_eq!(store.usage().unwrap().readers, 0, "a reader outlives its process");
    }

    /// With everything removed nothing is left on the disk.
    fn finish(&self) {
        let store = open(self.folder.path());
        self.files.iter().for_each(|file| store.write(|t| file.forget(t)).unwrap());
        store.remove_partials(&store.stale_partials(Duration::ZERO).unwrap(), Duration::ZERO).unwrap();
        store.remove_orphans(&store.orphans().unwrap()).unwrap();
        let usage = store.usage().unwrap();
        assert_eq!((usage.blobs, usage.bytes, usage.partial_bytes), (0, 0, 0));
        // Only spans of less than 1 MiB stay.
        assert!(store.chunks.disk_bytes().unwrap() < 4 << 20, "{usage:?}");
    }
}

/// Paths of the files that are stored.
fn published(store: &Store) -> Vec<String> {
    let mut paths = Vec::new();
    let scope = |key: &[u8]| RepoScope::in_key(key).is_some();
    store
        .read(|t| {
            t.scan::<Files>(&Key::endpoint_files(&EndpointId::of("x")), |key, file| {
                assert!(scope(key));
                paths.push(file.path);
                Ok(ControlFlow::Continue(()))
            })
        })
        .unwrap();
    paths
}

fn bytes_of(store: &Arc<Store>, name: &BlobName) -> Vec<u8> {
    let reader = store.reader(name).unwrap().ok_or_else(|| StorageError::corrupt("a file", "it is lost"));
    let reader = reader.unwrap();
    reader.verify(0..reader.size()).unwrap();
    reader.copy(0..reader.size()).unwrap()
}

#[test]
fn processes_that_store_remove_and_punch_are_killed_at_any_moment_and_nothing_is_lost() {
    let (kills, seed) = (number(KILLS, 100), number(SEED, u64::from(std::process::id())));
    println!("{SEED}={seed}");
    let random = Random(seed);
    let mut killer =
        Killer { folder: tempfile::tempdir().unwrap(), files: File::all(), random, slowest: Duration::ZERO };
    for _ in 0..kills.div_ceil(WALKERS) {
        killer.round();
    }
    killer.finish();
    let kills = kills.div_ceil(WALKERS) * WALKERS;
    println!("counts: {kills} kills, slowest opening {} ms", killer.slowest.as_millis());
}
