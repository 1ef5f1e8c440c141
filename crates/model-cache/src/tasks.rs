//! What is under way for an open cache; closing it waits for that.

use std::ops::Deref;
use std::path::Path;
use std::sync::Arc;

use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

/// Counts the tasks of a cache.
pub(crate) struct Tasks {
    tracker: TaskTracker,
    cache: Arc<Path>,
}

/// One task of a cache, counted until it is dropped.
pub(crate) struct TaskToken {
    _counted: TaskTrackerToken,
    cache: Arc<Path>,
}

impl Tasks {
    /// For the cache in this folder.
    pub(crate) fn new(cache: &Path) -> Self {
        Self { tracker: TaskTracker::new(), cache: cache.into() }
    }

    /// The cache's folder.
    pub(crate) fn cache(&self) -> Arc<Path> {
        Arc::clone(&self.cache)
    }

    /// Counts one more.
    pub(crate) fn token(&self) -> TaskToken {
        TaskToken { _counted: self.tracker.token(), cache: Arc::clone(&self.cache) }
    }
}

impl Deref for Tasks {
    type Target = TaskTracker;

    fn deref(&self) -> &TaskTracker {
        &self.tracker
    }
}

impl TaskToken {
    /// The cache's folder.
    pub(crate) fn cache(&self) -> Arc<Path> {
        Arc::clone(&self.cache)
    }
}
