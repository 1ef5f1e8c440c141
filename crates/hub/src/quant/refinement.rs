//! Names from headers, for variants that no name settles. What is settled keeps its name, whatever headers say of others.

use std::collections::HashMap;

use super::candidate::Candidate;
use super::naming::{in_folder, resolve};

/// One name per candidate, in order; `told` is what headers say of them.
pub(super) fn names(candidates: &mut [Candidate], told: Vec<Option<String>>) -> Vec<String> {
    let mut names = resolve(&candidates.iter().collect::<Vec<_>>());
    let mut changed = Vec::new();
    for (at, (one, told)) in candidates.iter_mut().zip(told).enumerate() {
        if let Some(told) = told.filter(|told| !told.eq_ignore_ascii_case(&one.short)) {
            one.short = told;
            changed.push(at);
        }
    }
    let refined: Vec<&Candidate> = changed.iter().filter_map(|at| candidates.get(*at)).collect();
    let proposals = resolve(&refined);
    let mut taken = Taken::by_others(candidates, &names, &changed);
    for ((at, one), proposal) in changed.iter().zip(refined).zip(proposals) {
        if let Some(name) = names.get_mut(*at) {
            *name = taken.name(*at, one, &proposal);
        }
    }
    names
}

/// Names that are given, in lower case, and the candidates they are given to. A name without headers stays its candidate's own, for
/// whoever asks by it.
struct Taken<'a> {
    names: HashMap<String, usize>,
    settled: Vec<&'a Candidate>,
}

impl<'a> Taken<'a> {
    fn by_others(candidates: &'a [Candidate], names: &[String], changed: &[usize]) -> Self {
        let others = candidates.iter().enumerate().filter(|(at, _)| changed.binary_search(at).is_err());
        let names = names.iter().enumerate().map(|(at, name)| (name.to_ascii_lowercase(), at)).collect();
        Self { names, settled: others.map(|(_, one)| one).collect() }
    }

    /// A free name, and takes it: that of its variant, with its format where only others have that name, else that of its file.
    fn name(&mut self, at: usize, one: &Candidate, proposal: &str) -> String {
        let same = |other: &&&Candidate| other.short.eq_ignore_ascii_case(proposal);
        let among_others = self.settled.iter().any(|other| same(&other));
        let among_its_own = self.settled.iter().filter(same).any(|other| other.format == one.format);
        let with_format = [one.format.as_str(), ":", proposal].concat();
        let files = [one.label.clone(), in_folder(&one.dir, &one.label), in_folder(&one.dir, &one.detail)];
        let mut choices = Vec::with_capacity(5);
        choices.extend((!among_others).then(|| proposal.to_owned()));
        choices.extend((!among_its_own).then_some(with_format));
        choices.extend(files);
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
