//! The right to write or delete a blob: one holder in all processes, freed by the system when the holder dies.

use std::fs;
use std::io::{Seek, SeekFrom, Write};
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use sha2::{Digest as _, Sha256};

use crate::digest::{BlobName, Incarnation};
use crate::error::{Result, StorageError};
use crate::lock_file::LockFile;
use crate::mutex::Mutex;
use crate::platform;
use crate::store::Store;

/// What files of announcements begin with, before the digest of what is announced.
pub(crate) const ANNOUNCEMENT: &str = "quant-";

/// Begins the line of a note that names the reservation.
const INCARNATION: &str = "incarnation ";

/// The lease of one blob. Dropping it frees it.
#[derive(Debug)]
pub struct Lease {
    lock: LockFile,
    name: BlobName,
    /// Held while the file is written, so that an older count never replaces a newer one.
    writing: Mutex<()>,
}

impl Lease {
    /// Whose lease it is.
    #[must_use]
    pub fn name(&self) -> &BlobName {
        &self.name
    }

    /// Tells other processes how many of the blob's bytes are here, durable or not: [`Store::activity`] and
    /// [`Store::leased_bytes`] read it. Costs no more than a small write.
    pub fn show(&self, written: impl FnOnce() -> u64) {
        let _writing = self.writing.lock();
        // The lock counts, not the note.
        self.overwrite(&written_line(Some(written()))).ok();
    }

    /// Leaves a note in the file: bytes that are here (not known yet), for people who look into the folder the process id and the
    /// start of the lease, and the reservation the lease protects. It is there before the reservation is: whoever finds chunks in
    /// C that no record in M names looks here before it takes them for abandoned.
    pub(crate) fn note(&self, incarnation: Option<&Incarnation>) -> Result<()> {
        let started = now_ms();
        let incarnation = incarnation.map_or_else(|| "-".to_owned(), Incarnation::to_hex);
        let (line, pid) = (written_line(None), std::process::id());
        let text = format!("{line}pid {pid}\nstarted_ms {started}\n{INCARNATION}{incarnation}\n");
        let _writing = self.writing.lock();
        let written = self.lock.file().set_len(0).and_then(|()| self.overwrite(&text));
        written.map_err(|error| StorageError::io("write a lock file", self.lock.path(), error))
    }

    fn overwrite(&self, text: &str) -> std::io::Result<()> {
        let mut file = self.lock.file();
        file.seek(SeekFrom::Start(0))?;
        file.write_all(text.as_bytes())
    }
}

/// The reservation in a note.
pub(crate) fn noted_incarnation(note: &str) -> Option<Incarnation> {
    let digits = note.lines().find_map(|line| line.strip_prefix(INCARNATION))?;
    let mut bytes = [0; 16];
    hex::decode_to_slice(digits, &mut bytes).ok()?;
    Some(Incarnation(bytes))
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.lock.remove();
    }
}

/// First line of a lease file, always of one length. The count stands there twice: a reader may see a half of a write.
fn written_line(written: Option<u64>) -> String {
    let written = written.map_or_else(|| "-".repeat(20), |written| format!("{written:020}"));
    format!("written {written} {written}\n")
}

/// What [`written_line`] says; `None` when it says nothing, or half of it is being replaced.
fn parse_written(text: &str) -> Option<u64> {
    let mut words = text.strip_prefix("written ")?.split_ascii_whitespace();
    let (first, second) = (words.next()?, words.next()?);
    if first == second { first.parse().ok() } else { None }
}

/// The sign that a download of several blobs is going on. Several processes may hold it at once, each in a file of its own.
#[derive(Debug)]
pub struct Presence {
    lock: LockFile,
}

impl Drop for Presence {
    fn drop(&mut self) {
        self.lock.remove();
    }
}

impl Store {
    /// Takes the lease of a blob; `None` when someone else, here or in another process, holds it (told after 100 ms, because a
    /// probe may hold the lock for an instant). Waiting is the caller's: ask again every 250 ms or so.
    ///
    /// # Errors
    /// [`StorageError::ReadOnly`], [`StorageError::Io`] when the lock file cannot be used.
    pub fn try_lease(&self, name: &BlobName) -> Result<Option<Lease>> {
        self.check_writable()?;
        let lock = LockFile::take(&self.lease_path(name))?;
        Ok(lock.map(|lock| {
            let lease = Lease { lock, name: *name, writing: Mutex::new(()) };
            // On a full disk blobs are still removed: only a reservation needs its note.
            lease.note(None).ok();
            lease
        }))
    }

