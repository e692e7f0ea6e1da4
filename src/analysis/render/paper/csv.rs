//! Writes a laid-out report as comma-separated values: its tables one under the other.

use crate::analysis::paper::{Cell, Column, Paper, Sheet, Unit};
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
                .any(|row| row.get(at).is_some_and(is_wide))
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
            fields.extend(values(cell, column.unit, *wide));
        }
        text.push_str(&line(fields.iter().map(String::as_str)));
    }
    text
}

fn names(column: &Column, wide: bool) -> Vec<String> {
    let name = format!("{}{}", column.key, column.unit.suffix());
    if wide {
        let ends = ["low", "high"].map(|end| format!("{name}_{end}"));
        std::iter::once(name).chain(ends).collect()
    } else {
        vec![name]
    }
}

/// Whether a cell needs the columns of an interval.
fn is_wide(cell: &Cell) -> bool {
    match cell {
        Cell::In(_, cell) => is_wide(cell),
        other => matches!(other, Cell::Estimate { .. }),
    }
}

fn values(cell: &Cell, unit: Unit, wide: bool) -> Vec<String> {
    let number = |value: f64| {
        let value = unit.scaled(value);
        if value.is_infinite() {
            if value > 0.0 { "inf" } else { "-inf" }.to_owned()
        } else {
            value.to_string()
        }
    };
    let end = |end: &Option<f64>| end.map_or_else(String::new, number);
    let (value, low, high) = match cell {
        Cell::In(unit, cell) => return values(cell, *unit, wide),
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
