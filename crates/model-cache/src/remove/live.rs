//! Downloads that take for granted what is to go.

use tabagent_storage::{Key, ManifestQuant, Manifests, RepoScope, WriteTransaction};

use super::Removal;
use crate::error::Error;
use crate::status::Probe;

impl Removal<'_> {
    /// A quant under download that needs what goes. In the transaction that forgets: a download announces itself, then notes in a
    /// transaction that it begins, and only then looks at what is stored.
    pub(super) fn live_quant(&self, txn: &WriteTransaction<'_>) -> tabagent_storage::Result<Option<String>> {
        let activity = self.inner.store.activity()?;
        if !activity.announces_any() {
            return Ok(None);
        }
        let Some(record) = txn.get::<Manifests>(&Key::manifest(&self.scope))? else { return Ok(None) };
        let probe = Probe::with(activity, &self.scope.endpoint);
        let goes = |place: &u32| {
            record.files.get(*place as usize).is_some_and(|file| self.paths.contains(&file.path))
        };
        let needs =
            |quant: &&ManifestQuant| self.quants.contains(&quant.name) || quant.files.iter().any(goes);
        let mut live = record.quants.iter().filter(needs);
        let live = live.find(|quant| probe.is_downloading(&self.scope, &quant.name));
        Ok(live.map(|quant| quant.name.clone()))
    }
}

/// What a removal says of such a quant.
pub(super) fn refused(scope: &RepoScope, quant: &str) -> Error {
    Error::InUse {
        repo: scope.repo.clone(),
        what: format!("quant {quant}"),
        reason: "a process is downloading it; stop that download first".to_owned(),
    }
}
