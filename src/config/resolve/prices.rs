//! Resolves what models cost: the shipped table, and before it the config's own rows.

use std::path::PathBuf;
use std::sync::Arc;

use crate::config::prices::{self, rows};
use crate::config::raw::RawPrices;
use crate::config::read::At;
use crate::routing::pricing::{PriceRow, PriceTable};

use super::work::{Hint, Work};

/// `[prices]`.
pub(in crate::config) fn table(raw: RawPrices, work: &mut Work<'_>) -> Arc<PriceTable> {
    let inline = raw.rows.map_or_else(Vec::new, |at| at.value);
    let mut own = rows(inline, "prices.rows", &mut work.findings);
    let of_file = raw.file.map_or_else(Vec::new, |file| of_file(&file, work));
    // A row of the config stands for the file's row of the same key.
    let keys: Vec<String> = own.iter().map(PriceRow::key).collect();
    own.extend(of_file.into_iter().filter(|row| !keys.contains(&row.key())));
    let shipped = prices::shipped();
    if own.is_empty() {
        return shipped;
    }
    Arc::new(PriceTable::clone(&shipped).with_own(own))
}

fn of_file(file: &At<PathBuf>, work: &mut Work<'_>) -> Vec<PriceRow> {
    let place = work.beside(&file.value);
    let shown = place.display().to_string();
    let (found, expected, hint) = match (work.sources.read_text)(&place) {
        Ok(text) => match prices::read(&text, &shown) {
            Ok(table) => return table.rows().to_vec(),
            Err(problems) => {
                let more = problems.list.len().saturating_sub(1);
                let first = problems.list.first();
                let line = first.and_then(|one| one.line).unwrap_or(1);
                let path = first.map_or("", |one| &one.key_path);
                let found = first.map_or("", |one| &one.found);
                let also = if more > 0 {
                    format!(" ({more} more)")
                } else {
                    String::new()
                };
                (
                    format!("{shown}:{line}: {path}: {found}{also}"),
                    first.map_or_else(String::new, |one| one.expected.clone()),
                    format!("`tollgate prices --diff {shown}` shows every problem of the file"),
                )
            }
        },
        Err(error) => (
            format!("a file that cannot be read: {error}"),
            "a readable file of prices".to_owned(),
            format!("looked for {shown}"),
        ),
    };
    let span = Some(file.span.clone());
    work.refuse("prices.file", span, found, expected, Hint::from(hint));
    Vec::new()
}
