//! What a call is about: found, or an error that says what is missing.

use tabagent_storage::{Files, Key, ManifestQuant, ManifestRecord, Manifests, ReadTransaction, RepoScope};

use crate::cached_file::CachedFile;
use crate::error::{Error, Result};
use crate::inner::Inner;
use crate::lookup::Lookup;
use crate::sorting;

/// A quant of a listing, by its name in any case.
pub(crate) fn listed_quant(
    txn: &ReadTransaction<'_>,
    record: &ManifestRecord,
    scope: &RepoScope,
    asked: &str,
) -> Result<ManifestQuant> {
    let found = sorting::find_quant(txn, record, scope, asked)?;
    found.cloned().ok_or_else(|| Error::QuantNotFound {
        repo: record.repo.clone(),
        commit: record.commit.clone(),
        quant: asked.to_owned(),
        available: record.quants.iter().map(|quant| quant.name.clone()).collect(),
    })
}

/// The listing of the newest commit at which all files of the quant are stored, and the quant.
pub(crate) fn stored_quant(
    inner: &Inner,
    repo: &str,
    revision: &str,
    asked: &str,
) -> Result<(ManifestRecord, ManifestQuant)> {
    inner.read(|txn| {
        let mut newest = None;
        for scope in (Lookup { txn, endpoint: &inner.endpoint }).scopes(repo, revision)? {
            let Some(record) = txn.get::<Manifests>(&Key::manifest(&scope))? else { continue };
            let found = listed_quant(txn, &record, &scope, asked)
                .and_then(|quant| check_stored(txn, &record, &scope, &quant).map(|()| quant));
            match found {
                Ok(quant) => return Ok((record, quant)),
                Err(error) => newest = newest.or(Some(error)),
            }
        }
        Err(newest.unwrap_or_else(|| not_stored(repo, revision)))
    })
}

fn check_stored(
    txn: &ReadTransaction<'_>,
    record: &ManifestRecord,
    scope: &RepoScope,
    quant: &ManifestQuant,
) -> Result<()> {
    for file in quant.files.iter().filter_map(|place| record.files.get(*place as usize)) {
        if txn.get::<Files>(&Key::file(scope, &file.path))?.is_none() {
            return Err(not_downloaded(record, &format!("quant \"{}\"", quant.name), &file.path));
        }
    }
    Ok(())
}

/// Opens a stored file.
pub(crate) fn stored_file(inner: &Inner, repo: &str, path: &str, revision: &str) -> Result<CachedFile> {
    if let Some(file) = CachedFile::open(inner, repo, path, revision)? {
        return Ok(file);
    }
    let record = inner.read(|txn| Lookup { txn, endpoint: &inner.endpoint }.manifest(repo, revision))?;
    let record = record.ok_or_else(|| not_stored(repo, revision))?;
    if record.files.iter().any(|file| file.path == path) {
        return Err(not_downloaded(&record, path, path));
    }
    Err(Error::FileNotFound { repo: record.repo, commit: record.commit, path: path.to_owned() })
}

fn not_stored(repo: &str, revision: &str) -> Error {
    Error::NotStored { repo: repo.to_owned(), revision: revision.to_owned() }
}

/// Where scanning would not help: what is to be removed or checked must be here.
pub(crate) fn nothing_stored(repo: &str, revision: &str) -> Error {
    Error::NothingStored { repo: repo.to_owned(), revision: revision.to_owned() }
}

fn not_downloaded(record: &ManifestRecord, what: &str, path: &str) -> Error {
    Error::NotDownloaded {
        repo: record.repo.clone(),
        commit: record.commit.clone(),
        what: what.to_owned(),
        path: path.to_owned(),
    }
}
