//! Small weights that a checkpoint needs beside it: pooling heads, projections, speaker tables.

use std::collections::HashMap;

use super::Format;
use super::session::is_canonical;
use super::unit::Unit;

/// A head is at most this fraction of its checkpoint.
const FRACTION: u64 = 100;

/// Moves the files of heads into the checkpoints of their folder (`colbert_linear.pt` into `pytorch_model.bin`).
/// Only a checkpoint with the name that libraries look for has heads; anything large is a model of its own.
pub(super) fn attach_heads(units: &mut Vec<Unit>) {
    let hosts = hosts(units);
    let host_bytes = |unit: &Unit| hosts.get(&unit.dir).map_or(0, |(_, bytes)| *bytes);
    let is_head = |unit: &Unit| {
        unit.format == Format::Pytorch
            && unit.bytes > 0
            && unit.bytes.saturating_mul(FRACTION) <= host_bytes(unit)
            && !is_canonical(unit)
    };
    let heads: Vec<Unit> = {
        let mut kept = Vec::with_capacity(units.len());
        let mut heads = Vec::new();
        for unit in units.drain(..) {
            if is_head(&unit) { heads.push(unit) } else { kept.push(unit) }
        }
        *units = kept;
        heads
    };
    let mut files: HashMap<String, Vec<usize>> = HashMap::new();
    for head in heads {
        files.entry(head.dir).or_default().extend(head.files);
    }
    for unit in units.iter_mut().filter(|unit| is_host(unit)) {
        unit.files.extend(files.get(&unit.dir).into_iter().flatten());
    }
}

fn is_host(unit: &Unit) -> bool {
    matches!(unit.format, Format::Pytorch | Format::Safetensors) && is_canonical(unit)
}

/// How many checkpoints with a canonical name a folder has, and the size of the largest.
fn hosts(units: &[Unit]) -> HashMap<String, (usize, u64)> {
    let mut hosts: HashMap<String, (usize, u64)> = HashMap::new();
    for unit in units.iter().filter(|unit| is_host(unit)) {
        let host = hosts.entry(unit.dir.clone()).or_default();
        *host = (host.0 + 1, host.1.max(unit.bytes));
    }
    hosts
}
