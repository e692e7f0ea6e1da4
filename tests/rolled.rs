//! Compares reports from roll-ups with the same from every record, and samples with the whole.

#![expect(clippy::unwrap_used, reason = "a helper of a test may fail the test")]

use std::time::Duration;

use serde_json::Value;
use tollgate::analysis::render::paper::write;
use tollgate::analysis::render::units::thousands;
use tollgate::analysis::render::{Format, json};
use tollgate::analysis::reports::{Choice, Listed, tax};
use tollgate::analysis::tables::{Origins, Window};
use tollgate::clock::Clock;
use tollgate::config::settings::StoreSettings;
use tollgate::edge::store::{Store, StoreReader};
use tollgate::record::{ExchangeRecord, WallTime};
use tollgate::ui::papers::{self, Known, Question, Which};
use tollgate::ui::reading::Most;
use tollgate::ui::rows::{self, Asked};

#[path = "support/filled.rs"]
#[expect(dead_code, reason = "other tests need the rest of it")]
mod filled;

use filled::records::{self, Random, START, realistic};

const EVERYTHING: Most = Most {
    records: u64::MAX,
    summaries: u64::MAX,
    routes: None,
};
const LITTLE: Most = Most {
    records: 500,
    summaries: 500,
    routes: None,
};
/// How far a quantile of a sketch may be off, with the interpolation between two numbers.
const NEAR: f64 = 0.02;

/// Exchanges of three hours, from the middle of an hour on.
fn exchanges() -> Vec<ExchangeRecord> {
    let mut random = Random(11);
    (0..4_000)
        .map(|n| {
            let started = WallTime(START.0 + n * 2_700_000);
            let stream = random.chance(80);
            let mut record = realistic(&mut random, started, stream);
            if random.chance(6) {
                records::fail(&mut random, &mut record);
            }
            record
        })
        .collect()
}

fn window() -> Window {
    Window {
        from: WallTime(START.0 - 60_000_000),
        until: WallTime(START.0 + 4 * 3_600_000_000),
    }
}

fn reader(directory: &tempfile::TempDir) -> StoreReader {
    let path = directory.path().join("tollgate.redb");
    drop(filled::store(&path, &exchanges()));
    StoreReader::open(&path).unwrap()
}

fn report(reader: &StoreReader, which: Which, most: Most) -> Value {
    let question = Question {
        which,
        window: window(),
        compare: None,
        origins: Origins::All,
        choice: Choice::default(),
        known: Known::of(None),
    };
    let paper = papers::paper(reader, &question, most, window().until, || {}).unwrap();
    serde_json::from_str(&write(&paper, Format::Json)).unwrap()
}

/// Numbers that both have: those of quantiles may be off by as much as sketches
/// are, others are the same.
fn compare(rolled: &Value, exact: &Value, path: &str, seen: &mut u64) {
    match (rolled, exact) {
        (Value::Object(rolled), Value::Object(exact)) => {
            for (key, value) in rolled {
                compare(
                    value,
                    exact.get(key).unwrap_or(&Value::Null),
                    &format!("{path}/{key}"),
                    seen,
                );
            }
        }
        (Value::Array(rolled), Value::Array(exact)) => {
            assert_eq!(rolled.len(), exact.len(), "{path}");
            for (at, (one, other)) in rolled.iter().zip(exact).enumerate() {
                compare(one, other, &format!("{path}/{at}"), seen);
            }
        }
        (Value::Number(rolled), Value::Number(exact)) => {
            let (rolled, exact) = (rolled.as_f64().unwrap(), exact.as_f64().unwrap());
            let quantile = ["p5", "p50", "p95", "p99", "cv", "mad", "iqr"]
                .iter()
                .any(|part| path.contains(part));
            let end = path.ends_with("low") || path.ends_with("high");
            // Records know how alike neighbours are, roll-ups how alike those of an hour: intervals
            // differ, those of shares too.
            if path.contains("design_effect") || end {
                return;
            }
            // Roll-ups tell waits of those only who waited for a first token in vain.
            if path.contains("total_ms/not_waited_out") || path.contains("total_ms/missing") {
                return;
            }
            let allowed = if quantile { NEAR } else { 1e-9 };
            // Ratios of two quantiles are off by both; those near zero by the quantiles' own error.
            let ratio = if path.contains("over") {
                4.0 * NEAR
            } else {
                0.0
            };
            let off = (rolled - exact).abs();
            assert!(
                off <= allowed * exact.abs() + ratio + 1e-9,
                "{path}: {rolled} from roll-ups, {exact} from records"
            );
            *seen += 1;
        }
        _ => {}
    }
}

