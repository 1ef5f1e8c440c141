//! Downloading a quant or a file: what is missing, all at once, with progress.

use std::collections::HashSet;
use std::sync::Arc;

use tabagent_storage::{
    Files, Key, ManifestFile, ManifestRecord, QuantFault, QuantRecord, Quants, RepoScope, Store,
};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::cache::Inner;
use crate::clock::now_ms;
use crate::error::{Error, Result};
use crate::file::FileInfo;
use crate::flight::Flight;
use crate::lookup::{quants_with, scope_of};
use crate::manifest::Manifest;
use crate::options::DownloadOptions;
use crate::progress::{Progress, REPORT_INTERVAL, RateMeter};
use crate::repo_name::{MAIN, check_path};
use crate::runtime::blocking;
use crate::scan::listing;
use crate::status::{FileState, Probe, presence};

/// Most files of one call under way at once; the connections are shared by all calls.
const FILES_AT_ONCE: usize = 16;

/// Downloads a quant.
pub(crate) async fn quant(
    inner: Arc<Inner>,
    repo: String,
    quant: String,
    options: DownloadOptions,
) -> Result<Manifest> {
    let record = Arc::new(listing(&inner, &repo, options.revision.as_deref()).await?);
    let (name, indices) = find_quant(&record, &quant)?;
    let batch = Batch::new(&inner, &record, Some(name.clone()), indices, &options)?;
    if batch.is_stored() {
        batch.report_all();
    } else {
        let lock_name = presence(&batch.scope, &name);
        let holder = Arc::clone(&inner);
        let _presence = blocking(move || Ok(holder.store.hold_presence(&lock_name)?)).await?;
        note(&batch, &name, options.keep, None).await?;
        if let Err(error) = batch.run().await {
            note(&batch, &name, options.keep, fault_of(&error)).await?;
            return Err(error);
        }
    }
    complete(&batch, options.keep).await?;
    let revision = options.revision.unwrap_or_else(|| MAIN.to_owned());
    blocking(move || {
        let probe = Probe { store: &inner.store, endpoint: &inner.endpoint };
        inner.read(|txn| Manifest::assemble(&probe, txn, &record, &revision))
    })
    .await
}

/// Downloads a file.
pub(crate) async fn file(
    inner: Arc<Inner>,
    repo: String,
    path: String,
    options: DownloadOptions,
) -> Result<FileInfo> {
    check_path(&path)?;
    let record = Arc::new(listing(&inner, &repo, options.revision.as_deref()).await?);
    let index = record.files.iter().position(|file| file.path == path).ok_or_else(|| {
        Error::FileNotFound { repo: record.repo.clone(), commit: record.commit.clone(), path: path.clone() }
    })?;
    let batch = Batch::new(&inner, &record, None, vec![index], &options)?;
    if batch.is_stored() {
        batch.report_all();
    } else {
        batch.run().await?;
        complete(&batch, false).await?;
    }
    let file = record.files.get(index).ok_or(Error::Closed { path })?;
    FileInfo::listed(file, true)
}

fn find_quant(record: &ManifestRecord, asked: &str) -> Result<(String, Vec<usize>)> {
    let found = record.quants.iter().find(|quant| quant.name.eq_ignore_ascii_case(asked));
    let found = found.ok_or_else(|| Error::QuantNotFound {
        repo: record.repo.clone(),
        commit: record.commit.clone(),
        quant: asked.to_owned(),
        available: record.quants.iter().map(|quant| quant.name.clone()).collect(),
    })?;
    Ok((found.name.clone(), found.files.iter().map(|index| *index as usize).collect()))
}

/// What is remembered of a failure. A closed cache or a busy lease is no property of the quant.
fn fault_of(error: &Error) -> Option<QuantFault> {
    let code = error.code();
    let transient = matches!(code, "ERR_CLOSED" | "ERR_OFFLINE" | "ERR_IN_USE" | "ERR_READ_ONLY");
    (!transient).then(|| QuantFault { code: code.to_owned(), message: error.to_string() })
}

/// Updates the history of a quant whose download begins or failed.
async fn note(batch: &Batch, quant: &str, keep: bool, fault: Option<QuantFault>) -> Result<()> {
    let (inner, key, name) = (Arc::clone(&batch.inner), Key::quant(&batch.scope, quant), quant.to_owned());
    blocking(move || {
        inner.store.write(|txn| {
            let old = txn.get::<Quants>(&key)?;
            let record = QuantRecord {
                name,
                updated_at_ms: now_ms(),
                completed_at_ms: old.as_ref().and_then(|old| old.completed_at_ms),
                keep: keep || old.is_some_and(|old| old.keep),
                fault,
            };
            txn.put::<Quants>(&key, &record)
        })?;
        Ok(())
    })
    .await
}

