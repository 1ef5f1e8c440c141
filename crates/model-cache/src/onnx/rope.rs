//! Bytes to write, of which most are named and not held.

use std::ops::Range;

use super::sources::MODEL;
use super::wire::put_header;

/// Some of the bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Segment {
    /// These.
    Bytes(Vec<u8>),
    /// Those of one of the model's files.
    Copy { file: usize, range: Range<u64> },
    /// The name of the file of what is copied, known only when all is.
    SideName,
}

/// Bytes in order. Grows and nests without touching what it names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rope {
    pub(crate) segments: Vec<Segment>,
    pub(crate) length: u64,
}

impl Rope {
    /// Appends bytes.
    pub(crate) fn put(&mut self, bytes: &[u8]) {
        self.length += bytes.len() as u64;
        match self.segments.last_mut() {
            Some(Segment::Bytes(last)) => last.extend_from_slice(bytes),
            _ => self.segments.push(Segment::Bytes(bytes.to_vec())),
        }
    }

    /// Appends bytes of a file.
    pub(crate) fn copy(&mut self, file: usize, range: Range<u64>) {
        self.length += range.end - range.start;
        match self.segments.last_mut() {
            Some(Segment::Copy { file: last, range: before })
                if *last == file && before.end == range.start =>
            {
                before.end = range.end;
            }
            _ => self.segments.push(Segment::Copy { file, range }),
        }
    }

    /// Appends bytes of the model's own file.
    pub(crate) fn keep(&mut self, range: Range<usize>) {
        self.copy(MODEL, range.start as u64..range.end as u64);
    }

    /// Appends the name of the file of what is copied.
    pub(crate) fn side_name(&mut self) {
        self.length += tabagent_storage::StubName::SIDE_LENGTH;
        self.segments.push(Segment::SideName);
    }

    /// Appends `inner` as the field `number`.
    pub(crate) fn nest(&mut self, number: u32, inner: Self) {
        let mut header = Vec::new();
        put_header(&mut header, number, inner.length);
        self.put(&header);
        self.length += inner.length;
        let mut segments = inner.segments.into_iter();
        if let Some(Segment::Bytes(first)) = segments.as_slice().first()
            && let Some(Segment::Bytes(last)) = self.segments.last_mut()
        {
            last.extend_from_slice(first);
            segments.next();
        }
        self.segments.extend(segments);
    }
}