#[test]
fn roll_ups_tell_what_records_tell() {
    let directory = tempfile::tempdir().unwrap();
    let reader = reader(&directory);
    for (listed, tables) in [
        (Listed::Models, vec!["speed", "tails"]),
        (Listed::Consistency, vec!["spread", "streams"]),
        (Listed::Cost, vec!["cost", "overhead", "reconciled"]),
        (Listed::Errors, vec!["rates"]),
        (Listed::Trend, vec!["steps"]),
    ] {
        let rolled = report(&reader, Which::Listed(listed), LITTLE);
        let exact = report(&reader, Which::Listed(listed), EVERYTHING);
        assert_eq!(exact["head"]["source"]["of"], "records");
        assert_eq!(rolled["head"]["source"]["of"], "rollups");
        assert_eq!(rolled["head"]["source"]["relative_error"], 0.01);
        assert_eq!(rolled["head"]["scanned"], exact["head"]["scanned"]);
        let mut seen = 0;
        for table in tables {
            let path = format!("{}/{table}", listed.name());
            let (rolled, exact) = (&rolled["tables"][table], &exact["tables"][table]);
            assert!(!exact.as_array().unwrap().is_empty(), "{path}");
            compare(rolled, exact, &path, &mut seen);
        }
        assert!(seen > 30, "{}: {seen} numbers", listed.name());
    }
}

#[test]
fn routes_from_roll_ups_are_routes() {
    let directory = tempfile::tempdir().unwrap();
    let reader = reader(&directory);
    let asked = Asked {
        window: window(),
        origins: Origins::All,
        model: None,
        provider: None,
    };
    let made = |most| {
        let report = rows::routes(&reader, &asked, None, most, window().until, || {}).unwrap();
        json::routes(&report)
    };
    let (rolled, exact) = (made(LITTLE), made(EVERYTHING));
    assert_eq!(rolled["source"], "rollups");
    assert_eq!(exact["source"], "records");
    assert_eq!(rolled["taken"], exact["taken"]);
    let mut seen = 0;
    compare(&rolled["routes"], &exact["routes"], "routes", &mut seen);
    assert!(seen > 200, "{seen}");
}

#[test]
fn what_needs_records_takes_a_sample_and_says_so() {
    let directory = tempfile::tempdir().unwrap();
    let reader = reader(&directory);
    for which in [
        Which::Tax(tax::Asked::default()),
        Which::Listed(Listed::Length),
        Which::Listed(Listed::Regions),
    ] {
        let sample = report(&reader, which.clone(), LITTLE);
        assert_eq!(sample, report(&reader, which, LITTLE), "drawn anew alike");
        let source = &sample["head"]["source"];
        assert_eq!(source["of"], "sample");
        assert_eq!(source["chance"], 0.12);
        let scanned = sample["head"]["scanned"].as_f64().unwrap();
        // 480 expected of 4,000 with a chance of 0.12: five deviations are 103.
        assert!((377.0..583.0).contains(&scanned), "seed 1: {scanned}");
    }
    let chosen = Question {
        which: Which::Listed(Listed::Models),
        window: window(),
        compare: None,
        origins: Origins::All,
        choice: Choice {
            regions: vec!["nowhere".to_owned()],
            ..Choice::default()
        },
        known: Known::of(None),
    };
    let paper = papers::paper(&reader, &chosen, LITTLE, window().until, || {}).unwrap();
    let value: Value = serde_json::from_str(&write(&paper, Format::Json)).unwrap();
    assert_eq!(
        value["head"]["source"]["of"], "sample",
        "regions are in no roll-up"
    );
}

