//! Writes a report for terminals, at most 100 columns wide.

use std::fmt::Write as _;

use comfy_table::{CellAlignment, ColumnConstraint, ContentArrangement, Table, Width, presets};

use super::document::{Document, Sheet};

/// Columns of the widest line.
const WIDTH: u16 = 100;
/// Columns that the name of a route has at least.
const ROUTE_WIDTH: u16 = 22;
/// Columns that any column of a table in parts has at most: longer texts are wrapped.
const COLUMN_MAX: usize = 34;

pub(super) fn write(document: &Document) -> String {
    let mut text = wrapped(&document.title, 0);
    for sheet in &document.sheets {
        if !sheet.rows.is_empty() {
            let _ = write!(text, "\n{}\n{}\n", sheet.title, table(sheet));
        }
    }
    text.push('\n');
    for note in &document.notes {
        text.push_str(&wrapped(note, 2));
    }
    text
}

/// The table; one too wide in parts, each with the columns that name a row.
fn table(sheet: &Sheet) -> String {
    let widths: Vec<usize> = (0..sheet.columns.len())
        .map(|at| width(sheet, at))
        .collect();
    if sheet.names == 0 || widths.iter().sum::<usize>() <= usize::from(WIDTH) {
        let all: Vec<usize> = (0..sheet.columns.len()).collect();
        return part(sheet, &all);
    }
    let names: Vec<usize> = (0..sheet.names).collect();
    let taken: usize = widths[..sheet.names].iter().sum();
    let mut parts: Vec<(Vec<usize>, usize)> = Vec::new();
    for (at, width) in widths.iter().enumerate().skip(sheet.names) {
        match parts.last_mut() {
            Some((columns, used)) if *used + width <= usize::from(WIDTH) => {
                columns.push(at);
                *used += width;
            }
            _ => parts.push((names.iter().copied().chain([at]).collect(), taken + width)),
        }
    }
    let drawn: Vec<String> = parts
        .iter()
        .map(|(columns, _)| part(sheet, columns))
        .collect();
    drawn.join("\n")
}

/// Columns that a column takes: as many as its longest line, and no more than can be borne.
fn width(sheet: &Sheet, at: usize) -> usize {
    let lines = sheet.rows.iter().filter_map(|row| row.get(at)).flatten();
    let longest = lines
        .map(|line| line.chars().count())
        .chain([sheet.columns[at].chars().count()])
        .max();
    longest.unwrap_or(0).min(COLUMN_MAX) + 1
}

fn part(sheet: &Sheet, columns: &[usize]) -> String {
    let mut table = Table::new();
    table
        .load_style(presets::UTF8_HORIZONTAL_ONLY)
        .set_width(WIDTH)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_header(columns.iter().map(|at| sheet.columns[*at]));
    for row in &sheet.rows {
        table.add_row(columns.iter().map(|at| row[*at].join("\n")));
    }
    for (index, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, 1));
        if sheet.names > 0 {
            let most = Width::Fixed(COLUMN_MAX as u16 + 1);
            column.set_constraint(ColumnConstraint::UpperBoundary(most));
            if index >= sheet.names {
                column.set_cell_alignment(CellAlignment::Right);
            }
        } else if index == 0 {
            column.set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(ROUTE_WIDTH)));
        } else {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.trim_fmt()
}

/// `text` on lines of at most [`WIDTH`] columns, those after the first indented.
pub(super) fn wrapped(text: &str, indent: usize) -> String {
    let mut lines = String::new();
    let mut line = String::new();
    for word in text.split(' ') {
        let width = line.chars().count() + 1 + word.chars().count();
        if !line.is_empty() && width > usize::from(WIDTH) {
            let _ = writeln!(lines, "{line}");
            line = " ".repeat(indent);
        } else if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    let _ = writeln!(lines, "{line}");
    lines
}
