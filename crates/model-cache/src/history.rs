//! What is remembered of quants: when they were complete, why they failed, whether to keep them.

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::HashSet;

use tabagent_storage::{
    Files, Key, ManifestQuant, ManifestRecord, Manifests, Presence, QuantFault, QuantRecord, Quants,
    ReadTransaction, RepoScope, SortingRecord, Sortings, Store, WriteTransaction,
};

use crate::clock::now_ms;
use crate::error::{Error, Result};
use crate::sorting;
use crate::status::presence;

/// Result of what runs in a transaction.
type Stored<T> = tabagent_storage::Result<T>;

/// What is remembered of a failure. A closed cache or a busy lease is no property of the quant.
pub(crate) fn fault_of(error: &Error) -> Option<QuantFault> {
    let code = error.code();
    let transient = matches!(code, "ERR_CLOSED" | "ERR_OFFLINE" | "ERR_IN_USE" | "ERR_READ_ONLY");
    (!transient).then(|| QuantFault { code: code.to_owned(), message: error.to_string() })
}

/// Quants as they are called at one moment.
struct Seen {
    sorting: Option<SortingRecord>,
    quants: Vec<ManifestQuant>,
}

/// The histories of one commit's quants.
pub(crate) struct History<'a> {
    pub(crate) store: &'a Store,
    pub(crate) record: &'a ManifestRecord,
    pub(crate) scope: &'a RepoScope,
    /// The files of the quant that the caller asks to keep, in order: its name may change.
    pub(crate) keep: Option<&'a [u32]>,
}

impl History<'_> {
    /// A download of the quant begins: tells all processes, by the name that its files have when that is noted.
    pub(crate) fn begin(&self, quant: &ManifestQuant) -> Result<Presence> {
        loop {
            let found = self.look(|_, quants| Ok(now(quants, quant)))?;
            let name = found.quants.first().map_or(&quant.name, |now| &now.name);
            let presence = self.store.hold_presence(&presence(self.scope, name))?;
            if self.note(&found, |old| QuantRecord { fault: None, ..old })? {
                return Ok(presence);
            }
        }
    }

    /// A download of the quant has failed.
    pub(crate) fn fail(&self, quant: &ManifestQuant, fault: &QuantFault) -> Result<()> {
        let failed = |old| QuantRecord { fault: Some(fault.clone()), ..old };
        while !self.note(&self.look(|_, quants| Ok(now(quants, quant)))?, failed)? {}
        Ok(())
    }

    /// Notes every quant that became complete with the files at these places of the listing. Writes nothing when all were noted
    /// before.
    pub(crate) fn complete(&self, files: &[u32]) -> Result<()> {
        let files: HashSet<u32> = files.iter().copied().collect();
        let done = |old| QuantRecord { completed_at_ms: Some(now_ms()), fault: None, ..old };
        while !self.note(&self.look(|txn, quants| self.news(txn, quants, &files))?, done)? {}
        Ok(())
    }

    /// What `find` chooses of the quants as they are called now.
    fn look(
        &self,
        find: impl FnOnce(&ReadTransaction<'_>, &[ManifestQuant]) -> Stored<Vec<ManifestQuant>>,
    ) -> Result<Seen> {
        Ok(self.store.read(|txn| {
            let sorting = txn.get::<Sortings>(&Key::sorting(self.scope))?;
            let quants = find(txn, &self.quants(txn, sorting.as_ref())?)?;
            Ok(Seen { sorting, quants })
        })?)
    }

    /// False, and nothing noted, when quants got other names since they were seen.
    fn note(&self, seen: &Seen, change: impl Fn(QuantRecord) -> QuantRecord) -> Result<bool> {
        if seen.quants.is_empty() {
            return Ok(true);
        }
        Ok(self.store.write(|txn| {
            if !sorting::is_current(txn, self.scope, seen.sorting.as_ref())? {
                return Ok(false);
            }
            seen.quants.iter().try_for_each(|quant| self.update(txn, quant, &change))?;
            Ok(true)
        })?)
    }

    fn news(
        &self,
        txn: &ReadTransaction<'_>,
        quants: &[ManifestQuant],
        files: &HashSet<u32>,
    ) -> Stored<Vec<ManifestQuant>> {
        let mut news = Vec::new();
        for quant in quants {
            let touched = quant.files.iter().any(|file| files.contains(file));
            if touched && !self.is_noted(txn, quant)? && self.is_complete(txn, quant)? {
                news.push(quant.clone());
            }
        }
        Ok(news)
    }

    /// The quants as they are called now: headers may have told other names since the listing was read.
    fn quants(
        &self,
        txn: &ReadTransaction<'_>,
        sorting: Option<&SortingRecord>,
    ) -> Stored<Cow<'_, [ManifestQuant]>> {
        if sorting.is_some_and(|sorting| sorting.sorted_at_ms != self.record.scanned_at_ms)
            && let Some(now) = txn.get::<Manifests>(&Key::manifest(self.scope))?
            && now.files == self.record.files
        {
            return Ok(Cow::Owned(now.quants));
        }
        Ok(Cow::Borrowed(&self.record.quants))
    }

    fn update(
        &self,
        txn: &WriteTransaction<'_>,
        quant: &ManifestQuant,
        change: impl FnOnce(QuantRecord) -> QuantRecord,
    ) -> Stored<()> {
        let key = Key::quant(self.scope, &quant.name);
        let new = QuantRecord {
            name: quant.name.clone(),
            updated_at_ms: 0,
            completed_at_ms: None,
            keep: false,
            fault: None,
        };
        let changed = change(txn.get::<Quants>(&key)?.unwrap_or(new));
        let keep = self.keeps(quant) || changed.keep;
        txn.put::<Quants>(&key, &QuantRecord { updated_at_ms: now_ms(), keep, ..changed })
    }

    fn keeps(&self, quant: &ManifestQuant) -> bool {
        self.keep.is_some_and(|files| quant.files == files)
    }

    fn is_noted(&self, txn: &ReadTransaction<'_>, quant: &ManifestQuant) -> Stored<bool> {
        let known = txn.get::<Quants>(&Key::quant(self.scope, &quant.name))?;
        let current = |known: QuantRecord| known.completed_at_ms.is_some() && known.fault.is_none();
        Ok(known.is_some_and(|known| (known.keep || !self.keeps(quant)) && current(known)))
    }

    fn is_complete(&self, txn: &ReadTransaction<'_>, quant: &ManifestQuant) -> Stored<bool> {
        for index in &quant.files {
            let Some(file) = self.record.files.get(*index as usize) else { continue };
            if txn.get::<Files>(&Key::file(self.scope, &file.path))?.is_none() {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// The quant as it is called now; as it was when no quant has just its files any more.
fn now(quants: &[ManifestQuant], quant: &ManifestQuant) -> Vec<ManifestQuant> {
    let same = |now: &&ManifestQuant| now.files == quant.files;
    let now = quants.iter().find(|now| *now == quant).or_else(|| quants.iter().find(same));
    vec![now.unwrap_or(quant).clone()]
}
