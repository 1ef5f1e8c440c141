//! Names from headers, for variants that no name settles. What is settled keeps its name, whatever headers say of others.

use std::collections::HashMap;

use super::candidate::Candidate;
use super::naming::{in_folder, resolve};

/// One name per candidate, in order; `told` is what headers say of them, `given` how that of a file was called so far. Of those that
/// would be called alike whoever has the name keeps it.
pub(super) fn names(
    candidates: &mut [Candidate],
    told: Vec<Option<String>>,
    given: impl Fn(usize) -> Option<String>,
) -> Vec<String> {
    let mut names = resolve(&candidates.iter().collect::<Vec<_>>());
    let changed = refine(candidates, told);
    let mut taken = Taken::without_headers(&names);
    let mut newcomers = Vec::new();
    for (at, one, proposal) in proposals(candidates, &changed) {
        let plain = names.get_mut(at);
        let old = one.open.and_then(&given).filter(|old| plain.as_deref() != Some(old));
        let old = old.filter(|old| may_be_called(one, old, &proposal) && taken.take(at, old));
        match plain.zip(old) {
            Some((name, old)) => *name = old,
            None => newcomers.push(at),
        }
    }
    let others = candidates.iter().enumerate().filter(|(at, _)| newcomers.binary_search(at).is_err());
    taken.settled.extend(others.map(|(_, one)| one));
    for (at, one, proposal) in proposals(candidates, &newcomers) {
        if let Some(name) = names.get_mut(at) {
            *name = taken.name(at, one, &proposal);
        }
    }
    names
}

/// Positions of the candidates that headers call otherwise.
fn refine(candidates: &mut [Candidate], told: Vec<Option<String>>) -> Vec<usize> {
    let mut changed = Vec::new();
    for (at, (one, told)) in candidates.iter_mut().zip(told).enumerate() {
        if let Some(told) = told.filter(|told| !told.eq_ignore_ascii_case(&one.short)) {
            one.short = told;
            changed.push(at);
        }
    }
    changed
}

/// These candidates, and how they would be called if there were no others.
fn proposals<'a>(
    candidates: &'a [Candidate],
    positions: &[usize],
) -> impl Iterator<Item = (usize, &'a Candidate, String)> + use<'a> {
    let these: Vec<_> = positions.iter().filter_map(|at| Some((*at, candidates.get(*at)?))).collect();
    let names = resolve(&these.iter().map(|(_, one)| *one).collect::<Vec<_>>());
    these.into_iter().zip(names).map(|((at, one), name)| (at, one, name))
}

/// Whether a name says of it what is known now.
fn may_be_called(one: &Candidate, name: &str, proposal: &str) -> bool {
    [&one.short, proposal, &with_format(one, &one.short)].contains(&name)
        || of_file(one).iter().any(|own| own == name)
}

fn with_format(one: &Candidate, name: &str) -> String {
    [one.format.as_str(), ":", name].concat()
}

fn of_file(one: &Candidate) -> [String; 3] {
    [one.label.clone(), in_folder(&one.dir, &one.label), in_folder(&one.dir, &one.detail)]
}

/// Names that are given, in lower case, and the candidates they are given to. A name without headers stays its candidate's own, for
/// whoever asks by it.
struct Taken<'a> {
    names: HashMap<String, usize>,
    settled: Vec<&'a Candidate>,
}

impl Taken<'_> {
    fn without_headers(names: &[String]) -> Self {
        let names = names.iter().enumerate().map(|(at, name)| (name.to_ascii_lowercase(), at));
        Self { names: names.collect(), settled: Vec::new() }
    }

    /// A free name, and takes it: that of its variant, with its format where only others have that name, else that of its file.
    fn name(&mut self, at: usize, one: &Candidate, proposal: &str) -> String {
        let same = |other: &&&Candidate| other.short.eq_ignore_ascii_case(proposal);
        let among_others = self.settled.iter().any(|other| same(&other));
        let among_its_own = self.settled.iter().filter(same).any(|other| other.format == one.format);
        let mut choices = Vec::with_capacity(5);
        choices.extend((!among_others).then(|| proposal.to_owned()));
        choices.extend((!among_its_own).then(|| with_format(one, proposal)));
        choices.extend(of_file(one));
        let free = choices.into_iter().find(|name| self.take(at, name));
        free.unwrap_or_else(|| self.number(at, proposal))
    }

    fn number(&mut self, at: usize, name: &str) -> String {
        let mut numbered = (2_u32..).map(|number| format!("{name}-{number}"));
        numbered.find(|name| self.take(at, name)).unwrap_or_default()
    }

    /// False when it is another's.
    fn take(&mut self, at: usize, name: &str) -> bool {
        *self.names.entry(name.to_ascii_lowercase()).or_insert(at) == at
    }
}
