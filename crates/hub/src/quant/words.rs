//! What a word of a file or folder name is about.

/// Parts of a model that are files of their own.
const ROLES: &[&str] = &[
    "acoustic",
    "audio",
    "backbone",
    "cache",
    "cached",
    "checker",
    "codec",
    "code2wav",
    "condition",
    "conditional",
    "conditioner",
    "connector",
    "controlnet",
    "cross",
    "decode",
    "decoder",
    "denoiser",
    "detection",
    "detector",
    "detokenizer",
    "duration",
    "embed",
    "embedder",
    "embedding",
    "encode",
    "encodec",
    "encoder",
    "estimator",
    "extractor",
    "feature",
    "features",
    "flow",
    "gen",
    "generator",
    "head",
    "hidden",
    "image",
    "img",
    "init",
    "initial",
    "input",
    "joint",
    "joiner",
    "language",
    "latent",
    "lm",
    "mask",
    "mel",
    "melspectrogram",
    "merged",
    "neck",
    "past",
    "perceiver",
    "postnet",
    "postprocessor",
    "predictor",
    "prefill",
    "prepare",
    "preprocess",
    "preprocessor",
    "prior",
    "projection",
    "projector",
    "prompt",
    "quantizer",
    "recognition",
    "resampler",
    "safety",
    "sampler",
    "scorer",
    "semantic",
    "speaker",
    "spectrogram",
    "speech",
    "talker",
    "text",
    "textual",
    "thinker",
    "token",
    "tokenizer",
    "transformer",
    "uncached",
    "unet",
    "vae",
    "vector",
    "vision",
    "visual",
    "vocoder",
    "voice",
    "vq",
    "with",
];

/// Words that every model could carry.
const FILLERS: &[&str] = &[
    "ckpt",
    "diffusion",
    "model",
    "onnx",
    "openvino",
    "ov",
    "output",
    "param",
    "pytorch",
    "safetensors",
    "tf",
    "weight",
];

/// What a word says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Word {
    Role,
    Filler,
    Variant,
    /// Digits: they continue a variant or a role, else they are part of a name.
    Number,
    Name,
}

/// Classifies one word as written; it holds no separators.
pub(super) fn classify(word: &str) -> Word {
    let lower = word.to_ascii_lowercase();
    if is_known(&lower, FILLERS) {
        Word::Filler
    } else if is_known(&lower, ROLES) || is_coder(&lower) || is_camel_role(word) {
        Word::Role
    } else if !lower.is_empty() && lower.bytes().all(|byte| byte.is_ascii_digit()) {
        Word::Number
    } else if super::dtype::is_variant(&lower) {
        Word::Variant
    } else {
        Word::Name
    }
}

/// In the list as it is, or as a plural.
/// The runs of letters and digits of a name.
pub(super) fn words(text: &str) -> impl Iterator<Item = &str> + Clone {
    text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty())
}

fn is_known(lower: &str, list: &[&str]) -> bool {
    list.contains(&lower) || lower.strip_suffix('s').is_some_and(|singular| list.contains(&singular))
}

/// `textencoder`: a role that says what is encoded or decoded.
fn is_coder(lower: &str) -> bool {
    let head = lower.strip_suffix("encoder").or_else(|| lower.strip_suffix("decoder"));
    head.is_some_and(|head| ROLES.contains(&head))
}

/// `AudioEncoder`, `VAEDecoder`, `MelSpectrogram`: every hump is a role.
fn is_camel_role(word: &str) -> bool {
    let humps = humps(word);
    humps.len() > 1 && humps.iter().all(|hump| is_known(&hump.to_ascii_lowercase(), ROLES))
}

/// Splits the humps at the end that are roles off: `WhisperEncoder` into `Whisper` and `Encoder`.
pub(super) fn trailing_roles(word: &str) -> (&str, &str) {
    let is_role = |hump: &&&str| is_known(&hump.to_ascii_lowercase(), ROLES);
    let length: usize = humps(word).iter().rev().take_while(is_role).map(|hump| hump.len()).sum();
    word.split_at_checked(word.len() - length).unwrap_or((word, ""))
}

/// Splits before an upper-case letter that follows a lower-case one, or that ends a run of upper-case ones.
fn humps(word: &str) -> Vec<&str> {
    let bytes = word.as_bytes();
    let is_upper = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_uppercase);
    let is_lower = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_lowercase);
    let starts = (1..bytes.len()).filter(|&at| is_upper(at) && (is_lower(at - 1) || is_lower(at + 1)));
    let edges: Vec<usize> = std::iter::once(0).chain(starts).chain(std::iter::once(bytes.len())).collect();
    edges.windows(2).filter_map(|edge| word.get(*edge.first()?..*edge.get(1)?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classifies_words() {
        let roles = [
            "encoder",
            "tokens",
            "AudioEncoder",
            "VAEDecoder",
            "TextEncoder",
            "MelSpectrogram",
            "vaedecoder",
        ];
        assert!(roles.iter().all(|word| classify(word) == Word::Role));
        assert_eq!(classify("models"), Word::Filler);
        assert_eq!(classify("INT8"), Word::Variant);
        assert_eq!(classify("99"), Word::Number);
        assert!(
            ["yolov8n", "MobileNet", "Llama", "merge", "autoencoder"]
                .iter()
                .all(|word| classify(word) == Word::Name)
        );
    }
}
