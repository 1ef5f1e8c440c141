//! ONNX models as paths.

use napi::Env;
use napi::bindgen_prelude::PromiseRaw;
use napi_derive::napi;
use tabagent_model_cache::OnnxModel;

use crate::cache::NativeCache;
use crate::operation::Operation;

#[napi]
impl NativeCache {
    /// The path of a stored model.
    #[napi(
        catch_unwind,
        ts_args_type = "repo: string, path: string, revision: string | undefined, operation: Operation",
        ts_return_type = "Promise<NativeOnnxModel>"
    )]
    pub fn onnx_model<'env>(
        &self,
        env: &'env Env,
        repo: String,
        path: String,
        revision: Option<String>,
        operation: &Operation,
    ) -> napi::Result<PromiseRaw<'env, NativeOnnxModel>> {
        let cache = self.cache();
        operation.run(env, async move { cache.onnx_model(&repo, &path, revision.as_deref()).await })
    }
}

/// A model with a path; see `src/onnx-model.ts`.
#[napi]
pub struct NativeOnnxModel {
    /// `None` once closed.
    model: Option<OnnxModel>,
}

#[napi]
impl NativeOnnxModel {
    /// What never changes while it is open.
    #[napi(catch_unwind)]
    pub fn describe(&self) -> napi::Result<NativeOnnxModelDescription> {
        let model = self.model.as_ref().ok_or_else(|| napi::Error::from_reason("a closed model was used"))?;
        Ok(NativeOnnxModelDescription {
            repo: model.repo().to_owned(),
            path: model.path().to_owned(),
            commit: model.commit().to_owned(),
            model_path: model.model_path().to_string_lossy().into_owned(),
        })
    }

    /// Lets go of the files.
    #[napi(catch_unwind)]
    pub fn close(&mut self) {
        self.model = None;
    }
}

impl From<OnnxModel> for NativeOnnxModel {
    fn from(model: OnnxModel) -> Self {
        Self { model: Some(model) }
    }
}

/// See the fields of `OnnxModel` in `src/onnx-model.ts`.
#[napi(object, object_from_js = false)]
pub struct NativeOnnxModelDescription {
    /// Repository.
    pub repo: String,
    /// Path within the repository.
    pub path: String,
    /// Commit.
    pub commit: String,
    /// Path on this machine.
    pub model_path: String,
}