/// Of records that are no longer kept, roll-ups still tell, and what they cannot tell is said.
#[test]
fn a_window_of_which_records_are_gone_is_told_whole_or_said_not_to_be() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tollgate.redb");
    let all = exchanges();
    let settings = StoreSettings {
        keep_bytes: 600 << 10,
        ..filled::settings(&path)
    };
    let clock = Clock::system();
    let (mut store, _) = Store::open(&settings, &clock).unwrap();
    store.append(&all).unwrap();
    while store.trim(window().until).unwrap().more {}
    let kept = store.records().unwrap();
    assert!(kept > 500 && kept < 3_000, "{kept}");
    drop(store);
    let reader = StoreReader::open(&path).unwrap();
    for listed in [Listed::Models, Listed::Errors, Listed::Cost] {
        let told = report(&reader, Which::Listed(listed), EVERYTHING);
        assert_eq!(told["head"]["source"]["of"], "rollups", "{listed:?}");
        assert_eq!(told["head"]["scanned"], all.len());
    }
    // These know of no roll-ups: of the rest, and saying so.
    for listed in [Listed::Regions, Listed::Length] {
        let told = report(&reader, Which::Listed(listed), EVERYTHING);
        assert_eq!(told["head"]["source"]["of"], "records", "{listed:?}");
        assert_eq!(told["head"]["scanned"], kept);
        let said = told["findings"][0].as_str().unwrap();
        let gone = thousands(all.len() as u64 - kept);
        assert!(said.contains(&format!("about {gone} exchanges")), "{said}");
    }
    let asked = Asked {
        window: window(),
        origins: Origins::All,
        model: None,
        provider: None,
    };
    let made = window().until;
    let routes = rows::routes(&reader, &asked, None, EVERYTHING, made, || {}).unwrap();
    assert!(routes.head.rolled);
    assert_eq!(routes.scanned, all.len() as u64);
}

/// A clock that was ahead and was set back: what it dated is in no window that ends now, which is
/// said.
#[test]
fn exchanges_of_after_now_are_told() {
    let directory = tempfile::tempdir().unwrap();
    let reader = reader(&directory);
    let now = WallTime(START.0 + 2 * 3_600_000_000);
    for (until, told) in [(now, true), (WallTime(now.0 - 1), false)] {
        let question = Question {
            which: Which::Listed(Listed::Models),
            window: Window { until, ..window() },
            compare: None,
            origins: Origins::All,
            choice: Choice::default(),
            known: Known::of(None),
        };
        let paper = papers::paper(&reader, &question, EVERYTHING, now, || {}).unwrap();
        let said = paper.findings[0].contains("exchanges are dated after now");
        assert_eq!(said, told, "{:?}", paper.findings);
    }
}

/// Roll-ups are of whole hours: the one in which two windows meet is on one side only.
#[test]
fn two_windows_that_meet_within_an_hour_count_it_once() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tollgate.redb");
    let all = exchanges();
    for keep_minutes in [Duration::from_hours(24), Duration::ZERO] {
        let _ = std::fs::remove_file(&path);
        let settings = StoreSettings {
            keep_bytes: 600 << 10,
            keep_minutes,
            ..filled::settings(&path)
        };
        let (mut store, _) = Store::open(&settings, &Clock::system()).unwrap();
        store.append(&all).unwrap();
        while store.trim(window().until).unwrap().more {}
        drop(store);
        let reader = StoreReader::open(&path).unwrap();
        // Within a minute, of which the records are gone.
        let meet = WallTime(START.0 + 2_430_000_000);
        let [a, b] = [(window().from, meet), (meet, window().until)];
        for turned in [false, true] {
            let mut windows = [a, b].map(|(from, until)| Window { from, until });
            if turned {
                windows.reverse();
            }
            let question = Question {
                which: Which::Listed(Listed::Models),
                window: window(),
                compare: Some(windows),
                origins: Origins::All,
                choice: Choice::default(),
                known: Known::of(None),
            };
            let made = window().until;
            let paper = papers::paper(&reader, &question, EVERYTHING, made, || {}).unwrap();
            let sides: Vec<_> = paper.head.sides.iter().map(|side| &side.head).collect();
            assert_eq!(
                sides.iter().map(|head| head.scanned).sum::<u64>(),
                all.len() as u64,
                "{keep_minutes:?} {turned}"
            );
            let told = |text: &String| text.contains("it counts once");
            assert_eq!(paper.findings.iter().filter(|text| told(text)).count(), 1);
        }
    }
}
