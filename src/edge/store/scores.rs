//! Keeps what evaluations found of routes: a row per run, route and scorer, in a table of its own.
//!
//! The table is made with the first score; a store without it has none.

use redb::{ReadTransaction, ReadableTable as _, ReadableTableMetadata as _, TableError};
use serde::{Deserialize, Serialize};

use crate::record::{ItemMeans, Name, RouteScore, WallTime};

use super::codec::seal;
use super::error::StoreError;
use super::reader::StoreReader;
use super::tables::SCORES;
use super::writer::Store;

/// The version of a row: [`Shape`] as JSON.
const ROW: u8 = 1;
/// Rows at most: the oldest runs go first.
const ROWS_MAX: u64 = 20_000;

/// Bytes of all rows at most: the oldest runs go first.
const BYTES_MAX: u64 = 32 << 20;
/// Items whose worth is kept with a score; of a larger data set only the score is.
const MEANS_MAX: usize = 5_000;

/// A row: run, model, provider, model there, scorer; date; score, low, high; items; the data set
/// and what each of its items was worth, which older rows do not have.
#[derive(Serialize, Deserialize)]
struct Shape(
    [String; 5],
    i64,
    [f64; 3],
    u32,
    #[serde(default)] Option<(String, Vec<(u32, f64)>)>,
);

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
                let (mut rows, mut bytes) = (table.len()?, table.stats()?.stored_bytes());
                if rows > ROWS_MAX || bytes > BYTES_MAX {
                    let mut ages = Vec::new();
                    for row in table.iter()? {
                        let (key, value) = row?;
                        let at = decode(key.value(), value.value()).map_or(0, |score| score.at.0);
                        let size = (key.value().len() + value.value().len()) as u64;
                        ages.push((at, key.value().to_owned(), size));
                    }
                    ages.sort_unstable();
                    for (_, key, size) in ages {
                        if rows <= ROWS_MAX && bytes <= BYTES_MAX {
                            break;
                        }
                        table.remove(key.as_str())?;
                        rows -= 1;
                        bytes = bytes.saturating_sub(size);
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
        score.each.as_ref().and_then(kept),
    );
    let mut value = Vec::new();
    seal::open(ROW, &mut value);
    // Plain texts and numbers can always be written.
    value.extend(serde_json::to_vec(&shape).unwrap_or_default());
    seal::close(key.as_bytes(), &mut value);
    value
}

/// What is kept of the items, where they are not too many.
fn kept(each: &ItemMeans) -> Option<(String, Vec<(u32, f64)>)> {
    let few = each.means.len() <= MEANS_MAX;
    few.then(|| (each.set.to_string(), each.means.clone()))
}

fn decode(key: &str, value: &[u8]) -> Option<RouteScore> {
    let (version, payload) = seal::check(key.as_bytes(), value)?;
    if version != ROW {
        return None;
    }
    let Shape(names, at, [value, low, high], items, each) = serde_json::from_slice(payload).ok()?;
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
        each: each.map(|(set, means)| ItemMeans {
            set: Name::from(set),
            means,
        }),
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
            each: Some(ItemMeans {
                set: Name::from("0123456789abcdef"),
                means: vec![(0, 1.0), (2, 1.0 / 3.0)],
            }),
        };
        let key = key(&score);
        let value = encode(&key, &score);
        assert_eq!(decode(&key, &value), Some(score.clone()));
        assert_eq!(decode("other", &value), None);
        // A row of before items were kept.
        let plain = RouteScore {
            each: None,
            ..score.clone()
        };
        let old = r#"[["one","größe","p","a/b","s"],-5,[0.8,0.3333333333333333,1.0],44]"#;
        let mut row = Vec::new();
        seal::open(ROW, &mut row);
        row.extend(old.as_bytes());
        seal::close(key.as_bytes(), &mut row);
        assert_eq!(decode(&key, &row), Some(plain.clone()));
        let many = ItemMeans {
            set: Name::from("s"),
            means: (0..=MEANS_MAX as u32).map(|item| (item, 0.5)).collect(),
        };
        let many = RouteScore {
            each: Some(many),
            ..score
        };
        assert_eq!(decode(&key, &encode(&key, &many)), Some(plain));
        for cut in 0..value.len() {
            assert_eq!(decode(&key, &value[..cut]), None);
        }
    }
}
