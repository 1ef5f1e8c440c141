//! Graphs with words nobody knows, beside a model whose files are called by their parts.

use std::collections::BTreeMap;

use super::Format;
use super::model::{Key, Model};
use super::stem;
use super::unit::Unit;

/// A graph called like a part of the model with something behind it (`model_foo` beside `model`) is that part in a
/// variant of its own; what is not understood never falls into the full-precision variant.
pub(super) fn adopt_suffixed(models: &mut BTreeMap<Key, Model>, units: &[Unit]) {
    for key in strangers(models) {
        let Some(parts) = suffixed_parts(models, &key, units) else { continue };
        models.remove(&key);
        let Some(host) = models.get_mut(&key.canonical()) else { continue };
        for part in parts {
            let variant = host.variants.entry(part.suffix.to_ascii_lowercase()).or_default();
            variant.text = part.suffix;
            variant.sessions.insert(part.session, part.unit);
        }
    }
}

/// A graph with a name of its own is a part of the model, when that has several known parts and lacks none of the
/// variants the graph comes in.
pub(super) fn adopt_unnamed(models: &mut BTreeMap<Key, Model>) {
    for key in strangers(models) {
        if !fits(models, &key) {
            continue;
        }
        let Some(part) = models.remove(&key) else { continue };
        let Some(host) = models.get_mut(&key.canonical()) else { continue };
        for (name, variant) in part.variants {
            let target = host.variants.entry(name).or_default();
            for (session, unit) in variant.sessions {
                target.sessions.insert([key.name.as_str(), ":", &session].concat(), unit);
            }
        }
    }
}

/// Named graphs in a folder with a model that has no name.
fn strangers(models: &BTreeMap<Key, Model>) -> Vec<Key> {
    let is_graph = |key: &&Key| matches!(key.format, Format::Onnx | Format::Openvino) && !key.name.is_empty();
    models.keys().filter(is_graph).filter(|key| models.contains_key(&key.canonical())).cloned().collect()
}

struct Part {
    session: String,
    suffix: String,
    unit: usize,
}

/// All files of a model as suffixed parts of its host, each in a place that is free; `None` if any is not.
fn suffixed_parts(models: &BTreeMap<Key, Model>, key: &Key, units: &[Unit]) -> Option<Vec<Part>> {
    let (model, host) = (models.get(key)?, models.get(&key.canonical())?);
    let members = model.variants.values().flat_map(|variant| &variant.sessions);
    members
        .map(|(own_session, unit)| {
            let folder = own_session.rsplit_once('/').map_or("", |(folder, _)| folder);
            let part = suffixed_part(host, folder, *unit, &units.get(*unit)?.stem)?;
            let taken = host.variants.get(&part.suffix.to_ascii_lowercase());
            let is_free = !taken.is_some_and(|variant| variant.sessions.contains_key(&part.session));
            is_free.then_some(part)
        })
        .collect()
}

fn suffixed_part(host: &Model, folder: &str, unit: usize, stem: &str) -> Option<Part> {
    let separators = stem.rmatch_indices(['_', '-', '.', ' ']);
    let (session, at) = separators
        .map(|(at, _)| (stem.get(..at).unwrap_or_default().to_ascii_lowercase(), at))
        .map(|(head, at)| (if folder.is_empty() { head } else { [folder, "/", &head].concat() }, at))
        .find(|(session, _)| host.variants.values().any(|variant| variant.sessions.contains_key(session)))?;
    let suffix = stem.get(at + 1..).filter(|suffix| !suffix.is_empty())?.to_owned();
    Some(Part { session, suffix, unit })
}

fn fits(models: &BTreeMap<Key, Model>, key: &Key) -> bool {
    let (Some(model), Some(host)) = (models.get(key), models.get(&key.canonical())) else { return false };
    let known = host.sessions().into_iter().filter(|session| stem::parse(session).has_role).count();
    known >= 2 && model.variants.keys().all(|variant| host.variants.contains_key(variant))
}
