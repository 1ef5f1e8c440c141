//! One snapshot of a cache folder on its way into the store: what of it is to be brought, and under which listing.

use std::collections::HashMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tabagent_hub::ListedFile;
use tabagent_hub::quant::Hints;
use tabagent_storage::{
    BlobName, Digest, Files, Imports, Key, ManifestFile, ManifestRecord, Manifests, RepoScope,
};
use tokio_util::sync::CancellationToken;

use crate::error::Result;
use crate::hf_cache::{Skipped, Snapshot, SnapshotFile};
use crate::imported::{self, listed, listing};
use crate::inner::Inner;
use crate::local_file;
use crate::lookup::Lookup;
use crate::transfer::hub_digest;

/// Largest configuration that is looked at for hints (1 MiB).
const CONFIG_LIMIT: u64 = 1 << 20;

/// A snapshot whose files may be published.
pub(crate) struct Intake {
    pub(crate) scope: RepoScope,
    pub(crate) record: Arc<ManifestRecord>,
    pub(crate) items: Vec<Item>,
    pub(crate) skipped: Vec<Skipped>,
    revisions: Vec<String>,
    hints: Hints,
}

/// One file to bring.
#[derive(Clone)]
pub(crate) struct Item {
    pub(crate) file: ManifestFile,
    pub(crate) source: PathBuf,
    pub(crate) shown: String,
}

/// What is known of a commit.
struct Known {
    record: ManifestRecord,
    imported: bool,
}

impl Intake {
    /// Compares the snapshot with what is known of its commit, and stores a listing when no scan has.
    pub(crate) fn begin(inner: &Inner, snapshot: &Snapshot, cancel: &CancellationToken) -> Result<Self> {
        let scope = scope(inner, snapshot)?;
        let hints = hints(&scope.repo, &snapshot.files);
        loop {
            let intake = match known(inner, &scope)? {
                Some(known) if !known.imported => {
                    let sorted = sort(inner, &scope, cancel, snapshot, &known.record.files, true)?;
                    Some(Self::new(scope.clone(), known.record, sorted, snapshot, hints.clone()))
                }
                known => {
                    let old = known.map_or_else(Vec::new, |known| known.record.files);
                    let sorted = sort(inner, &scope, cancel, snapshot, &old, false)?;
                    let mut files = old.iter().map(listed).collect::<Result<Vec<_>>>()?;
                    files.extend(sorted.fresh.iter().map(|(file, _)| file.clone()));
                    let record = listing(inner, &scope, &hints, files);
                    let begun = inner.store.write(|txn| imported::begin(txn, &scope, &record))?;
                    // Otherwise a scan came in between.
                    begun.then(|| Self::new(scope.clone(), record, sorted, snapshot, hints.clone()))
                }
            };
            if let Some(intake) = intake {
                return Ok(intake);
            }
        }
    }

    fn new(
        scope: RepoScope,
        record: ManifestRecord,
        sorted: Sorted,
        snapshot: &Snapshot,
        hints: Hints,
    ) -> Self {
        let files: HashMap<&str, &ManifestFile> =
            record.files.iter().map(|file| (file.path.as_str(), file)).collect();
        let item = |(file, from): (ListedFile, SnapshotFile)| {
            let file = (*files.get(file.path.as_str())?).clone();
            Some(Item { file, source: from.source, shown: from.shown })
        };
        let items = sorted.fresh.into_iter().filter_map(item).collect();
        let revisions = snapshot.revisions.clone();
        Self { scope, record: Arc::new(record), items, skipped: sorted.skipped, revisions, hints }
    }

    /// Everything that could be brought was: the listing names just that, and the revisions lead to it.
    pub(crate) fn finish(&self, inner: &Inner) -> Result<()> {
        let record = self.stored(inner)?;
        let doubts = inner.store.write(|txn| {
            if !imported::finish(txn, &self.scope, &record)? {
                return Ok(Vec::new());
            }
            let commit = std::slice::from_ref(&self.scope.commit);
            let revisions = if self.revisions.is_empty() { commit } else { &self.revisions };
            for revision in revisions {
                imported::refer(txn, &self.scope, revision)?;
            }
            if txn.contains::<Imports>(&Key::import(&self.scope))? {
                return Ok(Vec::new());
            }
            // A scan has come meanwhile, which did not see what was published after it.
            match txn.get::<Manifests>(&Key::manifest(&self.scope))? {
                Some(scanned) => imported::forget_doubtful(txn, &self.scope, &scanned),
                None => Ok(Vec::new()),
            }
        })?;
        match known(inner, &self.scope)? {
            Some(known) => imported::recheck(inner, &known.record, &doubts),
            None => Ok(()),
        }
    }

