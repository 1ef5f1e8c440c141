//! Decides what `.bin` and `.xml` files are by the files beside them.

use std::collections::{HashMap, HashSet};

use super::entry::Entry;
use super::kind::Kind;
use super::{Format, Hints, Role};

/// What the files of one folder say about its `.bin` files.
#[derive(Default)]
struct Folder {
    graphs: HashSet<String>,
    ncnn: HashSet<String>,
    binaries: HashSet<String>,
    has_vocabulary: bool,
}

/// Settles the pairs of `OpenVINO` and ncnn and the names that speak for themselves.
pub(super) fn pair(entries: &mut [Entry<'_>]) {
    let folders = folders(entries);
    for entry in entries.iter_mut() {
        let Some(folder) = folders.get(entry.dir) else { continue };
        let stem = entry.stem().to_ascii_lowercase();
        match entry.kind {
            Kind::Xml => entry.kind = xml(&stem, folder),
            Kind::Bin => entry.kind = bin(&stem, folder),
            _ => {}
        }
    }
}

fn folders<'a>(entries: &[Entry<'a>]) -> HashMap<&'a str, Folder> {
    let mut folders: HashMap<&str, Folder> = HashMap::new();
    for entry in entries {
        let folder = folders.entry(entry.dir).or_default();
        let stem = || entry.stem().to_ascii_lowercase();
        match entry.extension() {
            "xml" => drop(folder.graphs.insert(stem())),
            "param" => drop(folder.ncnn.insert(stem())),
            "bin" => drop(folder.binaries.insert(stem())),
            _ => folder.has_vocabulary |= entry.lower.contains("vocabulary."),
        }
    }
    folders
}

fn xml(stem: &str, folder: &Folder) -> Kind {
    let is_graph = folder.binaries.contains(stem) || stem.starts_with("openvino");
    if is_graph { Kind::Checkpoint(Format::Openvino) } else { Kind::Settled(Role::Config) }
}

fn bin(stem: &str, folder: &Folder) -> Kind {
    let is_shard = stem.contains("-shard") || stem.starts_with("params_shard");
    let is_ctranslate = stem == "model" && folder.has_vocabulary;
    let is_pickle =
        ["pytorch", "adapter_model", "learned_embeds", "diffusion"].iter().any(|word| stem.contains(word));
    if folder.graphs.contains(stem) || stem.starts_with("openvino") {
        Kind::Checkpoint(Format::Openvino)
    } else if folder.ncnn.contains(stem) || is_shard || is_ctranslate {
        Kind::Checkpoint(Format::Other)
    } else if is_pickle {
        Kind::Checkpoint(Format::Pytorch)
    } else {
        Kind::Bin
    }
}

/// What is still a plain `.bin` is a pickle, unless the library of the repository has a format of its own.
pub(super) fn settle_rest(entries: &mut [Entry<'_>], hints: &Hints) {
    let library = hints.library_name.as_deref().unwrap_or_default().to_ascii_lowercase();
    let own_format = matches!(
        library.as_str(),
        "ctranslate2"
            | "fasttext"
            | "litert"
            | "mediapipe"
            | "mlc-llm"
            | "ncnn"
            | "tf-lite"
            | "tfjs"
            | "tflite"
    );
    let format = if own_format { Format::Other } else { Format::Pytorch };
    for entry in entries.iter_mut().filter(|entry| entry.kind == Kind::Bin) {
        entry.kind = Kind::Checkpoint(format);
    }
}
