//! A folder by its path, where the system opens nothing relative to a folder. Not run yet: type-checked only.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

/// A folder.
pub(crate) struct Folder(PathBuf);

impl Folder {
    /// Opens the folder at `path`, made with its parents where it is missing. Links are followed.
    pub(crate) fn create(path: &Path) -> io::Result<Self> {
        fs::create_dir_all(path)?;
        Ok(Self(path.canonicalize()?))
    }

    /// Opens the folder `name` in this one, made where it is missing. A link in its place is an error.
    pub(crate) fn create_below(&self, name: &str) -> io::Result<Self> {
        let path = self.0.join(name);
        match fs::create_dir(&path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        // What stands for another place (links, junctions) does not lie below its own.
        if path.canonicalize()?.parent() == Some(self.0.as_path()) && path.is_dir() {
            return Ok(Self(path));
        }
        let reason = "a file or a link has its name, and links are not followed";
        Err(io::Error::new(io::ErrorKind::NotADirectory, reason))
    }

    /// Creates the file `name`, which must not exist.
    pub(crate) fn create_file(&self, name: &str) -> io::Result<File> {
        OpenOptions::new().read(true).write(true).create_new(true).open(self.0.join(name))
    }

    /// There are no files without a name here.
    #[expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "the same signature as elsewhere")]
    pub(crate) fn create_unnamed(&self) -> io::Result<Option<File>> {
        Ok(None)
    }

    /// There is no file to give a name.
    #[expect(clippy::unused_self, reason = "the same signature as elsewhere")]
    pub(crate) fn give_name(&self, _file: &File, _name: &str) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Gives the file `from` of the folder `other` the name `to` here, too.
    pub(crate) fn link(&self, other: &Self, from: &str, to: &str) -> io::Result<()> {
        fs::hard_link(other.0.join(from), self.0.join(to))
    }

    /// Gives the file `from` the name `to` instead; with `replace` in place of a file that has it, else
    /// [`io::ErrorKind::AlreadyExists`] when there is anything.
    pub(crate) fn rename(&self, from: &str, to: &str, replace: bool) -> io::Result<()> {
        let (from, to) = (self.0.join(from), self.0.join(to));
        if replace {
            return fs::rename(from, to);
        }
        fs::hard_link(&from, to)?;
        fs::remove_file(from)
    }

    /// Removes the file `name`.
    pub(crate) fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.0.join(name))
    }

    /// Names are durable with the file system's journal.
    #[expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "the same signature as elsewhere")]
    pub(crate) fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}
