//! The number formats of ONNX tensors (`TensorProto.DataType`).

/// Names by number, as safetensors has them where it has them.
const NAMES: &[&str] = &[
    "UNDEFINED",
    "F32",
    "U8",
    "I8",
    "U16",
    "I16",
    "I32",
    "I64",
    "STRING",
    "BOOL",
    "F16",
    "F64",
    "U32",
    "U64",
    "C64",
    "C128",
    "BF16",
    "F8_E4M3",
    "F8_E4M3FNUZ",
    "F8_E5M2",
    "F8_E5M2FNUZ",
    "U4",
    "I4",
    "F4",
    "F8_E8M0",
    "U2",
    "I2",
];

/// Name of a type, its number where it came later than this table.
pub(super) fn name(number: u64) -> String {
    let known = usize::try_from(number).ok().and_then(|number| NAMES.get(number));
    known.map_or_else(|| format!("type {number}"), |name| (*name).to_owned())
}
