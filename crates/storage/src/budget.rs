//! How many memory mappings this process may spend on views.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::{Result, StorageError};
use crate::platform;

/// The budget of the process: a quarter of what the system allows. Past the system's limit not even `malloc` gets memory, and
/// the process dies.
static PROCESS: LazyLock<Budget> = LazyLock::new(|| Budget::new(platform::mapping_limit() / 4));

/// A number of mappings, given out and taken back.
pub(crate) struct Budget {
    limit: u64,
    used: AtomicU64,
}

/// Mappings taken from a budget, given back on drop.
pub(crate) struct Permit {
    budget: &'static Budget,
    count: u64,
}

impl Budget {
    fn new(limit: u64) -> Self {
        Self { limit, used: AtomicU64::new(0) }
    }

    /// The budget of the process.
    pub(crate) fn process() -> &'static Self {
        &PROCESS
    }

    /// Takes `count` mappings for `what`, or says that the budget is spent.
    pub(crate) fn take(&'static self, count: u64, what: impl FnOnce() -> String) -> Result<Permit> {
        let add = |used: u64| used.checked_add(count).filter(|sum| *sum <= self.limit);
        match self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add) {
            Ok(_) => Ok(Permit { budget: self, count }),
            Err(used) => Err(StorageError::TooLarge {
                what: format!("{} mapped beside {used} other memory mappings", what()),
                size: count,
                limit: self.limit.saturating_sub(used),
            }),
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.budget.used.fetch_sub(self.count, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_is_missing_until_it_is_dropped() {
        static SMALL: LazyLock<Budget> = LazyLock::new(|| Budget::new(5));
        let name = || "a blob".to_owned();
        let three = SMALL.take(3, name).unwrap();
        let refused = SMALL.take(3, name);
        assert!(matches!(refused, Err(StorageError::TooLarge { size: 3, limit: 2, .. })));
        let two = SMALL.take(2, name).unwrap();
        assert!(SMALL.take(1, name).is_err());
        drop((three, two));
        drop(SMALL.take(5, name).unwrap());
    }

    #[test]
    fn the_process_has_a_quarter_of_the_system_limit() {
        assert_eq!(Budget::process().limit, platform::mapping_limit() / 4);
        assert!(Budget::process().limit >= 1000);
    }
}