    /// Whether someone holds the lease of a blob now.
    ///
    /// # Errors
    /// [`StorageError::Io`] when the lock file cannot be used.
    pub fn is_leased(&self, name: &BlobName) -> Result<bool> {
        LockFile::is_held(&self.lease_path(name))
    }

    /// Bytes of a leased blob that its holder has, durable or not; `None` when the holder did not say, or the system lets nobody
    /// else read a locked file (Windows). For whoever has just found the lease held: the file of a dead holder says what it had.
    #[must_use]
    pub fn leased_bytes(&self, name: &BlobName) -> Option<u64> {
        parse_written(&fs::read_to_string(self.lease_path(name)).ok()?)
    }

    /// The id of the process that holds the lease of a blob, if a signal has stopped it (Ctrl-Z): it brings nothing until it goes on.
    /// For whoever has just found the lease held; only Linux tells.
    #[must_use]
    pub fn stopped_holder(&self, name: &BlobName) -> Option<u32> {
        let note = fs::read_to_string(self.lease_path(name)).ok()?;
        let process = note.lines().find_map(|line| line.strip_prefix("pid "))?.parse().ok()?;
        platform::is_stopped(process).then_some(process)
    }

    /// Announces a download of several blobs under `name` (any text) until the result is dropped.
    ///
    /// # Errors
    /// [`StorageError::ReadOnly`], [`StorageError::Io`]; [`StorageError::InUse`] when a probe keeps the new lock file for longer
    /// than 100 ms.
    pub fn hold_presence(&self, name: &str) -> Result<Presence> {
        self.check_writable()?;
        let group = announcement(name);
        // A file of its own, with a name like no other's.
        let path = self.locks().join(format!("{group}-{}", Incarnation::random()?.to_hex()));
        let Some(lock) = LockFile::take(&path)? else {
            return Err(StorageError::InUse {
                what: format!("the lock file of {name}"),
                reason: "another process looks at it; call again".to_owned(),
            });
        };
        let presence = Presence { lock };
        // A sweep may have marked the new file before it was locked.
        let marked = presence.lock.file().set_len(0);
        marked.map_err(|error| StorageError::io("write a lock file", &path, error))?;
        for file in self.lock_files()?.iter().filter(|file| file.starts_with(&group)) {
            LockFile::sweep(&self.locks().join(file))?;
        }
        Ok(presence)
    }

    /// Whether someone announces `name` now.
    ///
    /// # Errors
    /// [`StorageError::Io`] when the lock files cannot be used.
    pub fn is_present(&self, name: &str) -> Result<bool> {
        let group = announcement(name);
        for file in self.lock_files()?.iter().filter(|file| file.starts_with(&group)) {
            if LockFile::is_held_empty(&self.locks().join(file))? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Names of the lock files now; none when the folder is not there.
    pub(crate) fn lock_files(&self) -> Result<Vec<String>> {
        let fail = |error| StorageError::io("list the lock files in", self.locks(), error);
        let entries = match fs::read_dir(self.locks()) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(fail(error)),
        };
        let mut names = Vec::new();
        for entry in entries {
            names.extend(entry.map_err(fail)?.file_name().into_string().ok());
        }
        Ok(names)
    }

    fn lease_path(&self, name: &BlobName) -> PathBuf {
        self.locks().join(name.to_hex())
    }
}

/// What the files of those who announce `name` begin with.
pub(crate) fn announcement(name: &str) -> String {
    format!("{ANNOUNCEMENT}{}", hex::encode(Sha256::digest(name.as_bytes())))
}

/// Milliseconds since 1970.
pub(crate) fn now_ms() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_is_read_back_and_half_of_one_is_not() {
        for written in [0, 7, u64::MAX] {
            assert_eq!(parse_written(&written_line(Some(written))), Some(written));
        }
        assert_eq!(written_line(None).len(), written_line(Some(5)).len());
        assert_eq!(parse_written(&written_line(None)), None);
        assert_eq!(parse_written("written 00000000000000001999 00000000000000000999\n"), None);
        assert_eq!(parse_written(""), None);
    }
}
