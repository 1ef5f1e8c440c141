//! Bytes of a tensor by its type and shape.

/// Bits of an element of a `TensorProto.DataType`; `None` for texts and types that came later.
fn bits(data_type: u64) -> Option<u64> {
    Some(match data_type {
        25 | 26 => 2,
        21..=23 => 4,
        2 | 3 | 9 | 17..=20 | 24 => 8,
        4 | 5 | 10 | 16 => 16,
        1 | 6 | 12 => 32,
        7 | 11 | 13 | 14 => 64,
        15 => 128,
        _ => return None,
    })
}

/// Bytes of a tensor of this type with so many elements; `None` when that is not known.
pub(crate) fn tensor_bytes(data_type: u64, elements: Option<u64>) -> Option<u64> {
    Some(elements?.checked_mul(bits(data_type)?)?.div_ceil(8))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_elements_share_bytes() {
        assert_eq!(tensor_bytes(1, Some(3)), Some(12));
        assert_eq!(tensor_bytes(22, Some(3)), Some(2));
        assert_eq!(tensor_bytes(25, Some(5)), Some(2));
        assert_eq!(tensor_bytes(8, Some(3)), None);
        assert_eq!(tensor_bytes(15, Some(u64::MAX)), None);
    }
}
