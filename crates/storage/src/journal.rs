//! What a writer has written and M does not record yet, so that the death of its process costs only the bytes under way.
//!
//! A file beside the lease, appended to after each write and never synced: it outlives the process, not the machine. What it
//! claims counts for the same incarnation only, and like every recorded block only once its checksum was compared with the disk.
//!
//! ```text
//! magic "TABWRITE" | incarnation 16 | entry ...
//! entry: start u64 | length u32 | CRC32C of the written bytes u32 | CRC32C of these 16 bytes u32        (little-endian)
//! ```

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use crate::block::crc32c;
use crate::digest::{BlobName, Incarnation};
use crate::record::Segment;
use crate::store::Store;

const MAGIC: &[u8; 8] = b"TABWRITE";
/// What follows the blob's name in the name of its journal.
const SUFFIX: &str = ".written";
const HEADER: usize = 24;
const ENTRY: usize = 20;

/// The journal of one writer.
pub(crate) struct Journal {
    path: PathBuf,
    /// `None` where none can be kept: then a kill costs what was written since the last checkpoint.
    file: Option<File>,
}

impl Journal {
    /// Goes on with the journal of an incarnation, and returns what it claims; begins a new one when there is none.
    pub(crate) fn open(path: PathBuf, incarnation: &Incarnation) -> (Self, Vec<Segment>) {
        match continue_at(&path, incarnation) {
            Ok((file, segments)) => (Self { path, file: Some(file) }, segments),
            Err(_) => (Self { path, file: None }, Vec::new()),
        }
    }

    /// These bytes were written. From several threads at once; each call is one append.
    pub(crate) fn note(&self, segments: &[Segment]) {
        let entries: Vec<u8> = segments.iter().flat_map(encode).collect();
        if let Some(mut file) = self.file.as_ref() {
            // What is not noted is fetched again after a kill, and only then.
            file.write_all(&entries).ok();
        }
    }

    /// What was written does not count.
    pub(crate) fn clear(&self) {
        if let Some(file) = &self.file {
            // Where it cannot be cleared it must go: its claims are of bytes that nobody wants.
            if file.set_len(HEADER as u64).is_err() {
                self.remove();
            }
        }
    }

    /// M records everything: nothing of it is needed any more.
    pub(crate) fn remove(&self) {
        remove(&self.path);
    }
}

impl Store {
    pub(crate) fn journal_path(&self, name: &BlobName) -> PathBuf {
        self.locks().join(format!("{}{SUFFIX}", name.to_hex()))
    }
}

/// The blob whose journal a file of this name is.
pub(crate) fn journal_of(file: &str) -> Option<BlobName> {
    let mut name = BlobName([0; 32]);
    hex::decode_to_slice(file.strip_suffix(SUFFIX)?, &mut name.0).ok()?;
    Some(name)
}

/// Removes the journal at `path`. One that stays is harmless: its incarnation never comes again.
pub(crate) fn remove(path: &Path) {
    fs::remove_file(path).ok();
}

fn continue_at(path: &Path, incarnation: &Incarnation) -> io::Result<(File, Vec<Segment>)> {
    let mut options = OpenOptions::new();
    options.read(true).append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    let segments = match bytes.split_at_checked(HEADER) {
        Some((head, entries)) if head == header(incarnation) => decode(entries),
        _ => Vec::new(),
    };
    if segments.is_empty() {
        file.set_len(0)?;
        file.write_all(&header(incarnation))?;
    } else {
        // Half an entry at the end would put all later ones out of step.
        file.set_len((HEADER + segments.len() * ENTRY) as u64)?;
    }
    Ok((file, segments))
}

fn header(incarnation: &Incarnation) -> [u8; HEADER] {
    let mut out = [0; HEADER];
    let (magic, rest) = out.split_at_mut(MAGIC.len());
    magic.copy_from_slice(MAGIC);
    rest.copy_from_slice(&incarnation.0);
    out
}

