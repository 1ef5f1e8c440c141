//! Which quants go when there is too much: complete and begun ones, the least recently used first.

mod commit;
mod partial;
mod running;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;

use tabagent_storage::{
    BlobName, BlobState, Blobs, Files, Key, ManifestFile, Manifests, ReadTransaction, RepoScope,
    StorageError, Uses, WriteTransaction,
};

use self::commit::{Candidate, Commit, Gone};
use self::partial::Partials;
pub(crate) use self::running::{Running, Wish};
use crate::error::{Error, Result};
use crate::inner::Inner;
use crate::remove::{RemoveReport, forget, merged};
use crate::status::Probe;
use crate::transfer::publish;

/// The files of the download that needs the room: they stay, stored or not, and so do their bytes where other files have them.
pub(crate) struct Claim<'a> {
    pub(crate) scope: &'a RepoScope,
    /// Places in the listing.
    pub(crate) places: &'a [u32],
    /// What stands there.
    pub(crate) files: &'a [ManifestFile],
}

impl Claim<'_> {
    /// Blobs that the files will use, or that hold what came of them.
    fn blobs(&self) -> HashSet<BlobName> {
        self.files.iter().filter_map(|file| Some(file.digest().ok()?.blob_name())).collect()
    }

    /// Lets the files have the bytes that are here: what goes then leaves them. That is no use of a blob: its time tells when those
    /// who have it now used it.
    fn publish_stored(&self, inner: &Inner) -> Result<()> {
        Ok(inner.store.write(|txn| {
            for (file, sha256) in self.files.iter().filter_map(|file| Some((file, file.sha256?))) {
                let blob = txn.get::<Blobs>(&Key::blob(&BlobName(sha256)))?;
                let is_here = blob.is_some_and(|blob| blob.state != BlobState::Partial);
                if is_here && !txn.contains::<Files>(&Key::file(self.scope, &file.path))? {
                    publish(txn, self.scope, file, BlobName(sha256))?;
                }
            }
            Ok(())
        })?)
    }
}

/// How many plans in a row may come to nothing, because other processes used or kept meanwhile what was to go.
const CROSSED: usize = 8;

/// Makes `needed` more bytes fit under `limit`, besides what downloads that run are to bring. Removes nothing when all that may go is
/// not enough. What is claimed counts for others as long as the result lives.
pub(crate) fn make_room(inner: &Inner, limit: u64, needed: u64, claim: &Claim<'_>) -> Result<Wish> {
    let _turn = inner.running.turn();
    make_room_between(inner, limit, needed, claim, || {})?;
    Ok(inner.running.want(claim.files))
}

/// As [`make_room`]; `between` runs between each plan and its execution.
///
/// It ends: each turn either finds enough room or too little that may go, or makes some, or counts as crossed.
fn make_room_between(
    inner: &Inner,
    limit: u64,
    needed: u64,
    claim: &Claim<'_>,
    mut between: impl FnMut(),
) -> Result<()> {
    let (mut crossed, mut least) = (0, u64::MAX);
    let claimed = claim.blobs();
    loop {
        let usage = inner.store.usage()?;
        let stored = usage.bytes + usage.partial_bytes;
        let taken = stored.saturating_add(running::to_come(inner, &claimed)?);
        let over = taken.saturating_add(needed).saturating_sub(limit);
        if over == 0 {
            return Ok(());
        }
        // What another process removed is progress, too.
        crossed = if stored < least { 1 } else { crossed + 1 };
        least = least.min(stored);
        if crossed > CROSSED {
            return Err(always_crossed(needed));
        }
        let mut plan = Plan::make(inner, over, Some(claim), claimed.clone())?;
        if plan.freed < over {
            return Err(Error::OverLimit {
                path: inner.store.root().to_owned(),
                limit,
                needed,
                available: limit.saturating_add(plan.freed).saturating_sub(taken),
            });
        }
        between();
        claim.publish_stored(inner)?;
        plan.carry_out(inner)?;
    }
}

fn always_crossed(needed: u64) -> Error {
    Error::Storage(StorageError::InUse {
        what: format!("what is to make room for {needed} bytes under the size limit"),
        reason: "other processes use, keep or store files all the time; call again later, or raise the limit"
            .to_owned(),
    })
}

/// A quant that is to go.
struct Chosen {
    /// Place of its commit in the plan: other endpoints and other commits may have a quant of the same repository and name.
    commit: usize,
    name: String,
}

/// What is to go.
pub(crate) struct Plan {
    commits: Vec<Commit>,
    candidates: Vec<Candidate>,
    /// The quants in the order in which they go.
    quants: Vec<Chosen>,
    /// Files that go with them.
    pub(crate) files: u64,
    /// Blobs that no other file uses, whole or in part.
    pub(crate) blobs: u64,
    /// Bytes of these blobs.
    pub(crate) freed: u64,
}

