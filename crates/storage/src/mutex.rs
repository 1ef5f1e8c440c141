//! Locks of the standard library, whose waiting threads only the system knows. A fork child gets a copy of its parent's memory
//! without its parent's threads: a table of waiting threads kept in memory would name threads there that do not exist, and
//! wake them instead of the child's own.

use std::sync::{
    Condvar as Inner, Mutex as InnerMutex, MutexGuard, PoisonError, RwLock as InnerRwLock, RwLockReadGuard,
    RwLockWriteGuard,
};
use std::time::Instant;

/// A lock. A thread that panicked while it held it leaves the value as it was then.
#[derive(Debug, Default)]
pub(crate) struct Mutex<T>(InnerMutex<T>);

impl<T> Mutex<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(InnerMutex::new(value))
    }

    /// Waits for the lock.
    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The value, which nobody else can be using.
    pub(crate) fn get_mut(&mut self) -> &mut T {
        self.0.get_mut().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A lock that many hold to look. Whoever looks must not ask to look again: between the two somebody may wait to change.
#[derive(Debug)]
pub(crate) struct RwLock<T>(InnerRwLock<T>);

impl<T> RwLock<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(InnerRwLock::new(value))
    }

    /// Waits until nobody changes the value.
    pub(crate) fn read(&self) -> RwLockReadGuard<'_, T> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until nobody looks at the value.
    pub(crate) fn write(&self) -> RwLockWriteGuard<'_, T> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where threads wait for a change of what a [`Mutex`] guards.
#[derive(Debug, Default)]
pub(crate) struct Condvar(Inner);

impl Condvar {
    pub(crate) fn notify_one(&self) {
        self.0.notify_one();
    }

    pub(crate) fn notify_all(&self) {
        self.0.notify_all();
    }

    /// Gives the lock up until it is notified, or without a reason.
    pub(crate) fn wait<'a, T>(&self, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
        self.0.wait(guard).unwrap_or_else(PoisonError::into_inner)
    }

    /// As [`Condvar::wait`], at most until `deadline`.
    pub(crate) fn wait_until<'a, T>(&self, guard: MutexGuard<'a, T>, deadline: Instant) -> MutexGuard<'a, T> {
        let rest = deadline.saturating_duration_since(Instant::now());
        self.0.wait_timeout(guard, rest).unwrap_or_else(PoisonError::into_inner).0
    }
}
