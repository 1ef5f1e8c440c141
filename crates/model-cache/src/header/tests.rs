//! Small files of each format, whole, in pieces, damaged and hostile.

use super::*;
use crate::mutation::random::Random;
use crate::onnx::wire::{put_bytes, put_number};

pub(super) fn message(fields: &[(u32, &[u8])], numbers: &[(u32, u64)]) -> Vec<u8> {
    let mut out = Vec::new();
    for (place, value) in numbers {
        put_number(&mut out, *place, *value);
    }
    for (place, bytes) in fields {
        put_bytes(&mut out, *place, bytes);
    }
    out
}

/// Two weights, one of a `Constant`, one in another file, one whose numbers are encoded.
fn onnx() -> Vec<u8> {
    let tensor = |name: &str, dims: &[u8], more: &[(u32, &[u8])], numbers: &[(u32, u64)]| {
        let fields = [&[(1, dims), (8, name.as_bytes())], more].concat();
        message(&fields, &[&[(2, 1)], numbers].concat())
    };
    let first = tensor("first", &[100, 100], &[(9, &vec![1; 40_000])], &[]);
    let last = tensor("last", &[100, 100], &[(9, &vec![2; 40_000])], &[]);
    let entry = |key: &str, value: &str| message(&[(1, key.as_bytes()), (2, value.as_bytes())], &[]);
    let (location, offset, length) =
        (entry("location", "model.onnx_data"), entry("offset", "4096"), entry("length", "40000"));
    let external =
        tensor("external", &[100, 100], &[(13, &location), (13, &offset), (13, &length)], &[(14, 1)]);
    let encoded = tensor("encoded", &[2], &[(4, &[0; 8])], &[]);
    let value = tensor("", &[], &[(9, &[0; 4])], &[]);
    let attribute = message(&[(1, b"value"), (5, &value)], &[]);
    let constant = message(&[(2, b"one"), (4, b"Constant"), (5, &attribute)], &[]);
    let body = message(&[(5, &tensor("inner", &[1], &[(9, &[0; 4])], &[]))], &[]);
    let branch = message(&[(4, b"If"), (5, &message(&[(1, b"then_branch"), (6, &body)], &[]))], &[]);
    let shape = message(&[(1, &message(&[(2, b"batch")], &[])), (1, &message(&[], &[(1, 128)]))], &[]);
    let kind = message(&[(1, &message(&[(2, &shape)], &[(1, 7)]))], &[]);
    let port = |name: &str| message(&[(1, name.as_bytes()), (2, &kind)], &[]);
    let graph = message(
        &[
            (1, &constant),
            (1, &branch),
            (5, &first),
            (5, &external),
            (5, &encoded),
            (5, &last),
            (11, &port("input_ids")),
            (11, &port("first")),
            (12, &port("logits")),
        ],
        &[],
    );
    let opset = message(&[], &[(2, 21)]);
    message(
        &[(2, b"pytorch"), (3, b"2.6"), (7, &graph), (8, &opset), (14, &entry("task", "test"))],
        &[(1, 10)],
    )
}

pub(super) fn gguf_text(out: &mut Vec<u8>, text: &str) {
    out.extend((text.len() as u64).to_le_bytes());
    out.extend(text.as_bytes());
}

pub(super) fn gguf_tensor(out: &mut Vec<u8>, name: &str, dimensions: &[u64], kind: u32, offset: u64) {
    gguf_text(out, name);
    out.extend(u32::try_from(dimensions.len()).unwrap().to_le_bytes());
    out.extend(dimensions.iter().flat_map(|dimension| dimension.to_le_bytes()));
    out.extend(kind.to_le_bytes());
    out.extend(offset.to_le_bytes());
}

fn gguf() -> Vec<u8> {
    let mut out = b"GGUF\x03\0\0\0".to_vec();
    out.extend(2_u64.to_le_bytes());
    out.extend(4_u64.to_le_bytes());
    gguf_text(&mut out, "general.architecture");
    out.extend(8_u32.to_le_bytes());
    gguf_text(&mut out, "llama");
    gguf_text(&mut out, "llama.rope.freq_base");
    out.extend(6_u32.to_le_bytes());
    out.extend(0.1_f32.to_le_bytes());
    for (key, count) in [("short", 2_u64), ("tokenizer.ggml.tokens", 2_000)] {
        gguf_text(&mut out, key);
        out.extend(9_u32.to_le_bytes());
        out.extend(8_u32.to_le_bytes());
        out.extend(count.to_le_bytes());
        (0..count).for_each(|token| gguf_text(&mut out, &format!("t{token}")));
    }
    gguf_tensor(&mut out, "token_embd.weight", &[256, 4], 12, 0);
    gguf_tensor(&mut out, "output_norm.weight", &[5120], 0, 576);
    out.resize(out.len().next_multiple_of(32) + 576 + 20_480, 7);
    out
}

