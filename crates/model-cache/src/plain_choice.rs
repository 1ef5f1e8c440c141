//! Which files a caller wants as plain files: a stored file with its numbered parts, or all of a quant.

use std::collections::BTreeMap;
use std::path::Path;

use tabagent_hub::quant::parts;
use tabagent_storage::{BlobName, ManifestQuant, ManifestRecord};

use crate::cached_file::CachedFile;
use crate::error::{Error, Result};
use crate::export::check_safe;
use crate::inner::Inner;
use crate::lookup::Lookup;
use crate::plain_files::{PlainFile, PlainMethod};
use crate::required::{stored_file, stored_quant};

/// Role of the files that hold a model.
const WEIGHTS: &str = "weights";

/// Files that are to lie in one folder, open.
pub(crate) struct PlainChoice {
    pub(crate) repo: String,
    pub(crate) quant: Option<String>,
    /// In the order of the listing; never empty.
    pub(crate) files: Vec<CachedFile>,
    /// Place of the file that an engine is given.
    pub(crate) first: usize,
}

impl PlainChoice {
    /// What `asked` means: the path of a file before the name of a quant.
    pub(crate) fn make(inner: &Inner, repo: &str, revision: &str, asked: &str) -> Result<Self> {
        if let Some(file) = CachedFile::open(inner, repo, asked, revision)? {
            return Self::of_file(inner, file);
        }
        match stored_quant(inner, repo, revision, asked) {
            Ok((record, quant)) => Self::of_quant(inner, &record, quant),
            Err(unknown @ Error::QuantNotFound { .. }) => match stored_file(inner, repo, asked, revision) {
                // Nothing is called so: what it looks like tells which names to offer.
                Err(Error::FileNotFound { .. }) if !asked.contains(['/', '.']) => Err(unknown),
                outcome => Self::of_file(inner, outcome?),
            },
            Err(error) => Err(error),
        }
    }

    /// The file and the parts without which it is of no use.
    fn of_file(inner: &Inner, file: CachedFile) -> Result<Self> {
        let (repo, commit) = (file.repo().to_owned(), file.commit().to_owned());
        let endpoint = &inner.endpoint;
        let record = inner.read(|txn| Lookup { txn, endpoint }.manifest(&repo, &commit))?;
        let listed: Vec<&str> =
            record.iter().flat_map(|record| &record.files).map(|file| file.path.as_str()).collect();
        let parts = parts(listed, file.path());
        let files = if parts.is_empty() {
            vec![file]
        } else {
            parts.into_iter().map(|path| stored_file(inner, &repo, path, &commit)).collect::<Result<_>>()?
        };
        Self { repo, quant: None, files, first: 0 }.checked()
    }

    fn of_quant(inner: &Inner, record: &ManifestRecord, quant: ManifestQuant) -> Result<Self> {
        let listed: Vec<_> =
            quant.files.iter().filter_map(|place| record.files.get(*place as usize)).collect();
        let weights = listed.iter().enumerate().filter(|(_, file)| file.role == WEIGHTS);
        let first = weights.min_by_key(|(_, file)| &file.path).map_or(0, |(place, _)| place);
        let files = listed.iter().map(|file| stored_file(inner, &record.repo, &file.path, &record.commit));
        Self {
            repo: record.repo.clone(),
            quant: Some(quant.name),
            files: files.collect::<Result<_>>()?,
            first,
        }
        .checked()
    }

    fn checked(self) -> Result<Self> {
        self.files.iter().try_for_each(|file| check_safe(file.path()))?;
        Ok(self)
    }

    /// Bytes of all files.
    pub(crate) fn size(&self) -> u64 {
        self.files.iter().map(CachedFile::size).sum()
    }

    /// Paths and bytes.
    pub(crate) fn blobs(&self) -> BTreeMap<String, BlobName> {
        self.files.iter().map(|file| (file.path().to_owned(), *file.reader().name())).collect()
    }

    /// The files in `folder`, each with how it came to be there.
    pub(crate) fn report(&self, folder: &Path, methods: &[PlainMethod]) -> Vec<PlainFile> {
        let files = self.files.iter().zip(methods);
        files
            .map(|(file, method)| PlainFile {
                path: file.path().to_owned(),
                file: file.path().split('/').fold(folder.to_owned(), |at, name| at.join(name)),
                size: file.size(),
                method: *method,
            })
            .collect()
    }
}
