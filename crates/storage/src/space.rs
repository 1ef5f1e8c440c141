//! Giving free space inside C back to the disk.

use std::ops::ControlFlow;

use crate::error::{Result, StorageError};
use crate::layout::CHUNK_PAGE;
use crate::lock_file::LockFile;
use crate::platform::{self, BorrowedFile};
use crate::raw::{FreeSpan, PageRun, reclaimable_spans};
use crate::store::Store;

/// Smaller spans stay: they fragment the file for little.
const LEAST_HOLE: u64 = 1 << 20;

/// Bytes punched in one transaction, so that C's write lock is held for a short time only.
const PUNCHED_AT_ONCE: u64 = 4 << 30;

impl Store {
    /// Punches holes into C's data file where whole spans of at least 1 MiB are free and no reader of any process can see them.
    /// The file keeps its length, the disk gets the blocks. Returns the bytes given back; 0 as well when another process is at it
    /// now, or where the system or file system has no such operation.
    ///
    /// # Errors
    /// [`StorageError::ReadOnly`], [`StorageError::Io`], [`StorageError::Database`].
    pub fn release_space(&self) -> Result<u64> {
        self.chunks.writable()?;
        let path = self.locks().join("maintenance");
        let Some(lock) = LockFile::take(&path)? else { return Ok(0) };
        let freed = self.release_locked();
        lock.remove();
        freed
    }

    fn release_locked(&self) -> Result<u64> {
        let before = self.chunks.disk_bytes()?;
        let fail = |error| StorageError::database("look for dead readers", self.chunks.path(), error);
        self.chunks.environment()?.clear_dead_readers().map_err(fail)?;
        // libmdbx looks at the table of readers anew only after one has ended since it last did.
        drop(self.snapshot()?);
        let mut from_page = 0;
        while let ControlFlow::Continue(next) = self.punch_from(from_page)? {
            from_page = next;
        }
        Ok(before.saturating_sub(self.chunks.disk_bytes()?))
    }

    /// Punches free spans from `from_page` on, and tells where to go on. The write transaction is fresh, so that all that is free
    /// is listed, and keeps everybody else from taking a listed page; it changes nothing and is aborted.
    fn punch_from(&self, from_page: u64) -> Result<ControlFlow<(), u64>> {
        let path = self.chunks.path();
        let fail = |error| StorageError::database("list free pages", path, error);
        let transaction = self.chunks.begin_write()?;
        let file = self.chunks.data_file()?;
        let spans = reclaimable_spans(&transaction).map_err(fail)?;
        if spans.iter().any(|span| span.pages * CHUNK_PAGE as u64 >= LEAST_HOLE) {
            check_free(&spans, self.live_runs()?).map_err(fail)?;
        }
        let mut punched = 0;
        for span in spans {
            let bytes = span.pages * CHUNK_PAGE as u64;
            if span.first_page < from_page || bytes < LEAST_HOLE {
                continue;
            }
            if punched >= PUNCHED_AT_ONCE {
                return Ok(ControlFlow::Continue(span.first_page));
            }
            match punch(file, span) {
                Err(error) if error.kind() == std::io::ErrorKind::Unsupported => break,
                outcome => outcome.map_err(|e| StorageError::io("give space back", path, e))?,
            }
            punched += bytes;
        }
        Ok(ControlFlow::Break(()))
    }
}

impl Store {
    /// The page runs of all chunks in the newest state.
    fn live_runs(&self) -> Result<Vec<PageRun>> {
        let mut keys = Vec::new();
        self.chunks.visit(|key, _| keys.push(key.to_vec()))?;
        let newest = self.snapshot()?;
        let runs = keys.iter().map(|key| newest.place(key));
        runs.filter_map(Result::transpose).collect()
    }
}

/// Refuses spans that hold a live chunk: a damaged list of free pages would take its bytes with it.
fn check_free(spans: &[FreeSpan], mut runs: Vec<PageRun>) -> libmdbx::Result<()> {
    runs.sort_unstable_by_key(|run| run.first_page);
    for span in spans {
        let end = span.first_page + span.pages;
        let after = runs.partition_point(|run| u64::from(run.first_page) < end);
        let last = after.checked_sub(1).and_then(|at| runs.get(at));
        if last.is_some_and(|run| u64::from(run.first_page) + u64::from(run.pages) > span.first_page) {
            return Err(libmdbx::Error::Corrupted);
        }
    }
    Ok(())
}

fn punch(file: BorrowedFile<'_>, span: FreeSpan) -> std::io::Result<()> {
    let page = CHUNK_PAGE as u64;
    platform::punch(file, span.first_page * page, span.pages * page)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_that_holds_a_live_chunk_is_no_free_one() {
        let run = |first_page, pages| PageRun { first_page, pages };
        let check = |first_page, pages| {
            check_free(&[FreeSpan { first_page, pages }], vec![run(40, 10), run(20, 5)]).is_ok()
        };
        for (first_page, pages) in [(10, 10), (25, 15), (50, 7), (0, 1)] {
            assert!(check(first_page, pages), "{first_page}, {pages}");
        }
        for (first_page, pages) in [(10, 11), (24, 1), (24, 30), (21, 2), (10, 60), (49, 1), (39, 2)] {
            assert!(!check(first_page, pages), "{first_page}, {pages}");
        }
    }
}
