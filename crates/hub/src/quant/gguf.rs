//! GGUF and GGML files: tags, shards and what accompanies them.

use std::collections::{BTreeMap, HashMap};

use super::candidate::Candidate;
use super::entry::{Entry, last_component};
use super::kind::Kind;
use super::projector::{Projector, Projectors};
use super::words::words;
use super::{Format, Role, gguf_tag, shard, sidecar};

/// A draft is at most this fraction of the smallest file of its model.
const DRAFT_FRACTION: u64 = 4;

/// One file or all its parts.
struct File<'a> {
    format: Format,
    dir: &'a str,
    stem: String,
    /// Where its entries stand.
    positions: Vec<usize>,
    role: Option<Role>,
    /// Size of all its parts.
    bytes: u64,
}

/// The variants among the GGUF and GGML files; sets the roles of those that are none.
pub(super) fn candidates(entries: &mut [Entry<'_>], positions: &[usize]) -> Vec<Candidate> {
    let mut files = files(entries, positions);
    tell_by_models(&mut files);
    promote_lonely(&mut files, entries);
    let projectors = files.iter().filter(|file| file.role == Some(Role::Projector));
    let projectors =
        projectors.map(|file| Projector::new(file.dir, &file.stem, indices(file, entries))).collect();
    let projectors = Projectors::new(projectors);
    let models = files.iter().filter(|file| file.role.is_none());
    let found = models.map(|file| candidate(file, &projectors, entries)).collect();
    let sidecars = files.iter().filter_map(|file| Some((file.role?, &file.positions)));
    let settled: Vec<(Role, usize)> =
        sidecars.flat_map(|(role, all)| all.iter().map(move |at| (role, *at))).collect();
    for (role, position) in settled {
        if let Some(entry) = entries.get_mut(position) {
            entry.settle(role);
        }
    }
    found
}

fn files<'a>(entries: &[Entry<'a>], positions: &[usize]) -> Vec<File<'a>> {
    let mut files: BTreeMap<(&str, String, Option<u32>), File<'a>> = BTreeMap::new();
    for &position in positions {
        let Some(entry) = entries.get(position) else { continue };
        let format = if entry.kind == Kind::Ggml { Format::Other } else { Format::Gguf };
        let part = shard::split(stem_of(entry));
        let stem = part.stem();
        let key = (entry.dir, stem.clone(), part.total);
        let role = if format == Format::Gguf { sidecar::role(entry.dir, &stem) } else { None };
        let new = || File { format, dir: entry.dir, stem, positions: Vec::new(), role, bytes: 0 };
        let file = files.entry(key).or_insert_with(new);
        file.positions.push(position);
        file.bytes = file.bytes.saturating_add(entry.size);
    }
    files.into_values().collect()
}

/// The name before `.gguf`, so that `.gguf.part1of2` and `.gguf-split-a` lose their part too.
fn stem_of<'a>(entry: &Entry<'a>) -> &'a str {
    match entry.lower.rfind(".gguf") {
        Some(at) => entry.name.get(..at).unwrap_or(entry.name),
        None => entry.stem(),
    }
}

