//! The files a model's weights are in, and where in the store their bytes lie.

use std::collections::HashMap;
use std::ops::Range;

use super::Failure;

/// The model's own file among the [`Sources`].
pub(crate) const MODEL: usize = 0;

/// Bytes that cross the seam of two chunks are copied from this size on (64 KiB); smaller ones stay in the model.
const COPIED_FROM: u64 = 64 << 10;

/// Copied bytes lie at the same distance from a multiple of this (64 KiB) as in the store, so that blocks can be shared.
const GRAIN: u64 = 64 << 10;

/// Bytes of a file that follow each other in the store's data file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    /// Offset in the file.
    pub(crate) start: u64,
    /// Offset in the data file.
    pub(crate) offset: u64,
    pub(crate) length: u64,
}

/// One file.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    pub(crate) size: u64,
    /// In order and without gaps; none when the file has no place in the data file.
    pub(crate) runs: Vec<Run>,
}

/// Opens the file a model calls by a location.
pub(crate) type Open<'a> = dyn FnMut(&str) -> Result<Source, Failure> + 'a;

/// Bytes to copy beside the data file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Copied {
    /// Which of the files.
    pub(crate) file: usize,
    pub(crate) range: Range<u64>,
    /// Where they go.
    pub(crate) at: u64,
}

/// Weights that an engine is to be given by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Detached {
    pub(crate) name: String,
    /// `TensorProto.DataType`.
    pub(crate) element_type: u64,
    pub(crate) shape: Vec<u64>,
    /// Which of the files.
    pub(crate) file: usize,
    pub(crate) range: Range<u64>,
}

/// Where an engine finds some bytes of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// At this offset of the data file.
    Data(u64),
    /// At this offset of the file of what is copied.
    Side(u64),
    /// In memory, under the tensor's name.
    Detached,
    /// Nowhere: they belong into the model itself.
    Inline,
}

/// All files of a model.
pub(crate) struct Sources<'a> {
    files: Vec<Source>,
    places: HashMap<String, usize>,
    open: &'a mut Open<'a>,
    copied: Vec<Copied>,
    copied_at: HashMap<(usize, Range<u64>), u64>,
    /// Types of the elements of tensors that may be detached; nothing is pointed to then.
    detachable: Option<&'a [u64]>,
    detached: Vec<Detached>,
}

impl<'a> Sources<'a> {
    pub(crate) fn new(model: Source, open: &'a mut Open<'a>) -> Self {
        Self {
            files: vec![model],
            places: HashMap::new(),
            open,
            copied: Vec::new(),
            copied_at: HashMap::new(),
            detachable: None,
            detached: Vec::new(),
        }
    }

    /// Weights of these types are to be detached instead of pointed to.
    pub(crate) fn detaching(self, types: &'a [u64]) -> Self {
        Self { detachable: Some(types), ..self }
    }

    /// What was detached, in the order of the model.
    pub(crate) fn into_detached(self) -> Vec<Detached> {
        self.detached
    }

    /// Whether weights of this type may be detached; `None` when all are pointed to.
    pub(crate) fn detaches(&self, element_type: u64) -> Option<bool> {
        self.detachable.map(|types| types.contains(&element_type))
    }

    pub(crate) fn detach(&mut self, weights: Detached) {
        self.detached.push(weights);
    }

    /// What is to be copied, in the order of the places.
    pub(crate) fn into_copied(self) -> Vec<Copied> {
        self.copied
    }

    /// The file called `location`, opened when it is first asked for, and its size.
    pub(crate) fn external(&mut self, location: &str) -> Result<(usize, u64), Failure> {
        let file = if let Some(file) = self.places.get(location) {
            *file
        } else {
            self.files.push((self.open)(location)?);
            let file = self.files.len() - 1;
            self.places.insert(location.to_owned(), file);
            file
        };
        Ok((file, self.files.get(file).map_or(0, |source| source.size)))
    }

    /// Where an engine finds `range` of `file`, which is not empty.
    pub(crate) fn place(&mut self, file: usize, range: &Range<u64>) -> Place {
        let runs = self.files.get(file).map_or(&[][..], |source| &source.runs);
        let after = runs.partition_point(|run| run.start <= range.start);
        let Some(run) = after.checked_sub(1).and_then(|place| runs.get(place)) else { return Place::Inline };
        let offset = run.offset + (range.start - run.start);
        if range.end <= run.start + run.length {
            return Place::Data(offset);
        }
        if range.end - range.start < COPIED_FROM {
            return Place::Inline;
        }
        Place::Side(self.copy(file, range, offset))
    }

    fn copy(&mut self, file: usize, range: &Range<u64>, offset: u64) -> u64 {
        if let Some(at) = self.copied_at.get(&(file, range.clone())) {
            return *at;
        }
        let end = self.copied.last().map_or(0, |last| last.at + (last.range.end - last.range.start));
        let at = end.next_multiple_of(GRAIN) + offset % GRAIN;
        self.copied.push(Copied { file, range: range.clone(), at });
        self.copied_at.insert((file, range.clone()), at);
        at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_across_a_seam_are_copied_once_and_keep_their_distance() {
        let seam = 1 << 20;
        let run = |start, offset| Run { start, offset, length: seam };
        let model = Source { size: 2 * seam, runs: vec![run(0, 10 << 20), run(seam, 20 << 20)] };
        let mut open = |_: &str| unreachable!();
        let mut sources = Sources::new(model, &mut open);
        assert_eq!(sources.place(MODEL, &(5..seam)), Place::Data((10 << 20) + 5));
        assert_eq!(sources.place(MODEL, &(seam..seam + 1)), Place::Data(20 << 20));
        assert_eq!(sources.place(MODEL, &(seam - 7..seam + 1)), Place::Inline);
        let first = seam - 100_000..seam + 1;
        let at = (10 << 20) + seam - 100_000;
        assert_eq!(sources.place(MODEL, &first), Place::Side(at % GRAIN));
        assert_eq!(sources.place(MODEL, &first), Place::Side(at % GRAIN));
        let Place::Side(second) = sources.place(MODEL, &(seam - 99_999..seam + 9)) else { panic!() };
        assert_eq!((second % GRAIN, second >= 100_001), ((at + 1) % GRAIN, true));
        assert_eq!(sources.into_copied().len(), 2);
    }
}
