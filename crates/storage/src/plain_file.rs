//! Plain files outside the store: written under a temporary name in their own folder, whole under their final one.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use crate::digest::Incarnation;
use crate::error::{Result, StorageError, is_full};
use crate::platform;

/// A folder that plain files are written into. Nothing below it is reached through a link.
pub struct Folder {
    inner: platform::Folder,
    path: PathBuf,
}

impl Folder {
    /// Opens the folder at `path`, made with its parents where it is missing. Links in `path` itself are followed: the caller
    /// named it.
    ///
    /// # Errors
    /// [`StorageError::Io`], [`StorageError::NoSpace`].
    pub fn create(path: &Path) -> Result<Self> {
        let inner = platform::Folder::create(path);
        let inner = inner.map_err(|error| failed("open the folder", path, error))?;
        Ok(Self { inner, path: path.to_owned() })
    }

    /// The folder `name` in this one, made where it is missing.
    ///
    /// # Errors
    /// [`StorageError::InvalidArgument`] for a name that could lead elsewhere; [`StorageError::Io`] also when a link or a file
    /// has the name.
    pub fn create_below(&self, name: &str) -> Result<Self> {
        let path = self.place(name)?;
        let inner = self.inner.create_below(name);
        let inner = inner.map_err(|error| failed("open the folder", &path, error))?;
        Ok(Self { inner, path })
    }

    /// Begins the file `name`, which is not there before [`PlainFile::publish`].
    ///
    /// # Errors
    /// [`StorageError::InvalidArgument`] for a name that could lead elsewhere; [`StorageError::Io`], [`StorageError::NoSpace`].
    pub fn begin(self, name: &str) -> Result<PlainFile> {
        let temporary = temporary_name()?;
        self.begin_as(name, temporary)
    }

    /// As [`Folder::begin`]; where the file must have a name meanwhile, it is `temporary`.
    pub(crate) fn begin_as(self, name: &str, temporary: String) -> Result<PlainFile> {
        let path = self.place(name)?;
        match self.inner.create_unnamed().map_err(|error| failed("create the file", &path, error))? {
            Some(file) => Ok(PlainFile { folder: self, name: name.to_owned(), path, temporary: None, file }),
            None => self.begin_named(name, temporary),
        }
    }

    fn begin_named(self, name: &str, temporary: String) -> Result<PlainFile> {
        let path = self.place(name)?;
        let file = self.inner.create_file(&temporary);
        let file = file.map_err(|error| failed("create the file", &path, error))?;
        Ok(PlainFile { folder: self, name: name.to_owned(), path, temporary: Some(temporary), file })
    }

    /// Gives the file `from` of the folder `other` the name `to` here, too.
    pub(crate) fn link(&self, other: &Self, from: &str, to: &str) -> Result<()> {
        let path = self.place(to)?;
        self.inner.link(&other.inner, from, to).map_err(|error| failed("link the file", &path, error))
    }

    /// Makes the names in it durable.
    pub(crate) fn sync(&self) -> Result<()> {
        self.inner.sync().map_err(|error| failed("write the folder", &self.path, error))
    }

    fn place(&self, name: &str) -> Result<PathBuf> {
        if is_safe_name(name) && !(cfg!(windows) && is_taken_by_windows(name)) {
            return Ok(self.path.join(name));
        }
        Err(StorageError::InvalidArgument {
            what: format!("the folder {}", self.path.display()),
            reason: format!("{name:?} cannot be the name of a file in it"),
        })
    }
}

/// A plain file in the making. Dropped before it is published, nothing of it is left; nor when the process is killed, unless
/// the file system knows no files without a name: then its temporary file.
pub struct PlainFile {
    folder: Folder,
    name: String,
    path: PathBuf,
    /// The name it has for now, if any.
    temporary: Option<String>,
    file: File,
}

fn temporary_name() -> Result<String> {
    Ok(format!(".model-cache-{}.tmp", Incarnation::random()?.to_hex()))
}

impl PlainFile {
    /// Where it will be.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its bytes so far.
    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    /// Takes the right to change the file from everybody who does not ask for it.
    #[cfg_attr(
        not(unix),
        expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "files have no mode there")
    )]
    pub(crate) fn seal(&self) -> Result<()> {
        #[cfg(unix)]
        {
            let read_only = std::os::unix::fs::PermissionsExt::from_mode(0o444);
            self.file
                .set_permissions(read_only)
                .map_err(|error| failed("seal the file", &self.path, error))?;
        }
        Ok(())
    }

    /// Makes the bytes durable and gives the file its name; with `replace` in place of a file or link that has it.
    ///
    /// # Errors
    /// [`StorageError::Io`] also when something has the name and `replace` is false (kind `AlreadyExists`);
    /// [`StorageError::NoSpace`].
    pub fn publish(mut self, replace: bool) -> Result<()> {
        self.file.sync_all().map_err(|error| self.failed(error))?;
        if self.temporary.is_none() && replace {
            // A name can be given only where there is none; taking another's place needs one already.
            let temporary = temporary_name()?;
            self.folder.inner.give_name(&self.file, &temporary).map_err(|error| self.failed(error))?;
            self.temporary = Some(temporary);
        }
        match &self.temporary {
            Some(temporary) => self.folder.inner.rename(temporary, &self.name, replace),
            None => self.folder.inner.give_name(&self.file, &self.name),
        }
        .map_err(|error| self.failed(error))?;
        self.temporary = None;
        self.folder.sync()
    }

    fn failed(&self, error: io::Error) -> StorageError {
        failed("write the file", &self.path, error)
    }
}

