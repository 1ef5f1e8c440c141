//! Manifests as they change, whichever process changes them.
//!
//! One task per cache looks five times a second while somebody watches: at a counter of M and into the folder of lock files. Only
//! when one of the two has moved is anything read, and of that only what is concerned.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use crate::cache::ModelCache;
use crate::error::{Error, Result};
use crate::inner::Inner;
use crate::lock::lock;
use crate::manifest::Manifest;
use crate::overview::{Overview, Pulse, Wanted};
use crate::repo_name::check_repo;
use crate::runtime::blocking;

/// Time between two looks, at least ...
const INTERVAL: Duration = Duration::from_millis(200);

/// ... and this many times as long as the last look took: listings of a million files take their time.
const REST: u32 = 4;

/// Called, from any thread, whenever a watch has news.
pub type Nudge = Arc<dyn Fn() + Send + Sync>;

/// Options of [`crate::ModelCache::watch`].
#[derive(Clone, Default)]
pub struct WatchOptions {
    /// Only this repository. Default: all.
    pub repo: Option<String>,
    /// For callers that do not await: called when there is something to take, when the present state was looked at (there may be
    /// none), and when the watch is over.
    pub nudge: Option<Nudge>,
}

/// The manifests its owner has not taken yet: first the present ones, then the newest of each repository and revision that
/// changed. Dropping it ends it.
pub struct Watch {
    viewer: Arc<Viewer>,
}

impl Watch {
    /// The next manifest, when there is one.
    ///
    /// # Errors
    /// Once, what ended the watch when that was a failure: `ERR_CORRUPT`, `ERR_IO`.
    pub fn try_next(&self) -> Result<Option<Manifest>> {
        self.viewer.take()
    }

    /// Waits for the next manifest; `None` when the watch or the cache was closed.
    ///
    /// # Errors
    /// As [`Watch::try_next`].
    pub async fn next(&self) -> Result<Option<Manifest>> {
        loop {
            let news = self.viewer.news.notified();
            let next = self.try_next()?;
            if next.is_some() || self.is_over() {
                return Ok(next);
            }
            news.await;
        }
    }

    /// Ends it for all who have it, those who wait for a manifest too.
    pub fn close(&self) {
        self.viewer.end(None);
    }

    /// Whether nothing will come any more.
    #[must_use]
    pub fn is_over(&self) -> bool {
        let queue = lock(&self.viewer.queue);
        queue.over && queue.manifests.is_empty() && queue.failure.is_none()
    }
}

impl std::fmt::Debug for Watch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watch").field("repo", &self.viewer.options.repo).finish_non_exhaustive()
    }
}

impl ModelCache {
    /// Watches manifests: first the present one of every scanned revision, then each that changed, whichever process changed it.
    /// A change is seen within about 0.2 s; changes nobody has taken yet are shown as one, with the newest state. What is removed is
    /// shown once more, with nothing stored.
    ///
    /// # Errors
    /// `ERR_INVALID_ARGUMENT`, `ERR_CLOSED`, `ERR_IO`.
    pub fn watch(&self, options: WatchOptions) -> Result<Watch> {
        watch(&self.inner()?, options)
    }
}

#[derive(Default)]
struct Queue {
    /// Oldest change first, no repository and revision twice.
    manifests: VecDeque<Manifest>,
    failure: Option<Arc<Error>>,
    over: bool,
}

impl Queue {
    fn put(&mut self, manifest: &Manifest) {
        let same = |old: &&mut Manifest| old.repo == manifest.repo && old.revision == manifest.revision;
        match self.manifests.iter_mut().find(same) {
            Some(old) => old.clone_from(manifest),
            None => self.manifests.push_back(manifest.clone()),
        }
    }
}

/// Whoever watches.
struct Viewer {
    options: WatchOptions,
    /// Whether it has been shown the present state.
    shown: AtomicBool,
    queue: Mutex<Queue>,
    news: Notify,
}

impl Viewer {
    fn take(&self) -> Result<Option<Manifest>> {
        let mut queue = lock(&self.queue);
        match (queue.manifests.pop_front(), queue.failure.is_some()) {
            (None, true) => queue.failure.take().map_or(Ok(None), |error| Err(Error::Shared(error))),
            (next, _) => Ok(next),
        }
    }

