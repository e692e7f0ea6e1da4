//! Writes a table as a pivot: of each number a line for each row, with a column for each place.

use super::csv::line;
use crate::analysis::paper::{Cell, Sheet};

/// The numbers of `sheet` as comma-separated values, the row and the column of each of its rows in
/// `places`; `corner` says what the rows are. What is unknown is empty.
#[must_use]
pub fn pivot(sheet: &Sheet, places: &[(String, String)], corner: &str) -> String {
    let columns = firsts(places.iter().map(|place| &place.1));
    let head = [corner, "figure"].into_iter();
    let mut text = line(head.chain(columns.iter().map(|column| column.as_str())));
    for row in firsts(places.iter().map(|place| &place.0)) {
        for (at, column) in sheet.columns.iter().enumerate() {
            let is_number = |cells: &Vec<Cell>| !matches!(cells.get(at), Some(Cell::Text(_)));
            if !sheet.rows.iter().all(is_number) {
                continue;
            }
            let value = |place: &&String| {
                let mut all = sheet.rows.iter().zip(places);
                let (cells, _) = all.find(|(_, of)| of.0 == *row && of.1 == **place)?;
                let value = cells.get(at)?.number()?;
                Some(column.unit.scaled(value).to_string())
            };
            let figure = format!("{}{}", column.key, column.unit.suffix());
            let values: Vec<String> = columns
                .iter()
                .map(|place| value(place).unwrap_or_default())
                .collect();
            let names = [row.as_str(), figure.as_str()].into_iter();
            text.push_str(&line(names.chain(values.iter().map(String::as_str))));
        }
    }
    text
}

/// Each once, in the order in which it comes first.
fn firsts<'a>(all: impl Iterator<Item = &'a String>) -> Vec<&'a String> {
    let mut firsts: Vec<&String> = Vec::new();
    for one in all {
        if !firsts.contains(&one) {
            firsts.push(one);
        }
    }
    firsts
}
