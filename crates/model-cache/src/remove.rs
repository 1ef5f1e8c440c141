//! Removing files, quants and repositories. Views of what is removed stay valid.

mod live;
mod removal;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::sync::Arc;

use tabagent_storage::{
    Key, ManifestRecord, Manifests, Quants, ReadTransaction, RepoScope, Sortings, WriteTransaction,
};

use crate::error::{Error, Result};
use crate::inner::Inner;
use crate::lookup::{Lookup, quants_with, scope_of};
use crate::repo_name::{check_repo, check_revision};
use crate::required::{self, nothing_stored};
use crate::runtime::blocking;
use crate::sorting;
use removal::{Blobs, Removal};

/// What a removal did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RemoveReport {
    /// Stored files removed.
    pub files: u64,
    /// Blobs removed with them: those no other file uses.
    pub blobs: u64,
    /// Bytes given back to the disk.
    pub freed: u64,
    /// Bytes free inside the store.
    pub reusable: u64,
    /// What was asked for and stays, and why.
    pub kept: Vec<Kept>,
}

/// A file that stays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Path of the file.
    pub path: String,
    /// Why it stays.
    pub why: String,
}

/// Removes one stored file.
pub(crate) async fn file(
    inner: Arc<Inner>,
    repo: String,
    path: String,
    revision: Option<String>,
) -> Result<RemoveReport> {
    check_repo(&repo)?;
    let revision = check_revision(revision.as_deref())?.to_owned();
    blocking(inner.tasks.token(), move || {
        inner.check_writable()?;
        let Some((scope, _)) = inner.file(&repo, &revision, &path)? else {
            return Err(Error::FileNotFound { repo, commit: revision, path });
        };
        again(|| file_once(&inner, &scope, &path))
    })
    .await
}

/// Calls until names of quants are as they were read in the transaction that forgets them.
fn again(mut once: impl FnMut() -> Result<Option<RemoveReport>>) -> Result<RemoveReport> {
    loop {
        if let Some(report) = once()? {
            return Ok(report);
        }
    }
}

fn file_once(inner: &Inner, scope: &RepoScope, path: &str) -> Result<Option<RemoveReport>> {
    let (record, sorting) = inner.read(|txn| {
        Ok((txn.get::<Manifests>(&Key::manifest(scope))?, txn.get::<Sortings>(&Key::sorting(scope))?))
    })?;
    let quants: BTreeSet<String> =
        record.iter().flat_map(|record| quants_with(record, path)).map(str::to_owned).collect();
    forget(inner, scope.clone(), BTreeSet::from([path.to_owned()]), quants, Blobs::new(), |txn| {
        sorting::is_current(txn, scope, sorting.as_ref())
    })
}

/// Removes what only this quant needs.
pub(crate) async fn quant(
    inner: Arc<Inner>,
    repo: String,
    quant: String,
    revision: Option<String>,
) -> Result<RemoveReport> {
    check_repo(&repo)?;
    let revision = check_revision(revision.as_deref())?.to_owned();
    blocking(inner.tasks.token(), move || {
        inner.check_writable()?;
        again(|| quant_once(&inner, &repo, &revision, &quant, || {}))
    })
    .await
}

/// `between` runs between the look at what goes and its removal.
fn quant_once(
    inner: &Inner,
    repo: &str,
    revision: &str,
    quant: &str,
    between: impl FnOnce(),
) -> Result<Option<RemoveReport>> {
    let (record, name, sorting) = inner.read(|txn| {
        let (record, name) = find_quant(inner, txn, repo, revision, quant)?;
        let sorting = txn.get::<Sortings>(&Key::sorting(&scope_of(&inner.endpoint, &record)))?;
        Ok((record, name, sorting))
    })?;
    let scope = scope_of(&inner.endpoint, &record);
    let (paths, kept) = only_of_quant(inner, &record, &name)?;
    let partial = partial_names(&record, &paths)?;
    let quants = BTreeSet::from([name]);
    between();
    let still = |txn: &WriteTransaction<'_>| sorting::is_current(txn, &scope, sorting.as_ref());
    Removal { scope: scope.clone(), paths, quants, partial, kept, ..Removal::new(inner) }.run_if(still)
}

/// Removes a repository at one revision, or at all.
pub(crate) async fn repo(inner: Arc<Inner>, repo: String, revision: Option<String>) -> Result<RemoveReport> {
    check_repo(&repo)?;
    if let Some(revision) = &revision {
        check_revision(Some(revision))?;
    }
    blocking(inner.tasks.token(), move || {
        inner.check_writable()?;
        let records = manifests_of(&inner, &repo, revision.as_deref())?;
        for record in &records {
            let names = record.quants.iter().map(|quant| &quant.name);
            refuse_live(&inner, &scope_of(&inner.endpoint, record), names)?;
        }
        let mut report = RemoveReport::default();
        for record in &records {
            report = merged(report, remove_commit(&inner, record)?);
        }
        inner.store.remove_headers_of(&records)?;
        Ok(report)
    })
    .await
}

