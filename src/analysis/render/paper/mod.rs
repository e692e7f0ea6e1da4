//! Writes a laid-out report in each format.

mod words;

mod text;

mod markdown;

mod csv;

mod json;

mod drawing;

mod html;

pub(in crate::analysis) use words::number;

use super::Format;
use crate::analysis::paper::Paper;

/// The report in `format`.
#[must_use]
pub fn write(paper: &Paper, format: Format) -> String {
    match format {
        Format::Table => text::write(paper),
        Format::Markdown => markdown::write(paper),
        Format::Json => format!("{:#}\n", json::value(paper)),
        Format::Csv => csv::write(paper),
        Format::Html => html::write(paper),
    }
}

pub(super) use html::of_document as html;

/// The report as JSON.
#[must_use]
pub fn json(paper: &Paper) -> serde_json::Value {
    json::value(paper)
}

/// The charts of a report as SVG in HTML, for pages that bring the stylesheet themselves.
#[must_use]
pub fn charts(paper: &Paper) -> Vec<String> {
    paper.charts.iter().map(drawing::figure).collect()
}

#[cfg(test)]
mod tests;