fn safetensors() -> Vec<u8> {
    let document = r#"{"__metadata__":{"format":"pt"},"b":{"dtype":"F32","shape":[10,1000],"data_offsets":[40000,80000]},
        "a":{"dtype":"BF16","shape":[20000],"data_offsets":[0,40000]},"c":{"dtype":"I64","shape":[],"data_offsets":[80000,80008]}}"#;
    let mut out = (document.len() as u64).to_le_bytes().to_vec();
    out.extend(document.as_bytes());
    out.resize(out.len() + 80_008, 9);
    out
}

fn samples() -> [(&'static str, Vec<u8>); 3] {
    [("model.safetensors", safetensors()), ("model.gguf", gguf()), ("onnx/model.ONNX", onnx())]
}

fn whole(path: &str, bytes: &[u8]) -> Header {
    read(path, &Whole(bytes)).unwrap()
}

/// Feeds the parser what it asks for, `step` bytes at least; also tells how many that were.
fn in_pieces(path: &str, bytes: &[u8], step: u64) -> (Result<Header, Stop>, u64) {
    let (mut pieces, mut fed) = (Pieces::new(bytes.len() as u64), 0);
    loop {
        match read(path, &pieces) {
            Err(Stop::Missing(range)) => {
                let range = pieces.gap(range.start..range.end.max(range.start + step));
                assert!(!range.is_empty(), "{path}: it asks for nothing");
                fed += range.end - range.start;
                pieces.insert(range.start, Whole(bytes).get(range.clone()).unwrap().to_vec());
            }
            outcome => return (outcome, fed),
        }
    }
}

#[test]
fn safetensors_tell_their_tensors_in_order() {
    let (bytes, header) = (safetensors(), whole("model.safetensors", &safetensors()));
    let names: Vec<_> =
        header.tensors.iter().map(|t| (t.name.as_str(), t.dtype.as_str(), t.length)).collect();
    assert_eq!(names, [("a", "BF16", 40_000), ("b", "F32", 40_000), ("c", "I64", 8)]);
    assert_eq!(header.tensors[0].offset, bytes.len() as u64 - 80_008);
    assert_eq!((header.parameters, header.metadata["format"].as_str()), (30_001, Some("pt")));
}

#[test]
fn what_else_a_safetensors_document_says_is_passed_by() {
    let entry = r#"{"dtype":"U8","note":{"x":[[1],"y"]},"shape":[2],"data_offsets":[0,2]}"#;
    let document = format!(
        r#"{{"__metadata__":null,"a":{{"dtype":"U8","shape":[],"data_offsets":[2,3]}},"a":{entry}}}"#
    );
    let file = [&(document.len() as u64).to_le_bytes(), document.as_bytes(), b"abc"].concat();
    let header = whole("m.safetensors", &file);
    let [tensor] = &header.tensors[..] else { panic!("one tensor: {:?}", header.tensors) };
    assert_eq!((&tensor.shape[..], tensor.length, header.metadata.len()), (&[2][..], 2, 0));
}

#[test]
fn gguf_tells_its_keys_and_tensors() {
    let (bytes, header) = (gguf(), whole("model.gguf", &gguf()));
    assert_eq!((header.version, header.architecture.as_deref()), (Some(3), Some("llama")));
    assert_eq!(header.metadata["llama.rope.freq_base"].to_string(), "0.1");
    assert_eq!(header.metadata["short"], serde_json::json!(["t0", "t1"]));
    assert_eq!(
        header.metadata["tokenizer.ggml.tokens"],
        serde_json::json!({ "type": "string", "length": 2_000 })
    );
    let [embedding, norm] = &header.tensors[..] else { panic!("two tensors") };
    assert_eq!(
        (&embedding.shape[..], embedding.dtype.as_str(), embedding.length),
        (&[4, 256][..], "Q4_K", 576)
    );
    assert_eq!((norm.offset + norm.length, norm.length), (bytes.len() as u64, 20_480));
}

#[test]
fn onnx_tells_weights_wherever_they_are() {
    let (bytes, header) = (onnx(), whole("model.onnx", &onnx()));
    let find = |name: &str| header.tensors.iter().find(|tensor| tensor.name == name).unwrap();
    for (name, byte) in [("first", 1), ("last", 2)] {
        let (at, tensor) = (usize::try_from(find(name).offset).unwrap(), find(name));
        assert_eq!((&tensor.shape[..], tensor.dtype.as_str()), (&[100, 100][..], "F32"));
        assert_eq!(bytes[at..at + 40_000], vec![byte; 40_000]);
        assert_ne!((bytes[at - 1], bytes[at + 40_000]), (byte, byte));
    }
    let external = find("external");
    assert_eq!(external.data, TensorData::External("model.onnx_data".to_owned()));
    assert_eq!((external.offset, external.length), (4096, 40_000));
    assert_eq!(find("encoded").data, TensorData::Encoded);
    assert_eq!((find("one").length, find("inner").length), (4, 4));
    let graph = header.graph.as_ref().unwrap();
    assert_eq!(graph.opsets["ai.onnx"], 21);
    let [input] = &graph.inputs[..] else { panic!("one input: {:?}", graph.inputs) };
    assert_eq!((input.name.as_str(), input.dtype.as_str()), ("input_ids", "I64"));
    assert_eq!(input.shape, [Dimension::Any("batch".to_owned()), Dimension::Size(128)]);
    assert_eq!(graph.outputs.len(), 1);
    assert_eq!((header.version, header.producer.as_deref()), (Some(10), Some("pytorch 2.6")));
    assert_eq!(header.metadata["task"].as_str(), Some("test"));
}

#[test]
fn pieces_say_the_same_as_the_whole_without_the_weights() {
    for (path, bytes) in samples() {
        for step in [1000, 4096] {
            let (header, fed) = in_pieces(path, &bytes, step);
            assert_eq!(header.unwrap(), whole(path, &bytes), "{path}");
            let weights = if path.ends_with("gguf") { 10_000 } else { 60_000 };
            assert!(fed + weights <= bytes.len() as u64, "{path}: {fed} of {} bytes", bytes.len());
        }
    }
}

#[test]
fn damage_is_told_and_never_a_panic() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut below = |limit| random.below(limit);
    for (path, bytes) in samples() {
        // What is read lies at the beginning, and between the weights of ONNX.
        let places = [bytes.len(), bytes.len().min(2000), 400];
        for round in 0..1000 {
            let mut damaged = bytes.clone();
            for _ in 0..=below(3) {
                let at = below(places[round % places.len()]);
                let byte = [0, 0xff, 0x7f, 1 << below(8)][below(4)];
                damaged[at] ^= byte;
            }
            if round % 5 == 0 {
                damaged.truncate(below(damaged.len()));
            }
            let all = read(path, &Whole(&damaged));
            if round % 8 == 0 {
                let (some, _) = in_pieces(path, &damaged, 4096);
                assert_eq!(all, some, "{path}, round {round}");
            }
            assert!(!matches!(all, Err(Stop::Missing(_))), "{path}, round {round}: {all:?}");
            assert_eq!(variant(path, &Whole(&damaged)).missing, None, "{path}, round {round}");
            for tensor in all.iter().flat_map(|header| &header.tensors) {
                let end = tensor.offset.checked_add(tensor.length);
                let inside = end.is_some_and(|end| end <= damaged.len() as u64);
                assert!(inside || matches!(tensor.data, TensorData::External(_)), "{path}: {tensor:?}");
            }
        }
    }
}

