//! A folder by its descriptor: what lies in it is reached without following links.

use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Mode, OFlags};
use rustix::io::Errno;

/// An open folder.
pub(crate) struct Folder(OwnedFd);

const OPEN: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

impl Folder {
    /// Opens the folder at `path`, made with its parents where it is missing. Links are followed.
    pub(crate) fn create(path: &Path) -> io::Result<Self> {
        fs::create_dir_all(path)?;
        Ok(Self(rustix::fs::openat(CWD, path, OPEN, Mode::empty())?))
    }

    /// Opens the folder `name` in this one, made where it is missing. A link in its place is an error.
    pub(crate) fn create_below(&self, name: &str) -> io::Result<Self> {
        match rustix::fs::mkdirat(&self.0, name, Mode::RWXU | Mode::RWXG | Mode::RWXO) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
        let opened = rustix::fs::openat(&self.0, name, OPEN | OFlags::NOFOLLOW, Mode::empty());
        Ok(Self(opened.map_err(|error| match error {
            Errno::LOOP | Errno::NOTDIR => not_a_folder(),
            other => other.into(),
        })?))
    }

    /// Creates the file `name`, which must not exist.
    pub(crate) fn create_file(&self, name: &str) -> io::Result<File> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(rustix::fs::openat(&self.0, name, flags, Mode::from_raw_mode(0o644))?.into())
    }

    /// Creates a file without a name, of which nothing is left when it is closed without one; `None` where that is not possible.
    pub(crate) fn create_unnamed(&self) -> io::Result<Option<File>> {
        super::create_unnamed(self.0.as_fd())
    }

    /// Gives a file of [`create_unnamed`](Self::create_unnamed) a name that is free.
    pub(crate) fn give_name(&self, file: &File, name: &str) -> io::Result<()> {
        super::give_name(file, self.0.as_fd(), name)
    }

    /// Gives the file `from` of the folder `other` the name `to` here, too.
    pub(crate) fn link(&self, other: &Self, from: &str, to: &str) -> io::Result<()> {
        Ok(rustix::fs::linkat(&other.0, from, &self.0, to, AtFlags::empty())?)
    }

    /// Gives the file `from` the name `to` instead; with `replace` in place of a file that has it, else
    /// [`io::ErrorKind::AlreadyExists`] when there is anything.
    pub(crate) fn rename(&self, from: &str, to: &str, replace: bool) -> io::Result<()> {
        if replace {
            return Ok(rustix::fs::renameat(&self.0, from, &self.0, to)?);
        }
        match self.rename_new(from, to) {
            // Some file systems know no such renaming.
            Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => self.link_new(from, to),
            outcome => Ok(outcome?),
        }
    }

    fn rename_new(&self, from: &str, to: &str) -> rustix::io::Result<()> {
        rustix::fs::renameat_with(&self.0, from, &self.0, to, rustix::fs::RenameFlags::NOREPLACE)
    }

    fn link_new(&self, from: &str, to: &str) -> io::Result<()> {
        rustix::fs::linkat(&self.0, from, &self.0, to, AtFlags::empty())?;
        self.remove(from)
    }

    /// Removes the file `name`.
    pub(crate) fn remove(&self, name: &str) -> io::Result<()> {
        Ok(rustix::fs::unlinkat(&self.0, name, AtFlags::empty())?)
    }

    /// Makes the names in it durable.
    pub(crate) fn sync(&self) -> io::Result<()> {
        Ok(rustix::fs::fsync(&self.0)?)
    }
}

pub(super) fn not_a_folder() -> io::Error {
    io::Error::new(io::ErrorKind::NotADirectory, "a file or a link has its name, and links are not followed")
}
