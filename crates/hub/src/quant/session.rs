//! Turns the variants of a model into candidates: every part once, from the nearest variant that has it.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::candidate::Candidate;
use super::model::{Model, Variant};
use super::unit::Unit;
use super::{Format, Hints, dtype};

/// Models with more parts than this are taken as they are, without completing their variants.
const COMPLETED_UP_TO: usize = 64;

/// The units of one variant: its own and those borrowed from another variant.
struct Chosen<'a> {
    variant: &'a Variant,
    borrowed: Vec<usize>,
}

/// How far what the Hub says of a repository is said of one of its variants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// There is nothing else.
    Alone,
    /// The format has no other; other formats have some.
    AloneInFormat,
    /// One of several.
    Among,
}

/// What the other models of the repository mean for the names of one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Company {
    pub(super) standing: Standing,
    /// The format has several models with names of their own.
    pub(super) collection: bool,
    /// Whether a checkpoint in the root has the name that libraries look for.
    pub(super) has_main: bool,
}

/// The candidates of one model.
pub(super) fn candidates(model: &Model, units: &[Unit], hints: &Hints, company: Company) -> Vec<Candidate> {
    let several_parts = model.sessions().len() > 1;
    let by_label = company.collection && !model.name.is_empty() && unknown_suffix(model).is_none();
    let by_folder = company.has_main && is_elsewhere(model);
    let chosen = drop_borrowed(model, choose(model));
    let standing = if chosen.len() == 1 { company.standing } else { Standing::Among };
    let candidate = |chosen: &Chosen<'_>| {
        let own: Vec<&Unit> = chosen.variant.sessions.values().filter_map(|unit| units.get(*unit)).collect();
        let borrowed = chosen.borrowed.iter().filter_map(|unit| units.get(*unit));
        let files = own.iter().copied().chain(borrowed).flat_map(|unit| unit.files.iter().copied()).collect();
        let main = own.iter().rev().copied().max_by_key(|unit| unit.bytes);
        let stem = main.map_or("model", |unit| unit.stem.as_str());
        let label = if let Some(label) = &model.label {
            label.clone()
        } else if several_parts {
            joined_label(model, chosen.variant, stem)
        } else {
            stem.to_owned()
        };
        let short = |told| short(model, chosen.variant, told, hints, standing);
        let named = match (by_label, by_folder && chosen.variant.text.is_empty()) {
            (true, _) => Named::Surely(label.clone()),
            (false, true) => Named::Surely(model.base.clone()),
            (false, false) => short(&label),
        };
        Candidate {
            format: model.format,
            dir: model.base.clone(),
            model: model.name.to_ascii_lowercase(),
            open: named.open(main),
            short: named.into_text(),
            detail: [label.as_str(), ".", main.map_or("", |unit| &unit.dialect)]
                .concat()
                .trim_end_matches('.')
                .to_owned(),
            label,
            by_folder: chosen.variant.text.is_empty() && !model.folder_variant.is_empty(),
            files,
        }
    };
    chosen.iter().map(candidate).collect()
}

/// Whether it is a checkpoint that its folder alone tells from the one in the root: `original`, `checkpoint-500`.
fn is_elsewhere(model: &Model) -> bool {
    matches!(model.format, Format::Safetensors | Format::Pytorch)
        && model.name.is_empty()
        && model.folder_variant.is_empty()
        && !model.base.is_empty()
}

/// What a graph has behind `model` that nobody knows; it is the variant then, and never full precision.
fn unknown_suffix(model: &Model) -> Option<&String> {
    model.suffix.as_ref().filter(|_| model.format == Format::Onnx && model.label.is_none())
}

fn joined_label(model: &Model, variant: &Variant, stem: &str) -> String {
    match (model.name.is_empty(), variant.text.is_empty()) {
        (true, true) => stem.to_owned(),
        (true, false) => variant.text.clone(),
        (false, true) => model.name.clone(),
        (false, false) => format!("{}-{}", model.name, variant.text),
    }
}

/// A short name, and where it comes from.
enum Named {
    /// From names, or from the Hub.
    Surely(String),
    /// From a rule about files that do not say what they are; their headers do.
    Perhaps(String),
}

impl Named {
    /// The file to ask where the name is not sure: the graph, or the first shard.
    fn open(&self, main: Option<&Unit>) -> Option<usize> {
        let unit = main.filter(|unit| unit.dialect.is_empty() && matches!(self, Self::Perhaps(_)))?;
        unit.files.first().copied()
    }

    fn into_text(self) -> String {
        match self {
            Self::Surely(text) | Self::Perhaps(text) => text,
        }
    }
}

/// The shortest name: the variant in the file name, else in the folder's, else what the Hub says, else the stem.
fn short(model: &Model, variant: &Variant, label: &str, hints: &Hints, standing: Standing) -> Named {
    let text = [&variant.text, &model.folder_variant].into_iter().find(|text| !text.is_empty());
    match model.format {
        Format::Onnx => match text {
            Some(text) => Named::Surely(dtype::onnx_name(text)),
            None => match unknown_suffix(model) {
                Some(suffix) => Named::Surely(suffix.clone()),
                None => Named::Perhaps(dtype::onnx_name("")),
            },
        },
        Format::Other if model.name.is_empty() && text.is_none() && !model.base.is_empty() => {
            Named::Surely(model.base.clone())
        }
        Format::Other => Named::Surely(
            hints
                .method()
                .filter(|_| standing != Standing::Among && model.name.is_empty())
                .unwrap_or_else(|| label.to_owned()),
        ),
        _ => checkpoint(model, text, label, hints, standing),
    }
}

