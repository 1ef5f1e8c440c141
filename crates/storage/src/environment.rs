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

/// Opens a database with pages of `page` bytes, which one that is there need not have: the size is its first maker's.
fn open<K: DatabaseKind>(path: &Path, page: usize, options: DatabaseOptions) -> Result<Database<K>> {
    let fail = |error| StorageError::database("open", path, error);
    let database = Database::<K>::open_with_options(path, options).map_err(fail)?;
    let actual = database.stat().map_err(fail)?.page_size();
    if actual as usize == page {
        return Ok(database);
    }
    let reason = format!("its pages have {actual} bytes, those of a store {page}");
    Err(StorageError::corrupt(format!("the database at {}", path.display()), reason))
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

#[cfg(test)]
mod tests {
    use libmdbx::NoWriteMap;

    use super::*;
    use crate::layout::{
        CHUNK_GROWTH, CHUNK_MAX_SIZE, CHUNK_PAGE, MANIFEST_GROWTH, MANIFEST_MAX_SIZE, MANIFEST_PAGE,
    };

    /// What looks into pages relies on it.
    #[test]
    fn a_database_with_pages_of_another_size_is_damage() {
        let manifests = (MANIFEST_PAGE, MANIFEST_MAX_SIZE, MANIFEST_GROWTH);
        let chunks = (CHUNK_PAGE, CHUNK_MAX_SIZE, CHUNK_GROWTH);
        for (page, most, growth) in [manifests, chunks] {
            let folder = tempfile::tempdir().unwrap();
            let other = options(page / 2, most, growth, false);
            drop(Database::<NoWriteMap>::open_with_options(folder.path(), other).unwrap());
            for read_only in [true, false] {
                let opened = open::<NoWriteMap>(folder.path(), page, options(page, most, growth, read_only));
                assert!(matches!(opened, Err(StorageError::Corrupt { .. })), "{page}: {:?}", opened.err());
            }
        }
    }
}
