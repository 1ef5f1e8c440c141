//! Checking everything that is stored against what was recorded when it was stored.

use std::ops::Range;
use std::sync::Arc;

use tabagent_storage::{
    Incarnation, Key, Manifests, QuantRecord, Quants, RepoScope, Verdict, WriteTransaction,
};

use crate::cache::ModelCache;
use crate::checking::{all_checked, check};
use crate::error::Result;
use crate::inner::Inner;
use crate::lookup::quants_with;
use crate::mend::{find_records, replace};
use crate::patch::repair;
use crate::progress::ProgressCallback;
use crate::repo_name::check_repo;
use crate::runtime::blocking;
use crate::stored_file::{StoredBlob, StoredFile, StoredFiles};

/// What to check, and what to do about damage.
#[derive(Clone, Default)]
pub struct VerifyOptions {
    /// Only the files of this repository, at this endpoint. Default: everything.
    pub repo: Option<String>,
    /// Make damaged records again, and fetch damaged blocks again, as long as no more than 256 MiB of a file are damaged, and files
    /// whole whose bytes cannot be told from others. Default: false.
    pub repair: bool,
    /// Called at most 20 times a second, once at 100 %, and never after the future is ready.
    pub progress: Option<ProgressCallback>,
}

/// What a check found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VerifyReport {
    /// Stored files checked, counted per commit.
    pub files: u64,
    /// Bytes compared; those that files share count once.
    pub bytes: u64,
    /// Bytes that are not those that were stored.
    pub damaged: Vec<DamagedRange>,
    /// Files whose bytes are nowhere. They do not count as stored any more.
    pub missing: Vec<MissingFile>,
    /// What nobody refers to and the next prune removes; 0 when only a repository was checked, and when damaged records keep it from
    /// being told.
    pub orphans: u64,
    /// Records of the store that cannot be read.
    pub records: Vec<DamagedRecord>,
}

/// A record that cannot be read. What it says is not known until it is repaired: made again from other records, or forgotten, so
/// that a scan or a download brings it back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DamagedRecord {
    /// Where it is: its key, as docs/design.md lists them.
    pub key: String,
    /// What does not fit.
    pub why: String,
    /// Whether it does no harm any more.
    pub repaired: bool,
}

/// Damaged bytes of one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DamagedRange {
    /// Repository.
    pub repo: String,
    /// Commit the file belongs to.
    pub commit: String,
    /// Path of the file.
    pub path: String,
    /// First byte of the damaged blocks.
    pub offset: u64,
    /// Bytes of the damaged blocks.
    pub length: u64,
    /// Whether they are right again.
    pub repaired: bool,
    /// Why they are not, when a repair was tried; why none of the file's bytes can be checked, when that is so.
    pub why: Option<String>,
}

/// A file whose bytes are nowhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingFile {
    /// Repository.
    pub repo: String,
    /// Commit the file belongs to.
    pub commit: String,
    /// Path of the file.
    pub path: String,
}

impl ModelCache {
    /// Compares every stored byte with the checksums recorded when it was stored, and finds files whose bytes are gone and what
    /// nobody refers to. Files whose bytes are gone do not count as stored afterwards; damaged ones still do, and are served to
    /// whoever does not check. With `options.repair` just the damaged blocks are fetched again, and written once they are proven to
    /// give the file its sha256; open views show the right bytes from then on.
    ///
    /// # Errors
    /// `ERR_READ_ONLY` for a repair, `ERR_INVALID_ARGUMENT`, `ERR_REPO_NOT_FOUND` for a repository that is not here, `ERR_CORRUPT`
    /// when the records themselves are damaged, `ERR_IO`, `ERR_CLOSED`. Damaged bytes are no error.
    pub async fn verify(&self, options: VerifyOptions) -> Result<VerifyReport> {
        let inner = self.inner()?;
        inner.call(verify(Arc::clone(&inner), options)).await
    }
}

async fn verify(inner: Arc<Inner>, options: VerifyOptions) -> Result<VerifyReport> {
    if let Some(repo) = &options.repo {
        check_repo(repo)?;
    }
    if options.repair {
        inner.check_writable()?;
    }
    let records = find_records(&inner, options.repo.as_deref(), options.repair).await?;
    let (holder, repo) = (Arc::clone(&inner), options.repo.clone());
    let files =
        blocking(inner.tasks.token(), move || Ok(Arc::new(StoredFiles::read(&holder, repo.as_deref())?)));
    let files = files.await?;
    let verdicts = check(&inner, &files, options.progress.as_ref()).await?;
    let (holder, all, known) = (Arc::clone(&inner), options.repo.is_none(), Arc::clone(&files));
    let readable = records.iter().all(|record| record.repaired);
    let (report, verdicts) = blocking(inner.tasks.token(), move || {
        let forgotten = forget_lost(&holder, &known, &verdicts)?;
        let orphans = if all && readable { holder.store.orphans()?.count() } else { 0 };
        let mut report = report(&known, &verdicts);
        report.missing.extend(forgotten);
        Ok((VerifyReport { orphans, records, ..report }, verdicts))
    })
    .await?;
    let report = if options.repair { repaired(&inner, &files, &verdicts, report).await? } else { report };
    if let Some(callback) = &options.progress {
        callback(&all_checked(&files, options.repo.as_deref()));
    }
    Ok(report)
}

