//! What watchers were shown last, and what has changed since.

#[cfg(test)]
mod tests;

use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::hash::{Hash as _, Hasher as _};
use std::ops::ControlFlow;

use tabagent_storage::{
    Activity, BlobName, Blobs, Files, Key, Manifests, Quants, ReadTransaction, RepoScope, Sortings, Version,
};

use crate::error::Result;
use crate::inner::Inner;
use crate::lookup::Lookup;
use crate::manifest::Manifest;
use crate::stats::references;
use crate::status::{Probe, presence};

/// A repository and a revision.
type Place = (String, String);

/// Whose manifests are wanted: the names one repository is stored under, or `None` for all.
pub(crate) struct Wanted(Option<Vec<String>>);

impl Wanted {
    /// For a repository in any spelling.
    pub(crate) fn new(inner: &Inner, repo: Option<&str>) -> Result<Self> {
        let names = |repo| inner.read(|txn| Lookup { txn, endpoint: &inner.endpoint }.names(repo));
        Ok(Self(repo.map(names).transpose()?))
    }

    pub(crate) fn has(&self, repo: &str) -> bool {
        self.0.as_ref().is_none_or(|names| names.iter().any(|name| name.eq_ignore_ascii_case(repo)))
    }
}

/// What tells without reading anything whether something may have changed.
#[derive(PartialEq)]
pub(crate) struct Pulse {
    /// Of M.
    version: Version,
    activity: Activity,
}

impl Pulse {
    pub(crate) fn feel(inner: &Inner) -> Result<Self> {
        // In this order: what is written after the first look is seen by the next one.
        Ok(Self { version: inner.store.version()?, activity: inner.store.activity()? })
    }
}

/// Manifests as they were shown last.
#[derive(Default)]
pub(crate) struct Overview {
    pulse: Option<Pulse>,
    shown: BTreeMap<Place, Shown>,
}

/// One of them, and how to tell that it changed.
struct Shown {
    manifest: Manifest,
    scope: RepoScope,
    /// Hash of the records it was made from.
    state: u64,
    /// Blobs of the files that are not complete, and which of them are here in part.
    missing: HashSet<BlobName>,
    partial: Vec<BlobName>,
}

impl Overview {
    /// Whether nothing can have changed since the last look.
    pub(crate) fn is_current(&self, pulse: &Pulse) -> bool {
        self.pulse.as_ref() == Some(pulse)
    }

    /// The manifests as they are.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Manifest> {
        self.shown.values().map(|shown| &shown.manifest)
    }

    /// Looks again, and gives what is new or different; of what is gone, a manifest with nothing stored.
    pub(crate) fn look(&mut self, inner: &Inner, pulse: Pulse, wanted: &[Wanted]) -> Result<Vec<Manifest>> {
        let (due, mut changed) = (self.due(inner, &pulse, wanted)?, Vec::new());
        self.shown.retain(|place, shown| {
            if !due.there.contains(place) {
                changed.push(shown.manifest.clone().emptied());
            }
            due.there.contains(place) && wanted.iter().any(|wanted| wanted.has(&place.0))
        });
        let probe = Probe::with(pulse.activity.clone(), &inner.endpoint);
        for place in due.unread {
            // One short transaction each: a large store never pins M for long. What was removed meanwhile is gone next time.
            let Some(new) = inner.read(|txn| Shown::read(inner, txn, &probe, &place))? else { continue };
            if self.shown.get(&place).is_none_or(|old| old.manifest != new.manifest) {
                changed.push(new.manifest.clone());
            }
            self.shown.insert(place, new);
        }
        self.pulse = Some(pulse);
        Ok(changed)
    }

    fn due(&self, inner: &Inner, pulse: &Pulse, wanted: &[Wanted]) -> Result<Due> {
        let before = self.pulse.as_ref().map(|pulse| &pulse.activity);
        inner.read(|txn| {
            let mut due = Due::default();
            for place in references(inner, txn)? {
                if !wanted.iter().any(|wanted| wanted.has(&place.0)) {
                    due.there.insert(place);
                    continue;
                }
                let shown = self.shown.get(&place);
                let partial = shown.map_or(&[][..], |shown| &shown.partial);
                let Some(scope) = scope_at(inner, txn, &place)? else { continue };
                let state = state_of(txn, &scope, &place.1, partial)?;
                let moved = |shown: &Shown| before.is_none_or(|before| shown.moved(before, &pulse.activity));
                if shown.is_none_or(|shown| shown.state != state || moved(shown)) {
                    due.unread.push(place.clone());
                }
                due.there.insert(place);
            }
            Ok(due)
        })
    }
}

