//! What headers of files tell of quants, as it is stored.

use std::collections::HashMap;

use tabagent_storage::{
    BlobName, EndpointId, HeaderRecord, Headers, Key, ManifestFile, ReadTransaction, WriteTransaction,
};

use crate::error::Result;
use crate::header::RULES;

/// What the headers of files say, by blob.
pub(crate) type Told = HashMap<BlobName, Word>;

/// What the header of one file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Word {
    /// The name it gives to a quant; none where it says nothing that names one.
    pub(crate) name: Option<String>,
    /// 0 when that is sure. Else how many scans read as much of the header as they may, and did not come to where it is.
    pub(crate) tries: u16,
}

/// Where the tries begin in what a record calls its rules: an older version takes them for rules it does not know, and reads the
/// header itself.
const TRIES: u32 = 16;

impl Word {
    fn to_record(&self) -> HeaderRecord {
        HeaderRecord { variant: self.name.clone(), rules: RULES | u32::from(self.tries) << TRIES }
    }

    /// What other rules found counts for nothing.
    fn of_record(record: HeaderRecord) -> Option<Self> {
        let tries = u16::try_from(record.rules >> TRIES).ok()?;
        let word = Self { name: record.variant, tries };
        (record.rules & ((1 << TRIES) - 1) == RULES).then_some(word)
    }
}

/// What is known of the headers of these files.
pub(crate) fn told(txn: &ReadTransaction<'_>, endpoint: &EndpointId, files: &[ManifestFile]) -> Result<Told> {
    let mut told = Told::new();
    for file in files {
        let name = file.digest()?.blob_name();
        let known = txn.get::<Headers>(&Key::header(endpoint, &name))?;
        told.extend(known.and_then(Word::of_record).map(|word| (name, word)));
    }
    Ok(told)
}

/// Stores what headers told. What is sure stays so: another process may have come further.
pub(crate) fn note(
    txn: &WriteTransaction<'_>,
    endpoint: &EndpointId,
    told: &Told,
) -> tabagent_storage::Result<()> {
    for (name, word) in told {
        let key = Key::header(endpoint, name);
        let known = txn.get::<Headers>(&key)?.and_then(Word::of_record);
        if known.is_none_or(|known| known.tries > 0 || word.tries == 0) {
            txn.put::<Headers>(&key, &word.to_record())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_keeps_a_word_and_what_is_sure_is_as_it_always_was() {
        for tries in [0, 1, u16::MAX] {
            let word = Word { name: Some("fp16".to_owned()), tries };
            assert_eq!(Word::of_record(word.to_record()), Some(word));
        }
        let sure = Word { name: None, tries: 0 }.to_record();
        assert_eq!(sure, HeaderRecord { variant: None, rules: 1 });
        assert_eq!(Word::of_record(HeaderRecord { rules: 2, ..sure }), None);
    }
}
