//! Writes a report for terminals, at most 100 columns wide.

use std::fmt::Write as _;

use comfy_table::{CellAlignment, ColumnConstraint, ContentArrangement, Table, Width, presets};

use super::document::{Document, Sheet};

/// Columns of the widest line.
const WIDTH: u16 = 100;
/// Columns that the name of a route has at least.
const ROUTE_WIDTH: u16 = 22;

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

fn table(sheet: &Sheet) -> String {
    let mut table = Table::new();
    table
        .load_style(presets::UTF8_HORIZONTAL_ONLY)
        .set_width(WIDTH)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_header(sheet.columns.clone());
    for row in &sheet.rows {
        table.add_row(row.iter().map(|lines| lines.join("\n")));
    }
    for (index, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, 1));
        if index == 0 {
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
