//! The files of one call, brought all at once, with progress.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use tabagent_storage::{Files, Key, ManifestFile, ManifestRecord, RepoScope};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

use crate::error::Result;
use crate::evict::{Claim, Wish, make_room};
use crate::history::History;
use crate::inner::Inner;
use crate::lookup::scope_of;
use crate::meter::{Meter, Slot};
use crate::options::DownloadOptions;
use crate::progress::{Progress, REPORT_INTERVAL};
use crate::runtime::blocking;
use crate::status::FileState;

/// Most small files of one call under way at once: twice the usual number of connections, as each is stored for about as long as
/// it is fetched. The connections are shared by all calls.
const FILES_AT_ONCE: usize = 16;

/// From this size on (8 MiB) a file counts as many: a few large ones at once use all connections, and are complete sooner.
const LARGE: u64 = 8 << 20;

/// How many small files a large one counts as.
const TURNS_OF_LARGE: u32 = 4;

/// The files of one call.
pub(crate) struct Batch {
    pub(crate) inner: Arc<Inner>,
    pub(crate) record: Arc<ManifestRecord>,
    pub(crate) scope: RepoScope,
    quant: Option<String>,
    /// Where the files stand in the listing. Small files first: they are many and soon done.
    pub(crate) places: Vec<u32>,
    pub(crate) files: Vec<ManifestFile>,
    pub(crate) states: Vec<FileState>,
    pub(crate) options: DownloadOptions,
}

impl Batch {
    /// The files at these places of the listing, as they are now. Disk work: there may be many.
    pub(crate) async fn open(
        inner: &Arc<Inner>,
        record: &Arc<ManifestRecord>,
        quant: Option<String>,
        places: Vec<u32>,
        options: &DownloadOptions,
    ) -> Result<Arc<Self>> {
        let (holder, record, options) = (Arc::clone(inner), Arc::clone(record), options.clone());
        blocking(inner.tasks.token(), move || {
            Self::new(&holder, &record, quant, places, &options).map(Arc::new)
        })
        .await
    }

    fn new(
        inner: &Arc<Inner>,
        record: &Arc<ManifestRecord>,
        quant: Option<String>,
        mut places: Vec<u32>,
        options: &DownloadOptions,
    ) -> Result<Self> {
        let scope = scope_of(&inner.endpoint, record);
        places.sort_by_key(|place| record.files.get(*place as usize).map(|file| file.size));
        let files: Vec<ManifestFile> =
            places.iter().filter_map(|place| record.files.get(*place as usize)).cloned().collect();
        let probe = inner.probe()?;
        let states = inner.read(|txn| {
            files.iter().map(|file| probe.file_state(txn, &scope, file)).collect::<Result<_>>()
        })?;
        Ok(Self {
            inner: Arc::clone(inner),
            record: Arc::clone(record),
            scope,
            quant,
            places,
            files,
            states,
            options: options.clone(),
        })
    }

    pub(crate) fn is_stored(&self) -> bool {
        self.states.iter().all(|state| state.stored)
    }

    pub(crate) fn total(&self) -> u64 {
        self.files.iter().map(|file| file.size).fold(0, u64::saturating_add)
    }

    fn loaded_before(&self) -> u64 {
        self.states.iter().map(|state| state.downloaded).fold(0, u64::saturating_add)
    }

    /// Changes what is remembered of the commit's quants.
    pub(crate) async fn remember<T: Send + 'static>(
        self: &Arc<Self>,
        change: impl FnOnce(&History<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let batch = Arc::clone(self);
        blocking(self.inner.tasks.token(), move || {
            // In the order that the files of a quant have.
            let mut listed = batch.places.clone();
            listed.sort_unstable();
            change(&History {
                store: &batch.inner.store,
                record: &batch.record,
                scope: &batch.scope,
                keep: (batch.quant.is_some() && batch.options.keep).then_some(&listed),
            })
        })
        .await
    }

