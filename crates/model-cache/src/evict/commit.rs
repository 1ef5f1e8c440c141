//! What of one commit may go.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use tabagent_storage::{
    BlobName, BlobRecord, Blobs, FileMetadata, Files, Key, ManifestQuant, ManifestRecord, Quants,
    ReadTransaction, RepoScope, SortingRecord, Sortings, WriteTransaction,
};

use crate::clock::now_ms;
use crate::error::Result;
use crate::sorting;
use crate::status::Probe;

/// One commit with stored files.
pub(super) struct Commit {
    pub(super) scope: RepoScope,
    /// When its quants were called so.
    sorting: Option<SortingRecord>,
    /// Stored files by their place in the listing.
    pub(super) stored: HashMap<u32, FileMetadata>,
    /// How many complete or running quants need each of them.
    needs: HashMap<u32, u32>,
    /// Paths to forget.
    pub(super) paths: BTreeSet<String>,
    /// Quants to forget, and how they were when that was decided.
    pub(super) quants: BTreeMap<String, LastUse>,
}

/// When a quant was used last.
#[derive(Clone)]
pub(super) struct LastUse {
    /// The blobs that tell.
    blobs: Vec<BlobName>,
    pub(super) ms: u64,
}

/// A quant that may go.
pub(super) struct Candidate {
    /// Place of its commit in the plan.
    pub(super) commit: usize,
    pub(super) name: String,
    pub(super) files: Vec<u32>,
    pub(super) last_use: LastUse,
}

impl Commit {
    pub(super) fn read(txn: &ReadTransaction<'_>, record: &ManifestRecord) -> Result<Self> {
        let scope = record.scope();
        let mut stored = HashMap::new();
        for (place, file) in (0..).zip(&record.files) {
            if let Some(file) = txn.get::<Files>(&Key::file(&scope, &file.path))? {
                stored.insert(place, file);
            }
        }
        let sorting = txn.get::<Sortings>(&Key::sorting(&scope))?;
        let (needs, paths, quants) = (HashMap::new(), BTreeSet::new(), BTreeMap::new());
        Ok(Self { scope, sorting, stored, needs, paths, quants })
    }

    /// Counts what a complete or running quant needs. When it was last used, if it may go: it is complete, no process downloads
    /// it, it is not to be kept, and no handle in this process has a file of it open.
    pub(super) fn consider(
        &mut self,
        probe: &Probe<'_>,
        txn: &ReadTransaction<'_>,
        record: &ManifestRecord,
        quant: &ManifestQuant,
        opened: &HashSet<BlobName>,
    ) -> Result<Option<LastUse>> {
        let stored: Vec<BlobName> = quant
            .files
            .iter()
            .filter_map(|place| self.stored.get(place))
            .map(FileMetadata::blob_name)
            .collect();
        let live = !stored.is_empty() && probe.is_downloading(&self.scope, &quant.name);
        let complete = stored.len() == quant.files.len();
        if live || complete {
            self.need(&quant.files);
        }
        let history = txn.get::<Quants>(&Key::quant(&self.scope, &quant.name))?;
        let keep = history.is_some_and(|history| history.keep);
        if live || !complete || keep || stored.iter().any(|name| opened.contains(name)) {
            return Ok(None);
        }
        Ok(Some(self.last_use(txn, record, quant)?))
    }

    pub(super) fn need(&mut self, places: &[u32]) {
        for place in places {
            *self.needs.entry(*place).or_default() += 1;
        }
    }

    /// By the files that no other quant of the listing has: a tokenizer is opened for all of them.
    fn last_use(
        &self,
        txn: &ReadTransaction<'_>,
        record: &ManifestRecord,
        quant: &ManifestQuant,
    ) -> Result<LastUse> {
        let others = record.quants.iter().filter(|other| other.name != quant.name);
        let theirs: HashSet<u32> = others.flat_map(|other| &other.files).copied().collect();
        let mut own: Vec<u32> = quant.files.iter().filter(|place| !theirs.contains(place)).copied().collect();
        if own.is_empty() {
            own.clone_from(&quant.files);
        }
        let own = own.iter().filter_map(|place| self.stored.get(place));
        let blobs: Vec<BlobName> = own.map(FileMetadata::blob_name).collect();
        let ms = newest_use(&blobs, |key| txn.get::<Blobs>(key))?;
        Ok(LastUse { blobs, ms })
    }

    /// Whether its quants that are to go have not been used, kept or renamed since that was decided.
    pub(super) fn is_unchanged(&self, txn: &WriteTransaction<'_>) -> tabagent_storage::Result<bool> {
        if !sorting::is_current(txn, &self.scope, self.sorting.as_ref())? {
            return Ok(false);
        }
        for (name, last_use) in &self.quants {
            let history = txn.get::<Quants>(&Key::quant(&self.scope, name))?;
            let used_ms = newest_use(&last_use.blobs, |key| txn.get::<Blobs>(key))?;
            if history.is_some_and(|history| history.keep) || used_ms != last_use.ms {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The files that go with the quant: those that no other one needs.
    pub(super) fn give_up(&mut self, quant: Candidate) -> Vec<FileMetadata> {
        let mut gone = Vec::new();
        for place in quant.files {
            let needs = self.needs.entry(place).or_default();
            *needs = needs.saturating_sub(1);
            if *needs == 0
                && let Some(file) = self.stored.get(&place)
                && self.paths.insert(file.path.clone())
            {
                gone.push(file.clone());
            }
        }
        self.quants.insert(quant.name, quant.last_use);
        gone
    }
}

/// A time to come is one of a clock that has been set back since, and tells nothing.
fn newest_use(
    blobs: &[BlobName],
    get: impl Fn(&Key) -> tabagent_storage::Result<Option<BlobRecord>>,
) -> tabagent_storage::Result<u64> {
    let (mut newest, now) = (0, now_ms());
    for name in blobs {
        let used_ms = get(&Key::blob(name))?.map_or(0, |blob| blob.last_use_ms);
        newest = newest.max(if used_ms > now { 0 } else { used_ms });
    }
    Ok(newest)
}
