//! Models as no exporter writes them.

use std::cell::Cell;

use super::wire::{put_bytes, put_number};
use super::{Detached, Failure, MODEL, Rope, Run, Segment, Source, Sources, rewrite};
use crate::mutation::with_mutations;

/// A field of a message.
enum Part {
    Number(u32, u64),
    Bytes(u32, Vec<u8>),
}
use Part::{Bytes, Number};

fn message(parts: impl IntoIterator<Item = Part>) -> Vec<u8> {
    let mut out = Vec::new();
    for part in parts {
        match part {
            Number(number, value) => put_number(&mut out, number, value),
            Bytes(number, bytes) => put_bytes(&mut out, number, &bytes),
        }
    }
    out
}

fn raw(length: usize) -> Vec<u8> {
    let dims = (length / 4) as u64;
    message([Number(1, dims), Number(2, 1), Bytes(8, b"w".into()), Bytes(9, vec![7; length])])
}

fn external(entries: &[(&str, &str)]) -> Vec<u8> {
    let entry = |(key, value): &(&str, &str)| {
        Bytes(13, message([Bytes(1, key.as_bytes().into()), Bytes(2, value.as_bytes().into())]))
    };
    let fixed = [Bytes(1, vec![5, 5]), Number(2, 1), Number(14, 1)];
    message(fixed.into_iter().chain(entries.iter().map(entry)))
}

fn node(op: &str, attribute: Part) -> Vec<u8> {
    message([Bytes(5, message([Bytes(1, b"value".into()), attribute])), Bytes(4, op.as_bytes().into())])
}

fn model(graph: Vec<u8>) -> Vec<u8> {
    message([Number(1, 8), Bytes(7, graph)])
}

/// Everything there is, in each other.
fn everything() -> Vec<u8> {
    let branch = message([Bytes(5, raw(3000)), Bytes(1, node("Constant", Bytes(5, raw(2000))))]);
    let graph = message([
        Bytes(1, node("Constant", Bytes(5, raw(1024)))),
        Bytes(1, node("If", Bytes(6, branch.clone()))),
        Bytes(1, node("Scan", Bytes(11, branch))),
        Bytes(5, external(&[("location", "a"), ("offset", "3"), ("length", "100")])),
        Bytes(5, external(&[("location", "b")])),
        Bytes(5, raw(5000)),
        Bytes(15, message([Bytes(1, external(&[("location", "a")])), Bytes(2, raw(4000))])),
    ]);
    let function = message([Bytes(7, node("Constant", Bytes(5, raw(1500))))]);
    message([Number(1, 8), Bytes(7, graph), Bytes(25, function)])
}

fn source(size: u64) -> Source {
    Source { size, runs: vec![Run { start: 0, offset: 1 << 30, length: size }] }
}

/// A small model whose weights are all in files beside it, so that damage is to its headers.
fn heads() -> Vec<u8> {
    let weights = || Bytes(5, external(&[("location", "a"), ("offset", "3"), ("length", "100")]));
    let branch = message([weights(), Bytes(1, node("Constant", weights()))]);
    let sparse =
        message([Bytes(1, external(&[("location", "a")])), Bytes(2, external(&[("location", "b")]))]);
    model(message([Bytes(1, node("If", Bytes(6, branch))), weights(), Bytes(15, sparse)]))
}

/// What a model calls by a name: the files `a` (in chunks) and `b` (not).
fn open(location: &str) -> Result<Source, Failure> {
    match location {
        "a" => Ok(source(9000)),
        "b" => Ok(Source { size: 500, runs: Vec::new() }),
        "huge" => Ok(Source { size: 3 << 30, runs: Vec::new() }),
        _ => Err(super::Malformed::new("no such file").into()),
    }
}

/// Rewrites a model whose own bytes begin at 1 GiB of the data file.
fn rewritten(model: &[u8]) -> Result<Rope, Failure> {
    rewrite(model, &mut Sources::new(source(model.len() as u64), &mut open))
}

/// The same with weights of type 1 detached, and these.
fn detached(model: &[u8]) -> Result<(Rope, Vec<Detached>), Failure> {
    let (mut open, types) = (open, [1]);
    let mut sources = Sources::new(source(model.len() as u64), &mut open).detaching(&types);
    let rope = rewrite(model, &mut sources)?;
    Ok((rope, sources.into_detached()))
}

fn error(model: &[u8]) -> String {
    match rewritten(model) {
        Err(Failure::Malformed(what)) => what.to_string(),
        other => panic!("{other:?}"),
    }
}

fn place(at: u64) -> usize {
    usize::try_from(at).unwrap()
}

/// The bytes that a rope says, and how many it says there are.
fn written(model: &[u8], rope: &Rope) -> (Vec<u8>, u64) {
    let mut out = Vec::new();
    for segment in &rope.segments {
        match segment {
            Segment::Bytes(bytes) => out.extend_from_slice(bytes),
            Segment::SideName => out.extend(vec![b'x'; place(tabagent_storage::StubName::SIDE_LENGTH)]),
            Segment::Copy { file: MODEL, range } => {
                out.extend_from_slice(&model[place(range.start)..place(range.end)]);
            }
            Segment::Copy { range, .. } => out.extend(vec![9; place(range.end - range.start)]),
        }
    }
    (out, rope.length)
}

fn count(bytes: &[u8], text: &str) -> usize {
    bytes.windows(text.len()).filter(|window| *window == text.as_bytes()).count()
}

