//! Keeps what evaluations found of routes: a row per run, route and scorer, in a table of its own.
//!
//! The table is made with the first score; a store without it has none.

use redb::{ReadTransaction, ReadableTable as _, ReadableTableMetadata as _, TableError};
use serde::{Deserialize, Serialize};

use crate::record::{Name, RouteScore, WallTime};

use super::codec::seal;
use super::error::StoreError;
use super::reader::StoreReader;
use super::tables::SCORES;
use super::writer::Store;

/// The version of a row: [`Shape`] as JSON.
const ROW: u8 = 1;
/// Rows at most: the oldest runs go first.
const ROWS_MAX: u64 = 20_000;

/// A row: run, model, provider, model there, scorer; date; score, low, high; items.
#[derive(Serialize, Deserialize)]
struct Shape([String; 5], i64, [f64; 3], u32);

impl Store {
    /// Keeps scores, each in the place of what its run said of the same before.
    pub fn add_scores(&mut self, scores: &[RouteScore]) -> Result<(), StoreError> {
        self.work(|store| {
            let txn = store.begin()?;
            {
                let mut table = txn.open_table(SCORES)?;
                for score in scores {
                    let key = key(score);
                    table.insert(key.as_str(), &*encode(&key, score))?;
                }
                let over = table.len()?.saturating_sub(ROWS_MAX) as usize;
                if over > 0 {
                    let mut ages = Vec::new();
                    for row in table.iter()? {
                        let (key, value) = row?;
                        let at = decode(key.value(), value.value()).map_or(0, |score| score.at.0);
                        ages.push((at, key.value().to_owned()));
                    }
                    ages.sort_unstable();
                    for (_, key) in ages.into_iter().take(over) {
                        table.remove(key.as_str())?;
                    }
                }
            }
            store.finish(txn)
        })
    }
}

impl StoreReader {
    /// Every score, the oldest first; damaged ones are left out.
    pub fn scores(&self) -> Result<Vec<RouteScore>, StoreError> {
        self.read(|_, txn| read(txn))
    }
}

fn read(txn: &ReadTransaction) -> Result<Vec<RouteScore>, redb::Error> {
    let table = match txn.open_table(SCORES) {
        Err(TableError::TableDoesNotExist(_)) => return Ok(Vec::new()),
        other => other?,
    };
    let mut scores = Vec::new();
    for row in table.iter()? {
        let (key, value) = row?;
        scores.extend(decode(key.value(), value.value()));
    }
    scores.sort_by_key(|score: &RouteScore| score.at);
    Ok(scores)
}

/// No name has a line's end in it.
fn key(score: &RouteScore) -> String {
    let RouteScore {
        run,
        model,
        provider,
        there,
        scorer,
        ..
    } = score;
    [run, model, provider, there, scorer]
        .map(Name::as_str)
        .join("\n")
}

fn encode(key: &str, score: &RouteScore) -> Vec<u8> {
    let RouteScore {
        run,
        model,
        provider,
        there,
        scorer,
        ..
    } = score;
    let shape = Shape(
        [run, model, provider, there, scorer].map(ToString::to_string),
        score.at.0,
        [score.value, score.low, score.high],
        score.items,
    );
    let mut value = Vec::new();
    seal::open(ROW, &mut value);
    // Plain texts and numbers can always be written.
    value.extend(serde_json::to_vec(&shape).unwrap_or_default());
    seal::close(key.as_bytes(), &mut value);
    value
}

fn decode(key: &str, value: &[u8]) -> Option<RouteScore> {
    let (version, payload) = seal::check(key.as_bytes(), value)?;
    if version != ROW {
        return None;
    }
    let Shape(names, at, [value, low, high], items) = serde_json::from_slice(payload).ok()?;
    let [run, model, provider, there, scorer] = names.map(Name::from);
    Some(RouteScore {
        run,
        at: WallTime(at),
        model,
        provider,
        there,
        scorer,
        value,
        low,
        high,
        items,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_score_is_read_as_it_was_written() {
        let score = RouteScore {
            run: Name::from("one"),
            at: WallTime(-5),
            model: Name::from("größe"),
            provider: Name::from("p"),
            there: Name::from("a/b"),
            scorer: Name::from("s"),
            value: 0.8,
            low: 1.0 / 3.0,
            high: 1.0,
            items: 44,
        };
        let key = key(&score);
        let value = encode(&key, &score);
        assert_eq!(decode(&key, &value), Some(score));
        assert_eq!(decode("other", &value), None);
        for cut in 0..value.len() {
            assert_eq!(decode(&key, &value[..cut]), None);
        }
    }
}
