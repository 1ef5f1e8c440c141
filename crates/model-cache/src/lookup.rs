//! From what a caller names (repository, revision, path) to what is stored.

use tabagent_storage::{
    AliasRecord, Aliases, EndpointId, FileMetadata, Files, Key, ManifestRecord, Manifests, Quants,
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
    /// The repository's id as the API returned it, for any spelling or old name seen so far.
    pub(crate) fn canonical(&self, repo: &str) -> Result<String> {
        let alias = self.txn.get::<Aliases>(&Key::alias(self.endpoint, repo))?;
        Ok(alias.map_or_else(|| repo.to_owned(), |AliasRecord { repo }| repo))
    }

    /// Commits a revision was seen at, newest first; a full hash is its own.
    pub(crate) fn scopes(&self, repo: &str, revision: &str) -> Result<Vec<RepoScope>> {
        if let Some(reference) = self.reference(repo, revision)? {
            return Ok(self.scopes_of(repo, reference));
        }
        let canonical = self.canonical(repo)?;
        if is_commit(revision) {
            let commit = revision.to_ascii_lowercase();
            return Ok(vec![RepoScope { endpoint: self.endpoint.clone(), repo: canonical, commit }]);
        }
        let reference = if canonical == repo { None } else { self.reference(&canonical, revision)? };
        Ok(reference.map_or_else(Vec::new, |reference| self.scopes_of(&canonical, reference)))
    }

    fn reference(&self, repo: &str, revision: &str) -> Result<Option<RefRecord>> {
        Ok(self.txn.get::<Refs>(&Key::reference(self.endpoint, repo, revision))?)
    }

    fn scopes_of(&self, repo: &str, reference: RefRecord) -> Vec<RepoScope> {
        let scope = |commit| RepoScope { endpoint: self.endpoint.clone(), repo: repo.to_owned(), commit };
        reference.commits.into_iter().map(|seen| scope(seen.commit)).collect()
    }

    /// The newest stored listing of a revision.
    pub(crate) fn manifest(&self, repo: &str, revision: &str) -> Result<Option<ManifestRecord>> {
        for scope in self.scopes(repo, revision)? {
            if let Some(record) = self.txn.get::<Manifests>(&Key::manifest(&scope))? {
                return Ok(Some(record));
            }
        }
        Ok(None)
    }

    /// A stored file. After a branch moved, its files come from the newest commit at which a quant with that file is complete,
    /// so that files of two commits are never mixed; when none is complete, from the newest commit that has the file.
    pub(crate) fn file(
        &self,
        repo: &str,
        revision: &str,
        path: &str,
    ) -> Result<Option<(RepoScope, FileMetadata)>> {
        let mut found = Vec::new();
        for scope in self.scopes(repo, revision)? {
            if let Some(file) = self.txn.get::<Files>(&Key::file(&scope, path))? {
                found.push((scope, file));
            }
        }
        if found.len() > 1
            && let Some(index) = self.first_complete(&found, path)?
        {
            return Ok(Some(found.swap_remove(index)));
        }
        Ok(if found.is_empty() { None } else { Some(found.swap_remove(0)) })
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
