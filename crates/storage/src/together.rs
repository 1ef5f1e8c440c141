//! Small changes of M that several threads want at once, in one transaction: a commit waits for the disk, however little it has.
//!
//! Who comes first leads: waits its turn for the write lock, and then takes the changes of all who wait by then. Nobody is held
//! back for others to come. When a change fails, or the commit, nothing of the transaction stays and each is made alone, so that
//! everybody gets the error that is theirs.

use std::sync::Arc;

use crate::error::Result;
use crate::mutex::{Condvar, Mutex};
use crate::store::Store;
use crate::transaction::WriteTransaction;

/// A change that can be made again when it did not come to a commit.
pub(crate) type Change = Box<dyn Fn(&WriteTransaction<'_>) -> Result<()> + Send + Sync>;

struct Wanted {
    change: Change,
    /// `None` while nobody has made it; then whether it is durable.
    made: Mutex<Option<bool>>,
}

#[derive(Default)]
struct State {
    waiting: Vec<Arc<Wanted>>,
    led: bool,
}

/// The changes of one store that wait for a transaction.
#[derive(Default)]
pub(crate) struct Together {
    state: Mutex<State>,
    /// A transaction has ended.
    ended: Condvar,
}

impl Store {
    /// Makes `change` in a transaction of M, with those of other threads. Durable when it returns `Ok`, without any effect
    /// otherwise.
    pub(crate) fn write_together(&self, change: Change) -> Result<()> {
        self.check_writable()?;
        let wanted = Arc::new(Wanted { change, made: Mutex::default() });
        self.together.state.lock().waiting.push(Arc::clone(&wanted));
        if self.made_by_others(&wanted) {
            return Ok(());
        }
        self.write(|t| (wanted.change)(t))
    }

    /// Waits for a transaction with `wanted` in it, or leads one. False when it must be made alone.
    fn made_by_others(&self, wanted: &Wanted) -> bool {
        let mut state = self.together.state.lock();
        loop {
            if let Some(made) = *wanted.made.lock() {
                return made;
            }
            if state.led {
                state = self.together.ended.wait(state);
                continue;
            }
            state.led = true;
            drop(state);
            self.lead();
            state = self.together.state.lock();
        }
    }

    /// One transaction with everything that waits when it begins.
    fn lead(&self) {
        let mut round = Round { together: &self.together, taken: Vec::new(), durable: false };
        let outcome = self.write(|t| {
            round.taken = std::mem::take(&mut self.together.state.lock().waiting);
            round.taken.iter().try_for_each(|wanted| (wanted.change)(t))
        });
        round.durable = outcome.is_ok();
    }

    #[cfg(test)]
    pub(crate) fn waiting_together(&self) -> usize {
        self.together.state.lock().waiting.len()
    }
}

/// The turn of a leader. It ends also when a change panics: then everybody makes theirs alone.
struct Round<'a> {
    together: &'a Together,
    taken: Vec<Arc<Wanted>>,
    durable: bool,
}

impl Drop for Round<'_> {
    fn drop(&mut self) {
        let mut state = self.together.state.lock();
        // A transaction that did not begin took nobody: they would wait for ever.
        let taken = if self.taken.is_empty() { &mut state.waiting } else { &mut self.taken };
        for wanted in taken.drain(..) {
            *wanted.made.lock() = Some(self.durable);
        }
        state.led = false;
        drop(state);
        self.together.ended.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;
    use std::thread;

    use super::*;
    use crate::digest::{BlobName, Digest};
    use crate::error::StorageError;
    use crate::put::PutOutcome;
    use crate::registry::{StorageRegistry, StoreOptions};

    const FILES: u8 = 8;

    fn store(folder: &tempfile::TempDir) -> Arc<Store> {
        StorageRegistry::new(folder.path()).open("s".as_ref(), StoreOptions::default()).unwrap()
    }

    /// Stores small files from a thread each while another one writes. Publishing the one numbered `bad` fails. Returns the outcomes,
    /// and how many transactions that took.
    fn put_at_once(store: &Arc<Store>, bad: Option<u8>) -> (Vec<Result<PutOutcome>>, u64) {
        let before = store.version().unwrap().number;
        let (entered, entry) = channel();
        let (release, released) = channel::<()>();
        let outcomes = thread::scope(|scope| {
            scope.spawn(move || {
                store.write(|t| {
                    entered.send(()).unwrap();
                    released.recv().unwrap();
                    t.put::<crate::table::Inlines>(
                        &crate::key::Key::inline(&BlobName([0xff; 32])),
                        &crate::table::InlineBytes(vec![1]),
                    )
                })
            });
            entry.recv().unwrap();
            let puts: Vec<_> = (0..FILES)
                .map(|number| {
                    scope.spawn(move || {
                        let bytes = [number; 100];
                        store.put_bytes(&bytes, &Digest::Sha256(BlobName::of(&bytes).0), move |_, _| {
                            let failed = StorageError::corrupt("a file", "it is the bad one");
                            if Some(number) == bad { Err(failed) } else { Ok(()) }
                        })
                    })
                })
                .collect();
            while store.waiting_together() < usize::from(FILES) {
                thread::yield_now();
            }
            release.send(()).unwrap();
            puts.into_iter().map(|put| put.join().unwrap()).collect()
        });
        (outcomes, store.version().unwrap().number - before)
    }

    #[test]
    fn small_files_that_come_at_once_are_stored_in_one_transaction() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(&folder);
        let (outcomes, transactions) = put_at_once(&store, None);
        assert!(
            outcomes.iter().all(|outcome| matches!(outcome, Ok(PutOutcome::Complete(_)))),
            "{outcomes:?}"
        );
        assert_eq!(transactions, 2, "the one that was under way, and one for all files");
        for number in 0..FILES {
            assert!(store.blob(&BlobName::of(&[number; 100])).unwrap().unwrap().complete);
        }
    }

    #[test]
    fn one_that_fails_harms_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(&folder);
        let (outcomes, _) = put_at_once(&store, Some(3));
        for (number, outcome) in (0..FILES).zip(outcomes) {
            let stored = store.blob(&BlobName::of(&[number; 100])).unwrap().is_some();
            assert_eq!((outcome.is_ok(), stored), (number != 3, number != 3), "{outcome:?}");
        }
    }

    #[test]
    fn one_that_panics_keeps_nobody_waiting() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(&folder);
        let bad = thread::scope(|scope| {
            scope.spawn(|| store.write_together(Box::new(|_| panic!("a change")))).join().map(drop)
        });
        assert!(bad.is_err());
        store.write_together(Box::new(|_| Ok(()))).unwrap();
    }
}
