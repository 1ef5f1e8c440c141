//! Reports and statistics as plain objects.

use napi_derive::napi;
use tabagent_model_cache::{
    CacheStats, DamagedRange, DamagedRecord, Kept, MissingFile, PruneReport, PrunedQuant, RemoveReport,
    VerifyReport,
};

use crate::manifest::convert;
use crate::options::to_js;

/// See `RemoveReport` in `src/report.ts`.
#[napi(object, object_from_js = false)]
pub struct NativeRemoveReport {
    /// Files no longer stored.
    pub files: f64,
    /// Contents that went with them.
    pub blobs: f64,
    /// Bytes given back to the disk.
    pub freed: f64,
    /// Bytes free inside the store.
    pub reusable: f64,
    /// What stayed.
    pub kept: Vec<NativeKept>,
}

impl From<RemoveReport> for NativeRemoveReport {
    fn from(report: RemoveReport) -> Self {
        Self {
            files: to_js(report.files),
            blobs: to_js(report.blobs),
            freed: to_js(report.freed),
            reusable: to_js(report.reusable),
            kept: convert(report.kept),
        }
    }
}

/// A file that stayed.
#[napi(object, object_from_js = false)]
pub struct NativeKept {
    /// Path within the repository.
    pub path: String,
    /// Why it stayed.
    pub why: String,
}

impl From<Kept> for NativeKept {
    fn from(kept: Kept) -> Self {
        Self { path: kept.path, why: kept.why }
    }
}

/// See `PruneReport` in `src/report.ts`.
#[napi(object, object_from_js = false)]
pub struct NativePruneReport {
    /// What went.
    pub removed: NativeRemoveReport,
    /// Things nobody refers to.
    pub orphans: f64,
    /// Partial downloads.
    pub partials: f64,
    /// Plain files that nobody holds.
    pub plain_files: f64,
    /// Bytes of these.
    pub plain_bytes: f64,
    /// Quants.
    pub quants: Vec<NativePrunedQuant>,
    /// Whether nothing was changed.
    pub dry_run: bool,
}

impl From<PruneReport> for NativePruneReport {
    fn from(report: PruneReport) -> Self {
        Self {
            removed: report.removed.into(),
            orphans: to_js(report.orphans),
            partials: to_js(report.partials),
            plain_files: to_js(report.plain_files),
            plain_bytes: to_js(report.plain_bytes),
            quants: convert(report.quants),
            dry_run: report.dry_run,
        }
    }
}

/// A quant that went.
#[napi(object, object_from_js = false)]
pub struct NativePrunedQuant {
    /// Repository.
    pub repo: String,
    /// Name.
    pub quant: String,
}

impl From<PrunedQuant> for NativePrunedQuant {
    fn from(quant: PrunedQuant) -> Self {
        Self { repo: quant.repo, quant: quant.quant }
    }
}

/// See `VerifyReport` in `src/report.ts`.
#[napi(object, object_from_js = false)]
pub struct NativeVerifyReport {
    /// Files checked.
    pub files: f64,
    /// Bytes compared.
    pub bytes: f64,
    /// Bytes that are not those that were stored.
    pub damaged: Vec<NativeDamagedRange>,
    /// Files whose bytes are nowhere.
    pub missing: Vec<NativeMissingFile>,
    /// What nobody refers to.
    pub orphans: f64,
    /// Records that cannot be read.
    pub records: Vec<NativeDamagedRecord>,
}

impl From<VerifyReport> for NativeVerifyReport {
    fn from(report: VerifyReport) -> Self {
        Self {
            files: to_js(report.files),
            bytes: to_js(report.bytes),
            damaged: convert(report.damaged),
            missing: convert(report.missing),
            orphans: to_js(report.orphans),
            records: convert(report.records),
        }
    }
}

/// A record that cannot be read.
#[napi(object, object_from_js = false)]
pub struct NativeDamagedRecord {
    /// Its key.
    pub key: String,
    /// What does not fit.
    pub why: String,
    /// Whether it does no harm any more.
    pub repaired: bool,
}

impl From<DamagedRecord> for NativeDamagedRecord {
    fn from(record: DamagedRecord) -> Self {
        Self { key: record.key, why: record.why, repaired: record.repaired }
    }
}

/// Damaged bytes of one file.
#[napi(object, object_from_js = false)]
pub struct NativeDamagedRange {
    /// Repository.
    pub repo: String,
    /// Commit.
    pub commit: String,
    /// Path within the repository.
    pub path: String,
    /// First byte.
    pub offset: f64,
    /// Bytes.
    pub length: f64,
    /// Whether they are right again.
    pub repaired: bool,
    /// Why they are not.
    pub why: Option<String>,
}

impl From<DamagedRange> for NativeDamagedRange {
    fn from(damaged: DamagedRange) -> Self {
        Self {
            repo: damaged.repo,
            commit: damaged.commit,
            path: damaged.path,
            offset: to_js(damaged.offset),
            length: to_js(damaged.length),
            repaired: damaged.repaired,
            why: damaged.why,
        }
    }
}

/// A file whose bytes are nowhere.
#[napi(object, object_from_js = false)]
pub struct NativeMissingFile {
    /// Repository.
    pub repo: String,
    /// Commit.
    pub commit: String,
    /// Path within the repository.
    pub path: String,
}

impl From<MissingFile> for NativeMissingFile {
    fn from(missing: MissingFile) -> Self {
        Self { repo: missing.repo, commit: missing.commit, path: missing.path }
    }
}

/// See `CacheStats` in `src/report.ts`.
#[napi(object, object_from_js = false)]
pub struct NativeCacheStats {
    /// Repositories.
    pub repos: f64,
    /// Quants.
    pub quants: f64,
    /// Files.
    pub files: f64,
    /// Distinct contents.
    pub blobs: f64,
    /// Bytes of the complete ones.
    pub bytes: f64,
    /// Bytes of the others.
    pub partial_bytes: f64,
    /// Bytes free inside the store.
    pub reusable: f64,
    /// Bytes on the disk.
    pub disk_bytes: f64,
    /// Plain files for engines.
    pub plain_files: f64,
    /// Bytes of these.
    pub plain_bytes: f64,
    /// Open read transactions.
    pub readers: f64,
    /// Views in this process.
    pub views: f64,
}

impl From<CacheStats> for NativeCacheStats {
    fn from(stats: CacheStats) -> Self {
        Self {
            repos: to_js(stats.repos),
            quants: to_js(stats.quants),
            files: to_js(stats.files),
            blobs: to_js(stats.blobs),
            bytes: to_js(stats.bytes),
            partial_bytes: to_js(stats.partial_bytes),
            reusable: to_js(stats.reusable),
            disk_bytes: to_js(stats.disk_bytes),
            plain_files: to_js(stats.plain_files),
            plain_bytes: to_js(stats.plain_bytes),
            readers: to_js(stats.readers),
            views: to_js(stats.views),
        }
    }
}
