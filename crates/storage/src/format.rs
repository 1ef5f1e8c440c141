//! The format record: written at creation, checked at every open.

use std::path::Path;

use crate::environment::ManifestEnvironment;
use crate::error::{Result, StorageError};
use crate::key::Key;
use crate::record::FormatRecord;
use crate::table::Formats;

/// The on-disk format this library writes.
const CURRENT: u32 = 1;

/// Writes the format record into a new store, or refuses a store of a newer format, and one that has chunks and no records.
pub(crate) fn check(root: &Path, manifests: &ManifestEnvironment, has_chunks: bool) -> Result<()> {
    let found = manifests.read(|t| t.get::<Formats>(&Key::format()))?;
    match found {
        Some(FormatRecord { format }) if format <= CURRENT => Ok(()),
        Some(FormatRecord { format }) => Err(StorageError::VersionMismatch {
            path: root.to_owned(),
            reason: format!(
                "it has format {format}, this version knows up to {CURRENT}; upgrade, or choose another folder"
            ),
        }),
        None if manifests.is_read_only() => Ok(()),
        // Where the records are lost, what is in C would be nobody's, and go with the next prune.
        None if has_chunks => Err(StorageError::corrupt(
            format!("the model cache at {}", root.display()),
            "its records (model_cache_manifests) are lost while the bytes of its files are here: put them back if you can",
        )),
        None => manifests.write(|t| t.put::<Formats>(&Key::format(), &FormatRecord { format: CURRENT })),
    }
}
