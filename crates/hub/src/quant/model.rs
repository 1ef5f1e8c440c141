//! Groups units into models: the same folder and name, in parts and variants.

use std::collections::{BTreeMap, BTreeSet};

use super::Format;
use super::adoption;
use super::stem::{self, Stem};
use super::unit::{Home, Homes, Unit};

/// One model of one format with all its variants.
#[derive(Debug)]
pub(super) struct Model {
    pub(super) format: Format,
    pub(super) base: String,
    pub(super) folder_variant: String,
    /// The words that name it; empty when its files are called by their parts alone.
    pub(super) name: String,
    /// The name alone, where it stands as a variant would: `smashed` of `model_smashed`.
    pub(super) suffix: Option<String>,
    /// What to call it when a file of the same meaning was there first.
    pub(super) label: Option<String>,
    /// Variant in lower case, then the part.
    pub(super) variants: BTreeMap<String, Variant>,
}

#[derive(Debug, Default)]
pub(super) struct Variant {
    /// As the files spell it; empty when they have no suffix.
    pub(super) text: String,
    /// Positions of units by the part they hold.
    pub(super) sessions: BTreeMap<String, usize>,
}

impl Model {
    pub(super) fn sessions(&self) -> BTreeSet<&str> {
        self.variants.values().flat_map(|variant| variant.sessions.keys().map(String::as_str)).collect()
    }
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Key {
    pub(super) format: Format,
    base: String,
    dialect: String,
    /// In lower case.
    pub(super) name: String,
    /// A file named by the model alone is a whole model and no part of one.
    whole: bool,
}

impl Key {
    /// Whether it is made of graphs, of which a model has several: Core ML packages are some too.
    pub(super) fn is_graph(&self) -> bool {
        matches!(self.format, Format::Onnx | Format::Openvino)
            || matches!(self.dialect.as_str(), "modelc" | "package")
    }

    /// The model without a name in the same folder.
    pub(super) fn canonical(&self) -> Self {
        Self { name: String::new(), whole: false, ..self.clone() }
    }
}

struct Place {
    key: Key,
    label: Option<String>,
    home: Home,
    stem: Stem,
}

/// Groups the units; the order of the result depends on the listing's content only.
pub(super) fn group(units: &[Unit], homes: &mut Homes<'_>) -> Vec<Model> {
    let mut models: BTreeMap<Key, Model> = BTreeMap::new();
    for (position, unit) in units.iter().enumerate() {
        let mut place = place(unit, homes);
        if is_taken(&models, &place) {
            let label =
                unit.stem.clone() + &unit.total.map(|total| format!("-of-{total}")).unwrap_or_default();
            place.key.name = label.to_ascii_lowercase();
            place.stem.name.clone_from(&label);
            place.label = Some(label);
        }
        if is_taken(&models, &place) {
            place.key.name = format!("{}#{position}", place.key.name);
        }
        insert(&mut models, place, position);
    }
    adoption::adopt_suffixed(&mut models, units);
    adoption::adopt_unnamed(&mut models);
    models.into_values().collect()
}

fn place(unit: &Unit, homes: &mut Homes<'_>) -> Place {
    let home = homes.of(&unit.dir);
    let mut stem = stem::parse(&unit.stem);
    let lower = unit.stem.to_ascii_lowercase();
    if lower.starts_with("openvino_") && !lower.starts_with("openvino_model_") {
        // Every `openvino_*` of a folder is a part of one export, whatever the part is called.
        if !stem.name.is_empty() {
            stem.session = [stem.session, stem.name].join("-");
        }
        stem.name = String::new();
        stem.title = String::new();
    }
    if stem.name.is_empty() && homes.holds_whole_models(&unit.dir) {
        stem.name.clone_from(&unit.stem);
        stem.title = String::new();
        stem.session = String::new();
    }
    let is_checkpoint = matches!(unit.format, Format::Pytorch | Format::Safetensors);
    if is_checkpoint && home.session.is_empty() && is_modality(&stem.session) {
        // `text.pt` beside `coarse.pt` is a model; `text_encoder.pt` is a part.
        stem.name.clone_from(&unit.stem);
        stem.session = String::new();
    }
    if unit.format == Format::Pytorch && homes.holds_parts(&unit.dir) {
        stem = Stem { session: unit.stem.clone(), ..Stem::default() };
    }
    if stem.variant.is_empty() {
        stem.variant.clone_from(&home.variant);
    }
    let key = Key {
        format: unit.format,
        base: home.base.clone(),
        dialect: unit.dialect.clone(),
        name: stem.name.to_ascii_lowercase(),
        whole: !stem.name.is_empty() && stem.session.is_empty(),
    };
    Place { key, label: None, home, stem }
}

/// Whether a session only says what goes in: `text`, `audio_2`.
fn is_modality(session: &str) -> bool {
    let word = session.trim_end_matches(|c: char| c.is_ascii_digit() || c == '_').to_ascii_lowercase();
    matches!(word.as_str(), "audio" | "image" | "semantic" | "speech" | "text" | "vision" | "voice")
}

impl Place {
    fn session(&self) -> String {
        [self.home.session.as_str(), self.stem.session.as_str()].concat().to_ascii_lowercase()
    }

    fn variant(&self) -> String {
        self.stem.variant.to_ascii_lowercase()
    }
}

fn is_taken(models: &BTreeMap<Key, Model>, place: &Place) -> bool {
    let variant = models.get(&place.key).and_then(|model| model.variants.get(&place.variant()));
    variant.is_some_and(|variant| variant.sessions.contains_key(&place.session()))
}

fn insert(models: &mut BTreeMap<Key, Model>, place: Place, position: usize) {
    let (variant, session) = (place.variant(), place.session());
    let Place { key, label, home, stem } = place;
    let model = models.entry(key.clone()).or_insert_with(|| Model {
        format: key.format,
        base: home.base,
        folder_variant: home.folder_variant,
        suffix: stem.is_suffixed.then(|| stem.name.clone()),
        label,
        name: if stem.title.is_empty() { stem.name } else { stem.title },
        variants: BTreeMap::new(),
    });
    let variant = model.variants.entry(variant).or_default();
    variant.text = stem.variant;
    variant.sessions.insert(session, position);
}
