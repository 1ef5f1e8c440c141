//! Partial downloads that may go.

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;

use tabagent_storage::{
    BlobName, BlobState, Blobs, Key, ManifestFile, ManifestRecord, Quants, ReadTransaction, Store,
};

use crate::error::Result;
use crate::status::Probe;

/// Blobs that are here in part, and their bytes: nobody writes them, and no quant needs them that is being downloaded or is to be
/// kept.
pub(super) struct Partials(HashMap<BlobName, u64>);

impl Partials {
    /// All but the spared ones.
    pub(super) fn find(
        store: &Store,
        probe: &Probe<'_>,
        txn: &ReadTransaction<'_>,
        records: &[ManifestRecord],
        spared: &HashSet<BlobName>,
    ) -> Result<Self> {
        let mut found = HashMap::new();
        txn.scan::<Blobs>(&Key::blobs(), |key, record| {
            let partial = Key::blob_name(key).filter(|_| record.state == BlobState::Partial);
            found.extend(partial.map(|name| (name, record.downloaded())));
            Ok(ControlFlow::Continue(()))
        })?;
        found.retain(|name, _| !spared.contains(name));
        let mut partials = Self(found);
        for record in records {
            partials.spare_needed(probe, txn, record)?;
        }
        let names: Vec<BlobName> = partials.0.keys().copied().collect();
        for name in names {
            if store.is_leased(&name)? {
                partials.0.remove(&name);
            }
        }
        Ok(partials)
    }

    fn spare_needed(
        &mut self,
        probe: &Probe<'_>,
        txn: &ReadTransaction<'_>,
        record: &ManifestRecord,
    ) -> Result<()> {
        if self.0.is_empty() {
            return Ok(());
        }
        let scope = record.scope();
        for quant in &record.quants {
            let files = quant.files.iter().filter_map(|place| record.files.get(*place as usize));
            let names: Vec<BlobName> = files.filter_map(|file| self.of(file)).map(|(name, _)| name).collect();
            if names.is_empty() {
                continue;
            }
            let history = txn.get::<Quants>(&Key::quant(&scope, &quant.name))?;
            if history.is_some_and(|history| history.keep) || probe.is_downloading(&scope, &quant.name) {
                self.0.retain(|name, _| !names.contains(name));
            }
        }
        Ok(())
    }

    /// The blob of a file, and its bytes, where it is such a one.
    pub(super) fn of(&self, file: &ManifestFile) -> Option<(BlobName, u64)> {
        if self.0.is_empty() {
            return None;
        }
        let name = file.digest().ok()?.blob_name();
        Some((name, *self.0.get(&name)?))
    }
}