impl Drop for PlainFile {
    fn drop(&mut self) {
        if let Some(temporary) = &self.temporary {
            // Nobody is left to hear of a failure, and the name says what the file is.
            self.folder.inner.remove(temporary).ok();
        }
    }
}

/// Classifies an error at a place outside the store.
pub(crate) fn failed(action: &'static str, path: &Path, source: io::Error) -> StorageError {
    let path = path.to_owned();
    if is_full(&source) {
        return StorageError::NoSpace { path, needed: 0, reserve: 0, available: 0 };
    }
    StorageError::Io { action, path, source }
}

/// Whether a name stays in its folder on every platform.
fn is_safe_name(name: &str) -> bool {
    let drive = matches!(name.as_bytes(), [letter, b':', ..] if letter.is_ascii_alphabetic());
    let clean = |c: char| !matches!(c, '/' | '\\') && !c.is_control();
    !drive && !matches!(name, "" | "." | "..") && name.chars().all(clean)
}

/// Names that mean something else on Windows: devices (with any extension), streams, and those that lose their last characters.
fn is_taken_by_windows(name: &str) -> bool {
    const DEVICES: [&str; 6] = ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"];
    let stem = name.split('.').next().unwrap_or_default().trim_end().to_ascii_uppercase();
    let port = stem.strip_prefix("COM").or_else(|| stem.strip_prefix("LPT"));
    let numbered = port.is_some_and(|number| {
        matches!(number, "1" | "2" | "3" | "4" | "5" | "6" | "7" | "8" | "9" | "\u{b9}" | "\u{b2}" | "\u{b3}")
    });
    numbered
        || DEVICES.contains(&stem.as_str())
        || name.ends_with(['.', ' '])
        || name.contains(['<', '>', ':', '"', '|', '?', '*'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        for name in ["", ".", "..", "a/b", "/a", "a\\b", "C:", "c:x", "a\0b", "a\nb"] {
            assert!(!is_safe_name(name), "{name:?}");
        }
        for name in ["config.json", ".gitattributes", "...", "model (1).onnx", "ünï"] {
            assert!(is_safe_name(name) && !is_taken_by_windows(name) || name == "...", "{name}");
        }
    }

    #[test]
    fn names_that_windows_keeps_for_itself_are_known() {
        for name in
            ["con", "NUL.txt", "Aux .json", "com1", "lpt9.bin", "a.", "a ", "a:b", "a?", "...", "COM\u{b9}"]
        {
            assert!(is_taken_by_windows(name), "{name}");
        }
        for name in ["console", "com", "com10", "nul_model.bin", "a.con"] {
            assert!(!is_taken_by_windows(name), "{name}");
        }
    }

    fn names(folder: &tempfile::TempDir) -> Vec<String> {
        let entries = std::fs::read_dir(folder.path()).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    fn check_publishing(begin: impl Fn(Folder) -> PlainFile) {
        let folder = tempfile::tempdir().unwrap();
        let begin = || begin(Folder::create(folder.path()).unwrap());
        drop(begin());
        assert!(names(&folder).is_empty());
        let (first, second, third) = (begin(), begin(), begin());
        first.publish(false).unwrap();
        let taken = second.publish(false).unwrap_err();
        assert!(
            matches!(&taken, StorageError::Io { source, .. } if source.kind() == io::ErrorKind::AlreadyExists),
            "{taken}"
        );
        third.publish(true).unwrap();
        assert_eq!(names(&folder), ["a"]);
    }

    #[test]
    fn a_file_has_its_name_only_when_it_is_whole() {
        check_publishing(|folder| folder.begin("a").unwrap());
    }

    #[test]
    fn so_has_one_that_must_have_another_name_meanwhile() {
        check_publishing(|folder| folder.begin_named("a", temporary_name().unwrap()).unwrap());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_file_in_the_making_has_no_name() {
        let folder = tempfile::tempdir().unwrap();
        let file = Folder::create(folder.path()).unwrap().begin("a").unwrap();
        assert_eq!(names(&folder), [""; 0]);
        file.publish(false).unwrap();
        assert_eq!(names(&folder), ["a"]);
    }
}
