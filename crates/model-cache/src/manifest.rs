//! A repository at one commit, sorted into quants, with what the store has of each.

use std::collections::BTreeMap;

use tabagent_storage::{
    Imports, Key, ManifestQuant, ManifestRecord, QuantRecord, Quants, ReadTransaction, RepoScope,
};

use crate::error::Result;
use crate::file::FileInfo;
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
    pub shared_files: Vec<FileInfo>,
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
    pub files: Vec<FileInfo>,
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
        record: &ManifestRecord,
        revision: &str,
    ) -> Result<Self> {
        Self::with(probe, txn, record, revision, &probe.file_states(txn, record)?)
    }

    /// As [`assemble`](Self::assemble), with the state of the files as they were just read.
    pub(crate) fn with(
        probe: &Probe<'_>,
        txn: &ReadTransaction<'_>,
        record: &ManifestRecord,
        revision: &str,
        states: &[FileState],
    ) -> Result<Self> {
        let scope = probe.scope(record);
        let mut quants = BTreeMap::new();
        for quant in &record.quants {
            let history = txn.get::<Quants>(&Key::quant(&scope, &quant.name))?;
            let assembled = assemble_quant(probe, record, &scope, quant, states, history)?;
            quants.insert(quant.name.clone(), assembled);
        }
        Ok(Self {
            repo: record.repo.clone(),
            revision: revision.to_owned(),
            commit: record.commit.clone(),
            pipeline_task: record.pipeline_task.clone(),
            library_name: record.library_name.clone(),
            license: record.license.clone(),
            tags: record.tags.clone(),
            gated: record.gated,
            stale: txn.get::<Imports>(&Key::import(&scope))?.is_some(),
            scanned_at_ms: record.scanned_at_ms,
            quants,
            shared_files: infos(record, &record.shared, states)?,
        })
    }

    /// The same when nothing of it is stored.
    pub(crate) fn emptied(mut self) -> Self {
        let unstored = |files: &mut Vec<FileInfo>| files.iter_mut().for_each(|file| file.stored = false);
        unstored(&mut self.shared_files);
        for quant in self.quants.values_mut() {
            unstored(&mut quant.files);
            *quant = Quant { status: QuantStatus::Available, downloaded: 0, error: None, ..quant.clone() };
        }
        self
    }
}

fn assemble_quant(
    probe: &Probe<'_>,
    record: &ManifestRecord,
    scope: &RepoScope,
    quant: &ManifestQuant,
    known: &[FileState],
    history: Option<QuantRecord>,
) -> Result<Quant> {
    let files = infos(record, &quant.files, known)?;
    let size = files.iter().map(|file| file.size).sum();
    let downloaded = chosen(&quant.files, known).map(|state| state.downloaded).sum();
    let complete = files.iter().all(|file| file.stored);
    let live = !complete && probe.is_downloading(scope, &quant.name);
    let fault = history.as_ref().and_then(|h| h.fault.clone());
    let status = quant_status(complete, live, fault.is_some());
    let error = fault
        .filter(|_| status == QuantStatus::Failed)
        .map(|fault| QuantError { code: fault.code, message: fault.message });
    Ok(Quant {
        name: quant.name.clone(),
        format: quant.format.clone(),
        status,
        files,
        size,
        downloaded,
        error,
        updated_at_ms: history.map_or(record.scanned_at_ms, |h| h.updated_at_ms),
    })
}

fn chosen<'a, T>(indices: &'a [u32], from: &'a [T]) -> impl Iterator<Item = &'a T> {
    indices.iter().filter_map(|index| from.get(*index as usize))
}

fn infos(record: &ManifestRecord, indices: &[u32], states: &[FileState]) -> Result<Vec<FileInfo>> {
    let files = chosen(indices, &record.files).zip(chosen(indices, states));
    files.map(|(file, state)| FileInfo::listed(file, state.stored)).collect()
}
