//! Which plain files there are, and which of them nobody holds.

use std::fs;
use std::path::Path;

use crate::digest::BlobName;
use crate::error::Result;
use crate::plain_folder::{PlainFolder, SetName, list};
use crate::platform::{self, FileIdentity};
use crate::store::Store;

/// Some plain files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PlainCount {
    /// Files, each counted once.
    pub files: u64,
    /// Their bytes. Where they share blocks with the store they take no room of their own.
    pub bytes: u64,
}

/// All that is there at one moment.
struct Survey {
    sets: Vec<Set>,
    blobs: Vec<Blob>,
}

struct Set {
    name: SetName,
    files: Vec<FileIdentity>,
}

struct Blob {
    name: BlobName,
    size: u64,
    file: FileIdentity,
}

impl Store {
    /// The plain files there are.
    ///
    /// # Errors
    /// [`crate::StorageError::Io`].
    pub fn plain_files(&self) -> Result<PlainCount> {
        Ok(count(&blobs(&self.plain_folder())?))
    }

    /// Removes the plain files that nobody holds: those that dead processes left, and with `kept` those that were to be kept.
    /// With `dry_run` only tells which.
    ///
    /// # Errors
    /// [`crate::StorageError::ReadOnly`] unless it is a dry run, [`crate::StorageError::Io`].
    pub fn collect_plain_files(&self, kept: bool, dry_run: bool) -> Result<PlainCount> {
        let folder = self.plain_folder();
        if dry_run {
            return Survey::make(&folder)?.foresee(&folder, kept);
        }
        self.check_writable()?;
        let before = blobs(&folder)?;
        for set in folder.set_names()? {
            if kept && folder.is_idle(&set)? {
                folder.unkeep(&set)?;
            }
            folder.remove_set(&set)?;
        }
        folder.blob_names()?.iter().try_for_each(|blob| folder.remove_blob(blob))?;
        let gone = |blob: &&Blob| !folder.blob(&blob.name).exists();
        Ok(count(before.iter().filter(gone)))
    }

    /// Lets go of the plain files of blobs that are no longer in the store: those that nobody holds are removed, kept or not, the
    /// others with the last who holds them.
    pub(crate) fn drop_plain_files(&self, names: &[BlobName]) -> Result<()> {
        let folder = self.plain_folder();
        let survey = Survey::make(&folder)?;
        for blob in survey.blobs.iter().filter(|blob| names.contains(&blob.name)) {
            for set in survey.sets.iter().filter(|set| set.has(blob)) {
                folder.unkeep(&set.name)?;
                folder.remove_set(&set.name)?;
                let files = survey.blobs.iter().filter(|blob| set.has(blob));
                files.map(|blob| &blob.name).try_for_each(|blob| folder.remove_blob(blob))?;
            }
            folder.remove_blob(&blob.name)?;
        }
        Ok(())
    }

    /// Lets go of the plain files of a blob whose bytes were wrong: those that nobody holds are removed, the others with the last who
    /// holds them, and what is made from then on has the right ones.
    ///
    /// # Errors
    /// [`crate::StorageError::Io`].
    pub fn renew_plain_files(&self, name: &BlobName) -> Result<()> {
        self.drop_plain_files(std::slice::from_ref(name))?;
        self.plain_folder().forget_blob(name)
    }
}

impl Survey {
    fn make(folder: &PlainFolder) -> Result<Self> {
        let sets = folder.set_names()?.into_iter();
        let sets = sets.map(|name| Ok(Set { files: files_below(&folder.set(&name))?, name }));
        Ok(Self { sets: sets.collect::<Result<_>>()?, blobs: blobs(folder)? })
    }

    /// What a removal of all sets that nobody holds would remove.
    fn foresee(&self, folder: &PlainFolder, kept: bool) -> Result<PlainCount> {
        let mut going = Vec::new();
        for set in &self.sets {
            if folder.is_idle(&set.name)? && (kept || !folder.is_kept(&set.name)) {
                going.push(set);
            }
        }
        let lost = |blob: &&Blob| {
            let names = going.iter().map(|set| set.count(blob)).sum::<usize>() as u64;
            blob.file.names == names + 1
        };
        Ok(count(self.blobs.iter().filter(lost)))
    }
}

impl Set {
    /// Under how many names it has a blob's file.
    fn count(&self, blob: &Blob) -> usize {
        self.files.iter().filter(|file| file.is_same_file(&blob.file)).count()
    }

    fn has(&self, blob: &Blob) -> bool {
        self.count(blob) > 0
    }
}

fn count<'a>(blobs: impl IntoIterator<Item = &'a Blob>) -> PlainCount {
    blobs.into_iter().fold(PlainCount::default(), |sum, blob| PlainCount {
        files: sum.files + 1,
        bytes: sum.bytes + blob.size,
    })
}

/// The blobs' files that are whole; those that are removed meanwhile do not count.
fn blobs(folder: &PlainFolder) -> Result<Vec<Blob>> {
    let names = list(&folder.blobs())?;
    let found = names.iter().filter_map(|name| {
        let (path, name) = (folder.blobs().join(name), BlobName::from_hex(name)?);
        let size = fs::symlink_metadata(&path).ok()?.len();
        Some(Blob { name, size, file: platform::identity_at(&path).ok()? })
    });
    Ok(found.collect())
}

/// The files of a set; what is removed meanwhile is none.
fn files_below(folder: &Path) -> Result<Vec<FileIdentity>> {
    let mut files = Vec::new();
    for name in list(folder)? {
        let path = folder.join(name);
        if path.is_dir() {
            files.extend(files_below(&path)?);
        } else {
            files.extend(platform::identity_at(&path).ok());
        }
    }
    Ok(files)
}
