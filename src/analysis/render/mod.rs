//! Renders reports as text, Markdown, CSV and JSON, and records as JSON and CSV.

pub mod units;

mod document;

mod text;

mod markdown;

pub mod csv;

mod pivot;

pub mod json;

pub mod exchange;

pub mod explain;

pub mod paper;

pub use pivot::pivot;

use super::tables::RoutesReport;

/// How a report is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// A table for terminals, at most 100 columns wide.
    #[default]
    Table,
    /// Tables in Markdown.
    Markdown,
    /// JSON, for programs.
    Json,
    /// Comma-separated values, for spreadsheets.
    Csv,
    /// One self-contained HTML file with charts.
    Html,
}

impl Format {
    /// Every one.
    pub const ALL: [Self; 5] = [
        Self::Table,
        Self::Markdown,
        Self::Json,
        Self::Csv,
        Self::Html,
    ];
}

/// The report `routes` in `format`.
#[must_use]
pub fn routes(report: &RoutesReport, format: Format) -> String {
    match format {
        Format::Table => text::write(&document::routes(report)),
        Format::Markdown => markdown::write(&document::routes(report)),
        Format::Json => format!("{:#}\n", json::routes(report)),
        Format::Csv => csv::routes(report),
        Format::Html => paper::html(&document::routes(report), &document::charts(report)),
    }
}

#[cfg(test)]
mod tests;
