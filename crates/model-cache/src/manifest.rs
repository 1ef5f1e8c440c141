//! A repository at one commit, sorted into quants, with what the store has of each.

use std::collections::{BTreeMap, HashMap};
use std::ops::ControlFlow;
use std::sync::Arc;

use tabagent_storage::{
    Imports, Key, ManifestQuant, ManifestRecord, QuantRecord, Quants, ReadTransaction, RepoScope,
};

use crate::error::Result;
use crate::file::{FileInfo, FileList};
use crate::status::{FileState, Probe, quant_status};

/// What is there at one commit.
#[derive(Clone, Debug, PartialEq)]
pub struct Manifest {
    /// Repository id as the API returned it.
    pub repo: String,
    /// Revision asked for.
    pub revision: String,
    /// Full commit hash.
    pub commit: String,
    /// Pipeline task, if the Hub names one.
    pub pipeline_task: Option<String>,
    /// Library, if the Hub names one.
    pub library_name: Option<String>,
    /// License, if the Hub names one.
    pub license: Option<String>,
    /// Tags.
    pub tags: Vec<String>,
    /// Whether access must be asked for.
    pub gated: bool,
    /// True when it comes from the store because the Hub could not be asked, or was made from an import that no scan has confirmed.
    pub stale: bool,
    /// When the commit was scanned, milliseconds since 1970.
    pub scanned_at_ms: u64,
    /// By name.
    pub quants: BTreeMap<String, Quant>,
    /// Files every quant needs.
    pub shared_files: FileList,
}

/// One quantization variant.
#[derive(Clone, Debug, PartialEq)]
pub struct Quant {
    /// Name, unique ignoring case.
    pub name: String,
    /// `onnx`, `gguf`, `safetensors`, `openvino`, `pytorch` or `other`.
    pub format: String,
    /// Status now.
    pub status: QuantStatus,
    /// Everything it needs, shared files included.
    pub files: FileList,
    /// Bytes of all its files.
    pub size: u64,
    /// Bytes of them in the store; while a process downloads, the bytes it has, which may not be durable yet.
    pub downloaded: u64,
    /// Why the last download failed, when it did.
    pub error: Option<QuantError>,
    /// Last change, milliseconds since 1970.
    pub updated_at_ms: u64,
}

/// State of a quant, derived from what is true now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QuantStatus {
    /// Not complete, nobody is downloading it; `downloaded` says how much is here.
    Available,
    /// Some process is downloading it now.
    Downloading,
    /// Complete and verified.
    Downloaded,
    /// The last download failed; what came is kept.
    Failed,
}

impl QuantStatus {
    /// As in the public API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Available => "available",
            Self::Downloading => "downloading",
            Self::Downloaded => "downloaded",
            Self::Failed => "failed",
        }
    }
}

/// Why a download failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuantError {
    /// Public error code.
    pub code: String,
    /// Message for a person.
    pub message: String,
}

impl Manifest {
    /// Joins a stored listing with the state of its files.
    pub(crate) fn assemble(
        probe: &Probe<'_>,
        txn: &ReadTransaction<'_>,
        record: ManifestRecord,
        revision: &str,
    ) -> Result<Self> {
        let states = probe.file_states(txn, &record)?;
        Self::with(probe, txn, record, revision, &states)
    }

    /// As [`assemble`](Self::assemble), with the state of the files as they were just read.
    pub(crate) fn with(
        probe: &Probe<'_>,
        txn: &ReadTransaction<'_>,
        record: ManifestRecord,
        revision: &str,
        states: &[FileState],
    ) -> Result<Self> {
        let scope = probe.scope(&record);
        let (mut histories, prefix) = (histories(txn, &scope)?, Key::quants(&scope));
        let files = record.files.into_iter().zip(states);
        let files: Result<Arc<[FileInfo]>> =
            files.map(|(file, state)| FileInfo::listed(file, state.stored)).collect();
        let listing = Listing { scanned_at_ms: record.scanned_at_ms, scope: &scope, states, files: &files? };
        let quants = record.quants.into_iter().map(|quant| {
            let history = histories.remove(prefix.tail(&quant.name).as_bytes());
            (quant.name.clone(), listing.quant(probe, quant, history))
        });
        Ok(Self {
            quants: quants.collect(),
            revision: revision.to_owned(),
            pipeline_task: record.pipeline_task,
            library_name: record.library_name,
            license: record.license,
            tags: record.tags,
            gated: record.gated,
            stale: txn.contains_valid::<Imports>(&Key::import(&scope))?,
            scanned_at_ms: record.scanned_at_ms,
            shared_files: FileList::new(listing.files, record.shared),
            repo: record.repo,
            commit: record.commit,
        })
    }

    /// The same when nothing of it is stored.
    pub(crate) fn emptied(self) -> Self {
        let unstored = |file: &FileInfo| FileInfo { stored: false, ..file.clone() };
        let listing: Arc<[FileInfo]> = self.shared_files.listing().iter().map(unstored).collect();
        let quants = self.quants.into_iter().map(|(name, quant)| {
            let (status, files) = (QuantStatus::Available, quant.files.of(&listing));
            (name, Quant { status, files, downloaded: 0, error: None, ..quant })
        });
        Self { quants: quants.collect(), shared_files: self.shared_files.of(&listing), ..self }
    }
}

/// A listing with the state of its files.
struct Listing<'a> {
    scanned_at_ms: u64,
    scope: &'a RepoScope,
    states: &'a [FileState],
    files: &'a Arc<[FileInfo]>,
}

impl Listing<'_> {
    fn quant(&self, probe: &Probe<'_>, quant: ManifestQuant, history: Option<QuantRecord>) -> Quant {
        let downloaded = chosen(&quant.files, self.states).map(|state| state.downloaded);
        let downloaded = downloaded.fold(0, u64::saturating_add);
        let files = FileList::new(self.files, quant.files);
        let complete = files.iter().all(|file| file.stored);
        let live = !complete && probe.is_downloading(self.scope, &quant.name);
        let updated_at_ms = history.as_ref().map_or(self.scanned_at_ms, |h| h.updated_at_ms);
        let fault = history.and_then(|history| history.fault);
        let status = quant_status(complete, live, fault.is_some());
        let error = fault
            .filter(|_| status == QuantStatus::Failed)
            .map(|fault| QuantError { code: fault.code, message: fault.message });
        let size = files.iter().map(|file| file.size).fold(0, u64::saturating_add);
        let (name, format) = (quant.name, quant.format);
        Quant { name, format, status, files, size, downloaded, error, updated_at_ms }
    }
}

/// The history of every quant of a commit, by what its key says of it.
fn histories(txn: &ReadTransaction<'_>, scope: &RepoScope) -> Result<HashMap<Vec<u8>, QuantRecord>> {
    let (prefix, mut out) = (Key::quants(scope), HashMap::new());
    txn.scan::<Quants>(&prefix, |key, history| {
        out.extend(key.strip_prefix(prefix.as_bytes()).map(|tail| (tail.to_vec(), history)));
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(out)
}

fn chosen<'a, T>(indices: &'a [u32], from: &'a [T]) -> impl Iterator<Item = &'a T> {
    indices.iter().filter_map(|index| from.get(*index as usize))
}
