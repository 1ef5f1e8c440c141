//! Checking a stored file against one plain CRC32C pass over the same bytes of the mapped data file, in turn, with as many threads.
//!
//! `cargo bench -p tabagent-storage --bench verify -- [FOLDER [BYTES [ROUNDS]]]` prints one JSON line per round with both times in
//! milliseconds and the number of threads. Default: 1 GiB, 7 rounds, in the system's folder for temporary files. All bytes are in
//! the page cache.
#![expect(unsafe_code, reason = "the peer is a plain mapping")]

use std::error::Error;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

use crc_fast::{CrcAlgorithm, checksum};
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};
use sha2::{Digest as _, Sha256};
use tabagent_storage::{
    BLOCK_SIZE, BlobName, CheckWatch, Digest, Extent, Finish, StorageRegistry, Store, StoreOptions, Verdict,
};

type Outcome<T> = Result<T, Box<dyn Error>>;

const PIECE: usize = 1 << 20;

/// As many as the check has (`crates/storage/src/workers.rs`).
const MOST_THREADS: usize = 4;

fn main() -> Outcome<()> {
    // cargo adds `--bench` to whatever the caller gives.
    let mut arguments = std::env::args().skip(1).filter(|argument| !argument.starts_with("--"));
    let folder = arguments.next().map_or_else(default_folder, PathBuf::from);
    let bytes = arguments.next().map_or(Ok(1 << 30), |text| text.parse())?;
    let rounds = arguments.next().map_or(Ok(7), |text| text.parse())?;
    fs::create_dir_all(&folder)?;
    let outcome = measure(&folder, bytes, rounds);
    fs::remove_dir_all(&folder)?;
    outcome
}

fn default_folder() -> PathBuf {
    std::env::temp_dir().join(format!("model-cache-bench-{}", std::process::id()))
}

fn measure(folder: &Path, bytes: u64, rounds: u32) -> Outcome<()> {
    let store = StorageRegistry::new(folder).open(Path::new("store"), StoreOptions::default())?;
    let name = fill(&store, bytes)?;
    let extents = store.reader(&name)?.ok_or("the blob is not stored")?.extents();
    let threads = available_parallelism()?.get().min(MOST_THREADS);
    // Once before, so that all bytes are in the page cache.
    plain(&extents, threads)?;
    for round in 0..rounds {
        // In the opposite order every other round: what one leaves behind must not always fall to the same other.
        let (plain, verify) = if round.is_multiple_of(2) {
            let plain = plain(&extents, threads)?;
            (plain, verify(&store, name)?)
        } else {
            let verify = verify(&store, name)?;
            (plain(&extents, threads)?, verify)
        };
        let (plain, verify) = (milliseconds(plain), milliseconds(verify));
        writeln!(io::stdout(), r#"{{"plain":{plain:.3},"verify":{verify:.3},"threads":{threads}}}"#)?;
    }
    Ok(())
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

/// Stores a file of which no two MiB are alike.
fn fill(store: &Arc<Store>, size: u64) -> Outcome<BlobName> {
    let mut piece = vec![0; PIECE];
    getrandom::fill(&mut piece)?;
    let each = |take: &mut dyn FnMut(u64, &[u8]) -> Outcome<()>| -> Outcome<()> {
        let mut piece = piece.clone();
        for offset in (0..size).step_by(PIECE) {
            let length = piece.len().min(usize::try_from(size - offset)?);
            for (to, from) in piece.iter_mut().zip(offset.to_le_bytes()) {
                *to = from;
            }
            take(offset, piece.get(..length).unwrap_or_default())?;
        }
        Ok(())
    };
    let mut hash = Sha256::new();
    each(&mut |_, piece| {
        hash.update(piece);
        Ok(())
    })?;
    let name = BlobName(hash.finalize().into());
    let lease = store.try_lease(&name)?.ok_or("the lease is taken")?;
    let writer = store.writer(lease, size, Digest::Sha256(name.0))?;
    each(&mut |offset, piece| Ok(writer.write(offset, piece)?))?;
    match writer.finish(|_, _| Ok(()))? {
        Finish::Complete(_) => Ok(name),
        _ => Err("the store refused its own bytes".into()),
    }
}

/// Hears nothing and ends nothing.
struct Unwatched;

impl CheckWatch for Unwatched {
    fn checked(&self, _index: usize, _bytes: u64) -> bool {
        true
    }
}

fn verify(store: &Arc<Store>, name: BlobName) -> Outcome<Duration> {
    let start = Instant::now();
    let verdicts = store.check_blobs(&[name], &Unwatched)?;
    let time = start.elapsed();
    match verdicts.as_slice() {
        [Some(Verdict::Checked { damaged, .. })] if damaged.is_empty() => Ok(time),
        other => Err(format!("the check found {other:?}").into()),
    }
}

/// Maps the data file and sums the blob's blocks, each once.
fn plain(extents: &[Extent], threads: usize) -> Outcome<Duration> {
    let start = Instant::now();
    let path = &extents.first().ok_or("the blob has no chunks")?.path;
    let file = File::open(path)?;
    let length = usize::try_from(file.metadata()?.len())?;
    // SAFETY: a new mapping where the system wants it.
    let map = unsafe { mmap(ptr::null_mut(), length, ProtFlags::READ, MapFlags::SHARED, &file, 0) }?;
    // SAFETY: the file is that long, and nobody changes these bytes meanwhile.
    let bytes = unsafe { std::slice::from_raw_parts(map.cast::<u8>().cast_const(), length) };
    let blocks: Vec<&[u8]> = extents.iter().flat_map(|extent| blocks_of(bytes, extent)).collect();
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(block) = blocks.get(next.fetch_add(1, Ordering::Relaxed)) {
                    std::hint::black_box(checksum(CrcAlgorithm::Crc32Iscsi, block));
                }
            });
        }
    });
    let time = start.elapsed();
    // SAFETY: nobody looks at the mapping any more.
    unsafe { munmap(map, length) }?;
    Ok(time)
}

fn blocks_of<'a>(file: &'a [u8], extent: &Extent) -> std::slice::Chunks<'a, u8> {
    let start = usize::try_from(extent.offset).unwrap_or(usize::MAX);
    let end = usize::try_from(extent.offset + extent.length).unwrap_or(usize::MAX);
    file.get(start..end).unwrap_or_default().chunks(usize::try_from(BLOCK_SIZE).unwrap_or(usize::MAX))
}
