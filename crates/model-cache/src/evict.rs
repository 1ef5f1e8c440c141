//! Which quants go when there is too much: complete ones, the least recently used first.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ops::ControlFlow;

use tabagent_storage::{
    BlobName, BlobRecord, Blobs, EndpointId, FileMetadata, Files, Key, ManifestQuant, ManifestRecord,
    Manifests, Quants, ReadTransaction, RepoScope, Uses, WriteTransaction,
};

use crate::clock::now_ms;
use crate::error::{Error, Result};
use crate::inner::Inner;
use crate::lookup::scope_of;
use crate::remove::{RemoveReport, forget, merged};
use crate::status::Probe;

/// The files of the download that needs the room: they stay, stored or not.
pub(crate) struct Claim<'a> {
    pub(crate) scope: &'a RepoScope,
    /// Places in the listing.
    pub(crate) places: &'a [u32],
}

/// How often a plan is made anew when another process used or kept meanwhile what was to go.
const PLANS: usize = 3;

/// Makes `needed` more bytes fit under `limit`. Removes nothing when all that may go is not enough.
pub(crate) fn make_room(inner: &Inner, limit: u64, needed: u64, claim: &Claim<'_>) -> Result<()> {
    for _ in 0..PLANS {
        if make_room_once(inner, limit, needed, claim)? {
            return Ok(());
        }
    }
    Ok(())
}

/// True when there is enough room, without anything having gone.
fn make_room_once(inner: &Inner, limit: u64, needed: u64, claim: &Claim<'_>) -> Result<bool> {
    let usage = inner.store.usage()?;
    let stored = usage.bytes + usage.partial_bytes;
    let over = stored.saturating_add(needed).saturating_sub(limit);
    if over == 0 {
        return Ok(true);
    }
    let mut plan = Plan::make(inner, over, Some(claim))?;
    if plan.freed < over {
        return Err(Error::OverLimit {
            path: inner.store.root().to_owned(),
            limit,
            needed,
            available: limit.saturating_add(plan.freed).saturating_sub(stored),
        });
    }
    plan.carry_out(inner)?;
    Ok(false)
}

/// What is to go.
pub(crate) struct Plan {
    commits: Vec<Commit>,
    candidates: Vec<Candidate>,
    /// Repository and name of the quants, in the order in which they go.
    pub(crate) quants: Vec<(String, String)>,
    /// Files that go with them.
    pub(crate) files: u64,
    /// Blobs that no other file uses.
    pub(crate) blobs: u64,
    /// Bytes of these blobs.
    pub(crate) freed: u64,
}

/// One commit with stored files.
struct Commit {
    scope: RepoScope,
    /// Stored files by their place in the listing.
    stored: HashMap<u32, FileMetadata>,
    /// How many complete or running quants need each of them.
    needs: HashMap<u32, u32>,
    /// Paths to forget.
    paths: BTreeSet<String>,
    /// Quants to forget, and how they were when that was decided.
    quants: BTreeMap<String, LastUse>,
}

/// When a quant was used last.
#[derive(Clone)]
struct LastUse {
    /// The blobs that tell.
    blobs: Vec<BlobName>,
    ms: u64,
}

/// A quant that may go.
struct Candidate {
    /// Place of its commit in the plan.
    commit: usize,
    name: String,
    files: Vec<u32>,
    last_use: LastUse,
}

impl Plan {
    /// What is to go so that `enough` bytes go with it, or all that may go when that is less. What is claimed stays.
    pub(crate) fn make(inner: &Inner, enough: u64, claim: Option<&Claim<'_>>) -> Result<Self> {
        if !inner.is_read_only() {
            inner.store.record_uses()?;
        }
        let probe = inner.probe()?;
        inner.read(|txn| Self::new(inner, &probe, txn, claim)?.choose(txn, enough))
    }

    /// Removes it. What is downloaded meanwhile stays, and so does a commit with a quant that is used or kept meanwhile: that is
    /// looked at again in the transaction that forgets it. Takes out of the plan what stays.
    pub(crate) fn carry_out(&mut self, inner: &Inner) -> Result<RemoveReport> {
        let mut report = RemoveReport::default();
        for commit in self.commits.iter().filter(|commit| !commit.quants.is_empty()) {
            let names = commit.quants.keys().cloned().collect();
            let still = |txn: &WriteTransaction<'_>| commit.is_unchanged(txn);
            match forget(inner, commit.scope.clone(), commit.paths.clone(), names, still)? {
                Some(removed) => report = merged(report, removed),
                None => self.quants.retain(|(repo, quant)| !commit.has(repo, quant)),
            }
        }
        Ok(report)
    }

