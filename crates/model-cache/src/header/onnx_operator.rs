//! What the operators of an ONNX model say of how its weights are quantized.

use std::ops::Range;

use super::bytes::{Bytes, Stop};
use super::limits::LONGEST_NAME;
use super::onnx_tensor::text;
use crate::onnx::wire::{Field, Fields, Value};

/// Bits of a weight where a node does not say.
const USUAL_BITS: u64 = 4;

/// What quantized weights a model computes with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Quantization {
    /// Whether any operator was seen.
    pub(super) seen: bool,
    /// Weights in blocks of so many bits (`MatMulNBits`).
    pub(super) block_bits: Option<u64>,
    /// Weights in the 4-bit floats of bitsandbytes.
    pub(super) bnb4: bool,
    /// Integers with scales.
    pub(super) linear: bool,
}

impl Quantization {
    /// Adds what a node of the type `kind` says.
    pub(super) fn note<B: Bytes>(
        &mut self,
        bytes: &B,
        kind: &str,
        attributes: &[Range<usize>],
    ) -> Result<(), Stop> {
        self.seen = true;
        match kind {
            "MatMulNBits" => self.block_bits = Some(bits(bytes, attributes)?),
            "MatMulBnb4" => self.bnb4 = true,
            "DequantizeLinear" | "MatMulInteger" | "ConvInteger" | "DynamicQuantizeMatMul" => {
                self.linear = true;
            }
            _ => self.linear |= kind.starts_with("QLinear"),
        }
        Ok(())
    }
}

/// The attribute `bits`.
fn bits<B: Bytes>(bytes: &B, attributes: &[Range<usize>]) -> Result<u64, Stop> {
    for attribute in attributes {
        let (mut is_bits, mut number) = (false, USUAL_BITS);
        for field in Fields::new(bytes, attribute.clone()) {
            let Field { number: place, value, .. } = field?;
            match (place, value) {
                (1, Value::Bytes(name)) => is_bits = text(bytes, name, LONGEST_NAME)? == "bits",
                (3, Value::Varint(value)) => number = value,
                _ => {}
            }
        }
        if is_bits {
            return Ok(number);
        }
    }
    Ok(USUAL_BITS)
}
