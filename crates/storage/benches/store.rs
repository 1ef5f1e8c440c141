//! Storing a file, hashed and durable, against write + fdatasync of a plain file, in turn.
//!
//! `cargo bench -p tabagent-storage --bench store -- [FOLDER [BYTES [ROUNDS]]]` prints one JSON line per round with both times
//! in milliseconds. Default: 1 GiB, 3 rounds, in the system's folder for temporary files.

use std::error::Error;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use sha2::{Digest as _, Sha256};
use tabagent_storage::{BlobName, Digest, Finish, StorageRegistry, StoreOptions};

type Outcome<T> = Result<T, Box<dyn Error>>;

/// As much as a download hands to the store at once.
const PIECE: usize = 1 << 20;

fn main() -> Outcome<()> {
    // cargo adds `--bench` to whatever the caller gives.
    let mut arguments = std::env::args().skip(1).filter(|argument| !argument.starts_with("--"));
    let folder = arguments.next().map_or_else(default_folder, PathBuf::from);
    let bytes = arguments.next().map_or(Ok(1 << 30), |text| text.parse())?;
    let rounds = arguments.next().map_or(Ok(3), |text| text.parse())?;
    let content = Content::new(bytes)?;
    for round in 0..rounds {
        let (plain, blob) = run_round(round, &folder, &content)?;
        writeln!(io::stdout(), r#"{{"plain":{:.3},"blob":{:.3}}}"#, milliseconds(plain), milliseconds(blob))?;
    }
    Ok(())
}

fn default_folder() -> PathBuf {
    std::env::temp_dir().join(format!("model-cache-bench-{}", std::process::id()))
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

/// One after the other, in the opposite order every other round: what one leaves behind must not always fall to the same other.
fn run_round(round: u32, folder: &Path, content: &Content) -> Outcome<(Duration, Duration)> {
    if round.is_multiple_of(2) {
        let plain = alone(folder, |folder| store_plain(folder, content))?;
        Ok((plain, alone(folder, |folder| store_blob(folder, content))?))
    } else {
        let blob = alone(folder, |folder| store_blob(folder, content))?;
        Ok((alone(folder, |folder| store_plain(folder, content))?, blob))
    }
}

/// Gives the contender an empty folder, and leaves nothing of it: neither on disk nor waiting for the disk.
fn alone(folder: &Path, contender: impl FnOnce(&Path) -> Outcome<Duration>) -> Outcome<Duration> {
    fs::create_dir_all(folder)?;
    let outcome = contender(folder);
    fs::remove_dir_all(folder)?;
    Command::new("sync").status()?;
    outcome
}

fn store_plain(folder: &Path, content: &Content) -> Outcome<Duration> {
    let start = Instant::now();
    let mut file = File::create_new(folder.join("plain"))?;
    content.for_each(|_, piece| Ok(file.write_all(piece)?))?;
    file.sync_data()?;
    Ok(start.elapsed())
}

/// From the lease to the publication; making the empty store is not counted.
fn store_blob(folder: &Path, content: &Content) -> Outcome<Duration> {
    let store = StorageRegistry::new(folder).open(Path::new("store"), StoreOptions::default())?;
    let start = Instant::now();
    let lease = store.try_lease(&BlobName(content.sha256))?.ok_or("the lease is taken")?;
    let writer = store.writer(lease, content.size, Digest::Sha256(content.sha256))?;
    content.for_each(|offset, piece| Ok(writer.write(offset, piece)?))?;
    let Finish::Complete(_) = writer.finish(|_, _| Ok(()))? else {
        return Err("the store refused its own bytes".into());
    };
    Ok(start.elapsed())
}

/// Bytes of which no two pieces are alike, made as they are asked for.
struct Content {
    size: u64,
    piece: Vec<u8>,
    sha256: [u8; 32],
}

impl Content {
    fn new(size: u64) -> Outcome<Self> {
        let mut piece = vec![0; PIECE];
        getrandom::fill(&mut piece)?;
        let mut content = Self { size, piece, sha256: [0; 32] };
        let mut hash = Sha256::new();
        content.for_each(|_, piece| {
            hash.update(piece);
            Ok(())
        })?;
        content.sha256 = hash.finalize().into();
        Ok(content)
    }

    /// Calls `take` with each piece and its offset, in order.
    fn for_each(&self, mut take: impl FnMut(u64, &[u8]) -> Outcome<()>) -> Outcome<()> {
        let mut piece = self.piece.clone();
        let mut offset = 0;
        while offset < self.size {
            let length = piece.len().min(usize::try_from(self.size - offset)?);
            let (number, _) = piece.split_at_mut(size_of::<u64>());
            number.copy_from_slice(&offset.to_le_bytes());
            take(offset, piece.get(..length).ok_or("a piece is shorter than its length")?)?;
            offset += length as u64;
        }
        Ok(())
    }
}
