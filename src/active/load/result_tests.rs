//! Holds the result of a load against steps whose figures are known.

use super::super::figures::{Of, Window};
use super::super::plan::tests::plan;
use super::super::sample::Sample;
use super::super::sample::tests::answered;
use super::*;
use crate::record::{KeyedHash, Moment, Outcome, RateLimitHeader};
use crate::routing::limits::{Declared, declared};
use crate::workload::sweep::Rule;

const SECONDS: u64 = 20;

/// A step of `rate` in which every request takes `total` ms, and every `failing`th meets a limit.
fn step(plan: &Plan, rate: f64, total: impl Fn(u64) -> u64, failing: usize) -> StepResult {
    let mut step = plan.step(0, Some(rate));
    step.phases.ramp = Nanos(0);
    step.phases.sustain = Nanos::from_millis(SECONDS * 1_000);
    let gap = (1e3 / rate) as u64;
    let mut samples: Vec<Sample> = (0..SECONDS * 1_000 / gap)
        .map(|at| answered(at * gap, 0, total(at)))
        .collect();
    for sample in samples.iter_mut().skip(failing - 1).step_by(failing) {
        sample.outcome = Outcome::RateLimited;
        sample.total = None;
    }
    let figures = Figures::of(
        &samples,
        Of {
            window: Window::of(Moment(0), step.phases, None),
            sla: &plan.workload.sla,
            patience: Nanos::from_millis(60_000),
            unrecorded: 0,
            is_steady: true,
        },
    );
    StepResult {
        step,
        figures,
        declared: Declared::default(),
        whole: true,
    }
}

fn searching() -> Plan {
    Plan {
        search: Some(Rule {
            start: 10.0,
            max: 100.0,
            resolution: 0.1,
            whole: false,
        }),
        ..plan(Demand::Rate {
            rate: 10.0,
            constant: true,
        })
    }
}

#[test]
fn knees_are_where_a_route_bends() {
    let plan = searching();
    let steady = |rate: f64, failing| step(&plan, rate, |_| 100, failing);
    let never = usize::MAX;
    for (steps, saturation, rate_limits) in [
        (vec![steady(10.0, never), steady(20.0, never)], None, None),
        (vec![steady(20.0, 9), steady(10.0, never)], None, Some(20.0)),
        (
            vec![steady(20.0, 100), steady(10.0, never)],
            None,
            Some(20.0),
        ),
        (
            // Each answer takes longer than the one before it: it falls behind.
            vec![
                steady(10.0, never),
                step(&plan, 20.0, |at| 100 + at * 50, never),
            ],
            Some(20.0),
            None,
        ),
        // What is at work at the end is answered after it: no shortfall, and few say nothing.
        (vec![step(&plan, 20.0, |_| 2_000, never)], None, None),
    ] {
        let expected = Knees {
            saturation,
            rate_limits,
        };
        assert_eq!(Knees::of(&steps), expected);
    }
    assert_eq!(Knees::of(&[]), Knees::default());
}

#[test]
fn limits_are_the_users_or_those_of_the_headers() {
    let mut plan = searching();
    let mut of = step(&plan, 10.0, |_| 100, usize::MAX);
    assert_eq!(Use::requests(&plan, &of).limit, None);
    let header = |name: &str, value: &str| RateLimitHeader {
        name: name.into(),
        value: value.into(),
    };
    let headers = [
        header("x-ratelimit-limit-requests", "1200"),
        header("x-ratelimit-remaining-requests", "3"),
    ];
    of.declared = declared(&headers, WallTime(0));
    let found = Use::requests(&plan, &of);
    assert_eq!(
        (found.limit, found.source),
        (Some(1_200.0), Some("headers"))
    );
    assert!((found.share().unwrap() - 0.5).abs() < 1e-6, "{found:?}");
    // 10 requests of 30 tokens a second.
    plan.tpm_limit = Some(36_000);
    let found = Use::tokens(&plan, &of);
    assert_eq!(found.source, Some("user"));
    assert!((found.share().unwrap() - 0.5).abs() < 0.01, "{found:?}");
}

