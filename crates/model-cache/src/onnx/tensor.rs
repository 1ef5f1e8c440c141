//! A tensor without its weights: what it is, where they are, and what is written in their place.

use std::ops::Range;

use super::element::tensor_bytes;
use super::rope::Rope;
use super::sources::{MODEL, Place, Sources};
use super::wire::{Fields, Value, packed, put_bytes, put_header, put_number};
use super::{Failure, Malformed};

/// Weights that a model holds itself are pointed to from this many bytes on. As with `onnx.save`, smaller ones stay: engines look
/// at them while they load, for the shapes.
const POINTED_FROM: u64 = 1024;

/// Fields of `TensorProto`.
const DIMS: u32 = 1;
const DATA_TYPE: u32 = 2;
const RAW_DATA: u32 = 9;
const EXTERNAL_DATA: u32 = 13;
const DATA_LOCATION: u32 = 14;

/// `TensorProto.DataLocation.EXTERNAL`.
const EXTERNAL: u64 = 1;

/// What a tensor says.
struct Tensor {
    /// Fields that stay as they are.
    kept: Vec<Range<usize>>,
    data_type: u64,
    /// `None` past what can be counted.
    elements: Option<u64>,
    raw: Option<Range<usize>>,
    external: bool,
    location: Option<String>,
    offset: u64,
    length: Option<u64>,
}

/// What to write for the tensor at `range` of the model; `None` when it stays as it is. Weights in the model itself are only pointed
/// to when `movable`.
pub(crate) fn rewrite(
    model: &[u8],
    range: Range<usize>,
    sources: &mut Sources<'_>,
    movable: bool,
) -> Result<Option<Rope>, Failure> {
    let tensor = Tensor::read(model, range)?;
    let (file, weights) = if tensor.external {
        tensor.find(sources)?
    } else {
        let Some(raw) = tensor.raw.clone() else { return Ok(None) };
        let raw = raw.start as u64..raw.end as u64;
        if !movable || raw.end - raw.start < POINTED_FROM {
            return Ok(None);
        }
        (MODEL, raw)
    };
    let place = if weights.is_empty() { Place::Inline } else { sources.place(file, &weights) };
    if place == Place::Inline && file == MODEL {
        return Ok(None);
    }
    Ok(Some(tensor.write(file, &weights, place)))
}

impl Tensor {
    fn read(model: &[u8], range: Range<usize>) -> Result<Self, Malformed> {
        let mut tensor = Self {
            kept: Vec::new(),
            data_type: 0,
            elements: Some(1),
            raw: None,
            external: false,
            location: None,
            offset: 0,
            length: None,
        };
        for field in Fields::new(model, range) {
            let field = field?;
            match (field.number, field.value) {
                (RAW_DATA, Value::Bytes(raw)) => tensor.raw = Some(raw),
                (EXTERNAL_DATA, Value::Bytes(entry)) => tensor.read_entry(model, entry)?,
                (DATA_LOCATION, Value::Varint(location)) => tensor.external = location == EXTERNAL,
                (number, value) => {
                    tensor.read_kept(model, number, value)?;
                    tensor.kept.push(field.whole);
                }
            }
        }
        Ok(tensor)
    }

    fn read_kept(&mut self, model: &[u8], number: u32, value: Value) -> Result<(), Malformed> {
        match (number, value) {
            (DIMS, Value::Varint(dim)) => self.count(dim),
            (DIMS, Value::Bytes(dims)) => {
                for dim in packed(model, dims) {
                    self.count(dim?);
                }
            }
            (DATA_TYPE, Value::Varint(data_type)) => self.data_type = data_type,
            _ => {}
        }
        Ok(())
    }

    fn count(&mut self, dim: u64) {
        self.elements = self.elements.and_then(|elements| elements.checked_mul(dim));
    }

    /// A `StringStringEntryProto`.
    fn read_entry(&mut self, model: &[u8], entry: Range<usize>) -> Result<(), Malformed> {
        let (mut key, mut value) = (&[][..], &[][..]);
        for field in Fields::new(model, entry) {
            let field = field?;
            if let Value::Bytes(text) = field.value {
                let text = model.get(text).unwrap_or_default();
                match field.number {
                    1 => key = text,
                    2 => value = text,
                    _ => {}
                }
            }
        }
        let text = std::str::from_utf8(value);
        let text = text.map_err(|_| Malformed::new("an entry of its external data is no text"))?;
        match key {
            b"location" => self.location = Some(text.to_owned()),
            b"offset" => self.offset = number(text)?,
            b"length" => self.length = Some(number(text)?),
            _ => {}
        }
        Ok(())
    }

    /// The weights that are outside the model.
    fn find(&self, sources: &mut Sources<'_>) -> Result<(usize, Range<u64>), Failure> {
        let location = self.location.as_deref();
        let location = location.ok_or_else(|| Malformed::new("external data has no location"))?;
        let (file, size) = sources.external(location)?;
        let length = self.length.or_else(|| tensor_bytes(self.data_type, self.elements));
        let end = match length {
            Some(length) => self.offset.checked_add(length),
            None => Some(size),
        };
        let end = end.filter(|end| *end <= size && self.offset <= *end).ok_or_else(|| {
            Malformed::new(format!(
                "it has weights at byte {} of {location:?}, beyond its {size} bytes",
                self.offset
            ))
        })?;
        Ok((file, self.offset..end))
    }

    fn write(&self, file: usize, weights: &Range<u64>, place: Place) -> Rope {
        let mut rope = Rope::default();
        for field in &self.kept {
            rope.keep(field.clone());
        }
        let length = weights.end - weights.start;
        match place {
            Place::Inline => {
                let mut header = Vec::new();
                put_header(&mut header, RAW_DATA, length);
                rope.put(&header);
                rope.copy(file, weights.clone());
            }
            Place::Data(offset) => {
                let name = tabagent_storage::DATA_FILE.as_bytes();
                point(&mut rope, |location| location.put(name), name.len() as u64, offset, length);
            }
            Place::Side(offset) => {
                point(&mut rope, Rope::side_name, tabagent_storage::StubName::SIDE_LENGTH, offset, length);
            }
        }
        rope
    }
}

/// Appends where the weights are; `name` appends the name of their file, which has `name_length` bytes.
fn point(rope: &mut Rope, name: impl FnOnce(&mut Rope), name_length: u64, offset: u64, length: u64) {
    let mut location = Rope::default();
    let mut key = Vec::new();
    put_bytes(&mut key, 1, b"location");
    put_header(&mut key, 2, name_length);
    location.put(&key);
    name(&mut location);
    rope.nest(EXTERNAL_DATA, location);
    let mut rest = Vec::new();
    for (key, value) in [("offset", offset), ("length", length)] {
        let mut entry = Vec::new();
        put_bytes(&mut entry, 1, key.as_bytes());
        put_bytes(&mut entry, 2, value.to_string().as_bytes());
        put_bytes(&mut rest, EXTERNAL_DATA, &entry);
    }
    put_number(&mut rest, DATA_LOCATION, EXTERNAL);
    rope.put(&rest);
}

fn number(text: &str) -> Result<u64, Malformed> {
    text.parse().map_err(|_| Malformed::new(format!("{text:?} is no place in a file")))
}
