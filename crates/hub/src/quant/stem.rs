//! A file stem or folder name taken apart into role, variant and name.

use super::words::{self, Word};

/// The meaning of a stem.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Stem {
    /// The words that name a model, as written; empty when there are only roles, fillers and variants.
    pub(super) name: String,
    /// The name as a title: the fillers within it are kept.
    pub(super) title: String,
    /// The words that name a part of a model, fillers included (`decoder_model_merged`).
    pub(super) session: String,
    /// The words that say how it is quantized, as written; empty when there are none.
    pub(super) variant: String,
    /// Whether there is a role besides fillers.
    pub(super) has_role: bool,
    /// Whether the name stands behind `model`, where a variant would.
    pub(super) is_suffixed: bool,
}

struct Piece<'a> {
    /// The separator before the word, empty for the first.
    separator: &'a str,
    text: &'a str,
    word: Word,
}

/// Takes a stem apart. A variant word before a name word is part of the name (`int8_foo`); a tail that no word can
/// hold, such as ` (old)`, belongs to the variant if there is one, else to the name.
pub(super) fn parse(stem: &str) -> Stem {
    let cut = stem.find(|c: char| !(c.is_ascii_alphanumeric() || is_separator(c))).unwrap_or(stem.len());
    let (plain, tail) = stem.split_at_checked(cut).unwrap_or((stem, ""));
    let pieces = settle(split(plain));
    let mut parsed = Stem {
        title: title(&pieces),
        name: join(&pieces, |word| word == Word::Name),
        session: join(&pieces, |word| matches!(word, Word::Role | Word::Filler)),
        variant: join(&pieces, |word| word == Word::Variant),
        has_role: pieces.iter().any(|piece| piece.word == Word::Role),
        is_suffixed: is_suffixed(&pieces),
    };
    let owner = if parsed.variant.is_empty() { &mut parsed.name } else { &mut parsed.variant };
    owner.push_str(if owner.is_empty() { tail.trim_start() } else { tail });
    parsed
}

/// `encoder_model_smashed`, but neither `smashed_model` nor `model_2`, `model_v2`.
fn is_suffixed(pieces: &[Piece<'_>]) -> bool {
    let is_word =
        |text: &str| text.trim_start_matches(['v', 'V']).contains(|c: char| c.is_ascii_alphabetic());
    let name = pieces.iter().position(|piece| piece.word == Word::Name);
    let (before, named) = pieces.split_at_checked(name.unwrap_or(0)).unwrap_or_default();
    before.iter().any(|piece| piece.text.eq_ignore_ascii_case("model"))
        && named.iter().any(|piece| piece.word == Word::Name && is_word(piece.text))
}

fn is_separator(c: char) -> bool {
    matches!(c, '_' | '-' | '.')
}

fn split(plain: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = plain;
    while !rest.is_empty() {
        let word_at = rest.find(|c| !is_separator(c)).unwrap_or(rest.len());
        let (separator, after) = rest.split_at_checked(word_at).unwrap_or((rest, ""));
        let word_end = after.find(is_separator).unwrap_or(after.len());
        let (text, next) = after.split_at_checked(word_end).unwrap_or((after, ""));
        let (name, roles) = words::trailing_roles(text);
        if !name.is_empty() && !roles.is_empty() {
            pieces.push(Piece { separator, text: name, word: words::classify(name) });
            pieces.push(Piece { separator: "", text: roles, word: Word::Role });
        } else {
            pieces.push(Piece { separator, text, word: words::classify(text) });
        }
        rest = next;
    }
    pieces
}

fn title(pieces: &[Piece<'_>]) -> String {
    let named = pieces.iter().rposition(|piece| piece.word == Word::Name).map_or(0, |last| last + 1);
    join(pieces.get(..named).unwrap_or_default(), |word| matches!(word, Word::Name | Word::Filler))
}

/// Numbers join what stands before them; variants count only after the last name word.
fn settle(mut pieces: Vec<Piece<'_>>) -> Vec<Piece<'_>> {
    let mut before = Word::Name;
    for piece in &mut pieces {
        if piece.word == Word::Number {
            piece.word = match before {
                Word::Variant => Word::Variant,
                Word::Role if piece.text.len() == 1 => Word::Role,
                _ => Word::Name,
            };
        }
        before = piece.word;
    }
    let names = pieces.iter().rposition(|piece| piece.word == Word::Name).unwrap_or(0);
    for piece in pieces.iter_mut().take(names).filter(|piece| piece.word == Word::Variant) {
        piece.word = Word::Name;
    }
    pieces
}

fn join(pieces: &[Piece<'_>], wanted: impl Fn(Word) -> bool) -> String {
    let mut joined = String::new();
    for piece in pieces.iter().filter(|piece| wanted(piece.word)) {
        if !joined.is_empty() {
            joined.push_str(piece.separator);
        }
        joined.push_str(piece.text);
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(stem: &str) -> (String, String, String) {
        let parsed = parse(stem);
        (parsed.name, parsed.session, parsed.variant)
    }

    #[test]
    fn takes_stems_apart() {
        let cases = [
            ("model", "", "model", ""),
            ("decoder_model_merged_q4f16", "", "decoder_model_merged", "q4f16"),
            ("model_qint8_avx512_vnni", "", "model", "qint8_avx512_vnni"),
            ("model_O3", "", "model", "O3"),
            ("model_bnb4_fp16(Not Working)", "", "model", "bnb4_fp16(Not Working)"),
            ("model (1)", "(1)", "model", ""),
            ("encoder.int8", "", "encoder", "int8"),
            ("encoder-epoch-99-avg-1.int8", "epoch-99-avg-1", "encoder", "int8"),
            ("tiny.en-decoder", "tiny.en", "decoder", ""),
            ("model_foo", "foo", "model", ""),
            ("int8_foo", "int8_foo", "", ""),
            ("int8_model", "", "model", "int8"),
            ("text_encoder_2", "", "text_encoder_2", ""),
            ("v1-5-pruned-emaonly", "v1-5-pruned-emaonly", "", ""),
            ("cpu-int4-rtn-block-32-acc-level-4", "", "", "cpu-int4-rtn-block-32-acc-level-4"),
            ("model_1", "1", "model", ""),
            ("WhisperEncoder", "Whisper", "Encoder", ""),
            ("WhisperDecoder_int8", "Whisper", "Decoder", "int8"),
            ("DepthAnythingV2SmallF16", "DepthAnythingV2SmallF16", "", ""),
        ];
        for (stem, name, session, variant) in cases {
            assert_eq!(parts(stem), (name.to_owned(), session.to_owned(), variant.to_owned()), "{stem}");
        }
    }
}
