//! What is remembered of quants: when they were complete, why they failed, whether to keep them.

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::HashSet;

use tabagent_storage::{
    Files, Key, ManifestQuant, ManifestRecord, Manifests, QuantFault, QuantRecord, Quants, ReadTransaction,
    RepoScope, Sortings, Store, WriteTransaction,
};

use crate::clock::now_ms;
use crate::error::{Error, Result};

/// Result of what runs in a transaction.
type Stored<T> = tabagent_storage::Result<T>;

/// What is remembered of a failure. A closed cache or a busy lease is no property of the quant.
pub(crate) fn fault_of(error: &Error) -> Option<QuantFault> {
    let code = error.code();
    let transient = matches!(code, "ERR_CLOSED" | "ERR_OFFLINE" | "ERR_IN_USE" | "ERR_READ_ONLY");
    (!transient).then(|| QuantFault { code: code.to_owned(), message: error.to_string() })
}

/// The histories of one commit's quants.
pub(crate) struct History<'a> {
    pub(crate) store: &'a Store,
    pub(crate) record: &'a ManifestRecord,
    pub(crate) scope: &'a RepoScope,
    /// The quant that the caller asks to keep.
    pub(crate) keep: Option<&'a str>,
}

impl History<'_> {
    /// A download of `quant` begins (no fault) or has failed.
    pub(crate) fn note(&self, quant: &str, fault: Option<QuantFault>) -> Result<()> {
        Ok(self.store.write(|txn| self.update(txn, quant, |old| QuantRecord { fault, ..old }))?)
    }

    /// Notes every quant that became complete with the files at these places of the listing. Writes nothing when all were noted
    /// before.
    pub(crate) fn complete(&self, files: &[u32]) -> Result<()> {
        let files: HashSet<u32> = files.iter().copied().collect();
        while !self.note_complete(&files)? {}
        Ok(())
    }

    /// False when quants got other names between the look at them and the note.
    fn note_complete(&self, files: &HashSet<u32>) -> Result<bool> {
        let key = Key::sorting(self.scope);
        let (sorting, news) =
            self.store.read(|txn| Ok((txn.get::<Sortings>(&key)?, self.news(txn, files)?)))?;
        if news.is_empty() {
            return Ok(true);
        }
        let done = |old| QuantRecord { completed_at_ms: Some(now_ms()), fault: None, ..old };
        Ok(self.store.write(|txn| {
            if txn.get::<Sortings>(&key)? != sorting {
                return Ok(false);
            }
            news.iter().try_for_each(|quant| self.update(txn, quant, done))?;
            Ok(true)
        })?)
    }

    fn news(&self, txn: &ReadTransaction<'_>, files: &HashSet<u32>) -> Stored<Vec<String>> {
        let mut news = Vec::new();
        for quant in self.quants(txn)?.iter() {
            let touched = quant.files.iter().any(|file| files.contains(file));
            if touched && !self.is_noted(txn, quant)? && self.is_complete(txn, quant)? {
                news.push(quant.name.clone());
            }
        }
        Ok(news)
    }

    /// The quants as they are called now: headers may have told other names since the listing was read.
    fn quants(&self, txn: &ReadTransaction<'_>) -> Stored<Cow<'_, [ManifestQuant]>> {
        let sorting = txn.get::<Sortings>(&Key::sorting(self.scope))?;
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
        quant: &str,
        change: impl FnOnce(QuantRecord) -> QuantRecord,
    ) -> Stored<()> {
        let key = Key::quant(self.scope, quant);
        let new = QuantRecord {
            name: quant.to_owned(),
            updated_at_ms: 0,
            completed_at_ms: None,
            keep: false,
            fault: None,
        };
        let changed = change(txn.get::<Quants>(&key)?.unwrap_or(new));
        let keep = self.keep == Some(quant) || changed.keep;
        txn.put::<Quants>(&key, &QuantRecord { updated_at_ms: now_ms(), keep, ..changed })
    }

    fn is_noted(&self, txn: &ReadTransaction<'_>, quant: &ManifestQuant) -> Stored<bool> {
        let known = txn.get::<Quants>(&Key::quant(self.scope, &quant.name))?;
        let current = |known: QuantRecord| known.completed_at_ms.is_some() && known.fault.is_none();
        Ok(known.is_some_and(|known| (known.keep || self.keep != Some(&quant.name)) && current(known)))
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
