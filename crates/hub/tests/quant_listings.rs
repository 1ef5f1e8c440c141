//! Listings of real repositories and the variants a user expects in them.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "an index outside the listing is a failing test"
)]

mod listing_table;

use std::collections::{BTreeMap, BTreeSet};

use listing_table::{Case, cases};
use tabagent_hub::quant::{Detection, SourceFile, detect};

const TABLES: [(&str, &str); 4] = [
    ("onnx", include_str!("listings/onnx.txt")),
    ("gguf", include_str!("listings/gguf.txt")),
    ("checkpoints", include_str!("listings/checkpoints.txt")),
    ("other", include_str!("listings/other.txt")),
];

type Quants = BTreeMap<String, (String, BTreeSet<String>)>;

fn run(case: &Case) -> Detection {
    let files: Vec<SourceFile<'_>> =
        case.files.iter().map(|(path, size)| SourceFile { path, size: *size }).collect();
    detect(&files, &case.hints)
}

fn paths(case: &Case, indices: &[usize]) -> BTreeSet<String> {
    indices.iter().map(|at| case.files[*at].0.clone()).collect()
}

fn found(case: &Case, detection: &Detection) -> Quants {
    let quants = detection.quants.iter();
    quants
        .map(|quant| (quant.name.clone(), (quant.format.as_str().to_owned(), paths(case, &quant.files))))
        .collect()
}

/// One line per difference, so that a failing table shows everything at once.
fn differences(case: &Case) -> Vec<String> {
    let detection = run(case);
    let mut lines = Vec::new();
    let shared = paths(case, &detection.shared);
    if shared != case.shared {
        lines.push(format!("shared: found {shared:?}, expected {:?}", case.shared));
    }
    let found = found(case, &detection);
    for (name, (format, files)) in &found {
        let own: Vec<_> = files.difference(&shared).collect();
        match case.quants.get(name) {
            None => lines.push(format!("unexpected {name} {format}: {own:?}")),
            Some(expected) if expected != &(format.clone(), files.clone()) => {
                lines.push(format!("{name}: found {format} {own:?}, expected {expected:?}"));
            }
            Some(_) => {}
        }
    }
    let missing = case.quants.keys().filter(|name| !found.contains_key(*name));
    lines.extend(missing.map(|name| format!("missing {name}")));
    for (path, role) in &case.roles {
        let at = case.files.iter().position(|(known, _)| known == path).expect("a role names a listed file");
        if detection.roles[at].as_str() != role {
            lines.push(format!("{path} is {}, expected {role}", detection.roles[at].as_str()));
        }
    }
    lines
}

#[test]
fn every_listing_gives_the_expected_quants() {
    let mut report = Vec::new();
    let mut count = 0;
    for (table, text) in TABLES {
        for case in cases(text) {
            count += 1;
            for line in differences(&case) {
                report.push(format!("{table}: {}: {line}", case.repo));
            }
        }
    }
    assert!(count >= 370, "only {count} listings were read");
    assert!(report.is_empty(), "\n{}", report.join("\n"));
}

#[test]
fn the_order_of_the_listing_does_not_matter() {
    for (_, text) in TABLES {
        for mut case in cases(text) {
            let expected = found(&case, &run(&case));
            case.files.reverse();
            assert_eq!(found(&case, &run(&case)), expected, "{}", case.repo);
        }
    }
}
