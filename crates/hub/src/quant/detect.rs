//! The whole way from a listing to its variants.

use std::collections::{HashMap, HashSet};

use super::candidate::Candidate;
use super::entry::Entry;
use super::external_data::{self, Companions};
use super::folder::{self, FolderKind};
use super::kind::Kind;
use super::model::{self, Model};
use super::session::{self, Company, Standing};
use super::unit::{Homes, Pipelines, Unit};
use super::{
    DetectedQuant, Detection, Format, Hints, Role, SourceFile, binary, companion, gguf, package, refinement,
    sidecar, support, unit_builder,
};

/// An unknown file of at least this many bytes is taken for a model where nothing else is one.
const UNKNOWN_MODEL_BYTES: u64 = 1 << 20;

/// Sorts the files of a repository into variants. Depends on nothing but its arguments, and not on their order.
#[must_use]
pub fn detect(files: &[SourceFile<'_>], hints: &Hints) -> Detection {
    detect_with(files, hints, |_| None)
}

/// As [`detect`], with what the headers of files say. `told` is asked once for each variant that no name settles, with the index of
/// the file whose header would: a graph, a GGUF file or a first shard. It gives the variant's name as [`detect`] spells it. Only
/// these variants have other names then than [`detect`] gives them.
pub fn detect_with(
    files: &[SourceFile<'_>],
    hints: &Hints,
    told: impl FnMut(usize) -> Option<String>,
) -> Detection {
    detect_again(files, hints, told, |_| None)
}

/// As [`detect_with`], where names were given before: `given` is what that of such a file was called then. Headers of others that
/// were read since take no name away.
pub fn detect_again(
    files: &[SourceFile<'_>],
    hints: &Hints,
    told: impl FnMut(usize) -> Option<String>,
    given: impl Fn(usize) -> Option<String>,
) -> Detection {
    let mut entries: Vec<Entry<'_>> =
        files.iter().enumerate().map(|(at, file)| Entry::new(at, file)).collect();
    entries.sort_by(|a, b| a.path.cmp(b.path));
    let found = collect(&mut entries, hints);
    let mut roles = vec![Role::Other; files.len()];
    for entry in &entries {
        if let Some(role) = roles.get_mut(entry.index) {
            *role = entry.kind.role();
        }
    }
    Detection { roles, quants: quants(found.candidates, told, given), shared: found.shared }
}

struct Found {
    candidates: Vec<Candidate>,
    shared: Vec<usize>,
}

fn collect(entries: &mut [Entry<'_>], hints: &Hints) -> Found {
    binary::pair(entries);
    set_data_aside(entries);
    let packages = package::collect(entries, hints);
    let mut owned = packages.claimed.clone();
    let companions = external_data::assign(entries);
    owned.extend(companions.values().flatten());
    binary::settle_rest(entries, hints);
    settle_unknown(entries, !packages.candidates.is_empty() || !packages.units.is_empty());
    let free = free_positions(entries, &packages.claimed);
    let mut candidates = packages.candidates;
    let nothing_else = packages.units.is_empty() && candidates.is_empty();
    let free = set_aside(entries, free, nothing_else, Role::Adapter, is_adapter);
    let mapped: HashSet<&str> =
        entries.iter().filter(|entry| entry.kind == Kind::Index).map(|entry| entry.dir).collect();
    let free = set_aside(entries, free, nothing_else, Role::Draft, |entry| is_draft(entry, &mapped));
    let is_gguf =
        |at: &usize| entries.get(*at).is_some_and(|one| matches!(one.kind, Kind::Gguf | Kind::Ggml));
    let (ggufs, others): (Vec<usize>, Vec<usize>) = free.into_iter().partition(is_gguf);
    candidates.extend(gguf::candidates(entries, &ggufs));
    let mut units = units(entries, &others, &companions);
    units.extend(packages.units);
    let has_others = !candidates.is_empty();
    candidates.extend(from_units(&units, &pipelines(entries), hints, has_others));
    let shared = support::assign(entries, &owned, &mut candidates);
    Found { candidates, shared }
}

/// Data folders hold no weights, unless nothing outside them does.
fn set_data_aside(entries: &mut [Entry<'_>]) {
    let mut kinds: HashMap<&str, FolderKind> = HashMap::new();
    let meanings: Vec<FolderKind> = entries
        .iter()
        .map(|entry| *kinds.entry(entry.dir).or_insert_with(|| folder::kind(entry.dir)))
        .collect();
    let is_outside = |(entry, meaning): (&Entry<'_>, &FolderKind)| {
        entry.kind.holds_weights() && is_kept(entry.kind, *meaning)
    };
    let has_models = entries.iter().zip(&meanings).any(is_outside);
    for (entry, meaning) in entries.iter_mut().zip(meanings) {
        let is_note = entry.kind == Kind::Settled(Role::Documentation);
        if meaning == FolderKind::Resources && !is_note && !entry.kind.holds_weights() {
            entry.settle(Role::Config);
        } else if !is_note && !is_kept(entry.kind, meaning) && (has_models || !is_model(entry.kind)) {
            entry.settle(Role::Data);
        }
    }
}

/// Weights beyond doubt; a lone `.bin` in a data folder is data.
fn is_model(kind: Kind) -> bool {
    kind.holds_weights() && kind != Kind::Bin
}

/// Whether a file keeps its meaning in such a folder.
const fn is_kept(kind: Kind, folder: FolderKind) -> bool {
    match folder {
        FolderKind::Plain | FolderKind::Resources => true,
        FolderKind::Data => false,
        FolderKind::Loose => {
            matches!(
                kind,
                Kind::Graph(_)
                    | Kind::Settled(Role::Tokenizer)
                    | Kind::Gguf
                    | Kind::Index
                    | Kind::Checkpoint(Format::Safetensors | Format::Openvino)
            )
        }
    }
}

/// Large files nobody knows are the model of a repository that has no other.
fn settle_unknown(entries: &mut [Entry<'_>], has_packages: bool) {
    let has_models = has_packages || entries.iter().any(|entry| entry.kind.holds_weights());
    for entry in entries.iter_mut() {
        let unknown = matches!(entry.kind, Kind::Unknown | Kind::Settled(Role::Other));
        if (!has_models && unknown && entry.size >= UNKNOWN_MODEL_BYTES) || entry.extension() == "weights" {
            let is_open = unknown && entry.kind.role() == Role::Other;
            entry.kind = if is_open { Kind::Checkpoint(Format::Other) } else { entry.kind };
        }
    }
}

fn free_positions(entries: &[Entry<'_>], claimed: &HashSet<usize>) -> Vec<usize> {
    let holds_weights = |at: &usize| entries.get(*at).is_some_and(|entry| entry.kind.holds_weights());
    (0..entries.len()).filter(|at| !claimed.contains(at) && holds_weights(at)).collect()
}

/// Adapters and drafts are no variants beside a model; alone they are what the repository offers. Returns the others.
fn set_aside(
    entries: &mut [Entry<'_>],
    free: Vec<usize>,
    nothing_else: bool,
    role: Role,
    is_one: impl Fn(&Entry<'_>) -> bool,
) -> Vec<usize> {
    let (some, models): (Vec<usize>, Vec<usize>) =
        free.iter().partition(|at| entries.get(**at).is_some_and(&is_one));
    if models.is_empty() && nothing_else {
        return free;
    }
    for at in some {
        if let Some(entry) = entries.get_mut(at) {
            entry.settle(role);
        }
    }
    models
}

/// A checkpoint that guesses tokens for another; one beside a shard map may hold tensors of the model itself.
fn is_draft(entry: &Entry<'_>, mapped: &HashSet<&str>) -> bool {
    let is_checkpoint = matches!(entry.kind, Kind::Checkpoint(Format::Safetensors | Format::Pytorch));
    is_checkpoint
        && sidecar::is_draft(entry.dir, &entry.stem().to_ascii_lowercase())
        && (!mapped.contains(entry.dir) || sidecar::is_draft(entry.dir, ""))
}

fn is_adapter(entry: &Entry<'_>) -> bool {
    let path = entry.path.to_ascii_lowercase();
    let mut words = path.split(|c: char| !c.is_ascii_alphanumeric());
    let is_checkpoint = matches!(entry.kind, Kind::Checkpoint(Format::Safetensors | Format::Pytorch));
    is_checkpoint && (entry.lower.starts_with("adapter_model") || words.any(is_adapter_word))
}

/// With or without its rank: `lora128`.
fn is_adapter_word(word: &str) -> bool {
    let word = word.trim_end_matches(|c: char| c.is_ascii_digit());
    matches!(word, "lora" | "loras" | "locon" | "lokr" | "lycoris")
}

fn units(entries: &mut [Entry<'_>], positions: &[usize], companions: &Companions) -> Vec<Unit> {
    let mut units = unit_builder::build(entries, positions, companions);
    let stale: HashSet<usize> = unit_builder::drop_stale(&mut units).into_iter().collect();
    for entry in entries.iter_mut().filter(|entry| stale.contains(&entry.index)) {
        entry.settle(Role::Other);
    }
    unit_builder::attach_indices(&mut units, entries);
    companion::attach_heads(&mut units);
    units
}

fn pipelines(entries: &[Entry<'_>]) -> Pipelines {
    let with = |name: &str| {
        entries.iter().filter(|entry| entry.lower == name).map(|entry| entry.dir.to_owned()).collect()
    };
    Pipelines {
        diffusers: with("model_index.json"),
        modules: with("modules.json"),
        recipes: with("hyperparams.yaml"),
    }
}

fn from_units(units: &[Unit], pipelines: &Pipelines, hints: &Hints, has_others: bool) -> Vec<Candidate> {
    let models = model::group(units, &mut Homes::new(pipelines));
    let company = company(&models, has_others);
    models
        .iter()
        .zip(company)
        .flat_map(|(model, company)| session::candidates(model, units, hints, company))
        .collect()
}

/// `has_others`: there are variants besides those of these models.
fn company(models: &[Model], has_others: bool) -> Vec<Company> {
    let mut count: HashMap<Format, usize> = HashMap::new();
    let mut names: HashMap<Format, HashSet<String>> = HashMap::new();
    for model in models {
        *count.entry(model.format).or_default() += 1;
        if !model.name.is_empty() {
            names.entry(model.format).or_default().insert(model.name.to_ascii_lowercase());
        }
    }
    let has_safetensors = count.contains_key(&Format::Safetensors);
    // What the Hub says is from the configuration in the root: copies in folders have their own.
    let is_main = |model: &Model| model.base.is_empty() && model.name.is_empty() && model.label.is_none();
    let is_checkpoint = |model: &Model| matches!(model.format, Format::Safetensors | Format::Pytorch);
    let has_main = models.iter().any(|model| is_main(model) && is_checkpoint(model));
    let standing = |model: &Model| {
        let single = count.get(&model.format) == Some(&1) || is_main(model);
        let leads = !has_safetensors || model.format == Format::Safetensors;
        match (single && leads, has_others || count.len() > 1) {
            (true, false) => Standing::Alone,
            (true, true) => Standing::AloneInFormat,
            (false, _) => Standing::Among,
        }
    };
    let company = |model: &Model| Company {
        standing: standing(model),
        collection: names.get(&model.format).is_some_and(|names| names.len() > 1),
        has_main,
    };
    models.iter().map(company).collect()
}

fn quants(
    mut candidates: Vec<Candidate>,
    mut told: impl FnMut(usize) -> Option<String>,
    given: impl Fn(usize) -> Option<String>,
) -> Vec<DetectedQuant> {
    let told: Vec<Option<String>> = candidates.iter().map(|one| one.open.and_then(&mut told)).collect();
    let names = refinement::names(&mut candidates, told, given);
    let mut quants: Vec<DetectedQuant> = candidates
        .into_iter()
        .zip(names)
        .map(|(Candidate { format, mut files, .. }, name)| {
            files.sort_unstable();
            files.dedup();
            DetectedQuant { name, format, files }
        })
        .collect();
    quants.sort_by_cached_key(|quant| quant.name.to_ascii_lowercase());
    quants
}
