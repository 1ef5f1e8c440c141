//! GGUF, versions 2 and 3: counts, then key and value of the metadata, then the list of tensors, then these at a multiple of the
//! alignment.

use serde_json::{Map, Number, Value};

use super::bytes::{Bytes, Stop};
use super::limits::{LARGEST_HEADER, LONGEST_NAME, push, put};
use super::{Header, TensorData, TensorInfo, gguf_type};

/// How a file begins.
pub(super) const MAGIC: &[u8] = b"GGUF";

/// Most dimensions of a tensor; ggml has 4.
const MOST_DIMENSIONS: u32 = 8;

/// Longer arrays (vocabularies) are told by type and length.
const LONGEST_ARRAY: u64 = 1024;

/// Where tensors begin without `general.alignment`.
const ALIGNMENT: u64 = 32;

/// Types of values that lead to others.
const TEXT: u32 = 8;
const ARRAY: u32 = 9;

/// A tensor whose offset still counts from where the tensors begin.
struct Listed {
    tensor: TensorInfo,
    /// Not known of types that came later.
    length: Option<u64>,
}

/// Reads one thing after the other.
struct Cursor<'a, B> {
    bytes: &'a B,
    at: u64,
}

pub(super) fn read(bytes: &impl Bytes) -> Result<Header, Stop> {
    let mut cursor = Cursor { bytes, at: MAGIC.len() as u64 };
    let version = cursor.u32()?;
    if !matches!(version, 2 | 3) {
        let reason = if version.swap_bytes() < 256 {
            "it is for big-endian machines"
        } else {
            "only 2 and 3 are known"
        };
        return Err(Stop::malformed(format!("GGUF version {version:#x}: {reason}")));
    }
    let (tensors, keys) = (cursor.u64()?, cursor.u64()?);
    let mut metadata = Map::new();
    for _ in 0..keys {
        let (key, kind) = (cursor.name()?, cursor.u32()?);
        let value = cursor.value(kind)?;
        put(&mut metadata, key, value)?;
    }
    let mut listed = Vec::new();
    for _ in 0..tensors {
        let one = cursor.tensor()?;
        push(&mut listed, one)?;
    }
    let text = |key: &str| metadata.get(key).and_then(Value::as_str).map(str::to_owned);
    let architecture = text("general.architecture");
    let tensors = place(listed, first_byte(&metadata, cursor.at)?, bytes.size())?;
    Ok(Header { version: Some(version.into()), architecture, ..Header::new("gguf", tensors, metadata) })
}

/// Where the tensors begin.
fn first_byte(metadata: &Map<String, Value>, end: u64) -> Result<u64, Stop> {
    let alignment = metadata.get("general.alignment").and_then(Value::as_u64).unwrap_or(ALIGNMENT);
    let first = if alignment == 0 { None } else { end.checked_next_multiple_of(alignment) };
    first.ok_or_else(|| Stop::malformed(format!("its tensors cannot be aligned to {alignment} bytes")))
}

/// The tensors with their offsets in the file.
fn place(listed: Vec<Listed>, first: u64, size: u64) -> Result<Vec<TensorInfo>, Stop> {
    let mut starts: Vec<u64> = listed.iter().map(|one| one.tensor.offset).collect();
    starts.sort_unstable();
    let mut tensors = Vec::with_capacity(listed.len());
    for Listed { mut tensor, length } in listed {
        let next = starts.get(starts.partition_point(|start| *start <= tensor.offset)).copied();
        let offset = first.checked_add(tensor.offset);
        // Of an unknown type all is taken up to the next tensor.
        let until = next.map_or(Some(size), |next| first.checked_add(next));
        let length = length.or_else(|| until?.checked_sub(offset?));
        let inside =
            |(offset, length): &(u64, u64)| offset.checked_add(*length).is_some_and(|end| end <= size);
        let (offset, length) = offset.zip(length).filter(inside).ok_or_else(|| {
            Stop::malformed(format!("its tensor {:?} reaches beyond the end of the file", tensor.name))
        })?;
        (tensor.offset, tensor.length) = (offset, length);
        tensors.push(tensor);
    }
    Ok(tensors)
}

