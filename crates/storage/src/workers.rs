//! A few threads for one piece of work.

use std::num::NonZero;
use std::thread::{self, Builder, available_parallelism};

/// More threads than this check no faster: memory is the limit.
const MOST: usize = 4;

/// Runs `work` on this thread and, where there is work for more than one, on others at the same time; returns when all have
/// returned. Each takes from the same work until there is none left.
pub(crate) fn together(pieces: usize, work: impl Fn() + Sync) {
    let count = available_parallelism().map_or(1, NonZero::get).min(MOST).min(pieces);
    thread::scope(|scope| {
        for _ in 1..count {
            // What a thread that the system refuses would do, the others do.
            Builder::new().name("model-cache-verify".to_owned()).spawn_scoped(scope, &work).ok();
        }
        work();
    });
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn all_work_is_done_when_it_returns() {
        for pieces in [0, 1, 3, 1000] {
            let (next, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
            together(pieces, || {
                while next.fetch_add(1, Ordering::Relaxed) < pieces {
                    done.fetch_add(1, Ordering::Relaxed);
                }
            });
            assert_eq!(done.into_inner(), pieces);
        }
    }
}
