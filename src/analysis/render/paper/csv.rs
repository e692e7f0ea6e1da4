//! Writes a laid-out report as comma-separated values: its tables one under the other.

use crate::analysis::paper::{Cell, Column, Paper, Sheet, Unit};
use crate::analysis::render::csv::line;

/// Each table with a header of its own and, where there are several, its key in the first column.
/// Of a number with an interval there are three columns; what is unknown is empty. A report without
/// a table says why there is none.
pub(super) fn write(paper: &Paper) -> String {
    if paper.sheets.is_empty() {
        let found = paper
            .findings
            .iter()
            .map(|found| line([paper.name, found.as_str()].into_iter()));
        return line(["table", "finding"].into_iter()) + &found.collect::<String>();
    }
    paper.sheets.iter().map(sheet).collect()
}

/// What stands beside a number.
#[derive(Clone, Copy, PartialEq, PartialOrd)]
enum Wide {
    Alone,
    Interval,
    Quantile,
}

fn sheet(sheet: &Sheet) -> String {
    let widest = |at: usize| {
        let cells = sheet.rows.iter().filter_map(|row| row.get(at)).map(width);
        cells.fold(
            Wide::Alone,
            |most, wide| if wide > most { wide } else { most },
        )
    };
    let wide: Vec<Wide> = (0..sheet.columns.len()).map(widest).collect();
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

fn names(column: &Column, wide: Wide) -> Vec<String> {
    let name = format!("{}{}", column.key, column.unit.suffix());
    let mut names = vec![name.clone()];
    if wide >= Wide::Interval {
        names.extend([format!("{name}_low"), format!("{name}_high")]);
    }
    if wide >= Wide::Quantile {
        names.push(format!("{}_n", column.key));
    }
    names
}

fn width(cell: &Cell) -> Wide {
    match cell {
        Cell::Quantile { .. } | Cell::Share(_) => Wide::Quantile,
        Cell::Estimate { .. } => Wide::Interval,
        Cell::In(_, cell) => width(cell),
        _ => Wide::Alone,
    }
}

fn values(cell: &Cell, unit: Unit, wide: Wide) -> Vec<String> {
    let number = |value: f64| {
        let value = unit.scaled(value);
        if value.is_infinite() {
            if value > 0.0 { "inf" } else { "-inf" }.to_owned()
        } else {
            value.to_string()
        }
    };
    let end = |end: &Option<f64>| end.map_or_else(String::new, number);
    let none = String::new;
    let fields = match cell {
        Cell::In(unit, cell) => return values(cell, *unit, wide),
        Cell::Share(_) => return values(&cell.written(), unit, wide),
        Cell::Text(text) => [text.replace('\n', "/"), none(), none(), none()],
        Cell::Value(value) => [number(*value), none(), none(), none()],
        Cell::Estimate { value, low, high } => [number(*value), end(low), end(high), none()],
        Cell::Quantile {
            value,
            low,
            high,
            n,
            ..
        } => [number(*value), end(low), end(high), n.to_string()],
        Cell::Absent(_) => [none(), none(), none(), none()],
    };
    let count = match wide {
        Wide::Alone => 1,
        Wide::Interval => 3,
        Wide::Quantile => 4,
    };
    fields.into_iter().take(count).collect()
}