impl<B: Bytes> Cursor<'_, B> {
    fn take(&mut self, length: u64) -> Result<&[u8], Stop> {
        let start = self.at;
        if start.saturating_add(length) > LARGEST_HEADER {
            return Err(Stop::malformed(format!("its header has more than {LARGEST_HEADER} bytes")));
        }
        let taken = self.bytes.take(start, length)?;
        self.at = start + length;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Stop> {
        let taken = self.take(N as u64)?;
        taken.first_chunk().copied().ok_or_else(|| Stop::malformed("it is cut off"))
    }

    fn u32(&mut self) -> Result<u32, Stop> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    fn u64(&mut self) -> Result<u64, Stop> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    /// Text that need not be UTF-8: tokens are not.
    fn text(&mut self) -> Result<String, Stop> {
        let length = self.u64()?;
        Ok(String::from_utf8_lossy(self.take(length)?).into_owned())
    }

    fn name(&mut self) -> Result<String, Stop> {
        let length = self.u64()?;
        if length > LONGEST_NAME {
            return Err(Stop::malformed(format!("the name at byte {} has {length} bytes", self.at)));
        }
        Ok(String::from_utf8_lossy(self.take(length)?).into_owned())
    }

    fn tensor(&mut self) -> Result<Listed, Stop> {
        let name = self.name()?;
        let dimensions = self.u32()?;
        if dimensions > MOST_DIMENSIONS {
            return Err(Stop::malformed(format!("its tensor {name:?} has {dimensions} dimensions")));
        }
        let mut shape = (0..dimensions).map(|_| self.u64()).collect::<Result<Vec<_>, _>>()?;
        shape.reverse();
        let (kind, offset) = (self.u32()?, self.u64()?);
        let count = shape.iter().try_fold(1_u64, |product, dimension| product.checked_mul(*dimension));
        let count =
            count.ok_or_else(|| Stop::malformed(format!("the shape of its tensor {name:?} cannot be")))?;
        let dtype = gguf_type::name(kind);
        let tensor = TensorInfo { name, shape, dtype, offset, length: 0, data: TensorData::Raw };
        Ok(Listed { tensor, length: gguf_type::length(kind, count) })
    }

    fn value(&mut self, kind: u32) -> Result<Value, Stop> {
        match kind {
            TEXT => Ok(Value::String(self.text()?)),
            ARRAY => self.values(),
            _ => self.number(kind),
        }
    }

    fn number(&mut self, kind: u32) -> Result<Value, Stop> {
        Ok(match kind {
            0 => u8::from_le_bytes(self.array()?).into(),
            1 => i8::from_le_bytes(self.array()?).into(),
            2 => u16::from_le_bytes(self.array()?).into(),
            3 => i16::from_le_bytes(self.array()?).into(),
            4 => self.u32()?.into(),
            5 => i32::from_le_bytes(self.array()?).into(),
            6 => decimal(f32::from_le_bytes(self.array()?).to_string()),
            7 => Value::Bool(self.array::<1>()? != [0]),
            10 => self.u64()?.into(),
            11 => i64::from_le_bytes(self.array()?).into(),
            12 => decimal(f64::from_le_bytes(self.array()?).to_string()),
            _ => return Err(Stop::malformed(format!("a value at byte {} is of type {kind}", self.at))),
        })
    }

    /// An array, or what is told of a long one. Arrays of arrays are in no known file.
    fn values(&mut self) -> Result<Value, Stop> {
        let (kind, length) = (self.u32()?, self.u64()?);
        if kind == ARRAY {
            return Err(Stop::malformed(format!("an array of arrays at byte {}", self.at)));
        }
        if length <= LONGEST_ARRAY {
            return Ok(Value::Array((0..length).map(|_| self.value(kind)).collect::<Result<_, _>>()?));
        }
        if kind == TEXT {
            for _ in 0..length {
                let length = self.u64()?;
                self.take(length)?;
            }
            return Ok(serde_json::json!({ "type": "string", "length": length }));
        }
        let bytes = width(kind).and_then(|width| length.checked_mul(width));
        self.take(bytes.ok_or_else(|| Stop::malformed(format!("an array at byte {} has no end", self.at)))?)?;
        Ok(serde_json::json!({ "type": "number", "length": length }))
    }
}

/// Bytes of a number.
fn width(kind: u32) -> Option<u64> {
    Some(match kind {
        0 | 1 | 7 => 1,
        2 | 3 => 2,
        4..=6 => 4,
        10..=12 => 8,
        _ => return None,
    })
}

/// The shortest number that means the same; what is no number, as its text.
fn decimal(text: String) -> Value {
    let number = text.parse().ok().and_then(Number::from_f64);
    number.map_or(Value::String(text), Value::Number)
}
