//! Writes a laid-out report as one HTML file that needs nothing else, and prints well.

use std::fmt::Write as _;

use super::drawing::escaped;
use super::figure::figure;
use super::words;
use crate::analysis::paper::{Cell, Chart, Paper, Plot, Sheet, whole_within};
use crate::analysis::render::document::Document;
use crate::analysis::render::units::thousands;

/// The looks of the file: colours that the colour-blind can tell apart (Okabe and Ito), light and
/// dark by the reader's own setting, and black on white where it is printed.
const STYLE: &str = include_str!("report.css");

pub(super) fn write(paper: &Paper) -> String {
    document(&paper.title, &whole(paper))
}

/// Several reports as one file, which a browser takes as one page.
pub(super) fn write_all(papers: &[Paper]) -> String {
    let title = papers.first().map_or("", |paper| paper.title.as_str());
    document(title, &papers.iter().map(whole).collect::<String>())
}

fn whole(paper: &Paper) -> String {
    let notes = words::notes(paper)
        .into_iter()
        .chain(words::facts(&paper.head));
    let inside = body(paper, usize::MAX);
    section(&paper.title, &words::title(paper), &inside, notes)
}

/// Rows of a table, or of a chart, that a page shows: clients make up model names without end, and
/// files have them all.
pub(super) const ROWS_MAX: usize = 1_000;

/// What is inside a page: findings, charts, tables and notes, in classes of its own.
pub(super) fn fragment(paper: &Paper) -> String {
    let notes: String = words::notes(paper)
        .into_iter()
        .chain(words::facts(&paper.head))
        .map(|note| format!("<li>{}</li>", escaped(&note)))
        .collect();
    format!(
        "<div class=\"paper\"><p class=\"note\">{}</p>{}<h2>How to read it</h2>\
         <ul class=\"notes\">{notes}</ul></div>",
        escaped(&words::title(paper)),
        body(paper, ROWS_MAX)
    )
}

fn body(paper: &Paper, most: usize) -> String {
    let mut inside = String::new();
    if !paper.findings.is_empty() {
        inside.push_str("<section class=\"findings\"><ul>");
        for finding in &paper.findings {
            let _ = write!(inside, "<li>{}</li>", escaped(finding));
        }
        inside.push_str("</ul></section>\n");
    }
    for chart in paper.charts.iter().filter(|chart| rows(chart) <= most) {
        inside.push_str(&figure(chart));
        inside.push('\n');
    }
    for sheet in paper.sheets.iter().filter(|sheet| !sheet.rows.is_empty()) {
        inside.push_str(&table(sheet, most));
    }
    inside
}

/// Rows of a chart that grow with what it is of.
fn rows(chart: &Chart) -> usize {
    match &chart.plot {
        Plot::Heat(heat) => heat.rows.len(),
        Plot::Forest { bars, .. } => bars.len(),
        _ => 0,
    }
}

/// A report that is laid out as texts already.
pub(in crate::analysis::render) fn of_document(document: &Document, charts: &[Chart]) -> String {
    let mut inside: String = charts.iter().map(figure).collect();
    for sheet in document
        .sheets
        .iter()
        .filter(|sheet| !sheet.rows.is_empty())
    {
        let names = sheet.columns.iter().map(|name| (*name, false));
        let rows = sheet.rows.iter().map(|row| {
            row.iter()
                .map(|lines| td("number", lines))
                .collect::<String>()
        });
        inside.push_str(&framed(&sheet.title, names, rows));
    }
    let notes = document.notes.iter().cloned();
    let title = "Routes";
    self::document(title, &section(title, &document.title, &inside, notes))
}

fn section(title: &str, whole: &str, inside: &str, notes: impl Iterator<Item = String>) -> String {
    let notes: String = notes
        .map(|note| format!("<li>{}</li>", escaped(&note)))
        .collect();
    let (title, whole) = (escaped(title), escaped(whole));
    format!(
        "<h1>{title}</h1>\n<p class=\"note\">{whole}</p>\n{inside}<h2>How to read it</h2>\n\
         <ul class=\"notes\">{notes}</ul>\n"
    )
}

fn document(title: &str, inside: &str) -> String {
    let title = escaped(title);
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\
         <title>{title}</title><style>{STYLE}</style></head><body><main>\n{inside}\
         </main></body></html>\n"
    )
}

fn table(sheet: &Sheet, most: usize) -> String {
    // Half a series would be a wrong picture.
    let most = whole_within(sheet, most);
    let mut left = most;
    let table = |(title, shown, mut rows): (String, Vec<usize>, Vec<&[Cell]>)| {
        rows.truncate(left);
        left -= rows.len();
        if rows.is_empty() {
            return String::new();
        }
        let is_words = |at: &usize| rows.iter().any(|cells| class(&cells[*at]) == "words");
        let names: Vec<(&str, bool)> = shown
            .iter()
            .map(|at| (sheet.columns[*at].name, is_words(at)))
            .collect();
        let names = names.into_iter();
        let rows = rows.into_iter().map(|cells| {
            let cell = |at: &usize| {
                td(
                    class(&cells[*at]),
                    &words::lines(&cells[*at], sheet.columns[*at].unit),
                )
            };
            shown.iter().map(cell).collect::<String>()
        });
        framed(&title, names, rows)
    };
    let mut tables: String = sheet.tables().into_iter().map(table).collect();
    if let Some(more) = sheet.rows.len().checked_sub(most).filter(|more| *more > 0) {
        let _ = writeln!(
            tables,
            "<p class=\"note\">{} further rows are in the files: or choose a model or a provider.</p>",
            thousands(more as u64)
        );
    }
    tables
}

fn class(cell: &Cell) -> &'static str {
    match cell {
        Cell::Text(_) => "words",
        Cell::Absent(_) => "none",
        Cell::In(_, cell) => class(cell),
        Cell::Value(_) | Cell::Estimate { .. } | Cell::Quantile { .. } | Cell::Share(_) => "number",
    }
}

fn td(class: &str, lines: &[String]) -> String {
    let lines: Vec<String> = lines
        .iter()
        .enumerate()
        .map(|(index, line)| match index {
            0 => escaped(line),
            _ => format!("<small>{}</small>", escaped(line)),
        })
        .collect();
    format!("<td class=\"{class}\">{}</td>", lines.join("<br>"))
}

fn framed<'a>(
    title: &str,
    names: impl Iterator<Item = (&'a str, bool)>,
    rows: impl Iterator<Item = String>,
) -> String {
    let title = escaped(title);
    let names: String = names
        .map(|(name, is_words)| {
            let class = if is_words { " class=\"words\"" } else { "" };
            format!("<th scope=\"col\"{class}>{}</th>", escaped(name))
        })
        .collect();
    let rows: String = rows.map(|row| format!("<tr>{row}</tr>\n")).collect();
    format!(
        "<h2>{title}</h2>\n<div class=\"across\" tabindex=\"0\" role=\"region\" aria-label=\"{title}\">\
         <table><thead><tr>{names}</tr></thead><tbody>\n{rows}</tbody></table></div>\n"
    )
}
