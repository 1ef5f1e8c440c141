//! Lists and counts of what is stored.

use std::collections::{BTreeMap, HashSet};
use std::ops::ControlFlow;

use tabagent_storage::{Files, Key, Manifests, Quants, ReadTransaction, Refs, RepoScope};

use crate::cache::ModelCache;
use crate::error::Result;
use crate::file::FileInfo;
use crate::inner::Inner;
use crate::lookup::Lookup;
use crate::manifest::Manifest;
use crate::repo_name::{check_repo, check_revision};

/// Counts and sizes. Repositories, quants and files are those of this endpoint; the rest is the whole store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CacheStats {
    /// Repositories scanned.
    pub repos: u64,
    /// Quants complete.
    pub quants: u64,
    /// Files stored, counted per commit.
    pub files: u64,
    /// Different blobs stored.
    pub blobs: u64,
    /// Bytes of complete blobs.
    pub bytes: u64,
    /// Bytes of partial blobs.
    pub partial_bytes: u64,
    /// Bytes free inside the store.
    pub reusable: u64,
    /// Bytes the store occupies on the disk.
    pub disk_bytes: u64,
    /// Plain files made for engines that want a path.
    pub plain_files: u64,
    /// Bytes of these; where they share blocks with the store they take no room of their own.
    pub plain_bytes: u64,
    /// Read transactions alive, in all processes.
    pub readers: u64,
    /// Mappings alive in this process.
    pub views: u64,
}

impl ModelCache {
    /// Counts and sizes of the whole store.
    ///
    /// # Errors
    /// `ERR_CORRUPT`, `ERR_IO`, `ERR_CLOSED`.
    pub fn stats(&self) -> Result<CacheStats> {
        stats(&*self.inner()?)
    }

    /// The newest stored manifest of every revision that was scanned at this endpoint.
    ///
    /// # Errors
    /// `ERR_CORRUPT`, `ERR_CLOSED`.
    pub fn list_manifests(&self) -> Result<Vec<Manifest>> {
        list_manifests(&*self.inner()?)
    }

    /// The files stored of a revision (`main` by default).
    ///
    /// # Errors
    /// `ERR_INVALID_ARGUMENT`, `ERR_CORRUPT`, `ERR_CLOSED`.
    pub fn list_files(&self, repo: &str, revision: Option<&str>) -> Result<Vec<FileInfo>> {
        let inner = self.inner()?;
        check_repo(repo)?;
        list_files(&inner, repo, check_revision(revision)?)
    }
}

fn stats(inner: &Inner) -> Result<CacheStats> {
    inner.store.read_ahead()?;
    let (usage, plain) = (inner.store.usage()?, inner.store.plain_files()?);
    let (mut files, mut quants, mut repos) = (0, 0, HashSet::new());
    inner.read(|txn| {
        files = txn.count::<Files>(&Key::endpoint_files(&inner.endpoint))?;
        txn.scan::<Quants>(&Key::endpoint_quants(&inner.endpoint), |_, quant| {
            quants += u64::from(quant.completed_at_ms.is_some());
            Ok(ControlFlow::Continue(()))
        })?;
        for (repo, _) in references(inner, txn)? {
            repos.insert(repo);
        }
        Ok(())
    })?;
    Ok(CacheStats {
        repos: repos.len() as u64,
        quants,
        files,
        blobs: usage.blobs,
        bytes: usage.bytes,
        partial_bytes: usage.partial_bytes,
        reusable: usage.reusable,
        disk_bytes: usage.disk_bytes,
        plain_files: plain.files,
        plain_bytes: plain.bytes,
        readers: usage.readers,
        views: usage.views,
    })
}

/// Every scanned (repository, revision) of the endpoint.
pub(crate) fn references(inner: &Inner, txn: &ReadTransaction<'_>) -> Result<Vec<(String, String)>> {
    let prefix = Key::endpoint_references(&inner.endpoint);
    let mut out = Vec::new();
    txn.scan::<Refs>(&prefix, |key, _| {
        let name = key.get(prefix.as_bytes().len()..).and_then(|tail| std::str::from_utf8(tail).ok());
        if let Some((repo, revision)) = name.and_then(|name| name.split_once('@')) {
            out.push((repo.to_owned(), revision.to_owned()));
        }
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(out)
}

fn list_manifests(inner: &Inner) -> Result<Vec<Manifest>> {
    inner.store.read_ahead()?;
    let revisions = inner.read(|txn| references(inner, txn))?;
    // One short read transaction each: a large store never pins M for long.
    revisions.iter().filter_map(|(repo, revision)| inner.manifest(repo, revision).transpose()).collect()
}

/// Those that `get_file` would open.
fn list_files(inner: &Inner, repo: &str, revision: &str) -> Result<Vec<FileInfo>> {
    inner.read(|txn| {
        let lookup = Lookup { txn, endpoint: &inner.endpoint };
        let mut paths = BTreeMap::new();
        for scope in lookup.scopes(repo, revision)? {
            collect_files(txn, &scope, &mut paths)?;
        }
        let mut out = Vec::new();
        for (path, role) in paths {
            if let Some((_, file)) = lookup.file(repo, revision, &path)? {
                out.push(FileInfo::stored(&file, &role));
            }
        }
        Ok(out)
    })
}

fn collect_files(
    txn: &ReadTransaction<'_>,
    scope: &RepoScope,
    paths: &mut BTreeMap<String, String>,
) -> Result<()> {
    let manifest = txn.get::<Manifests>(&Key::manifest(scope))?;
    let files = manifest.iter().flat_map(|manifest| &manifest.files);
    let roles: BTreeMap<&str, &str> = files.map(|file| (file.path.as_str(), file.role.as_str())).collect();
    txn.scan::<Files>(&Key::files(scope), |_, file| {
        let role = roles.get(file.path.as_str()).copied().unwrap_or("other");
        paths.entry(file.path).or_insert_with(|| role.to_owned());
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(())
}
