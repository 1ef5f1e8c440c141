//! Small weights that a checkpoint needs beside it: pooling heads, projections, speaker tables.

use std::collections::HashMap;

use super::Format;
use super::stem;
use super::unit::Unit;

/// A head is at most this fraction of its checkpoint.
const FRACTION: u64 = 100;

/// Moves the files of heads into the checkpoints of their folder (`colbert_linear.pt` into `pytorch_model.bin`).
/// Only a checkpoint with the name that libraries look for has heads; anything large is a model of its own.
pub(super) fn attach_heads(units: &mut Vec<Unit>) {
    let hosts = host_sizes(units);
    let is_head = |unit: &mut Unit| {
        let host = hosts.get(&unit.dir).copied().unwrap_or(0);
        let is_small = unit.bytes > 0 && unit.bytes.saturating_mul(FRACTION) <= host;
        unit.format == Format::Pytorch && is_small && !is_canonical(unit)
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

/// The size of the largest canonical checkpoint of each folder.
fn host_sizes(units: &[Unit]) -> HashMap<String, u64> {
    let mut sizes: HashMap<String, u64> = HashMap::new();
    for unit in units.iter().filter(|unit| is_host(unit)) {
        let size = sizes.entry(unit.dir.clone()).or_default();
        *size = (*size).max(unit.bytes);
    }
    sizes
}
