//! Small files beside C's data file, for engines that look for weights only below the folder of the model they load.
//!
//! A stub says of its weights where in the data file they are. It is made of two files at most: the model, and a copy of those
//! weights that lie across chunks. What it holds follows from its name, so that all processes share one, and it lives as long as one
//! of them uses it.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{BufWriter, Write as _};
use std::ops::{ControlFlow, Range};
use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest as _, Sha256};

use crate::error::{Result, StorageError};
use crate::export::Advance;
use crate::lock_file::{LockFile, SharedLock};
use crate::platform;
use crate::reader::BlobReader;
use crate::store::Store;

/// What the names of stubs and of their locks begin with.
const PREFIX: &str = "stub-";

/// Endings of the files of a stub.
const MODEL: &str = ".onnx";
const SIDE: &str = ".data";

/// What the lock file of a stub holds once the stub is whole. Whoever gets the lock alone takes it away first: of what was there
/// while nobody used it nothing counts, since it was never synced.
const WHOLE: &[u8] = b"whole";

/// How often is looked whether another process has made the stub.
const POLL: Duration = Duration::from_millis(20);

/// Name of a stub.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct StubName([u8; 16]);

impl StubName {
    /// Length of [`StubName::side`].
    pub const SIDE_LENGTH: u64 = (PREFIX.len() + 32 + SIDE.len()) as u64;

    /// The name of the stub that is made of what `parts` say.
    pub fn of<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut hasher = Sha256::new();
        for part in parts {
            hasher.update((part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
        let digest: [u8; 32] = hasher.finalize().into();
        let mut name = [0; 16];
        name.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
        Self(name)
    }

    /// Name of the file with the weights that are copied.
    #[must_use]
    pub fn side(&self) -> String {
        format!("{}{SIDE}", self.lock())
    }

    fn model(&self) -> String {
        format!("{}{MODEL}", self.lock())
    }

    fn lock(&self) -> String {
        format!("{PREFIX}{}", hex::encode(self.0))
    }

    /// The name in that of one of its files or of its lock.
    fn in_file(file: &str) -> Option<Self> {
        let digits = file.strip_prefix(PREFIX)?;
        let digits = [MODEL, SIDE].iter().find_map(|ending| digits.strip_suffix(ending)).unwrap_or(digits);
        let mut name = [0; 16];
        hex::decode_to_slice(digits, &mut name).ok()?;
        Some(Self(name))
    }
}

/// A part in a stub. What it points to stays in place as long as the readers of its blobs live.
#[derive(Debug)]
pub struct Stub {
    files: Files,
    /// `None` only while it is dropped.
    lock: Option<SharedLock>,
}

impl Stub {
    /// Where its model is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.files.model
    }
}

impl Drop for Stub {
    fn drop(&mut self) {
        let Some(lock) = self.lock.take().filter(SharedLock::is_ours) else { return };
        // The last one removes it; one that cannot be removed is found by the next sweep.
        if let Ok(Some(lock)) = lock.leave() {
            self.files.remove_under(&lock).ok();
        }
    }
}

/// The files of a stub.
#[derive(Debug)]
struct Files {
    model: PathBuf,
    side: PathBuf,
}

impl Files {
    fn remove(&self) {
        for path in [&self.model, &self.side] {
            fs::remove_file(path).ok();
        }
    }

    /// Removes them and the lock file.
    fn remove_under(&self, lock: &LockFile) -> Result<()> {
        mark(lock, b"")?;
        self.remove();
        lock.remove();
        Ok(())
    }
}

/// A stub in the making.
pub struct StubDraft {
    model: BufWriter<File>,
    side: Option<File>,
    files: Files,
}

impl StubDraft {
    fn begin(files: Files) -> Result<Self> {
        files.remove();
        Ok(Self { model: BufWriter::new(create(&files.model)?), side: None, files })
    }

    /// Appends to the model.
    ///
    /// # Errors
    /// [`StorageError::NoSpace`], [`StorageError::Io`].
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.model.write_all(bytes).map_err(|error| failed(&self.files.model, error))
    }

    /// Copies `range` of a blob to the place `at` beside the model, shared with the store where the file system can; false when
    /// `advance` broke off.
    ///
    /// # Errors
    /// [`StorageError::NoSpace`], [`StorageError::Io`].
    pub fn copy(
        &mut self,
        reader: &BlobReader,
        range: Range<u64>,
        at: u64,
        advance: &mut Advance<'_>,
    ) -> Result<bool> {
        let side = match self.side.take() {
            Some(side) => side,
            None => create(&self.files.side)?,
        };
        let copied = reader.copy_range_to(range, (&side, &self.files.side), at, advance);
        self.side = Some(side);
        copied
    }

    fn finish(mut self) -> Result<()> {
        self.model.flush().map_err(|error| failed(&self.files.model, error))
    }
}

/// Writes a stub; [`ControlFlow::Break`] when nobody wants it any more.
pub type Draw<'a> = dyn FnMut(&mut StubDraft) -> Result<ControlFlow<()>> + 'a;

