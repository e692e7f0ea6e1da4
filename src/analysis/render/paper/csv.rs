//! Writes a laid-out report as comma-separated values: its tables one under the other.

use crate::analysis::paper::{Cell, Column, Paper, Sheet};
use crate::analysis::render::csv::line;

/// Each table with a header of its own and, where there are several, its key in the first column.
/// Of a number with an interval there are three columns; what is unknown is empty.
pub(super) fn write(paper: &Paper) -> String {
    paper.sheets.iter().map(sheet).collect()
}

fn sheet(sheet: &Sheet) -> String {
    let wide: Vec<bool> = (0..sheet.columns.len())
        .map(|at| {
            sheet
                .rows
                .iter()
                .any(|row| matches!(row.get(at), Some(Cell::Estimate { .. })))
        })
        .collect();
    let names = sheet
        .columns
        .iter()
        .zip(&wide)
        .flat_map(|(column, wide)| names(column, *wide));
    let header: Vec<String> = std::iter::once("table".to_owned()).chain(names).collect();
    let mut text = line(header.iter().map(String::as_str));
    for row in &sheet.rows {
        let mut fields = vec![sheet.key.to_owned()];
        for ((cell, column), wide) in row.iter().zip(&sheet.columns).zip(&wide) {
            fields.extend(values(cell, column, *wide));
        }
        text.push_str(&line(fields.iter().map(String::as_str)));
    }
    text
}

fn names(column: &Column, wide: bool) -> Vec<String> {
    let name = format!("{}{}", column.key, column.unit.suffix());
    if wide {
        vec![format!("{name}_low"), format!("{name}_high")]
            .into_iter()
            .fold(vec![name], |mut names, end| {
                names.push(end);
                names
            })
    } else {
        vec![name]
    }
}

fn values(cell: &Cell, column: &Column, wide: bool) -> Vec<String> {
    let number = |value: f64| {
        let value = column.unit.scaled(value);
        if value.is_infinite() {
            if value > 0.0 { "inf" } else { "-inf" }.to_owned()
        } else {
            value.to_string()
        }
    };
    let end = |end: &Option<f64>| end.map_or_else(String::new, number);
    let (value, low, high) = match cell {
        Cell::Text(text) => (text.replace('\n', "/"), String::new(), String::new()),
        Cell::Value(value) => (number(*value), String::new(), String::new()),
        Cell::Estimate { value, low, high } => (number(*value), end(low), end(high)),
        Cell::Absent(_) => (String::new(), String::new(), String::new()),
    };
    if wide {
        vec![value, low, high]
    } else {
        vec![value]
    }
}
