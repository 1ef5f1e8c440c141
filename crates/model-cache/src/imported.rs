//! Listings made from an import. They name only what was there, and no endpoint has confirmed them: a scan of the commit replaces
//! them, and what does not agree with the scan is forgotten.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use tabagent_hub::quant::{Hints, gaps};
use tabagent_hub::{ListedFile, Listing};
use tabagent_storage::{
    AliasRecord, Aliases, BlobName, Digest, FileMetadata, Files, ImportRecord, Imports, Key, ManifestFile,
    ManifestRecord, Manifests, Quants, RefCommit, RefRecord, Refs, RepoScope, StorageError, Uses,
    WriteTransaction,
};

use crate::clock::now_ms;
use crate::error::Result;
use crate::history::History;
use crate::inner::Inner;
use crate::lookup::scope_of;
use crate::sorting::sort;
use crate::transfer::{MEMORY_LIMIT, hub_digest, publish};

/// Result of what runs in a transaction.
type Stored<T> = tabagent_storage::Result<T>;

/// Sorts the files of an import into quants. A quant with numbered parts of which some are missing is left out.
pub(crate) fn listing(
    inner: &Inner,
    scope: &RepoScope,
    hints: &Hints,
    mut files: Vec<ListedFile>,
) -> ManifestRecord {
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files.dedup_by(|a, b| a.path == b.path);
    let mut record = sort(
        &inner.options.endpoint,
        Listing {
            repo: scope.repo.clone(),
            commit: scope.commit.clone(),
            pipeline_task: None,
            library_name: None,
            license: None,
            tags: Vec::new(),
            gated: false,
            hints: hints.clone(),
            files,
            refused: Vec::new(),
            etag: None,
        },
    )
    .record;
    let gaps = gaps(record.files.iter().map(|file| file.path.as_str()));
    record.quants.retain(|quant| quant.files.iter().all(|file| !gaps.contains(&(*file as usize))));
    record
}

/// A listed file again as a listing has it.
pub(crate) fn listed(file: &ManifestFile) -> Result<ListedFile> {
    Ok(ListedFile { path: file.path.clone(), size: file.size, digest: hub_digest(file.digest()?) })
}

/// Stores a listing made from an import, unless the commit has been scanned: false then.
pub(crate) fn begin(txn: &WriteTransaction<'_>, scope: &RepoScope, record: &ManifestRecord) -> Stored<bool> {
    let key = Key::import(scope);
    if txn.contains::<Manifests>(&Key::manifest(scope))? && !txn.contains::<Imports>(&key)? {
        return Ok(false);
    }
    txn.put::<Imports>(&key, &ImportRecord { imported_at_ms: now_ms() })?;
    txn.put::<Manifests>(&Key::manifest(scope), record)?;
    Ok(true)
}

/// Puts `record`, which names all files of the import that are stored, in place of the listing it began with; none when there
/// are none. True when the commit has a listing.
pub(crate) fn finish(txn: &WriteTransaction<'_>, scope: &RepoScope, record: &ManifestRecord) -> Stored<bool> {
    if !txn.contains::<Imports>(&Key::import(scope))? {
        return txn.contains::<Manifests>(&Key::manifest(scope));
    }
    if record.files.is_empty() {
        txn.delete::<Imports>(&Key::import(scope))?;
        txn.delete::<Manifests>(&Key::manifest(scope))?;
        return Ok(false);
    }
    txn.put::<Manifests>(&Key::manifest(scope), record)?;
    Ok(true)
}

/// Notes that a revision stood for the commit: as its newest one when no scan has said anything else, as its oldest otherwise.
pub(crate) fn refer(txn: &WriteTransaction<'_>, scope: &RepoScope, revision: &str) -> Stored<()> {
    let key = Key::reference(&scope.endpoint, &scope.repo, revision);
    let mut reference = txn.get::<Refs>(&key)?.unwrap_or(RefRecord { commits: Vec::new(), etag: None });
    if reference.commits.iter().any(|seen| seen.commit == scope.commit) {
        return Ok(());
    }
    let scanned = match reference.commits.first() {
        None => false,
        Some(newest) => {
            let newest = RepoScope { commit: newest.commit.clone(), ..scope.clone() };
            !txn.contains::<Imports>(&Key::import(&newest))?
        }
    };
    let seen = RefCommit { commit: scope.commit.clone(), scanned_at_ms: now_ms() };
    if scanned {
        reference.commits.push(seen);
    } else {
        reference.commits.insert(0, seen);
        reference.etag = None;
    }
    txn.put::<Refs>(&key, &reference)?;
    let alias = Key::alias(&scope.endpoint, &scope.repo);
    if !txn.contains::<Aliases>(&alias)? {
        txn.put::<Aliases>(&alias, &AliasRecord { repo: scope.repo.clone() })?;
    }
    Ok(())
}

