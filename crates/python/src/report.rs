//! Reports and statistics as dictionaries; `report.py` makes its classes of them.

use pyo3::prelude::*;
use tabagent_model_cache::{
    CacheStats, DamagedRange, DamagedRecord, Kept, MissingFile, PruneReport, PrunedQuant, RemoveReport,
    VerifyReport,
};

use crate::manifest::convert;

/// See `RemoveReport` in `report.py`.
#[derive(IntoPyObject)]
pub(crate) struct NativeRemoveReport {
    files: u64,
    blobs: u64,
    freed: u64,
    reusable: u64,
    kept: Vec<NativeKept>,
}

impl From<RemoveReport> for NativeRemoveReport {
    fn from(report: RemoveReport) -> Self {
        Self {
            files: report.files,
            blobs: report.blobs,
            freed: report.freed,
            reusable: report.reusable,
            kept: convert(report.kept),
        }
    }
}

/// See `Kept` in `report.py`.
#[derive(IntoPyObject)]
pub(crate) struct NativeKept {
    path: String,
    why: String,
}

impl From<Kept> for NativeKept {
    fn from(kept: Kept) -> Self {
        Self { path: kept.path, why: kept.why }
    }
}

/// See `PruneReport` in `report.py`.
#[derive(IntoPyObject)]
pub(crate) struct NativePruneReport {
    removed: NativeRemoveReport,
    orphans: u64,
    partials: u64,
    plain_files: u64,
    plain_bytes: u64,
    quants: Vec<NativePrunedQuant>,
    dry_run: bool,
}

impl From<PruneReport> for NativePruneReport {
    fn from(report: PruneReport) -> Self {
        Self {
            removed: report.removed.into(),
            orphans: report.orphans,
            partials: report.partials,
            plain_files: report.plain_files,
            plain_bytes: report.plain_bytes,
            quants: convert(report.quants),
            dry_run: report.dry_run,
        }
    }
}

/// See `PrunedQuant` in `report.py`.
#[derive(IntoPyObject)]
pub(crate) struct NativePrunedQuant {
    repo: String,
    quant: String,
}

impl From<PrunedQuant> for NativePrunedQuant {
    fn from(quant: PrunedQuant) -> Self {
        Self { repo: quant.repo, quant: quant.quant }
    }
}

/// See `VerifyReport` in `report.py`.
#[derive(IntoPyObject)]
pub(crate) struct NativeVerifyReport {
    files: u64,
    bytes: u64,
    damaged: Vec<NativeDamagedRange>,
    missing: Vec<NativeMissingFile>,
    orphans: u64,
    records: Vec<NativeDamagedRecord>,
}

impl From<VerifyReport> for NativeVerifyReport {
    fn from(report: VerifyReport) -> Self {
        Self {
            files: report.files,
            bytes: report.bytes,
            damaged: convert(report.damaged),
            missing: convert(report.missing),
            orphans: report.orphans,
            records: convert(report.records),
        }
    }
}

/// See `DamagedRecord` in `report.py`.
#[derive(IntoPyObject)]
pub(crate) struct NativeDamagedRecord {
    key: String,
    why: String,
    repaired: bool,
}

impl From<DamagedRecord> for NativeDamagedRecord {
    fn from(record: DamagedRecord) -> Self {
        Self { key: record.key, why: record.why, repaired: record.repaired }
    }
}

/// See `DamagedRange` in `report.py`.
#[derive(IntoPyObject)]
pub(crate) struct NativeDamagedRange {
    repo: String,
    commit: String,
    path: String,
    offset: u64,
    length: u64,
    repaired: bool,
    why: Option<String>,
}

impl From<DamagedRange> for NativeDamagedRange {
    fn from(damaged: DamagedRange) -> Self {
        Self {
            repo: damaged.repo,
            commit: damaged.commit,
            path: damaged.path,
            offset: damaged.offset,
            length: damaged.length,
            repaired: damaged.repaired,
            why: damaged.why,
        }
    }
}

/// See `MissingFile` in `report.py`.
#[derive(IntoPyObject)]
pub(crate) struct NativeMissingFile {
    repo: String,
    commit: String,
    path: String,
}

impl From<MissingFile> for NativeMissingFile {
    fn from(missing: MissingFile) -> Self {
        Self { repo: missing.repo, commit: missing.commit, path: missing.path }
    }
}

/// See `CacheStats` in `report.py`.
#[derive(IntoPyObject)]
pub(crate) struct NativeCacheStats {
    repos: u64,
    quants: u64,
    files: u64,
    blobs: u64,
    bytes: u64,
    partial_bytes: u64,
    reusable: u64,
    disk_bytes: u64,
    plain_files: u64,
    plain_bytes: u64,
    readers: u64,
    views: u64,
}

impl From<CacheStats> for NativeCacheStats {
    fn from(stats: CacheStats) -> Self {
        Self {
            repos: stats.repos,
            quants: stats.quants,
            files: stats.files,
            blobs: stats.blobs,
            bytes: stats.bytes,
            partial_bytes: stats.partial_bytes,
            reusable: stats.reusable,
            disk_bytes: stats.disk_bytes,
            plain_files: stats.plain_files,
            plain_bytes: stats.plain_bytes,
            readers: stats.readers,
            views: stats.views,
        }
    }
}
