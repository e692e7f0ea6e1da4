//! Writes a laid-out report in each format.

mod words;

mod text;

mod markdown;

mod csv;

mod json;

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
