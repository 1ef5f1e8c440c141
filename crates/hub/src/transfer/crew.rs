//! The connections of one transfer: starts them, watches the rate, and decides what a failure of one means.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::OwnedSemaphorePermit;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::RangeSink;
use super::bandwidth::Bandwidth;
use super::buffers::Buffers;
use super::connection::Connection;
use super::growth::Growth;
use super::plan::Plan;
use super::pool::{Pool, Share};
use super::source::Source;
use super::waits::Waits;
use crate::error::HubError;
use crate::http::Http;

/// How often the rate is measured.
const WINDOW: Duration = Duration::from_millis(100);
/// How often it is looked at before it was first measured: where each connection is throttled, the others should soon be there.
const FIRST_LOOK: Duration = Duration::from_millis(20);
/// A window this long means that the process did not run.
const ASLEEP: Duration = Duration::from_millis(500);

/// What the connections of a transfer share.
pub(crate) struct Job {
    pub(crate) http: Arc<Http>,
    pub(crate) pool: Arc<Pool>,
    pub(crate) source: Source,
    pub(crate) plan: Arc<Plan>,
    /// Size of the whole file.
    pub(crate) size: u64,
    pub(crate) sink: Arc<dyn RangeSink>,
    pub(crate) buffers: Arc<Buffers>,
    pub(crate) bandwidth: Arc<Bandwidth>,
    pub(crate) waits: Arc<Waits>,
    pub(crate) retries: u32,
    /// Cancelled by the caller, or when a connection failed for good.
    pub(crate) stop: CancellationToken,
}

/// The running connections.
pub(crate) struct Crew {
    job: Arc<Job>,
    share: Share,
    connections: JoinSet<Result<(), HubError>>,
    growth: Growth,
    dismissed: Arc<AtomicUsize>,
    /// Bytes there were when the last connection gave up.
    received_at_failure: Option<u64>,
}

impl Crew {
    pub(crate) fn new(job: Arc<Job>) -> Self {
        let (growth, share) = (Growth::new(job.pool.size()), job.pool.join());
        Self {
            job,
            share,
            connections: JoinSet::new(),
            growth,
            dismissed: Arc::default(),
            received_at_failure: None,
        }
    }

    /// Ends when all bytes are with the sink, or with the first failure that cannot be worked around. All connections
    /// have ended then.
    pub(crate) async fn run(mut self) -> Result<(), HubError> {
        let outcome = self.work().await;
        self.job.stop.cancel();
        while self.connections.join_next().await.is_some() {}
        outcome
    }

    async fn work(&mut self) -> Result<(), HubError> {
        let mut last = Instant::now();
        loop {
            if self.connections.is_empty() {
                if self.job.plan.is_finished() {
                    return Ok(());
                }
                let permit = self.share.first(&self.job.stop).await?;
                self.start(permit);
            }
            let pause = if self.growth.is_new() { FIRST_LOOK } else { WINDOW };
            tokio::select! {
                Some(ended) = self.connections.join_next() => self.ended(ended)?,
                () = sleep_until(last + pause) => {
                    let now = Instant::now();
                    if let Err(silent) = self.check(now, now - last) {
                        self.give_up().await;
                        return Err(silent);
                    }
                    last = now;
                }
            }
        }
    }

    fn start(&mut self, permit: OwnedSemaphorePermit) {
        let connection = Connection::new(Arc::clone(&self.job), Arc::clone(&self.dismissed), permit);
        self.connections.spawn(connection.run());
    }

    /// Looks at the connections, `elapsed` after the last time.
    fn check(&mut self, now: Instant, elapsed: Duration) -> Result<(), HubError> {
        let Job { plan, waits, .. } = &*self.job;
        let measured = elapsed.min(plan.age(now));
        self.growth.window(plan.received(), waits.total(), measured, self.connections.len());
        // Where this process itself was asleep, what came meanwhile has not been read yet.
        if elapsed < ASLEEP {
            plan.rescue(now);
            self.check_silence(now)?;
        }
        self.adjust(now);
        Ok(())
    }

    fn check_silence(&self, now: Instant) -> Result<(), HubError> {
        let Job { http, plan, source, .. } = &*self.job;
        if plan.silence(now) < http.stall_timeout {
            return Ok(());
        }
        Err(http.silent(&source.page()?, http.stall_timeout))
    }

    /// Ends the connections, which keep what they received.
    async fn give_up(&mut self) {
        self.job.plan.clear();
        while self.connections.join_next().await.is_some() {}
    }

    /// Brings the number of connections to the target, as far as the pool allows it.
    fn adjust(&mut self, now: Instant) {
        let (has, target) = (self.connections.len(), self.growth.target());
        self.job.plan.expect(target);
        let surplus = self.share.surplus(has, target);
        // Who ends first goes: not the last that gets anything, while others wait for an answer that may never come.
        let needless = has.min(self.job.plan.answered()).saturating_sub(target);
        self.dismissed.store(surplus.max(needless), Ordering::Relaxed);
        if surplus > 0 {
            self.job.plan.hurry(surplus, now);
            return;
        }
        while self.connections.len() < target {
            let Some(permit) = self.share.further() else { return };
            self.job.plan.share(now);
            if !self.job.plan.has_work(now) {
                return;
            }
            self.start(permit);
        }
    }

    /// A connection that gives up is no failure while others get on: its rest is back in the plan. A second one
    /// without a byte between them means that nobody does.
    fn ended(&mut self, ended: Result<Result<(), HubError>, JoinError>) -> Result<(), HubError> {
        let error = match ended {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(error)) => error,
            Err(panicked) => HubError::Sink(panicked.into()),
        };
        let received = Some(self.job.plan.received());
        let standstill = std::mem::replace(&mut self.received_at_failure, received) == received;
        if !error.is_transient() || self.connections.is_empty() || standstill {
            return Err(error);
        }
        self.growth.limit(self.connections.len());
        Ok(())
    }
}
