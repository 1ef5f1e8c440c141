//! Plain files that all processes share: made once, by whoever asks first, and removed with the last who holds them.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use crate::digest::BlobName;
use crate::error::{Result, StorageError};
use crate::export::{Advance, Link, Method};
use crate::lock_file::SharedLock;
use crate::plain_file::{Folder, failed};
use crate::plain_folder::PlainFolder;
use crate::reader::BlobReader;
use crate::store::Store;

/// Plain files in one folder, held: they stay as long as any process holds them. Dropping this removes them when nobody else
/// does and they are not kept; it may outlive the store.
#[derive(Debug)]
pub struct PlainSet {
    folder: PlainFolder,
    name: String,
    blobs: Vec<BlobName>,
    /// `None` only while it is dropped.
    lock: Option<SharedLock>,
}

/// How a plain file came to be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Added {
    /// It was there.
    Shared,
    /// It was made.
    Made(Method),
    /// Another process makes or removes it now: try again a little later.
    Busy,
    /// `advance` broke off.
    Stopped,
}

impl Store {
    /// Holds the set of plain files with these paths and bytes, which need not be there yet; `None` while someone removes it. The
    /// same paths and bytes are the same set, whichever repository they are of.
    ///
    /// # Errors
    /// [`StorageError::ReadOnly`], [`StorageError::Io`], [`StorageError::NoSpace`].
    pub fn plain_set(&self, files: &BTreeMap<String, BlobName>) -> Result<Option<PlainSet>> {
        self.check_writable()?;
        let (folder, name) = (self.plain_folder(), name_of(files));
        folder.create()?;
        let lock = SharedLock::take(&folder.set_lock(&name))?;
        let blobs = files.values().copied().collect();
        Ok(lock.map(|lock| PlainSet { folder, name, blobs, lock: Some(lock) }))
    }

    pub(crate) fn plain_folder(&self) -> PlainFolder {
        PlainFolder::new(self.root(), self.locks())
    }
}

/// Name of the set with these files.
fn name_of(files: &BTreeMap<String, BlobName>) -> String {
    let mut hasher = Sha256::new();
    for (path, blob) in files {
        hasher.update(path.as_bytes());
        hasher.update([0]);
        hasher.update(blob.0);
    }
    hex::encode(hasher.finalize().get(..16).unwrap_or_default())
}

impl PlainSet {
    /// The folder of the files, which have their listed paths in it.
    #[must_use]
    pub fn folder(&self) -> PathBuf {
        self.folder.set(&self.name)
    }

    /// Whether the files are there, all of them.
    #[must_use]
    pub fn is_made(&self) -> bool {
        self.folder().is_dir()
    }

    /// Begins to make the set. Several may do so at once: they share what each of them makes.
    ///
    /// # Errors
    /// [`StorageError::Io`], [`StorageError::NoSpace`].
    pub fn begin(self) -> Result<PlainSetWriter> {
        let temporary = self.folder.temporary_set(&self.name)?;
        Folder::create(&temporary)?;
        Ok(PlainSetWriter { temporary: Temporary(temporary), set: self })
    }

    /// Keeps the files when nobody holds them any more, until their blobs are removed from the store.
    ///
    /// # Errors
    /// [`StorageError::Io`], [`StorageError::NoSpace`].
    pub fn keep(&self) -> Result<()> {
        self.folder.keep(&self.name)
    }

    fn leave(&self, lock: SharedLock) -> Result<()> {
        let Some(lock) = lock.leave()? else { return Ok(()) };
        self.folder.remove_locked(&self.name, &lock)?;
        self.blobs.iter().try_for_each(|blob| self.folder.remove_blob(blob))
    }
}

impl Drop for PlainSet {
    fn drop(&mut self) {
        // A fork child has no part in what its parent holds.
        if let Some(lock) = self.lock.take().filter(SharedLock::is_ours) {
            // What cannot be removed now is removed by the next who collects.
            self.leave(lock).ok();
        }
    }
}

/// A set in the making. Dropped before it is published, nothing of it is left.
#[derive(Debug)]
pub struct PlainSetWriter {
    // Field order is load-bearing: while the set is held nobody else removes the folder.
    temporary: Temporary,
    set: PlainSet,
}

/// A folder that goes with this, unless it has got another name.
#[derive(Debug)]
struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        // What cannot be removed now is removed by the next who collects.
        fs::remove_dir_all(&self.0).ok();
    }
}

impl PlainSetWriter {
    /// Adds the bytes of `reader` as the file `path`: another name of the file that some set has of them already, else a new file
    /// that shares its blocks with the store where the file system can, and is copied elsewhere. Nobody may write to it.
    ///
    /// # Errors
    /// [`StorageError::InvalidArgument`] for a path that could lead elsewhere; [`StorageError::NoSpace`], [`StorageError::Io`].
    pub fn add(&self, path: &str, reader: &BlobReader, advance: &mut Advance<'_>) -> Result<Added> {
        let folder = &self.set.folder;
        let Some(_lock) = folder.lock_blob(reader.name())? else { return Ok(Added::Busy) };
        let mut added = Added::Shared;
        if !is_whole(&folder.blob(reader.name()), reader.size())? {
            match make(folder, reader, advance)? {
                Some(method) => added = Added::Made(method),
                None => return Ok(Added::Stopped),
            }
        }
        self.link(reader.name(), path)?;
        Ok(added)
    }

    fn link(&self, blob: &BlobName, path: &str) -> Result<()> {
        let mut below = Folder::create(&self.temporary.0)?;
        let mut segments = path.split('/');
        let name = segments.next_back().unwrap_or_default();
        for segment in segments {
            let deeper = below.create_below(segment)?;
            below.sync()?;
            below = deeper;
        }
        below.link(&Folder::create(&self.set.folder.blobs())?, &blob.to_hex(), name)?;
        below.sync()
    }

    /// Gives the set its place. When another process was first, the files are that one's, which are the same.
    ///
    /// # Errors
    /// [`StorageError::Io`], [`StorageError::NoSpace`].
    pub fn publish(self) -> Result<PlainSet> {
        let place = self.set.folder();
        match fs::rename(&self.temporary.0, &place) {
            Err(error) if is_taken(&error) => {}
            outcome => outcome.map_err(|error| failed("make the folder", &place, error))?,
        }
        Folder::create(&self.set.folder.sets())?.sync()?;
        Ok(self.set)
    }
}

/// Makes the file of a blob, for who has its lock; `None` when `advance` broke off.
fn make(folder: &PlainFolder, reader: &BlobReader, advance: &mut Advance<'_>) -> Result<Option<Method>> {
    folder.remove_part(reader.name())?;
    let blobs = Folder::create(&folder.blobs())?;
    let target = blobs.begin_as(&reader.name().to_hex(), PlainFolder::temporary_blob(reader.name()))?;
    let Some(method) = reader.export(&target, Link::Auto, advance)? else { return Ok(None) };
    target.seal()?;
    target.publish(false)?;
    Ok(Some(method))
}

/// What renaming a folder to the name of one that is not empty says.
fn is_taken(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::AlreadyExists)
}

/// Whether the file of a blob is there; what has another size is removed, someone has cut it.
fn is_whole(path: &Path, size: u64) -> Result<bool> {
    match fs::symlink_metadata(path) {
        Ok(found) if found.is_file() && found.len() == size => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(StorageError::io("look at the file", path, error)),
        Ok(_) => {
            fs::remove_file(path).map_err(|error| StorageError::io("remove the file", path, error))?;
            Ok(false)
        }
    }
}
