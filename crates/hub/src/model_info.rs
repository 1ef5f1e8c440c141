//! The Hub's answer to `GET /api/models/{repo}/revision/{revision}?blobs=true`, as far as it is used here.

use serde::Deserialize;

use crate::lenient::{Greatest, affirmed, first_word, lenient, object, word, words};
use crate::quant::Hints;
use crate::sibling::Siblings;

/// Unknown fields are ignored, and optional ones of another type than expected count as absent: mirrors differ.
#[derive(Deserialize)]
pub(crate) struct ModelInfo {
    #[serde(default, deserialize_with = "word")]
    pub(crate) id: Option<String>,
    #[serde(default, rename = "modelId", deserialize_with = "word")]
    pub(crate) model_id: Option<String>,
    #[serde(default, deserialize_with = "word")]
    pub(crate) sha: Option<String>,
    #[serde(default, deserialize_with = "word")]
    pub(crate) pipeline_tag: Option<String>,
    #[serde(default, deserialize_with = "word")]
    pub(crate) library_name: Option<String>,
    #[serde(default, deserialize_with = "words")]
    pub(crate) tags: Vec<String>,
    /// `false` or absent means open; `"auto"`, `"manual"` and `true` mean gated.
    #[serde(default, deserialize_with = "affirmed")]
    pub(crate) gated: bool,
    #[serde(default, rename = "cardData", deserialize_with = "object")]
    card: Option<Card>,
    #[serde(default, deserialize_with = "object")]
    config: Option<ModelConfig>,
    #[serde(default, deserialize_with = "object")]
    safetensors: Option<Safetensors>,
    pub(crate) siblings: Option<Siblings>,
}

#[derive(Deserialize)]
struct Card {
    #[serde(default, deserialize_with = "first_word")]
    license: Option<String>,
}

/// Of the model's `config.json`.
#[derive(Default, Deserialize)]
#[serde(default)]
struct ModelConfig {
    #[serde(deserialize_with = "object")]
    quantization_config: Option<Quantization>,
    /// MLX's own.
    #[serde(deserialize_with = "object")]
    quantization: Option<Quantization>,
    #[serde(deserialize_with = "word")]
    torch_dtype: Option<String>,
    #[serde(deserialize_with = "word")]
    dtype: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Quantization {
    #[serde(deserialize_with = "word")]
    quant_method: Option<String>,
    #[serde(deserialize_with = "lenient")]
    bits: Option<u32>,
    #[serde(deserialize_with = "lenient")]
    w_bit: Option<u32>,
    #[serde(deserialize_with = "lenient")]
    load_in_4bit: Option<bool>,
    #[serde(deserialize_with = "lenient")]
    load_in_8bit: Option<bool>,
}

/// The Hub's count of parameters per dtype.
#[derive(Deserialize)]
struct Safetensors {
    #[serde(default, deserialize_with = "object")]
    parameters: Option<Greatest>,
}

impl ModelInfo {
    /// The model card's `license` (the first of a list), else the `license:` tag.
    pub(crate) fn license(&self) -> Option<String> {
        let card = self.card.as_ref().and_then(|card| card.license.as_deref());
        let tagged = || self.tags.iter().find_map(|tag| tag.strip_prefix("license:"));
        card.or_else(tagged).map(str::to_owned)
    }

    /// What tells a variant apart where no file name does; `repo` is the repository's id.
    pub(crate) fn hints(&self, repo: &str) -> Hints {
        let config = self.config.as_ref();
        let counts = self.safetensors.as_ref().and_then(|counts| counts.parameters.as_ref());
        Hints {
            repo: Some(repo.to_owned()),
            mlx: self.library_name.as_deref() == Some("mlx") || self.tags.iter().any(|tag| tag == "mlx"),
            library_name: self.library_name.clone(),
            tags: self.tags.clone(),
            quant_method: config.and_then(ModelConfig::method),
            bits: config.and_then(ModelConfig::bits),
            dtype: counts.and_then(|counts| counts.0.clone()),
        }
    }
}

impl ModelConfig {
    fn method(&self) -> Option<String> {
        self.quantization_config.as_ref()?.quant_method.clone()
    }

    /// Bits per weight: `bits` (GPTQ, AWQ), `w_bit` (older AWQ), the flags of bitsandbytes, or MLX's own section.
    fn bits(&self) -> Option<u32> {
        let quantization = self.quantization_config.as_ref().or(self.quantization.as_ref())?;
        let flag = |flag: Option<bool>, bits: u32| (flag == Some(true)).then_some(bits);
        let told = quantization.bits.or(quantization.w_bit);
        told.or(flag(quantization.load_in_4bit, 4)).or(flag(quantization.load_in_8bit, 8))
    }

    /// The Hub counts parameters per dtype, under the names of safetensors.
    fn dtype(&self) -> Option<&'static str> {
        match self.torch_dtype.as_deref().or(self.dtype.as_deref())? {
            "bfloat16" => Some("BF16"),
            "float16" => Some("F16"),
            "float32" => Some("F32"),
            _ => None,
        }
    }
}

/// What a model's own `config.json` says about its quantization, for a repository that no Hub was asked about; a file that is no
/// JSON says nothing.
pub(crate) fn hints_of_config(repo: &str, config: &[u8]) -> Hints {
    let config: ModelConfig = serde_json::from_slice(config).unwrap_or_default();
    Hints {
        repo: Some(repo.to_owned()),
        mlx: config.quantization.is_some(),
        quant_method: config.method(),
        bits: config.bits(),
        dtype: config.dtype().map(str::to_owned),
        ..Hints::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(json: &str) -> ModelInfo {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn reads_gating_license_and_hints() {
        let gated = info(
            r#"{"gated":"manual","cardData":{"license":["mit","x"]},"tags":["license:apache-2.0","mlx"]}"#,
        );
        assert!(gated.gated);
        assert_eq!(gated.license().as_deref(), Some("mit"));
        assert!(gated.hints("a/b").mlx);
        let open = info(
            r#"{"gated":false,"tags":["license:apache-2.0"],"pipeline_tag":7,"config":{"quantization_config":{"quant_method":"awq","bits":4}},"safetensors":{"parameters":{"F32":9,"BF16":70}}}"#,
        );
        assert!(!open.gated);
        assert_eq!(open.license().as_deref(), Some("apache-2.0"));
        assert_eq!(open.pipeline_tag, None);
        let hints = open.hints("a/b");
        assert_eq!((hints.quant_method.as_deref(), hints.bits), (Some("awq"), Some(4)));
        assert_eq!((hints.dtype.as_deref(), hints.repo.as_deref()), (Some("BF16"), Some("a/b")));
    }

    #[test]
    fn a_configuration_alone_gives_hints() {
        let awq = br#"{"torch_dtype":"float16","quantization_config":{"quant_method":"awq","bits":4}}"#;
        let hints = hints_of_config("a/b", awq);
        assert_eq!((hints.quant_method.as_deref(), hints.bits), (Some("awq"), Some(4)));
        assert_eq!((hints.dtype.as_deref(), hints.repo.as_deref()), (Some("F16"), Some("a/b")));
        let mlx = hints_of_config("a/b", br#"{"quantization":{"group_size":64,"bits":8}}"#);
        assert_eq!((mlx.mlx, mlx.bits), (true, Some(8)));
        for none in [&b"no json"[..], b"[]", b"{}"] {
            let nothing = Hints { repo: Some("a/b".to_owned()), ..Hints::default() };
            assert_eq!(hints_of_config("a/b", none), nothing);
        }
    }
}
