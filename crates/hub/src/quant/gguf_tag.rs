//! The quantization tag in the name of a GGUF file.

/// A tag and what is left of the stem without it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tagged {
    /// In upper case, as llama.cpp prints it.
    pub(super) tag: String,
    /// Identifies the model; two files with the same rest are the same model.
    pub(super) rest: String,
}

/// Finds the last tag of a stem: `Llama-3-UD-Q4_K_XL`, `mistral.i1-IQ3_XXS`, `gemma-q4_k_m`, `x-q4km`, `x_f16`, with the width right
/// behind it, which tells recipes of one tag apart: `x-IQ4_XS-3.53bpw`.
pub(super) fn find(stem: &str) -> Option<Tagged> {
    let upper = stem.to_ascii_uppercase();
    let pieces = pieces(&upper);
    let at = (0..pieces.len()).rev().find(|&at| tag_length(&pieces, at).is_some())?;
    let length = tag_length(&pieces, at)?;
    let is_dynamic = at > 0 && pieces.get(at - 1).is_some_and(|piece| piece.text == "UD");
    let first = if is_dynamic { at - 1 } else { at };
    let body: Vec<&str> = pieces.iter().skip(at).take(length).map(|piece| piece.text).collect();
    let width = width(pieces.get(at + length..)?);
    let end = at + length + width.len();
    let rest = pieces.iter().enumerate().filter(|(position, _)| *position < first || *position >= end);
    Some(Tagged {
        tag: [if is_dynamic { "UD-" } else { "" }, &canonical(&body), &width_text(width)].concat(),
        rest: rest.map(|(_, piece)| piece.text).collect::<Vec<_>>().join("-").to_ascii_lowercase(),
    })
}

struct Piece<'a> {
    text: &'a str,
    /// Joined to the piece before it by an underscore.
    joined: bool,
}

fn pieces(upper: &str) -> Vec<Piece<'_>> {
    let words = upper.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    words
        .flat_map(|word| {
            word.split('_').enumerate().map(|(position, text)| Piece { text, joined: position > 0 })
        })
        .filter(|piece| !piece.text.is_empty())
        .collect()
}