#[test]
fn claims_are_not_believed() {
    let gguf = |rest: &[&[u8]]| [b"GGUF\x03\0\0\0", &rest.concat()[..]].concat();
    let many = u64::MAX.to_le_bytes();
    let none = 0_u64.to_le_bytes();
    let nested = (0..40).fold(Vec::new(), |inner, _| {
        message(&[(1, &message(&[(5, &message(&[(6, &inner)], &[]))], &[]))], &[])
    });
    let long = message(&[(7, &message(&[(5, &message(&[(8, &vec![b'n'; 70_000])], &[]))], &[]))], &[]);
    let deep = format!(r#"{{"a":{{"dtype":"U8","shape":{:?},"data_offsets":[0,0]}}}}"#, vec![1; 65]);
    let deep = [&(deep.len() as u64).to_le_bytes(), deep.as_bytes()].concat();
    let endless = [&b"\x3a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f"[..], &[0; 9]].concat();
    for (path, bytes, what) in [
        ("m.gguf", gguf(&[&many, &none]), "leads beyond the end"),
        ("m.gguf", gguf(&[&none, &many]), "leads beyond the end"),
        ("m.gguf", gguf(&[&none, &1_u64.to_le_bytes(), &many]), "bytes"),
        ("m.gguf", b"GGUF\0\0\0\x03\0\0\0\0\0\0\0\0".to_vec(), "big-endian"),
        ("m.gguf", b"GGUF\x09\0\0\0\0\0\0\0\0\0\0\0".to_vec(), "only 2 and 3"),
        ("m.safetensors", [&99_u64.to_le_bytes()[..], b"{}"].concat(), "leads beyond the end"),
        ("m.safetensors", [&8_u64.to_le_bytes()[..], b"{\"a\":{}}"].concat(), "JSON"),
        ("m.safetensors", deep, "at most 64 dimensions"),
        ("m.onnx", message(&[(7, &nested)], &[]), "more than 32 deep"),
        ("m.onnx", long, "a name is too long"),
        ("m.onnx", endless, "leads beyond the end"),
        ("m.onnx", message(&[(20, b"x")], &[(1, 8)]), "no graph"),
        ("m.onnx", b"\x0b\x0c".to_vec(), "a type that cannot be"),
    ] {
        match read(path, &Whole(&bytes)) {
            Err(Stop::Malformed(found)) => assert!(found.contains(what), "{path}: {found}"),
            other => panic!("{path}, {what}: {other:?}"),
        }
    }
    for bytes in [&b""[..], b"# A model", &[0; 100], &[0xff; 100]] {
        assert!(matches!(read("model.bin", &Whole(bytes)), Err(Stop::Unknown(_))));
    }
}