impl Plan {
    /// What is to go so that `enough` bytes go with it, or all that may go when that is less. What is claimed stays, and so do the
    /// blobs that are spared.
    pub(crate) fn make(
        inner: &Inner,
        enough: u64,
        claim: Option<&Claim<'_>>,
        spared: HashSet<BlobName>,
    ) -> Result<Self> {
        if !inner.is_read_only() {
            inner.store.record_uses()?;
        }
        let probe = inner.probe()?;
        inner.read(|txn| Self::new(inner, &probe, txn, claim, &spared)?.choose(txn, enough, spared))
    }

    /// Removes it. A commit stays with a quant that is used or kept meanwhile, or when a download that has begun meanwhile needs what
    /// was to go: that is looked at again in the transaction that forgets it. Takes out of the plan what stays.
    pub(crate) fn carry_out(&mut self, inner: &Inner) -> Result<RemoveReport> {
        let mut report = RemoveReport::default();
        for (place, commit) in self.commits.iter().enumerate() {
            if commit.quants.is_empty() {
                continue;
            }
            let names = commit.quants.keys().cloned().collect();
            let still = |txn: &WriteTransaction<'_>| commit.is_unchanged(txn);
            let (paths, partials) = (commit.paths.clone(), commit.partials.clone());
            match forget(inner, commit.scope.clone(), paths, names, partials, still) {
                Ok(Some(removed)) => report = merged(report, removed),
                Err(error) if !matches!(error, Error::InUse { .. }) => return Err(error),
                _ => self.quants.retain(|quant| quant.commit != place),
            }
        }
        Ok(report)
    }

    /// Repository and name of each quant, in the order in which they go.
    pub(crate) fn quants(&self) -> impl Iterator<Item = (&str, &str)> {
        self.quants.iter().filter_map(|quant| {
            let commit = self.commits.get(quant.commit)?;
            Some((commit.scope.repo.as_str(), quant.name.as_str()))
        })
    }

    /// All that is stored, and what of it may go.
    fn new(
        inner: &Inner,
        probe: &Probe<'_>,
        txn: &ReadTransaction<'_>,
        claim: Option<&Claim<'_>>,
        spared: &HashSet<BlobName>,
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
        let partials = Partials::find(&inner.store, probe, txn, &records, spared)?;
        let opened = inner.store.opened();
        for record in &records {
            let mut commit = Commit::read(txn, record, &partials)?;
            if commit.is_empty() {
                continue;
            }
            for quant in &record.quants {
                let Some(last_use) = commit.consider(probe, txn, quant, &opened)? else {
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

    /// Gives up one quant after the other, the least recently used first, until `enough` bytes go with them. Blobs that stay do not
    /// count.
    fn choose(
        mut self,
        txn: &ReadTransaction<'_>,
        enough: u64,
        mut uncounted: HashSet<BlobName>,
    ) -> Result<Self> {
        let mut candidates = std::mem::take(&mut self.candidates);
        candidates.sort_by_key(|candidate| candidate.last_use.ms);
        let mut uses = HashMap::new();
        for candidate in candidates {
            if self.freed >= enough {
                break;
            }
            let Some(commit) = self.commits.get_mut(candidate.commit) else { continue };
            self.quants.push(Chosen { commit: candidate.commit, name: candidate.name.clone() });
            for gone in commit.give_up(candidate) {
                let (blob, bytes) = match gone {
                    Gone::Stored(file) => {
                        self.files += 1;
                        let blob = file.blob_name();
                        if uses_left(txn, &mut uses, blob)? > 0 {
                            continue;
                        }
                        (blob, file.size)
                    }
                    Gone::Part(part) => (part.blob, part.bytes),
                };
                if uncounted.insert(blob) {
                    self.blobs += 1;
                    self.freed += bytes;
                }
            }
        }
        Ok(self)
    }
}

/// How many files use the blob without the one that goes, and those that went before.
fn uses_left(txn: &ReadTransaction<'_>, uses: &mut HashMap<BlobName, u64>, blob: BlobName) -> Result<u64> {
    let before = match uses.get(&blob) {
        Some(before) => *before,
        None => uses_of(txn, &blob)?,
    };
    let left = before.saturating_sub(1);
    uses.insert(blob, left);
    Ok(left)
}

fn uses_of(txn: &ReadTransaction<'_>, name: &BlobName) -> Result<u64> {
    let mut count = 0;
    txn.scan::<Uses>(&Key::usages(name), |_, _| {
        count += 1;
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(count)
}
