//! Saves baselines of made-up calls, reads them back, and lets routes drift.

use super::{Baseline, Drift, check_name, compared_with, of_calls, paper};
use crate::analysis::paper::{Cell, Paper};
use crate::analysis::render::Format;
use crate::analysis::render::paper::write;
use crate::analysis::reports::Report as _;
use crate::analysis::reports::call::Call;
use crate::analysis::reports::tests::{failing, head, made_up, routed};
use crate::analysis::tables::Window;
use crate::record::WallTime;
use crate::sample::record;
use crate::statistics::compare::Random;

/// `count` calls around `first_ms` with a deviation of a tenth, from the `from`th second on.
fn calls(seed: u64, from: usize, count: usize, first_ms: f64) -> Vec<Call> {
    let mut random = Random::new(seed);
    let mut normal = || (0..12).map(|_| random.unit()).sum::<f64>() - 6.0;
    (from..from + count)
        .map(|n| made_up(n, first_ms * (0.1 * normal()).exp()))
        .collect()
}

fn baseline(calls: &[Call]) -> Baseline {
    Baseline {
        name: "november".to_owned(),
        note: "before the move".to_owned(),
        ..of_calls(calls, &head(), WallTime(86_400_000_000))
    }
}

fn drifted(baseline: &Baseline, calls: Vec<Call>) -> Paper {
    let mut drift = Drift::new(baseline.clone());
    drift.take(&record(), calls);
    drift.paper(head())
}

#[test]
fn a_baseline_is_read_as_it_was_written() {
    let mut all = calls(1, 0, 120, 300.0);
    all.extend(
        calls(2, 0, 20, 350.0)
            .into_iter()
            .map(|call| routed(call, None)),
    );
    all.push(failing(7));
    let one = baseline(&all);
    assert_eq!(one.rows.len(), 2);
    assert_eq!(Baseline::read(&one.json().to_string()), Ok(one.clone()));
    for (key, value, message) in [
        ("schema", "tollgate.baseline/2".into(), "this program reads"),
        ("definitions", 99.into(), "may not be compared"),
        ("rows", 1.into(), "no list `rows`"),
        ("saved", 5.into(), "no text `saved`"),
    ] {
        let mut other = one.json();
        other[key] = value;
        let found = Baseline::read(&other.to_string()).unwrap_err();
        assert!(found.contains(message), "{key}: {found}");
    }
    let text = one.json().to_string();
    assert!(Baseline::read(&text[..text.len() / 2]).is_err());
}

