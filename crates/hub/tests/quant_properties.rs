//! What holds for every listing, also for nonsense.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "an index outside the listing is a failing test"
)]

mod listing_table;
#[path = "../../testing/random.rs"]
mod random;

use std::collections::{HashMap, HashSet};

use listing_table::cases;
use random::Random;
use tabagent_hub::quant::{DetectedQuant, Detection, Hints, Role, SourceFile, detect, detect_with};

const TABLES: [&str; 4] = [
    include_str!("listings/onnx.txt"),
    include_str!("listings/gguf.txt"),
    include_str!("listings/checkpoints.txt"),
    include_str!("listings/other.txt"),
];

fn check(paths: &[(String, u64)], hints: &Hints) -> Detection {
    let files: Vec<SourceFile<'_>> =
        paths.iter().map(|(path, size)| SourceFile { path, size: *size }).collect();
    let detection = detect(&files, hints);
    let shown = || format!("{paths:#?}\n{detection:#?}");
    assert_eq!(detection.roles.len(), files.len(), "one role per file");
    let mut names = HashSet::new();
    let mut covered = HashSet::new();
    for quant in &detection.quants {
        assert!(!quant.name.is_empty(), "a name: {}", shown());
        assert!(names.insert(quant.name.to_lowercase()), "{} stands twice: {}", quant.name, shown());
        assert!(
            quant.files.is_sorted_by(|a, b| a < b),
            "{} is not sorted or has duplicates: {}",
            quant.name,
            shown()
        );
        assert!(quant.files.iter().all(|at| *at < files.len()), "an index outside the listing: {}", shown());
        assert!(
            detection.shared.iter().all(|at| quant.files.contains(at)),
            "{} lacks a shared file",
            quant.name
        );
        covered.extend(quant.files.iter().copied());
    }
    for (at, role) in detection.roles.iter().enumerate() {
        assert!(
            *role != Role::Weights || covered.contains(&at),
            "{} is in no quant: {}",
            paths[at].0,
            shown()
        );
    }
    check_told(&files, hints, &detection);
    detection
}