fn checkpoint(model: &Model, text: Option<&String>, label: &str, hints: &Hints, standing: Standing) -> Named {
    let sole = standing != Standing::Among;
    let told = told_method(model, hints, standing).or_else(|| text.map(|text| text.to_ascii_lowercase()));
    let full = full_precision(model);
    match told.or_else(|| told_dtype(model, hints, sole).filter(|_| full.is_none())) {
        Some(told) => Named::Surely(told),
        None if full.is_some() || is_main(model, sole) => {
            Named::Perhaps(full.unwrap_or_else(|| label.to_owned()))
        }
        None => Named::Surely(label.to_owned()),
    }
}

/// The method holds for the whole repository, so it names a variant only where there is one. Beside other formats a model with a name
/// of its own need not be what the repository is called after.
fn told_method(model: &Model, hints: &Hints, standing: Standing) -> Option<String> {
    hints.method().filter(|_| {
        standing == Standing::Alone || (standing == Standing::AloneInFormat && model.name.is_empty())
    })
}

/// The dtype the Hub reports is that of the main safetensors checkpoint.
fn told_dtype(model: &Model, hints: &Hints, sole: bool) -> Option<String> {
    hints.dtype().filter(|_| is_main(model, sole))
}

/// Whether it is the one model of the repository that its dtype alone can name.
fn is_main(model: &Model, sole: bool) -> bool {
    model.format == Format::Safetensors && (model.name.is_empty() || sole)
}

/// Files without a suffix beside files with `fp16` or `bf16` are the full-precision ones.
fn full_precision(model: &Model) -> Option<String> {
    let has = |name: &str| model.variants.contains_key(name);
    ((has("fp16") || has("bf16")) && !has("fp32")).then(|| "fp32".to_owned())
}

fn choose(model: &Model) -> Vec<Chosen<'_>> {
    let required = required(model);
    let mut first: HashMap<&str, usize> = HashMap::new();
    for (session, unit) in model.variants.values().flat_map(|variant| &variant.sessions) {
        first.entry(session).or_insert(*unit);
    }
    let mut chosen = Vec::with_capacity(model.variants.len());
    for (name, variant) in &model.variants {
        let missing = required.iter().filter(|session| !has_part(variant, session));
        let any = |session: &str| first.get(session).copied();
        let borrowed =
            missing.filter_map(|session| borrow(model, name, session).or_else(|| any(session))).collect();
        chosen.push(Chosen { variant, borrowed });
    }
    chosen
}

/// All parts but the decoders that a merged decoder replaces.
fn required(model: &Model) -> BTreeSet<&str> {
    let mut sessions = model.sessions();
    if sessions.len() > COMPLETED_UP_TO {
        return BTreeSet::new();
    }
    if sessions.contains("decoder_model_merged") {
        sessions.remove("decoder_model");
        sessions.remove("decoder_with_past_model");
    }
    sessions
}

/// Whether a variant needs nothing from others for a part: it has it, or the decoder that the merged one replaces.
fn has_part(variant: &Variant, session: &str) -> bool {
    let has = |session: &str| variant.sessions.contains_key(session);
    has(session) || (session == "decoder_model_merged" && has("decoder_model"))
}

/// The same part in another variant: half precision first for a half-precision variant, else full precision first,
/// then 8 bits.
fn borrow(model: &Model, variant: &str, session: &str) -> Option<usize> {
    let order: &[&str] = if variant.contains("f16") || variant.contains("fp16") {
        &["fp16", "bf16", "", "fp32", "quantized", "q8", "int8", "uint8"]
    } else {
        &["", "fp32", "fp16", "bf16", "quantized", "q8", "int8", "uint8"]
    };
    let find = |name: &str| model.variants.get(name)?.sessions.get(session).copied();
    order.iter().find_map(|name| find(name))
}

/// Files without a suffix that come in no other variant, and are incomplete without others, complete those and are no
/// variant of their own: the decoder that is not worth quantizing, the tokenizer graph. A suffix always is a variant.
fn drop_borrowed<'a>(model: &Model, mut chosen: Vec<Chosen<'a>>) -> Vec<Chosen<'a>> {
    let mut variants: HashMap<&str, usize> = HashMap::new();
    for session in model.variants.values().flat_map(|variant| variant.sessions.keys()) {
        *variants.entry(session).or_default() += 1;
    }
    let lent: HashSet<usize> = chosen.iter().flat_map(|chosen| chosen.borrowed.iter().copied()).collect();
    chosen.retain(|chosen| {
        let is_complement = |(session, unit): (&String, &usize)| {
            lent.contains(unit) && variants.get(session.as_str()) == Some(&1)
        };
        let sessions = &chosen.variant.sessions;
        !(chosen.variant.text.is_empty() && !chosen.borrowed.is_empty() && sessions.iter().all(is_complement))
    });
    chosen
}
