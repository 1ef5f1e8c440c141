//! Progress of work that one thread does, file by file.

use std::time::Instant;

use crate::progress::{FileProgress, Progress, ProgressCallback, REPORT_INTERVAL, RateMeter};

/// Counts bytes and reports them, at most 20 times a second and once at 100 %.
pub(crate) struct Gauge {
    callback: Option<ProgressCallback>,
    progress: Progress,
    rate: RateMeter,
    reported: Instant,
}

impl Gauge {
    /// For `total` bytes of a repository, or of one of its quants.
    pub(crate) fn start(
        callback: Option<ProgressCallback>,
        repo: &str,
        quant: Option<String>,
        total: u64,
    ) -> Self {
        let progress = Progress {
            repo: repo.to_owned(),
            quant,
            path: None,
            loaded: 0,
            total,
            file_loaded: None,
            file_total: None,
            files: Vec::new(),
            bytes_per_second: 0.0,
            resumed_from: 0,
        };
        Self { callback, progress, rate: RateMeter::start(0), reported: Instant::now() }
    }

    /// The files from now on are of this repository.
    pub(crate) fn enter(&mut self, repo: &str) {
        repo.clone_into(&mut self.progress.repo);
    }

    /// So many bytes of the file are done; what was lost again is not taken back.
    pub(crate) fn reach(&mut self, loaded: u64) {
        let before = self.progress.file_loaded.unwrap_or(0);
        self.advance(loaded.saturating_sub(before));
    }

    /// The next file begins.
    pub(crate) fn begin(&mut self, path: &str, size: u64) {
        self.progress.path = Some(path.to_owned());
        self.progress.file_loaded = Some(0);
        self.progress.file_total = Some(size);
        self.progress.files = vec![FileProgress { path: path.to_owned(), loaded: 0, total: size }];
    }

    /// So many more bytes of the file are done.
    pub(crate) fn advance(&mut self, bytes: u64) {
        self.progress.loaded += bytes;
        self.progress.file_loaded = self.progress.file_loaded.map(|loaded| loaded + bytes);
        for file in &mut self.progress.files {
            file.loaded += bytes;
        }
        // The report at 100 % comes once, when everything is in its place.
        if self.progress.loaded < self.progress.total && self.reported.elapsed() >= REPORT_INTERVAL {
            self.reported = Instant::now();
            self.report();
        }
    }

    /// All is done.
    pub(crate) fn finish(mut self) {
        self.progress.loaded = self.progress.total;
        (self.progress.path, self.progress.file_loaded, self.progress.file_total) = (None, None, None);
        self.progress.files.clear();
        self.report();
    }

    fn report(&mut self) {
        self.progress.bytes_per_second = self.rate.rate(self.progress.loaded);
        if let Some(callback) = &self.callback {
            callback(&self.progress);
        }
    }
}
