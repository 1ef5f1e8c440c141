//! Records of M: one schema byte, then rkyv, validated on access. One frozen struct per schema; a changed struct gets a new
//! schema number and is upgraded on read.

mod alias;
mod blob;
mod file;
mod format;
mod header;
mod import;
mod manifest;
mod quant;
mod reference;
mod sorting;

pub use alias::{AliasRecord, UseRecord};
pub use blob::{BlobRecord, BlobState, Segment};
pub use file::FileMetadata;
pub use format::FormatRecord;
pub use header::HeaderRecord;
pub use import::ImportRecord;
pub use manifest::{ManifestFile, ManifestQuant, ManifestRecord};
pub use quant::{QuantFault, QuantRecord};
pub use reference::{RefCommit, RefRecord};
pub use sorting::SortingRecord;

use crate::error::Result;

/// A value of M.
pub trait Record: Sized {
    /// Schema byte followed by the archived record.
    ///
    /// # Errors
    /// [`crate::StorageError::TooLarge`] when it does not fit 32-bit offsets.
    fn encode(&self) -> Result<Vec<u8>>;

    /// Reads what [`Record::encode`] wrote, in any known schema.
    ///
    /// # Errors
    /// [`crate::StorageError::Corrupt`] when the bytes are damaged or of an unknown schema.
    fn decode(bytes: &[u8]) -> Result<Self>;

    /// Whether [`Record::decode`] reads the bytes, without making anything of them.
    ///
    /// # Errors
    /// As there.
    fn check(bytes: &[u8]) -> Result<()>;
}

/// Implements [`Record`] for a struct whose only schema so far is number `$schema`.
macro_rules! record {
    ($type:ty, $schema:literal) => {
        impl crate::record::Record for $type {
            fn encode(&self) -> crate::error::Result<Vec<u8>> {
                rkyv::api::high::to_bytes_in::<_, rkyv::rancor::Error>(self, vec![$schema])
                    .map_err(|_| crate::record::too_large(stringify!($type)))
            }

            fn decode(bytes: &[u8]) -> crate::error::Result<Self> {
                let body = crate::record::body(bytes, $schema, stringify!($type))?;
                rkyv::from_bytes::<Self, rkyv::rancor::Error>(body)
                    .map_err(|_| crate::record::invalid(stringify!($type)))
            }

            fn check(bytes: &[u8]) -> crate::error::Result<()> {
                let body = crate::record::body(bytes, $schema, stringify!($type))?;
                rkyv::access::<rkyv::Archived<Self>, rkyv::rancor::Error>(body)
                    .map_err(|_| crate::record::invalid(stringify!($type)))?;
                Ok(())
            }
        }
    };
}
pub(crate) use record;

fn too_large(what: &str) -> crate::StorageError {
    crate::StorageError::TooLarge { what: format!("a {what}"), size: u64::MAX, limit: u64::from(u32::MAX) }
}

/// What follows the schema byte, which must be this one.
fn body<'a>(bytes: &'a [u8], schema: u8, what: &str) -> Result<&'a [u8]> {
    match bytes.split_first() {
        Some((found, body)) if *found == schema => Ok(body),
        Some((other, _)) => Err(damaged(what, &format!("schema {other} is unknown to this version"))),
        None => Err(damaged(what, "it is empty")),
    }
}

fn invalid(what: &str) -> crate::StorageError {
    damaged(what, "its bytes do not validate")
}

fn damaged(what: &str, reason: &str) -> crate::StorageError {
    crate::StorageError::corrupt(format!("a {what}"), reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> RefRecord {
        RefRecord {
            commits: vec![RefCommit { commit: "a".repeat(40), scanned_at_ms: 7 }],
            etag: Some("x".to_owned()),
        }
    }

    #[test]
    fn a_record_survives_at_any_alignment() {
        let bytes = sample().encode().unwrap();
        for shift in 0..8 {
            let mut moved = vec![0; shift];
            moved.extend_from_slice(&bytes);
            assert_eq!(RefRecord::decode(&moved[shift..]).unwrap(), sample());
        }
    }

    #[test]
    fn damage_is_an_error_for_every_truncation_and_unknown_schema() {
        let bytes = sample().encode().unwrap();
        for length in 0..bytes.len() {
            assert!(RefRecord::decode(&bytes[..length]).is_err(), "length {length}");
        }
        let mut other = bytes;
        other[0] = 99;
        assert!(matches!(RefRecord::decode(&other), Err(crate::StorageError::Corrupt { .. })));
    }
}
