//! Writes a laid-out report in each format.

mod words;

mod text;

mod markdown;

mod csv;

mod json;

mod labels;

mod drawing;

mod curves;

mod numbers;

mod figure;

mod html;

mod picture;

pub use picture::{Picture, exact, picture};
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

/// Several reports in `format`, as one text that a reader of that format takes: of JSON one object
/// of the schema `tollgate.reports/1` with the list `reports`, of HTML one page.
#[must_use]
pub fn write_all(papers: &[Paper], format: Format) -> String {
    match format {
        Format::Json => format!("{:#}\n", json::values(papers)),
        Format::Html => html::write_all(papers),
        Format::Table | Format::Markdown | Format::Csv => {
            let texts: Vec<String> = papers.iter().map(|paper| write(paper, format)).collect();
            texts.join("\n")
        }
    }
}

pub(super) use html::of_document as html;

/// The report as JSON.
#[must_use]
pub fn json(paper: &Paper) -> serde_json::Value {
    json::value(paper)
}

/// The report as a piece of HTML, for a page that brings the looks of its classes.
#[must_use]
pub fn fragment(paper: &Paper) -> String {
    html::fragment(paper)
}

#[cfg(test)]
mod tests;