/// Notes every quant that the batch's files have completed. Writes nothing when all were complete before.
async fn complete(batch: &Batch, keep: bool) -> Result<()> {
    let (inner, record, scope) = (Arc::clone(&batch.inner), Arc::clone(&batch.record), batch.scope.clone());
    let paths: Vec<String> = batch.files.iter().map(|file| file.path.clone()).collect();
    blocking(move || note_complete(&inner.store, &record, &scope, &paths, keep)).await
}

fn note_complete(
    store: &Store,
    record: &ManifestRecord,
    scope: &RepoScope,
    paths: &[String],
    keep: bool,
) -> Result<()> {
    if store.is_read_only() {
        return Ok(());
    }
    let touched: HashSet<&str> = paths.iter().flat_map(|path| quants_with(record, path)).collect();
    let stale = |txn: &tabagent_storage::ReadTransaction<'_>, name: &str| {
        let old = txn.get::<Quants>(&Key::quant(scope, name))?;
        let noted = old
            .is_some_and(|old| old.completed_at_ms.is_some() && old.fault.is_none() && (old.keep || !keep));
        Ok::<_, tabagent_storage::StorageError>(!noted && is_complete(txn, record, scope, name)?)
    };
    let names: Vec<&str> = store.read(|txn| {
        let mut out = Vec::new();
        for name in touched {
            if stale(txn, name)? {
                out.push(name);
            }
        }
        Ok(out)
    })?;
    if names.is_empty() {
        return Ok(());
    }
    store.write(|txn| {
        for name in &names {
            let key = Key::quant(scope, name);
            let old = txn.get::<Quants>(&key)?;
            let record = QuantRecord {
                name: (*name).to_owned(),
                updated_at_ms: now_ms(),
                completed_at_ms: Some(now_ms()),
                keep: keep || old.is_some_and(|old| old.keep),
                fault: None,
            };
            txn.put::<Quants>(&key, &record)?;
        }
        Ok(())
    })?;
    Ok(())
}

