//! One check of many blobs: what it found, how far it is, and its end when nobody waits for it any more.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use tabagent_storage::{BlobName, CheckWatch, Verdict};
use tokio::time::MissedTickBehavior;

use crate::error::Result;
use crate::inner::Inner;
use crate::progress::{FileProgress, Progress, ProgressCallback, REPORT_INTERVAL, RateMeter};
use crate::runtime::blocking;
use crate::stored_file::StoredFiles;

/// Compares all bytes of the files; the verdicts are in the order of their blobs.
pub(crate) async fn check(
    inner: &Arc<Inner>,
    files: &Arc<StoredFiles>,
    progress: Option<&ProgressCallback>,
) -> Result<Vec<Verdict>> {
    let watch = Arc::new(Watch::new(files));
    let _stop = Stop(Arc::clone(&watch));
    let names: Vec<BlobName> = files.blobs.iter().map(|blob| blob.name).collect();
    let (store, watching) = (Arc::clone(&inner.store), Arc::clone(&watch));
    let work = blocking(inner.tasks.token(), move || Ok(store.check_blobs(&names, &*watching)?));
    tokio::pin!(work);
    let mut tick = tokio::time::interval(REPORT_INTERVAL);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut rate = RateMeter::start(0);
    loop {
        tokio::select! {
            verdicts = &mut work => {
                // Only `Stop` ends a check early, and then nobody is here to look at what is missing.
                return Ok(verdicts?.into_iter().map(|verdict| verdict.unwrap_or(Verdict::Absent)).collect());
            }
            _ = tick.tick() => {
                if let Some((callback, progress)) = progress.zip(watch.progress(files, &mut rate)) {
                    callback(&progress);
                }
            }
        }
    }
}

/// The report at 100 %.
pub(crate) fn all_checked(files: &StoredFiles, repo: Option<&str>) -> Progress {
    let last = files.files.last().map(|file| file.scope.repo.clone());
    Progress {
        repo: last.or_else(|| repo.map(str::to_owned)).unwrap_or_default(),
        quant: None,
        path: None,
        loaded: files.bytes(),
        total: files.bytes(),
        file_loaded: None,
        file_total: None,
        files: Vec::new(),
        bytes_per_second: 0.0,
        resumed_from: 0,
    }
}

/// What the threads of a check tell.
struct Watch {
    stopped: AtomicBool,
    /// Bytes compared, of all blobs and of each.
    loaded: AtomicU64,
    blobs: Vec<AtomicU64>,
    /// The blob that was compared last.
    moving: AtomicUsize,
}

impl Watch {
    fn new(files: &StoredFiles) -> Self {
        Self {
            stopped: AtomicBool::new(false),
            loaded: AtomicU64::new(0),
            blobs: files.blobs.iter().map(|_| AtomicU64::new(0)).collect(),
            moving: AtomicUsize::new(0),
        }
    }

    /// The state now; `None` before anything moved and once all is compared: the last report comes with the end of the call.
    fn progress(&self, files: &StoredFiles, rate: &mut RateMeter) -> Option<Progress> {
        let loaded = self.loaded.load(Ordering::Relaxed);
        let all = all_checked(files, None);
        if loaded == 0 || loaded >= all.total {
            return None;
        }
        let index = self.moving.load(Ordering::Relaxed);
        let blob = files.blobs.get(index)?;
        let file = files.files_of(blob).next()?;
        let file_loaded = self.blobs.get(index)?.load(Ordering::Relaxed).min(blob.size);
        let path = file.file.path.clone();
        Some(Progress {
            repo: file.scope.repo.clone(),
            path: Some(path.clone()),
            loaded,
            file_loaded: Some(file_loaded),
            file_total: Some(blob.size),
            files: vec![FileProgress { path, loaded: file_loaded, total: blob.size }],
            bytes_per_second: rate.rate(loaded),
            ..all
        })
    }
}

impl CheckWatch for Watch {
    fn checked(&self, index: usize, bytes: u64) -> bool {
        self.loaded.fetch_add(bytes, Ordering::Relaxed);
        if let Some(blob) = self.blobs.get(index) {
            blob.fetch_add(bytes, Ordering::Relaxed);
        }
        self.moving.store(index, Ordering::Relaxed);
        !self.stopped.load(Ordering::Relaxed)
    }
}

/// Ends the check when its caller is gone.
struct Stop(Arc<Watch>);

impl Drop for Stop {
    fn drop(&mut self) {
        self.0.stopped.store(true, Ordering::Relaxed);
    }
}
