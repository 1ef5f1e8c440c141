//! Reading what is recorded of a blob that need not be complete.

use std::ops::Range;

use crate::block::crc32c;
use crate::digest::{BlobName, Incarnation};
use crate::error::Result;
use crate::key::Key;
use crate::placement::Placement;
use crate::record::{BlobState, Segment};
use crate::segments::SegmentSet;
use crate::store::Store;
use crate::table::Blobs;

impl Store {
    /// The first bytes of a range that are recorded and have their checksum: all of them, some or none. Whoever writes the blob
    /// goes on meanwhile.
    ///
    /// # Errors
    /// [`crate::StorageError::Corrupt`] when the blob's record is damaged; [`crate::StorageError::Io`].
    pub fn read_recorded(&self, name: &BlobName, range: Range<u64>) -> Result<Vec<u8>> {
        let record = self.read(|t| t.get::<Blobs>(&Key::blob(name)))?;
        let Some(record) = record.filter(|record| record.state != BlobState::Inline) else {
            return Ok(Vec::new());
        };
        let Some(placement) = Placement::find(&self.chunks, Incarnation(record.incarnation), record.size)?
        else {
            return Ok(Vec::new());
        };
        let segments = SegmentSet::from_record(&record.segments, record.size);
        let (mut out, mut at) = (Vec::new(), range.start);
        while let Some(segment) = segments.at(at).filter(|_| at < range.end) {
            let Some(bytes) = intact(&placement, segment)? else { break };
            let end = segment.end().min(range.end);
            let bounds =
                usize::try_from(at - segment.start).ok().zip(usize::try_from(end - segment.start).ok());
            let Some(part) = bounds.and_then(|(from, to)| bytes.get(from..to)) else { break };
            out.extend_from_slice(part);
            at = end;
        }
        Ok(out)
    }
}

/// The bytes of a segment, unless they are not those that were written.
fn intact(placement: &Placement, segment: Segment) -> Result<Option<Vec<u8>>> {
    let mut bytes = vec![0; usize::try_from(segment.length).unwrap_or_default()];
    placement.read_at(segment.start, &mut bytes)?;
    Ok((crc32c(&bytes) == segment.crc).then_some(bytes))
}