    /// All that is stored, and what of it may go.
    fn new(
        inner: &Inner,
        probe: &Probe<'_>,
        txn: &ReadTransaction<'_>,
        claim: Option<&Claim<'_>>,
    ) -> Result<Self> {
        let mut plan = Self {
            commits: Vec::new(),
            candidates: Vec::new(),
            quants: Vec::new(),
            files: 0,
            blobs: 0,
            freed: 0,
        };
        let mut records = Vec::new();
        txn.scan::<Manifests>(&Key::all_manifests(), |_, record| {
            records.push(record);
            Ok(ControlFlow::Continue(()))
        })?;
        let opened = inner.store.opened();
        for record in &records {
            let mut commit = Commit::read(txn, record)?;
            if commit.stored.is_empty() {
                continue;
            }
            for quant in &record.quants {
                let Some(last_use) = commit.consider(probe, txn, record, quant, &opened)? else {
                    continue;
                };
                plan.candidates.push(Candidate {
                    commit: plan.commits.len(),
                    name: quant.name.clone(),
                    files: quant.files.clone(),
                    last_use,
                });
            }
            if let Some(claim) = claim.filter(|claim| commit.scope == *claim.scope) {
                commit.need(claim.places);
            }
            plan.commits.push(commit);
        }
        Ok(plan)
    }

    /// Gives up one quant after the other, the least recently used first, until `enough` bytes go with them.
    fn choose(mut self, txn: &ReadTransaction<'_>, enough: u64) -> Result<Self> {
        let mut candidates = std::mem::take(&mut self.candidates);
        candidates.sort_by_key(|candidate| candidate.last_use.ms);
        let mut uses = HashMap::new();
        for candidate in candidates {
            if self.freed >= enough {
                break;
            }
            let Some(commit) = self.commits.get_mut(candidate.commit) else { continue };
            self.quants.push((commit.scope.repo.clone(), candidate.name.clone()));
            for file in commit.give_up(candidate) {
                let left = match uses.get(&file.blob) {
                    Some(left) => *left,
                    None => uses_of(txn, &file.blob_name())?,
                };
                uses.insert(file.blob, left.saturating_sub(1));
                self.files += 1;
                if left == 1 {
                    self.blobs += 1;
                    self.freed += file.size;
                }
            }
        }
        Ok(self)
    }
}

impl Commit {
    fn read(txn: &ReadTransaction<'_>, record: &ManifestRecord) -> Result<Self> {
        let scope = scope_of(&EndpointId::of(&record.endpoint), record);
        let mut stored = HashMap::new();
        for (place, file) in (0..).zip(&record.files) {
            if let Some(file) = txn.get::<Files>(&Key::file(&scope, &file.path))? {
                stored.insert(place, file);
            }
        }
        Ok(Self { scope, stored, needs: HashMap::new(), paths: BTreeSet::new(), quants: BTreeMap::new() })
    }

    /// Counts what a complete or running quant needs. When it was last used, if it may go: it is complete, no process downloads
    /// it, it is not to be kept, and no handle in this process has a file of it open.
    fn consider(
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

    fn need(&mut self, places: &[u32]) {
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

    /// Whether its quants that are to go have not been used or kept since that was decided.
    fn is_unchanged(&self, txn: &WriteTransaction<'_>) -> tabagent_storage::Result<bool> {
        for (name, last_use) in &self.quants {
            let history = txn.get::<Quants>(&Key::quant(&self.scope, name))?;
            let used_ms = newest_use(&last_use.blobs, |key| txn.get::<Blobs>(key))?;
            if history.is_some_and(|history| history.keep) || used_ms != last_use.ms {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn has(&self, repo: &str, quant: &str) -> bool {
        self.scope.repo == repo && self.quants.contains_key(quant)
    }

    /// The files that go with the quant: those that no other one needs.
    fn give_up(&mut self, quant: Candidate) -> Vec<FileMetadata> {
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

fn uses_of(txn: &ReadTransaction<'_>, name: &BlobName) -> Result<u64> {
    let mut count = 0;
    txn.scan::<Uses>(&Key::usages(name), |_, _| {
        count += 1;
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(count)
}
