//! Finds the files that hold a graph's tensors.
//!
//! The names of external data are inside the graph, which is not read here. What the listing shows is enough: data
//! begins with the file name or the stem of its graph (`model.onnx_data_1`, `model.onnx.data`, `model.data`), or it
//! has no other explanation in a folder with a graph (`weights.pb`, `onnx__MatMul_12`, `layers.0.bias`).

use std::collections::HashMap;

use super::Role;
use super::entry::Entry;
use super::kind::Kind;
use super::stem;

/// Beyond this many graphs in one folder a file without a graph's name is not shared out to all of them.
const SHARED_BY_AT_MOST: usize = 32;

/// For each graph (by its position) the positions of the files it needs.
pub(super) type Companions = HashMap<usize, Vec<usize>>;

#[derive(Default)]
struct Graphs {
    positions: Vec<usize>,
    by_file_name: HashMap<String, usize>,
    by_variant: HashMap<String, Vec<usize>>,
    /// Graphs of one stem, `.onnx` and `.ort`.
    by_stem: HashMap<String, Vec<usize>>,
}

/// Assigns external data and per-graph settings; sets the role of what it assigns.
pub(super) fn assign(entries: &mut [Entry<'_>]) -> Companions {
    let folders = graphs_by_folder(entries);
    let mut companions = Companions::new();
    for (position, entry) in entries.iter_mut().enumerate() {
        let Some(graphs) = folders.get(entry.dir) else { continue };
        let owners = owners(entry, graphs);
        if owners.is_empty() {
            continue;
        }
        if matches!(entry.kind, Kind::Unknown | Kind::Bin) {
            entry.settle(Role::ExternalData);
        }
        for owner in owners {
            companions.entry(owner).or_default().push(position);
        }
    }
    companions
}

fn graphs_by_folder<'a>(entries: &[Entry<'a>]) -> HashMap<&'a str, Graphs> {
    let mut folders: HashMap<&str, Graphs> = HashMap::new();
    for (position, entry) in entries.iter().enumerate() {
        if matches!(entry.kind, Kind::Graph(_)) {
            let graphs = folders.entry(entry.dir).or_default();
            graphs.positions.push(position);
            graphs.by_file_name.insert(entry.lower.clone(), position);
            let variant = stem::parse(entry.stem()).variant.to_ascii_lowercase();
            graphs.by_variant.entry(variant).or_default().push(position);
            graphs.by_stem.entry(entry.stem().to_ascii_lowercase()).or_default().push(position);
        }
    }
    folders
}

fn owners(entry: &Entry<'_>, graphs: &Graphs) -> Vec<usize> {
    let holds_tensors = matches!(entry.kind, Kind::Unknown | Kind::Bin);
    let is_setting = matches!(entry.kind, Kind::Settled(Role::Config | Role::Tokenizer));
    if !holds_tensors && !is_setting {
        return Vec::new();
    }
    if let Some(owner) = prefixes(&entry.lower).find_map(|prefix| graphs.by_file_name.get(prefix)) {
        return vec![*owner];
    }
    if !holds_tensors {
        return Vec::new();
    }
    if names_missing_graph(&entry.lower) {
        return stand_ins(entry, graphs);
    }
    let by_stem = prefixes(&entry.lower).find_map(|prefix| graphs.by_stem.get(prefix));
    match by_stem {
        Some(owners) => owners.clone(),
        None if may_be_tensors(&entry.lower) => nameless_owners(entry, graphs),
        None => Vec::new(),
    }
}

/// Whether the name is that of a graph and more, where no such graph was found.
fn names_missing_graph(name: &str) -> bool {
    name.find(".onnx").is_some_and(|at| at > 0)
}

/// Data of a graph that is not there, or was renamed: of use to a graph of the same variant, or to the only one.
fn stand_ins(entry: &Entry<'_>, graphs: &Graphs) -> Vec<usize> {
    let stem = entry.lower.split(".onnx").next().unwrap_or_default();
    let variant = stem::parse(stem).variant;
    let same = graphs.by_variant.get(&variant).filter(|same| same.len() <= SHARED_BY_AT_MOST);
    match (same, graphs.positions.as_slice()) {
        (_, [only]) => vec![*only],
        (Some(same), _) => same.clone(),
        (None, _) => Vec::new(),
    }
}

/// The graphs of the variant that the data names, else all graphs of the folder.
fn nameless_owners(entry: &Entry<'_>, graphs: &Graphs) -> Vec<usize> {
    let variant = stem::parse(entry.stem()).variant.to_ascii_lowercase();
    let named = graphs.by_variant.get(&variant).filter(|_| !variant.is_empty());
    let owners = named.unwrap_or(&graphs.positions);
    if owners.len() <= SHARED_BY_AT_MOST { owners.clone() } else { Vec::new() }
}

/// A bare word such as `ALIASES` is a note; tensors have structured names (`lm_head.weight`) or say what they are.
fn may_be_tensors(name: &str) -> bool {
    let is_structured = name.contains(['.', '_', ':']) || name.bytes().any(|byte| byte.is_ascii_digit());
    is_structured || ["data", "param", "tensor", "weight"].iter().any(|word| name.contains(word))
}

/// What stands before each separator, longest first.
fn prefixes(name: &str) -> impl Iterator<Item = &str> {
    name.rmatch_indices(['.', '_', '-']).filter_map(|(at, _)| name.get(..at))
}