#[test]
fn weights_are_pointed_to_wherever_engines_look_for_them() {
    let model = everything();
    let (out, length) = written(&model, &rewritten(&model).unwrap());
    assert_eq!(out.len() as u64, length);
    // Of the model itself: two constants, two branches with two each, one initializer. Of the file `a`: two.
    assert_eq!(count(&out, "mdbx.dat"), 1 + 1 + 2 * 2 + 1 + 2);
    // What the indices of a sparse tensor are stays.
    assert!(out.len() < 4000 + 2000, "{}", out.len());
    // It points to nothing else of the model, and once more changes only what points elsewhere.
    assert_eq!(error(&out), "no such file");
}

#[test]
fn only_large_initializers_of_the_outermost_graph_are_detached() {
    let large = message([
        Number(1, 250),
        Number(2, 1),
        Number(14, 1),
        Bytes(8, b"large".into()),
        Bytes(13, message([Bytes(1, b"location".into()), Bytes(2, b"a".into())])),
    ]);
    let other = message([Number(1, 2000), Number(2, 3), Bytes(8, b"other".into()), Bytes(9, vec![1; 2000])]);
    let inner = message([Bytes(5, raw(3000)), Bytes(1, node("Constant", Bytes(5, raw(2000))))]);
    let model = model(message([
        Bytes(5, large),
        Bytes(5, other),
        Bytes(5, external(&[("location", "b")])),
        Bytes(5, raw(5000)),
        Bytes(1, node("If", Bytes(6, inner))),
    ]));
    let (rope, weights) = detached(&model).unwrap();
    let (out, length) = written(&model, &rope);
    assert_eq!(out.len() as u64, length);
    // 250 float32 are not large enough.
    assert_eq!(weights.iter().map(|found| found.name.as_str()).collect::<Vec<_>>(), ["w"]);
    assert_eq!((weights[0].element_type, &weights[0].shape[..], weights[0].file), (1, &[1250][..], MODEL));
    assert_eq!(model[place(weights[0].range.start)..place(weights[0].range.end)], vec![7; 5000]);
    assert_eq!((count(&out, "detached-0"), count(&out, "mdbx.dat"), count(&out, "location")), (1, 0, 1));
    assert!(out.len() > 1000 + 100 + 2000 + 3000 + 2000, "{}", out.len());
}

#[test]
fn what_need_not_change_is_the_same() {
    for tensor in [raw(1000), message([Number(1, 5), Number(2, 1), Bytes(4, vec![0; 5000])])] {
        let model = model(message([Bytes(5, tensor), Bytes(1, node("LabelEncoder", Bytes(5, raw(9000))))]));
        assert_eq!(written(&model, &rewritten(&model).unwrap()).0, model);
    }
}

#[test]
fn places_beyond_a_file_are_refused() {
    let all = |entries: &[(&str, &str)]| error(&model(message([Bytes(5, external(entries))])));
    for (offset, length) in [("8901", "100"), ("9001", "0"), ("18446744073709551615", "2"), ("0", "9001")] {
        let told = all(&[("location", "a"), ("offset", offset), ("length", length)]);
        assert!(told.contains("beyond its 9000 bytes"), "{told}");
    }
    // 25 float32.
    assert!(all(&[("location", "a"), ("offset", "8950")]).contains("beyond"));
    assert!(all(&[("location", "a"), ("offset", "-1")]).contains("no place"));
    assert!(all(&[("offset", "0")]).contains("no location"));
}

#[test]
fn a_file_without_a_graph_is_none() {
    assert_eq!(error(b""), "it has no graph");
    assert_eq!(error(&message([Number(7, 1)])), "it has no graph");
    assert!(error(b"{\"model_type\":\"bert\"}").contains("at byte"));
}

#[test]
fn a_model_that_would_be_too_large_is_refused() {
    let half = ("length", "1073741824");
    let of = |count| model(message((0..count).map(|_| Bytes(5, external(&[("location", "huge"), half])))));
    assert_eq!(rewritten(&of(1)).unwrap().length >> 30, 1);
    assert!(error(&of(2)).contains("larger than the 2 GiB"));
}

#[test]
fn messages_that_lie_in_each_other_too_deep_are_refused() {
    let deep = |depth| {
        let mut graph = message([Bytes(5, raw(2000))]);
        for _ in 0..depth {
            graph = message([Bytes(1, node("If", Bytes(6, graph)))]);
        }
        model(graph)
    };
    assert_eq!(count(&written(&deep(30), &rewritten(&deep(30)).unwrap()).0, "mdbx.dat"), 1);
    assert!(error(&deep(40)).contains("more than 100 deep"));
    assert!(error(&deep(10_000)).contains("more than 100 deep"));
}

#[test]
fn no_damage_leads_beyond_the_files() {
    let (read, refused) = (Cell::new(0), Cell::new(0));
    with_mutations(&[everything(), heads()], |bad| {
        if let Ok((rope, weights)) = detached(bad) {
            assert_eq!(written(bad, &rope).0.len() as u64, rope.length);
            let inside = |found: &Detached| found.file != MODEL || found.range.end <= bad.len() as u64;
            assert!(weights.iter().all(inside));
        }
        match rewritten(bad) {
            Err(_) => refused.set(refused.get() + 1),
            Ok(rope) => {
                let (out, length) = written(bad, &rope);
                assert_eq!(out.len() as u64, length);
                read.set(read.get() + 1);
            }
        }
    });
    let (read, refused) = (read.get(), refused.get());
    assert!(read > 100 && refused > 1000, "{read} read, {refused} refused");
}