/// What a look found.
#[derive(Default)]
struct Due {
    /// To be read.
    unread: Vec<Place>,
    /// All there are.
    there: BTreeSet<Place>,
}

impl Shown {
    fn read(
        inner: &Inner,
        txn: &ReadTransaction<'_>,
        probe: &Probe<'_>,
        place: &Place,
    ) -> Result<Option<Self>> {
        let Some(scope) = scope_at(inner, txn, place)? else { return Ok(None) };
        let Some(record) = txn.get::<Manifests>(&Key::manifest(&scope))? else { return Ok(None) };
        let states = probe.file_states(txn, &record)?;
        let (mut missing, mut partial) = (HashSet::new(), Vec::new());
        for (file, state) in record.files.iter().zip(&states).filter(|(_, state)| !state.stored) {
            let name = file.digest()?.blob_name();
            partial.extend((state.downloaded > 0).then_some(name));
            missing.insert(name);
        }
        let manifest = Manifest::with(probe, txn, record, &place.1, &states)?;
        let state = state_of(txn, &scope, &place.1, &partial)?;
        Ok(Some(Self { manifest, scope, state, missing, partial }))
    }

    /// Whether a download that concerns it moved, began or ended.
    fn moved(&self, before: &Activity, now: &Activity) -> bool {
        let announced = |quant: &String| {
            let name = presence(&self.scope, quant);
            before.announces(&name) != now.announces(&name)
        };
        now.moved(before).any(|name| self.missing.contains(name))
            || (!now.announces_like(before) && self.manifest.quants.keys().any(announced))
    }
}

/// The commit a revision stands for.
fn scope_at(inner: &Inner, txn: &ReadTransaction<'_>, (repo, revision): &Place) -> Result<Option<RepoScope>> {
    for scope in (Lookup { txn, endpoint: &inner.endpoint }).scopes(repo, revision)? {
        if txn.contains::<Manifests>(&Key::manifest(&scope))? {
            return Ok(Some(scope));
        }
    }
    Ok(None)
}

/// A hash of what is recorded of a commit and can change: cheaper than its manifest.
fn state_of(
    txn: &ReadTransaction<'_>,
    scope: &RepoScope,
    revision: &str,
    partial: &[BlobName],
) -> Result<u64> {
    let mut hash = DefaultHasher::new();
    scope.commit.hash(&mut hash);
    let seen = Lookup { txn, endpoint: &scope.endpoint }.reference(&scope.repo, revision)?;
    seen.and_then(|seen| Some(seen.commits.first()?.scanned_at_ms)).hash(&mut hash);
    txn.get::<Sortings>(&Key::sorting(scope))?.map(|sorting| sorting.sorted_at_ms).hash(&mut hash);
    txn.scan::<Quants>(&Key::quants(scope), |key, quant| {
        (key, quant.updated_at_ms, quant.fault.is_some()).hash(&mut hash);
        Ok(ControlFlow::Continue(()))
    })?;
    txn.keys::<Files>(&Key::files(scope), |key| {
        key.hash(&mut hash);
        Ok(())
    })?;
    for name in partial {
        txn.get::<Blobs>(&Key::blob(name))?.map(|blob| blob.downloaded()).hash(&mut hash);
    }
    Ok(hash.finish())
}
