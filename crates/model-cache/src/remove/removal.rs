//! What a removal does: M first, then the bytes nobody uses any more.

use std::collections::{BTreeSet, HashMap};
use std::ops::ControlFlow;
use std::sync::Arc;

use tabagent_storage::{
    BlobName, Files, Imports, Key, Manifests, Quants, Refs, RepoScope, Sortings, StorageError, Store, Uses,
    WriteTransaction,
};

use super::live::refused;
use super::{Kept, RemoveReport};
use crate::error::Result;
use crate::imported::forget_quants;
use crate::inner::Inner;

/// Blobs and the path of a file that has them.
pub(crate) type Blobs = HashMap<BlobName, String>;

/// What became of the transaction of a removal.
enum Outcome {
    /// So many files are forgotten, and these blobs with them.
    Forgotten((u64, Blobs)),
    /// Nothing: it is no longer as it was when that was decided.
    Changed,
    /// Nothing: a download of this quant needs what was to go.
    Needed(String),
}

/// One commit's part of a removal.
pub(super) struct Removal<'a> {
    pub(super) inner: &'a Inner,
    pub(super) scope: RepoScope,
    /// Paths to forget.
    pub(super) paths: BTreeSet<String>,
    /// Quants that are no longer complete; all of them when the listing goes.
    pub(super) quants: BTreeSet<String>,
    /// Blobs that may be here in part.
    pub(super) partial: Blobs,
    /// Whether the listing itself goes too.
    pub(super) listing: bool,
    pub(super) kept: Vec<Kept>,
}

impl<'a> Removal<'a> {
    pub(super) fn new(inner: &'a Inner) -> Self {
        let scope =
            RepoScope { endpoint: inner.endpoint.clone(), repo: String::new(), commit: String::new() };
        Self {
            inner,
            scope,
            paths: BTreeSet::new(),
            quants: BTreeSet::new(),
            partial: Blobs::new(),
            listing: false,
            kept: Vec::new(),
        }
    }

    pub(super) fn run(self) -> Result<RemoveReport> {
        Ok(self.run_if(|_| Ok(true))?.unwrap_or_default())
    }

    /// M first, then the blobs nobody uses any more. `None`, and nothing done, unless `still` says yes; refused while a download
    /// needs what goes.
    pub(super) fn run_if(
        self,
        still: impl Fn(&WriteTransaction<'_>) -> tabagent_storage::Result<bool>,
    ) -> Result<Option<RemoveReport>> {
        let store: &Arc<Store> = &self.inner.store;
        // Before anything is forgotten: what would be left then is only prune's to find.
        store.check_tree_room()?;
        let outcome = store.write(|txn| {
            if !still(txn)? {
                return Ok(Outcome::Changed);
            }
            match self.live_quant(txn)? {
                Some(quant) => Ok(Outcome::Needed(quant)),
                None => self.forget_records(txn).map(Outcome::Forgotten),
            }
        })?;
        let (files, mut blobs) = match outcome {
            Outcome::Forgotten(gone) => gone,
            Outcome::Changed => return Ok(None),
            Outcome::Needed(quant) => return Err(refused(&self.scope, &quant)),
        };
        blobs.extend(self.partial);
        let names: Vec<BlobName> = blobs.keys().copied().collect();
        let freed = store.remove_blobs(&names)?;
        let mut kept = self.kept;
        kept.extend(freed.busy.iter().map(|name| Kept {
            path: blobs.get(name).cloned().unwrap_or_else(|| name.to_hex()),
            why: "it is being downloaded".to_owned(),
        }));
        let (blobs, reusable) = (freed.blobs, freed.reusable);
        Ok(Some(RemoveReport { files, blobs, freed: freed.freed, reusable, kept }))
    }

    fn forget_records(&self, txn: &WriteTransaction<'_>) -> tabagent_storage::Result<(u64, Blobs)> {
        let removed = self.forget_files(txn)?;
        for quant in &self.quants {
            txn.delete::<Quants>(&Key::quant(&self.scope, quant))?;
        }
        if self.listing {
            self.forget_listing(txn)?;
        }
        Ok(removed)
    }

    fn forget_files(&self, txn: &WriteTransaction<'_>) -> tabagent_storage::Result<(u64, Blobs)> {
        let (mut count, mut blobs) = (0, Blobs::new());
        for path in &self.paths {
            let key = Key::file(&self.scope, path);
            if let Some(file) = txn.get::<Files>(&key)? {
                txn.delete::<Files>(&key)?;
                txn.delete::<Uses>(&Key::usage(&file.blob_name(), &self.scope, path))?;
                blobs.insert(file.blob_name(), path.clone());
                count += 1;
            }
        }
        Ok((count, blobs))
    }

    /// Forgets the listing and every observation of its commit.
    fn forget_listing(&self, txn: &WriteTransaction<'_>) -> tabagent_storage::Result<()> {
        txn.delete::<Manifests>(&Key::manifest(&self.scope))?;
        txn.delete::<Imports>(&Key::import(&self.scope))?;
        txn.delete::<Sortings>(&Key::sorting(&self.scope))?;
        forget_quants(txn, &self.scope)?;
        let mut changed = Vec::new();
        txn.scan::<Refs>(&Key::references(&self.scope.endpoint, &self.scope.repo), |key, mut reference| {
            if reference.forget(&self.scope.commit) {
                changed.push((Key::stored(key), reference));
            }
            Ok(ControlFlow::Continue(()))
        })?;
        for (key, reference) in changed {
            if reference.commits.is_empty() {
                txn.delete::<Refs>(&key)?;
            } else {
                txn.put::<Refs>(&key, &reference)?;
            }
        }
        Ok::<(), StorageError>(())
    }
}