    fn show<'a>(&self, manifests: impl Iterator<Item = &'a Manifest>) {
        let mut any = false;
        {
            let mut queue = lock(&self.queue);
            if queue.over {
                return;
            }
            for manifest in manifests {
                queue.put(manifest);
                any = true;
            }
        }
        if any {
            self.news.notify_one();
            self.nudge();
        }
    }

    fn end(&self, failure: Option<Arc<Error>>) {
        let mut queue = lock(&self.queue);
        *queue = Queue { manifests: VecDeque::new(), failure, over: true };
        drop(queue);
        self.news.notify_waiters();
        self.nudge();
    }

    fn nudge(&self) {
        if let Some(nudge) = &self.options.nudge {
            nudge();
        }
    }
}

/// All who watch a cache.
#[derive(Default)]
pub(crate) struct Viewers {
    state: Mutex<State>,
    /// Somebody new wants to see the present state.
    arrived: Notify,
}

#[derive(Default)]
struct State {
    viewers: Vec<Weak<Viewer>>,
    /// Whether the task that looks is there.
    looking: bool,
}

impl Viewers {
    /// Those who are still there; nobody looks any more when there are none.
    fn present(&self) -> Vec<Arc<Viewer>> {
        let mut state = lock(&self.state);
        state.viewers.retain(|viewer| viewer.strong_count() > 0);
        let present: Vec<_> = state.viewers.iter().filter_map(Weak::upgrade).collect();
        state.looking = !present.is_empty();
        present
    }

    /// Nothing will be shown to anybody any more.
    fn end(&self, failure: Option<&Arc<Error>>) {
        let viewers = {
            let mut state = lock(&self.state);
            state.looking = false;
            std::mem::take(&mut state.viewers)
        };
        for viewer in viewers.iter().filter_map(Weak::upgrade) {
            viewer.end(failure.cloned());
        }
    }
}

/// Begins to watch.
fn watch(inner: &Arc<Inner>, options: WatchOptions) -> Result<Watch> {
    options.repo.as_deref().map_or(Ok(()), check_repo)?;
    let viewer = Arc::new(Viewer {
        options,
        shown: AtomicBool::new(false),
        queue: Mutex::default(),
        news: Notify::new(),
    });
    let mut state = lock(&inner.viewers.state);
    state.viewers.push(Arc::downgrade(&viewer));
    if !state.looking {
        inner.spawn(run(Arc::clone(inner)))?;
        state.looking = true;
    }
    drop(state);
    inner.viewers.arrived.notify_one();
    Ok(Watch { viewer })
}

/// Looks until nobody watches, or the cache is closed.
async fn run(inner: Arc<Inner>) {
    let mut overview = Overview::default();
    while !inner.closing.is_cancelled() {
        let viewers = inner.viewers.present();
        if viewers.is_empty() {
            return;
        }
        let (holder, began) = (Arc::clone(&inner), Instant::now());
        let looked = blocking(inner.tasks.token(), move || {
            look(&holder, &mut overview, &viewers)?;
            Ok(overview)
        });
        match looked.await {
            Ok(looked) => overview = looked,
            Err(error) => return inner.viewers.end(Some(&Arc::new(error))),
        }
        tokio::select! {
            () = inner.closing.cancelled() => {}
            () = inner.viewers.arrived.notified() => {}
            () = tokio::time::sleep(INTERVAL.max(began.elapsed() * REST)) => {}
        }
    }
    inner.viewers.end(None);
}

/// Shows everybody what is new to them.
fn look(inner: &Inner, overview: &mut Overview, viewers: &[Arc<Viewer>]) -> Result<()> {
    let pulse = Pulse::feel(inner)?;
    if overview.is_current(&pulse) && viewers.iter().all(|viewer| viewer.shown.load(Ordering::Relaxed)) {
        return Ok(());
    }
    let wanted = viewers.iter().map(|viewer| Wanted::new(inner, viewer.options.repo.as_deref()));
    let wanted = wanted.collect::<Result<Vec<_>>>()?;
    let changed = overview.look(inner, pulse, &wanted)?;
    for (viewer, wanted) in viewers.iter().zip(&wanted) {
        if viewer.shown.swap(true, Ordering::Relaxed) {
            viewer.show(changed.iter().filter(|manifest| wanted.has(&manifest.repo)));
        } else {
            viewer.show(overview.all().filter(|manifest| wanted.has(&manifest.repo)));
            // Also where nothing is there yet: who waits for the present state knows now.
            viewer.nudge();
        }
    }
    Ok(())
}