    /// Notes that its files are used, those that were stored before, too: who downloads is about to open them.
    pub(crate) async fn note_use(self: &Arc<Self>) -> Result<()> {
        let batch = Arc::clone(self);
        blocking(self.inner.tasks.token(), move || {
            let mut names = Vec::new();
            batch.inner.read(|txn| {
                for file in &batch.files {
                    let stored = txn.get::<Files>(&Key::file(&batch.scope, &file.path))?;
                    names.extend(stored.map(|stored| stored.blob_name()));
                }
                Ok(())
            })?;
            Ok(batch.inner.store.note_uses(&names)?)
        })
        .await
    }

    /// Brings all missing files; the first failure ends the others, keeping what came.
    pub(crate) async fn run(&self) -> Result<()> {
        let _wish = self.check_room().await?;
        let mut meter = Meter::new(self);
        let mut tasks = self.start(&meter);
        let mut tick = tokio::time::interval(REPORT_INTERVAL);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                done = tasks.join_next() => match done {
                    None => break,
                    Some(Ok(outcome)) => outcome?,
                    Some(Err(error)) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
                    Some(Err(_)) => return Err(self.inner.closed()),
                },
                _ = tick.tick() => meter.report(self),
            }
        }
        self.report_all();
        Ok(())
    }

    /// One task per missing file, a few at a time.
    fn start(&self, meter: &Meter) -> JoinSet<Result<()>> {
        let mut tasks = JoinSet::new();
        let gate = Arc::new(Semaphore::new(FILES_AT_ONCE));
        let missing = self.states.iter().enumerate().filter(|(_, state)| !state.stored);
        for (index, file) in missing.filter_map(|(index, _)| Some((index, self.files.get(index)?))) {
            let (gate, slot) = (Arc::clone(&gate), meter.slot(index));
            let (inner, scope, file) = (Arc::clone(&self.inner), self.scope.clone(), file.clone());
            let here = self.states.get(index).map_or(0, |state| state.downloaded);
            let turns = if file.size < LARGE { 1 } else { TURNS_OF_LARGE };
            tasks.spawn(self.inner.tasks.track_future(async move {
                let _turns = gate.acquire_many_owned(turns).await;
                bring(&inner, &scope, &file, here, &slot).await
            }));
        }
        tasks
    }

    /// Room for everything that is missing, before the first byte.
    async fn check_room(&self) -> Result<Option<Wish>> {
        let needed = self.total().saturating_sub(self.loaded_before());
        let (inner, scope) = (Arc::clone(&self.inner), self.scope.clone());
        let (places, files) = (self.places.clone(), self.files.clone());
        blocking(self.inner.tasks.token(), move || {
            // Without the network nothing comes that could need the room.
            let limit = inner.options.max_size.filter(|_| !inner.options.offline);
            let claim = Claim { scope: &scope, places: &places, files: &files };
            let wish = limit.map(|limit| make_room(&inner, limit, needed, &claim)).transpose()?;
            inner.store.check_room(needed)?;
            Ok(wish)
        })
        .await
    }

    /// The report at 100 %.
    pub(crate) fn report_all(&self) {
        let Some(callback) = &self.options.progress else { return };
        callback(&Progress { loaded: self.total(), ..self.progress(0, 0.0) });
    }

    pub(crate) fn progress(&self, loaded: u64, bytes_per_second: f64) -> Progress {
        Progress {
            repo: self.record.repo.clone(),
            quant: self.quant.clone(),
            path: None,
            loaded,
            total: self.total(),
            file_loaded: None,
            file_total: None,
            files: Vec::new(),
            bytes_per_second,
            resumed_from: self.loaded_before(),
        }
    }
}

/// Brings one file, `here` bytes of which are stored already.
async fn bring(
    inner: &Arc<Inner>,
    scope: &RepoScope,
    file: &ManifestFile,
    here: u64,
    slot: &Slot,
) -> Result<()> {
    loop {
        let flight = inner.flights.join(inner, scope, file, here)?;
        slot.set(&flight);
        flight.wait().await?;
        // A flight of another path, commit or repository brought the same bytes and published them there only. Each turn
        // publishes one of those who wait.
        if flight.publishes(scope, &file.path)
            || inner.read(|txn| Ok(txn.get::<Files>(&Key::file(scope, &file.path))?.is_some()))?
        {
            return Ok(());
        }
    }
}
