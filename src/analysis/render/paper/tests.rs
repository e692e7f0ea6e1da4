//! Renders one small report in every format.

use super::*;
use crate::analysis::paper::{Bar, Cell, Chart, Column, Head, Plot, Sheet, Source, Unit};
use crate::analysis::tables::Window;
use crate::record::WallTime;

fn paper() -> Paper {
    let mut sheet = Sheet::new(
        "effects",
        "Effects",
        vec![
            Column::words("route", "route"),
            Column::new("tax", "tax", Unit::Delta),
            Column::new("failed", "failed", Unit::Share),
        ],
    );
    sheet.rows.push(vec![
        Cell::text("openrouter <b>=1+1"),
        Cell::Estimate {
            value: 40e6,
            low: Some(-2e6),
            high: Some(81e6),
        },
        Cell::Value(0.25),
    ]);
    sheet.rows.push(vec![
        Cell::text("other"),
        Cell::absent("needs 72, has 3"),
        Cell::Value(f64::INFINITY),
    ]);
    let chart = Chart {
        title: "Tax \"of\" <routes>".to_owned(),
        unit: Unit::Delta,
        plot: Plot::Forest {
            bars: vec![Bar {
                name: "a & b".to_owned(),
                value: 40e6,
                interval: Some((-2e6, 81e6)),
            }],
            zero: 0.0,
        },
        note: String::new(),
    };
    let head = Head {
        window: Window {
            from: WallTime(0),
            until: WallTime(86_400_000_000),
        },
        made: WallTime(86_400_000_000),
        origin: "live".to_owned(),
        selection: vec!["model gpt-4.1".to_owned()],
        source: Source::Records,
        scanned: 12,
        taken: 10,
        excluded: vec![("other_model".to_owned(), 2)],
        configs: Vec::new(),
        own_delay: Some((41_000.0, 120_000.0)),
        seed: Some(7),
        method: "Method.",
        hosted: Vec::new(),
        remarks: Vec::new(),
        sides: Vec::new(),
    };
    Paper {
        name: "tax",
        version: 1,
        title: "Router tax".to_owned(),
        findings: vec!["It costs 40 ms.".to_owned()],
        head,
        sheets: vec![sheet],
        charts: vec![chart],
        notes: vec!["A note.".to_owned()],
    }
}

#[test]
fn every_format_says_the_same() {
    let paper = paper();
    for (format, expected) in [
        (
            Format::Table,
            [
                "+40.0 ms",
                "[−2.00 ms, +81.0 ms]",
                "needs 72, has 3",
                "* It costs 40 ms.",
            ],
        ),
        (
            Format::Markdown,
            ["+40.0 ms", "> It costs 40 ms.", "25.0 %", "# Router tax"],
        ),
        (
            Format::Csv,
            [
                "40,-2,81,0.25",
                "tax_ms_low",
                "\"openrouter <b>=1+1\"",
                "inf",
            ],
        ),
        (
            Format::Json,
            [
                "\"tax_ms\": 40.0",
                "\"tax_ms_why\"",
                "tollgate.report.tax/1",
                "\"inf\"",
            ],
        ),
        (
            Format::Html,
            ["+40.0 ms", "openrouter &lt;b&gt;", "<svg", "a &amp; b"],
        ),
    ] {
        let text = write(&paper, format);
        for part in expected {
            let part = part.trim_matches('"');
            assert!(
                text.contains(part) || text.contains(&format!("\"{part}\"")),
                "{format:?} lacks {part}:\n{text}"
            );
        }
    }
}

/// Beside a number of less than three hours stands that it is one, and what that means, wherever
/// people read; machines have a key. An interval that is open at both ends is no missing one.
#[test]
fn an_interval_that_cannot_know_how_hours_differ_says_so() {
    let mut paper = paper();
    let quantile = |few_hours: bool| Cell::Quantile {
        value: 40e6,
        low: None,
        high: None,
        n: 1_180,
        few_hours,
        of: None,
    };
    for (few, beside) in [(true, "n 1,180 in &lt;3 h"), (false, "n 1,180")] {
        paper.sheets[0].rows[0][1] = quantile(few);
        for format in [Format::Table, Format::Markdown, Format::Html] {
            // Markdown's brackets are no link.
            let text = write(&paper, format).replace('\\', "");
            let beside = if format == Format::Table {
                beside.replace("&lt;", "<")
            } else {
                beside.to_owned()
            };
            assert!(text.contains(&beside), "{format:?}: {text}");
            assert!(text.contains("[—, —]"), "{format:?}: {text}");
            let said = text.contains("know how hours differ");
            assert!(said == few || format == Format::Table, "{format:?}: {text}");
        }
        let json = json(&paper);
        let row = &json["tables"]["effects"][0];
        assert_eq!(row["tax_few_hours"].as_bool(), few.then_some(true));
        assert_eq!(
            json["notes"].as_array().map(Vec::len),
            Some(1 + usize::from(few))
        );
        assert_eq!(fragment(&paper).contains("know how hours differ"), few);
    }
}

#[test]
fn an_html_report_needs_nothing_else() {
    let html = write(&paper(), Format::Html);
    for reference in ["http://", "https://", "src=", "href=", "@import", "url("] {
        assert!(!html.contains(reference), "{reference}");
    }
    assert!(!html.contains("<b>"), "a name is no markup");
}

#[test]
fn what_lies_beyond_the_edge_of_a_table_is_seen_to() {
    let html = write(&paper(), Format::Html);
    let style = html.split("<style>").nth(1).unwrap();
    // A reason wraps, so that eight columns and a verdict fit 1,400 px.
    let none = style.split("td.none{").nth(1).unwrap();
    assert!(
        none.split('}')
            .next()
            .unwrap()
            .contains("white-space:normal")
    );
    // Where they do not, the edge is shaded, and there is a bar even where bars hide themselves.
    assert!(style.contains("scroll}\n.across::-webkit-scrollbar{height:"));
    assert!(style.contains("no-repeat local,"));
}

#[test]
fn a_page_shows_so_many_rows_and_a_file_has_them_all() {
    let mut many = paper();
    let sheet = &mut many.sheets[0];
    sheet.rows = (0..html::ROWS_MAX + 7)
        .map(|n| {
            let name = Cell::text(format!("made-up-{n}"));
            vec![name, Cell::Value(1e6), Cell::Value(0.5)]
        })
        .collect();
    let rows = |text: &str| text.matches("made-up-").count();
    let page = fragment(&many);
    assert_eq!(rows(&page), html::ROWS_MAX);
    assert!(page.contains("7 further rows are in the files"), "{page}");
    assert_eq!(rows(&write(&many, Format::Html)), html::ROWS_MAX + 7);
    assert!(!fragment(&paper()).contains("further rows"));
}