fn is_complete(
    txn: &tabagent_storage::ReadTransaction<'_>,
    record: &ManifestRecord,
    scope: &RepoScope,
    quant: &str,
) -> tabagent_storage::Result<bool> {
    let quant = record.quants.iter().find(|q| q.name == quant);
    for index in quant.into_iter().flat_map(|quant| &quant.files) {
        let Some(file) = record.files.get(*index as usize) else { continue };
        if txn.get::<Files>(&Key::file(scope, &file.path))?.is_none() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The files of one call.
struct Batch {
    inner: Arc<Inner>,
    record: Arc<ManifestRecord>,
    scope: RepoScope,
    quant: Option<String>,
    /// Small files first: they are many and soon done.
    files: Vec<ManifestFile>,
    states: Vec<FileState>,
    options: DownloadOptions,
}

impl Batch {
    fn new(
        inner: &Arc<Inner>,
        record: &Arc<ManifestRecord>,
        quant: Option<String>,
        indices: Vec<usize>,
        options: &DownloadOptions,
    ) -> Result<Self> {
        let probe = Probe { store: &inner.store, endpoint: &inner.endpoint };
        let all = inner.read(|txn| probe.file_states(txn, record))?;
        let chosen =
            indices.into_iter().filter_map(|index| Some((record.files.get(index)?, all.get(index)?)));
        let mut chosen: Vec<_> = chosen.map(|(file, state)| (file.clone(), *state)).collect();
        chosen.sort_by_key(|(file, _)| file.size);
        let (files, states) = chosen.into_iter().unzip();
        Ok(Self {
            inner: Arc::clone(inner),
            record: Arc::clone(record),
            scope: scope_of(&inner.endpoint, record),
            quant,
            files,
            states,
            options: options.clone(),
        })
    }

    fn is_stored(&self) -> bool {
        self.states.iter().all(|state| state.stored)
    }

    fn total(&self) -> u64 {
        self.files.iter().map(|file| file.size).sum()
    }

    fn loaded_before(&self) -> u64 {
        self.states.iter().map(|state| state.downloaded).sum()
    }

    /// Brings all missing files; the first failure ends the others, keeping what came.
    async fn run(&self) -> Result<()> {
        self.check_room().await?;
        let mut tasks = JoinSet::new();
        let mut meter = Meter::new(self);
        let gate = Arc::new(Semaphore::new(FILES_AT_ONCE));
        for (index, _) in self.states.iter().enumerate().filter(|(_, state)| !state.stored) {
            let Some(file) = self.files.get(index) else { continue };
            let (inner, scope, file, gate) =
                (Arc::clone(&self.inner), self.scope.clone(), file.clone(), Arc::clone(&gate));
            let slot = meter.slot(index);
            tasks.spawn(async move {
                let _turn = gate.acquire_owned().await;
                let flight = inner.flights.join(&inner, &scope, &file)?;
                slot.set(&flight);
                flight.wait().await?;
                // Another commit's or repository's flight brought the same bytes: publish them here too.
                if !published(&inner, &scope, &file)? {
                    inner.flights.join(&inner, &scope, &file)?.wait().await?;
                }
                Ok::<_, Error>(())
            });
        }
        let mut tick = tokio::time::interval(REPORT_INTERVAL);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
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

    /// Room for everything that is missing, before the first byte.
    async fn check_room(&self) -> Result<()> {
        let needed = self.total().saturating_sub(self.loaded_before());
        let inner = Arc::clone(&self.inner);
        blocking(move || Ok(inner.store.check_room(needed)?)).await
    }

    /// The report at 100 %.
    fn report_all(&self) {
        let Some(callback) = &self.options.progress else { return };
        callback(&Progress { loaded: self.total(), ..self.progress(0, 0.0) });
    }

    fn progress(&self, loaded: u64, bytes_per_second: f64) -> Progress {
        Progress {
            repo: self.record.repo.clone(),
            quant: self.quant.clone(),
            path: None,
            loaded,
            total: self.total(),
            file_loaded: None,
            file_total: None,
            bytes_per_second,
            resumed_from: self.loaded_before(),
        }
    }
}

fn published(inner: &Inner, scope: &RepoScope, file: &ManifestFile) -> Result<bool> {
    inner.read(|txn| Ok(txn.get::<Files>(&Key::file(scope, &file.path))?.is_some()))
}

type Slots = Arc<parking_lot::Mutex<Vec<Option<std::sync::Weak<Flight>>>>>;

/// Where a file's task leaves its flight for the meter.
struct Slot {
    slots: Slots,
    index: usize,
}

impl Slot {
    fn set(&self, flight: &Arc<Flight>) {
        if let Some(slot) = self.slots.lock().get_mut(self.index) {
            *slot = Some(Arc::downgrade(flight));
        }
    }
}

/// Sums the flights of a batch.
struct Meter {
    slots: Slots,
    loaded: Vec<u64>,
    rate: RateMeter,
    last: Option<u64>,
}

impl Meter {
    fn new(batch: &Batch) -> Self {
        let loaded: Vec<u64> = batch.states.iter().map(|state| state.downloaded).collect();
        let slots = (0..loaded.len()).map(|_| None).collect();
        Self {
            slots: Arc::new(parking_lot::Mutex::new(slots)),
            rate: RateMeter::start(loaded.iter().sum()),
            loaded,
            last: None,
        }
    }

    fn slot(&self, index: usize) -> Slot {
        Slot { slots: Arc::clone(&self.slots), index }
    }

    /// Reads all counters; gives the index of the file that moved most since the last time.
    fn read(&mut self, batch: &Batch) -> Option<usize> {
        let mut most = None;
        let slots = self.slots.lock();
        for (index, (slot, loaded)) in slots.iter().zip(&mut self.loaded).enumerate() {
            let Some(slot) = slot else { continue };
            let size = batch.files.get(index).map_or(0, |file| file.size);
            // A flight that is gone has brought its file.
            let now = slot.upgrade().map_or(size, |flight| flight.loaded()).min(size);
            let moved = now.saturating_sub(*loaded);
            if moved > 0 && most.is_none_or(|(_, best)| moved > best) {
                most = Some((index, moved));
            }
            *loaded = now;
        }
        most.map(|(index, _)| index)
    }

    fn report(&mut self, batch: &Batch) {
        let Some(callback) = &batch.options.progress else { return };
        let moving = self.read(batch);
        let loaded: u64 = self.loaded.iter().sum();
        // The report at 100 % comes once, when everything is published.
        if self.last == Some(loaded) || loaded == batch.total() {
            return;
        }
        self.last = Some(loaded);
        let mut progress = batch.progress(loaded, self.rate.rate(loaded));
        if let Some(file) = moving.and_then(|index| batch.files.get(index)) {
            progress.path = Some(file.path.clone());
            progress.file_total = Some(file.size);
            progress.file_loaded = moving.and_then(|index| self.loaded.get(index)).copied();
        }
        callback(&progress);
    }
}
