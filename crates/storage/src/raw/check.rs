//! libmdbx's own check of a database.
#![expect(unsafe_code, reason = "raw libmdbx calls; every block states why it is sound")]

use std::mem::MaybeUninit;

use mdbx_sys as ffi;

use super::{Environment, check};

/// Problems found by walking all trees, all values and the free pages.
pub(crate) fn problems(environment: Environment<'_>) -> usize {
    let callbacks = MaybeUninit::<ffi::MDBX_chk_callbacks_t>::zeroed();
    let mut context = MaybeUninit::<ffi::MDBX_chk_context_t>::zeroed();
    // SAFETY: the environment is open; all callbacks are null, which libmdbx allows; it fills `context`.
    let code = unsafe {
        ffi::mdbx_env_chk(
            environment.env,
            callbacks.as_ptr(),
            context.as_mut_ptr(),
            ffi::MDBX_CHK_DEFAULTS,
            ffi::MDBX_chk_result,
            0,
        )
    };
    check(code).unwrap();
    // SAFETY: it is a struct of integers and pointers, for which zeros are a valid value.
    unsafe { context.assume_init() }.result.total_problems
}
