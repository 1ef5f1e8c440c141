//! Folders that are one variant as a whole.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::candidate::Candidate;
use super::entry::{Entry, ancestors, last_component, parent};
use super::kind::Kind;
use super::unit::Unit;
use super::{Format, Hints, Role, dtype, stem};

/// What was found; the files in it are claimed and no longer looked at one by one.
#[derive(Default)]
pub(super) struct Packages {
    /// Core ML packages, `TensorFlow` `SavedModels`, Orbax checkpoints: units that can be parts of a model.
    pub(super) units: Vec<Unit>,
    /// Folders of onnxruntime-genai: complete variants.
    pub(super) candidates: Vec<Candidate>,
    /// Positions of the claimed files.
    pub(super) claimed: HashSet<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Shape {
    CoreMl,
    SavedModel,
    Genai,
}

/// Finds the packages and sets the roles of the files in them.
pub(super) fn collect(entries: &mut [Entry<'_>], hints: &Hints) -> Packages {
    let marked = marked_folders(entries);
    let mut members: BTreeMap<(Shape, &str), Vec<usize>> = BTreeMap::new();
    for (position, entry) in entries.iter_mut().enumerate() {
        if let Some((shape, root)) = package_of(entry, &marked)
            && claims(entry, shape, root)
        {
            settle(entry, shape);
            members.entry((shape, root)).or_default().push(position);
        }
    }
    let mut packages = Packages::default();
    for ((shape, root), positions) in members {
        packages.claimed.extend(&positions);
        match shape {
            Shape::Genai => packages.candidates.push(genai(root, &positions, entries, hints)),
            Shape::CoreMl | Shape::SavedModel => packages.units.push(unit(shape, root, &positions, entries)),
        }
    }
    packages
}

/// Folders that a file in them marks as a package.
fn marked_folders<'a>(entries: &[Entry<'a>]) -> HashMap<&'a str, Shape> {
    let shape_of = |entry: &Entry<'_>| match entry.lower.as_str() {
        "genai_config.json" => Some(Shape::Genai),
        "saved_model.pb" | "_metadata" | "manifest.ocdbt" => Some(Shape::SavedModel),
        _ => None,
    };
    entries.iter().filter_map(|entry| Some((entry.dir, shape_of(entry)?))).collect()
}

fn package_of<'a>(entry: &Entry<'a>, marked: &HashMap<&str, Shape>) -> Option<(Shape, &'a str)> {
    if let Some(root) = core_ml_root(entry.path) {
        return Some((Shape::CoreMl, root));
    }
    let mut packages = ancestors(entry.dir).filter_map(|dir| marked.get(dir).map(|shape| (*shape, dir)));
    let nearest = packages.next()?;
    let outer = packages.filter(|(shape, _)| *shape == Shape::SavedModel && nearest.0 == Shape::SavedModel);
    Some(outer.last().unwrap_or(nearest))
}

/// The path up to a component that is a Core ML package; a zipped package is its own root.
fn core_ml_root(path: &str) -> Option<&str> {
    if !path.as_bytes().windows(3).any(|part| part.eq_ignore_ascii_case(b".ml")) {
        return None;
    }
    let ends = path.match_indices('/').map(|(at, _)| at).chain(std::iter::once(path.len()));
    ends.filter_map(|end| path.get(..end)).find(|root| {
        let name = last_component(root).to_ascii_lowercase();
        let is_file = root.len() == path.len();
        let plain = if is_file { name.strip_suffix(".zip") } else { Some(name.as_str()) };
        let extension = plain.and_then(|plain| plain.rsplit_once('.')).map(|(_, extension)| extension);
        matches!(extension, Some("mlpackage" | "mlmodelc"))
    })
}

/// A package at the root of the repository takes the graphs and their data only: the rest is shared anyway.
fn claims(entry: &Entry<'_>, shape: Shape, root: &str) -> bool {
    let is_note = entry.kind == Kind::Settled(Role::Documentation);
    let at_root = root.is_empty();
    let is_graph = matches!(entry.kind, Kind::Graph(Format::Onnx) | Kind::Unknown | Kind::Bin);
    match shape {
        Shape::CoreMl => true,
        Shape::Genai if at_root => entry.dir.is_empty() && is_graph,
        Shape::SavedModel if at_root => {
            entry.extension() == "pb" || (matches!(entry.dir, "variables" | "assets") && !is_note)
        }
        Shape::Genai | Shape::SavedModel => !is_note,
    }
}

fn settle(entry: &mut Entry<'_>, shape: Shape) {
    let holds_tensors = matches!(entry.kind, Kind::Unknown | Kind::Bin);
    match shape {
        Shape::Genai if holds_tensors => entry.settle(Role::ExternalData),
        Shape::CoreMl | Shape::SavedModel => {
            let is_setting = entry.kind == Kind::Settled(Role::Config) && entry.extension() == "json";
            entry.settle(if is_setting { Role::Config } else { Role::Weights });
        }
        Shape::Genai => {}
    }
}

fn unit(shape: Shape, root: &str, positions: &[usize], entries: &[Entry<'_>]) -> Unit {
    let members = || positions.iter().filter_map(|position| entries.get(*position));
    let name = last_component(root);
    let (stem, dialect) = match shape {
        Shape::CoreMl => core_ml_name(name),
        _ => (saved_model_name(root), "saved_model"),
    };
    Unit {
        format: Format::Other,
        dialect: dialect.to_ascii_lowercase(),
        dir: parent(root).to_owned(),
        stem: stem.to_owned(),
        total: None,
        is_mapped: false,
        files: members().map(|entry| entry.index).collect(),
        bytes: members().map(|entry| entry.size).fold(0, u64::saturating_add),
    }
}

/// The name of a package and what follows `.ml`.
fn core_ml_name(name: &str) -> (&str, &str) {
    let at = name.to_ascii_lowercase().rfind(".ml").unwrap_or(name.len());
    let (stem, extension) = name.split_at_checked(at).unwrap_or((name, ""));
    (stem, extension.get(".ml".len()..).unwrap_or_default())
}

/// The last folder that is more than a version number.
fn saved_model_name(root: &str) -> &str {
    let is_version = |name: &str| name.bytes().all(|byte| byte.is_ascii_digit());
    ancestors(root).map(last_component).find(|name| !is_version(name)).unwrap_or("saved_model")
}

fn genai(root: &str, positions: &[usize], entries: &[Entry<'_>], hints: &Hints) -> Candidate {
    let members = || positions.iter().filter_map(|position| entries.get(*position));
    let graphs = members().filter(|entry| matches!(entry.kind, Kind::Graph(_)));
    let graph = graphs.max_by_key(|entry| entry.stem().len());
    let stem = graph.map_or("model", Entry::stem);
    let at_root = root.is_empty();
    let variant = stem::parse(stem).variant;
    let told = if variant.is_empty() { hints.in_repo_name().unwrap_or_default() } else { variant };
    let open = graph.filter(|graph| at_root && told.is_empty() && graph.extension() == "onnx");
    Candidate {
        format: Format::Onnx,
        dir: root.to_owned(),
        model: root.to_owned(),
        short: if at_root { dtype::onnx_name(&told) } else { root.to_owned() },
        label: if at_root { stem.to_owned() } else { root.to_owned() },
        detail: stem.to_owned(),
        by_folder: true,
        open: open.map(|graph| graph.index),
        files: members().map(|entry| entry.index).collect(),
    }
}
