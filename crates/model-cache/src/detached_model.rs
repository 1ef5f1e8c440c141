//! An ONNX model and its weights apart, for engines that are given weights by name: nothing of it has a path.

use std::cell::RefCell;
use std::ops::Range;
use std::sync::Arc;

use crate::cache::ModelCache;
use crate::cached_file::CachedFile;
use crate::error::{Error, Result};
use crate::inner::Inner;
use crate::onnx::{self, DETACHED_FILE, Detached, Sources};
use crate::onnx_model::{explain, open_external, source_of, write_out};
use crate::repo_name::{check_path, check_repo, check_revision};
use crate::required::stored_file;

/// A stored ONNX model without its large weights, and these as parts of files.
#[derive(Debug)]
pub struct DetachedModel {
    /// The model. Of its detached weights it says that they are in files beside it, called [`DetachedModel::FILE`] and their numbers
    /// among `files`.
    pub model: Vec<u8>,
    /// Its detached weights.
    pub weights: Vec<DetachedWeights>,
    /// The files that the weights are in.
    pub files: Vec<CachedFile>,
}

impl DetachedModel {
    /// What the names of files in `model` begin with.
    pub const FILE: &str = DETACHED_FILE;
}

/// Weights of one initializer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DetachedWeights {
    /// Name of the initializer.
    pub name: String,
    /// Its `TensorProto.DataType`.
    pub element_type: u64,
    /// Its dimensions.
    pub shape: Vec<u64>,
    /// Which of the files has them.
    pub file: usize,
    /// Its bytes there.
    pub range: Range<u64>,
}

impl ModelCache {
    /// A stored ONNX model, and apart from it the weights of its outermost graph whose type is one of `element_types`
    /// (`TensorProto.DataType`) and that have at least 1 KiB. All others are in the model. No network; nothing is written.
    ///
    /// # Errors
    /// `ERR_FILE_NOT_FOUND`, `ERR_INVALID_ARGUMENT` as [`ModelCache::onnx_model`]; `ERR_TOO_LARGE`, `ERR_IO`, `ERR_CLOSED`.
    pub async fn detached_model(
        &self,
        repo: &str,
        path: &str,
        revision: Option<&str>,
        element_types: Vec<u64>,
    ) -> Result<DetachedModel> {
        let inner = self.inner()?;
        check_repo(repo)?;
        check_path(path)?;
        check_revision(revision)?;
        let (repo, path, revision) = (repo.to_owned(), path.to_owned(), revision.map(str::to_owned));
        inner
            .call_blocking(move |inner, _| {
                let model = stored_file(inner, &repo, &path, check_revision(revision.as_deref())?)?;
                detach(inner, &model, &element_types)
            })
            .await
    }
}

fn detach(inner: &Arc<Inner>, model: &CachedFile, element_types: &[u64]) -> Result<DetachedModel> {
    let view = model.reader().map()?;
    let files = RefCell::new(vec![model.clone()]);
    let mut open_external = |location: &str| {
        let file = open_external(inner, model, location)?;
        let source = source_of(file.reader());
        files.borrow_mut().push(file);
        Ok(source)
    };
    let sources = Sources::new(source_of(model.reader()), &mut open_external);
    let mut sources = sources.detaching(element_types);
    let rope = onnx::rewrite(&view, &mut sources).map_err(|failure| explain(model, failure))?;
    let weights = sources.into_detached().into_iter().map(DetachedWeights::from).collect();
    let files = files.into_inner();
    let mut bytes = Vec::new();
    let write = &mut |part: &[u8]| {
        bytes.extend_from_slice(part);
        Ok(())
    };
    write_out(&rope, &view, |file| files.get(file).map(CachedFile::reader), "", write)
        .map_err(Error::Storage)?;
    Ok(DetachedModel { model: bytes, weights, files })
}

impl From<Detached> for DetachedWeights {
    fn from(detached: Detached) -> Self {
        let Detached { name, element_type, shape, file, range } = detached;
        Self { name, element_type, shape, file, range }
    }
}
