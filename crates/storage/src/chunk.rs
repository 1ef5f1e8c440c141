//! The header at the start of every chunk's padding, and the chunk's key.
//!
//! ```text
//! value of a chunk in C = padding (65,516 bytes) + payload (up to 100 MiB), from 16 MiB on with 960 KiB around it
//! padding: magic 8 | format u32 | n u32 | incarnation 16 | payload length u64 | file size u64 | unused ... | known u8 | sha256 32
//! ```
//! All numbers are little-endian. With the sha256 at the end of the padding, M can be rebuilt from C.

use crate::digest::Incarnation;
use crate::layout::{PADDING, chunk_length};

const MAGIC: &[u8; 8] = b"TABCHUNK";
const FORMAT: u32 = 1;

/// Bytes of the header at the start of the padding.
pub(crate) const HEADER_LENGTH: usize = 48;

/// Offset in the padding of the byte that says whether the sha256 after it is known.
pub(crate) const SEAL_OFFSET: usize = PADDING - 33;

/// What the padding says about its chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ChunkHeader {
    pub(crate) incarnation: Incarnation,
    pub(crate) n: u32,
    pub(crate) file_size: u64,
}

impl ChunkHeader {
    /// Payload bytes of this chunk.
    pub(crate) fn payload_length(&self) -> u64 {
        chunk_length(self.file_size, u64::from(self.n))
    }

    pub(crate) fn encode(&self) -> [u8; HEADER_LENGTH] {
        let mut out = [0; HEADER_LENGTH];
        let fields: [&[u8]; 6] = [
            MAGIC,
            &FORMAT.to_le_bytes(),
            &self.n.to_le_bytes(),
            &self.incarnation.0,
            &self.payload_length().to_le_bytes(),
            &self.file_size.to_le_bytes(),
        ];
        for (to, from) in out.iter_mut().zip(fields.into_iter().flatten()) {
            *to = *from;
        }
        out
    }

    /// The file size that the header at the start of `padding` tells; `None` when there is no header of this format.
    pub(crate) fn file_size(padding: &[u8]) -> Option<u64> {
        let is_header = padding.starts_with(MAGIC) && padding.get(8..12) == Some(&FORMAT.to_le_bytes());
        let size = padding.get(40..HEADER_LENGTH).filter(|_| is_header)?;
        Some(u64::from_le_bytes(size.try_into().ok()?))
    }

    /// Whether `padding` begins with exactly this header.
    pub(crate) fn matches(&self, padding: &[u8]) -> bool {
        padding.get(..HEADER_LENGTH).is_some_and(|start| start == self.encode())
    }
}

/// The bytes at [`SEAL_OFFSET`] of a finished blob's chunk.
pub(crate) fn seal(sha256: &[u8; 32]) -> [u8; 33] {
    let mut out = [1; 33];
    for (to, from) in out.iter_mut().skip(1).zip(sha256) {
        *to = *from;
    }
    out
}

/// `file:{incarnation}:chunk:{n as 8 hex digits}`.
pub(crate) fn chunk_key(incarnation: &Incarnation, n: u32) -> String {
    format!("file:{}:chunk:{n:08x}", incarnation.to_hex())
}

/// The incarnation and number in a key of [`chunk_key`].
pub(crate) fn parse_chunk_key(key: &[u8]) -> Option<(Incarnation, u32)> {
    let text = std::str::from_utf8(key).ok()?.strip_prefix("file:")?;
    let (incarnation, n) = text.split_once(":chunk:")?;
    let mut bytes = [0; 16];
    hex::decode_to_slice(incarnation, &mut bytes).ok()?;
    Some((Incarnation(bytes), u32::from_str_radix(n, 16).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::CHUNK_SIZE;

    #[test]
    fn header_is_recognized_only_whole_and_equal() {
        let header = ChunkHeader { incarnation: Incarnation([7; 16]), n: 1, file_size: CHUNK_SIZE + 5 };
        let bytes = header.encode();
        assert_eq!(header.payload_length(), 5);
        assert!(header.matches(&bytes));
        assert_eq!(ChunkHeader::file_size(&bytes), Some(CHUNK_SIZE + 5));
        assert_eq!(ChunkHeader::file_size(&bytes[..47]), None);
        assert_eq!(ChunkHeader::file_size(&bytes[1..]), None);
        assert!(!header.matches(&bytes[..47]));
        assert!(!ChunkHeader { n: 0, ..header }.matches(&bytes));
        assert!(!ChunkHeader { incarnation: Incarnation([8; 16]), ..header }.matches(&bytes));
    }

    #[test]
    fn keys_sort_by_number() {
        let incarnation = Incarnation([0xab; 16]);
        assert!(chunk_key(&incarnation, 2) < chunk_key(&incarnation, 10));
    }

    #[test]
    fn a_key_is_read_back_and_no_other_text_is() {
        let incarnation = Incarnation([0xab; 16]);
        let key = chunk_key(&incarnation, 0x12_3456);
        assert_eq!(parse_chunk_key(key.as_bytes()), Some((incarnation, 0x12_3456)));
        for other in ["", "file:", &key[..40], &key.replace("file", "blob"), &key.replace("ab", "zz")] {
            assert_eq!(parse_chunk_key(other.as_bytes()), None, "{other}");
        }
    }

    #[test]
    fn seal_says_known_and_carries_the_digest() {
        let bytes = seal(&[9; 32]);
        assert_eq!((bytes[0], &bytes[1..]), (1, &[9; 32][..]));
    }
}
