//! Every table of M, declared once.

use std::ops::ControlFlow;

use crate::error::Result;
use crate::key::Key;
use crate::mend::DamagedRecord;
use crate::raw::TableHandle;
use crate::record::{
    AliasRecord, BlobRecord, FileMetadata, FormatRecord, HeaderRecord, ImportRecord, ManifestRecord,
    QuantRecord, Record, RefRecord, SortingRecord, UseRecord,
};
use crate::transaction::ReadTransaction;

/// A table of M: its name in libmdbx and the type of its values. Keys are of [`crate::Key`].
pub trait Table {
    /// Name in libmdbx.
    const NAME: &'static str;
    /// Its place among the tables of M.
    const NUMBER: usize;
    /// Type of the values.
    type Value: Record;
}

macro_rules! tables {
    ($($(#[$doc:meta])* $type:ident = $name:literal => $value:ty;)*) => {
        $($(#[$doc])*
        #[derive(Debug)]
        pub struct $type;

        impl Table for $type {
            const NAME: &'static str = $name;
            const NUMBER: usize = Number::$type as usize;
            type Value = $value;
        })*

        /// Finds the records of all tables that cannot be read.
        pub(crate) fn find_damaged(t: &ReadTransaction<'_>, found: &mut Vec<DamagedRecord>) -> Result<()> {
            $(damaged_in::<$type>(t, found)?;)*
            Ok(())
        }

        /// The tables of M in their order.
        enum Number {
            $($type),*
        }

        /// Names of all tables of M, in the order of their numbers.
        pub(crate) const MANIFEST_TABLES: [&str; [$($name),*].len()] = [$($name),*];

        /// Handles of the tables of M, by their numbers; none of a table that was not there when M was opened.
        pub(crate) type OpenTables = [Option<TableHandle>; MANIFEST_TABLES.len()];
    };
}

tables! {
    /// The one format record.
    Formats = "format" => FormatRecord;
    /// Stored files: [`crate::Key::file`].
    Files = "meta" => FileMetadata;
    /// Blobs: [`crate::Key::blob`].
    Blobs = "blob" => BlobRecord;
    /// Bytes of blobs under 64 KiB: [`crate::Key::inline`].
    Inlines = "inline" => InlineBytes;
    /// Which files use a blob: [`crate::Key::usage`].
    Uses = "use" => UseRecord;
    /// Revisions: [`crate::Key::reference`].
    Refs = "ref" => RefRecord;
    /// Listings: [`crate::Key::manifest`].
    Manifests = "manifest" => ManifestRecord;
    /// Which listings were made from an import: [`crate::Key::import`].
    Imports = "import" => ImportRecord;
    /// From what listings were sorted: [`crate::Key::sorting`].
    Sortings = "sorting" => SortingRecord;
    /// What headers of files say: [`crate::Key::header`].
    Headers = "header" => HeaderRecord;
    /// History of quants: [`crate::Key::quant`].
    Quants = "quant" => QuantRecord;
    /// Other spellings and old names: [`crate::Key::alias`].
    Aliases = "alias" => AliasRecord;
}

fn damaged_in<T: Table>(t: &ReadTransaction<'_>, found: &mut Vec<DamagedRecord>) -> Result<()> {
    t.rows::<T>(&Key::stored(b""), |key, value| {
        if let Err(error) = value {
            found.push(DamagedRecord { key: Key::stored(key), reason: error.to_string() });
        }
        Ok(ControlFlow::Continue(()))
    })
}

/// The one table of C.
pub(crate) const CHUNK_TABLE: &str = "chunks";

/// The bytes themselves, with no schema byte: their name is their digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InlineBytes(pub Vec<u8>);

impl Record for InlineBytes {
    fn encode(&self) -> Result<Vec<u8>> {
        Ok(self.0.clone())
    }

    fn decode(bytes: &[u8]) -> Result<Self> {
        Ok(Self(bytes.to_vec()))
    }
    fn check(_: &[u8]) -> Result<()> {
        Ok(())
    }
}
