//! Removing what nobody needs: what dead processes left, downloads nobody goes on with, and quants above a size.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tabagent_storage::{Freed, Orphans, StalePartial};

use crate::cache::ModelCache;
use crate::error::Result;
use crate::evict::Plan;
use crate::inner::Inner;
use crate::remove::{RemoveReport, merged};
use crate::runtime::blocking;

/// A partial download that nobody went on with for this long is given up: 7 days.
pub(crate) const PARTIAL_AGE: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// What to remove.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PruneOptions {
    /// Only tell what would go. Default: false.
    pub dry_run: bool,
    /// Bytes the store may hold afterwards: least recently used quants go until it holds no more. Default: the cache's own limit,
    /// else no quant goes.
    pub max_size: Option<u64>,
    /// Also remove the plain files that were to be kept and that nobody holds. Default: false.
    pub plain_files: bool,
    /// How long nobody must have gone on with a partial download for it to go. Default: 7 days.
    pub partial_age: Option<Duration>,
}

/// What went, or would go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PruneReport {
    /// Files and blobs that went, bytes given back. In a dry run `freed` is the bytes of what would go; the disk may get more back,
    /// and less as long as somebody views it.
    pub removed: RemoveReport,
    /// Things nobody refers to: reservations, blobs, records, lock files.
    pub orphans: u64,
    /// Partial downloads nobody goes on with.
    pub partials: u64,
    /// Plain files that nobody holds: those that dead processes left, and those that were to be kept where that was asked for.
    pub plain_files: u64,
    /// Bytes of these, which `freed` leaves out: where they shared blocks with the store the disk got nothing back.
    pub plain_bytes: u64,
    /// Quants, in the order in which they went: the least recently used first.
    pub quants: Vec<PrunedQuant>,
    /// Whether nothing was changed.
    pub dry_run: bool,
}

/// A quant that went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrunedQuant {
    /// Repository.
    pub repo: String,
    /// Name of the quant.
    pub quant: String,
}

impl ModelCache {
    /// Removes what nobody needs: what processes that died left behind, partial downloads that nobody went on with for a week, and
    /// down to a size the least recently used quants, complete or only begun, never one that is to be kept, is being downloaded or has a file
    /// open in this process. Then gives free space back to the disk. Views stay valid.
    ///
    /// # Errors
    /// `ERR_CORRUPT` when records are damaged, `ERR_READ_ONLY` unless it is a dry run, `ERR_NO_SPACE`, `ERR_IO`, `ERR_CLOSED`.
    pub async fn prune(&self, options: PruneOptions) -> Result<PruneReport> {
        let inner = self.inner()?;
        inner.call(prune(Arc::clone(&inner), options)).await
    }
}

async fn prune(inner: Arc<Inner>, options: PruneOptions) -> Result<PruneReport> {
    blocking(inner.tasks.token(), move || {
        let age = options.partial_age.unwrap_or(PARTIAL_AGE);
        let limit = options.max_size.or(inner.options.max_size);
        if !options.dry_run {
            inner.check_writable()?;
        }
        let report = if options.dry_run { foresee } else { carry_out };
        let plain = inner.store.collect_plain_files(options.plain_files, options.dry_run)?;
        let report = report(&inner, age, limit)?;
        Ok(PruneReport { plain_files: plain.files, plain_bytes: plain.bytes, ..report })
    })
    .await
}

fn carry_out(inner: &Inner, age: Duration, limit: Option<u64>) -> Result<PruneReport> {
    let store = &inner.store;
    let orphans = store.orphans()?;
    let mut removed = of_freed(&store.remove_orphans(&orphans)?);
    let partials = store.remove_partials(&store.stale_partials(age)?, age)?;
    removed = merged(removed, RemoveReport { blobs: 0, ..of_freed(&partials) });
    let mut plan = Plan::make(inner, excess(inner, limit, 0)?, None, HashSet::new())?;
    removed = merged(removed, plan.carry_out(inner)?);
    let quants = named(&plan);
    removed.freed += store.release_space()?;
    removed.reusable = store.usage()?.reusable;
    Ok(PruneReport {
        removed,
        orphans: orphans.count(),
        partials: partials.blobs,
        quants,
        ..PruneReport::default()
    })
}

/// What [`carry_out`] would do.
fn foresee(inner: &Inner, age: Duration, limit: Option<u64>) -> Result<PruneReport> {
    let store = &inner.store;
    let (orphans, partials) = (store.orphans()?, store.stale_partials(age)?);
    let gone = orphans.blob_bytes() + partials.iter().map(|partial| partial.downloaded).sum::<u64>();
    let spared = partials.iter().map(|partial| partial.name).collect();
    let plan = Plan::make(inner, excess(inner, limit, gone)?, None, spared)?;
    let removed = RemoveReport {
        files: plan.files,
        blobs: orphans.blobs() + plan.blobs,
        freed: bytes_of(&orphans, &partials) + plan.freed,
        reusable: store.usage()?.reusable,
        kept: Vec::new(),
    };
    Ok(PruneReport {
        removed,
        orphans: orphans.count(),
        partials: partials.len() as u64,
        quants: named(&plan),
        dry_run: true,
        ..PruneReport::default()
    })
}

/// Bytes above the limit once `gone` bytes went.
fn excess(inner: &Inner, limit: Option<u64>, gone: u64) -> Result<u64> {
    let Some(limit) = limit else { return Ok(0) };
    let usage = inner.store.usage()?;
    Ok((usage.bytes + usage.partial_bytes).saturating_sub(gone).saturating_sub(limit))
}

/// A partial download has room for the whole of its file, but for one that an inspection began.
fn bytes_of(orphans: &Orphans, partials: &[StalePartial]) -> u64 {
    orphans.bytes() + partials.iter().map(|partial| partial.size).sum::<u64>()
}

fn of_freed(freed: &Freed) -> RemoveReport {
    RemoveReport {
        blobs: freed.blobs,
        freed: freed.freed,
        reusable: freed.reusable,
        ..RemoveReport::default()
    }
}

fn named(plan: &Plan) -> Vec<PrunedQuant> {
    let quants = plan.quants();
    quants.map(|(repo, quant)| PrunedQuant { repo: repo.to_owned(), quant: quant.to_owned() }).collect()
}
