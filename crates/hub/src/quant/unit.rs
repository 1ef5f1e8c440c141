//! The smallest piece that is loaded as one: a graph with its data, a checkpoint with its shards, a package.

use std::collections::HashMap;

use super::Format;
use super::entry::{last_component, parent};
use super::stem::{self, Stem};

#[derive(Debug)]
pub(super) struct Unit {
    pub(super) format: Format,
    /// Tells loaders apart inside a format: `onnx` and `ort`, `pt` and `bin`.
    pub(super) dialect: String,
    /// The folder it lies in.
    pub(super) dir: String,
    /// File stem without part numbers.
    pub(super) stem: String,
    /// Number of parts the names announce.
    pub(super) total: Option<u32>,
    /// Whether it has a shard map.
    pub(super) is_mapped: bool,
    /// Indices of its files.
    pub(super) files: Vec<usize>,
    /// Size of its files together.
    pub(super) bytes: u64,
}

/// Where a unit belongs, read from its folder.
#[derive(Debug, Clone, Default)]
pub(super) struct Home {
    /// The folder of the whole model.
    pub(super) base: String,
    /// The folders below it that name the part (`unet`).
    pub(super) session: String,
    /// A variant between the part and the file (`unet/fp16`).
    pub(super) variant: String,
    /// A variant that the model's own folder names (`int8/`, `onnx_fp16/`, `alpha-int4/`).
    pub(super) folder_variant: String,
}

/// Finds homes; remembers the folders it has seen.
pub(super) struct Homes<'a> {
    pipelines: &'a Pipelines,
    known: HashMap<String, Home>,
}

/// Folders whose subfolders are parts of one model.
#[derive(Debug, Default)]
pub(super) struct Pipelines {
    /// Folders with a `model_index.json` (diffusers).
    pub(super) diffusers: std::collections::HashSet<String>,
    /// Folders with a `modules.json` (sentence-transformers), whose parts are named `2_Dense`.
    pub(super) modules: std::collections::HashSet<String>,
    /// Folders with a `hyperparams.yaml` (`SpeechBrain`), which names the checkpoints beside it as parts.
    pub(super) recipes: std::collections::HashSet<String>,
}

impl Pipelines {
    /// A checkpoint beside the parts of a diffusers pipeline is a whole model in another layout.
    fn is_whole(&self, dir: &str) -> bool {
        self.diffusers.contains(dir)
    }

    fn is_part(&self, dir: &str) -> bool {
        let (above, name) = (parent(dir), last_component(dir));
        let numbered =
            name.split_once('_').is_some_and(|(digits, _)| digits.bytes().all(|b| b.is_ascii_digit()));
        self.diffusers.contains(above) || (numbered && self.modules.contains(above))
    }
}

impl<'a> Homes<'a> {
    pub(super) fn new(pipelines: &'a Pipelines) -> Self {
        Self { pipelines, known: HashMap::new() }
    }

    pub(super) fn of(&mut self, dir: &str) -> Home {
        if let Some(home) = self.known.get(dir) {
            return home.clone();
        }
        let home = self.find(dir);
        self.known.insert(dir.to_owned(), home.clone());
        home
    }

    /// Whether a file right in this folder is a model of its own and no part of the one in its subfolders.
    pub(super) fn holds_whole_models(&self, dir: &str) -> bool {
        self.pipelines.is_whole(dir)
    }

    /// Whether every checkpoint right in this folder is a part of one model, whatever it is called.
    pub(super) fn holds_parts(&self, dir: &str) -> bool {
        self.pipelines.recipes.contains(dir)
    }

    fn find(&self, dir: &str) -> Home {
        let mut home = Home::default();
        let mut base = dir;
        while !base.is_empty() {
            let component = stem::parse(last_component(base));
            if self.is_part(base, &component) {
                home.session = [last_component(base), "/", &home.session].concat();
            } else if home.session.is_empty() && is_variant(&component) && self.is_part_folder(parent(base)) {
                component.variant.clone_into(&mut home.variant);
            } else {
                break;
            }
            base = parent(base);
        }
        home.folder_variant = stem::parse(last_component(base)).variant;
        base.clone_into(&mut home.base);
        home
    }

    fn is_part_folder(&self, dir: &str) -> bool {
        !dir.is_empty() && self.is_part(dir, &stem::parse(last_component(dir)))
    }

    fn is_part(&self, dir: &str, component: &Stem) -> bool {
        self.pipelines.is_part(dir)
            || (component.has_role && component.name.is_empty() && component.variant.is_empty())
    }
}

fn is_variant(component: &Stem) -> bool {
    component.name.is_empty() && !component.has_role && !component.variant.is_empty()
}
