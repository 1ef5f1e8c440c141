//! One connection: takes pieces of the plan, asks for each in one request, and hands the body to its writer.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use super::crew::Job;
use super::piece::Piece;
use super::response::{Extent, Refused, accept};
use super::source::Opened;
use super::writer::Writer;
use crate::error::HubError;
use crate::http::network;
use crate::retry::Retry;

/// Times in a row that an address may be refused as expired before the refusal counts.
const MOST_RENEWALS: u32 = 3;

/// A connection of a transfer; it holds one permit of the client's limit.
pub(crate) struct Connection {
    job: Arc<Job>,
    writer: Writer,
    retry: Retry,
    renewals: u32,
    rate: Option<u64>,
    dismissed: Arc<AtomicUsize>,
    _permit: OwnedSemaphorePermit,
}

impl Connection {
    /// `dismissed` is the number of connections that are asked to stop after their piece.
    pub(crate) fn new(job: Arc<Job>, dismissed: Arc<AtomicUsize>, permit: OwnedSemaphorePermit) -> Self {
        let writer = Writer::new(Arc::clone(&job.sink), Arc::clone(&job.buffers), Arc::clone(&job.waits));
        let retry = Retry::new(job.retries);
        Self { job, writer, retry, renewals: 0, rate: None, dismissed, _permit: permit }
    }

    /// Works until there is nothing left to take. No write is under way any more when this returns.
    pub(crate) async fn run(mut self) -> Result<(), HubError> {
        let worked = self.work().await;
        if matches!(worked, Err(HubError::Cancelled | HubError::Sink(_))) {
            self.writer.abandon().await;
            return worked;
        }
        // What was received before a failure is kept: the next attempt continues after it. Where it cannot be, nobody else
        // would fetch it: that is the failure to report.
        let written = self.writer.finish().await;
        written.and(worked)
    }

    async fn work(&mut self) -> Result<(), HubError> {
        loop {
            let brief = self.job.pool.takes_turns();
            let Some(piece) = self.job.plan.take(self.rate, brief, Instant::now()) else { return Ok(()) };
            self.fetch(&piece).await?;
            self.rate = piece.rate(Instant::now()).or(self.rate);
            drop(piece);
            if self.is_dismissed() {
                return Ok(());
            }
        }
    }

    fn is_dismissed(&self) -> bool {
        let take_one = |count: usize| count.checked_sub(1);
        self.dismissed.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take_one).is_ok()
    }

    /// Requests until the whole piece has come or another connection took it over.
    async fn fetch(&mut self, piece: &Piece) -> Result<(), HubError> {
        while let Some(asked) = piece.rest() {
            let before = piece.received();
            let outcome = self.request(piece, &asked).await;
            if piece.received() > before {
                self.retry.reset();
                self.renewals = 0;
            }
            let Err(error) = outcome else { continue };
            if !matches!(error, HubError::Network { .. }) {
                piece.pause();
            }
            let paused = piece.unless_lost(self.retry.pause(error, &self.job.stop));
            if self.writer.during(paused).await?.transpose()?.is_none() {
                break;
            }
        }
        Ok(())
    }

    /// One request for the beginning of `asked`. Ok when it delivered all it announced, or the rest was taken over.
    async fn request(&mut self, piece: &Piece, asked: &Range<u64>) -> Result<(), HubError> {
        piece.ask();
        let job = Arc::clone(&self.job);
        let opening = async {
            let opened = job.source.open(asked, &job.stop).await?;
            let generation = opened.generation;
            let accepted = accept(&job.http, job.source.request(), asked, opened, &job.stop).await;
            Ok::<_, HubError>((generation, accepted))
        };
        let Some(opening) = self.writer.during(piece.unless_lost(opening)).await? else { return Ok(()) };
        let opening = opening?;
        piece.read(Instant::now());
        match opening {
            (_, Ok((Extent::Part(range), opened))) => self.receive(piece, opened, range).await,
            (_, Ok((Extent::Whole, opened))) => {
                piece.take_whole();
                self.receive(piece, opened, 0..job.size).await
            }
            (generation, Err(Refused::Expired(error))) => self.renew(generation, error).await,
            (_, Err(Refused::Error(error))) => Err(error),
        }
    }

    async fn renew(&mut self, generation: u64, error: HubError) -> Result<(), HubError> {
        self.renewals += 1;
        if self.renewals > MOST_RENEWALS {
            return Err(error);
        }
        self.job.source.expire(generation).await;
        Ok(())
    }

    /// Reads a body that holds `extent` of the file.
    async fn receive(
        &mut self,
        piece: &Piece,
        mut opened: Opened,
        extent: Range<u64>,
    ) -> Result<(), HubError> {
        let job = Arc::clone(&self.job);
        let Opened { url, response, .. } = &mut opened;
        let mut position = extent.start;
        loop {
            piece.wait(Instant::now());
            let chunk = piece.unless_lost(job.http.chunk(url, response, &job.stop));
            let Some(chunk) = self.writer.during(chunk).await?.transpose()? else { return Ok(()) };
            let Some(mut chunk) = chunk else { break };
            // More than was announced is nobody's, and no harm: the digest decides about the others.
            let announced = usize::try_from(extent.end - position).unwrap_or(usize::MAX);
            let overlong = announced < chunk.len();
            chunk.truncate(announced);
            let wanted_more = self.store(piece, position, &chunk).await? && !overlong;
            position += chunk.len() as u64;
            let paid = piece.unless_lost(job.bandwidth.take(chunk.len(), &job.waits, &job.stop)).await;
            let Some(()) = paid.transpose()? else { return Ok(()) };
            // Reading to the body's end keeps the connection usable for the next request.
            if !wanted_more && (overlong || position < extent.end) {
                return Ok(());
            }
        }
        if position < extent.end {
            return Err(network(url, "the answer ended early".into()));
        }
        Ok(())
    }

    /// Writes what is wanted of a chunk; `false` when nothing after it is.
    async fn store(&mut self, piece: &Piece, mut position: u64, chunk: &Bytes) -> Result<bool, HubError> {
        let mut chunk = chunk.clone();
        while !chunk.is_empty() {
            let Some(claim) = piece.claim(position, chunk.len(), Instant::now()) else { return Ok(false) };
            let taken = chunk.split_to(claim.skip + claim.take).split_off(claim.skip);
            self.writer.push(position + claim.skip as u64, &taken).await?;
            position += (claim.skip + claim.take) as u64;
        }
        Ok(piece.rest().is_some())
    }
}