#[test]
fn a_baseline_is_shown_as_a_document() {
    let mut all = calls(1, 0, 120, 300.0);
    all.extend(
        calls(2, 0, 120, 450.0)
            .into_iter()
            .map(|call| routed(call, None)),
    );
    all.extend((0..3).map(failing));
    let shown = write(&paper(&baseline(&all), WallTime(0)), Format::Markdown);
    for part in [
        "# Baseline november",
        "before the move",
        "Results by model and region",
        "Anomalies",
        "3 of 123 failed",
        "leads with",
        "definitions",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
}

#[test]
fn two_baselines_are_compared_with_verdicts() {
    let (before, after) = (
        baseline(&calls(1, 0, 150, 300.0)),
        baseline(&calls(2, 0, 150, 400.0)),
    );
    let found = compared_with(&before, &after, WallTime(0));
    assert!(
        found
            .findings
            .iter()
            .any(|said| said.contains("first token p50 went from")),
        "{:?}",
        found.findings
    );
    let same = compared_with(&before, &before, WallTime(0));
    assert!(
        same.findings[0].contains("0 are different"),
        "{:?}",
        same.findings
    );
}

/// Clients leave after 800 ms: the few that were answered in time were as fast as ever.
#[test]
fn a_route_that_nobody_waits_for_any_more_has_drifted() {
    let left = |call: Call| Call {
        failed: None,
        first_token: None,
        first_answer: None,
        whole: None,
        total: None,
        rate: None,
        waited: [Some(800e6); 3],
        ..call
    };
    let cut = |calls: Vec<Call>, one_in: usize| -> Vec<Call> {
        let each = calls.into_iter().enumerate();
        each.map(|(n, call)| if n % 7 < one_in { left(call) } else { call })
            .collect()
    };
    for (seed, before, after, slower) in [(1, 0, 6, true), (3, 1, 1, false), (5, 2, 2, false)] {
        let before = baseline(&cut(calls(seed, 0, 350, 300.0), before));
        let found = drifted(&before, cut(calls(seed + 1, 400, 350, 300.0), after));
        let row = &found.sheets[0].rows[0];
        assert_eq!(super::has_drifted(&found), slower, "seed {seed}: {row:?}");
        let cut = Cell::count(50 * after as u64);
        assert_eq!((&row[5], &row[12]), (&Cell::count(350), &cut));
        if slower {
            assert!(matches!(row[4], Cell::Absent(_)), "{row:?}");
            assert_eq!(row[8], Cell::text("different"), "{row:?}");
            assert!(
                found.findings[0].contains("slower since"),
                "{:?}",
                found.findings
            );
        }
    }
    // Totals know of those that nobody waited out: that they are longer than the wait is all that is sure.
    let few = baseline(&cut(calls(7, 0, 350, 300.0), 5));
    let total = few.rows[0].numbers[3].unwrap();
    assert_eq!((total.n, total.low, total.high), (350, Some(800e6), None));
}

#[test]
fn a_route_that_became_slower_is_told_with_the_moment() {
    let before = baseline(&calls(3, 0, 300, 300.0));
    // From the 500th second on it takes 60 ms more: two deviations of a step's median and more.
    let mut after = calls(4, 400, 100, 300.0);
    after.extend(calls(5, 500, 200, 360.0));
    let found = drifted(&before, after);
    let row = &found.sheets[0].rows[0];
    assert_eq!(row[9], Cell::text("slower"), "seeds 3 to 5: {row:?}");
    let Cell::Text(since) = &row[11] else {
        panic!("{row:?}")
    };
    // The 500th second is in minute 8.
    assert!(
        since.contains("00:08") || since.contains("00:07"),
        "seeds 3 to 5: {since}"
    );
    assert!(
        found.findings[0].contains("slower since about"),
        "{:?}",
        found.findings
    );
}

/// An unchanged route gives an alarm a week: a window of an hour nearly never one.
#[test]
fn a_route_that_did_not_change_is_let_be() {
    let mut alarms = 0;
    let worlds = 40;
    for seed in 0..worlds {
        let before = baseline(&calls(2 * seed, 0, 1_000, 300.0));
        let found = drifted(&before, calls(2 * seed + 1, 2_000, 400, 300.0));
        alarms += u32::from(found.sheets[0].rows[0][9] != Cell::text("none"));
    }
    assert!(alarms <= 2, "seeds 0..{}: {alarms} of {worlds}", 2 * worlds);
}

#[test]
fn what_is_too_little_to_tell_says_so() {
    let before = baseline(&calls(3, 0, 30, 300.0));
    let found = drifted(&before, calls(4, 400, 100, 600.0));
    assert!(matches!(&found.sheets[0].rows[0][9], Cell::Absent(why) if why.contains("3 steps")));
    let enough = baseline(&calls(3, 0, 100, 300.0));
    let found = drifted(&enough, calls(4, 400, 4, 600.0));
    assert!(matches!(&found.sheets[0].rows[0][9], Cell::Absent(why) if why.contains("4 since")));
    assert!(
        found.findings[0].starts_with("No drift"),
        "{:?}",
        found.findings
    );
    for (name, ok) in [
        ("november", true),
        ("a-1.b_c", true),
        ("", false),
        ("a b", false),
        ("ä", false),
    ] {
        assert_eq!(check_name(name).is_ok(), ok, "{name}");
    }
    assert!(check_name(&"x".repeat(65)).is_err());
}

#[test]
fn a_pace_is_of_the_time_that_was_seen() {
    let mut of = head();
    let calls = calls(4, 400, 200, 300.0);
    let second = |at: i64| WallTime(at * 1_000_000);
    // Window, made, seconds: a week asked of ten minutes, one to come, one that begins later.
    for (from, until, made, seconds) in [
        (-600_000, 1_000, 1_000, 600.0),
        (0, 600_000, 1_000, 600.0),
        (500, 600, 1_000, 100.0),
    ] {
        of.window = Window {
            from: second(from),
            until: second(until),
        };
        of.made = second(made);
        let found = super::drift::looked_at(&calls, &of);
        assert!((found - seconds).abs() < 1e-9, "{from} {until}: {found}");
    }
}
