//! Damaged bytes of a complete blob, written again.
//!
//! The blob stays complete all the time, so nothing may be written that is not proven: the sha256 of the whole blob, with the new
//! bytes in their places, must be its name before the first of them is written. A checksum would not do as the proof, since whoever
//! sends the bytes can choose them to fit it. Then they go to their old place: views of all processes show the right bytes from
//! then on. A process that dies in between leaves some blocks damaged, as its checksums tell the next check.

use sha2::{Digest as _, Sha256};

use crate::digest::{BlobName, Incarnation};
use crate::error::Result;
use crate::key::Key;
use crate::lease::Lease;
use crate::placement::Placement;
use crate::record::{BlobRecord, BlobState};
use crate::segments::{SegmentSet, segments_of};
use crate::store::Store;
use crate::table::{Blobs, InlineBytes, Inlines};

/// Bytes read at once to prove the whole (1 MiB).
const PIECE: u64 = 1 << 20;

/// Bytes of a blob that were fetched again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Patch {
    /// Offset of the first one in the blob.
    pub offset: u64,
    /// The bytes.
    pub bytes: Vec<u8>,
}

/// How patching went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patched {
    /// The blob has the digest that is its name, on the disk.
    Whole,
    /// With these bytes the blob would have another digest. Nothing was written.
    Wrong(BlobName),
    /// The blob is not complete here, or its chunks are gone. Nothing was written.
    Absent,
    /// The caller did not want to wait. Nothing was written.
    Ended,
}

impl Store {
    /// Writes the patches (sorted, disjoint) over damaged bytes of the lease's blob, once they are proven to make it whole.
    /// `go_on` is asked between two reads of the proof.
    ///
    /// # Errors
    /// [`crate::StorageError::Io`], [`crate::StorageError::NoSpace`], [`crate::StorageError::ReadOnly`]; the next check tells
    /// what was written.
    pub fn patch(&self, lease: &Lease, patches: &[Patch], go_on: &dyn Fn() -> bool) -> Result<Patched> {
        self.check_writable()?;
        let name = lease.name();
        match self.read(|t| t.get::<Blobs>(&Key::blob(name)))? {
            Some(record) if record.state == BlobState::Inline => self.patch_inline(*name, patches),
            Some(record) if record.state == BlobState::Complete => {
                let placement = Placement::find(&self.chunks, Incarnation(record.incarnation), record.size)?;
                match placement {
                    Some(placement) => self.patch_chunks(*name, record, &placement, patches, go_on),
                    None => Ok(Patched::Absent),
                }
            }
            _ => Ok(Patched::Absent),
        }
    }

    fn patch_inline(&self, name: BlobName, patches: &[Patch]) -> Result<Patched> {
        let bytes = patches.first().map(|patch| patch.bytes.clone()).unwrap_or_default();
        let actual = BlobName::of(&bytes);
        if actual != name {
            return Ok(Patched::Wrong(actual));
        }
        self.write(|t| t.put::<Inlines>(&Key::inline(&name), &InlineBytes(bytes)))?;
        Ok(Patched::Whole)
    }

    fn patch_chunks(
        &self,
        name: BlobName,
        record: BlobRecord,
        placement: &Placement,
        patches: &[Patch],
        go_on: &dyn Fn() -> bool,
    ) -> Result<Patched> {
        let Some(actual) = digest_with(placement, record.size, patches, go_on)? else {
            return Ok(Patched::Ended);
        };
        if actual != name {
            return Ok(Patched::Wrong(actual));
        }
        for Patch { offset, bytes } in patches {
            placement.write_at(*offset, bytes)?;
        }
        self.syncer.flush_chunks()?;
        self.correct_checksums(name, record, patches)?;
        Ok(Patched::Whole)
    }

    /// The damage may have been that of a recorded checksum.
    fn correct_checksums(&self, name: BlobName, record: BlobRecord, patches: &[Patch]) -> Result<()> {
        let mut segments = SegmentSet::from_record(&record.segments, record.size);
        for Patch { offset, bytes } in patches {
            segments.remove(&(*offset..*offset + bytes.len() as u64));
            for segment in segments_of(*offset, bytes) {
                segments.insert(segment);
            }
        }
        let segments = segments.to_record();
        if segments == record.segments {
            return Ok(());
        }
        self.write(|t| {
            // Its last use may have been noted meanwhile.
            let now = t.get::<Blobs>(&Key::blob(&name))?.unwrap_or(record);
            t.put::<Blobs>(&Key::blob(&name), &BlobRecord { segments, ..now })
        })
    }
}

