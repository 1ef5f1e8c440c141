//! A process that forks while it has a cache open.
#![expect(unsafe_code, reason = "forking")]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;

use tabagent_model_cache::{CacheOptions, ModelCache};
use tokio::runtime::Runtime;

use crate::hub::{Hub, Repo};

unsafe extern "C" {
    fn fork() -> i32;
    fn waitpid(process: i32, status: *mut i32, options: i32) -> i32;
    fn _exit(status: i32) -> !;
}

/// Downloads and reads a file on an executor of its own.
fn download(cache: &ModelCache, path: &str, expected: &[u8]) {
    let runtime = Runtime::new().unwrap();
    runtime.block_on(cache.download_file("own/a", path, None)).unwrap();
    assert_eq!(cache.get_file("own/a", path).unwrap().unwrap()[..], *expected);
}

#[test]
fn a_fork_child_downloads_with_a_cache_of_its_own_and_is_told_so() {
    let runtime = Runtime::new().unwrap();
    let hub = runtime.block_on(Hub::start());
    let (a, b) = (vec![1; 100_000], vec![2; 100_000]);
    hub.set("own/a", Repo::new("own/a", 'a', &[("a.bin", &a), ("b.bin", &b)]));
    let cache = hub.open(CacheOptions::default());
    download(&cache, "a.bin", &a);
    // SAFETY: the child works on threads it starts itself and ends with `_exit`.
    let process = unsafe { fork() };
    if process == 0 {
        let done = catch_unwind(AssertUnwindSafe(|| {
            let error = cache.get_file("own/a", "a.bin").unwrap_err();
            assert_eq!(error.code(), "ERR_CLOSED", "{error}");
            let own = hub.open(CacheOptions::default());
            thread::scope(|scope| scope.spawn(|| download(&own, "b.bin", &b)).join().unwrap());
        }));
        // SAFETY: it ends the process.
        unsafe { _exit(i32::from(done.is_err())) };
    }
    let mut status = 0;
    // SAFETY: `status` outlives the call.
    assert_eq!(unsafe { waitpid(process, &raw mut status, 0) }, process);
    assert_eq!(status, 0);
    assert_eq!(cache.get_file("own/a", "b.bin").unwrap().unwrap()[..], b);
}
