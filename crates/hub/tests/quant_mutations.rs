//! What a listing may gain or be called without its quants becoming others.

mod listing_table;

use std::collections::{BTreeMap, BTreeSet};

use listing_table::{Case, cases};
use tabagent_hub::quant::{Detection, Role, SourceFile, detect};

const TABLES: [&str; 4] = [
    include_str!("listings/onnx.txt"),
    include_str!("listings/gguf.txt"),
    include_str!("listings/checkpoints.txt"),
    include_str!("listings/other.txt"),
];

/// Positions of the files of each quant, by its name.
type Quants = BTreeMap<String, Vec<usize>>;

fn listings() -> Vec<Case> {
    TABLES.iter().flat_map(|text| cases(text)).collect()
}

fn run(case: &Case, files: &[(String, u64)]) -> Detection {
    let files: Vec<SourceFile<'_>> =
        files.iter().map(|(path, size)| SourceFile { path, size: *size }).collect();
    detect(&files, &case.hints)
}

fn quants(case: &Case, files: &[(String, u64)]) -> Quants {
    run(case, files).quants.into_iter().map(|quant| (quant.name, quant.files)).collect()
}

fn renamed(case: &Case, name: impl Fn(&str) -> String) -> Vec<(String, u64)> {
    case.files.iter().map(|(path, size)| (name(path), *size)).collect()
}

fn beside(case: &Case, more: &[&str]) -> Vec<(String, u64)> {
    let is_new = |path: &&&str| !case.files.iter().any(|(known, _)| known == **path);
    case.files
        .iter()
        .cloned()
        .chain(more.iter().filter(is_new).map(|path| ((*path).to_owned(), 10)))
        .collect()
}

#[test]
fn notes_and_pictures_change_nothing() {
    let notes = [
        ".gitattributes",
        "LICENSE",
        "LICENSE.txt",
        "NOTICE",
        "README.md",
        "USE_POLICY.md",
        "assets/demo.mp4",
        "docs/usage.md",
        "eval/results.json",
        "images/plot.png",
        "notebook.ipynb",
        "thumbnail.jpg",
    ];
    for case in listings() {
        assert_eq!(quants(&case, &case.files), quants(&case, &beside(&case, &notes)), "{}", case.repo);
    }
}

/// Case says where words begin (`WhisperEncoder`), and nothing else.
#[test]
fn names_in_lower_case_mean_the_same() {
    let has_words = |case: &Case| case.files.iter().any(|(path, _)| path.contains("rEncoder"));
    for case in listings().iter().filter(|case| !has_words(case)) {
        let lower = |quants: Quants| -> Quants {
            quants.into_iter().map(|(name, files)| (name.to_lowercase(), files)).collect()
        };
        let found = quants(case, &renamed(case, str::to_lowercase));
        assert_eq!(lower(quants(case, &case.files)), lower(found), "{}", case.repo);
    }
}

/// All of the file's name but its extension.
#[test]
fn names_in_upper_case_mean_the_same() {
    let has_words = |case: &Case| case.files.iter().any(|(path, _)| path.contains("rEncoder"));
    let upper = |path: &str| {
        let (folder, name) = path.split_at(path.rfind('/').map_or(0, |at| at + 1));
        let (stem, extension) = name.split_at(name.rfind('.').unwrap_or(name.len()));
        [folder, &stem.to_uppercase(), extension].concat()
    };
    for case in listings().iter().filter(|case| !has_words(case)) {
        let names = |quants: Quants| -> Quants {
            quants.into_iter().map(|(name, files)| (name.to_uppercase(), files)).collect()
        };
        let found = quants(case, &renamed(case, upper));
        assert_eq!(names(quants(case, &case.files)), names(found), "{}", case.repo);
    }
}

#[test]
fn in_a_folder_the_same_files_belong_together() {
    for case in listings() {
        let groups = |quants: Quants| quants.into_values().collect::<BTreeSet<_>>();
        let found = quants(&case, &renamed(&case, |path| ["some/place/", path].concat()));
        assert_eq!(groups(quants(&case, &case.files)), groups(found), "{}", case.repo);
    }
}

/// What is a quant only because nothing else is a model (drafts, adapters, files nobody knows) is none any more; all others stay.
#[test]
fn another_model_renames_no_other_format() {
    let mut yielded = Vec::new();
    for case in listings() {
        let more = beside(&case, &["elsewhere/unrelated_thing.pth"]);
        let is_weight = |detection: &Detection, at: usize| detection.roles[at] == Role::Weights;
        let (before, after) = (run(&case, &case.files), run(&case, &more));
        if (0..case.files.len()).any(|at| is_weight(&before, at) && !is_weight(&after, at)) {
            yielded.push(case.repo);
            continue;
        }
        let found = quants(&case, &more);
        for (name, files) in quants(&case, &case.files) {
            assert_eq!(found.get(&name), Some(&files), "{name} of {}", case.repo);
        }
    }
    assert_eq!(
        yielded,
        [
            "jukofyork/Qwen2.5-0.5B-DRAFT-GGUF",
            "latent-consistency/lcm-lora-sdv1-5",
            "XLabs-AI/flux-lora-collection",
            "example/format-nobody-knows",
        ]
    );
}

#[test]
fn a_gguf_file_in_two_parts_is_the_same_quant() {
    for case in listings() {
        let mut files = Vec::new();
        let mut parts: Vec<Vec<usize>> = Vec::new();
        for (path, size) in &case.files {
            let whole = path.strip_suffix(".gguf").filter(|stem| !stem.contains("-of-"));
            let names = match whole {
                Some(stem) => [1, 2].map(|part| format!("{stem}-0000{part}-of-00002.gguf")).to_vec(),
                None => vec![path.clone()],
            };
            parts.push((files.len()..files.len() + names.len()).collect());
            files.extend(names.into_iter().map(|name| (name, *size)));
        }
        let expected: Quants = quants(&case, &case.files)
            .into_iter()
            .map(|(name, whole)| {
                (name, whole.iter().flat_map(|at| parts.get(*at).unwrap().clone()).collect())
            })
            .collect();
        assert_eq!(expected, quants(&case, &files), "{}", case.repo);
    }
}