/// A file that is called like another model and `vision`, `mtp` or `assistant` besides is no model of its own but a part of that one. As
/// models that see or guess are called so too, with as many quants, none of the files may be larger than those of the other model, and
/// drafts are much smaller.
fn tell_by_models(files: &mut [File<'_>]) {
    let sizes = sizes(files);
    for file in files.iter_mut().filter(|file| file.role.is_none() && file.format == Format::Gguf) {
        let words = model_words(file);
        let Some((_, largest)) = sizes.get(&words.join("-")) else { continue };
        let is_part = |word: &str, fraction: u64| {
            let others: Vec<&str> = words.iter().map(String::as_str).filter(|one| *one != word).collect();
            let whole = sizes.get(&others.join("-")).filter(|_| others.len() < words.len());
            whole.is_some_and(|(smallest, _)| largest.saturating_mul(fraction) <= *smallest)
        };
        if is_part("vision", 1) {
            file.role = Some(Role::Projector);
        } else if file.bytes > 0 && (is_part("mtp", DRAFT_FRACTION) || is_part("assistant", DRAFT_FRACTION)) {
            file.role = Some(Role::Draft);
        }
    }
}

/// The smallest and the largest file of each model, by its words.
fn sizes(files: &[File<'_>]) -> HashMap<String, (u64, u64)> {
    let mut sizes: HashMap<String, (u64, u64)> = HashMap::new();
    for file in files.iter().filter(|file| file.role.is_none()) {
        let (smallest, largest) = sizes.entry(model_words(file).join("-")).or_insert((u64::MAX, 0));
        *smallest = file.bytes.min(*smallest);
        *largest = file.bytes.max(*largest);
    }
    sizes
}

/// The words of a stem without its tag.
fn model_words(file: &File<'_>) -> Vec<String> {
    let rest = gguf_tag::find(&file.stem).map_or_else(|| file.stem.to_ascii_lowercase(), |found| found.rest);
    words(&rest).map(str::to_owned).collect()
}

/// A repository of nothing but drafts, or of nothing but adapters, is about them: they are its variants. Projectors
/// alone stay sidecars, for nothing runs with them alone.
fn promote_lonely(files: &mut [File<'_>], entries: &[Entry<'_>]) {
    let has_model = files.iter().any(|file| file.role.is_none());
    let has_others = entries.iter().any(|entry| matches!(entry.kind, Kind::Graph(_) | Kind::Checkpoint(_)));
    if has_model || has_others {
        return;
    }
    let lonely = [Role::Draft, Role::Adapter, Role::Other];
    let Some(role) = lonely.into_iter().find(|role| files.iter().any(|file| file.role == Some(*role))) else {
        return;
    };
    for file in files.iter_mut().filter(|file| file.role == Some(role)) {
        file.role = None;
    }
}

fn indices(file: &File<'_>, entries: &[Entry<'_>]) -> Vec<usize> {
    file.positions.iter().filter_map(|at| entries.get(*at)).map(|entry| entry.index).collect()
}

/// The tag with what stands before it in the folder's name, where the file says both: `smol-IQ2_KS/x-smol-IQ2_KS`.
fn recipe(file: &File<'_>, tag: &str) -> Option<String> {
    let folder = last_component(file.dir);
    let (model, own) = file.stem.split_at_checked(file.stem.len().checked_sub(folder.len())?)?;
    let (before, own_tag) = folder.split_at_checked(folder.len().checked_sub(tag.len())?)?;
    let is_whole = own.eq_ignore_ascii_case(folder) && model.ends_with(['-', '_', '.']);
    (is_whole && own_tag.eq_ignore_ascii_case(tag)).then(|| [before, tag].concat())
}

fn candidate(file: &File<'_>, projectors: &Projectors, entries: &[Entry<'_>]) -> Candidate {
    let own = gguf_tag::find(&file.stem);
    let model = own.as_ref().map_or_else(|| file.stem.to_ascii_lowercase(), |tagged| tagged.rest.clone());
    let from_folder = || file.dir.rsplit('/').find_map(gguf_tag::find);
    let tag = own.or_else(from_folder).map(|tagged| tagged.tag);
    let mut files = indices(file, entries);
    let open = files.first().copied().filter(|_| tag.is_none() && file.format == Format::Gguf);
    if file.format == Format::Gguf {
        files.extend(projectors.choose(file.dir, &model, tag.as_deref().unwrap_or(&file.stem)));
    }
    let recipe = tag.as_deref().and_then(|tag| recipe(file, tag));
    let short = recipe.or(tag).unwrap_or_else(|| file.stem.clone());
    Candidate {
        format: file.format,
        dir: file.dir.to_owned(),
        model,
        short,
        label: file.stem.clone(),
        detail: format!("{}-{}", file.stem, file.positions.len()),
        by_folder: false,
        open,
        files,
    }
}
