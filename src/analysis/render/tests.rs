//! Tests what reports look like in each format.

use super::super::tables::routes::tests::{ended, report, stream};
use super::*;
use crate::analysis::tables::{Further, Row};
use crate::record::{ErrorClass, Outcome};

fn sample() -> RoutesReport {
    let failed = |n: u64| {
        (n % 20 == 19).then(|| ended(Outcome::UpstreamError, Some(ErrorClass::ServerError)))
    };
    let busy = (0..400).map(move |n| failed(n).unwrap_or_else(|| stream(200 + n)));
    let quiet = (0..7).map(|n| Row {
        model: 5,
        ..stream(50 + n)
    });
    let rejected = [Row {
        provider: 0,
        model: 0,
        ..ended(Outcome::Rejected, None)
    }];
    report(busy.chain(quiet).chain(rejected))
}

/// A report whose names are as hostile as names can be.
fn hostile() -> RoutesReport {
    let mut report = report([stream(1)]);
    report.routes[0].route.provider = "=cmd|<script>alert(1)</script>".to_owned();
    report.routes[0].route.model = Some(format!("\u{1b}[31m{}\u{202e}", "long-".repeat(60)));
    report
}

#[test]
fn a_table_fits_100_columns() {
    for report in [sample(), hostile(), report([])] {
        let text = routes(&report, Format::Table);
        for line in text.lines() {
            assert!(
                line.chars().count() <= 100,
                "{}: {line}",
                line.chars().count()
            );
        }
        assert!(!text.contains(['\u{1b}', '\u{202e}']), "{text}");
    }
}

#[test]
fn a_bounded_report_says_in_every_format_what_it_leaves_out() {
    let whole = sample();
    let mut report = sample();
    report.routes.truncate(1);
    report.further = Further {
        routes: 1,
        exchanges: 7,
    };
    for format in [Format::Table, Format::Markdown, Format::Html] {
        let text = routes(&report, format).replace('\n', " ");
        assert!(
            text.contains("1 further routes, of 7 exchanges together"),
            "{text}"
        );
        assert!(!routes(&whole, format).contains("further routes"));
    }
    let json: serde_json::Value = serde_json::from_str(&routes(&report, Format::Json)).unwrap();
    assert_eq!(
        json["further"],
        serde_json::json!({"routes": 1, "exchanges": 7})
    );
    // The sum of a spreadsheet's column stays that of all.
    let csv = routes(&report, Format::Csv);
    let lines: Vec<Vec<&str>> = csv.lines().map(|line| line.split(',').collect()).collect();
    assert_eq!(lines.len(), 3, "{csv}");
    assert_eq!(lines[0].len(), lines[2].len());
    let at = lines[0]
        .iter()
        .position(|name| *name == "exchanges")
        .unwrap();
    assert_eq!(lines[2][..2], ["(further)", "(1 routes)"]);
    assert_eq!(lines[2][at], "7");
}

#[test]
fn a_table_says_what_it_withholds_and_why() {
    let text = routes(&sample(), Format::Table);
    for part in [
        "provider-1",
        "5.00 %",
        "7 of 72",
        "7 of 368",
        "∞",
        "Reached no provider: rejected 1",
        "Definitions 1",
        "Observational",
    ] {
        assert!(text.contains(part), "{part} is missing:\n{text}");
    }
    let empty = routes(&report([]), Format::Table);
    assert!(empty.contains("No exchange in this window"), "{empty}");
}

