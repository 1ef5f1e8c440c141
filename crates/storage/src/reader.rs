//! Reading one complete blob.

use std::fmt;
use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, Weak};

use crate::digest::{BlobName, Incarnation};
use crate::error::{Result, StorageError};
use crate::extent::{Extent, merged};
use crate::key::Key;
use crate::mapping::{Mapping, page_start};
use crate::mutex::Mutex;
use crate::pin::PinnedChunks;
use crate::platform::{self, BorrowedFile};
use crate::record::{BlobRecord, BlobState};
use crate::store::Store;
use crate::table::{Blobs, Inlines};
use crate::verify::Checksums;

/// How often a reader begins again when a blob is replaced between reading M and C.
const ATTEMPTS: usize = 3;

/// A complete blob, open for reading. There is one per blob and process, shared by everyone who asks for it. As long as it lives
/// its bytes stay readable, even when the blob is deleted and its space is reused by another process.
pub struct BlobReader {
    name: BlobName,
    size: u64,
    content: Content,
    checksums: Checksums,
    view: Mutex<Weak<Mapping>>,
    // Last: the chunks' pin ends before the store may close.
    store: Arc<Store>,
}

enum Content {
    Inline(Vec<u8>),
    Chunks(PinnedChunks),
}

/// What M says about a blob, read in one transaction: its record, and its bytes when they are inline.
type Found = (BlobRecord, Option<Vec<u8>>);

impl Store {
    /// Opens a complete blob; `None` when it is not here or not complete. The order is M, then C: a blob that another process
    /// removes and reserves again in between is looked up anew.
    ///
    /// Opening notes the time in the blob's record as its last use, in the background and at most once a minute, so that a
    /// look-up never waits for a write.
    ///
    /// # Errors
    /// [`StorageError::Corrupt`] when a chunk of the blob is missing or damaged.
    pub fn reader(self: &Arc<Self>, name: &BlobName) -> Result<Option<Arc<BlobReader>>> {
        self.reader_between(name, || {})
    }

    /// As [`Store::reader`]; `between` runs after each look-up in M, where another process may change both environments.
    pub(crate) fn reader_between(
        self: &Arc<Self>,
        name: &BlobName,
        mut between: impl FnMut(),
    ) -> Result<Option<Arc<BlobReader>>> {
        for _ in 0..ATTEMPTS {
            let Some(found) = self.find(name)? else { return Ok(None) };
            between();
            if let Some(reader) = self.open_found(name, found)? {
                return Ok(Some(reader));
            }
        }
        Err(StorageError::corrupt(format!("blob {name}"), "a chunk is missing"))
    }

    /// The record of a complete blob, with its bytes when they are inline.
    pub(crate) fn find(&self, name: &BlobName) -> Result<Option<Found>> {
        self.read(|t| {
            let complete = |record: &BlobRecord| record.state != BlobState::Partial;
            let Some(record) = t.get::<Blobs>(&Key::blob(name))?.filter(complete) else { return Ok(None) };
            let inline = match record.state {
                BlobState::Inline => t.get::<Inlines>(&Key::inline(name))?.map(|bytes| bytes.0),
                BlobState::Partial | BlobState::Complete => None,
            };
            Ok(Some((record, inline)))
        })
    }

    /// The reader for what was found in M; `None` when its chunks are not in C any more.
    fn open_found(self: &Arc<Self>, name: &BlobName, found: Found) -> Result<Option<Arc<BlobReader>>> {
        let (record, inline) = found;
        let incarnation = Incarnation(record.incarnation);
        self.note_use(name, &record)?;
        if let Some(reader) = self.readers.get(name, incarnation) {
            return Ok(Some(reader));
        }
        let content = match (record.state, inline) {
            (BlobState::Inline, Some(bytes)) => Some(Content::Inline(bytes)),
            (BlobState::Inline, None) => None,
            _ => self.readers.find(self, incarnation, record.size)?.map(Content::Chunks),
        };
        let Some(content) = content else { return Ok(None) };
        let reader = BlobReader::new(Arc::clone(self), *name, record, content)?;
        Ok(Some(self.readers.insert(incarnation, Arc::new(reader))))
    }
}

impl BlobReader {
    fn new(store: Arc<Store>, name: BlobName, record: BlobRecord, content: Content) -> Result<Self> {
        if let Content::Inline(bytes) = &content
            && bytes.len() as u64 != record.size
        {
            return Err(StorageError::corrupt(format!("blob {name}"), "its length is not the recorded one"));
        }
        Ok(Self {
            name,
            size: record.size,
            content,
            checksums: Checksums::new(record.size, record.segments),
            view: Mutex::default(),
            store,
        })
    }

    /// Bytes of the whole blob.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Name of the blob.
    #[must_use]
    pub fn name(&self) -> &BlobName {
        &self.name
    }

    /// The store the blob is in.
    #[must_use]
    pub fn store(&self) -> &Arc<Store> {
        &self.store
    }

    /// The whole blob as one slice. Everyone who asks while it lives shares one mapping. Blobs stored inline, empty blobs, and
    /// all blobs on systems that cannot map, are copied instead.
    ///
    /// # Errors
    /// [`StorageError::TooLarge`] when the process has spent its budget of memory mappings (one per 100 MiB) or of addresses:
    /// [`BlobReader::window`] and [`BlobReader::copy`] still work.
    pub fn map(self: &Arc<Self>) -> Result<Arc<Mapping>> {
        self.store.check_process()?;
        let mut view = self.view.lock();
        if let Some(shared) = view.upgrade() {
            return Ok(shared);
        }
        let mapping = self.window(0..self.size)?;
        *view = Arc::downgrade(&mapping);
        Ok(mapping)
    }

