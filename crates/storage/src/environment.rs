//! The two libmdbx environments and their constants.

mod chunks;
mod manifests;

pub(crate) use chunks::ChunkEnvironment;
pub(crate) use manifests::ManifestEnvironment;

use std::path::Path;

use libmdbx::{Database, DatabaseKind, DatabaseOptions, Mode, PageSize, ReadWriteOptions, SyncMode};

use crate::error::{Result, StorageError};
use crate::layout::{AUGMENT_LIMIT, MAX_READERS};
use crate::mutex::Mutex;
use crate::platform::{self, BorrowedFile};
use crate::process::Process;
use crate::raw::Environment;

/// Settings of one environment. They must be the same in every process: the first opener's win silently.
fn options(page: usize, max_size: isize, growth: isize, read_only: bool) -> DatabaseOptions {
    let writable = ReadWriteOptions {
        sync_mode: SyncMode::Durable,
        max_size: Some(max_size),
        growth_step: Some(growth),
        shrink_threshold: Some(2 * growth),
        ..ReadWriteOptions::default()
    };
    DatabaseOptions {
        permissions: Some(0o600),
        max_readers: Some(MAX_READERS),
        max_tables: Some(16),
        rp_augment_limit: Some(AUGMENT_LIMIT),
        page_size: Some(PageSize::Set(page)),
        no_rdahead: true,
        mode: if read_only { Mode::ReadOnly } else { Mode::ReadWrite(writable) },
        ..DatabaseOptions::default()
    }
}

fn open<K: DatabaseKind>(path: &Path, options: DatabaseOptions) -> Result<Database<K>> {
    Database::<K>::open_with_options(path, options)
        .map_err(|error| StorageError::database("open", path, error))
}

fn data_file<'a>(environment: Environment<'a>, path: &Path) -> Result<BorrowedFile<'a>> {
    environment.data_file().map_err(|error| StorageError::database("open the data file", path, error))
}

fn disk_bytes(file: BorrowedFile<'_>, path: &Path) -> Result<u64> {
    let (_, allocated) =
        platform::file_size(file).map_err(|error| StorageError::io("measure the data file", path, error))?;
    Ok(allocated)
}

/// libmdbx takes its maps and files away from a fork child: nothing of an environment works there, and its file descriptors
/// may be other files' by then.
fn check(process: Process, path: &Path) -> Result<()> {
    if process.is_current() {
        return Ok(());
    }
    // The store is the folder around the environment's.
    Err(StorageError::Forked { path: path.parent().unwrap_or(path).to_owned() })
}

/// Whose turn it is to write, among the threads of this process. libmdbx has them wait, too, but on a lock that does not survive a
/// fork (see [`crate::mutex`]): with a turn nobody ever waits there.
type Turn = Mutex<()>;
