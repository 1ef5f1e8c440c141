//! How listings are sorted into quants: by names, by what the endpoint says, and by what headers of files have told.

#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;

use tabagent_hub::quant::{self, Detection, Hints, SourceFile};
use tabagent_hub::{ListedFile, Listing};
use tabagent_storage::{
    EndpointId, Key, ManifestFile, ManifestQuant, ManifestRecord, Manifests, QuantRecord, Quants,
    ReadTransaction, RefRecord, Refs, RepoScope, SortingRecord, Sortings, WriteTransaction,
};

use crate::clock::now_ms;
use crate::error::Result;
use crate::inner::Inner;
use crate::lookup::scope_of;
use crate::status::Probe;
use crate::told::{Told, Word};

/// Result of what runs in a transaction.
type Stored<T> = tabagent_storage::Result<T>;

/// A listing sorted into quants.
pub(crate) struct Sorted {
    pub(crate) record: ManifestRecord,
    /// What besides its files it was sorted by.
    pub(crate) hints: Hints,
    /// When: when the listing was scanned, or later when it was sorted again.
    at_ms: u64,
    /// The files whose headers would name a quant that nothing else names.
    pub(crate) open: Vec<ManifestFile>,
}

/// Sorts a listing by names, without headers.
pub(crate) fn sort(endpoint: &str, listing: Listing) -> Sorted {
    let record = ManifestRecord {
        endpoint: endpoint.to_owned(),
        files: listing.files.into_iter().map(to_file).collect(),
        quants: Vec::new(),
        shared: Vec::new(),
        repo: listing.repo,
        commit: listing.commit,
        pipeline_task: listing.pipeline_task,
        library_name: listing.library_name,
        license: listing.license,
        tags: listing.tags,
        gated: listing.gated,
        scanned_at_ms: now_ms(),
    };
    let (detection, open) = detect_open(&record.files, &listing.hints);
    let at_ms = record.scanned_at_ms;
    let mut sorted = Sorted { record, hints: listing.hints, at_ms, open };
    for (file, role) in sorted.record.files.iter_mut().zip(&detection.roles) {
        role.as_str().clone_into(&mut file.role);
    }
    sorted.record.shared = indices(&detection.shared);
    sorted.record.quants = quants(&detection);
    sorted
}

fn to_file(file: ListedFile) -> ManifestFile {
    let (sha256, git_sha1) = match file.digest {
        tabagent_hub::Digest::Sha256(digest) => (Some(digest), None),
        tabagent_hub::Digest::GitSha1(digest) => (None, Some(digest)),
    };
    ManifestFile { path: file.path, size: file.size, sha256, git_sha1, role: String::new() }
}

fn quants(detection: &Detection) -> Vec<ManifestQuant> {
    let quant = |quant: &quant::DetectedQuant| ManifestQuant {
        name: quant.name.clone(),
        format: quant.format.as_str().to_owned(),
        files: indices(&quant.files),
    };
    detection.quants.iter().map(quant).collect()
}

fn indices(from: &[usize]) -> Vec<u32> {
    from.iter().filter_map(|index| u32::try_from(*index).ok()).collect()
}

fn detect(
    files: &[ManifestFile],
    hints: &Hints,
    given: &HashMap<&str, String>,
    mut told: impl FnMut(&ManifestFile) -> Option<String>,
) -> Detection {
    let sources: Vec<SourceFile<'_>> =
        files.iter().map(|file| SourceFile { path: &file.path, size: file.size }).collect();
    let given =
        |index| files.get(index).and_then(|file: &ManifestFile| given.get(file.path.as_str()).cloned());
    quant::detect_again(&sources, hints, |index| files.get(index).and_then(&mut told), given)
}

/// By names alone, and which files are open then.
fn detect_open(files: &[ManifestFile], hints: &Hints) -> (Detection, Vec<ManifestFile>) {
    let mut open = Vec::new();
    let detection = detect(files, hints, &HashMap::new(), |file| {
        open.push(file.clone());
        None
    });
    (detection, open)
}

impl Sorted {
    /// A listing that was stored.
    pub(crate) fn stored(record: ManifestRecord, hints: Hints) -> Self {
        let (_, open) = detect_open(&record.files, &hints);
        Self { record, hints, at_ms: now_ms(), open }
    }