fn encode(segment: &Segment) -> [u8; ENTRY] {
    let mut out = [0; ENTRY];
    let (claim, check) = out.split_at_mut(ENTRY - 4);
    let (start, rest) = claim.split_at_mut(8);
    start.copy_from_slice(&segment.start.to_le_bytes());
    let (length, crc) = rest.split_at_mut(4);
    length.copy_from_slice(&segment.length.to_le_bytes());
    crc.copy_from_slice(&segment.crc.to_le_bytes());
    check.copy_from_slice(&crc32c(claim).to_le_bytes());
    out
}

/// The entries up to the first that is not whole.
fn decode(entries: &[u8]) -> Vec<Segment> {
    entries.as_chunks::<ENTRY>().0.iter().map_while(decode_entry).collect()
}

fn decode_entry(entry: &[u8; ENTRY]) -> Option<Segment> {
    let (claim, check) = entry.split_last_chunk::<4>()?;
    let (start, rest) = claim.split_first_chunk::<8>()?;
    let (length, crc) = rest.split_first_chunk::<4>()?;
    let segment = Segment {
        start: u64::from_le_bytes(*start),
        length: u32::from_le_bytes(*length),
        crc: u32::from_le_bytes(*crc.first_chunk::<4>()?),
    };
    (crc32c(claim) == u32::from_le_bytes(*check)).then_some(segment)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Segment = Segment { start: 0, length: 4096, crc: 7 };
    const TWO: Segment = Segment { start: 1 << 40, length: 1 << 22, crc: u32::MAX };

    fn incarnation(n: u8) -> Incarnation {
        Incarnation([n; 16])
    }

    #[test]
    fn what_was_noted_is_claimed_by_the_next_journal_of_the_incarnation() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        for expected in [vec![], vec![ONE], vec![ONE, ONE]] {
            let (journal, segments) = Journal::open(path.clone(), &incarnation(1));
            assert_eq!(segments, expected);
            journal.note(&[ONE]);
        }
        let (journal, segments) = Journal::open(path.clone(), &incarnation(2));
        assert!(segments.is_empty());
        journal.note(&[TWO]);
        journal.clear();
        assert!(Journal::open(path.clone(), &incarnation(2)).1.is_empty());
        journal.note(&[TWO]);
        assert_eq!(Journal::open(path.clone(), &incarnation(2)).1, [TWO]);
        assert!(Journal::open(path.clone(), &incarnation(1)).1.is_empty(), "the other one is gone for good");
        journal.remove();
        assert!(!path.exists());
    }

    #[test]
    fn an_append_that_was_cut_short_ends_the_claims_and_later_ones_fit_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        Journal::open(path.clone(), &incarnation(1)).0.note(&[ONE, TWO]);
        let whole = fs::read(&path).unwrap();
        for cut in 0..whole.len() {
            fs::write(&path, &whole[..cut]).unwrap();
            let claims = [ONE, TWO].into_iter().take(cut.saturating_sub(HEADER) / ENTRY).collect::<Vec<_>>();
            let (journal, segments) = Journal::open(path.clone(), &incarnation(1));
            assert_eq!(segments, claims, "cut at {cut}");
            journal.note(&[TWO]);
            assert_eq!(Journal::open(path.clone(), &incarnation(1)).1, [claims, vec![TWO]].concat());
        }
    }

    #[test]
    fn an_altered_entry_ends_the_claims() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        for at in 0..ENTRY {
            fs::remove_file(&path).ok();
            Journal::open(path.clone(), &incarnation(1)).0.note(&[ONE, TWO]);
            let mut bytes = fs::read(&path).unwrap();
            bytes[HEADER + at] ^= 1;
            fs::write(&path, bytes).unwrap();
            assert!(Journal::open(path.clone(), &incarnation(1)).1.is_empty(), "byte {at}");
        }
    }

    #[test]
    fn without_a_place_for_it_nothing_is_claimed_and_nothing_fails() {
        let (journal, segments) = Journal::open("/nowhere/journal".into(), &incarnation(1));
        assert!(segments.is_empty());
        journal.note(&[ONE]);
        journal.remove();
    }
}