/// A stored file that the scan of its commit lists otherwise or not at all.
pub(crate) struct Doubt {
    blob: BlobName,
    listed: Option<ManifestFile>,
}

/// A scan has found the listing of a commit. When one from an import was there, forgets its files that do not agree; `None` when
/// there was none.
pub(crate) fn confirm(
    txn: &WriteTransaction<'_>,
    scope: &RepoScope,
    record: &ManifestRecord,
) -> Stored<Option<Vec<Doubt>>> {
    if !txn.delete::<Imports>(&Key::import(scope))? {
        return Ok(None);
    }
    forget_quants(txn, scope)?;
    forget_doubtful(txn, scope, record).map(Some)
}

/// Which quants were complete is looked at again: the scan may sort the files otherwise.
pub(crate) fn forget_quants(txn: &WriteTransaction<'_>, scope: &RepoScope) -> Stored<()> {
    let mut keys = Vec::new();
    txn.scan::<Quants>(&Key::quants(scope), |key, _| {
        keys.push(Key::stored(key));
        Ok(ControlFlow::Continue(()))
    })?;
    keys.iter().try_for_each(|key| txn.delete::<Quants>(key).map(|_| ()))
}

/// Forgets the stored files of a commit that its listing does not have like this.
pub(crate) fn forget_doubtful(
    txn: &WriteTransaction<'_>,
    scope: &RepoScope,
    record: &ManifestRecord,
) -> Stored<Vec<Doubt>> {
    let files: HashMap<&str, &ManifestFile> =
        record.files.iter().map(|file| (file.path.as_str(), file)).collect();
    let mut stored = Vec::new();
    txn.scan::<Files>(&Key::files(scope), |_, file| {
        stored.push(file);
        Ok(ControlFlow::Continue(()))
    })?;
    let mut doubts = Vec::new();
    for file in stored {
        let listed = files.get(file.path.as_str()).copied();
        if listed.is_some_and(|listed| agree(listed, &file)) {
            continue;
        }
        txn.delete::<Files>(&Key::file(scope, &file.path))?;
        txn.delete::<Uses>(&Key::usage(&file.blob_name(), scope, &file.path))?;
        doubts.push(Doubt { blob: file.blob_name(), listed: listed.cloned() });
    }
    Ok(doubts)
}

fn agree(listed: &ManifestFile, stored: &FileMetadata) -> bool {
    let same = match listed.sha256 {
        Some(sha256) => sha256 == stored.blob,
        None => listed.git_sha1 == stored.git_sha1,
    };
    same && listed.size == stored.size
}

/// Publishes again what has the digest that the scan lists, which the import could not know of a git file that was no link;
/// removes the bytes of the others. Then notes which quants are complete.
pub(crate) fn recheck(inner: &Inner, record: &ManifestRecord, doubts: &[Doubt]) -> Result<()> {
    let scope = scope_of(&inner.endpoint, record);
    for doubt in doubts {
        match republish(inner, &scope, doubt) {
            // The listing is stored, and what becomes of one file is no failure of it: where another process removes its bytes or
            // its repository just now, or they are damaged, the file is not stored, and a download brings it.
            Err(StorageError::InUse { .. } | StorageError::Gone { .. } | StorageError::Corrupt { .. }) => {}
            outcome => outcome?,
        }
    }
    let blobs: Vec<BlobName> = doubts.iter().map(|doubt| doubt.blob).collect();
    inner.store.remove_blobs(&blobs)?;
    complete_quants(inner, &scope, record)
}

fn republish(inner: &Inner, scope: &RepoScope, doubt: &Doubt) -> Stored<()> {
    let Some(file) = &doubt.listed else { return Ok(()) };
    let expected = file.digest()?;
    if !matches!(expected, Digest::GitSha1(_)) || file.size > MEMORY_LIMIT {
        return Ok(());
    }
    let Some(reader) = inner.store.reader(&doubt.blob)? else { return Ok(()) };
    if reader.size() != file.size {
        return Ok(());
    }
    let bytes = reader.copy(0..file.size)?;
    let (scope, file) = (scope.clone(), file.clone());
    let publish = move |txn: &WriteTransaction<'_>, name| publish(txn, &scope, &file, name);
    inner.store.put_bytes(&bytes, &expected, publish).map(|_| ())
}

/// Notes the quants of a listing that are complete.
pub(crate) fn complete_quants(inner: &Inner, scope: &RepoScope, record: &ManifestRecord) -> Result<()> {
    let places: Vec<u32> = (0..u32::try_from(record.files.len()).unwrap_or(u32::MAX)).collect();
    let store = Arc::clone(&inner.store);
    History { store: &store, record, scope, keep: None }.complete(&places)
}