/// Repairs what is damaged, one blob after the other, and says so in the report.
async fn repaired(
    inner: &Arc<Inner>,
    files: &StoredFiles,
    verdicts: &[Verdict],
    mut report: VerifyReport,
) -> Result<VerifyReport> {
    for (blob, verdict) in files.blobs.iter().zip(verdicts) {
        let outcome = match verdict {
            Verdict::Checked { damaged, .. } if !damaged.is_empty() => {
                repair(inner, files, blob, damaged).await
            }
            Verdict::Unreadable { incarnation, .. } => replace(inner, files, blob, *incarnation).await,
            _ => continue,
        };
        if outcome.as_ref().is_err_and(|error| error.code() == "ERR_CLOSED") {
            return Err(inner.closed());
        }
        let why = outcome.err().map(|error| error.to_string());
        let owners: Vec<MissingFile> = files.files_of(blob).map(missing).collect();
        let is_of = |range: &&mut DamagedRange| owners.iter().any(|file| file.is_of(range));
        for range in report.damaged.iter_mut().filter(is_of) {
            range.repaired = why.is_none();
            range.why.clone_from(&why);
        }
    }
    Ok(report)
}

impl MissingFile {
    fn is_of(&self, range: &DamagedRange) -> bool {
        (&self.repo, &self.commit, &self.path) == (&range.repo, &range.commit, &range.path)
    }
}

fn report(files: &StoredFiles, verdicts: &[Verdict]) -> VerifyReport {
    let mut report = VerifyReport::default();
    for (blob, verdict) in files.blobs.iter().zip(verdicts) {
        match verdict {
            // Removed since the files were listed.
            Verdict::Absent => continue,
            Verdict::Lost { .. } => report.missing.extend(files.files_of(blob).map(missing)),
            Verdict::Unreadable { reason, .. } => {
                let why = Some(reason.clone());
                report
                    .damaged
                    .extend(files.files_of(blob).map(|file| damaged(file, &(0..blob.size), why.clone())));
            }
            Verdict::Checked { size, damaged: ranges } => {
                report.bytes += size;
                let files = files.files_of(blob);
                report
                    .damaged
                    .extend(files.flat_map(|file| ranges.iter().map(|range| damaged(file, range, None))));
            }
        }
        report.files += blob.files.len() as u64;
    }
    report
}

fn missing(StoredFile { scope, file }: &StoredFile) -> MissingFile {
    MissingFile { repo: scope.repo.clone(), commit: scope.commit.clone(), path: file.path.clone() }
}

fn damaged(file: &StoredFile, range: &Range<u64>, why: Option<String>) -> DamagedRange {
    let MissingFile { repo, commit, path } = missing(file);
    DamagedRange {
        repo,
        commit,
        path,
        offset: range.start,
        length: range.end - range.start,
        repaired: false,
        why,
    }
}

/// Files whose bytes are nowhere are not stored: says so in M, where this cache may write. Returns those among them whose blob has no
/// record at all, and that are not just being removed.
fn forget_lost(inner: &Inner, files: &StoredFiles, verdicts: &[Verdict]) -> Result<Vec<MissingFile>> {
    let mut unrecorded = Vec::new();
    if inner.is_read_only() {
        return Ok(unrecorded);
    }
    for (blob, verdict) in files.blobs.iter().zip(verdicts) {
        match verdict {
            // What another process has written or replaced meanwhile is true already.
            Verdict::Lost { incarnation, .. } => forget_blob(inner, blob, Some(*incarnation)).map(|_| ())?,
            Verdict::Absent => unrecorded.extend(forget_blob(inner, blob, None)?),
            Verdict::Checked { .. } | Verdict::Unreadable { .. } => {}
        }
    }
    Ok(unrecorded)
}

/// Forgets a blob and the files that have it; returns these.
pub(crate) fn forget_blob(
    inner: &Inner,
    blob: &StoredBlob,
    incarnation: Option<Incarnation>,
) -> Result<Vec<MissingFile>> {
    let mut files = Vec::new();
    inner.store.forget_lost(&blob.name, incarnation, |txn, scope, path| {
        let (repo, commit) = (scope.repo.clone(), scope.commit.clone());
        files.push(MissingFile { repo, commit, path: path.to_owned() });
        note_incomplete(txn, scope, path)
    })?;
    Ok(files)
}

/// The quants with this file are complete no more; what else is remembered of them stays.
fn note_incomplete(
    txn: &WriteTransaction<'_>,
    scope: &RepoScope,
    path: &str,
) -> tabagent_storage::Result<()> {
    let Some(record) = txn.get::<Manifests>(&Key::manifest(scope))? else { return Ok(()) };
    for name in quants_with(&record, path) {
        let key = Key::quant(scope, name);
        if let Some(history) = txn.get::<Quants>(&key)? {
            txn.put::<Quants>(&key, &QuantRecord { completed_at_ms: None, ..history })?;
        }
    }
    Ok(())
}
