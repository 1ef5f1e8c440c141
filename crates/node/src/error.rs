//! Errors of the core as errors of JavaScript.
//!
//! An error crosses as JSON in its message: that is the one form that a thrown error and a rejected promise share.
//! `fromNative` in `src/errors.ts` unpacks it.

use serde_json::{Value, json};
use tabagent_model_cache::Error;

/// Packs `code`, message, fields and causes.
pub(crate) fn to_napi(error: impl Into<Error>) -> napi::Error {
    let error = error.into();
    let packed = json!({
        "code": error.code(),
        "message": error.to_string(),
        "fields": fields(&error),
        "causes": error.causes(),
    });
    napi::Error::from_reason(packed.to_string())
}

/// The fields that are set, under their names in JavaScript.
fn fields(error: &Error) -> Value {
    let fields = error.fields();
    let named = [
        ("repo", json!(fields.repo)),
        ("path", json!(fields.path)),
        ("url", json!(fields.url)),
        ("status", json!(fields.status)),
        ("retryAfter", json!(fields.retry_after)),
        ("expected", json!(fields.expected)),
        ("actual", json!(fields.actual)),
        ("needed", json!(fields.needed)),
        ("available", json!(fields.available)),
    ];
    named
        .into_iter()
        .filter(|(_, value)| !value.is_null())
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}