    /// Names the quants by what headers tell; those that have such a name in the `earlier` listing (this one before, when there is
    /// none) keep it. False when they were called so before.
    pub(crate) fn refine(&mut self, told: &Told, earlier: Option<&ManifestRecord>) -> Result<bool> {
        let mut names = HashMap::new();
        for file in &self.open {
            if let Some(Word { name: Some(name), .. }) = told.get(&file.digest()?.blob_name()) {
                names.insert(file.path.as_str(), name.clone());
            }
        }
        let given = self.given(earlier.unwrap_or(&self.record));
        let told = |file: &ManifestFile| names.get(file.path.as_str()).cloned();
        let quants = quants(&detect(&self.record.files, &self.hints, &given, told));
        let is_new = quants != self.record.quants;
        self.record.quants = quants;
        Ok(is_new)
    }

    /// What the quants of open files are called in a listing.
    fn given(&self, record: &ManifestRecord) -> HashMap<&str, String> {
        let open: HashSet<&str> = self.open.iter().map(|file| file.path.as_str()).collect();
        let mut given = HashMap::new();
        for quant in &record.quants {
            let files = quant.files.iter().filter_map(|file| record.files.get(*file as usize));
            for path in files.filter_map(|file| open.get(file.path.as_str())) {
                given.insert(*path, quant.name.clone());
            }
        }
        given
    }

    /// Stores it. What is remembered of a quant goes with its files to its new name. While one is being downloaded no quant gets
    /// another name: this has the quants of the earlier listing then, and no `ETag` keeps the next scan from sorting it anew. False
    /// in this case.
    pub(crate) fn store(
        &mut self,
        txn: &WriteTransaction<'_>,
        inner: &Inner,
        scope: &RepoScope,
    ) -> Stored<bool> {
        let key = Key::manifest(scope);
        let mut is_new = true;
        if let Some(earlier) = txn.get::<Manifests>(&key)? {
            let renamed = renamed(&earlier, &self.record);
            is_new = !is_downloaded(inner, scope, &renamed)?;
            if is_new {
                rename(txn, scope, &renamed)?;
            } else {
                self.sort_like(earlier);
                forget_etags(txn, scope)?;
            }
        }
        // A sorting is known by its time: another one of the same millisecond, or after a clock went back, has a later one.
        let sorting = Key::sorting(scope);
        if let Some(earlier) = txn.get::<Sortings>(&sorting)? {
            self.at_ms = self.at_ms.max(earlier.sorted_at_ms.saturating_add(1));
        }
        txn.put::<Sortings>(&sorting, &to_sorting(&self.hints, self.at_ms))?;
        txn.put::<Manifests>(&key, &self.record)?;
        Ok(is_new)
    }

    /// As a listing of the same files.
    fn sort_like(&mut self, ManifestRecord { files, quants, shared, .. }: ManifestRecord) {
        self.record = ManifestRecord { files, quants, shared, ..self.record.clone() };
    }
}

/// Whether one of these is being downloaded now. In the transaction that gives the new names: whoever announces a download later sees
/// them.
fn is_downloaded(inner: &Inner, scope: &RepoScope, renamed: &[(String, String)]) -> Stored<bool> {
    if renamed.is_empty() {
        return Ok(false);
    }
    let probe = Probe::with(inner.store.activity()?, &inner.endpoint);
    Ok(renamed.iter().any(|(name, _)| probe.is_downloading(scope, name)))
}

fn forget_etags(txn: &WriteTransaction<'_>, scope: &RepoScope) -> Stored<()> {
    let mut changed = Vec::new();
    txn.scan::<Refs>(&Key::references(&scope.endpoint, &scope.repo), |key, reference| {
        if reference.etag.is_some()
            && reference.commits.first().is_some_and(|seen| seen.commit == scope.commit)
        {
            changed.push((Key::stored(key), RefRecord { etag: None, ..reference }));
        }
        Ok(ControlFlow::Continue(()))
    })?;
    changed.iter().try_for_each(|(key, reference)| txn.put::<Refs>(key, reference))
}

