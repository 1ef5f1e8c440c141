//! What headers of each format make of a quant's name, from the whole and from as little as needed.

use super::bytes::{Bytes as _, Pieces, Whole};
use super::tests::{gguf_tensor, gguf_text, message};
use super::variant::variant;
use crate::onnx::wire::put_bytes;

const SAFETENSORS: &str = "model.safetensors";
const GGUF: &str = "model.gguf";
const ONNX: &str = "model.onnx";

/// Types and bytes of tensors.
fn safetensors(tensors: &[(&str, usize)]) -> Vec<u8> {
    let (mut end, mut entries) = (0, Vec::new());
    for (at, (dtype, bytes)) in tensors.iter().enumerate() {
        let (start, name) = (end, format!("t{at}"));
        end += bytes;
        entries.push(format!(r#""{name}":{{"dtype":"{dtype}","shape":[1],"data_offsets":[{start},{end}]}}"#));
    }
    let document = format!("{{{}}}", entries.join(","));
    let mut out = [&(document.len() as u64).to_le_bytes()[..], document.as_bytes()].concat();
    out.resize(out.len() + end, 0);
    out
}

fn gguf(file_type: Option<u32>, kind: u32) -> Vec<u8> {
    let mut out = b"GGUF\x03\0\0\0".to_vec();
    out.extend(1_u64.to_le_bytes());
    out.extend(u64::from(file_type.is_some()).to_le_bytes());
    if let Some(number) = file_type {
        gguf_text(&mut out, "general.file_type");
        out.extend([4_u32, number].iter().flat_map(|number| number.to_le_bytes()));
    }
    gguf_tensor(&mut out, "w", &[256], kind, 0);
    out.resize(out.len().next_multiple_of(32) + 1024, 0);
    out
}

/// Operators with their `bits`, then types and bytes of weights.
fn onnx(operators: &[(&str, Option<u64>)], weights: &[(u64, usize)]) -> Vec<u8> {
    let mut graph = Vec::new();
    for (kind, bits) in operators {
        let named = bits.map(|bits| message(&[(1, b"bits")], &[(3, bits)]));
        let other = message(&[(1, b"K")], &[(3, 7)]);
        let mut fields = vec![(2, &b"y"[..]), (4, kind.as_bytes()), (5, &other[..])];
        fields.extend(named.iter().map(|named| (5, &named[..])));
        put_bytes(&mut graph, 1, &message(&fields, &[]));
    }
    for (kind, bytes) in weights {
        put_bytes(&mut graph, 5, &message(&[(8, b"w"), (9, &vec![0; *bytes])], &[(2, *kind)]));
    }
    message(&[(7, &graph)], &[(1, 10)])
}

fn name(path: &str, bytes: &[u8]) -> Option<String> {
    let told = variant(path, &Whole(bytes));
    assert_eq!(told.missing, None);
    told.name
}

#[test]
fn safetensors_are_named_by_what_most_bytes_are() {
    for (tensors, expected) in [
        (&[("BF16", 100), ("F32", 40)][..], Some("bf16")),
        (&[("F16", 100), ("I64", 400)], Some("fp16")),
        (&[("F32", 100)], Some("fp32")),
        (&[("F8_E4M3", 100), ("F32", 4)], Some("fp8")),
        (&[("I8", 100), ("F16", 4)], Some("int8")),
        // Packed by a method that the header does not name.
        (&[("I32", 100), ("F16", 40)], None),
        (&[("U8", 100), ("BF16", 40)], None),
        (&[("WHAT", 100)], None),
        (&[], None),
    ] {
        assert_eq!(name(SAFETENSORS, &safetensors(tensors)).as_deref(), expected, "{tensors:?}");
    }
}

#[test]
fn gguf_is_named_by_its_file_type_else_by_its_tensors() {
    for (file_type, kind, expected) in [
        (Some(15), 12, Some("Q4_K_M")),
        (Some(0), 0, Some("F32")),
        (Some(32), 30, Some("BF16")),
        // Guessed by the program that wrote it, or of a later one.
        (Some(1024 + 15), 12, Some("Q4_K")),
        (Some(999), 8, Some("Q8_0")),
        (None, 1, Some("F16")),
        (None, 99, None),
    ] {
        assert_eq!(name(GGUF, &gguf(file_type, kind)).as_deref(), expected, "{file_type:?} {kind}");
    }
}

#[test]
fn onnx_is_named_by_its_operators_and_its_weights() {
    let (float, half, int8, uint8, int4) = (1, 10, 3, 2, 22);
    let add = ("Add", None);
    for (operators, weights, expected) in [
        (&[add][..], &[(float, 900), (7, 2000)][..], Some("fp32")),
        (&[add], &[(half, 900), (float, 80)], Some("fp16")),
        (&[("MatMulNBits", Some(4))], &[(uint8, 900), (float, 80)], Some("q4")),
        (&[("MatMulNBits", Some(4)), add], &[(uint8, 900), (half, 80), (float, 8)], Some("q4f16")),
        (&[("MatMulNBits", None)], &[(uint8, 900)], Some("q4")),
        (&[add, ("MatMulNBits", Some(8))], &[(uint8, 900), (float, 80)], Some("q8")),
        (&[("MatMulBnb4", None)], &[(uint8, 900), (float, 80)], Some("bnb4")),
        // The embeddings are larger, but not what was quantized.
        (&[("MatMulInteger", None)], &[(float, 900), (int8, 80)], Some("int8")),
        (&[("DequantizeLinear", None)], &[(uint8, 90), (int8, 80)], Some("uint8")),
        (&[("QLinearConv", None)], &[(int8, 90)], Some("int8")),
        (&[("DequantizeLinear", None)], &[(int4, 90), (half, 80)], Some("q4f16")),
        (&[("DequantizeLinear", None)], &[(float, 90)], Some("fp32")),
        (&[add], &[(7, 90)], None),
        (&[], &[(float, 90)], None),
    ] {
        let bytes = onnx(operators, weights);
        assert_eq!(name(ONNX, &bytes).as_deref(), expected, "{operators:?} {weights:?}");
    }
    for bytes in [&b""[..], b"\x0b\x0c", &[0xff; 100]] {
        assert_eq!(name(ONNX, bytes), None);
        assert_eq!(name(GGUF, bytes), None);
    }
}

#[test]
fn onnx_is_read_until_what_is_left_cannot_change_the_name() {
    let weights = [(1, 50_000), (10, 20_000), (10, 10_000), (10, 5_000)];
    let bytes = onnx(&[("Add", None)], &weights);
    let (mut pieces, mut fed) = (Pieces::new(bytes.len() as u64), 0);
    loop {
        let told = variant(ONNX, &pieces);
        let Some(range) = told.missing else {
            assert_eq!(told.name.as_deref(), Some("fp32"));
            break;
        };
        let range = pieces.gap(range.start..range.end.max(range.start + 100));
        fed += range.end - range.start;
        pieces.insert(range.start, Whole(&bytes).get(range.clone()).unwrap().to_vec());
    }
    assert!(fed < 1_000, "{fed}");
}
