//! Puts shards, pairs and external data together into units.

use std::collections::{BTreeMap, HashMap};

use super::Format;
use super::entry::Entry;
use super::external_data::Companions;
use super::kind::Kind;
use super::shard;
use super::unit::Unit;

/// What the files of one unit have in common, apart from their numbers.
type Key<'a> = (Format, String, &'a str, String, Option<u32>);

/// Builds the units of graphs and checkpoints from the files at `positions`.
pub(super) fn build(entries: &[Entry<'_>], positions: &[usize], companions: &Companions) -> Vec<Unit> {
    let mut units: BTreeMap<Key<'_>, Unit> = BTreeMap::new();
    for &position in positions {
        let Some(entry) = entries.get(position) else { continue };
        let Some(format) = format(entry.kind) else { continue };
        let part = shard::split(entry.stem());
        let stem = part.stem();
        let dialect = dialect(format, entry.extension()).to_owned();
        let key = (format, dialect.clone(), entry.dir, stem.clone(), part.total);
        let empty = || Unit {
            format,
            dialect,
            dir: entry.dir.to_owned(),
            stem,
            total: part.total,
            is_mapped: false,
            files: Vec::new(),
            bytes: 0,
        };
        let unit = units.entry(key).or_insert_with(empty);
        let companions = companions.get(&position).map(Vec::as_slice).unwrap_or_default();
        for member in std::iter::once(entry).chain(companions.iter().filter_map(|at| entries.get(*at))) {
            unit.files.push(member.index);
            unit.bytes = unit.bytes.saturating_add(member.size);
        }
    }
    units.into_values().collect()
}

const fn format(kind: Kind) -> Option<Format> {
    match kind {
        Kind::Graph(format) | Kind::Checkpoint(format) => Some(format),
        _ => None,
    }
}

/// Extensions that belong together share a dialect.
fn dialect(format: Format, extension: &str) -> &str {
    match (format, extension) {
        (Format::Openvino, _) => "openvino",
        (Format::Onnx, "onnx") | (Format::Safetensors, _) => "",
        (Format::Other, "param" | "bin") => "ncnn",
        (Format::Other, "pdmodel" | "pdiparams") => "paddle",
        (_, extension) => extension,
    }
}

/// Attaches each shard map to the checkpoint it describes: `x.safetensors.index.json` to `x-00001-of-00002.safetensors`,
/// `x.safetensors.index.fp16.json` to `x.fp16-00001-of-00002.safetensors`.
pub(super) fn attach_indices(units: &mut [Unit], entries: &[Entry<'_>]) {
    let mut by_name: HashMap<(String, String, String), Vec<usize>> = HashMap::new();
    for (position, unit) in units.iter().enumerate() {
        let extension =
            if unit.format == Format::Safetensors { "safetensors" } else { unit.dialect.as_str() };
        let key = (unit.dir.clone(), unit.stem.to_ascii_lowercase(), extension.to_owned());
        by_name.entry(key).or_default().push(position);
    }
    for entry in entries.iter().filter(|entry| entry.kind == Kind::Index) {
        let Some((stem, extension)) = described(&entry.lower) else { continue };
        let owners = by_name.get(&(entry.dir.to_owned(), stem, extension));
        let sharded = |at: &&usize| units.get(**at).is_some_and(|unit| unit.total.is_some());
        let owner = owners.and_then(|owners| owners.iter().find(sharded).or_else(|| owners.first())).copied();
        if let Some(unit) = owner.and_then(|owner| units.get_mut(owner)) {
            unit.files.push(entry.index);
            unit.is_mapped = true;
        }
    }
}

/// The stem and extension of the checkpoint that an index describes.
fn described(name: &str) -> Option<(String, String)> {
    let (file, rest) = name.split_once(".index.")?;
    let (stem, extension) = file.rsplit_once('.')?;
    let variant = rest.strip_suffix("json")?.trim_end_matches('.');
    let stem = if variant.is_empty() { stem.to_owned() } else { [stem, ".", variant].concat() };
    Some((stem, extension.to_owned()))
}

/// Removes a single file that is an incomplete leftover beside its own shards, and returns its files.
pub(super) fn drop_stale(units: &mut Vec<Unit>) -> Vec<usize> {
    let key =
        |unit: &Unit| (unit.format, unit.dir.clone(), unit.dialect.clone(), unit.stem.to_ascii_lowercase());
    let mut sharded = HashMap::new();
    for unit in units.iter().filter(|unit| unit.total.is_some()) {
        sharded.insert(key(unit), unit.bytes);
    }
    let is_stale = |unit: &Unit| {
        let whole = sharded.get(&key(unit)).copied().unwrap_or(0);
        unit.total.is_none() && unit.bytes < whole / 10 * 9
    };
    let stale = units.extract_if(.., |unit| is_stale(unit));
    stale.flat_map(|unit| unit.files).collect()
}
