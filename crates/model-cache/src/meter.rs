//! Sums the progress of the files of one call.

use std::sync::{Arc, Mutex, Weak};

use crate::batch::Batch;
use crate::flight::Flight;
use crate::lock::lock;
use crate::progress::{FileProgress, RateMeter};

type Slots = Arc<Mutex<Vec<Option<Weak<Flight>>>>>;

/// Where a file's task leaves its flight for the meter.
pub(crate) struct Slot {
    slots: Slots,
    index: usize,
}

impl Slot {
    pub(crate) fn set(&self, flight: &Arc<Flight>) {
        if let Some(slot) = lock(&self.slots).get_mut(self.index) {
            *slot = Some(Arc::downgrade(flight));
        }
    }
}

/// The files under way.
struct Moving {
    /// Index of the one that moved most since the last time.
    most: Option<usize>,
    files: Vec<FileProgress>,
}

/// Sums the flights of a batch.
pub(crate) struct Meter {
    slots: Slots,
    loaded: Vec<u64>,
    rate: RateMeter,
    last: Option<u64>,
}

impl Meter {
    pub(crate) fn new(batch: &Batch) -> Self {
        let loaded: Vec<u64> = batch.states.iter().map(|state| state.downloaded).collect();
        let slots = (0..loaded.len()).map(|_| None).collect();
        Self {
            slots: Arc::new(Mutex::new(slots)),
            rate: RateMeter::start(loaded.iter().copied().fold(0, u64::saturating_add)),
            loaded,
            last: None,
        }
    }

    pub(crate) fn slot(&self, index: usize) -> Slot {
        Slot { slots: Arc::clone(&self.slots), index }
    }

    /// Reads all counters.
    fn read(&mut self, batch: &Batch) -> Moving {
        let (mut most, mut files) = (None, Vec::new());
        let slots = lock(&self.slots);
        for (index, (slot, loaded)) in slots.iter().zip(&mut self.loaded).enumerate() {
            let Some(slot) = slot else { continue };
            let Some(file) = batch.files.get(index) else { continue };
            // A flight that is gone has brought its file.
            let flight = slot.upgrade();
            let now = flight.as_ref().map_or(file.size, |flight| flight.loaded()).min(file.size);
            if flight.is_some() {
                files.push(FileProgress { path: file.path.clone(), loaded: now, total: file.size });
            }
            let moved = now.saturating_sub(*loaded);
            if moved > 0 && most.is_none_or(|(_, best)| moved > best) {
                most = Some((index, moved));
            }
            *loaded = now;
        }
        Moving { most: most.map(|(index, _)| index), files }
    }

    pub(crate) fn report(&mut self, batch: &Batch) {
        let Some(callback) = &batch.options.progress else { return };
        let moving = self.read(batch);
        let loaded = self.loaded.iter().copied().fold(0, u64::saturating_add);
        // The report at 100 % comes once, when everything is published.
        if self.last == Some(loaded) || loaded == batch.total() {
            return;
        }
        self.last = Some(loaded);
        let mut progress = batch.progress(loaded, self.rate.rate(loaded));
        if let Some(file) = moving.most.and_then(|index| batch.files.get(index)) {
            progress.path = Some(file.path.clone());
            progress.file_total = Some(file.size);
            progress.file_loaded = moving.most.and_then(|index| self.loaded.get(index)).copied();
        }
        progress.files = moving.files;
        callback(&progress);
    }
}
