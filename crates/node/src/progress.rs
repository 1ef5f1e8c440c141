//! The newest progress of a call, and the nudge that tells JavaScript to fetch it.

use std::sync::{Arc, Mutex, PoisonError};

use napi::Status;
use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode};
use napi_derive::napi;
use tabagent_model_cache::{FileProgress, Progress, ProgressCallback};

use crate::options::to_js;

/// A JavaScript function to be called without arguments from any thread. Weak: it holds no process open. With room for
/// one call in its queue: the numbers are fetched when it runs, so a second nudge would say nothing more.
pub(crate) type Nudge = ThreadsafeFunction<(), (), (), Status, false, true, 1>;

/// The newest report that JavaScript has not seen.
#[derive(Clone, Default)]
pub(crate) struct Latest(Arc<Mutex<Option<NativeProgress>>>);

impl Latest {
    /// Keeps each report of the core and nudges.
    pub(crate) fn callback(&self, nudge: Nudge) -> ProgressCallback {
        let latest = self.clone();
        Arc::new(move |progress: &Progress| {
            latest.replace(Some(progress.into()));
            // A full queue holds a nudge already; a closing environment wants none.
            nudge.call((), ThreadsafeFunctionCallMode::NonBlocking);
        })
    }

    /// The report, once.
    pub(crate) fn take(&self) -> Option<NativeProgress> {
        self.replace(None)
    }

    fn replace(&self, progress: Option<NativeProgress>) -> Option<NativeProgress> {
        std::mem::replace(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner), progress)
    }
}

/// See `Progress` in `src/progress.ts`.
#[napi(object, object_from_js = false)]
pub struct NativeProgress {
    /// Repository that is downloaded.
    pub repo: String,
    /// Quant that is downloaded.
    pub quant: Option<String>,
    /// The file now moving.
    pub path: Option<String>,
    /// Bytes of the whole call that are stored.
    pub loaded: f64,
    /// Bytes of the whole call.
    pub total: f64,
    /// Bytes of `path` that are stored.
    pub file_loaded: Option<f64>,
    /// Size of `path`.
    pub file_total: Option<f64>,
    /// All files under way.
    pub files: Vec<NativeFileProgress>,
    /// Speed of the last seconds.
    pub bytes_per_second: f64,
    /// Bytes that were stored when the call began.
    pub resumed_from: f64,
}

/// See `FileProgress` in `src/progress.ts`.
#[napi(object, object_from_js = false)]
pub struct NativeFileProgress {
    /// Path within the repository.
    pub path: String,
    /// Bytes that are stored.
    pub loaded: f64,
    /// Size of the file.
    pub total: f64,
}

impl From<&Progress> for NativeProgress {
    fn from(progress: &Progress) -> Self {
        Self {
            repo: progress.repo.clone(),
            quant: progress.quant.clone(),
            path: progress.path.clone(),
            loaded: to_js(progress.loaded),
            total: to_js(progress.total),
            file_loaded: progress.file_loaded.map(to_js),
            file_total: progress.file_total.map(to_js),
            files: progress.files.iter().map(Into::into).collect(),
            bytes_per_second: progress.bytes_per_second,
            resumed_from: to_js(progress.resumed_from),
        }
    }
}

impl From<&FileProgress> for NativeFileProgress {
    fn from(file: &FileProgress) -> Self {
        Self { path: file.path.clone(), loaded: to_js(file.loaded), total: to_js(file.total) }
    }
}
