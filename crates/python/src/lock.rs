//! Locks of the standard library.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Waits for the lock. A thread that panicked while it held it leaves the value as it was then.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
