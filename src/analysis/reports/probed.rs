//! What one round of probes found: for people, for a pipeline, and as annotations of GitHub's.

use serde_json::{Value, json};

use crate::analysis::paper::{Cell, Column, Head, Paper, Sheet, Unit};
use crate::analysis::render::paper::number;
use crate::analysis::tables::Share;
use crate::analysis::watch::{Availability, Drift, Point};
use crate::record::{Name, WallTime};
use crate::routing::route::RouteKey;

/// The schema of the round as JSON.
pub const SCHEMA: &str = "tollgate.probe/1";

/// A route that was asked.
#[derive(Debug, Clone, PartialEq)]
pub struct Probed {
    /// The model, as it is asked for.
    pub model: Name,
    /// The route.
    pub route: RouteKey,
    /// What each call said, in their order.
    pub calls: Vec<Called>,
    /// Its first token against its baseline, these calls included.
    pub drift: Drift,
    /// How often it answered within the last day, these calls included.
    pub availability: Availability,
}

/// One call.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Called {
    /// What it said.
    pub point: Point,
    /// Whether it looks like a cold start; absent where there is too little to compare with.
    pub cold: Option<bool>,
}

/// What a round is to keep to. Spans are in nanoseconds; what is absent is not asked for.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Limits {
    /// The longest first token of a call.
    pub first_token: Option<f64>,
    /// The longest call.
    pub total: Option<f64>,
    /// The least share of probes answered within the last day.
    pub availability: Option<f64>,
}

/// Something that is not as it is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What kind: `failed`, `first_token`, `total`, `drift`, `availability`.
    pub kind: &'static str,
    /// Of which route.
    pub route: RouteKey,
    /// In words.
    pub text: String,
}

const METHOD: &str = "One cheap request each. First token and total begin with the request's first \
    byte to the provider: connecting is beside them. A cold start is an answer after five idle \
    minutes that takes at least twice the median of the warm ones and lies 3.5 deviations above it. \
    Drifted: CUSUM of medians of quarters of an hour (k = 0.5, one false alarm a week) against up \
    to seven days before the last one, and the median off by the threshold.";

/// Everything that is not as it is to be; a failure and a drift always are findings.
#[must_use]
pub fn findings(all: &[Probed], limits: &Limits) -> Vec<Finding> {
    let mut findings = Vec::new();
    for probed in all {
        let mut say = |kind, text: String| {
            let route = probed.route.clone();
            let text = format!("{route} {text}");
            findings.push(Finding { kind, route, text });
        };
        let failed = |called: &&Called| called.point.answered != Some(true);
        if let Some(first) = probed.calls.iter().find(failed) {
            let count = probed.calls.iter().filter(failed).count();
            let how = how(&first.point);
            say(
                "failed",
                match probed.calls.len() {
                    1 => format!("failed: {how}"),
                    all => format!("failed {count} of {all} times: {how}"),
                },
            );
        }
        for Called { point, .. } in &probed.calls {
            for (kind, what, value, limit) in [
                (
                    "first_token",
                    "first token",
                    point.first_token,
                    limits.first_token,
                ),
                ("total", "total", point.total, limits.total),
            ] {
                if let Some((value, limit)) =
                    value.zip(limit).filter(|(value, limit)| value > limit)
                {
                    let [value, limit] = [value, limit].map(|span| number(span, Unit::Span));
                    say(
                        kind,
                        format!("took too long: {what} {value}, at most {limit} allowed"),
                    );
                }
            }
        }
        if let Drift::Judged(judged) = &probed.drift
            && judged.drifted
        {
            let [before, now] = [judged.baseline, judged.now].map(|of| number(of, Unit::Span));
            let percent = judged.shift() * 100.0;
            let text = format!(
                "has drifted: median first token {now} against {before} before ({percent:+.0} %)"
            );
            say("drift", text);
        }
        let found = probed.availability.share();
        if let Some((found, limit)) = found.zip(limits.availability)
            && found.value < limit
        {
            let Availability {
                answered, judged, ..
            } = probed.availability;
            let limit = number(limit, Unit::Share);
            let text = format!(
                "answered {answered} of {judged} probes of the last day, at least {limit} wanted"
            );
            say("availability", text);
        }
    }
    findings
}

/// How a call ended, with the kind of its error.
fn how(point: &Point) -> String {
    match point.class {
        Some(class) if class.name() != point.outcome.name() => {
            format!("{}, {}", point.outcome.name(), class.name())
        }
        _ => point.outcome.name().to_owned(),
    }
}

/// The round laid out.
#[must_use]
pub fn paper(all: &[Probed], findings: &[Finding], head: Head) -> Paper {
    let calls: usize = all.iter().map(|probed| probed.calls.len()).sum();
    let said = if findings.is_empty() {
        vec![format!(
            "{} routes answered {calls} probes, and none has drifted.",
            all.len()
        )]
    } else {
        let texts = findings.iter().map(|finding| format!("{}.", finding.text));
        texts.collect()
    };
    Paper {
        name: "probe",
        version: 1,
        title: "Probe".to_owned(),
        findings: said,
        head: Head {
            method: METHOD,
            ..head
        },
        sheets: vec![calls_sheet(all), standing_sheet(all)],
        charts: Vec::new(),
        notes: vec![
            "A single call is one draw of a route's first token, and says no more than that: \
             `tollgate report probes` has the medians of many, with their intervals."
                .to_owned(),
            "A cold start is unknown where fewer than six earlier calls are there to compare with; \
             a step of a baseline is a quarter of an hour in which a probe was answered."
                .to_owned(),
        ],
    }
}

