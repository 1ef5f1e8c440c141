//! The grammar of words that say how weights are quantized or optimized.

/// Words without digits, and the few with digits that the grammar of numbers does not cover.
const WORDS: &[&str] = &[
    "acc",
    "amx",
    "aqlm",
    "arm64",
    "asym",
    "avx",
    "avx2",
    "avx512",
    "awq",
    "block",
    "bnb",
    "coreml",
    "cpu",
    "cuda",
    "directml",
    "dml",
    "dq",
    "dynamic",
    "ema",
    "exl2",
    "exl3",
    "float",
    "fp",
    "gpu",
    "gptq",
    "half",
    "hqq",
    "kquant",
    "level",
    "marlin",
    "mixed",
    "mobile",
    "nf4",
    "non",
    "npu",
    "opt",
    "optimised",
    "optimized",
    "ort",
    "ptq",
    "qat",
    "qdq",
    "qnn",
    "quant",
    "quantised",
    "quantized",
    "rtn",
    "scaled",
    "sim",
    "simplified",
    "smoothquant",
    "sq",
    "static",
    "svdq",
    "sym",
    "tensorrt",
    "trt",
    "vnni",
    "web",
    "webgpu",
];

const FULL_NAMES: &[&str] = &[
    "bfloat", "bnb", "float", "mxfp", "nvfp", "qint", "quint", "uint", "avx", "int", "bf", "fp", "nf", "qfp",
    "e", "f", "i", "o", "q", "u", "w", "a", "m",
];

const SIZES: &[&str] = &["1", "2", "3", "4", "5", "6", "8", "16", "32", "64"];

/// Whether the lower-case word is part of a variant on its own.
pub(super) fn is_variant(word: &str) -> bool {
    WORDS.contains(&word) || is_bits(word) || is_group_size(word) || is_number_format(word)
}

/// Whether the lower-case word names a number format beyond doubt, also outside of a file name.
pub(super) fn is_precision(word: &str) -> bool {
    is_bits(word) || (is_number_format(word) && !word.starts_with('o'))
}

/// Whether the lower-case word says more of a quantization that others name.
pub(super) fn is_qualifier(word: &str) -> bool {
    matches!(word, "asym" | "sym") || is_group_size(word)
}

/// `4bit`, `8bits`, `int4`-like words are left to [`is_number_format`].
fn is_bits(word: &str) -> bool {
    word.strip_suffix("bits").or_else(|| word.strip_suffix("bit")).is_some_and(is_size)
}

fn is_size(digits: &str) -> bool {
    SIZES.contains(&digits)
}

/// `128g`, `32g`: the group size of GPTQ and AWQ.
fn is_group_size(word: &str) -> bool {
    let digits = word.strip_suffix('g').or_else(|| word.strip_prefix('g'));
    digits.is_some_and(|digits| matches!(digits, "16" | "32" | "64" | "128" | "256"))
}

/// `fp16`, `q4f16`, `w8a16`, `uint8`, `e4m3fn`, `o3`, `q4k`: number formats, one after the other.
fn is_number_format(word: &str) -> bool {
    let mut rest = word;
    let mut parts = 0;
    while let Some((head, after)) = next_format(rest) {
        if !stands_alone(head, parts, after) {
            return false;
        }
        rest = after;
        parts += 1;
    }
    let is_k_quant = word.starts_with('q') && matches!(rest, "k" | "km" | "ks");
    parts > 0 && (is_k_quant || matches!(rest, "" | "fn" | "fnuz"))
}

/// A letter such as `w`, `e` or `a` begins a number format only together with a second one.
fn stands_alone(head: &str, position: usize, after: &str) -> bool {
    match head {
        "a" | "m" => position > 0,
        "e" | "w" => position == 0 && !after.is_empty(),
        "o" => position == 0 && after.is_empty(),
        _ => true,
    }
}

/// Splits a leading `letters digits` off, where the letters name a number type and the digits a width.
fn next_format(text: &str) -> Option<(&str, &str)> {
    FULL_NAMES.iter().find_map(|name| {
        let rest = text.strip_prefix(name)?;
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (width, after) = rest.split_at_checked(digits)?;
        // MLC calls weights that are left as they are `q0f16`.
        let is_unquantized = *name == "q" && width == "0" && !after.is_empty();
        (is_size(width) || is_unquantized).then_some((*name, after))
    })
}

/// The name transformers.js gives a file suffix; other suffixes keep their own spelling.
pub(super) fn onnx_name(suffix: &str) -> String {
    let lower = suffix.to_ascii_lowercase();
    match lower.as_str() {
        "" => "fp32".to_owned(),
        "quantized" => "q8".to_owned(),
        "fp32" | "fp16" | "int8" | "uint8" | "q8" | "q4" | "q4f16" | "q2" | "q2f16" | "q1" | "q1f16"
        | "bnb4" => lower,
        _ => suffix.to_owned(),
    }
}

/// The name of a dtype as the Hub reports it (`BF16`, `F32`, `F8_E4M3`, `float16`).
pub(super) fn of_hub(dtype: &str) -> String {
    let lower = dtype.to_ascii_lowercase();
    match lower.as_str() {
        "f64" | "float64" => "fp64".to_owned(),
        "f32" | "float32" | "float" => "fp32".to_owned(),
        "f16" | "float16" | "half" => "fp16".to_owned(),
        "bfloat16" => "bf16".to_owned(),
        _ if lower.starts_with("f8") || lower.starts_with("float8") => "fp8".to_owned(),
        _ => lower,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_variants_from_names() {
        for word in [
            "fp16", "q4f16", "qint8", "w8a16", "e4m3fn", "o3", "4bit", "128g", "bnb4", "avx512", "q4k",
            "nf4", "f16", "q0f16",
        ] {
            assert!(is_variant(word), "{word}");
        }
        for word in [
            "e5", "m3", "w600k", "u2net", "v2", "4b", "8x7b", "a1", "b32", "o1x", "i1k", "e2b", "l6", "base",
            "1", "q0", "",
        ] {
            assert!(!is_variant(word), "{word}");
        }
    }
}
