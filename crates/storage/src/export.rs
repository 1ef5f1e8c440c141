//! Writes a stored blob into a plain file: shared with the store where the file system can, copied otherwise.

use std::fs::File;
use std::io;
use std::ops::{ControlFlow, Range};
use std::path::Path;

use crate::error::{Result, StorageError, is_full};
use crate::layout::CHUNK_PAGE;
use crate::plain_file::{PlainFile, failed};
use crate::platform::{self, BorrowedFile, Piece};
use crate::reader::BlobReader;

/// Bytes copied between two looks at whether to go on.
const STEP: u64 = 8 << 20;

/// Bytes read and written at once where the system does not copy by itself.
const BUFFER: u64 = 1 << 20;

/// How a plain file may come by its bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Link {
    /// Shares the disk blocks of the store where that is possible, else copies.
    #[default]
    Auto,
    /// Shares, or fails. Blobs under 64 KiB are copied all the same: they have no blocks of their own.
    Reflink,
    /// Copies, so that the file owns every block.
    Copy,
}

/// How a plain file came by its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// It shares all its disk blocks with the store. Neither side sees a change of the other.
    Reflink,
    /// Its bytes were copied.
    Copy,
}

/// Hears how many more bytes are there, and says whether to go on.
pub type Advance<'a> = dyn FnMut(u64) -> ControlFlow<()> + 'a;

impl BlobReader {
    /// Writes the blob into `target`, which is empty; `None` when `advance` broke off. The reader pins the bytes: neither a
    /// removal nor a reuse of their pages shows in the file, and afterwards its blocks are its own.
    ///
    /// # Errors
    /// [`StorageError::NoReflink`] with [`Link::Reflink`] where nothing can be shared; [`StorageError::NoSpace`],
    /// [`StorageError::Io`].
    pub fn export(
        &self,
        target: &PlainFile,
        link: Link,
        advance: &mut Advance<'_>,
    ) -> Result<Option<Method>> {
        let Some(chunks) = self.chunks() else { return self.export_inline(target, advance) };
        let pieces = chunks.pieces(0..self.size());
        self.with_data_file(|file, _| {
            let job = Job::new(self, file, target.file(), target.path(), 0);
            let shared = if link == Link::Copy { Some(0) } else { job.share(&pieces, link, advance)? };
            match shared {
                None => Ok(None),
                Some(count) if count == pieces.len() => job.cut(target).map(|()| Some(Method::Reflink)),
                Some(count) => {
                    let kernel = link == Link::Auto;
                    let copied = job.copy(&pieces, count, kernel, advance)?;
                    Ok(copied.then_some(Method::Copy))
                }
            }
        })
    }

    /// Copies `range`, which lies in chunks, to `at` in the file `to`; false when `advance` broke off. Blocks are shared where the
    /// file system can and `at` lies at the same distance from a page's boundary as `range` does in the data file. Then a page's rest
    /// on both sides comes along.
    pub(crate) fn copy_range_to(
        &self,
        range: Range<u64>,
        (to, path): (&File, &Path),
        at: u64,
        advance: &mut Advance<'_>,
    ) -> Result<bool> {
        let pieces = self.chunks().map(|chunks| chunks.pieces(range)).unwrap_or_default();
        self.with_data_file(|file, _| {
            let job = Job::new(self, file, to, path, at);
            let Some(shared) = job.share(&pieces, Link::Auto, advance)? else { return Ok(false) };
            if shared == pieces.len() {
                return Ok(true);
            }
            let rest = pieces.iter().skip(shared).map(|piece| piece.length).sum();
            self.store().check_room(rest)?;
            job.copy(&pieces, shared, true, advance)
        })
    }

    fn export_inline(&self, target: &PlainFile, advance: &mut Advance<'_>) -> Result<Option<Method>> {
        let bytes = self.copy(0..self.size())?;
        platform::write_at(platform::borrow(target.file()), &bytes, 0)
            .map_err(|error| failed("write the file", target.path(), error))?;
        Ok(advance(self.size()).is_continue().then_some(Method::Copy))
    }
}

/// One export.
struct Job<'a> {
    reader: &'a BlobReader,
    from: BorrowedFile<'a>,
    to: BorrowedFile<'a>,
    /// Path of `to`.
    path: &'a Path,
    /// Where in `to` the first piece goes.
    start: u64,
}

impl<'a> Job<'a> {
    fn new(reader: &'a BlobReader, from: BorrowedFile<'a>, to: &'a File, path: &'a Path, start: u64) -> Self {
        Self { reader, from, to: platform::borrow(to), path, start }
    }

