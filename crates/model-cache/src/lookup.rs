//! From what a caller names (repository, revision, path) to what is stored.

use tabagent_storage::{
    AliasRecord, Aliases, EndpointId, FileMetadata, Files, Imports, Key, ManifestRecord, Manifests, Quants,
    ReadTransaction, RefRecord, Refs, RepoScope,
};

use crate::error::Result;
use crate::repo_name::is_commit;

/// The scope of a stored listing.
pub(crate) fn scope_of(endpoint: &EndpointId, record: &ManifestRecord) -> RepoScope {
    RepoScope { endpoint: endpoint.clone(), repo: record.repo.clone(), commit: record.commit.clone() }
}

/// Finds things of one endpoint in one consistent view.
pub(crate) struct Lookup<'a, 'db> {
    pub(crate) txn: &'a ReadTransaction<'db>,
    pub(crate) endpoint: &'a EndpointId,
}

impl Lookup<'_, '_> {
    /// The names a repository is stored under, for any spelling or old name seen so far: its id as the API returned it last, then
    /// the name as asked, under which older listings may be.
    pub(crate) fn names(&self, repo: &str) -> Result<Vec<String>> {
        let alias = self.txn.get::<Aliases>(&Key::alias(self.endpoint, repo))?;
        let mut names: Vec<String> = alias.into_iter().map(|AliasRecord { repo }| repo).collect();
        if names.iter().all(|name| name != repo) {
            names.push(repo.to_owned());
        }
        Ok(names)
    }

    /// Commits a revision was seen at, newest first; a full hash is its own.
    pub(crate) fn scopes(&self, repo: &str, revision: &str) -> Result<Vec<RepoScope>> {
        let names = self.names(repo)?;
        let mut scopes = Vec::new();
        for name in &names {
            if let Some(reference) = self.reference(name, revision)? {
                scopes.extend(self.scopes_of(name, reference));
            }
        }
        if scopes.is_empty() && is_commit(revision) {
            let commit = revision.to_ascii_lowercase();
            let scope = |repo| RepoScope { endpoint: self.endpoint.clone(), repo, commit: commit.clone() };
            scopes.extend(names.into_iter().map(scope));
        }
        Ok(scopes)
    }

    pub(crate) fn reference(&self, repo: &str, revision: &str) -> Result<Option<RefRecord>> {
        Ok(self.txn.get::<Refs>(&Key::reference(self.endpoint, repo, revision))?)
    }

    fn scopes_of(&self, repo: &str, reference: RefRecord) -> Vec<RepoScope> {
        let scope = |commit| RepoScope { endpoint: self.endpoint.clone(), repo: repo.to_owned(), commit };
        reference.commits.into_iter().map(|seen| scope(seen.commit)).collect()
    }

    /// The newest stored listing of a revision.
    pub(crate) fn manifest(&self, repo: &str, revision: &str) -> Result<Option<ManifestRecord>> {
        self.manifest_in(&self.scopes(repo, revision)?)
    }

    /// The first stored listing of these commits.
    pub(crate) fn manifest_in(&self, scopes: &[RepoScope]) -> Result<Option<ManifestRecord>> {
        for scope in scopes {
            if let Some(record) = self.txn.get::<Manifests>(&Key::manifest(scope))? {
                return Ok(Some(record));
            }
        }
        Ok(None)
    }

    /// The newest stored listing of a revision, and the `ETag` it came with when the revision was last seen there.
    pub(crate) fn listing(
        &self,
        repo: &str,
        revision: &str,
    ) -> Result<Option<(ManifestRecord, Option<String>)>> {
        let Some(record) = self.manifest(repo, revision)? else { return Ok(None) };
        let reference = self.reference(&record.repo, revision)?;
        let newest = |seen: &RefRecord| seen.commits.first().is_some_and(|seen| seen.commit == record.commit);
        let etag = reference.filter(newest).and_then(|seen| seen.etag);
        Ok(Some((record, etag)))
    }

    /// Whether a listing was made from an import, and no scan has confirmed it.
    pub(crate) fn is_imported(&self, record: &ManifestRecord) -> Result<bool> {
        Ok(self.txn.get::<Imports>(&Key::import(&scope_of(self.endpoint, record)))?.is_some())
    }

    /// A stored file. After a branch moved, its files come from the newest commit at which a quant with that file is complete,
    /// so that files of two commits are never mixed; when none is complete, from the newest commit that has the file.
    pub(crate) fn file(
        &self,
        repo: &str,
        revision: &str,
        path: &str,
    ) -> Result<Option<(RepoScope, FileMetadata)>> {
        self.file_in(&self.scopes(repo, revision)?, path)
    }

    /// A stored file of these commits, newest first.
    pub(crate) fn file_in(
        &self,
        scopes: &[RepoScope],
        path: &str,
    ) -> Result<Option<(RepoScope, FileMetadata)>> {
        let mut found = Vec::new();
        for scope in scopes {
            if let Some(file) = self.txn.get::<Files>(&Key::file(scope, path))? {
                found.push((scope.clone(), file));
            }
        }
        if found.len() > 1
            && let Some(index) = self.first_complete(&found, path)?
        {
            return Ok(Some(found.swap_remove(index)));
        }
        Ok(if found.is_empty() { None } else { Some(found.swap_remove(0)) })
    }

    /// Whether one of these commits has a stored file.
    pub(crate) fn has_file_in(&self, scopes: &[RepoScope], path: &str) -> Result<bool> {
        for scope in scopes {
            if self.txn.contains_valid::<Files>(&Key::file(scope, path))? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn first_complete(&self, found: &[(RepoScope, FileMetadata)], path: &str) -> Result<Option<usize>> {
        for (index, (scope, _)) in found.iter().enumerate() {
            if self.in_complete_quant(scope, path)? {
                return Ok(Some(index));
            }
        }
        Ok(None)
    }

    fn in_complete_quant(&self, scope: &RepoScope, path: &str) -> Result<bool> {
        let Some(record) = self.txn.get::<Manifests>(&Key::manifest(scope))? else { return Ok(false) };
        for name in quants_with(&record, path) {
            let history = self.txn.get::<Quants>(&Key::quant(scope, name))?;
            if history.is_some_and(|history| history.completed_at_ms.is_some()) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Names of the quants that need `path`.
pub(crate) fn quants_with<'a>(record: &'a ManifestRecord, path: &str) -> impl Iterator<Item = &'a str> {
    let index = record.files.iter().position(|file| file.path == path).and_then(|i| u32::try_from(i).ok());
    let quants = record.quants.iter();
    quants
        .filter(move |quant| index.is_some_and(|i| quant.files.contains(&i)))
        .map(|quant| quant.name.as_str())
}