/// Whatever headers say: the same quants, each with a name of its own, which no other one has without headers, and no other name for
/// those whose header was not asked for.
fn check_told(files: &[SourceFile<'_>], hints: &Hints, plain: &Detection) {
    let words = ["fp16", "Q4_K_M", "bf16", "q8", "fp32"];
    let mut asked = Vec::new();
    let told = detect_with(files, hints, |index| {
        asked.push(index);
        words.get((index + files.len()) % 7).map(|word| (*word).to_owned())
    });
    assert_eq!((&told.roles, &told.shared), (&plain.roles, &plain.shared));
    let by_files = |quants: &[DetectedQuant]| -> HashMap<Vec<usize>, HashSet<String>> {
        let mut names: HashMap<_, HashSet<_>> = HashMap::new();
        for quant in quants {
            names.entry(quant.files.clone()).or_default().insert(quant.name.clone());
        }
        names
    };
    let (before, after) = (by_files(&plain.quants), by_files(&told.quants));
    assert!(before.keys().all(|files| after.contains_key(files)) && before.len() == after.len());
    let names: HashSet<String> = told.quants.iter().map(|quant| quant.name.to_lowercase()).collect();
    assert_eq!(names.len(), told.quants.len(), "{:#?}", told.quants);
    for quant in &told.quants {
        let meant = plain.quants.iter().find(|one| one.name.eq_ignore_ascii_case(&quant.name));
        assert!(meant.is_none_or(|one| one.files == quant.files), "{} is another's: {files:#?}", quant.name);
    }
    for (own, names) in before {
        if !own.iter().any(|file| asked.contains(file)) {
            assert_eq!(Some(&names), after.get(&own), "settled");
        }
    }
}

/// Everything the tables know about files and about repositories.
fn known() -> (Vec<(String, u64)>, Vec<Hints>) {
    let cases: Vec<_> = TABLES.iter().flat_map(|text| cases(text)).collect();
    let hints = cases.iter().map(|case| case.hints.clone()).collect();
    (cases.into_iter().flat_map(|case| case.files).collect(), hints)
}

#[test]
fn random_subsets_of_real_listings_keep_the_rules() {
    let (all, hints) = known();
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    for _ in 0..2_000 {
        let size = random.below(60);
        let mut subset: Vec<_> = (0..size).map(|_| all[random.below(all.len())].clone()).collect();
        subset.sort();
        subset.dedup_by(|a, b| a.0 == b.0);
        check(&subset, &hints[random.below(hints.len())]);
    }
}

#[test]
fn random_paths_keep_the_rules() {
    let pieces = [
        "model",
        "_q4",
        "-fp16",
        ".onnx",
        ".gguf",
        ".safetensors",
        "/",
        "//",
        ".",
        "..",
        "Q4_K_M",
        "-00001-of-00002",
        "_of_",
        "of",
        "",
        " ",
        "(1)",
        "\u{e9}",
        "\u{6a21}\u{578b}",
        ".bin",
        ".xml",
        ".mlpackage",
        "/genai_config.json",
        "unet",
        "voices/",
        ".index.",
        ".json",
        "lora",
        "mmproj",
        "mtp-",
        "imatrix",
        "consolidated.00",
        ".pth",
        "A",
        "a",
        "_data",
        ".data",
        "openvino_",
        "saved_model.pb",
        "-of-",
        "9",
        "99999999999",
    ];
    let mut random = Random(0xD1B5_4A32_D192_ED03);
    for _ in 0..4_000 {
        let count = random.below(12);
        let mut paths = HashSet::new();
        for _ in 0..count {
            let length = 1 + random.below(7);
            paths.insert((0..length).map(|_| pieces[random.below(pieces.len())]).collect::<String>());
        }
        let mut paths: Vec<_> =
            paths.into_iter().map(|path| (path, random.below(3) as u64 * 1_000_000)).collect();
        paths.sort();
        check(&paths, &Hints::default());
    }
}

#[test]
fn names_that_differ_only_in_case_are_told_apart() {
    let paths = ["Foo.safetensors", "foo.safetensors", "FOO.gguf", "foo.gguf", "foo.onnx", "Foo.onnx"]
        .map(|path| (path.to_owned(), 1));
    let detection = check(&paths, &Hints::default());
    assert_eq!(detection.quants.len(), paths.len(), "{detection:#?}");
}

#[test]
fn the_same_path_twice_is_survived() {
    let paths = vec![("onnx/model.onnx".to_owned(), 1), ("onnx/model.onnx".to_owned(), 1)];
    check(&paths, &Hints::default());
}

/// A quadratic step anywhere would take hours here.
#[test]
fn a_million_files_are_sorted() {
    let mut paths = Vec::new();
    for voice in 0..20_000 {
        paths.push((format!("by_name/v{voice}/voice{voice}-medium.onnx"), 1));
        paths.push((format!("by_name/v{voice}/voice{voice}-medium.onnx.json"), 1));
    }
    paths.extend((0..400_000).map(|shard| (format!("big/model-{shard:06}-of-400000.safetensors"), 1)));
    paths.extend((0..300_000).map(|tensor| (format!("onnx/tensors.{tensor}.weight"), 1)));
    paths.extend((0..20_000).map(|model| (format!("flat/m{model}x-Q4_K_M.gguf"), 1)));
    paths.extend((0..239_999).map(|table| (format!("data/part-{table}.parquet"), 1)));
    paths.push(("onnx/model.onnx".to_owned(), 1));
    assert_eq!(paths.len(), 1_000_000);
    let detection = check_names(&paths);
    assert_eq!(detection.quants.len(), 40_002);
    let largest = detection.quants.iter().map(|quant| quant.files.len()).max();
    assert_eq!(largest, Some(400_000));
}

/// Every file a variant of one model, half of them incomplete.
#[test]
fn fifty_thousand_variants_of_one_model_are_sorted() {
    let mut paths: Vec<(String, u64)> =
        ["encoder_model", "decoder_model"].map(|part| (format!("onnx/{part}.onnx"), 1)).into();
    paths.extend((0..25_000).map(|variant| (format!("onnx/encoder_model_x{variant}x_odd.onnx"), 1)));
    paths.extend((0..25_000).map(|variant| (format!("onnx/decoder_model_y{variant}y_odd.onnx"), 1)));
    let detection = check_names(&paths);
    assert_eq!(detection.quants.len(), 50_001);
    assert!(detection.quants.iter().all(|quant| quant.files.len() == 2));
}

fn check_names(paths: &[(String, u64)]) -> Detection {
    let files: Vec<SourceFile<'_>> =
        paths.iter().map(|(path, size)| SourceFile { path, size: *size }).collect();
    let detection = detect(&files, &Hints::default());
    let names: HashSet<String> = detection.quants.iter().map(|quant| quant.name.to_lowercase()).collect();
    assert_eq!(names.len(), detection.quants.len(), "names are unique");
    detection
}
