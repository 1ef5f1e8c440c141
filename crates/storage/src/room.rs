//! Room on the disk before libmdbx needs it: its writable map turns a full disk into a signal that ends the process.
//!
//! libmdbx touches only the first page of a reserved run and a few pages of its trees. Those are safe when the end of the file has
//! its room on the disk before a transaction begins, and the file system has a margin for pages inside the file whose room was
//! given back. Free pages inside the file are not counted as free space: they may have given their room back, too.
//! On file systems (and systems) that cannot allocate without changing a file's size, the margin alone must do.

use std::fs::OpenOptions;
use std::io;
use std::ops::Range;
use std::path::Path;

use crate::ballast;
use crate::environment::ChunkEnvironment;
use crate::error::{Result, StorageError, is_full};
use crate::layout::{CHUNK_PAGE, DATA_FILE};
use crate::lock_file::LockFile;
use crate::platform::{self, BorrowedFile};
use crate::raw::{FreeSpan, PageRun, reclaimable_spans};
use crate::store::Store;

/// What the file system must have beyond the need (256 MiB).
const MARGIN: u64 = 256 << 20;

/// Allocation stops when the file system would have less than this (32 MiB): it is never filled up from here.
pub(crate) const FLOOR: u64 = 32 << 20;

/// Bytes allocated between two looks at the free space.
const STEP: u64 = 64 << 20;

/// What is done when room is given back, as an error tells it.
pub(crate) const GIVE_BACK: &str = "give room back";

/// What the trees of one transaction may take beyond its chunks.
const TREES: u64 = 64 * CHUNK_PAGE as u64;

/// libmdbx's lock file in an environment's folder, and room for it: with its reader slots it has 36 KiB.
const LOCK_FILE: &str = "mdbx.lck";
const LOCK_FILE_ROOM: u64 = 64 << 10;

/// What a new database takes at most before it holds anything (4 MiB).
const NEW_DATABASE: u64 = 4 << 20;

/// Name of the lock file under which room is made and taken, one process at a time.
const LOCK: &str = "room";

impl Store {
    /// Checks that the file system can take `bytes` more and keep 256 MiB.
    ///
    /// # Errors
    /// [`StorageError::NoSpace`] when it cannot, [`StorageError::Io`] when it does not tell.
    pub fn check_room(&self, bytes: u64) -> Result<()> {
        self.enough(bytes.saturating_add(MARGIN), MARGIN, self.available()?)
    }

    /// Checks that the file system has `needed` bytes.
    pub(crate) fn enough_room(&self, needed: u64) -> Result<()> {
        self.enough(needed, 0, self.available()?)
    }

    pub(crate) fn available(&self) -> Result<u64> {
        platform::available(self.root()).map_err(|e| StorageError::io("ask for free space", self.root(), e))
    }

    pub(crate) fn enough(&self, needed: u64, reserve: u64, available: u64) -> Result<()> {
        if available >= needed {
            return Ok(());
        }
        Err(StorageError::NoSpace { path: self.root().to_owned(), needed, reserve, available })
    }

    /// Waits for the right to make room and take it. Held for milliseconds, and freed by the system when its holder dies.
    pub(crate) fn lock_room(&self) -> Result<LockFile> {
        LockFile::wait(&self.locks().join(LOCK))
    }

    /// Makes the next transaction of C, which takes runs of these page counts, safe: when free pages inside the file cannot
    /// take all of them, the end of the file gets room for them, so that its growth cannot fail.
    pub(crate) fn make_room(&self, runs: &[u64]) -> Result<()> {
        let need = runs.iter().sum::<u64>() * CHUNK_PAGE as u64;
        self.check_room(need)?;
        let file = self.chunks.data_file()?;
        let start = used_end(&self.chunks)?;
        let end = start + TREES + if self.fit_inside(runs)? { 0 } else { need };
        // The file grows in larger steps. What lies beyond stays without room until it is needed.
        self.allocate(file, start..end)
    }

    /// Whether the runs fit into spans that are free for everybody. libmdbx may still put one elsewhere; then the margin holds,
    /// and [`Store::back`] sees whether there is room.
    fn fit_inside(&self, runs: &[u64]) -> Result<bool> {
        let fail = |error| StorageError::database("list free pages", self.chunks.path(), error);
        // libmdbx looks at the table of readers anew only after one has ended since it last did.
        drop(self.snapshot()?);
        let transaction = self.chunks.begin_write()?;
        let spans = reclaimable_spans(&transaction).map_err(fail)?;
        Ok(fit(runs, &spans))
    }

