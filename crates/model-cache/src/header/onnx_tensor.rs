//! One tensor of an ONNX model, without its numbers.

use std::ops::Range;

use super::bytes::{Bytes, Stop};
use super::limits::{LONGEST_NAME, MOST_DIMENSIONS};
use super::{TensorData, TensorInfo, onnx_type};
use crate::onnx::schema::EXTERNAL;
use crate::onnx::schema::tensor::{DATA_LOCATION, DATA_TYPE, DIMS, EXTERNAL_DATA, NAME, RAW_DATA};
use crate::onnx::tensor_bytes;
use crate::onnx::wire::{Field, Fields, Value, packed};

/// What a tensor says of the file it is in.
#[derive(Default)]
struct External {
    location: String,
    offset: u64,
    length: Option<u64>,
}

/// The tensor whose message lies at `range`.
pub(super) fn read<B: Bytes>(bytes: &B, range: Range<usize>) -> Result<TensorInfo, Stop> {
    let (mut raw, mut is_external, mut external, mut data_type) = (None, false, External::default(), 0);
    let mut tensor = TensorInfo {
        name: String::new(),
        shape: Vec::new(),
        dtype: onnx_type::name(0),
        offset: range.start as u64,
        length: range.len() as u64,
        data: TensorData::Encoded,
    };
    for field in Fields::new(bytes, range) {
        let Field { number, value, .. } = field?;
        match (number, value) {
            (DIMS, Value::Varint(dimension)) => add(&mut tensor.shape, dimension)?,
            (DIMS, Value::Bytes(dimensions)) => {
                for dimension in packed(bytes, dimensions) {
                    add(&mut tensor.shape, dimension?)?;
                }
            }
            (DATA_TYPE, Value::Varint(number)) => data_type = number,
            (NAME, Value::Bytes(name)) => tensor.name = text(bytes, name, LONGEST_NAME)?,
            (RAW_DATA, Value::Bytes(found)) => raw = Some(found),
            (EXTERNAL_DATA, Value::Bytes(entry)) => external.note(bytes, entry)?,
            (DATA_LOCATION, Value::Varint(location)) => is_external = location == EXTERNAL,
            _ => {}
        }
    }
    tensor.dtype = onnx_type::name(data_type);
    if is_external {
        let elements =
            tensor.shape.iter().try_fold(1_u64, |product, dimension| product.checked_mul(*dimension));
        tensor.offset = external.offset;
        tensor.length = external.length.or_else(|| tensor_bytes(data_type, elements)).unwrap_or_default();
        tensor.data = TensorData::External(external.location);
    } else if let Some(raw) = raw {
        (tensor.offset, tensor.length) = (raw.start as u64, raw.len() as u64);
        tensor.data = TensorData::Raw;
    }
    Ok(tensor)
}

fn add(shape: &mut Vec<u64>, dimension: u64) -> Result<(), Stop> {
    if shape.len() >= MOST_DIMENSIONS {
        return Err(Stop::malformed(format!("a tensor has more than {MOST_DIMENSIONS} dimensions")));
    }
    shape.push(dimension);
    Ok(())
}

impl External {
    /// A `StringStringEntryProto`.
    fn note<B: Bytes>(&mut self, bytes: &B, range: Range<usize>) -> Result<(), Stop> {
        let (key, value) = entry(bytes, range, LONGEST_NAME)?;
        match key.as_str() {
            "offset" => self.offset = value.parse().unwrap_or_default(),
            "length" => self.length = value.parse().ok(),
            "location" => self.location = value,
            _ => {}
        }
        Ok(())
    }
}

/// A `StringStringEntryProto`, whose value has at most so many bytes.
pub(super) fn entry<B: Bytes>(
    bytes: &B,
    range: Range<usize>,
    longest: u64,
) -> Result<(String, String), Stop> {
    let (mut key, mut text_value) = (String::new(), String::new());
    for field in Fields::new(bytes, range) {
        let Field { number, value, .. } = field?;
        match (number, value) {
            (1, Value::Bytes(found)) => key = text(bytes, found, LONGEST_NAME)?,
            (2, Value::Bytes(found)) => text_value = text(bytes, found, longest)?,
            _ => {}
        }
    }
    Ok((key, text_value))
}

/// A short text.
pub(super) fn text<B: Bytes>(bytes: &B, range: Range<usize>, longest: u64) -> Result<String, Stop> {
    let range = range.start as u64..range.end as u64;
    if range.end - range.start > longest {
        return Err(Stop::malformed(format!("a name is too long (at byte {})", range.start)));
    }
    Ok(String::from_utf8_lossy(bytes.get(range)?).into_owned())
}
