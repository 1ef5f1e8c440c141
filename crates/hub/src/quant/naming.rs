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
    let format = |at: usize| candidates.get(at).map(|one| one.format);
    rename(&mut names, format, |at, _| candidates.get(at).map(|one| in_folder(&one.dir, &one.short)));
    rename(&mut names, format, |at, _| candidates.get(at).map(|one| in_folder(&one.dir, &one.detail)));
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
/// A model with the canonical file names keeps its short names: it is the one the repository is about. So does one that has more
/// variants of its own, where it is the only such: an odd file beside them changes no name but its own.
fn tell_models_apart(candidates: &[&Candidate], names: &mut [String]) {
    let mut tallies: HashMap<ModelOf<'_>, Tally> = HashMap::new();
    for one in candidates.iter().filter(|one| one.short != one.label) {
        tallies.entry((one.format, &one.model)).or_default().variants += 1;
    }
    let mut groups = Vec::new();
    for group in collisions(names, |at| candidates.get(at).map(|one| one.format)) {
        let members = group.iter().filter_map(|at| candidates.get(*at));
        let models: HashSet<ModelOf<'_>> = members.map(|one| (one.format, one.model.as_str())).collect();
        if models.len() > 1 {
            for model in &models {
                tallies.entry(*model).or_default().colliding += 1;
            }
            groups.push((group, models));
        }
    }
    let mostly = |model: ModelOf<'_>| tallies.get(&model).is_some_and(Tally::collides_mostly);
    let mut colliding = HashSet::new();
    for (group, models) in groups {
        let kept = main_model(&models, mostly);
        let model_at = |at: &usize| candidates.get(*at).map(|one| (one.format, one.model.as_str()));
        colliding.extend(group.into_iter().filter(|at| kept.is_none() || model_at(at) != kept));
    }
    let collections = collections(&tallies);
    for (at, (name, one)) in names.iter_mut().zip(candidates).enumerate() {
        let by_label = mostly((one.format, &one.model)) || collections.contains(&one.format);
        if !one.model.is_empty() && (by_label || colliding.contains(&at)) {
            name.clone_from(&one.label);
        }
    }
}

/// A model as names tell it: its format and what its files call it.
type ModelOf<'a> = (Format, &'a str);

/// The only one of these that is more than what collides; a canonical one needs no such help.
fn main_model<'a>(
    models: &HashSet<ModelOf<'a>>,
    mostly: impl Fn(ModelOf<'a>) -> bool,
) -> Option<ModelOf<'a>> {
    let mut larger = models.iter().filter(|model| !mostly(**model));
    let main = larger.next().copied();
    main.filter(|_| larger.next().is_none())
}

/// Formats with several models that are called by their labels: the short name of another would say nothing of which it is.
fn collections(tallies: &HashMap<ModelOf<'_>, Tally>) -> HashSet<Format> {
    let mut models: HashMap<Format, usize> = HashMap::new();
    for ((format, name), tally) in tallies {
        *models.entry(*format).or_default() += usize::from(!name.is_empty() && tally.collides_mostly());
    }
    models.into_iter().filter(|(_, count)| *count > 1).map(|(format, _)| format).collect()
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