fn names() -> [Column; 2] {
    [
        Column::words("model", "model"),
        Column::words("route", "route"),
    ]
}

fn cells(probed: &Probed) -> [Cell; 2] {
    [
        Cell::text(probed.model.as_str()),
        Cell::text(probed.route.to_string()),
    ]
}

fn calls_sheet(all: &[Probed]) -> Sheet {
    let columns = [
        Column::remark("connection", "connection"),
        Column::remark("outcome", "outcome"),
        Column::new("connect", "connect", Unit::Span),
        Column {
            shown: false,
            ..Column::new("tls", "TLS of it", Unit::Span)
        },
        Column::new("first_token", "first token", Unit::Span),
        Column::new("total", "total", Unit::Span),
        Column::remark("cold_start", "cold start"),
        Column::new("cost", "cost", Unit::Dollars),
    ];
    let columns = names().into_iter().chain(columns).collect();
    let mut sheet = Sheet::new("calls", "Calls", columns).grouped(1);
    for probed in all {
        for Called { point, cold } in &probed.calls {
            let open = if point.fresh {
                "not of this one"
            } else {
                "was open"
            };
            let rest = [
                Cell::text(if point.fresh { "new" } else { "kept" }),
                Cell::text(if point.answered == Some(true) {
                    "ok".to_owned()
                } else {
                    how(point)
                }),
                Cell::maybe(point.connect, open),
                Cell::maybe(point.tls, if point.fresh { "no TLS" } else { open }),
                Cell::maybe(point.first_token, "no answer"),
                Cell::maybe(point.total, "no answer"),
                match cold {
                    Some(true) => Cell::text("looks so"),
                    Some(false) => Cell::text("no"),
                    None => Cell::text("unknown"),
                },
                Cell::maybe(point.cost, "no price"),
            ];
            sheet
                .rows
                .push(cells(probed).into_iter().chain(rest).collect());
        }
    }
    sheet
}

fn standing_sheet(all: &[Probed]) -> Sheet {
    let columns = [
        Column::new("availability", "answered, last day", Unit::Share),
        Column::new("baseline_first_token", "baseline", Unit::Span),
        Column::new("now_first_token", "first token now", Unit::Span),
        Column::new("over_baseline", "over baseline", Unit::Times),
        Column::remark("drift", "drifted"),
    ];
    let columns = names().into_iter().chain(columns).collect();
    let mut sheet = Sheet::new("standing", "Against the baseline", columns).grouped(1);
    for probed in all {
        let Availability {
            answered, judged, ..
        } = probed.availability;
        let drift = drift_cells(&probed.drift);
        let share = [Cell::share(Share::of(answered, judged))];
        let rest = share.into_iter().chain(drift);
        sheet
            .rows
            .push(cells(probed).into_iter().chain(rest).collect());
    }
    sheet
}

/// Baseline, level now, the one over the other, and the verdict.
pub(super) fn drift_cells(drift: &Drift) -> [Cell; 4] {
    match drift {
        Drift::TooFew { needs, has } => {
            let few = || Cell::absent("too few");
            let has = format!("unknown: {has} of {needs} steps");
            [few(), few(), few(), Cell::text(has)]
        }
        Drift::Judged(judged) => [
            Cell::Value(judged.baseline),
            Cell::Value(judged.now),
            Cell::Value(judged.now / judged.baseline),
            Cell::text(match (judged.drifted, judged.shift() > 0.0) {
                (false, _) => "no",
                (true, true) => "slower",
                (true, false) => "faster",
            }),
        ],
    }
}

