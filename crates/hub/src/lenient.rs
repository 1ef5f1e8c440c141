//! Parts of answers that may be of any shape and size: what has not the wanted one counts as absent. All are read where they lie in
//! the document, so that what nobody wants takes no memory of its own.

use std::fmt;

use serde::de::{DeserializeOwned, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// Bytes of a word in a document (64 KiB): a longer one is none.
const LONGEST_WORD: usize = 64 << 10;
/// Words of a list that are taken: far more than any repository has tags.
const MOST_WORDS: usize = 1 << 12;

/// `T` where the value has its shape, else `None`.
pub(crate) fn lenient<'de, D: Deserializer<'de>, T: DeserializeOwned>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    let raw = <&RawValue>::deserialize(deserializer)?;
    Ok(serde_json::from_str(raw.get()).ok())
}

/// As [`lenient`] for an object alone: a list of the fields' values is no such object.
pub(crate) fn object<'de, D: Deserializer<'de>, T: DeserializeOwned>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    let raw = <&RawValue>::deserialize(deserializer)?;
    Ok(raw.get().starts_with('{').then(|| serde_json::from_str(raw.get()).ok()).flatten())
}

/// As [`lenient`] for a text of at most 64 KiB.
pub(crate) fn word<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(word_of)
}

/// The texts of a list, the first some thousand.
pub(crate) fn words<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(words_of)
}

/// A text, or the first one of a list.
pub(crate) fn first_word<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let raw = <&RawValue>::deserialize(deserializer)?;
    Ok(word_of(raw).or_else(|| words_of(raw).into_iter().next()))
}

/// `true`, or a text other than `"false"`.
pub(crate) fn affirmed<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    let raw = <&RawValue>::deserialize(deserializer)?.get();
    Ok(raw == "true" || (raw.starts_with('"') && raw != "\"false\""))
}

fn word_of(raw: &RawValue) -> Option<String> {
    let is_short = raw.get().len() <= LONGEST_WORD;
    is_short.then(|| serde_json::from_str(raw.get()).ok()).flatten()
}

fn words_of(raw: &RawValue) -> Vec<String> {
    serde_json::from_str::<Words>(raw.get()).map(|words| words.0).unwrap_or_default()
}

struct Words(Vec<String>);

impl<'de> Deserialize<'de> for Words {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(WordsVisitor)
    }
}

struct WordsVisitor;

impl<'de> Visitor<'de> for WordsVisitor {
    type Value = Words;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of words")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Words, A::Error> {
        let mut words = Vec::new();
        while words.len() < MOST_WORDS
            && let Some(raw) = list.next_element::<&RawValue>()?
        {
            words.extend(word_of(raw));
        }
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Words(words))
    }
}

/// The key of an object with the greatest number; of equal ones the last of the alphabet.
pub(crate) struct Greatest(pub(crate) Option<String>);

impl<'de> Deserialize<'de> for Greatest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(GreatestVisitor)
    }
}

struct GreatestVisitor;

impl<'de> Visitor<'de> for GreatestVisitor {
    type Value = Greatest;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of numbers")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Greatest, A::Error> {
        let mut greatest: Option<(Option<u64>, String)> = None;
        while let Some((key, number)) = object.next_entry::<String, &RawValue>()? {
            let entry = (serde_json::from_str(number.get()).ok(), key);
            if greatest.as_ref().is_none_or(|greatest| *greatest < entry) {
                greatest = Some(entry);
            }
        }
        Ok(Greatest(greatest.map(|(_, key)| key)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize, Default, PartialEq, Debug)]
    #[serde(default)]
    struct Document {
        #[serde(deserialize_with = "lenient")]
        number: Option<u32>,
        #[serde(deserialize_with = "word")]
        word: Option<String>,
        #[serde(deserialize_with = "words")]
        words: Vec<String>,
        #[serde(deserialize_with = "first_word")]
        first: Option<String>,
        #[serde(deserialize_with = "object")]
        inner: Option<Box<Document>>,
        #[serde(deserialize_with = "affirmed")]
        affirmed: bool,
    }

    fn read(json: &str) -> Document {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn what_has_another_shape_is_absent() {
        for wrong in ["null", "{}", "[[]]", "1.5", "false"] {
            let fields = ["number", "word", "words", "first", "affirmed"];
            let all = fields.map(|field| format!("\"{field}\": {wrong}")).join(",");
            assert_eq!(read(&format!("{{{all}}}")), Document::default(), "{wrong}");
        }
        assert_eq!(read(r#"{"inner": [7]}"#), Document::default());
        let inner =
            read(r#"{"inner": {"number": 7, "word": 5}, "affirmed": "auto", "first": [1, "a", "b"]}"#);
        assert_eq!(inner.inner.map(|inner| inner.number), Some(Some(7)));
        assert_eq!((inner.affirmed, inner.first.as_deref()), (true, Some("a")));
    }

    #[test]
    fn words_are_not_longer_nor_more_than_anybody_needs() {
        let long = "x".repeat(LONGEST_WORD);
        assert_eq!(read(&format!(r#"{{"word": "{long}"}}"#)).word, None);
        assert_eq!(read(&format!(r#"{{"words": ["a", 7, "{long}", "b"]}}"#)).words, ["a", "b"]);
        let many = vec!["\"w\""; MOST_WORDS + 9].join(",");
        assert_eq!(read(&format!("{{\"words\": [{many}]}}")).words.len(), MOST_WORDS);
    }

    #[test]
    fn the_greatest_number_has_the_last_key_of_equals() {
        let greatest = |json: &str| serde_json::from_str::<Greatest>(json).map(|greatest| greatest.0);
        assert_eq!(greatest(r#"{"F32": 9, "BF16": 70, "U8": "x"}"#).unwrap().as_deref(), Some("BF16"));
        assert_eq!(greatest(r#"{"b": 9, "c": 9, "a": 9}"#).unwrap().as_deref(), Some("c"));
        assert_eq!(greatest("{}").unwrap(), None);
        assert!(greatest("[]").is_err());
    }
}
