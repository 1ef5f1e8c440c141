//! The Hub's answer to `GET /api/models/{repo}/revision/{revision}?blobs=true`, as far as it is used here.

use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::listing::Digest;
use crate::promise::Promise;
use crate::quant::Hints;

/// Unknown fields are ignored, and optional ones of another type than expected count as absent: mirrors differ.
#[derive(Deserialize)]
pub(crate) struct ModelInfo {
    #[serde(default, deserialize_with = "lenient")]
    pub(crate) id: Option<String>,
    #[serde(default, rename = "modelId", deserialize_with = "lenient")]
    pub(crate) model_id: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub(crate) sha: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub(crate) pipeline_tag: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub(crate) library_name: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    pub(crate) tags: Option<Vec<String>>,
    #[serde(default)]
    gated: Value,
    #[serde(default, rename = "cardData")]
    card: Value,
    #[serde(default)]
    config: Value,
    #[serde(default)]
    safetensors: Value,
    pub(crate) siblings: Option<Vec<Sibling>>,
}

/// One file of the listing: model info names its fields `rfilename` and `blobId`, the tree `path` and `oid`.
#[derive(Deserialize)]
pub(crate) struct Sibling {
    #[serde(default)]
    rfilename: Option<String>,
    #[serde(default)]
    path: Option<String>,
    #[serde(rename = "type", default)]
    kind: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    size: Option<u64>,
    #[serde(rename = "blobId", default, deserialize_with = "lenient")]
    blob_id: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    oid: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    lfs: Option<Lfs>,
    /// What the Hub told elsewhere.
    #[serde(skip)]
    pub(crate) promised: Option<Promise>,
}

/// The LFS pointer's content; the digest is `sha256` in model info and `oid` in the tree.
#[derive(Deserialize)]
struct Lfs {
    #[serde(default)]
    sha256: Option<String>,
    #[serde(default)]
    oid: Option<String>,
    #[serde(default)]
    size: Option<u64>,
}

impl ModelInfo {
    /// `false` or absent means open; `"auto"`, `"manual"` and `true` mean gated.
    pub(crate) fn gated(&self) -> bool {
        match &self.gated {
            Value::Bool(gated) => *gated,
            Value::String(kind) => kind != "false",
            _ => false,
        }
    }

    /// The model card's `license` (the first of a list), else the `license:` tag.
    pub(crate) fn license(&self) -> Option<String> {
        let card = match self.card.get("license") {
            Some(Value::Array(licenses)) => licenses.first().and_then(Value::as_str),
            other => other.and_then(Value::as_str),
        };
        let tags = self.tags.iter().flatten();
        card.or_else(|| tags.into_iter().find_map(|tag| tag.strip_prefix("license:"))).map(str::to_owned)
    }

    /// What tells a variant apart where no file name does; `repo` is the repository's id.
    pub(crate) fn hints(&self, repo: &str) -> Hints {
        let tags = self.tags.clone().unwrap_or_default();
        let method =
            self.config.get("quantization_config").and_then(|config| config.get("quant_method")?.as_str());
        Hints {
            repo: Some(repo.to_owned()),
            mlx: self.library_name.as_deref() == Some("mlx") || tags.iter().any(|tag| tag == "mlx"),
            library_name: self.library_name.clone(),
            tags,
            quant_method: method.map(str::to_owned),
            bits: self.bits(),
            dtype: self.dtype(),
        }
    }

    /// Bits per weight: `bits` (GPTQ, AWQ), `w_bit` (older AWQ), the flags of bitsandbytes, or MLX's own section.
    fn bits(&self) -> Option<u32> {
        let quantization =
            self.config.get("quantization_config").or_else(|| self.config.get("quantization"))?;
        let flag = |name: &str| quantization.get(name).and_then(Value::as_bool) == Some(true);
        let told = quantization.get("bits").or_else(|| quantization.get("w_bit")).and_then(Value::as_u64);
        let told = told.and_then(|bits| u32::try_from(bits).ok());
        told.or_else(|| flag("load_in_4bit").then_some(4)).or_else(|| flag("load_in_8bit").then_some(8))
    }

