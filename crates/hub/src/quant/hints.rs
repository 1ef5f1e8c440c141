//! What the Hub knows about a repository besides its files.

use super::dtype;

/// Facts from the model info that name a variant when no file name does. The default knows nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hints {
    /// Identifier of the repository, `owner/name`.
    pub repo: Option<String>,
    /// `library_name` of the model card.
    pub library_name: Option<String>,
    /// Tags of the repository.
    pub tags: Vec<String>,
    /// `config.quantization_config.quant_method`: `awq`, `gptq`, `bitsandbytes`, ...
    pub quant_method: Option<String>,
    /// Bits per weight from the same place, or from the MLX `quantization` section.
    pub bits: Option<u32>,
    /// The dtype that most parameters have, as the Hub reports it (`BF16`).
    pub dtype: Option<String>,
    /// Whether the repository is in MLX form.
    pub mlx: bool,
}

const METHODS: &[&str] = &[
    "aqlm",
    "auto-round",
    "awq",
    "bitsandbytes",
    "bnb",
    "compressed-tensors",
    "eetq",
    "exl2",
    "exl3",
    "fp8",
    "gptq",
    "hqq",
    "marlin",
    "mxfp4",
    "nvfp4",
    "quanto",
    "svdquant",
    "torchao",
    "vptq",
];

/// Methods that stand for many precisions; the repository's name often says which.
const FRAMEWORKS: &[&str] = &["compressed-tensors", "modelopt", "quanto", "quark", "torchao"];

impl Hints {
    /// Those in the `config.json` of a model whose repository no Hub was asked about.
    #[must_use]
    pub fn of_config(repo: &str, config: &[u8]) -> Self {
        crate::model_info::hints_of_config(repo, config)
    }

    /// The method, `4bit` for MLX, or a quantization word in the name of the repository.
    pub(super) fn method(&self) -> Option<String> {
        let told = self.quant_method.as_deref().map(str::to_ascii_lowercase);
        let tagged = || {
            self.tags.iter().map(|tag| tag.to_ascii_lowercase()).find(|tag| METHODS.contains(&tag.as_str()))
        };
        if self.is_mlx() {
            return self.mlx_bits().or_else(|| self.in_repo_name());
        }
        match told.or_else(tagged) {
            Some(method) if matches!(method.as_str(), "bitsandbytes" | "bnb") => Some(self.bitsandbytes()),
            Some(method) if FRAMEWORKS.contains(&method.as_str()) => {
                Some(self.in_repo_name().unwrap_or(method))
            }
            Some(method) => Some(method),
            None => self.in_repo_name(),
        }
    }

    /// The dtype the Hub reports.
    pub(super) fn dtype(&self) -> Option<String> {
        self.dtype.as_deref().map(dtype::of_hub)
    }

    fn is_mlx(&self) -> bool {
        self.mlx || self.library_name.as_deref() == Some("mlx") || self.tags.iter().any(|tag| tag == "mlx")
    }

    fn mlx_bits(&self) -> Option<String> {
        let tagged = || self.tags.iter().find_map(|tag| tag.strip_suffix("-bit")?.parse().ok());
        self.bits.or_else(tagged).map(|bits: u32| format!("{bits}bit"))
    }

    fn bitsandbytes(&self) -> String {
        self.mlx_bits().map_or_else(|| "bnb".to_owned(), |bits| format!("bnb-{bits}"))
    }

    /// The last run of quantization words in the repository's name: a known method alone, else the whole run.
    pub(super) fn in_repo_name(&self) -> Option<String> {
        let name = self.repo.as_deref()?.rsplit('/').next()?.to_ascii_lowercase();
        let words = words(&name);
        if words.iter().any(|(_, word)| *word == "unquantized") {
            return None;
        }
        let last = words.iter().rposition(|(_, word)| is_quantization(word))?;
        let in_run = |word: &str| is_quantization(word) || dtype::is_qualifier(word);
        let run = words.get(..=last)?.iter().rev().take_while(|(_, word)| in_run(word)).count();
        let number = words
            .get(last + 1..)?
            .iter()
            .take_while(|(_, word)| word.len() == 1 && word.parse::<u8>().is_ok());
        let run = words.get(last + 1 - run..=last + number.count())?;
        let method = run.iter().find(|(_, word)| METHODS.contains(word));
        let ((start, _), (end, word)) = (run.first()?, run.last()?);
        Some(
            method
                .map_or_else(|| name.get(*start..end + word.len()), |(_, method)| Some(*method))?
                .to_owned(),
        )
    }
}

fn is_quantization(word: &str) -> bool {
    dtype::is_precision(word) || METHODS.contains(&word)
}

/// The words of a name with their positions.
fn words(name: &str) -> Vec<(usize, &str)> {
    let ends = name.match_indices(['-', '_', '.']).map(|(at, _)| at).chain(std::iter::once(name.len()));
    let mut start = 0;
    ends.filter_map(|end| {
        let word = (start, name.get(start..end)?);
        start = end + 1;
        Some(word)
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_the_method() {
        let named = |repo: &str| Hints { repo: Some(repo.to_owned()), ..Hints::default() }.method();
        assert_eq!(named("TheBloke/Llama-2-7B-AWQ").as_deref(), Some("awq"));
        assert_eq!(named("OpenVINO/gemma-7b-int4-ov").as_deref(), Some("int4"));
        assert_eq!(named("mlx-community/Qwen2-7B-4bit").as_deref(), Some("4bit"));
        assert_eq!(named("mlc-ai/Llama-3.2-1B-q4f16_1-MLC").as_deref(), Some("q4f16_1"));
        assert_eq!(named("mlc-ai/Qwen3-0.6B-q0f16-MLC").as_deref(), Some("q0f16"));
        assert_eq!(named("amd/Llama-awq-g128-int4-asym-fp16-onnx-hybrid").as_deref(), Some("awq"));
        assert_eq!(named("example/Llama-int4-asym-bf16-onnx").as_deref(), Some("int4-asym-bf16"));
        for plain in [
            "openai-community/gpt2",
            "facebook/opt-125m",
            "AIDC-AI/Marco-o1",
            "intfloat/e5-base",
            "google/gemma-3n-E2B-it",
            "google/gemma-3-1b-it-qat-q4_0-unquantized",
        ] {
            assert_eq!(named(plain), None, "{plain}");
        }
        let bnb = Hints { quant_method: Some("bitsandbytes".to_owned()), bits: Some(4), ..Hints::default() };
        assert_eq!(bnb.method().as_deref(), Some("bnb-4bit"));
        let mlx = Hints { mlx: true, bits: Some(8), ..Hints::default() };
        assert_eq!(mlx.method().as_deref(), Some("8bit"));
    }
}
