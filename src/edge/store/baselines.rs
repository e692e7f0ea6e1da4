//! Keeps saved results under names, beside the records, in a table of their own.
//!
//! The table is made with the first one; a store without it has none. What a text says is its
//! reader's business.

use redb::{ReadableTable as _, TableError};

use super::codec::seal;
use super::error::StoreError;
use super::reader::StoreReader;
use super::tables::BASELINES;
use super::writer::Store;

/// The version of a row: the text as it is.
const ROW: u8 = 1;

impl Store {
    /// Saves `text` under a name, and says whether it was free: what is there stays.
    pub fn save_baseline(&mut self, name: &str, text: &str) -> Result<bool, StoreError> {
        self.work(|store| {
            let txn = store.begin()?;
            let was_free = {
                let mut table = txn.open_table(BASELINES)?;
                let is_free = table.get(name)?.is_none();
                if is_free {
                    table.insert(name, &*encode(name, text))?;
                }
                is_free
            };
            store.finish(txn)?;
            Ok(was_free)
        })
    }

    /// Removes the text of that name, and says whether there was one.
    pub fn remove_baseline(&mut self, name: &str) -> Result<bool, StoreError> {
        self.work(|store| {
            let txn = store.begin()?;
            let was_there = txn.open_table(BASELINES)?.remove(name)?.is_some();
            store.finish(txn)?;
            Ok(was_there)
        })
    }
}

impl StoreReader {
    /// Every saved text with its name, in the order of the names; damaged ones are left out.
    pub fn baselines(&self) -> Result<Vec<(String, String)>, StoreError> {
        self.read(|_, txn| {
            let table = match txn.open_table(BASELINES) {
                Err(TableError::TableDoesNotExist(_)) => return Ok(Vec::new()),
                other => other?,
            };
            let mut all = Vec::new();
            for row in table.iter()? {
                let (name, value) = row?;
                let name = name.value();
                all.extend(decode(name, value.value()).map(|text| (name.to_owned(), text)));
            }
            Ok(all)
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

fn decode(name: &str, value: &[u8]) -> Option<String> {
    let (version, text) = seal::check(name.as_bytes(), value)?;
    let text = std::str::from_utf8(text).ok().filter(|_| version == ROW)?;
    Some(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_read_as_it_was_written_or_not_at_all() {
        let value = encode("november", "größer");
        assert_eq!(decode("november", &value).as_deref(), Some("größer"));
        assert_eq!(decode("october", &value), None);
        for cut in 0..value.len() {
            assert_eq!(decode("november", &value[..cut]), None);
        }
    }
}