impl Store {
    /// The stub `name`, drawn unless somebody uses it already; `None` when `wanted` says that nobody does. Stubs that dead processes
    /// left are removed.
    ///
    /// # Errors
    /// [`StorageError::ReadOnly`], [`StorageError::NotShown`] where engines cannot read the data file, [`StorageError::NoSpace`],
    /// [`StorageError::Io`]; those of `draw`.
    pub fn stub(
        &self,
        name: &StubName,
        draw: &mut Draw<'_>,
        wanted: &dyn Fn() -> bool,
    ) -> Result<Option<Stub>> {
        self.stub_between(name, draw, wanted, &|| {})
    }

    /// As [`Store::stub`]; `between` runs when a stub that was drawn is nobody's for an instant.
    pub(crate) fn stub_between(
        &self,
        name: &StubName,
        draw: &mut Draw<'_>,
        wanted: &dyn Fn() -> bool,
        between: &dyn Fn(),
    ) -> Result<Option<Stub>> {
        self.check_stubs()?;
        for stale in self.stale_stubs()?.iter().filter(|stale| *stale != name) {
            self.remove_stub(stale)?;
        }
        // What was drawn here is whole until somebody has the lock alone and clears it: who only looks does not.
        let mut drawn = false;
        while wanted() {
            let lock = if drawn { None } else { self.alone(name)? };
            let part = match lock {
                Some(lock) if self.draw(name, &lock, draw)?.is_break() => break,
                Some(lock) => {
                    drawn = true;
                    lock.share(between)?
                }
                None => SharedLock::take(&self.stub_lock(name))?,
            };
            match part {
                Some(lock) if is_whole(&lock) => {
                    return Ok(Some(Stub { files: self.stub_files(name), lock: Some(lock) }));
                }
                // It went in between.
                Some(_) => drawn = false,
                None => std::thread::sleep(POLL),
            }
        }
        Ok(None)
    }

    /// Fails where there can be no stubs.
    ///
    /// # Errors
    /// [`StorageError::ReadOnly`], [`StorageError::NotShown`].
    pub fn check_stubs(&self) -> Result<()> {
        self.check_writable()?;
        if platform::CAN_MAP { Ok(()) } else { Err(StorageError::NotShown { path: self.root().to_owned() }) }
    }

    /// Makes the files and says so in the lock, or leaves nothing.
    fn draw(&self, name: &StubName, lock: &LockFile, draw: &mut Draw<'_>) -> Result<ControlFlow<()>> {
        let drawn = StubDraft::begin(self.stub_files(name)).and_then(|mut draft| {
            if draw(&mut draft)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
            draft.finish()?;
            mark(lock, WHOLE)?;
            Ok(ControlFlow::Continue(()))
        });
        if !matches!(drawn, Ok(ControlFlow::Continue(()))) {
            self.stub_files(name).remove_under(lock).ok();
        }
        drawn
    }

    /// Stubs that nobody uses.
    pub(crate) fn stale_stubs(&self) -> Result<Vec<StubName>> {
        let mut names: BTreeSet<_> =
            self.lock_files()?.iter().filter_map(|file| StubName::in_file(file)).collect();
        let folder = self.chunks.path();
        let fail = |error| StorageError::io("list the files in", folder, error);
        for entry in fs::read_dir(folder).map_err(fail)? {
            let file = entry.map_err(fail)?.file_name();
            names.extend(file.to_str().and_then(StubName::in_file));
        }
        let mut stale = Vec::new();
        for name in names {
            // Only looked at: one that is whole stays so for who has just drawn it.
            if LockFile::take_once(&self.stub_lock(&name))?.is_some() {
                stale.push(name);
            }
        }
        Ok(stale)
    }

    /// Removes a stub that nobody uses.
    pub(crate) fn remove_stub(&self, name: &StubName) -> Result<()> {
        match self.alone(name)? {
            Some(lock) => self.stub_files(name).remove_under(&lock),
            None => Ok(()),
        }
    }

    /// The lock of a stub that nobody uses.
    fn alone(&self, name: &StubName) -> Result<Option<LockFile>> {
        let lock = LockFile::take_once(&self.stub_lock(name))?;
        lock.map(|lock| mark(&lock, b"").map(|()| lock)).transpose()
    }

    fn stub_lock(&self, name: &StubName) -> PathBuf {
        self.locks().join(name.lock())
    }

    fn stub_files(&self, name: &StubName) -> Files {
        let folder = self.chunks.path();
        Files { model: folder.join(name.model()), side: folder.join(name.side()) }
    }
}

/// Writes into the file of a lock that is held alone.
fn mark(lock: &LockFile, text: &[u8]) -> Result<()> {
    let written = lock.file().set_len(0).and_then(|()| lock.file().write_all(text));
    written.map_err(|error| StorageError::io("write a lock file", lock.path(), error))
}

fn is_whole(lock: &SharedLock) -> bool {
    fs::read(lock.path()).is_ok_and(|text| text == WHOLE)
}

fn create(path: &Path) -> Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map_err(|error| failed(path, error))
}

fn failed(path: &Path, error: std::io::Error) -> StorageError {
    StorageError::io("write the file", path, error)
}
