//! A tensor without its weights: what it is, where they are, and what is written in their place.

use std::ops::Range;

use super::element::tensor_bytes;
use super::rope::Rope;
use super::schema::EXTERNAL;
use super::schema::tensor::{DATA_LOCATION, DATA_TYPE, DIMS, EXTERNAL_DATA, NAME, RAW_DATA};
use super::sources::{Detached, MODEL, Place, Sources};
use super::wire::{Fields, Value, packed, put_bytes, put_header, put_number};
use super::{Failure, Malformed};

/// Weights that a model holds itself are pointed to from this many bytes on. As with `onnx.save`, smaller ones stay: engines look
/// at them while they load, for the shapes.
const POINTED_FROM: u64 = 1024;

/// What detached weights say that their file is called, before its number among the [`Sources`].
pub(crate) const DETACHED_FILE: &str = "detached-";

/// Which part of the model a tensor is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// An initializer of the outermost graph, which engines can be given by name.
    Named,
    /// One that engines read from wherever it says.
    Movable,
    /// One that engines read in the model alone.
    Fixed,
}

/// What a tensor says.
struct Tensor {
    /// Fields that stay as they are.
    kept: Vec<Range<usize>>,
    name: Range<usize>,
    data_type: u64,
    shape: Vec<u64>,
    raw: Option<Range<usize>>,
    external: bool,
    location: Option<String>,
    offset: u64,
    length: Option<u64>,
}

/// What to write for the tensor at `range` of the model; `None` when it stays as it is.
pub(crate) fn rewrite(
    model: &[u8],
    range: Range<usize>,
    sources: &mut Sources<'_>,
    part: Part,
) -> Result<Option<Rope>, Failure> {
    let tensor = Tensor::read(model, range)?;
    let (file, weights) = if tensor.external {
        tensor.find(sources)?
    } else {
        let Some(raw) = tensor.raw.clone() else { return Ok(None) };
        let raw = raw.start as u64..raw.end as u64;
        if part == Part::Fixed || raw.end - raw.start < POINTED_FROM {
            return Ok(None);
        }
        (MODEL, raw)
    };
    let place = if weights.is_empty() {
        Place::Inline
    } else if let Some(wanted) = sources.detaches(tensor.data_type) {
        let detached = tensor.detached(model, file, &weights).filter(|_| wanted && part == Part::Named);
        detached.map_or(Place::Inline, |detached| {
            sources.detach(detached);
            Place::Detached
        })
    } else {
        sources.place(file, &weights)
    };
    if place == Place::Inline && file == MODEL {
        return Ok(None);
    }
    Ok(Some(tensor.write(file, &weights, place)))
}

impl Tensor {
    fn read(model: &[u8], range: Range<usize>) -> Result<Self, Malformed> {
        let mut tensor = Self {
            kept: Vec::new(),
            name: 0..0,
            data_type: 0,
            shape: Vec::new(),
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
            (DIMS, Value::Varint(dim)) => self.shape.push(dim),
            (DIMS, Value::Bytes(dims)) => {
                for dim in packed(model, dims) {
                    self.shape.push(dim?);
                }
            }
            (NAME, Value::Bytes(name)) => self.name = name,
            (DATA_TYPE, Value::Varint(data_type)) => self.data_type = data_type,
            _ => {}
        }
        Ok(())
    }

    /// Bytes by type and shape; `None` when they cannot be told.
    fn bytes(&self) -> Option<u64> {
        let elements = self.shape.iter().try_fold(1_u64, |product, dim| product.checked_mul(*dim));
        tensor_bytes(self.data_type, elements)
    }

    /// What an engine is given for the tensor: `None` for small ones, which engines look at while they load.
    fn detached(&self, model: &[u8], file: usize, weights: &Range<u64>) -> Option<Detached> {
        let name = std::str::from_utf8(model.get(self.name.clone())?).ok()?;
        let length = weights.end - weights.start;
        (length >= POINTED_FROM && self.bytes() == Some(length)).then(|| Detached {
            name: name.to_owned(),
            element_type: self.data_type,
            shape: self.shape.clone(),
            file,
            range: weights.clone(),
        })
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
        let length = self.length.or_else(|| self.bytes());
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
            Place::Detached => {
                let name = format!("{DETACHED_FILE}{file}");
                let name = name.as_bytes();
                point(&mut rope, |location| location.put(name), name.len() as u64, weights.start, length);
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
