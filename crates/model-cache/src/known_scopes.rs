//! Which commits a revision stands for, remembered for as long as nobody writes: most look-ups of a file would read the same two
//! records again before its own.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use tabagent_storage::{RepoScope, Version};

use crate::error::Result;
use crate::lock::lock;
use crate::lookup::Lookup;

/// Revisions remembered at most; a few hundred bytes each.
const MOST: usize = 1024;

/// What was found in one state of the records.
#[derive(Default)]
struct Known {
    version: Version,
    /// By repository and revision as asked.
    scopes: HashMap<String, Arc<[RepoScope]>>,
}

/// As [`Lookup::scopes`], and at once when it was asked before in the same state of the records.
#[derive(Default)]
pub(crate) struct KnownScopes(Mutex<Known>);

impl KnownScopes {
    pub(crate) fn scopes(
        &self,
        lookup: &Lookup<'_, '_>,
        repo: &str,
        revision: &str,
    ) -> Result<Arc<[RepoScope]>> {
        // No repository has an `@` in its name.
        let (name, version) = ([repo, "@", revision].concat(), lookup.txn.version()?);
        if let Some(scopes) = self.find(&name, version) {
            return Ok(scopes);
        }
        let scopes: Arc<[RepoScope]> = lookup.scopes(repo, revision)?.into();
        self.keep(name, version, &scopes);
        Ok(scopes)
    }

    fn find(&self, name: &str, version: Version) -> Option<Arc<[RepoScope]>> {
        let known = lock(&self.0);
        known.scopes.get(name).filter(|_| known.version == version).cloned()
    }

    fn keep(&self, name: String, version: Version, scopes: &Arc<[RepoScope]>) {
        let mut known = lock(&self.0);
        if known.version != version || known.scopes.len() >= MOST {
            *known = Known { version, scopes: HashMap::new() };
        }
        known.scopes.insert(name, Arc::clone(scopes));
    }
}
