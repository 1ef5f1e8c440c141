//! The role of a file, and the roles that a file's own name already decides.

/// What a file is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Holds the model (or the graph whose tensors lie in external data).
    Weights,
    /// Tensors that belong to a graph in another file.
    ExternalData,
    /// Vocabulary, merges, tokenizer model and its settings.
    Tokenizer,
    /// Settings and code that loading needs.
    Config,
    /// Multimodal projector of a GGUF model.
    Projector,
    /// Draft model for speculative decoding.
    Draft,
    /// Importance matrix used when quantizing.
    Imatrix,
    /// `LoRA` or another adapter.
    Adapter,
    /// Maps tensors to shards.
    Index,
    /// For people: model card, license, pictures.
    Documentation,
    /// Training state, evaluation results, test inputs, voices, data sets.
    Data,
    /// None of these.
    Other,
}

impl Role {
    /// The name used in manifests.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Weights => "weights",
            Self::ExternalData => "external-data",
            Self::Tokenizer => "tokenizer",
            Self::Config => "config",
            Self::Projector => "projector",
            Self::Draft => "draft",
            Self::Imatrix => "imatrix",
            Self::Adapter => "adapter",
            Self::Index => "index",
            Self::Documentation => "documentation",
            Self::Data => "data",
            Self::Other => "other",
        }
    }

    /// Whether loading a model needs the file although it holds no weights.
    pub(super) const fn supports_weights(self) -> bool {
        matches!(self, Self::Tokenizer | Self::Config)
    }
}

const DOCUMENTATION_STEMS: &[&str] = &[
    "authors",
    "changelog",
    "citation",
    "code_of_conduct",
    "contributing",
    "copying",
    "dockerfile",
    "license",
    "licence",
    "makefile",
    "model_card",
    "modelcard",
    "notice",
    "readme",
    "requirements",
    "security",
    "use_policy",
    "version",
];

const DOCUMENTATION_EXTENSIONS: &[&str] = &[
    "avif", "bib", "bmp", "cff", "gif", "html", "ico", "ipynb", "jpeg", "jpg", "md", "mp4", "pdf", "png",
    "rst", "svg", "tex", "tiff", "webm", "webp",
];

const DATA_EXTENSIONS: &[&str] = &[
    "arrow",
    "csv",
    "db",
    "feather",
    "flac",
    "jsonl",
    "lock",
    "log",
    "lmdb",
    "m4a",
    "mdb",
    "mp3",
    "mp4",
    "ndjson",
    "npy",
    "ogg",
    "out",
    "parquet",
    "sqlite",
    "tfrecord",
    "tfrecords",
    "tsv",
    "wav",
    "xlsx",
];

const CONFIG_EXTENSIONS: &[&str] = &[
    "cfg", "conf", "ini", "jinja", "jinja2", "json", "mvn", "names", "pbtxt", "prototxt", "py", "template",
    "toml", "xml", "yaml", "yml",
];

/// Programs, libraries and archives: part of no model.
const UNRELATED_EXTENSIONS: &[&str] = &[
    "7z", "a", "bat", "bz2", "c", "cc", "cpp", "cu", "cuh", "dll", "dylib", "exe", "go", "gz", "h", "hash",
    "hpp", "java", "js", "kt", "lib", "md5", "mjs", "ps1", "pyc", "rs", "sh", "sha256", "sig", "so", "swift",
    "tar", "tgz", "ts", "wasm", "whl", "xz", "zip", "zst",
];

/// Plain text that a tokenizer or a front end reads.
const TOKENIZER_TEXTS: &[&str] = &[
    "dict.txt",
    "keywords.txt",
    "lexicon.txt",
    "merges.txt",
    "phonemes.txt",
    "tokens.txt",
    "unigram.txt",
    "units.txt",
    "vocab.txt",
    "vocabulary.txt",
    "words.txt",
];

const TOKENIZER_EXTENSIONS: &[&str] = &["bpe", "fst", "model", "spm", "tiktoken", "vocab"];

/// The role that the name alone decides; `None` when it may hold weights or tensors. `name` is lower case.
pub(super) fn of_name(name: &str) -> Option<Role> {
    if name.starts_with('.') {
        return Some(Role::Documentation);
    }
    let (stem, extension) = name.rsplit_once('.').unwrap_or((name, ""));
    if is_documentation(stem, extension) {
        Some(Role::Documentation)
    } else if TOKENIZER_TEXTS.contains(&name) || is_tokenizer(stem, extension) {
        Some(Role::Tokenizer)
    } else if DATA_EXTENSIONS.contains(&extension)
        || name.contains(".tfevents.")
        || is_result(stem, extension)
    {
        Some(Role::Data)
    } else if CONFIG_EXTENSIONS.contains(&extension) {
        Some(Role::Config)
    } else if extension == "txt" {
        Some(role_of_text(stem))
    } else if UNRELATED_EXTENSIONS.contains(&extension) {
        Some(Role::Other)
    } else {
        None
    }
}

fn is_documentation(stem: &str, extension: &str) -> bool {
    let holds_text = extension.is_empty() || matches!(extension, "txt" | "md" | "pdf" | "yml");
    DOCUMENTATION_EXTENSIONS.contains(&extension)
        || (holds_text && DOCUMENTATION_STEMS.iter().any(|known| stem.starts_with(known)))
}

fn is_tokenizer(stem: &str, extension: &str) -> bool {
    let structured = matches!(extension, "json" | "jinja" | "txt" | "py");
    TOKENIZER_EXTENSIONS.contains(&extension)
        || stem.rsplit_once('.').is_some_and(|(_, inner)| inner == "spm")
        || (structured
            && (stem.contains("token")
                || stem.contains("vocab")
                || stem.contains("lexicon")
                || stem == "merges"
                || stem == "chat_template"))
}

/// Training and evaluation records kept as JSON.
fn is_result(stem: &str, extension: &str) -> bool {
    let is_record = stem.ends_with("_results")
        || stem.starts_with("eval_")
        || matches!(stem, "results" | "trainer_state" | "metrics" | "log_history" | "all_results");
    extension == "json" && is_record
}

fn role_of_text(stem: &str) -> Role {
    let names_outputs = ["label", "class", "categor", "tags", "phone"].iter().any(|word| stem.contains(word));
    if names_outputs { Role::Config } else { Role::Documentation }
}
