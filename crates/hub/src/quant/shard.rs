//! Numbered parts of one file.

/// A stem without its part number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shard<'a> {
    /// What stands before the number.
    pub(super) head: &'a str,
    /// What stands after it (a variant such as `.fp16`).
    pub(super) tail: &'a str,
    /// How many parts there are, when the name says so.
    pub(super) total: Option<u32>,
}

impl Shard<'_> {
    /// The same part of the same stem in another spelling.
    fn cut_from<'a>(&self, stem: &'a str) -> Option<Shard<'a>> {
        let head = stem.get(..self.head.len())?;
        let tail = stem.get(stem.len().checked_sub(self.tail.len())?..)?;
        Some(Shard { head, tail, total: self.total })
    }

    pub(super) fn stem(&self) -> String {
        [self.head, self.tail].concat()
    }
}

const SEPARATORS: [char; 3] = ['-', '_', '.'];
const PART_WORDS: [&str; 4] = ["split", "shard", "part", "chunk"];

/// Splits `name-00001-of-00009`, `name-split-00001-of-00009`, `name.fp16-00001-of-2`, `name-00001-of-2.fp16`,
/// `consolidated.00`, `group1-shard1of4`, `params_shard_12`. A stem without a number comes back whole.
pub(super) fn split(stem: &str) -> Shard<'_> {
    // In lower case every byte stays where it is.
    let lower = stem.to_ascii_lowercase();
    let part = counted(&lower).or_else(|| joined(&lower)).or_else(|| ranked(&lower));
    part.and_then(|part| part.cut_from(stem)).unwrap_or(Shard { head: stem, tail: "", total: None })
}

/// `<digits>-of-<digits>`, anywhere in the stem; the last one counts.
fn counted(stem: &str) -> Option<Shard<'_>> {
    let lower_at = stem.rfind("-of-").or_else(|| stem.rfind("_of_"))?;
    let (before, after) = (stem.get(..lower_at)?, stem.get(lower_at + 4..)?);
    let digits = after.len() - after.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (total, tail) = after.split_at_checked(digits)?;
    let head = before.trim_end_matches(|c: char| c.is_ascii_digit());
    if head.len() == before.len() || !(tail.is_empty() || tail.starts_with(SEPARATORS)) {
        return None;
    }
    Some(Shard { head: trim_part_word(head), tail, total: Some(total.parse().ok()?) })
}

/// `group1-shard1of4`, `x.part1of2`.
fn joined(stem: &str) -> Option<Shard<'_>> {
    let at = stem.rfind("of")?;
    let (before, total) = (stem.get(..at)?, stem.get(at + 2..)?);
    let head = before.trim_end_matches(|c: char| c.is_ascii_digit());
    let named = PART_WORDS.iter().any(|word| head.ends_with(word));
    if head.len() == before.len() || !named {
        return None;
    }
    Some(Shard { head: trim_part_word(head), tail: "", total: Some(total.parse().ok()?) })
}

/// Parts numbered without a total: `consolidated.00`, `weights.00`, `params_shard_12`, `model-rank-0-part-1`.
fn ranked(stem: &str) -> Option<Shard<'_>> {
    let head = stem.trim_end_matches(|c: char| c.is_ascii_digit());
    let digits = stem.len() - head.len();
    let word = head.trim_end_matches(SEPARATORS);
    let is_ranked = matches!(word, "consolidated" | "weights") && digits == 2 && word.len() < head.len();
    let is_part =
        ["shard", "part", "rank"].iter().any(|part| word.ends_with(part)) && word.len() < head.len();
    if digits == 0 || digits > 6 || !(is_ranked || is_part) {
        return None;
    }
    let head = if is_ranked { word } else { trim_part_word(word) };
    Some(ranked(head).unwrap_or(Shard { head, tail: "", total: None }))
}

/// Removes `-split-`, `-shard`, a trailing separator.
fn trim_part_word(head: &str) -> &str {
    let trimmed = head.trim_end_matches(SEPARATORS);
    let cut = PART_WORDS.iter().chain(&["rank"]).find_map(|word| trimmed.strip_suffix(word));
    match cut {
        Some(rest) if rest.ends_with(SEPARATORS) => rest.trim_end_matches(SEPARATORS),
        _ => trimmed,
    }
}