    /// Part of the blob as one slice, in a mapping of its own of only the pages around it. What `range` has beyond the end is
    /// left out, as slicing does in JavaScript.
    ///
    /// # Errors
    /// As [`BlobReader::map`].
    pub fn window(self: &Arc<Self>, range: Range<u64>) -> Result<Arc<Mapping>> {
        let range = self.clamp(range);
        let Content::Chunks(chunks) = &self.content else { return Mapping::copied(self, range) };
        if range.is_empty() || !platform::CAN_MAP {
            return Mapping::copied(self, range);
        }
        let aligned = page_start(range.start);
        let end = self.address_length(range.end - aligned)?;
        let start = self.address_length(range.start - aligned)?;
        Mapping::of_pieces(self, &chunks.pieces(aligned..range.end), start..end)
    }

    /// The whole blob copied into memory of its own, for callers that do not want a view of the store (`zero_copy: false`). Each
    /// call makes a copy.
    ///
    /// # Errors
    /// [`StorageError::Io`] when the data file cannot be read.
    pub fn load(self: &Arc<Self>) -> Result<Arc<Mapping>> {
        Mapping::copied(self, 0..self.size)
    }

    /// Part of the blob, copied. What `range` has beyond the end is left out.
    ///
    /// # Errors
    /// [`StorageError::Io`] when the data file cannot be read.
    pub fn copy(&self, range: Range<u64>) -> Result<Vec<u8>> {
        let range = self.clamp(range);
        let mut bytes = vec![0; self.address_length(range.end - range.start)?];
        self.read_into(range.start, &mut bytes)?;
        Ok(bytes)
    }

    /// Checks the CRC32C of every 4 MiB block that `range` touches, each block once per reader; the sha256 of a blob stored
    /// inline. Read from the file, not through a view: what someone wrote into a view does not matter.
    ///
    /// # Errors
    /// [`StorageError::Corrupt`] naming the blob, the offset, the expected and the actual checksum.
    pub fn verify(&self, range: Range<u64>) -> Result<()> {
        let range = self.clamp(range);
        match &self.content {
            Content::Inline(bytes) => crate::verify::check_inline(&self.name, bytes),
            Content::Chunks(_) => self.checksums.check(self, range),
        }
    }

    /// Where the bytes lie on disk, for engines that take a path and an offset; empty for a blob stored inline. Valid as long as
    /// this reader lives.
    #[must_use]
    pub fn extents(&self) -> Vec<Extent> {
        let Content::Chunks(chunks) = &self.content else { return Vec::new() };
        let path = self.store.chunks.data_path();
        let pieces = merged(chunks.pieces(0..self.size)).into_iter();
        pieces
            .map(|piece| Extent { path: path.clone(), offset: piece.offset, length: piece.length })
            .collect()
    }

    /// The chunks, unless the blob is inline.
    pub(crate) fn chunks(&self) -> Option<&PinnedChunks> {
        match &self.content {
            Content::Inline(_) => None,
            Content::Chunks(chunks) => Some(chunks),
        }
    }

    /// Fills `buffer` with the blob's bytes from `offset` on.
    pub(crate) fn read_into(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        let chunks = match &self.content {
            Content::Inline(bytes) => return self.copy_inline(bytes, offset, buffer),
            Content::Chunks(chunks) => chunks,
        };
        let pieces = chunks.pieces(offset..offset + buffer.len() as u64);
        self.with_data_file(|file, path| {
            let mut rest = buffer;
            for piece in pieces {
                let length = self.address_length(piece.length)?;
                let Some((part, after)) = rest.split_at_mut_checked(length) else { break };
                platform::read_at(file, part, piece.offset)
                    .map_err(|error| StorageError::io("read the data file", path, error))?;
                rest = after;
            }
            Ok(())
        })
    }

    fn copy_inline(&self, bytes: &[u8], offset: u64, buffer: &mut [u8]) -> Result<()> {
        let start = self.address_length(offset)?;
        for (to, from) in buffer.iter_mut().zip(bytes.iter().skip(start)) {
            *to = *from;
        }
        Ok(())
    }

    /// Runs `f` with C's data file and its path.
    pub(crate) fn with_data_file<T>(
        &self,
        f: impl FnOnce(BorrowedFile<'_>, &Path) -> Result<T>,
    ) -> Result<T> {
        f(self.store.chunks.data_file()?, self.store.chunks.path())
    }

    /// `length` as an address difference.
    pub(crate) fn address_length(&self, length: u64) -> Result<usize> {
        usize::try_from(length).map_err(|_| StorageError::TooLarge {
            what: self.describe(),
            size: length,
            limit: usize::MAX as u64,
        })
    }

    /// How messages call it.
    pub(crate) fn describe(&self) -> String {
        format!("blob {}", self.name)
    }

    fn clamp(&self, range: Range<u64>) -> Range<u64> {
        let end = range.end.min(self.size);
        range.start.min(end)..end
    }
}

impl fmt::Debug for BlobReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlobReader")
            .field("name", &self.name)
            .field("size", &self.size)
            .finish_non_exhaustive()
    }
}
