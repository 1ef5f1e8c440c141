//! Folders whose content is not a model, whatever its extension says.

/// How much a folder's name says about the files in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FolderKind {
    /// May hold a model.
    Plain,
    /// Often holds inputs and samples: loose formats such as `.bin` and `.npz` are data there.
    Loose,
    /// Never holds a model.
    Data,
    /// Resources that a speech front end reads by folder.
    Resources,
}

const DATA: &[&str] = &[
    "__pycache__",
    "checkpoints_optimizer",
    "dataset",
    "datasets",
    "eval",
    "eval_results",
    "evals",
    "evaluation",
    "evaluations",
    "lightning_logs",
    "log",
    "logs",
    "optimizer",
    "predictions",
    "results",
    "runs",
    "speaker_embeddings",
    "speakers",
    "tensorboard",
    "test_wavs",
    "voices",
    "wandb",
    "wavs",
];

const DATA_PREFIXES: &[&str] = &["benchmark", "calibration", "global_step", "test_data"];

const LOOSE: &[&str] = &[
    "asset", "assets", "audio", "data", "demo", "demos", "doc", "docs", "example", "examples", "figures",
    "images", "img", "media", "prompts", "sample", "samples", "test", "tests", "voice",
];

const RESOURCES: &[&str] = &["dict", "espeak-ng-data", "lang"];

/// The strongest meaning of any component of `dir`; whatever lies in resources is one (`espeak-ng-data/voices`).
pub(super) fn kind(dir: &str) -> FolderKind {
    let mut found = FolderKind::Plain;
    for component in dir.split('/') {
        match component_kind(&component.to_ascii_lowercase()) {
            settled @ (FolderKind::Data | FolderKind::Resources) => return settled,
            FolderKind::Plain => {}
            FolderKind::Loose => found = FolderKind::Loose,
        }
    }
    found
}

fn component_kind(component: &str) -> FolderKind {
    let hidden = component.starts_with('.') && component.len() > 1;
    if hidden || DATA.contains(&component) || DATA_PREFIXES.iter().any(|prefix| component.starts_with(prefix))
    {
        FolderKind::Data
    } else if RESOURCES.contains(&component) {
        FolderKind::Resources
    } else if LOOSE.contains(&component) || component.starts_with("example") {
        FolderKind::Loose
    } else {
        FolderKind::Plain
    }
}