/// What an expert asks of a report before any number of it is believed.
#[test]
fn every_format_says_what_the_numbers_stand_on() {
    let mut report = sample();
    report.excluded[0] = 3;
    report.head.configs = vec![crate::record::KeyedHash(0xabc)];
    for format in [Format::Table, Format::Markdown, Format::Html] {
        let text = routes(&report, format).replace('\\', "");
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        for part in [
            // Window, n, exclusions with their reason.
            "2026-11-21 00:36 UTC to 2026-11-22 00:36 UTC (24 h), live traffic, 408 exchanges",
            "Not in this report, of 408 looked at: other_origin 3.",
            "Reached no provider: rejected 1",
            // The interval of a rate with its n, of a quantile, and what withholds one.
            "[3.26 %, 7.60 %]",
            "of 400",
            "[388 ms, 431 ms]",
            "7 of 368",
            // Versions, settings, seed, method, own delay.
            "Definitions 1, tollgate 0.",
            "0000000000000abc",
            "No draws are made",
            "two order statistics, exact, 95 %, of as many numbers as are independent",
            "41.0 µs",
            "Observational",
        ] {
            assert!(text.contains(part), "{format:?}: {part} is missing: {text}");
        }
    }
}

#[test]
fn markdown_escapes_names() {
    let text = routes(&hostile(), Format::Markdown);
    assert!(text.contains("=cmd\\|&lt;script&gt;"), "{text}");
    assert!(!text.contains("<script>"));
    let columns = |line: &str| line.replace("\\|", "").matches('|').count();
    let table: Vec<&str> = text.lines().filter(|line| line.starts_with('|')).collect();
    assert!(
        table[..3]
            .iter()
            .all(|line| columns(line) == columns(table[0]))
    );
}

#[test]
fn csv_is_rectangular_and_safe() {
    let text = routes(&sample(), Format::Csv);
    let mut reader = ::csv::ReaderBuilder::new().from_reader(text.as_bytes());
    assert_eq!(reader.records().map(Result::unwrap).count(), 2);
    let names = reader.headers().unwrap();
    assert!(names.iter().any(|name| name == "first_token_ms_p99"));
    assert!(routes(&hostile(), Format::Csv).contains("\"'=cmd|"));
    assert_eq!(routes(&report([]), Format::Csv), "");
}

#[test]
fn json_keeps_its_schema() {
    let value: serde_json::Value = serde_json::from_str(&routes(&sample(), Format::Json)).unwrap();
    let keys = |value: &serde_json::Value| {
        let mut keys: Vec<String> = value.as_object().unwrap().keys().cloned().collect();
        keys.sort();
        keys.join(" ")
    };
    assert_eq!(value["schema"], "tollgate.report.routes/1");
    assert_eq!(
        keys(&value),
        "configs damaged definitions design excluded further lost_unread made program relative_error \
         routes scanned schema selection source span taken unrouted window"
    );
    let route = &value["routes"][0];
    assert_eq!(
        keys(route),
        "attempt_failure_rate attempts cost credential_faults exchanges failure_rate \
         first_answer_ms first_token_ms kind left_out_of_latency lost model outcomes \
         output_rate own_delay_ms provider pseudo_streams rate_limited region \
         reused_connections stalled streams tokens total_ms whole"
    );
    assert_eq!(
        keys(&route["first_token_ms"]),
        "design_effect failures few_hours iqr_over_p50 missing n not_waited_out p5 p50 p95 p95_over_p50 p99"
    );
    assert_eq!(route["failure_rate"]["part"], 20);
    assert_eq!(keys(&route["failure_rate"]), "high low part value whole");
    let p95 = &route["first_token_ms"]["p95"];
    assert!(p95["low"].is_number() && p95["high"].is_null(), "{p95}");
    assert_eq!(route["first_token_ms"]["p99"]["reason"], "among_failures");
    let withheld = &value["routes"][1]["first_token_ms"]["p99"];
    assert_eq!(
        (&withheld["needs"], &withheld["has"]),
        (&368.into(), &7.into())
    );
    assert!(withheld["value"].is_null());
}

#[test]
fn a_story_has_every_attempt_and_mark() {
    let text = explain::exchange(&exchange::tests::full());
    for part in [
        "attempt 2 of 2",
        "first_token ",
        "truncated",
        "served by  Azure",
        "+1.50 ms",
    ] {
        assert!(text.contains(part), "{part} is missing:\n{text}");
    }
}