    /// The listing of what is stored of the commit, by this import or another.
    fn stored(&self, inner: &Inner) -> Result<ManifestRecord> {
        let mut files: HashMap<String, ListedFile> = HashMap::new();
        let other = known(inner, &self.scope)?;
        let others = other.iter().flat_map(|known| &known.record.files);
        for file in self.record.files.iter().chain(others) {
            let key = Key::file(&self.scope, &file.path);
            if inner.read(|txn| Ok(txn.get::<Files>(&key)?.is_some()))? {
                files.insert(file.path.clone(), listed(file)?);
            }
        }
        Ok(listing(inner, &self.scope, &self.hints, files.into_values().collect()))
    }
}

/// The commit, under the name that the endpoint gives the repository if it was ever asked.
fn scope(inner: &Inner, snapshot: &Snapshot) -> Result<RepoScope> {
    let endpoint = inner.endpoint.clone();
    let names = inner.read(|txn| Lookup { txn, endpoint: &endpoint }.names(&snapshot.repo))?;
    let repo = names.into_iter().next().unwrap_or_else(|| snapshot.repo.clone());
    Ok(RepoScope { endpoint, repo, commit: snapshot.commit.clone() })
}

fn known(inner: &Inner, scope: &RepoScope) -> Result<Option<Known>> {
    inner.read(|txn| {
        let Some(record) = txn.get::<Manifests>(&Key::manifest(scope))? else { return Ok(None) };
        let imported = txn.get::<Imports>(&Key::import(scope))?.is_some();
        Ok(Some(Known { record, imported }))
    })
}

fn hints(repo: &str, files: &[SnapshotFile]) -> Hints {
    let config = files.iter().find(|file| file.path == "config.json" && file.size <= CONFIG_LIMIT);
    let bytes = config.and_then(|file| local_file::read(&file.source, file.size).ok());
    Hints::of_config(repo, &bytes.unwrap_or_default())
}

/// The files of a snapshot, judged.
#[derive(Default)]
struct Sorted {
    /// To bring, with what they are listed as.
    fresh: Vec<(ListedFile, SnapshotFile)>,
    skipped: Vec<Skipped>,
}

/// Tells the files to bring from those that stay away. When the commit was scanned, it has no files but the `known` ones.
fn sort(
    inner: &Inner,
    scope: &RepoScope,
    cancel: &CancellationToken,
    snapshot: &Snapshot,
    known: &[ManifestFile],
    scanned: bool,
) -> Result<Sorted> {
    let judge = Judge { inner, scope, cancel, scanned };
    let known: HashMap<&str, &ManifestFile> = known.iter().map(|file| (file.path.as_str(), file)).collect();
    let mut out = Sorted::default();
    for file in &snapshot.files {
        match judge.judge(file, known.get(file.path.as_str()).copied())? {
            Ok(listed) => out.fresh.push((listed, file.clone())),
            Err(why) => out.skipped.push(Skipped { path: file.shown.clone(), why }),
        }
    }
    Ok(out)
}

struct Judge<'a> {
    inner: &'a Inner,
    scope: &'a RepoScope,
    cancel: &'a CancellationToken,
    scanned: bool,
}

impl Judge<'_> {
    /// What the file is listed as, or why it stays away.
    fn judge(
        &self,
        file: &SnapshotFile,
        known: Option<&ManifestFile>,
    ) -> Result<std::result::Result<ListedFile, String>> {
        let key = Key::file(self.scope, &file.path);
        if self.inner.read(|txn| Ok(txn.get::<Files>(&key)?.is_some()))? {
            return Ok(Err("it is stored already".to_owned()));
        }
        let Some(known) = known else {
            if self.scanned {
                return Ok(Err("the commit has no such file".to_owned()));
            }
            return self.identify(file);
        };
        let digest = known.digest()?;
        if file.size != known.size || file.digest.is_some_and(|found| found != digest) {
            return Ok(Err("the listing of the commit names other bytes".to_owned()));
        }
        Ok(Ok(listed(known)?))
    }

    /// By its name, or else by its bytes.
    fn identify(&self, file: &SnapshotFile) -> Result<std::result::Result<ListedFile, String>> {
        let digest = match file.digest {
            Some(digest) => digest,
            None => match name_of(&file.source, self.cancel) {
                Ok(name) => Digest::Sha256(name.0),
                Err(_) if self.cancel.is_cancelled() => return Err(self.inner.closed()),
                Err(error) => return Ok(Err(format!("it cannot be read: {error}"))),
            },
        };
        Ok(Ok(ListedFile { path: file.path.clone(), size: file.size, digest: hub_digest(digest) }))
    }
}

/// The name of the bytes of a file.
pub(crate) fn name_of(path: &Path, cancel: &CancellationToken) -> std::io::Result<BlobName> {
    BlobName::read(Until(cancel, File::open(path)?))
}

/// Reads until it is cancelled.
struct Until<'a>(&'a CancellationToken, File);

impl std::io::Read for Until<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.0.is_cancelled() {
            return Err(std::io::Error::other("cancelled"));
        }
        self.1.read(buffer)
    }
}
