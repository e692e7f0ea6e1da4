//! Keeps what users wrote: a few rows beside the records, in a table of their own.
//!
//! The table is made with the first note; a store without it has none.

use redb::{ReadTransaction, ReadableTable as _, TableError};

use crate::record::{Name, Note, WallTime};

use super::codec::seal;
use super::error::StoreError;
use super::reader::StoreReader;
use super::tables::NOTES;
use super::writer::Store;

/// The version of a note's row: date, length of the route, route, text.
const NOTE: u8 = 1;

impl Store {
    /// Writes a note, and says which number it has.
    pub fn add_note(&mut self, note: &Note) -> Result<u32, StoreError> {
        self.work(|store| {
            let txn = store.begin()?;
            let id = {
                let mut table = txn.open_table(NOTES)?;
                let last = table.last()?.map_or(0, |(id, _)| id.value());
                let id = last.saturating_add(1);
                table.insert(id, &*encode(id, note))?;
                id
            };
            store.finish(txn)?;
            Ok(id)
        })
    }

    /// Removes a note, and says whether there was one of that number.
    pub fn remove_note(&mut self, id: u32) -> Result<bool, StoreError> {
        self.work(|store| {
            let txn = store.begin()?;
            let was_there = txn.open_table(NOTES)?.remove(id)?.is_some();
            store.finish(txn)?;
            Ok(was_there)
        })
    }
}

impl StoreReader {
    /// Every note, in the order of the moments that they are about; damaged ones are left out.
    pub fn notes(&self) -> Result<Vec<Note>, StoreError> {
        self.read(|_, txn| read(txn))
    }
}

fn read(txn: &ReadTransaction) -> Result<Vec<Note>, redb::Error> {
    let table = match txn.open_table(NOTES) {
        Err(TableError::TableDoesNotExist(_)) => return Ok(Vec::new()),
        other => other?,
    };
    let mut notes = Vec::new();
    for row in table.iter()? {
        let (id, value) = row?;
        notes.extend(decode(id.value(), value.value()));
    }
    notes.sort_by_key(|note: &Note| (note.at, note.id));
    Ok(notes)
}

fn encode(id: u32, note: &Note) -> Vec<u8> {
    let route = note.route.as_deref().unwrap_or_default().as_bytes();
    let mut value = Vec::new();
    seal::open(NOTE, &mut value);
    value.extend_from_slice(&note.at.0.to_le_bytes());
    // At most 500 bytes: two tell their number.
    value.extend_from_slice(&(route.len() as u16).to_le_bytes());
    value.extend_from_slice(route);
    value.extend_from_slice(note.text.as_bytes());
    seal::close(&id.to_be_bytes(), &mut value);
    value
}

fn decode(id: u32, value: &[u8]) -> Option<Note> {
    let (version, payload) = seal::check(&id.to_be_bytes(), value)?;
    let (at, rest) = payload.split_first_chunk().filter(|_| version == NOTE)?;
    let (length, rest) = rest.split_first_chunk()?;
    let (route, text) = rest.split_at_checked(usize::from(u16::from_le_bytes(*length)))?;
    let route = std::str::from_utf8(route).ok()?;
    Some(Note {
        id,
        at: WallTime(i64::from_le_bytes(*at)),
        route: (!route.is_empty()).then(|| Name::from(route)),
        text: std::str::from_utf8(text).ok()?.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_read_as_it_was_written() {
        for (route, text) in [
            (None, "deployed"),
            (Some("openai/gpt-4.1"), "größer — „neu“"),
        ] {
            let note = Note {
                id: 7,
                ..Note::new(WallTime(-5), route, text).unwrap()
            };
            let value = encode(7, &note);
            assert_eq!(decode(7, &value), Some(note));
            assert_eq!(decode(8, &value), None);
            for cut in 0..value.len() {
                assert_eq!(decode(7, &value[..cut]), None);
            }
        }
    }
}
