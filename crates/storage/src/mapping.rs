//! A blob's bytes as one slice of memory.

use std::fmt;
use std::ops::{Deref, Range};
use std::sync::Arc;

use crate::budget::{Budget, Permit};
use crate::error::{Result, StorageError};
use crate::owned_bytes::OwnedBytes;
use crate::platform::{self, AddressRange, Piece};
use crate::reader::BlobReader;

/// Bytes of a blob in memory. They stay valid and unchanged as long as this value lives, whatever happens to the blob.
///
/// When [`Mapping::zero_copy`] is true the bytes are the store's own pages, mapped copy-on-write: a write through
/// [`Mapping::as_mut_ptr`] is private to this process and never reaches the store or another blob's view; handles of the same
/// blob share it, as they share the mapping.
pub struct Mapping {
    // Field order is load-bearing: the memory goes before the reader, whose pin keeps its pages from being reused.
    memory: Memory,
    start: usize,
    length: usize,
    reader: Arc<BlobReader>,
}

enum Memory {
    /// The permit is given back when the memory is unmapped.
    Mapped {
        range: AddressRange,
        _permit: Permit,
    },
    Owned(OwnedBytes),
}

impl Mapping {
    /// Maps `pieces` of the data file, of which the view shows `shown`.
    pub(crate) fn of_pieces(
        reader: &Arc<BlobReader>,
        pieces: &[Piece],
        shown: Range<usize>,
    ) -> Result<Arc<Self>> {
        let permit = Budget::process().take(pieces.len() as u64, || reader.describe())?;
        let range = reader.with_data_file(|file, path| {
            AddressRange::map(file, pieces)
                .map_err(|error| StorageError::io("map the data file", path, error))
        })?;
        Ok(Self::shared(reader, Memory::Mapped { range, _permit: permit }, shown))
    }

    /// Copies `range` of the blob into memory of its own.
    pub(crate) fn copied(reader: &Arc<BlobReader>, range: Range<u64>) -> Result<Arc<Self>> {
        let length = reader.address_length(range.end - range.start)?;
        let owned = OwnedBytes::filled(length, |bytes| reader.read_into(range.start, bytes))?;
        Ok(Self::shared(reader, Memory::Owned(owned), 0..length))
    }

    fn shared(reader: &Arc<BlobReader>, memory: Memory, shown: Range<usize>) -> Arc<Self> {
        reader.store().readers.view_begins();
        Arc::new(Self {
            memory,
            start: shown.start,
            length: shown.end - shown.start,
            reader: Arc::clone(reader),
        })
    }

    /// True when the bytes are the store's own pages, false when they were copied.
    #[must_use]
    pub fn zero_copy(&self) -> bool {
        matches!(self.memory, Memory::Mapped { .. })
    }

    /// The reader these bytes come from.
    #[must_use]
    pub fn reader(&self) -> &Arc<BlobReader> {
        &self.reader
    }

    /// Address of the first byte, for bindings that hand the memory to a language where it may be written. A write is private to
    /// this process. Whoever writes sees to it that nobody reads a Rust slice of the same bytes at that time.
    #[must_use]
    pub fn as_mut_ptr(&self) -> *mut u8 {
        let start = match &self.memory {
            Memory::Mapped { range, .. } => range.start(),
            Memory::Owned(owned) => owned.start(),
        };
        start.wrapping_add(self.start)
    }
}

impl Deref for Mapping {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        let bytes = match &self.memory {
            Memory::Mapped { range, .. } => range.bytes(),
            Memory::Owned(owned) => owned.bytes(),
        };
        bytes.get(self.start..self.start + self.length).unwrap_or_default()
    }
}

impl AsRef<[u8]> for Mapping {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl fmt::Debug for Mapping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mapping")
            .field("blob", self.reader.name())
            .field("length", &self.length)
            .field("zero_copy", &self.zero_copy())
            .finish_non_exhaustive()
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        self.reader.store().readers.view_ends();
    }
}

/// The largest multiple of the page size that is not above `offset`.
pub(crate) fn page_start(offset: u64) -> u64 {
    offset - offset % platform::page_size()
}
