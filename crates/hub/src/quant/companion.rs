//! Small weights that a checkpoint needs beside it: pooling heads, projections, speaker tables.

use std::collections::HashMap;

use super::Format;
use super::stem;
use super::unit::Unit;

/// A head is at most this fraction of its checkpoint.
const FRACTION: u64 = 100;

/// Safetensors beside a checkpoint with a shard map, which names files whatever they are called, are at most this fraction: layers
/// that guess further tokens (`mtp.safetensors`), tensors that a quantization left out.
const MAPPED_FRACTION: u64 = 10;

/// Moves the files of heads into the checkpoints of their folder (`colbert_linear.pt` into `pytorch_model.bin`).
/// Only a checkpoint with the name that libraries look for has heads; anything large is a model of its own.
pub(super) fn attach_heads(units: &mut Vec<Unit>) {
    let hosts = hosts(units);
    let is_head = |unit: &mut Unit| {
        let Some(host) = hosts.get(&unit.dir) else { return false };
        let fraction = match unit.format {
            Format::Pytorch => FRACTION,
            Format::Safetensors if host.is_mapped && !unit.is_mapped && unit.total.is_none() => {
                MAPPED_FRACTION
            }
            _ => return false,
        };
        unit.bytes > 0 && unit.bytes.saturating_mul(fraction) <= host.bytes && !is_canonical(unit)
    };
    let mut heads: HashMap<String, Vec<usize>> = HashMap::new();
    for head in units.extract_if(.., is_head) {
        heads.entry(head.dir).or_default().extend(head.files);
    }
    for unit in units.iter_mut().filter(|unit| is_host(unit)) {
        unit.files.extend(heads.get(&unit.dir).into_iter().flatten());
    }
}

fn is_host(unit: &Unit) -> bool {
    matches!(unit.format, Format::Pytorch | Format::Safetensors) && is_canonical(unit)
}

/// Whether the file has a name that libraries look for (`pytorch_model`, `model`) and none of its own.
fn is_canonical(unit: &Unit) -> bool {
    stem::parse(&unit.stem).name.is_empty()
}

/// The largest canonical checkpoint of a folder.
#[derive(Default)]
struct Host {
    bytes: u64,
    is_mapped: bool,
}

fn hosts(units: &[Unit]) -> HashMap<String, Host> {
    let mut hosts: HashMap<String, Host> = HashMap::new();
    for unit in units.iter().filter(|unit| is_host(unit)) {
        let host = hosts.entry(unit.dir.clone()).or_default();
        host.bytes = host.bytes.max(unit.bytes);
        host.is_mapped |= unit.is_mapped && unit.format == Format::Safetensors;
    }
    hosts
}
