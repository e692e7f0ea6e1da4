//! Writes a laid-out report for terminals.

use super::words;
use crate::analysis::paper::{Cell, Paper, Sheet};
use crate::analysis::render::document::{self, Document, Lines};
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
        sheets: paper.sheets.iter().flat_map(tables).collect(),
        notes: words::notes(paper).into_iter().chain(facts).collect(),
    }
}

fn tables(sheet: &Sheet) -> Vec<document::Sheet> {
    let table = |(title, shown, rows): (String, Vec<usize>, Vec<&[Cell]>)| {
        let row = |cells: &&[Cell]| -> Vec<Lines> {
            let cell = |at: &usize| words::lines(&cells[*at], sheet.columns[*at].unit);
            shown.iter().map(cell).collect()
        };
        let is_name = |at: &&usize| {
            let words = |cells: &&[Cell]| matches!(cells[**at], Cell::Text(_));
            rows.iter().all(words) && !sheet.columns[**at].remark
        };
        document::Sheet {
            title,
            names: shown.iter().take_while(is_name).count(),
            columns: shown.iter().map(|at| sheet.columns[*at].name).collect(),
            rows: rows.iter().map(row).collect(),
        }
    };
    sheet.tables().into_iter().map(table).collect()
}
