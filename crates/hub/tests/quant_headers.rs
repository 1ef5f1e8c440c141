//! Variants that no name settles, and what headers make of them.

#![expect(clippy::indexing_slicing, reason = "an index outside the listing is a failing test")]

use tabagent_hub::quant::{Hints, SourceFile, detect_again, detect_with};

/// Paths, what headers say of some, and the names that come of it.
type Case = (&'static [&'static str], &'static [(&'static str, &'static str)], &'static [&'static str]);

/// Names of the variants, where headers say this of files; also which files were asked for.
fn names(paths: &[&str], hints: &Hints, told: &[(&str, &str)]) -> (Vec<String>, Vec<String>) {
    let files: Vec<SourceFile<'_>> = paths.iter().map(|path| SourceFile { path, size: 1 << 30 }).collect();
    let mut asked = Vec::new();
    let detection = detect_with(&files, hints, |index| {
        asked.push(paths[index].to_owned());
        told.iter().find(|(path, _)| *path == paths[index]).map(|(_, name)| (*name).to_owned())
    });
    asked.sort();
    (detection.quants.into_iter().map(|quant| quant.name).collect(), asked)
}

#[test]
fn what_names_leave_open_is_asked_for_and_nothing_else() {
    let none = Hints::default();
    let method = Hints { quant_method: Some("awq".to_owned()), ..Hints::default() };
    let dtype = Hints { dtype: Some("BF16".to_owned()), ..Hints::default() };
    let repo = Hints { repo: Some("acme/m-int4".to_owned()), ..Hints::default() };
    let cases: [(&[&str], &Hints, &[&str]); 11] = [
        (&["model.safetensors"], &none, &["model.safetensors"]),
        (&["model.safetensors"], &method, &[]),
        (&["model.safetensors"], &dtype, &[]),
        (&["model-fp16.safetensors"], &none, &[]),
        (&["model.fp16.safetensors", "model.safetensors"], &none, &["model.safetensors"]),
        (
            &["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"],
            &none,
            &["model-00001-of-00002.safetensors"],
        ),
        (&["tiny.gguf", "tiny-Q4_K_M.gguf", "Q8_0/tiny.gguf"], &none, &["tiny.gguf"]),
        (&["big-00001-of-00002.gguf", "big-00002-of-00002.gguf"], &none, &["big-00001-of-00002.gguf"]),
        (
            &["onnx/model.onnx", "onnx/model_q4.onnx", "int8/model.onnx", "model.ort"],
            &none,
            &["onnx/model.onnx"],
        ),
        (&["genai_config.json", "model.onnx", "model.onnx.data"], &none, &["model.onnx"]),
        (&["genai_config.json", "model.onnx", "model.onnx.data"], &repo, &[]),
    ];
    for (paths, hints, expected) in cases {
        assert_eq!(names(paths, hints, &[]).1, expected, "{paths:?}");
    }
}

#[test]
fn a_header_names_its_variant_and_no_other() {
    let cases: [Case; 10] = [
        (&["model.safetensors"], &[("model.safetensors", "bf16")], &["bf16"]),
        (&["a.gguf", "b.gguf"], &[("a.gguf", "Q8_0"), ("b.gguf", "F16")], &["F16", "Q8_0"]),
        // The same variant of two models.
        (&["a.gguf", "b.gguf"], &[("a.gguf", "Q8_0"), ("b.gguf", "Q8_0")], &["a", "b"]),
        // What its name settles stays, in any case.
        (&["m.gguf", "m-Q8_0.gguf"], &[("m.gguf", "q8_0")], &["m", "Q8_0"]),
        (&["model.onnx", "model_fp16.onnx"], &[("model.onnx", "fp16")], &["fp16", "model"]),
        (
            &["onnx/model_fp16.onnx", "model.safetensors"],
            &[("model.safetensors", "fp16")],
            &["fp16", "safetensors:fp16"],
        ),
        // Two formats, both by their headers.
        (
            &["model.onnx", "model.safetensors"],
            &[("model.onnx", "fp16"), ("model.safetensors", "fp16")],
            &["onnx:fp16", "safetensors:fp16"],
        ),
        // The name that another one had before it was read stays that one's.
        (
            &["model.onnx", "model.safetensors"],
            &[("model.onnx", "fp16"), ("model.safetensors", "fp32")],
            &["fp16", "safetensors:fp32"],
        ),
        // What was guessed right keeps its name.
        (
            &["model.onnx", "x/model.onnx"],
            &[("model.onnx", "fp32"), ("x/model.onnx", "fp32")],
            &["fp32", "x"],
        ),
        (&["model.onnx", "model_q4.onnx"], &[("model.onnx", "int8")], &["int8", "q4"]),
    ];
    for (paths, told, expected) in cases {
        assert_eq!(names(paths, &Hints::default(), told).0, expected, "{paths:?} {told:?}");
    }
}

#[test]
fn a_name_that_was_given_stays_when_the_header_of_another_says_the_same() {
    let paths = ["a.gguf", "b.gguf", "c.safetensors", "fp16.gguf"];
    let files = paths.map(|path| SourceFile { path, size: 1 << 30 });
    let told = ["Q8_0", "Q8_0", "fp16", "Q4_0"];
    let names = |given: [&str; 4]| {
        let of = |words: [&str; 4], index: usize| Some(words[index].to_owned());
        let told = |index| of(told, index);
        let detection = detect_again(&files, &Hints::default(), told, |index| of(given, index));
        let mut quants: Vec<_> =
            detection.quants.into_iter().map(|quant| (quant.files, quant.name)).collect();
        quants.sort();
        quants.into_iter().map(|(_, name)| name).collect::<Vec<_>>()
    };
    assert_eq!(names(["Q8_0", "b", "c", "fp16"])[..2], ["Q8_0", "b"]);
    assert_eq!(names(["a", "gguf:Q8_0", "c", "fp16"])[..2], ["a", "gguf:Q8_0"]);
    assert_eq!(names(["a", "b", "c", "fp16"])[..2], ["a", "b"]);
    // A name that says something else is none.
    assert_eq!(names(["Q5_0", "b", "c", "fp16"])[..2], ["a", "b"]);
}
