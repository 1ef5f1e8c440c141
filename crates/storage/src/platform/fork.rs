//! What a fork child must not inherit.
//!
//! A lock belongs to the open file, and a fork child shares its parent's open files: without this, a lease would stay held by
//! the child of an owner that is dead. So a child closes them, right in the fork. Each number then stands for one end of a closed
//! pipe, so that the child's copies of the files' owners close something of their own.
//!
//! Nor may a fork come while a lock is held that the child needs: nobody would ever free it there.
#![expect(unsafe_code, reason = "two functions of the C library the standard library has no form of")]

use std::cell::RefCell;
use std::ffi::c_int;
use std::fs::File;
use std::io::{self, PipeReader};
use std::os::fd::{AsRawFd as _, RawFd};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

unsafe extern "C" {
    fn pthread_atfork(
        prepare: Option<unsafe extern "C" fn()>,
        parent: Option<unsafe extern "C" fn()>,
        child: Option<unsafe extern "C" fn()>,
    ) -> c_int;
    fn dup2(from: c_int, to: c_int) -> c_int;
}

/// What a child closes, and what it gets instead; that is `None` until the handlers are registered.
struct Descriptors {
    open: Vec<RawFd>,
    nothing: Option<PipeReader>,
}

// Mutexes of the standard library: unlocking one in a child touches nothing that belonged to a thread the child does not have.
static DESCRIPTORS: Mutex<Descriptors> = Mutex::new(Descriptors { open: Vec::new(), nothing: None });
/// How many pauses there are. A fork holds the lock while it lasts, so that none begins then.
static PAUSES: Mutex<usize> = Mutex::new(0);
static PAUSE_ENDED: Condvar = Condvar::new();

/// While one lives, no thread of the process forks.
pub(crate) struct ForkPause(());

/// Keeps forks out until the result is dropped: a child could not go on with what is half done then.
pub(crate) fn pause_forks() -> io::Result<ForkPause> {
    register(&mut descriptors())?;
    *pauses() += 1;
    Ok(ForkPause(()))
}

impl Drop for ForkPause {
    fn drop(&mut self) {
        *pauses() -= 1;
        PAUSE_ENDED.notify_all();
    }
}

fn pauses() -> MutexGuard<'static, usize> {
    PAUSES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Opens a file with `open`; fork children close it at once, until [`inherit`].
pub(crate) fn open_uninherited(open: impl FnOnce() -> io::Result<File>) -> io::Result<File> {
    // Held while opening, so that no child gets the file before it is listed.
    let mut descriptors = descriptors();
    register(&mut descriptors)?;
    let file = open()?;
    descriptors.open.push(file.as_raw_fd());
    Ok(file)
}

/// Ends what [`open_uninherited`] began, before the file is closed.
pub(crate) fn inherit(file: &File) {
    let descriptor = file.as_raw_fd();
    descriptors().open.retain(|open| *open != descriptor);
}

fn descriptors() -> MutexGuard<'static, Descriptors> {
    DESCRIPTORS.lock().unwrap_or_else(PoisonError::into_inner)
}

fn register(descriptors: &mut Descriptors) -> io::Result<()> {
    if descriptors.nothing.is_some() {
        return Ok(());
    }
    let (nothing, _) = io::pipe()?;
    // SAFETY: the handlers are functions of this library, which the C library forgets when it unloads the library.
    let code = unsafe { pthread_atfork(Some(prepare), Some(parent), Some(child)) };
    if code != 0 {
        return Err(io::Error::from_raw_os_error(code));
    }
    descriptors.nothing = Some(nothing);
    Ok(())
}

struct Held {
    descriptors: MutexGuard<'static, Descriptors>,
    _pauses: MutexGuard<'static, usize>,
}

thread_local! {
    /// What a fork of this thread holds from its beginning to its end, in parent and child.
    static HELD: RefCell<Option<Held>> = const { RefCell::new(None) };
}

fn set_held(held: Option<Held>) -> Option<Held> {
    // A thread that forks after its own end has no such place any more; its child keeps what others had open.
    HELD.try_with(|place| place.replace(held)).ok().flatten()
}

extern "C" fn prepare() {
    let mut pauses = pauses();
    while *pauses > 0 {
        pauses = PAUSE_ENDED.wait(pauses).unwrap_or_else(PoisonError::into_inner);
    }
    set_held(Some(Held { descriptors: descriptors(), _pauses: pauses }));
}

extern "C" fn parent() {
    set_held(None);
}

extern "C" fn child() {
    let Some(mut held) = set_held(None) else { return };
    let Descriptors { open, nothing } = &mut *held.descriptors;
    if let Some(nothing) = nothing {
        for descriptor in open.drain(..) {
            // SAFETY: replacing a listed descriptor changes nothing for its owner but what its number stands for, and no other
            // thread of the child can be using it. The function is allowed between fork and exec.
            unsafe { dup2(nothing.as_raw_fd(), descriptor) };
        }
    }
}
