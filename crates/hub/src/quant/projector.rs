//! Chooses the multimodal projector of a GGUF variant, as llama.cpp does.

use super::entry::ancestors;
use super::gguf_tag;
use super::words::words;

/// A repository with more projectors than this is a collection; the first ones are considered.
const CONSIDERED: usize = 64;

#[derive(Debug)]
pub(super) struct Projector {
    dir: String,
    /// The words that name its model; empty when it is only called a projector.
    words: Vec<String>,
    bits: u32,
    files: Vec<usize>,
}

impl Projector {
    pub(super) fn new(dir: &str, stem: &str, files: Vec<usize>) -> Self {
        let tagged = gguf_tag::find(stem);
        let rest = tagged.as_ref().map_or_else(|| stem.to_ascii_lowercase(), |tagged| tagged.rest.clone());
        let words = words(&rest)
            .filter(|word| !matches!(*word, "mmproj" | "model" | "projector" | "vision"))
            .map(str::to_owned);
        let bits = tagged.map_or(16, |tagged| bits(&tagged.tag));
        Self { dir: dir.to_owned(), words: words.collect(), bits, files }
    }

    fn names(&self, model: &str) -> bool {
        !self.words.is_empty() && self.words.iter().all(|word| words(model).any(|known| known == word))
    }
}

/// All projectors of a repository.
pub(super) struct Projectors(Vec<Projector>);

impl Projectors {
    pub(super) fn new(mut projectors: Vec<Projector>) -> Self {
        projectors.truncate(CONSIDERED);
        Self(projectors)
    }

    /// The files of the projector for a variant: one that names its model if any does, then the one in the deepest
    /// shared folder, then the one whose width is nearest.
    pub(super) fn choose(&self, dir: &str, model: &str, tag: &str) -> &[usize] {
        let width = bits(tag);
        let rank = |projector: &&Projector| {
            let nearness = u32::MAX - projector.bits.abs_diff(width);
            let depth =
                ancestors(dir).find(|above| *above == projector.dir).map_or(0, |above| above.len() + 1);
            (projector.names(model), depth, nearness)
        };
        // Of equals the first in the listing wins.
        self.0.iter().rev().max_by_key(rank).map_or(&[], |projector| &projector.files)
    }
}

/// The width in a tag: the first number in it.
fn bits(tag: &str) -> u32 {
    let start = tag.find(|c: char| c.is_ascii_digit()).unwrap_or(tag.len());
    let digits = tag.get(start..).unwrap_or_default();
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    digits.get(..end).and_then(|digits| digits.parse().ok()).unwrap_or(16)
}
