//! What of one commit may go.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use tabagent_storage::{
    BlobName, BlobRecord, Blobs, FileMetadata, Files, Key, ManifestQuant, ManifestRecord, Quants,
    ReadTransaction, RepoScope, SortingRecord, Sortings, WriteTransaction,
};

use super::partial::Partials;
use crate::clock::now_ms;
use crate::error::Result;
use crate::sorting;
use crate::status::Probe;

/// One commit with files that are here, whole or in part.
pub(super) struct Commit {
    pub(super) scope: RepoScope,
    /// When its quants were called so.
    sorting: Option<SortingRecord>,
    /// Stored files by their place in the listing.
    stored: HashMap<u32, FileMetadata>,
    /// Those that are here in part and may go.
    partial: HashMap<u32, Part>,
    /// How many quants of the listing have each file.
    quants_of: HashMap<u32, u32>,
    /// How many quants that are here, whole or begun, need each of them.
    needs: HashMap<u32, u32>,
    /// Paths to forget.
    pub(super) paths: BTreeSet<String>,
    /// Partial blobs to remove, and their paths.
    pub(super) partials: HashMap<BlobName, String>,
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

/// A file that is here in part.
#[derive(Clone)]
pub(super) struct Part {
    pub(super) blob: BlobName,
    pub(super) bytes: u64,
    path: String,
}

/// What goes with a quant.
pub(super) enum Gone {
    Stored(FileMetadata),
    Part(Part),
}

impl Commit {
    pub(super) fn read(
        txn: &ReadTransaction<'_>,
        record: &ManifestRecord,
        partials: &Partials,
    ) -> Result<Self> {
        let scope = record.scope();
        let (mut stored, mut partial) = (HashMap::new(), HashMap::new());
        for (place, file) in (0..).zip(&record.files) {
            if let Some(file) = txn.get::<Files>(&Key::file(&scope, &file.path))? {
                stored.insert(place, file);
            } else {
                let part = partials.of(file);
                partial
                    .extend(part.map(|(blob, bytes)| (place, Part { blob, bytes, path: file.path.clone() })));
            }
        }
        let mut quants_of = HashMap::new();
        for place in record.quants.iter().flat_map(|quant| &quant.files) {
            *quants_of.entry(*place).or_default() += 1;
        }
        let sorting = txn.get::<Sortings>(&Key::sorting(&scope))?;
        let (needs, paths, partials, quants) =
            (HashMap::new(), BTreeSet::new(), HashMap::new(), BTreeMap::new());
        Ok(Self { scope, sorting, stored, partial, quants_of, needs, paths, partials, quants })
    }

    /// Whether nothing of it is here.
    pub(super) fn is_empty(&self) -> bool {
        self.stored.is_empty() && self.partial.is_empty()
    }

    /// Counts what a quant needs that is complete, being downloaded, or begun: something is here that no other quant has. When it
    /// was last used, if it may go: no process downloads it, it is not to be kept, and no handle in this process has a file of it
    /// open.
    pub(super) fn consider(
        &mut self,
        probe: &Probe<'_>,
        txn: &ReadTransaction<'_>,
        quant: &ManifestQuant,
        opened: &HashSet<BlobName>,
    ) -> Result<Option<LastUse>> {
        let is_here = |place: &u32| self.stored.contains_key(place) || self.partial.contains_key(place);
        if !quant.files.iter().any(is_here) {
            return Ok(None);
        }
        let complete = quant.files.iter().all(|place| self.stored.contains_key(place));
        let live = probe.is_downloading(&self.scope, &quant.name);
        // A tokenizer is opened for all quants that have it.
        let is_own = |place: &&u32| self.quants_of.get(place) == Some(&1);
        let own: Vec<u32> = quant.files.iter().filter(is_own).copied().collect();
        if !complete && !live && !own.iter().any(is_here) {
            return Ok(None);
        }
        self.need(&quant.files);
        let history = txn.get::<Quants>(&Key::quant(&self.scope, &quant.name))?;
        let keep = history.is_some_and(|history| history.keep);
        let mut stored = quant.files.iter().filter_map(|place| self.stored.get(place));
        if live || keep || stored.any(|file| opened.contains(&file.blob_name())) {
            return Ok(None);
        }
        let own = if own.is_empty() { &quant.files } else { &own };
        Ok(Some(self.last_use(txn, own)?))
    }

    pub(super) fn need(&mut self, places: &[u32]) {
        for place in places {
            *self.needs.entry(*place).or_default() += 1;
        }
    }

    /// By these files.
    fn last_use(&self, txn: &ReadTransaction<'_>, places: &[u32]) -> Result<LastUse> {
        let blob_of = |place| {
            let partial = || self.partial.get(place).map(|part| part.blob);
            self.stored.get(place).map(FileMetadata::blob_name).or_else(partial)
        };
        let blobs: Vec<BlobName> = places.iter().filter_map(blob_of).collect();
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

    /// What goes with the quant: what no other one needs.
    pub(super) fn give_up(&mut self, quant: Candidate) -> Vec<Gone> {
        let mut gone = Vec::new();
        for place in quant.files {
            let needs = self.needs.entry(place).or_default();
            *needs = needs.saturating_sub(1);
            if *needs > 0 {
                continue;
            }
            if let Some(file) = self.stored.get(&place)
                && self.paths.insert(file.path.clone())
            {
                gone.push(Gone::Stored(file.clone()));
            }
            if let Some(part) = self.partial.get(&place)
                && self.partials.insert(part.blob, part.path.clone()).is_none()
            {
                gone.push(Gone::Part(part.clone()));
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
