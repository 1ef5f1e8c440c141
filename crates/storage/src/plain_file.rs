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
        let path = self.place(name)?;
        let temporary = format!(".model-cache-{}.tmp", Incarnation::random()?.to_hex());
        let file = self.inner.create_file(&temporary);
        let file = file.map_err(|error| failed("create the file", &path, error))?;
        Ok(PlainFile { folder: self, name: name.to_owned(), path, temporary: Some(temporary), file })
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

/// A plain file in the making. Dropped before it is published, nothing of it is left; killed, only its temporary file.
pub struct PlainFile {
    folder: Folder,
    name: String,
    path: PathBuf,
    temporary: Option<String>,
    file: File,
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

    /// Makes the bytes durable and gives the file its name; with `replace` in place of a file or link that has it.
    ///
    /// # Errors
    /// [`StorageError::Io`] also when something has the name and `replace` is false (kind `AlreadyExists`);
    /// [`StorageError::NoSpace`].
    pub fn publish(mut self, replace: bool) -> Result<()> {
        let fail = |error| failed("write the file", &self.path, error);
        self.file.sync_all().map_err(fail)?;
        if let Some(temporary) = &self.temporary {
            self.folder.inner.rename(temporary, &self.name, replace).map_err(fail)?;
            self.temporary = None;
        }
        self.folder.inner.sync().map_err(|error| failed("write the folder", &self.folder.path, error))
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
        return StorageError::NoSpace { path, needed: 0, available: 0 };
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

    #[test]
    fn a_file_has_its_name_only_when_it_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let names = || {
            let entries = std::fs::read_dir(folder.path()).unwrap();
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect::<Vec<_>>()
        };
        let begin = || Folder::create(folder.path()).unwrap().begin("a").unwrap();
        drop(begin());
        assert!(names().is_empty());
        let (first, second, third) = (begin(), begin(), begin());
        first.publish(false).unwrap();
        let taken = second.publish(false).unwrap_err();
        assert!(
            matches!(&taken, StorageError::Io { source, .. } if source.kind() == io::ErrorKind::AlreadyExists),
            "{taken}"
        );
        third.publish(true).unwrap();
        assert_eq!(names(), ["a"]);
    }
}