    /// Gives the payload of a reserved run room of its own. Pages that an export shares (reflink) own none any more, and those
    /// of a run inside the file may have given theirs back.
    pub(crate) fn back(&self, run: PageRun) -> Result<()> {
        let file = self.chunks.data_file()?;
        self.punch(file, run.second_page()..run.end(), "make room in the data file")?;
        self.allocate(file, run.payload_offset()..run.payload_end())
    }

    /// Gives the room of a run that could not be backed whole back to the disk.
    pub(crate) fn unback(&self, run: PageRun) -> Result<()> {
        let file = self.chunks.data_file()?;
        self.punch(file, run.second_page()..run.end(), GIVE_BACK)
    }

    /// Takes its room from a part of the data file, where the system can; `action` is what for.
    pub(crate) fn punch(&self, file: BorrowedFile<'_>, part: Range<u64>, action: &'static str) -> Result<()> {
        match platform::punch(file, part.start, part.end - part.start) {
            Err(error) if error.kind() != io::ErrorKind::Unsupported => {
                Err(StorageError::io(action, &self.chunks.data_path(), error))
            }
            _ => Ok(()),
        }
    }

    fn allocate(&self, file: BorrowedFile<'_>, range: Range<u64>) -> Result<()> {
        let end = range.end;
        for Range { start: at, end: next } in steps(range) {
            let length = next - at;
            let available = self.available()?;
            if available < length + FLOOR {
                return self.enough(end - at + FLOOR, FLOOR, available);
            }
            match platform::allocate(file, at, length) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::Unsupported => return Ok(()),
                Err(error) if is_full(&error) => {
                    return self.enough(end - at + FLOOR, FLOOR, self.available()?.min(length));
                }
                Err(error) => {
                    return Err(StorageError::io(
                        "make room in the data file",
                        &self.chunks.data_path(),
                        error,
                    ));
                }
            }
        }
        Ok(())
    }
}

/// The range in parts, between which the free space is looked at.
pub(crate) fn steps(range: Range<u64>) -> impl Iterator<Item = Range<u64>> {
    let starts = std::iter::successors(Some(range.start), |start| Some(start + STEP));
    starts.take_while(move |start| *start < range.end).map(move |start| start..range.end.min(start + STEP))
}

/// Gives libmdbx's lock file its room on the disk, which must have some for a new database too: libmdbx writes both through memory. A
/// full disk loses the store's ballast for it. For an environment that this process does not have open.
pub(crate) fn make_room_to_open(folder: &Path, locks: &Path) -> Result<()> {
    let fail = |error| StorageError::io("make room for the database", folder, error);
    let outcome = match back_lock_file(folder) {
        Err(error) if is_full(&error) => {
            ballast::drop(locks);
            back_lock_file(folder)
        }
        outcome => outcome,
    };
    outcome.map_err(fail)?;
    let available = platform::available(folder).map_err(fail)?;
    if available < NEW_DATABASE && !folder.join(DATA_FILE).exists() {
        return Err(StorageError::NoSpace {
            path: folder.to_owned(),
            needed: NEW_DATABASE,
            reserve: 0,
            available,
        });
    }
    Ok(())
}

/// The last process to close the environment makes the file empty.
fn back_lock_file(folder: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(folder.join(LOCK_FILE))?;
    let (size, allocated) = platform::file_size(platform::borrow(&file))?;
    if size == 0 {
        platform::rewrite_in_place(platform::borrow(&file));
    }
    if allocated >= LOCK_FILE_ROOM {
        return Ok(());
    }
    match platform::allocate(platform::borrow(&file), 0, LOCK_FILE_ROOM) {
        Err(error) if error.kind() == io::ErrorKind::Unsupported => Ok(()),
        outcome => outcome,
    }
}

fn fit(runs: &[u64], spans: &[FreeSpan]) -> bool {
    let mut left: Vec<u64> = spans.iter().map(|span| span.pages).collect();
    runs.iter().all(|run| match left.iter_mut().find(|pages| **pages >= *run) {
        Some(pages) => {
            *pages -= run;
            true
        }
        None => false,
    })
}

/// File offset after the last page in use.
fn used_end(chunks: &ChunkEnvironment) -> Result<u64> {
    let info = chunks.writable()?.info();
    let info = info.map_err(|error| StorageError::database("look at the database", chunks.path(), error))?;
    Ok((info.last_pgno() as u64 + 1) * CHUNK_PAGE as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_fit_only_into_spans_that_are_long_enough_and_not_taken() {
        let spans: Vec<_> = [3, 10].map(|pages| FreeSpan { first_page: 0, pages }).into();
        assert!(fit(&[], &[]));
        assert!(fit(&[10, 3], &spans));
        assert!(fit(&[4, 5, 3], &spans));
        assert!(!fit(&[11], &spans));
        assert!(!fit(&[6, 6], &spans));
    }
}
