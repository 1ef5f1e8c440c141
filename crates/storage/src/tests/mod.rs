//! Tests that look below the public interface.

mod checking;
mod child;
mod churn;
mod decoding;
pub(crate) mod fixture;
mod interrupting;
mod limits;
#[path = "../../../testing/mutation.rs"]
pub(crate) mod mutation;
mod orphan;
mod partial;
mod pinning;
mod reading;
mod removal;
mod space;
mod stub;
mod walk;

/// Writes one byte into a view, as JavaScript or numpy may.
#[expect(unsafe_code, reason = "the write that bindings make possible")]
fn poke(view: &crate::Mapping, at: usize, byte: u8) {
    assert!(at < view.len());
    // SAFETY: the address is inside the view, and no slice of it is read meanwhile.
    unsafe { view.as_mut_ptr().wrapping_add(at).write(byte) };
}