    /// Shares the pieces from the first on, and tells how many: all, or those before the first that cannot be shared. `None`
    /// when `advance` broke off.
    fn share(&self, pieces: &[Piece], link: Link, advance: &mut Advance<'_>) -> Result<Option<usize>> {
        let mut at = self.start;
        for (count, piece) in pieces.iter().enumerate() {
            // Pages are cloned whole: those in which the first piece begins and the last ends are the run's own.
            let before = piece.offset % CHUNK_PAGE as u64;
            let length = (before + piece.length).next_multiple_of(CHUNK_PAGE as u64);
            let cloned = at.checked_sub(before).ok_or_else(|| io::ErrorKind::InvalidInput.into());
            match cloned
                .and_then(|to| platform::clone_range(self.from, piece.offset - before, self.to, to, length))
            {
                Ok(()) => {}
                Err(error) if !cannot_share(&error) => return Err(self.failed(error)),
                Err(error) if link == Link::Reflink => return Err(self.refused(&error)),
                Err(_) => return Ok(Some(count)),
            }
            at += piece.length;
            if advance(piece.length).is_break() {
                return Ok(None);
            }
        }
        Ok(Some(pieces.len()))
    }

    /// Cuts off what the last page has beyond the end.
    fn cut(&self, target: &PlainFile) -> Result<()> {
        target.file().set_len(self.reader.size()).map_err(|error| self.failed(error))
    }

    /// Copies the pieces from `first` on, by the system alone where `kernel` allows it; false when `advance` broke off.
    fn copy(
        &self,
        pieces: &[Piece],
        first: usize,
        mut kernel: bool,
        advance: &mut Advance<'_>,
    ) -> Result<bool> {
        let length = |pieces: &[Piece]| pieces.iter().map(|piece| piece.length).sum::<u64>();
        let (shared, rest) = pieces.split_at_checked(first).unwrap_or((pieces, &[]));
        let mut at = self.start + length(shared);
        self.make_room(at, length(rest))?;
        let mut buffer = Vec::new();
        for piece in rest {
            let mut done = 0;
            while done < piece.length {
                let step = Step { offset: piece.offset + done, at, length: STEP.min(piece.length - done) };
                let copied = match self.copy_by_system(&step, &mut kernel)? {
                    0 => self.copy_through(&step, &mut buffer)?,
                    copied => copied,
                };
                (done, at) = (done + copied, at + copied);
                if advance(copied).is_break() {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    /// Takes the disk space for what is copied, so that a full disk is told before anything is.
    fn make_room(&self, start: u64, needed: u64) -> Result<()> {
        match platform::allocate(self.to, start, needed) {
            Err(error) if is_full(&error) => Err(StorageError::NoSpace {
                path: self.path.to_owned(),
                needed,
                reserve: 0,
                available: platform::available(self.parent()).unwrap_or(0),
            }),
            // Where room cannot be taken beforehand, the writing tells.
            _ => Ok(()),
        }
    }

    /// 0 where the system does not copy: `kernel` is false from then on.
    fn copy_by_system(&self, step: &Step, kernel: &mut bool) -> Result<u64> {
        if !*kernel {
            return Ok(0);
        }
        match platform::copy_range(self.from, step.offset, self.to, step.at, step.length) {
            Ok(0) => *kernel = false,
            Ok(copied) => return Ok(copied),
            Err(error) if is_full(&error) => return Err(self.failed(error)),
            // Whatever the reason was, reading and writing tells the real one.
            Err(_) => *kernel = false,
        }
        Ok(0)
    }

    fn copy_through(&self, step: &Step, buffer: &mut Vec<u8>) -> Result<u64> {
        let length = BUFFER.min(step.length);
        buffer.resize(self.reader.address_length(length)?, 0);
        platform::read_at(self.from, buffer, step.offset)
            .map_err(|error| StorageError::io("read the data file", self.reader.store().root(), error))?;
        platform::write_at(self.to, buffer, step.at).map_err(|error| self.failed(error))?;
        Ok(length)
    }

    fn failed(&self, error: io::Error) -> StorageError {
        failed("write the file", self.path, error)
    }

    fn refused(&self, error: &io::Error) -> StorageError {
        let reason = match error.kind() {
            io::ErrorKind::CrossesDevices => "they are on different file systems",
            _ => "their file system cannot share parts of files",
        };
        StorageError::NoReflink {
            path: self.path.to_owned(),
            store: self.reader.store().root().to_owned(),
            reason,
        }
    }

    fn parent(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new("."))
    }
}

/// Bytes to copy.
struct Step {
    /// Where they are in the data file.
    offset: u64,
    /// Where they belong in the target.
    at: u64,
    length: u64,
}

/// Whether it is the file system that cannot share, or not just these two files: another mount or device, no such operation,
/// other block size or checksum settings, a swap or immutable file.
pub(crate) fn cannot_share(error: &io::Error) -> bool {
    use io::ErrorKind as E;
    matches!(
        error.kind(),
        E::CrossesDevices | E::Unsupported | E::InvalidInput | E::PermissionDenied | E::ExecutableFileBusy
    )
}