/// The round as JSON for a pipeline: its keys stay as they are within a version of the schema.
#[must_use]
pub fn json(all: &[Probed], findings: &[Finding], made: WallTime) -> Value {
    let millis = |span: Option<f64>| span.map(|span| span / 1e6);
    let call = |called: &Called| {
        let point = &called.point;
        json!({
            "time": point.at.rfc3339(),
            "ok": point.answered == Some(true),
            "outcome": point.outcome.name(),
            "error_class": point.class.map(crate::record::ErrorClass::name),
            "new_connection": point.fresh,
            "connect_ms": millis(point.connect),
            "tls_ms": millis(point.tls),
            "first_token_ms": millis(point.first_token),
            "total_ms": millis(point.total),
            "output_tokens": point.output,
            "looks_cold": called.cold,
            "cost_usd": point.cost,
        })
    };
    let of = |probed: &Probed| {
        let share = probed.availability.share();
        let judged = probed.drift.judged();
        json!({
            "model": probed.model.as_str(),
            "provider": probed.route.provider.as_str(),
            "model_there": probed.route.model.as_deref(),
            "calls": probed.calls.iter().map(call).collect::<Vec<_>>(),
            "availability_24h": {
                "answered": probed.availability.answered,
                "probes": probed.availability.judged,
                "share": share.map(|found| found.value),
                "interval_95": share.map(|found| [found.interval.low, found.interval.high]),
            },
            "drift": judged.map(|judged| json!({
                "baseline_first_token_ms": judged.baseline / 1e6,
                "baseline_steps": judged.baseline_steps,
                "first_token_ms": judged.now / 1e6,
                "steps": judged.now_steps,
                "shift": judged.shift(),
                "since": judged.since.map(WallTime::rfc3339),
                "drifted": judged.drifted,
            })),
        })
    };
    let finding = |finding: &Finding| {
        json!({
            "kind": finding.kind,
            "provider": finding.route.provider.as_str(),
            "model_there": finding.route.model.as_deref(),
            "text": finding.text,
        })
    };
    json!({
        "schema": SCHEMA,
        "time": made.rfc3339(),
        "ok": findings.is_empty(),
        "routes": all.iter().map(of).collect::<Vec<_>>(),
        "findings": findings.iter().map(finding).collect::<Vec<_>>(),
    })
}

/// The findings as workflow commands of GitHub Actions, an error each, and one notice of the rest.
///
/// Source: GitHub, "Workflow commands": `::error title=…::…`; in a message `%`, CR and LF are
/// escaped, in a property `:` and `,` too.
#[must_use]
pub fn annotations(all: &[Probed], findings: &[Finding]) -> String {
    let escape = |text: &str| {
        text.replace('%', "%25")
            .replace('\r', "%0D")
            .replace('\n', "%0A")
    };
    let title = |text: &str| escape(text).replace(':', "%3A").replace(',', "%2C");
    let mut lines: Vec<String> = findings
        .iter()
        .map(|finding| {
            let title = title(&format!("tollgate probe: {}", finding.kind));
            format!("::error title={title}::{}", escape(&finding.text))
        })
        .collect();
    let well = all
        .iter()
        .filter(|probed| findings.iter().all(|of| of.route != probed.route));
    let said = format!(
        "{} of {} routes are as they are to be",
        well.count(),
        all.len()
    );
    lines.push(format!("::notice title=tollgate probe::{}", escape(&said)));
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::reports::tests::head;
    use crate::analysis::watch::drift::Judged;
    use crate::analysis::watch::point::tests::{answered, failed};

    fn probed(point: Point, shift: f64, drifted: bool) -> Probed {
        Probed {
            model: "m, one".into(),
            route: RouteKey::new("openai", Some("gpt-4.1".into())),
            calls: vec![Called { point, cold: None }],
            drift: Drift::Judged(Judged {
                baseline: 400e6,
                baseline_steps: 96,
                now: 400e6 * (1.0 + shift),
                now_steps: 10,
                since: Some(WallTime(0)),
                drifted,
            }),
            availability: Availability {
                answered: 9,
                judged: 10,
                down: false,
            },
        }
    }

    #[test]
    fn each_limit_is_a_finding_of_its_own() {
        let loose = Limits::default();
        let tight = Limits {
            first_token: Some(300e6),
            total: Some(450e6),
            availability: Some(0.95),
        };
        for (point, shift, drifted, limits, kinds) in [
            (answered(0, 400.0), 0.1, false, loose, &[][..]),
            (
                answered(0, 400.0),
                0.1,
                false,
                tight,
                &["first_token", "total", "availability"],
            ),
            (failed(0), 0.0, false, loose, &["failed"]),
            (answered(0, 400.0), 0.4, true, loose, &["drift"]),
            (
                Point::unsent(WallTime(0), crate::record::Outcome::Rejected),
                0.0,
                false,
                loose,
                &["failed"],
            ),
        ] {
            let all = [probed(point, shift, drifted)];
            let found = findings(&all, &limits);
            let found_kinds: Vec<&str> = found.iter().map(|finding| finding.kind).collect();
            assert_eq!(found_kinds, kinds, "{point:?}");
            let json = json(&all, &found, WallTime(0));
            assert_eq!(json["ok"], kinds.is_empty());
            assert_eq!(json["findings"].as_array().unwrap().len(), kinds.len());
            let said = paper(&all, &found, head());
            assert_eq!(said.sheets[0].rows.len(), 1);
        }
    }

    #[test]
    fn annotations_are_one_line_each_and_cannot_be_broken_out_of() {
        let mut bad = probed(answered(0, 400.0), 0.4, true);
        bad.route = RouteKey::new("a", Some("b\n::warning::c, 100%".into()));
        let text = annotations(&[bad.clone()], &findings(&[bad], &Limits::default()));
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines[0],
            "::error title=tollgate probe%3A drift::a/b%0A::warning::c, 100%25 has drifted: median \
             first token 560 ms against 400 ms before (+40 %25)"
        );
        assert_eq!(
            lines[1],
            "::notice title=tollgate probe::0 of 1 routes are as they are to be"
        );
        assert_eq!(lines.len(), 2);
    }
}