/// The first sentence of a search that came to `steps` and was over for `over`.
fn told(plan: &Plan, steps: Vec<StepResult>, over: Option<Over>) -> String {
    let target = plan.targets[0].clone();
    let result = TargetResult {
        target,
        steps,
        over,
    };
    let span = (WallTime(0), WallTime(9));
    let paper = super::super::paper::paper(plan, &[result], span, KeyedHash(1));
    paper.findings[0].clone()
}

#[test]
fn nowhere_is_said_only_of_what_missed_and_a_bound_only_of_what_held() {
    let plan = searching();
    let held = || step(&plan, 10.0, |_| 100, usize::MAX);
    let missed = || step(&plan, 20.0, |_| 3_000, usize::MAX);
    let void = || {
        let mut of = held();
        of.figures.void = Some("late".to_owned());
        of
    };
    let cut = || StepResult {
        whole: false,
        ..held()
    };
    let over = Some(Over::Generator);
    for (steps, over, says, does_not) in [
        (vec![void(), void()], over, "not known", "bound"),
        (
            vec![missed(), missed(), void(), void()],
            over,
            "20.0 requests/s missed it",
            "bound",
        ),
        (
            vec![held(), void(), void()],
            over,
            "a lower bound",
            "not known",
        ),
        (
            vec![cut()],
            None,
            "10/s held it until they were cut off",
            "nowhere",
        ),
        (vec![], None, "not known: the run ended before", "nowhere"),
        (
            vec![missed(), missed()],
            Some(Over::Nowhere),
            "nowhere 95",
            "not known",
        ),
    ] {
        let found = told(&plan, steps, over);
        assert!(found.contains(says) && !found.contains(does_not), "{found}");
    }
}

#[test]
fn the_file_says_what_held_and_why_the_search_was_over() {
    let plan = searching();
    let result = TargetResult {
        target: plan.targets[0].clone(),
        steps: vec![
            step(&plan, 10.0, |_| 100, usize::MAX),
            step(&plan, 20.0, |_| 3_000, usize::MAX),
            step(&plan, 20.0, |_| 3_000, usize::MAX),
        ],
        over: Some(Over::Found),
    };
    let head = Head {
        began: WallTime(0),
        ended: WallTime(1_000_000),
        end: "complete",
        estimate: Estimate::default(),
        spent: 0.5,
        environment: Environment {
            version: "0",
            commit: None,
            binary: None,
            host: None,
            kernel: None,
            machine: String::new(),
            cores: 2,
            location: None,
            config: String::new(),
            prices: String::new(),
            definitions: 1,
        },
    };
    let results = [result];
    let file = file(&plan, &head, &results);
    assert_eq!(file["schema"], SCHEMA);
    assert_eq!(file["void"], false);
    let route = &file["routes"][0];
    assert_eq!(route["capacity"]["load"], 10.0);
    assert_eq!(route["capacity"]["unit"], "requests_per_s");
    assert_eq!(route["capacity"]["why"], "found");
    let verdicts: Vec<&Value> = route["steps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| &step["verdict"])
        .collect();
    assert_eq!(verdicts, ["held", "missed", "missed"]);
    let step = &route["steps"][0];
    assert_eq!(step["latency_ms"]["p50"]["value"], 100.0);
    assert_eq!(step["first_token_from_send_ms"]["n"], 200);
    assert_eq!(step["lag"]["max_ms"], 0.0);
    assert_eq!(file["settings"]["search"]["stop_rule"], STOP_RULE);
    let paper =
        super::super::paper::paper(&plan, &results, (WallTime(0), WallTime(9)), KeyedHash(1));
    let text =
        crate::analysis::render::paper::write(&paper, crate::analysis::render::Format::Table);
    assert!(text.contains("requests/s hold 95"), "{text}");
    assert!(
        text.lines().all(|line| line.chars().count() <= 100),
        "{text}"
    );
}
