//! Manifests as they change.

use std::sync::Arc;

use napi::threadsafe_function::ThreadsafeFunctionCallMode;
use napi_derive::napi;
use tabagent_model_cache::{Watch, WatchOptions};

use crate::cache::NativeCache;
use crate::error::to_napi;
use crate::manifest::NativeManifest;
use crate::progress::Nudge;

/// What one caller watches; see `src/watch.ts`.
#[napi]
pub struct NativeWatch {
    /// `None` once closed.
    watch: Option<Watch>,
}

#[napi]
impl NativeCache {
    /// Begins to watch; `nudge` is called when there is something to take, or nothing will come any more.
    #[napi(catch_unwind, ts_args_type = "repo: string | undefined, nudge: () => void")]
    pub fn watch(&self, repo: Option<String>, nudge: Nudge) -> napi::Result<NativeWatch> {
        let nudge = Arc::new(move || {
            // A full queue holds a nudge already; a closing environment wants none.
            nudge.call((), ThreadsafeFunctionCallMode::NonBlocking);
        });
        let watch = self.cache().watch(WatchOptions { repo, nudge: Some(nudge) }).map_err(to_napi)?;
        Ok(NativeWatch { watch: Some(watch) })
    }
}

#[napi]
impl NativeWatch {
    /// The next manifest, when there is one.
    #[napi(catch_unwind)]
    pub fn take(&self) -> napi::Result<Option<NativeManifest>> {
        let Some(watch) = &self.watch else { return Ok(None) };
        Ok(watch.try_next().map_err(to_napi)?.map(Into::into))
    }

    /// Whether nothing will come any more.
    #[napi(getter, catch_unwind)]
    pub fn is_over(&self) -> bool {
        self.watch.as_ref().is_none_or(Watch::is_over)
    }

    /// Ends it.
    #[napi(catch_unwind)]
    pub fn close(&mut self) {
        self.watch = None;
    }
}