/// Forgets paths and quants of one commit if `still` says so in the transaction that does it, and removes the bytes nobody uses any
/// more, and the partial blobs. [`Error::InUse`] when a download needs one of them.
pub(crate) fn forget(
    inner: &Inner,
    scope: RepoScope,
    paths: BTreeSet<String>,
    quants: BTreeSet<String>,
    partial: Blobs,
    still: impl Fn(&WriteTransaction<'_>) -> tabagent_storage::Result<bool>,
) -> Result<Option<RemoveReport>> {
    Removal { scope, paths, quants, partial, ..Removal::new(inner) }.run_if(still)
}

/// The sum of two removals, the later one second.
pub(crate) fn merged(a: RemoveReport, b: RemoveReport) -> RemoveReport {
    RemoveReport {
        files: a.files + b.files,
        blobs: a.blobs + b.blobs,
        freed: a.freed + b.freed,
        reusable: b.reusable,
        kept: [a.kept, b.kept].concat(),
    }
}

/// The commit at which the revision serves the quant (complete there), else the newest one that lists it.
fn find_quant(
    inner: &Inner,
    txn: &ReadTransaction<'_>,
    repo: &str,
    revision: &str,
    asked: &str,
) -> Result<(ManifestRecord, String)> {
    let mut newest = None;
    for scope in (Lookup { txn, endpoint: &inner.endpoint }).scopes(repo, revision)? {
        let Some(record) = txn.get::<Manifests>(&Key::manifest(&scope))? else { continue };
        let name = match required::listed_quant(txn, &record, &scope, asked) {
            Ok(quant) => quant.name,
            Err(absent @ Error::QuantNotFound { .. }) => {
                newest.get_or_insert(Err(absent));
                continue;
            }
            Err(error) => return Err(error),
        };
        let history = txn.get::<Quants>(&Key::quant(&scope, &name))?;
        if history.is_some_and(|history| history.completed_at_ms.is_some()) {
            return Ok((record, name));
        }
        if !matches!(newest, Some(Ok(_))) {
            newest = Some(Ok((record, name)));
        }
    }
    newest.unwrap_or_else(|| Err(nothing_stored(repo, revision)))
}

fn manifests_of(inner: &Inner, repo: &str, revision: Option<&str>) -> Result<Vec<ManifestRecord>> {
    let records = inner.read(|txn| {
        let lookup = Lookup { txn, endpoint: &inner.endpoint };
        let mut records = Vec::new();
        if let Some(revision) = revision {
            for scope in lookup.scopes(repo, revision)? {
                records.extend(txn.get::<Manifests>(&Key::manifest(&scope))?);
            }
            return Ok(records);
        }
        for name in lookup.names(repo)? {
            txn.scan::<Manifests>(&Key::manifests(&inner.endpoint, &name), |_, record| {
                records.push(record);
                Ok(ControlFlow::Continue(()))
            })?;
        }
        Ok(records)
    })?;
    if records.is_empty() {
        Err(nothing_stored(repo, revision.unwrap_or("any revision")))
    } else {
        Ok(records)
    }
}

/// Before anything of several commits goes.
fn refuse_live<'a>(
    inner: &Inner,
    scope: &RepoScope,
    quants: impl IntoIterator<Item = &'a String>,
) -> Result<()> {
    let probe = inner.probe()?;
    let Some(live) = quants.into_iter().find(|quant| probe.is_downloading(scope, quant)) else {
        return Ok(());
    };
    Err(live::refused(scope, live))
}

/// The quant's paths that no other complete or running quant of the commit needs, and the ones that stay.
fn only_of_quant(
    inner: &Inner,
    record: &ManifestRecord,
    quant: &str,
) -> Result<(BTreeSet<String>, Vec<Kept>)> {
    let (probe, scope) = (inner.probe()?, scope_of(&inner.endpoint, record));
    let states = inner.read(|txn| probe.file_states(txn, record))?;
    let stored = |index: &u32| states.get(*index as usize).is_some_and(|state| state.stored);
    let mut needed_by: BTreeMap<u32, &str> = BTreeMap::new();
    for other in record.quants.iter().filter(|other| other.name != quant) {
        // A running download takes what was stored when it began for granted.
        if other.files.iter().all(stored) || probe.is_downloading(&scope, &other.name) {
            needed_by.extend(other.files.iter().map(|index| (*index, other.name.as_str())));
        }
    }
    let (mut paths, mut kept) = (BTreeSet::new(), Vec::new());
    let own = record.quants.iter().filter(|q| q.name == quant).flat_map(|q| &q.files);
    for index in own {
        let Some(file) = record.files.get(*index as usize) else { continue };
        if let Some(other) = needed_by.get(index) {
            kept.push(Kept { path: file.path.clone(), why: format!("quant {other} needs it too") });
        } else {
            paths.insert(file.path.clone());
        }
    }
    Ok((paths, kept))
}

/// The blobs under which these files may be here in part, and their paths.
fn partial_names(record: &ManifestRecord, paths: &BTreeSet<String>) -> Result<Blobs> {
    let files = record.files.iter().filter(|file| paths.contains(&file.path));
    files.map(|file| Ok((file.digest()?.blob_name(), file.path.clone()))).collect()
}

/// Removes everything known of one commit.
fn remove_commit(inner: &Inner, record: &ManifestRecord) -> Result<RemoveReport> {
    let paths: BTreeSet<String> = record.files.iter().map(|file| file.path.clone()).collect();
    let partial = partial_names(record, &paths)?;
    let scope = scope_of(&inner.endpoint, record);
    Removal { scope, paths, partial, listing: true, ..Removal::new(inner) }.run()
}