/// The pieces of `3.53bpw` or `4bpw` that these begin with.
fn width<'a>(pieces: &'a [Piece<'a>]) -> &'a [Piece<'a>] {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let ends = |piece: &Piece<'_>| piece.text.strip_suffix("BPW").is_some_and(is_number);
    match pieces {
        [whole, part, ..] if is_number(whole.text) && ends(part) => pieces.get(..2),
        [last, ..] if ends(last) => pieces.get(..1),
        _ => None,
    }
    .unwrap_or_default()
}

fn width_text(pieces: &[Piece<'_>]) -> String {
    let texts: Vec<String> = pieces.iter().map(|piece| piece.text.to_ascii_lowercase()).collect();
    if texts.is_empty() { String::new() } else { ["-", &texts.join(".")].concat() }
}

/// How many pieces the tag beginning at `at` has.
fn tag_length(pieces: &[Piece<'_>], at: usize) -> Option<usize> {
    let head = pieces.get(at)?.text;
    let following = pieces.get(at + 1..)?.iter().take_while(|piece| piece.joined);
    let suffixes = following.take_while(|piece| is_suffix(piece.text)).count();
    let is_short =
        is_integer(head) || is_float(head) || loose(head).is_some() || (is_bare(head) && suffixes > 0);
    (is_quant(head) || is_short).then_some(suffixes + 1)
}

/// `Q4`, `IQ3`, `TQ1`.
fn is_quant(head: &str) -> bool {
    quant_digits(head).is_some_and(|(_, rest)| rest.is_empty())
}

/// The family and width of a quant, and what follows.
fn quant_digits(head: &str) -> Option<(&str, &str)> {
    let letters = ["IQ", "TQ", "Q"].into_iter().find(|letters| head.starts_with(letters))?;
    let rest = head.get(letters.len()..)?;
    let is_width = rest.bytes().next().is_some_and(|byte| (b'1'..=b'8').contains(&byte));
    if is_width { head.split_at_checked(letters.len() + 1) } else { None }
}

fn is_float(head: &str) -> bool {
    let known = [
        "BF16", "BF32", "F16", "F32", "F64", "F8", "FP16", "FP32", "FP64", "FP8", "FP4", "MXFP4", "MXFP6",
        "MXFP8", "NVFP4",
    ];
    known.contains(&head)
}

fn is_integer(head: &str) -> bool {
    matches!(head, "INT8" | "INT4" | "TL1" | "TL2")
}

/// Words that are a tag only with a suffix: `I2_S`, `I8_S`, and a recipe's letter before a quant (`DQ4_K`).
fn is_bare(head: &str) -> bool {
    let is_recipe = || {
        let quant = head.strip_prefix(|c: char| c.is_ascii_uppercase());
        quant.is_some_and(|quant| quant.starts_with('Q') && is_quant(quant))
    };
    matches!(head, "I2" | "I4" | "I8") || is_recipe()
}

/// What may follow a head after an underscore: `K`, `KS`, `XXS`, `NL`, `M`, `0`, `4`, `R4`, `MOE`.
fn is_suffix(text: &str) -> bool {
    let is_digit = text.len() == 1 && text.bytes().all(|byte| byte.is_ascii_digit());
    let known = [
        "H", "HB", "K", "KL", "KM", "KS", "KSS", "KT", "KV", "L", "M", "MOE", "NL", "P", "R4", "R8", "S",
        "XL", "XS", "XXL", "XXS",
    ];
    is_digit || known.contains(&text)
}

/// Tags written without underscores: `Q4KM`, `Q40`, `IQ3XXS`.
fn loose(head: &str) -> Option<String> {
    let (quant, rest) = quant_digits(head)?;
    if matches!(rest, "0" | "1" | "K" | "XXS" | "XS" | "NL") {
        return Some(format!("{quant}_{rest}"));
    }
    let size = rest.strip_prefix('K')?;
    matches!(size, "S" | "M" | "L" | "XL").then(|| format!("{quant}_K_{size}"))
}

fn canonical(body: &[&str]) -> String {
    let mut parts = body.iter();
    let head = parts.next().copied().unwrap_or_default();
    let mut tag = loose(head).unwrap_or_else(|| head.to_owned());
    for part in parts {
        tag.push('_');
        tag.push_str(part);
    }
    tag
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_tags_in_every_spelling() {
        let cases = [
            ("Llama-3.2-3B-Instruct-Q4_K_M", "Q4_K_M"),
            ("Llama-3.2-3B-Instruct.i1-IQ3_XXS", "IQ3_XXS"),
            ("GLM-4.6-UD-Q3_K_XL", "UD-Q3_K_XL"),
            ("gemma-2b-it.q4_k_s", "Q4_K_S"),
            ("mistral-7b-q4km", "Q4_K_M"),
            ("mistral-7b-q40", "Q4_0"),
            ("mistral-7b-q2k-extra-small", "Q2_K"),
            ("Llama-Q4_0_4_8", "Q4_0_4_8"),
            ("x-Q4_K_L", "Q4_K_L"),
            ("x-Q4_K", "Q4_K"),
            ("gpt-oss-20b-mxfp4", "MXFP4"),
            ("x-MXFP4_MOE", "MXFP4_MOE"),
            ("ggml-model-i2_s", "I2_S"),
            ("x-TQ1_0", "TQ1_0"),
            ("x-IQ4_KSS", "IQ4_KSS"),
            ("mistral_7b_q5_k_m", "Q5_K_M"),
            ("qwen2.5-7b-instruct-fp16", "FP16"),
            ("X.f16.Q6_K", "Q6_K"),
            ("x-q4", "Q4"),
            ("x-IQ4_XS-3.53bpw", "IQ4_XS-3.53bpw"),
            ("x-Q3_K_S_4bpw", "Q3_K_S-4bpw"),
            ("x-DQ4_K_R4", "DQ4_K_R4"),
            ("x-HQ4_K", "HQ4_K"),
        ];
        for (stem, tag) in cases {
            assert_eq!(find(stem).map(|found| found.tag).as_deref(), Some(tag), "{stem}");
        }
        for stem in
            ["Llama-3.2-3B", "qwen2-7b-instruct", "i1", "", "QwQ-32B", "model-00001", "DQ4", "x-2.76bpw"]
        {
            assert_eq!(find(stem), None, "{stem}");
        }
    }

    #[test]
    fn keeps_the_rest_as_the_model() {
        let rest = |stem| find(stem).map(|found| found.rest);
        assert_eq!(rest("A-Q4_K_M"), rest("a.q8_0"));
        assert_ne!(rest("A-Q4_K_M"), rest("B-Q4_K_M"));
        assert_eq!(rest("A-UD-Q4_K_XL"), rest("A-Q4_K_M"));
    }
}
