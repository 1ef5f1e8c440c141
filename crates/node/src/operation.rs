//! One call that JavaScript can let go, and the promise it gets.

use std::future::Future;

use napi::bindgen_prelude::{PromiseRaw, ToNapiValue, spawn_blocking};
use napi::{Env, Status};
use napi_derive::napi;
use tabagent_model_cache::Error;
use tokio_util::sync::CancellationToken;

use crate::error::to_napi;
use crate::progress::{Latest, NativeProgress};

/// The caller's end of one running call.
#[napi]
#[derive(Default)]
pub struct Operation {
    token: CancellationToken,
    latest: Latest,
}

#[napi]
impl Operation {
    /// An operation that no call belongs to yet.
    #[napi(constructor, catch_unwind)]
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets the call go: its promise rejects, and what it did goes on only for others who want it too.
    #[napi(catch_unwind)]
    pub fn cancel(&self) {
        self.token.cancel();
    }

    /// The newest progress, unless it was taken before.
    #[napi(catch_unwind)]
    pub fn take_progress(&self) -> Option<NativeProgress> {
        self.latest.take()
    }
}

impl Operation {
    pub(crate) fn latest(&self) -> &Latest {
        &self.latest
    }

    /// A promise of what `future` gives. Letting go drops the future, which detaches this caller in the core.
    pub(crate) fn run<'env, T, R>(
        &self,
        env: &'env Env,
        future: impl Future<Output = Result<T, Error>> + Send + 'static,
    ) -> napi::Result<PromiseRaw<'env, R>>
    where
        T: 'static,
        R: From<T> + ToNapiValue + Send + 'static,
    {
        let token = self.token.clone();
        env.spawn_future(async move {
            match token.run_until_cancelled(future).await {
                Some(result) => result.map(R::from).map_err(to_napi),
                None => Err(napi::Error::new(Status::Cancelled, "the caller let this call go")),
            }
        })
    }
}

/// An environment that ends (a terminated worker) finalizes its objects: nobody waits for the call any more.
impl Drop for Operation {
    fn drop(&mut self) {
        self.token.cancel();
    }
}

/// A promise of what `future` gives, without a way to let it go.
pub(crate) fn promise<T, R>(
    env: &Env,
    future: impl Future<Output = Result<T, Error>> + Send + 'static,
) -> napi::Result<PromiseRaw<'_, R>>
where
    T: 'static,
    R: From<T> + ToNapiValue + Send + 'static,
{
    env.spawn_future(async move { future.await.map(R::from).map_err(to_napi) })
}

/// A promise of what `work` gives on a thread where it may block.
pub(crate) fn blocking<T, R>(
    env: &Env,
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> napi::Result<PromiseRaw<'_, R>>
where
    T: Send + 'static,
    R: From<T> + ToNapiValue + Send + 'static,
{
    env.spawn_future(async move {
        let finished = spawn_blocking(work).await;
        finished.map_err(|panic| napi::Error::from_reason(panic.to_string()))?.map(R::from).map_err(to_napi)
    })
}
