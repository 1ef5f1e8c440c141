//! A model whose weights are somewhere else.

use std::ops::Range;

use super::rope::Rope;
use super::schema::{Kind, model, node};
use super::sources::Sources;
use super::tensor::Part;
use super::wire::{Fields, Value};
use super::{Failure, Malformed, tensor};

/// Messages may lie in each other this deep, as protobuf itself allows.
const DEPTH: usize = 100;

/// Bytes that a protobuf message may have (2 GiB - 1).
const LARGEST: u64 = (1 << 31) - 1;

/// What to write for `model`, so that an engine finds its weights where `sources` says. Reads no weights.
pub(crate) fn rewrite(model: &[u8], sources: &mut Sources<'_>) -> Result<Rope, Failure> {
    let whole = 0..model.len();
    if !has_graph(model)? {
        return Err(Malformed::new("it has no graph").into());
    }
    let rewritten = Rewriter { model, sources }.message(Kind::Model, whole.clone(), false, DEPTH)?;
    let rope = rewritten.unwrap_or_else(|| {
        let mut same = Rope::default();
        same.keep(whole);
        same
    });
    if rope.length > LARGEST {
        return Err(
            Malformed::new("without its weights it is larger than the 2 GiB an ONNX file may have").into()
        );
    }
    Ok(rope)
}

fn has_graph(model: &[u8]) -> Result<bool, Malformed> {
    let mut found = false;
    for field in Fields::new(model, 0..model.len()) {
        let field = field?;
        found |= field.number == model::GRAPH && matches!(field.value, Value::Bytes(_));
    }
    Ok(found)
}

struct Rewriter<'a, 's> {
    model: &'a [u8],
    sources: &'a mut Sources<'s>,
}

impl Rewriter<'_, '_> {
    /// What to write for a message; `None` when it stays as it is. `constant` is whether it is part of a `Constant` node.
    fn message(
        &mut self,
        kind: Kind,
        range: Range<usize>,
        constant: bool,
        depth: usize,
    ) -> Result<Option<Rope>, Failure> {
        if depth == 0 {
            return Err(
                Malformed::new(format!("its messages lie in each other more than {DEPTH} deep")).into()
            );
        }
        let constant = if kind == Kind::Node { self.is_constant(range.clone())? } else { constant };
        let (mut rope, mut changed) = (Rope::default(), false);
        for field in Fields::new(self.model, range) {
            let field = field?;
            let inner = match (kind.child(field.number), &field.value) {
                (Some(Kind::Tensor), Value::Bytes(bytes)) => {
                    let part = match kind {
                        Kind::Graph if depth + 1 == DEPTH => Part::Named,
                        Kind::Graph => Part::Movable,
                        Kind::Attribute if constant => Part::Movable,
                        _ => Part::Fixed,
                    };
                    tensor::rewrite(self.model, bytes.clone(), self.sources, part)?
                }
                (Some(child), Value::Bytes(bytes)) => {
                    self.message(child, bytes.clone(), constant, depth - 1)?
                }
                _ => None,
            };
            match inner {
                Some(inner) => {
                    rope.nest(field.number, inner);
                    changed = true;
                }
                None => rope.keep(field.whole),
            }
        }
        Ok(changed.then_some(rope))
    }

    /// Whether a node is a `Constant`. Of the other nodes' tensors engines read the bytes in the model alone.
    fn is_constant(&self, node: Range<usize>) -> Result<bool, Malformed> {
        let mut constant = false;
        for field in Fields::new(self.model, node) {
            let field = field?;
            if let (node::TYPE, Value::Bytes(name)) = (field.number, field.value) {
                constant = self.model.get(name) == Some(b"Constant");
            }
        }
        Ok(constant)
    }
}
