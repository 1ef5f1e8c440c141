//! Gives candidates names that are unique without regard to case.
//!
//! A name is as short as it can be: the variant; the stem, where models of one format share a variant; the folder,
//! where one model lies in several; `format:name`, where formats share a name. All that collide are changed alike.

use std::collections::{HashMap, HashSet};

use super::Format;
use super::candidate::Candidate;
use super::entry::{ancestors, last_component};
use super::stem;

/// One name per candidate, in order.
pub(super) fn resolve(candidates: &[&Candidate]) -> Vec<String> {
    let mut names: Vec<String> = candidates.iter().map(|candidate| candidate.short.clone()).collect();
    tell_models_apart(candidates, &mut names);
    let place = |at: usize| candidates.get(at).map(|one| (one.format, one.dir.as_str()));
    rename(&mut names, place, |at, _| candidates.get(at).map(|one| one.label.clone()));
    tell_folders_apart(candidates, &mut names);
    rename(
        &mut names,
        |at| candidates.get(at).map(|one| one.format),
        |at, _| candidates.get(at).map(|one| in_folder(&one.dir, &one.detail)),
    );
    tell_formats_apart(candidates, &mut names);
    number_the_rest(names)
}

/// Positions that have the same name within a scope, where there are several.
fn collisions<S: std::hash::Hash + Eq>(names: &[String], scope: impl Fn(usize) -> S) -> Vec<Vec<usize>> {
    let mut seen: HashMap<(S, String), Vec<usize>> = HashMap::new();
    for (at, name) in names.iter().enumerate() {
        seen.entry((scope(at), name.to_ascii_lowercase())).or_default().push(at);
    }
    seen.into_values().filter(|positions| positions.len() > 1).collect()
}

/// Renames every position that collides.
fn rename<S: std::hash::Hash + Eq>(
    names: &mut [String],
    scope: impl Fn(usize) -> S,
    new: impl Fn(usize, &str) -> Option<String>,
) {
    for at in collisions(names, scope).into_iter().flatten() {
        if let Some(name) = names.get_mut(at) {
            *name = new(at, name).unwrap_or_default();
        }
    }
}

/// Uses the label for variants that several models have, and for all variants of a model most of whose are such.
/// A model with the canonical file names keeps its short names: it is the one the repository is about.
fn tell_models_apart(candidates: &[&Candidate], names: &mut [String]) {
    let mut tallies: HashMap<(Format, &str), Tally> = HashMap::new();
    for one in candidates.iter().filter(|one| one.short != one.label) {
        tallies.entry((one.format, &one.model)).or_default().variants += 1;
    }
    let mut colliding = HashSet::new();
    for group in collisions(names, |at| candidates.get(at).map(|one| one.format)) {
        let members = || group.iter().filter_map(|at| candidates.get(*at));
        let models: HashSet<(Format, &str)> = members().map(|one| (one.format, one.model.as_str())).collect();
        if models.len() > 1 {
            for model in models {
                tallies.entry(model).or_default().colliding += 1;
            }
            colliding.extend(group);
        }
    }
    for (at, (name, one)) in names.iter_mut().zip(candidates).enumerate() {
        let mostly = tallies.get(&(one.format, one.model.as_str())).is_some_and(Tally::collides_mostly);
        if !one.model.is_empty() && (mostly || colliding.contains(&at)) {
            name.clone_from(&one.label);
        }
    }
}

/// How many variants of a model have a short name, and how many of those another model has too.
#[derive(Default)]
struct Tally {
    variants: usize,
    colliding: usize,
}

impl Tally {
    const fn collides_mostly(&self) -> bool {
        self.colliding > 0 && self.colliding * 2 >= self.variants
    }
}

/// Uses the folder where the same name stands in several.
fn tell_folders_apart(candidates: &[&Candidate], names: &mut [String]) {
    let mut in_dir: HashMap<(Format, &str), usize> = HashMap::new();
    for one in candidates {
        *in_dir.entry((one.format, one.dir.as_str())).or_default() += 1;
    }
    let is_alone = |one: &Candidate| in_dir.get(&(one.format, one.dir.as_str())) == Some(&1);
    rename(
        names,
        |at| candidates.get(at).map(|one| one.format),
        |at, name| {
            let one = candidates.get(at)?;
            let folder = telling_folder(&one.dir);
            let says_all = !folder.is_empty() && (one.by_folder || is_alone(one));
            Some(if says_all { folder.to_owned() } else { in_folder(&one.dir, name) })
        },
    );
}

/// Puts the format before a name that several formats have.
fn tell_formats_apart(candidates: &[&Candidate], names: &mut [String]) {
    let format = |at: &usize| candidates.get(*at).map(|one| one.format);
    for group in collisions(names, |_| ()) {
        let formats: HashSet<Option<Format>> = group.iter().map(format).collect();
        for at in group.iter().filter(|_| formats.len() > 1) {
            if let (Some(name), Some(format)) = (names.get_mut(*at), format(at)) {
                *name = [format.as_str(), ":", name.as_str()].concat();
            }
        }
    }
}

/// The folder without trailing components that any model could lie in (`onnx`).
fn telling_folder(dir: &str) -> &str {
    ancestors(dir).find(|dir| says_something(last_component(dir))).unwrap_or_default()
}

fn says_something(component: &str) -> bool {
    let parsed = stem::parse(component);
    let is_format =
        ["gguf", "ggml", "tflite", "coreml"].iter().any(|format| parsed.name.eq_ignore_ascii_case(format));
    !is_format && (!parsed.name.is_empty() || !parsed.variant.is_empty())
}

pub(super) fn in_folder(dir: &str, name: &str) -> String {
    if dir.is_empty() { name.to_owned() } else { format!("{dir}/{name}") }
}

/// Last resort for listings that no rule tells apart.
fn number_the_rest(names: Vec<String>) -> Vec<String> {
    let mut taken: HashSet<String> = names.iter().map(|name| name.to_ascii_lowercase()).collect();
    let mut used = HashSet::new();
    let mut next: HashMap<String, usize> = HashMap::new();
    names
        .into_iter()
        .map(|name| {
            let base = if name.is_empty() { "model".to_owned() } else { name };
            let lower = base.to_ascii_lowercase();
            if used.insert(lower.clone()) {
                taken.insert(lower);
                return base;
            }
            let counter = next.entry(lower).or_insert(1);
            loop {
                *counter += 1;
                let numbered = format!("{base}-{counter}");
                if taken.insert(numbered.to_ascii_lowercase()) {
                    used.insert(numbered.to_ascii_lowercase());
                    return numbered;
                }
            }
        })
        .collect()
}
