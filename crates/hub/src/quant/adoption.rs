//! Graphs with words nobody knows, beside a model whose files are called by their parts.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::model::{Key, Model};
use super::stem;
use super::unit::Unit;

/// The parts of each model that may adopt, looked up once: adoption adds variants to a model, never parts.
struct Hosts(HashMap<Key, HashSet<String>>);

impl Hosts {
    fn new(models: &BTreeMap<Key, Model>, strangers: &[Key]) -> Self {
        let mut hosts: HashMap<Key, HashSet<String>> = HashMap::new();
        for key in strangers.iter().map(Key::canonical) {
            if let (Some(model), false) = (models.get(&key), hosts.contains_key(&key)) {
                let sessions = model.sessions().into_iter().map(str::to_owned).collect();
                hosts.insert(key, sessions);
            }
        }
        Self(hosts)
    }

    fn has(&self, host: &Key, session: &str) -> bool {
        self.0.get(host).is_some_and(|sessions| sessions.contains(session))
    }

    /// How many known parts each host is made of.
    fn known_parts(&self) -> HashMap<&Key, usize> {
        let known =
            |sessions: &HashSet<String>| sessions.iter().filter(|one| stem::parse(one).has_role).count();
        self.0.iter().map(|(key, sessions)| (key, known(sessions))).collect()
    }
}

/// A graph called like a part of the model with something behind it (`model_foo` beside `model`) is that part in a
/// variant of its own; what is not understood never falls into the full-precision variant.
pub(super) fn adopt_suffixed(models: &mut BTreeMap<Key, Model>, units: &[Unit]) {
    let strangers = strangers(models);
    let hosts = Hosts::new(models, &strangers);
    for key in strangers {
        let Some(parts) = suffixed_parts(models, &key, units, &hosts) else { continue };
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
/// variants the graph comes in. Beside a single known part only what is called a part too, and comes in just the same
/// variants, is one: `fm_decoder` beside `text_encoder`.
pub(super) fn adopt_unnamed(models: &mut BTreeMap<Key, Model>) {
    let strangers = strangers(models);
    let hosts = Hosts::new(models, &strangers);
    let known_parts = hosts.known_parts();
    for key in strangers {
        let host_key = key.canonical();
        let completes = match known_parts.get(&host_key) {
            None | Some(0) => false,
            Some(1) => is_counterpart(models, &key, &host_key),
            Some(_) => variants_fit(models, &key, &host_key),
        };
        if !completes {
            continue;
        }
        let Some(part) = models.remove(&key) else { continue };
        let Some(host) = models.get_mut(&host_key) else { continue };
        for (name, variant) in part.variants {
            let target = host.variants.entry(name).or_default();
            for (session, unit) in variant.sessions {
                target.sessions.insert([key.name.as_str(), ":", &session].concat(), unit);
            }
        }
    }
}

fn variants_fit(models: &BTreeMap<Key, Model>, key: &Key, host: &Key) -> bool {
    let (Some(model), Some(host)) = (models.get(key), models.get(host)) else { return false };
    model.variants.keys().all(|variant| host.variants.contains_key(variant))
}

/// Whether it is a part that the host has not, and comes in the host's variants.
fn is_counterpart(models: &BTreeMap<Key, Model>, key: &Key, host_key: &Key) -> bool {
    let (Some(model), Some(host)) = (models.get(key), models.get(host_key)) else { return false };
    let (own, known) = (model.sessions(), host.sessions());
    own.iter().all(|session| stem::parse(session).has_role && !known.contains(session))
        && model.variants.len() == host.variants.len()
        && variants_fit(models, key, host_key)
}

/// Named graphs in a folder with a model that has no name.
fn strangers(models: &BTreeMap<Key, Model>) -> Vec<Key> {
    let is_graph = |key: &&Key| key.is_graph() && !key.name.is_empty();
    models.keys().filter(is_graph).filter(|key| models.contains_key(&key.canonical())).cloned().collect()
}

struct Part {
    session: String,
    suffix: String,
    unit: usize,
}

/// All files of a model as suffixed parts of its host, each in a place that is free; `None` if any is not.
fn suffixed_parts(
    models: &BTreeMap<Key, Model>,
    key: &Key,
    units: &[Unit],
    hosts: &Hosts,
) -> Option<Vec<Part>> {
    let host_key = key.canonical();
    let (model, host) = (models.get(key)?, models.get(&host_key)?);
    let members = model.variants.values().flat_map(|variant| &variant.sessions);
    members
        .map(|(own_session, unit)| {
            let folder = own_session.rsplit_once('/').map_or("", |(folder, _)| folder);
            let is_session = |session: &str| hosts.has(&host_key, session);
            let part = suffixed_part(is_session, folder, *unit, &units.get(*unit)?.stem)?;
            let taken = host.variants.get(&part.suffix.to_ascii_lowercase());
            let is_free = !taken.is_some_and(|variant| variant.sessions.contains_key(&part.session));
            is_free.then_some(part)
        })
        .collect()
}

fn suffixed_part(is_session: impl Fn(&str) -> bool, folder: &str, unit: usize, stem: &str) -> Option<Part> {
    let heads = stem.rmatch_indices(['_', '-', '.', ' ']).filter_map(|(at, _)| Some((stem.get(..at)?, at)));
    let (session, at) = heads
        .map(|(head, at)| (head.to_ascii_lowercase(), at))
        .map(|(head, at)| (if folder.is_empty() { head } else { [folder, "/", &head].concat() }, at))
        .find(|(session, _)| is_session(session))?;
    let suffix = stem.get(at + 1..).filter(|suffix| !suffix.is_empty())?.to_owned();
    Some(Part { session, suffix, unit })
}
