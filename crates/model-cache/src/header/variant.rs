//! How the weights of a file are quantized by its header, in the words that name quants. A name is only ever one of these words,
//! whatever a file says.

use std::collections::BTreeMap;
use std::ops::Range;

use super::bytes::{Bytes, Stop};
use super::onnx_operator::Quantization;
use super::{Header, TensorInfo, gguf_file_type, onnx, read};

/// What the rules are called in records. Rules that find more get another number, and files are read again.
pub(crate) const RULES: u32 = 1;

/// What is known so far.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Telling {
    /// The name; none where the header says nothing that names a quant, or not yet.
    pub(crate) name: Option<String>,
    /// The bytes without which it is not sure. They begin with the first one that is not here.
    pub(crate) missing: Option<Range<u64>>,
}

/// Reads as far as bytes are here. A header that makes no sense says nothing.
pub(crate) fn variant(path: &str, bytes: &impl Bytes) -> Telling {
    let is_onnx = path.rsplit('.').next().is_some_and(|ending| ending.eq_ignore_ascii_case("onnx"));
    if is_onnx {
        return of_onnx(bytes);
    }
    match read(path, bytes) {
        Ok(header) => Telling { name: of_header(&header), missing: None },
        Err(stop) => Telling { name: None, missing: missing(stop) },
    }
}

fn missing(stop: Stop) -> Option<Range<u64>> {
    match stop {
        Stop::Missing(range) => Some(range),
        Stop::Unknown(_) | Stop::Malformed(_) => None,
    }
}

fn of_header(header: &Header) -> Option<String> {
    match header.format {
        "gguf" => {
            let told = header.metadata.get("general.file_type").and_then(serde_json::Value::as_u64);
            told.and_then(gguf_file_type::name).or_else(|| gguf_majority(&header.tensors)).map(str::to_owned)
        }
        "safetensors" => Shares::of(&header.tensors, safetensors_class).first().map(str::to_owned),
        _ => None,
    }
}

/// The type with most bytes, where it is one that has no parts.
fn gguf_majority(tensors: &[TensorInfo]) -> Option<&str> {
    let first = Shares::of(tensors, Some).first()?;
    (!first.starts_with("type ")).then_some(first)
}

/// Whole numbers other than `I8` are packed by a method that only the configuration names.
fn safetensors_class(dtype: &str) -> Option<&'static str> {
    Some(match dtype {
        "I8" => "int8",
        "I32" | "U8" | "U32" | "U16" | "I16" => "",
        _ => return float_class(dtype),
    })
}

fn float_class(dtype: &str) -> Option<&'static str> {
    Some(match dtype {
        "F64" => "fp64",
        "F32" => "fp32",
        "F16" => "fp16",
        "BF16" => "bf16",
        _ if dtype.starts_with("F8") => "fp8",
        _ => return None,
    })
}

/// Integer weights of ONNX; indices and shapes are of other types.
fn integer_class(dtype: &str) -> Option<&'static str> {
    Some(match dtype {
        "I8" => "int8",
        "U8" => "uint8",
        "I4" | "U4" => "q4",
        "I2" | "U2" => "q2",
        _ => return None,
    })
}

fn of_onnx(bytes: &impl Bytes) -> Telling {
    let survey = onnx::survey(bytes);
    let missing = survey.stop.and_then(missing);
    let left = missing.as_ref().map_or(0, |missing| bytes.size().saturating_sub(missing.start));
    let floats = Shares::of(&survey.tensors, float_class);
    let all = Shares::of(&survey.tensors, |dtype| float_class(dtype).or_else(|| integer_class(dtype)));
    let integers = Shares::of(&survey.tensors, integer_class);
    let Quantization { seen, block_bits, bnb4, linear } = survey.quantization;
    let half = if floats.first() == Some("fp16") { "f16" } else { "" };
    let (shares, name) = match (block_bits, linear && integers.first().is_some()) {
        _ if bnb4 => (&floats, Some("bnb4".to_owned())),
        (Some(bits @ 1..=8), _) => (&floats, Some(format!("q{bits}{half}"))),
        (_, true) => (&integers, integers.first().map(|class| small(class, half))),
        (_, false) => (&all, all.first().map(|class| small(class, half))),
    };
    // What is left may be of any type. Packed weights look like integers to who has not seen what computes with them.
    let is_sure = seen && shares.lead() > left;
    Telling { name: name.filter(|_| seen), missing: missing.filter(|_| !is_sure) }
}

/// Packed types are named with that of what is computed, as the block quantizations are.
fn small(class: &str, half: &str) -> String {
    let is_packed = matches!(class, "q2" | "q4");
    format!("{class}{}", if is_packed { half } else { "" })
}

/// Bytes by class.
struct Shares<'a>(BTreeMap<&'a str, u64>);

impl<'a> Shares<'a> {
    fn of<'t>(tensors: &'t [TensorInfo], class: impl Fn(&'t str) -> Option<&'a str>) -> Self {
        let mut shares = BTreeMap::new();
        for tensor in tensors {
            if let Some(class) = class(&tensor.dtype) {
                let share: &mut u64 = shares.entry(class).or_default();
                *share = share.saturating_add(tensor.length);
            }
        }
        Self(shares)
    }

    /// The class with most bytes; none where that one has no name.
    fn first(&self) -> Option<&'a str> {
        let first = self.0.iter().max_by_key(|(_, bytes)| **bytes)?;
        Some(*first.0).filter(|name| !name.is_empty())
    }

    /// How many bytes the first class has more than the next one.
    fn lead(&self) -> u64 {
        let mut bytes: Vec<u64> = self.0.values().copied().collect();
        bytes.sort_unstable_by(|a, b| b.cmp(a));
        bytes.first().map_or(0, |first| first - bytes.get(1).copied().unwrap_or_default())
    }
}
