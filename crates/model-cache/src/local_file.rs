//! Bytes that come from a file of this machine instead of the network.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use tabagent_hub::HubError;
use tabagent_storage::{BLOCK_SIZE, BlobWriter, INLINE_LIMIT, StorageError};
use tokio_util::sync::CancellationToken;

use crate::error::Result;

/// Where a file's bytes come from.
#[derive(Clone)]
pub(crate) enum Source {
    /// The endpoint.
    Hub,
    /// This file.
    File(PathBuf),
}

/// The first `size` bytes.
pub(crate) fn read(path: &Path, size: u64) -> Result<Vec<u8>> {
    let mut file = open(path)?;
    let mut bytes = vec![0; usize::try_from(size).unwrap_or(usize::MAX)];
    file.read_exact(&mut bytes).map_err(|error| failed(path, error))?;
    Ok(bytes)
}

/// Brings what the writer misses from the same places of the file: its disk blocks are shared where the file system can, else its
/// bytes are copied. `loaded` follows.
pub(crate) fn fill(
    writer: &BlobWriter,
    path: &Path,
    loaded: &AtomicU64,
    cancel: &CancellationToken,
) -> Result<()> {
    let mut file = open(path)?;
    let mut buffer = Vec::new();
    let mut can_share = true;
    for range in writer.missing() {
        let mut at = range.start;
        while at < range.end {
            if cancel.is_cancelled() {
                return Err(HubError::Cancelled.into());
            }
            let end = range.end.min((at / BLOCK_SIZE + 1) * BLOCK_SIZE);
            buffer.resize(usize::try_from(end - at).unwrap_or(0), 0);
            let aligned = at.is_multiple_of(INLINE_LIMIT) && (end - at).is_multiple_of(INLINE_LIMIT);
            let shared = can_share && aligned && writer.share(at, &mut buffer, &file)?;
            can_share &= shared || !aligned;
            if !shared {
                file.seek(SeekFrom::Start(at)).map_err(|error| failed(path, error))?;
                file.read_exact(&mut buffer).map_err(|error| failed(path, error))?;
                writer.write(at, &buffer)?;
            }
            loaded.store(writer.written(), Ordering::Relaxed);
            at = end;
        }
    }
    Ok(())
}

fn open(path: &Path) -> Result<File> {
    File::open(path).map_err(|error| failed(path, error))
}

fn failed(path: &Path, source: std::io::Error) -> crate::error::Error {
    StorageError::Io { action: "read the file", path: path.to_owned(), source }.into()
}
