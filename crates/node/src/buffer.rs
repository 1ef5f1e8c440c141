//! Buffers over mapped memory: the only file of this crate with `unsafe`.
//!
//! The wrappers of the `napi` crate fall back to a silent copy where external buffers are not allowed, which this file
//! must know of; so it makes the raw calls itself.
#![expect(unsafe_code, reason = "memory that JavaScript reads has no Rust lifetime")]

use std::ffi::c_void;
use std::ptr;
use std::sync::{Arc, OnceLock};

use napi::bindgen_prelude::{BufferSlice, JsValue, Unknown};
use napi::{Env, Status, sys};
use tabagent_model_cache::Mapping;

/// Least bytes worth an external buffer: below, V8's work for one costs more than the copy. Smaller files are no pages of
/// the store anyway.
pub(crate) const SHOWN: u64 = 64 * 1024;

/// A Buffer over the bytes of `mapping`, which lives until the Buffer's memory is freed; a copy where the mapping is small or
/// the platform (Electron) allows no external buffers.
pub(crate) fn over(env: &Env, mapping: Arc<Mapping>) -> napi::Result<Unknown<'_>> {
    if (mapping.len() as u64) < SHOWN || !external_allowed(env) {
        return Ok(BufferSlice::copy_from(env, &mapping[..])?.to_unknown());
    }
    let (data, length) = (mapping.as_mut_ptr(), mapping.len());
    external(env, data, length, Box::new(mapping))
}

/// A Buffer that owns `bytes`.
pub(crate) fn owning(env: &Env, bytes: Vec<u8>) -> napi::Result<Unknown<'_>> {
    Ok(BufferSlice::from_data(env, bytes)?.to_unknown())
}

/// Whether this process may have buffers over memory that V8 did not allocate. It is the same in all its environments.
pub(crate) fn external_allowed(env: &Env) -> bool {
    static ALLOWED: OnceLock<bool> = OnceLock::new();
    *ALLOWED.get_or_init(|| {
        let mut byte = Box::new(0_u8);
        let data = ptr::from_mut(&mut *byte);
        external(env, data, 1, byte).is_ok()
    })
}

/// A Buffer over `length` bytes at `data`, which `owner` keeps valid and writable.
fn external<O: Send + 'static>(
    env: &Env,
    data: *mut u8,
    length: usize,
    owner: Box<O>,
) -> napi::Result<Unknown<'_>> {
    let owner = Box::into_raw(owner);
    let mut buffer = ptr::null_mut();
    // SAFETY: `env` is valid for this call on its own thread; `data` stays valid until `release` drops the owner, which
    // Node does once, after the last use of the memory.
    let status = unsafe {
        sys::napi_create_external_buffer(
            env.raw(),
            length,
            data.cast(),
            Some(release::<O>),
            owner.cast(),
            &raw mut buffer,
        )
    };
    match status {
        sys::Status::napi_ok => {
            // SAFETY: the call succeeded, so `buffer` is a value of this environment's current scope.
            Ok(unsafe { Unknown::from_raw_unchecked(env.raw(), buffer) })
        }
        sys::Status::napi_no_external_buffers_allowed => {
            // SAFETY: with this status Node has taken nothing: the owner is still ours. With every other failure it has
            // already run `release`, so only here may the owner be dropped.
            drop(unsafe { Box::from_raw(owner) });
            Err(napi::Error::new(Status::NoExternalBuffersAllowed, "external buffers are not allowed here"))
        }
        _ => Err(napi::Error::new(Status::from(status), "the external buffer was refused")),
    }
}

/// Node's finalizer: the last use of the memory is over.
unsafe extern "C" fn release<O>(_env: sys::napi_env, _data: *mut c_void, owner: *mut c_void) {
    // SAFETY: `owner` came from `Box::into_raw` of a `Box<O>` in `external`, and Node calls this once.
    drop(unsafe { Box::from_raw(owner.cast::<O>()) });
}
