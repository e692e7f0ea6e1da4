//! Writes a laid-out report for terminals.

use super::words;
use crate::analysis::paper::{Paper, Sheet};
use crate::analysis::render::document::{Document, Lines};
use crate::analysis::render::text as terminal;

pub(super) fn write(paper: &Paper) -> String {
    let mut text = terminal::write(&document(paper));
    if !paper.findings.is_empty() {
        let findings: String = paper
            .findings
            .iter()
            .map(|finding| terminal::wrapped(&format!("* {finding}"), 2))
            .collect();
        let (title, rest) = text.split_once("\n\n").unwrap_or((text.as_str(), ""));
        text = format!("{title}\n\n{findings}\n{rest}");
    }
    text
}

/// The report as the tables and notes that terminals and Markdown show.
pub(super) fn document(paper: &Paper) -> Document {
    let facts = words::facts(&paper.head);
    Document {
        title: words::title(paper),
        sheets: paper.sheets.iter().map(sheet).collect(),
        notes: paper.notes.iter().cloned().chain(facts).collect(),
    }
}

fn sheet(sheet: &Sheet) -> crate::analysis::render::document::Sheet {
    let row = |cells: &Vec<_>| -> Vec<Lines> {
        let columns = sheet.columns.iter();
        let cells = cells.iter().zip(columns);
        cells
            .map(|(cell, column)| words::lines(cell, column.unit))
            .collect()
    };
    crate::analysis::render::document::Sheet {
        title: sheet.title.clone(),
        columns: sheet.columns.iter().map(|column| column.name).collect(),
        rows: sheet.rows.iter().map(row).collect(),
    }
}