/// A listing as the store sorts it, where it has the same files there. By these names all else is known of quants: the record of a
/// failure, the lock of a download, what other calls are asked for. They differ when the store may not be written, or when another
/// process has just written it.
pub(crate) fn as_stored(
    txn: &ReadTransaction<'_>,
    endpoint: &EndpointId,
    record: ManifestRecord,
) -> Result<ManifestRecord> {
    let stored = txn.get::<Manifests>(&Key::manifest(&scope_of(endpoint, &record)))?;
    Ok(match stored.filter(|stored| has_same_files(stored, &record)) {
        Some(ManifestRecord { files, quants, shared, .. }) => {
            ManifestRecord { files, quants, shared, ..record }
        }
        None => record,
    })
}

fn has_same_files(a: &ManifestRecord, b: &ManifestRecord) -> bool {
    let same = |(a, b): (&ManifestFile, &ManifestFile)| {
        a.path == b.path && a.sha256 == b.sha256 && a.git_sha1 == b.git_sha1
    };
    a.files.len() == b.files.len() && a.files.iter().zip(&b.files).all(same)
}

/// Old and new names of the quants that have the same files in two listings of a commit.
fn renamed(earlier: &ManifestRecord, now: &ManifestRecord) -> Vec<(String, String)> {
    let same_files = has_same_files(earlier, now);
    let pair = |old: &ManifestQuant| {
        let new = now.quants.iter().find(|new| new.files == old.files)?;
        (new.name != old.name).then(|| (old.name.clone(), new.name.clone()))
    };
    earlier.quants.iter().filter(|_| same_files).filter_map(pair).collect()
}

fn rename(txn: &WriteTransaction<'_>, scope: &RepoScope, renamed: &[(String, String)]) -> Stored<()> {
    let mut histories = Vec::new();
    for (old, new) in renamed {
        let key = Key::quant(scope, old);
        if let Some(history) = txn.get::<Quants>(&key)? {
            txn.delete::<Quants>(&key)?;
            histories.push(QuantRecord { name: new.clone(), ..history });
        }
    }
    histories.iter().try_for_each(|history| txn.put::<Quants>(&Key::quant(scope, &history.name), history))
}

/// Whether the quants of a commit are called as they were when this was read.
pub(crate) fn is_current(
    txn: &WriteTransaction<'_>,
    scope: &RepoScope,
    sorting: Option<&SortingRecord>,
) -> Stored<bool> {
    Ok(txn.get::<Sortings>(&Key::sorting(scope))?.as_ref() == sorting)
}

/// By what a stored listing was sorted; none for a listing of an earlier version.
pub(crate) fn hints(txn: &ReadTransaction<'_>, scope: &RepoScope) -> Stored<Option<Hints>> {
    let sorting = txn.get::<Sortings>(&Key::sorting(scope))?;
    Ok(sorting.map(|sorting| Hints {
        repo: sorting.repo,
        library_name: sorting.library_name,
        tags: sorting.tags,
        quant_method: sorting.quant_method,
        bits: sorting.bits,
        dtype: sorting.dtype,
        mlx: sorting.mlx,
    }))
}

fn to_sorting(hints: &Hints, sorted_at_ms: u64) -> SortingRecord {
    let Hints { repo, library_name, tags, quant_method, bits, dtype, mlx } = hints.clone();
    SortingRecord { sorted_at_ms, repo, library_name, tags, quant_method, bits, dtype, mlx }
}

/// The quant that is asked for, in any case: by its name, else by the one that it has without what headers tell, so that who knew
/// it before still finds it.
pub(crate) fn find_quant<'a>(
    txn: &ReadTransaction<'_>,
    record: &'a ManifestRecord,
    scope: &RepoScope,
    asked: &str,
) -> Result<Option<&'a ManifestQuant>> {
    let is_called = |quant: &&ManifestQuant| quant.name.eq_ignore_ascii_case(asked);
    if let Some(found) = record.quants.iter().find(is_called) {
        return Ok(Some(found));
    }
    let Some(hints) = hints(txn, scope)? else { return Ok(None) };
    let plain = quants(&detect(&record.files, &hints, &HashMap::new(), |_| None));
    let plain = plain.iter().find(is_called);
    Ok(plain.and_then(|plain| record.quants.iter().find(|quant| quant.files == plain.files)))
}
