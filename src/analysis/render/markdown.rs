//! Writes a report as Markdown tables.

use std::fmt::Write as _;

use super::document::{Document, Sheet};

pub(super) fn write(document: &Document) -> String {
    let mut text = format!("# {}\n", escaped(&document.title));
    for sheet in &document.sheets {
        if !sheet.rows.is_empty() {
            let _ = write!(text, "\n## {}\n\n{}", sheet.title, table(sheet));
        }
    }
    text.push('\n');
    for note in &document.notes {
        let _ = writeln!(text, "- {}", escaped(note));
    }
    text
}

fn table(sheet: &Sheet) -> String {
    let mut text = String::new();
    row(
        &mut text,
        sheet.columns.iter().map(|name| (*name).to_owned()),
    );
    let rules = (0..sheet.columns.len()).map(|at| if at == 0 { "---" } else { "---:" }.to_owned());
    row(&mut text, rules);
    for cells in &sheet.rows {
        let cell = |lines: &Vec<String>| {
            let lines: Vec<String> = lines.iter().map(|line| escaped(line)).collect();
            lines.join("<br>")
        };
        row(&mut text, cells.iter().map(cell));
    }
    text
}

fn row(text: &mut String, cells: impl Iterator<Item = String>) {
    for cell in cells {
        let _ = write!(text, "| {cell} ");
    }
    text.push_str("|\n");
}

/// `text` without what Markdown or HTML would read into it.
pub(super) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '&' => safe.push_str("&amp;"),
            '|' | '\\' | '`' | '*' | '_' | '[' | ']' | '#' | '~' => {
                safe.push('\\');
                safe.push(c);
            }
            _ => safe.push(c),
        }
    }
    safe
}
