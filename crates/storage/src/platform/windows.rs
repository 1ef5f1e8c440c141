//! Windows. Not run yet: type-checked only.