/// The sha256 of the blob with the patches in their places; `None` when the caller does not want to wait.
fn digest_with(
    placement: &Placement,
    size: u64,
    patches: &[Patch],
    go_on: &dyn Fn() -> bool,
) -> Result<Option<BlobName>> {
    let (mut hasher, mut buffer, mut at) = (Sha256::new(), Vec::new(), 0);
    let mut rest = patches.iter().peekable();
    while at < size {
        if !go_on() {
            return Ok(None);
        }
        if let Some(patch) = rest.next_if(|patch| patch.offset <= at) {
            hasher.update(&patch.bytes);
            at += patch.bytes.len() as u64;
            continue;
        }
        let end = rest.peek().map_or(size, |patch| patch.offset).min(at + PIECE);
        buffer.resize(usize::try_from(end - at).unwrap_or_default(), 0);
        placement.read_at(at, &mut buffer)?;
        hasher.update(&buffer);
        at = end;
    }
    Ok(Some(BlobName(hasher.finalize().into())))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::tests::fixture::{add_inline, new_store};
    use crate::{BLOCK_SIZE, Digest, Verdict};

    const SIZE: u64 = 3 * BLOCK_SIZE + 1000;

    fn bytes() -> Vec<u8> {
        (0..SIZE).map(|at| u8::try_from(at % 253).unwrap()).collect()
    }

    /// A store with the bytes in it, of which the byte at `wrong` is damaged on the disk.
    fn damaged(wrong: u64) -> (tempfile::TempDir, Arc<Store>, BlobName) {
        let (folder, store) = new_store();
        let name = BlobName::of(&bytes());
        store.put_bytes(&bytes(), &Digest::Sha256(name.0), |_, _| Ok(())).unwrap();
        let extent = store.reader(&name).unwrap().unwrap().extents().remove(0);
        let byte = [!bytes()[usize::try_from(wrong).unwrap()]];
        crate::platform::write_at(store.chunks.data_file().unwrap(), &byte, extent.offset + wrong).unwrap();
        (folder, store, name)
    }

    fn patch(blocks: std::ops::Range<u64>) -> Patch {
        let range = blocks.start * BLOCK_SIZE..SIZE.min(blocks.end * BLOCK_SIZE);
        let at = |offset| usize::try_from(offset).unwrap();
        Patch { offset: range.start, bytes: bytes()[at(range.start)..at(range.end)].to_vec() }
    }

    fn repair(store: &Store, name: &BlobName, patches: &[Patch]) -> Patched {
        let lease = store.try_lease(name).unwrap().unwrap();
        store.patch(&lease, patches, &|| true).unwrap()
    }

    fn damage(store: &Arc<Store>, name: &BlobName) -> Vec<std::ops::Range<u64>> {
        struct Nobody;
        impl crate::CheckWatch for Nobody {
            fn checked(&self, _: usize, _: u64) -> bool {
                true
            }
        }
        match store.check_blobs(&[*name], &Nobody).unwrap().remove(0) {
            Some(Verdict::Checked { damaged, .. }) => damaged,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_patched_block_is_whole_again_and_an_open_view_shows_it() {
        let (_folder, store, name) = damaged(BLOCK_SIZE + 7);
        let view = store.reader(&name).unwrap().unwrap().map().unwrap();
        assert!(view[..] != bytes()[..]);
        assert_eq!(repair(&store, &name, &[patch(1..2)]), Patched::Whole);
        assert!(view[..] == bytes()[..]);
        assert!(damage(&store, &name).is_empty());
    }

    #[test]
    fn bytes_that_do_not_make_it_whole_are_not_written() {
        let (_folder, store, name) = damaged(BLOCK_SIZE + 7);
        let before = store.reader(&name).unwrap().unwrap().copy(0..SIZE).unwrap();
        let mut wrong = patch(1..2);
        wrong.bytes[9] ^= 1;
        assert!(matches!(repair(&store, &name, &[wrong]), Patched::Wrong(actual) if actual != name));
        assert!(matches!(repair(&store, &name, &[patch(0..1), patch(2..4)]), Patched::Wrong(_)));
        assert!(store.reader(&name).unwrap().unwrap().copy(0..SIZE).unwrap() == before);
        let lease = store.try_lease(&name).unwrap().unwrap();
        assert_eq!(store.patch(&lease, &[patch(1..2)], &|| false).unwrap(), Patched::Ended);
        assert_eq!(damage(&store, &name).first(), Some(&(BLOCK_SIZE..2 * BLOCK_SIZE)));
    }

    #[test]
    fn a_damaged_checksum_is_corrected_where_the_bytes_are_proven() {
        let (_folder, store, name) = damaged(0);
        let key = Key::blob(&name);
        store
            .write(|t| {
                let mut record = t.get::<Blobs>(&key)?.unwrap();
                record.segments[3].crc ^= 1;
                t.put::<Blobs>(&key, &record)
            })
            .unwrap();
        assert_eq!(damage(&store, &name), [0..BLOCK_SIZE, 3 * BLOCK_SIZE..SIZE]);
        assert_eq!(repair(&store, &name, &[patch(0..1), patch(3..4)]), Patched::Whole);
        assert!(damage(&store, &name).is_empty());
    }

    #[test]
    fn an_inline_blob_is_replaced_and_what_is_not_complete_is_left_alone() {
        let (_folder, store) = new_store();
        let name = BlobName::of(b"right");
        add_inline(&store, &name, b"wrong");
        let with = |bytes: &[u8]| [Patch { offset: 0, bytes: bytes.to_vec() }];
        assert!(matches!(repair(&store, &name, &with(b"other")), Patched::Wrong(_)));
        assert_eq!(damage(&store, &name).len(), 1);
        assert_eq!(repair(&store, &name, &with(b"right")), Patched::Whole);
        assert!(damage(&store, &name).is_empty());
        assert_eq!(repair(&store, &BlobName([1; 32]), &with(b"right")), Patched::Absent);
    }
}
