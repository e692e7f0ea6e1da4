//! Keeps texts of other services over a restart, beside the records, in a table of their own.
//!
//! The table is made with the first text; a store without it has none.

use redb::TableError;

use super::codec::seal;
use super::error::StoreError;
use super::reader::StoreReader;
use super::tables::KEPT;
use super::writer::Store;

/// The version of a row: the text as it is.
const ROW: u8 = 1;

/// A text that may have been kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeptText {
    /// There is none of that name.
    Missing,
    /// It is not as it was written.
    Damaged,
    /// The text.
    Found(String),
}

impl Store {
    /// Keeps `text` under a name, in the place of what was there.
    pub fn keep(&mut self, name: &str, text: &str) -> Result<(), StoreError> {
        self.work(|store| {
            let txn = store.begin()?;
            txn.open_table(KEPT)?.insert(name, &*encode(name, text))?;
            store.finish(txn)
        })
    }
}

impl StoreReader {
    /// The text that was kept under a name.
    pub fn kept(&self, name: &str) -> Result<KeptText, StoreError> {
        self.read(|_, txn| {
            let table = match txn.open_table(KEPT) {
                Err(TableError::TableDoesNotExist(_)) => return Ok(KeptText::Missing),
                other => other?,
            };
            let value = table.get(name)?;
            Ok(value.map_or(KeptText::Missing, |value| decode(name, value.value())))
        })
    }
}

fn encode(name: &str, text: &str) -> Vec<u8> {
    let mut value = Vec::new();
    seal::open(ROW, &mut value);
    value.extend_from_slice(text.as_bytes());
    seal::close(name.as_bytes(), &mut value);
    value
}

fn decode(name: &str, value: &[u8]) -> KeptText {
    let sealed = seal::check(name.as_bytes(), value);
    let text = sealed
        .filter(|(version, _)| *version == ROW)
        .and_then(|(_, text)| std::str::from_utf8(text).ok());
    text.map_or(KeptText::Damaged, |text| KeptText::Found(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_read_as_it_was_written_or_known_to_be_damaged() {
        let value = encode("routing", "größer");
        assert_eq!(
            decode("routing", &value),
            KeptText::Found("größer".to_owned())
        );
        assert_eq!(decode("spending", &value), KeptText::Damaged);
        for cut in 0..value.len() {
            assert_eq!(decode("routing", &value[..cut]), KeptText::Damaged);
        }
    }
}