    /// The dtype of most parameters, from the Hub's count per dtype.
    fn dtype(&self) -> Option<String> {
        let counts = self.safetensors.get("parameters")?.as_object()?.iter();
        counts.max_by_key(|(_, count)| count.as_u64()).map(|(dtype, _)| dtype.clone())
    }
}

/// What a model's own `config.json` says about its quantization, for a repository that no Hub was asked about; a file that is no
/// JSON says nothing.
pub(crate) fn hints_of_config(repo: &str, config: &[u8]) -> Hints {
    let config: Value = serde_json::from_slice(config).unwrap_or_default();
    let dtype = config.get("torch_dtype").or_else(|| config.get("dtype")).and_then(Value::as_str);
    // The Hub counts parameters per dtype, under the names of safetensors.
    let dtype = match dtype {
        Some("bfloat16") => Some("BF16"),
        Some("float16") => Some("F16"),
        Some("float32") => Some("F32"),
        _ => None,
    };
    let mlx = config.get("quantization").is_some_and(Value::is_object);
    let parameters = dtype.map(|dtype| serde_json::json!({ "parameters": { dtype: 1 } }));
    let info = serde_json::json!({ "config": config, "safetensors": parameters });
    let hints = serde_json::from_value::<ModelInfo>(info).map(|info| info.hints(repo));
    Hints { mlx, ..hints.unwrap_or_else(|_| Hints { repo: Some(repo.to_owned()), ..Hints::default() }) }
}

impl Sibling {
    /// Empty when the server names none, which is no safe path.
    pub(crate) fn path(&self) -> &str {
        self.rfilename.as_deref().or(self.path.as_deref()).unwrap_or_default()
    }

    /// Trees also list folders.
    pub(crate) fn is_file(&self) -> bool {
        self.kind.as_deref().is_none_or(|kind| kind == "file")
    }

    /// Size and digest of the content, when both are there and well-formed. For LFS files the git blob is only the
    /// pointer.
    pub(crate) fn content(&self) -> Option<(u64, Digest)> {
        if let Some(Promise { size, digest }) = self.promised {
            return Some((size.or(self.size)?, digest));
        }
        let Some(lfs) = &self.lfs else {
            return Some((self.size?, Digest::git_sha1(self.blob_id.as_deref().or(self.oid.as_deref())?)?));
        };
        let digest = Digest::sha256(lfs.sha256.as_deref().or(lfs.oid.as_deref())?)?;
        Some((lfs.size.or(self.size)?, digest))
    }
}

/// `T` where the value has its shape, else `None`.
fn lenient<'de, D: Deserializer<'de>, T: serde::de::DeserializeOwned>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    Ok(serde_json::from_value(Value::deserialize(deserializer)?).ok())
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
        assert!(gated.gated());
        assert_eq!(gated.license().as_deref(), Some("mit"));
        assert!(gated.hints("a/b").mlx);
        let open = info(
            r#"{"gated":false,"tags":["license:apache-2.0"],"pipeline_tag":7,"config":{"quantization_config":{"quant_method":"awq","bits":4}},"safetensors":{"parameters":{"F32":9,"BF16":70}}}"#,
        );
        assert!(!open.gated());
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

    #[test]
    fn content_needs_size_and_a_whole_digest() {
        let sha256 = "ab".repeat(32);
        let sha1 = "cd".repeat(20);
        let content = |json: String| serde_json::from_str::<Sibling>(&json).unwrap().content();
        let lfs = content(format!(
            r#"{{"rfilename":"a","size":9,"blobId":"{sha1}","lfs":{{"sha256":"{sha256}","size":9,"pointerSize":134}}}}"#
        ));
        assert_eq!(lfs.unwrap(), (9, Digest::sha256(&sha256).unwrap()));
        let git = content(format!(r#"{{"type":"file","path":"a","size":9,"oid":"{sha1}"}}"#));
        assert_eq!(git.unwrap(), (9, Digest::git_sha1(&sha1).unwrap()));
        assert!(content(r#"{"rfilename":"a"}"#.to_owned()).is_none());
        assert!(content(r#"{"rfilename":"a","size":9,"blobId":"****"}"#.to_owned()).is_none());
        assert!(
            content(format!(r#"{{"rfilename":"a","size":9,"blobId":"{sha1}","lfs":{{"sha256":"***"}}}}"#))
                .is_none()
        );
    }
}
