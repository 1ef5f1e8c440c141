//! The fields of a protobuf message, told by their headers alone: what a field holds is not read.

use std::ops::Range;

use super::Malformed;

/// The bytes that messages are read from. Not all of them need be here.
pub(crate) trait Octets {
    /// Why a message cannot be read.
    type Failure: From<Malformed>;

    /// How many there are.
    fn count(&self) -> usize;

    /// The one at an offset; `None` beyond the end.
    fn octet(&self, at: usize) -> Result<Option<u8>, Self::Failure>;
}

impl Octets for [u8] {
    type Failure = Malformed;

    fn count(&self) -> usize {
        self.len()
    }

    fn octet(&self, at: usize) -> Result<Option<u8>, Malformed> {
        Ok(self.get(at).copied())
    }
}

/// What a field holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    /// A whole number.
    Varint(u64),
    /// Bytes: a message, a text, packed numbers.
    Bytes(Range<usize>),
    /// Four or eight bytes.
    Fixed,
}

/// One field of a message. Ranges are of the whole input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Field {
    pub(crate) number: u32,
    pub(crate) value: Value,
    /// Header and value.
    pub(crate) whole: Range<usize>,
}

/// The fields of the message that lies at a range of `bytes`, in order. It ends after the first error.
pub(crate) struct Fields<'a, B: ?Sized> {
    bytes: &'a B,
    at: usize,
    end: usize,
}

impl<'a, B: Octets + ?Sized> Fields<'a, B> {
    pub(crate) fn new(bytes: &'a B, range: Range<usize>) -> Self {
        Self { bytes, at: range.start, end: range.end.min(bytes.count()) }
    }

    fn field(&mut self) -> Result<Field, B::Failure> {
        let start = self.at;
        let tag = self.varint()?;
        let number = u32::try_from(tag >> 3).ok().filter(|number| (1..1 << 29).contains(number));
        let number = number.ok_or_else(|| malformed(start, "a field has a number that cannot be"))?;
        let value = match tag & 7 {
            0 => Value::Varint(self.varint()?),
            1 => self.skip(8).map(|_| Value::Fixed)?,
            2 => {
                let length = self.varint()?;
                Value::Bytes(self.skip(length)?)
            }
            5 => self.skip(4).map(|_| Value::Fixed)?,
            _ => return Err(malformed(start, "a field has a type that cannot be").into()),
        };
        Ok(Field { number, value, whole: start..self.at })
    }

    fn varint(&mut self) -> Result<u64, B::Failure> {
        let start = self.at;
        let mut value = 0;
        for shift in (0..70).step_by(7) {
            let byte = if self.at < self.end { self.bytes.octet(self.at)? } else { None };
            let byte = byte.ok_or_else(|| malformed(start, "a number leads beyond the end"))?;
            self.at += 1;
            // What a tenth byte has beyond 64 bits is dropped, as protobuf itself does.
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(malformed(start, "a number has more than ten bytes").into())
    }

    fn skip(&mut self, length: u64) -> Result<Range<usize>, Malformed> {
        let start = self.at;
        let end = usize::try_from(length).ok().and_then(|length| start.checked_add(length));
        let end = end.filter(|end| *end <= self.end);
        self.at = end.ok_or_else(|| malformed(start, "a length leads beyond the end"))?;
        Ok(start..self.at)
    }
}

impl<B: Octets + ?Sized> Iterator for Fields<'_, B> {
    type Item = Result<Field, B::Failure>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.at >= self.end {
            return None;
        }
        let field = self.field();
        if field.is_err() {
            self.at = self.end;
        }
        Some(field)
    }
}

fn malformed(at: usize, what: &str) -> Malformed {
    Malformed::new(format!("{what} (at byte {at})"))
}

/// The numbers that lie one behind the other at a range of `bytes`. It ends after the first error.
pub(crate) fn packed<B: Octets + ?Sized>(
    bytes: &B,
    range: Range<usize>,
) -> impl Iterator<Item = Result<u64, B::Failure>> {
    let mut fields = Fields::new(bytes, range);
    std::iter::from_fn(move || {
        let number = (fields.at < fields.end).then(|| fields.varint());
        if matches!(number, Some(Err(_))) {
            fields.at = fields.end;
        }
        number
    })
}

/// Appends a number.
pub(crate) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    out.push(value.to_le_bytes()[0]);
}

/// Appends the header of a field that holds `length` bytes.
pub(crate) fn put_header(out: &mut Vec<u8>, number: u32, length: u64) {
    put_varint(out, u64::from(number) << 3 | 2);
    put_varint(out, length);
}

/// Appends a field that holds a number.
pub(crate) fn put_number(out: &mut Vec<u8>, number: u32, value: u64) {
    put_varint(out, u64::from(number) << 3);
    put_varint(out, value);
}

/// Appends a field that holds bytes.
pub(crate) fn put_bytes(out: &mut Vec<u8>, number: u32, bytes: &[u8]) {
    put_header(out, number, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(bytes: &[u8]) -> Result<Vec<Field>, Malformed> {
        Fields::new(bytes, 0..bytes.len()).collect()
    }

    #[test]
    fn what_is_put_is_read_back() {
        let mut bytes = Vec::new();
        put_number(&mut bytes, 1, u64::MAX);
        put_bytes(&mut bytes, 9, b"abc");
        let found = fields(&bytes).unwrap();
        assert_eq!(found[0], Field { number: 1, value: Value::Varint(u64::MAX), whole: 0..11 });
        assert_eq!(found[1], Field { number: 9, value: Value::Bytes(13..16), whole: 11..16 });
        assert_eq!(fields(b"\x0d1234\x0912345678").unwrap().len(), 2);
    }

    #[test]
    fn damage_is_told_and_ends_the_message() {
        for (bytes, what) in [
            (&b"\x08"[..], "a number leads beyond the end"),
            (b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", "more than ten bytes"),
            (b"\x0a\x02a", "a length leads beyond the end"),
            (b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", "a length leads beyond the end"),
            (b"\x09123", "a length leads beyond the end"),
            (b"\x00\x01", "a number that cannot be"),
            (b"\x0b\x0c", "a type that cannot be"),
        ] {
            let error = fields(bytes).unwrap_err().to_string();
            assert!(error.contains(what), "{error}");
            assert_eq!(Fields::new(bytes, 0..bytes.len()).count(), 1);
        }
    }
}
