//! Compares two price tables row by row.

use std::collections::BTreeMap;

use super::row::PriceRow;

/// What became of one row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Only the new table has it.
    Added(PriceRow),
    /// Only the old table has it.
    Removed(PriceRow),
    /// Both have it, and its numbers or dates differ.
    Changed {
        /// As it was.
        old: Box<PriceRow>,
        /// As it is.
        new: Box<PriceRow>,
    },
}

/// What differs between two tables, in the order of the rows' keys. A row read again with the same
/// result is no change.
#[must_use]
pub fn diff(old: &[PriceRow], new: &[PriceRow]) -> Vec<Change> {
    let keyed = |rows: &[PriceRow]| -> BTreeMap<String, PriceRow> {
        rows.iter().map(|row| (row.key(), row.clone())).collect()
    };
    let (old, mut new) = (keyed(old), keyed(new));
    let mut changes = BTreeMap::new();
    for (key, old) in old {
        match new.remove(&key) {
            None => {
                changes.insert(key, Change::Removed(old));
            }
            Some(new) if !same(&old, &new) => {
                let (old, new) = (Box::new(old), Box::new(new));
                changes.insert(key, Change::Changed { old, new });
            }
            Some(_) => {}
        }
    }
    changes.extend(new.into_iter().map(|(key, row)| (key, Change::Added(row))));
    changes.into_values().collect()
}

fn same(old: &PriceRow, new: &PriceRow) -> bool {
    old.prices == new.prices
        && old.valid_until == new.valid_until
        && old.batch == new.batch
        && old.long == new.long
        && old.windows == new.windows
        && old.unknown.is_some() == new.unknown.is_some()
}
