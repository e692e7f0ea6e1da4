//! The report `errors`: what went wrong at each route, and how near its limits it was run.

use std::collections::{BTreeMap, BTreeSet};

use super::call::Call;
use super::figures::{
    METHOD, NO_CALLS, OBSERVATIONAL, Route, by_route, ends, failures, head, is_limited, is_refused,
    model_cell, named, nothing, share,
};
use super::limit::Per;
use super::sums::{Routes, Sums};
use crate::analysis::paper::{Cell, Chart, Column, Head, Heat, Paper, Plot, Sheet, Source, Unit};
use crate::analysis::render::paper::number;
use crate::analysis::tables::Share;
use crate::record::{ErrorClass, Outcome, WallTime};
use crate::statistics::metric;

const TITLE: &str = "Errors";
/// Microseconds of a minute and of a day.
const MINUTE: i64 = 60_000_000;
const DAY: i64 = 1_440 * MINUTE;

/// What a try that did not answer well met, with the status it got.
type Kind = (String, Option<u16>);

/// What went wrong at a route.
struct Way {
    route: Route,
    tries: u64,
    failed: Share,
    limited: Share,
    refused: Share,
    timed_out: Share,
    callers: Share,
    lost: u64,
    kinds: BTreeMap<Kind, Share>,
    /// The busiest minute beside the limits; nothing where that is not known.
    minute: Option<Vec<Cell>>,
}

pub(super) fn paper(calls: &[Call], of: Head) -> Paper {
    let ways: Vec<Way> = by_route(calls)
        .into_iter()
        .map(|(route, calls)| way(route, &calls))
        .collect();
    let rare = match of.source {
        // Of a minute a sample has a part, or nothing.
        Source::Sample { .. } => "not of a sample",
        Source::Records | Source::Rollups => "not in roll-ups",
    };
    written(&ways, head(of, METHOD), ["none", rare])
}

/// The same from roll-ups, which keep no status and no minutes beyond a week.
pub(super) fn rolled(routes: &Routes, of: Head) -> Paper {
    let ways: Vec<Way> = routes
        .iter()
        .map(|(route, sums)| way_rolled(route.clone(), sums))
        .collect();
    written(&ways, head(of, METHOD), ["not in roll-ups"; 2])
}

fn way(route: Route, calls: &[&Call]) -> Way {
    let callers = |call: &Call| {
        !call.lost && call.outcome == Outcome::ClientError && !is_refused(call) && !is_limited(call)
    };
    Way {
        route,
        tries: calls.len() as u64,
        failed: failures(calls),
        limited: share(calls, is_limited),
        refused: share(calls, is_refused),
        timed_out: share(calls, timed_out),
        callers: share(calls, callers),
        lost: calls.iter().filter(|call| call.lost).count() as u64,
        kinds: kinds(calls),
        minute: minute(calls),
    }
}

fn way_rolled(route: Route, sums: &Sums) -> Way {
    let (all, tries) = (sums.both(), sums.tries());
    let known = ErrorClass::ALL.into_iter();
    let known = known.filter(|class| all.error(*class) > 0);
    Way {
        route,
        tries,
        failed: sums.failed(),
        limited: sums.of_tries(|ends| ends.limited),
        refused: sums.of_tries(|ends| ends.refused),
        timed_out: sums.of_tries(|ends| ends.timed_out),
        callers: sums.of_tries(|ends| ends.callers),
        lost: all.lost,
        kinds: known
            .map(|class| {
                let met = sums.of_tries(|ends| ends.errors[class as usize]);
                ((class.name().to_owned(), None), met)
            })
            .collect(),
        minute: None,
    }
}

/// `absent` says why there is no status, and why there is no busiest minute.
fn written(ways: &[Way], of: Head, absent: [&str; 2]) -> Paper {
    let [no_status, no_minute] = absent;
    let minutes = minutes(ways, &of, no_minute);
    if ways.is_empty() {
        return nothing("errors", TITLE, of, NO_CALLS);
    }
    Paper {
        name: "errors",
        version: 1,
        title: TITLE.to_owned(),
        findings: findings(ways),
        head: of,
        sheets: vec![rates(ways), classes(ways, no_status), minutes],
        charts: heat(ways).into_iter().collect(),
        notes: vec![
            OBSERVATIONAL.to_owned(),
            "Failed is of the tries that ended well or by the route's fault. Rate limits, refused \
             keys and the caller's own mistakes are shares of all tries, and in no failure rate. \
             Lost tries are those after which another was made; what the client broke off is no \
             error."
                .to_owned(),
            "Busiest minute is what was sent, by the minute of the request's first byte. Limits \
             are those of the provider's last headers, a minute's unless they say a day's (as \
             Groq's of requests do): of that what is used is the most within 24 hours. Where it \
             sends none they are not known, and a route without rate limits in its rows was simply \
             never pushed to them."
                .to_owned(),
        ],
    }
}

fn timed_out(call: &Call) -> bool {
    call.class.is_some_and(metric::is_time_out) || (!call.lost && call.outcome == Outcome::TimedOut)
}

/// What the try met, by name; nothing where it went well or the client or a stop ended it.
fn kind(call: &Call) -> Option<Kind> {
    let ended_by_us = matches!(call.outcome, Outcome::ClientGone | Outcome::Shutdown);
    let name = match (call.class, call.lost) {
        (Some(class), _) => class.name(),
        (None, false) if call.outcome != Outcome::Ok && !ended_by_us => call.outcome.name(),
        (None, true) if call.failed == Some(true) => "lost",
        _ => return None,
    };
    Some((name.to_owned(), call.status))
}

fn kinds(calls: &[&Call]) -> BTreeMap<Kind, Share> {
    let all: BTreeSet<Kind> = calls.iter().filter_map(|call| kind(call)).collect();
    let met = |of: &Kind| share(calls, |call| kind(call).as_ref() == Some(of));
    all.into_iter().map(|of| (of.clone(), met(&of))).collect()
}

fn findings(ways: &[Way]) -> Vec<String> {
    let mut findings = Vec::new();
    for way in ways {
        let mut said = Vec::new();
        let mut say = |share: Share, what: &str| {
            if let Some(found) = share.estimate().filter(|_| share.part > 0) {
                said.push(format!(
                    "{} {what} ({} of {}, {})",
                    number(found.value, Unit::Share),
                    share.part,
                    share.whole,
                    ends(found.interval, Unit::Share)
                ));
            }
        };
        say(way.failed, "failed");
        say(way.timed_out, "timed out");
        say(way.limited, "met a rate limit or quota");
        say(way.refused, "were refused their key");
        if said.is_empty() {
            continue;
        }
        let most = way.kinds.iter().max_by_key(|(_, met)| met.part);
        let most = most.map_or_else(String::new, |((name, status), met)| {
            let status = status.map_or_else(String::new, |status| format!(" {status}"));
            format!("; most often {name}{status}, {} times", met.part)
        });
        findings.push(format!("{}: {}{most}.", named(&way.route), said.join(", ")));
    }
    if findings.is_empty() {
        let all: u64 = ways.iter().map(|way| way.tries).sum();
        findings.push(format!(
            "No failure, rate limit, refused key or time-out in {} tries.",
            number(all as f64, Unit::Count)
        ));
    }
    findings
}

fn names() -> Vec<Column> {
    vec![
        Column::words("model", "model"),
        Column::words("provider", "provider"),
    ]
}

fn sheet(key: &'static str, title: &str, columns: Vec<Column>) -> Sheet {
    Sheet::new(key, title, names().into_iter().chain(columns).collect())
}

fn cells(route: &Route, rest: Vec<Cell>) -> Vec<Cell> {
    let names = [model_cell(&route.0), Cell::text(&route.1)];
    names.into_iter().chain(rest).collect()
}

fn rates(ways: &[Way]) -> Sheet {
    let mut sheet = sheet(
        "rates",
        "Rates",
        vec![
            Column::new("tries", "tries", Unit::Count),
            Column::new("failed", "failed", Unit::Share),
            Column::new("rate_limited", "rate limit", Unit::Share),
            Column::new("credential_faults", "key refused", Unit::Share),
            Column::new("timed_out", "time-out", Unit::Share),
            Column::new("client_errors", "caller's fault", Unit::Share),
            Column::new("lost", "lost tries", Unit::Count),
        ],
    );
    for way in ways {
        sheet.rows.push(cells(
            &way.route,
            vec![
                Cell::count(way.tries),
                Cell::share(way.failed),
                Cell::share(way.limited),
                Cell::share(way.refused),
                Cell::share(way.timed_out),
                Cell::share(way.callers),
                Cell::count(way.lost),
            ],
        ));
    }
    sheet
}

fn classes(ways: &[Way], no_status: &str) -> Sheet {
    let mut sheet = sheet(
        "classes",
        "What it was",
        vec![
            Column::words("class", "class"),
            Column::words("status", "status"),
            Column::new("count", "count", Unit::Count),
            Column::new("share", "of all tries", Unit::Share),
        ],
    );
    for way in ways {
        let mut kinds: Vec<_> = way.kinds.iter().collect();
        kinds.sort_by_key(|(_, met)| std::cmp::Reverse(met.part));
        for ((name, status), met) in kinds {
            let status = status.map_or_else(|| no_status.to_owned(), |status| status.to_string());
            sheet.rows.push(cells(
                &way.route,
                vec![
                    Cell::text(name),
                    Cell::text(status),
                    Cell::count(met.part),
                    Cell::share(*met),
                ],
            ));
        }
    }
    sheet
}

fn minutes(ways: &[Way], of: &Head, why: &str) -> Sheet {
    let whole = !matches!(of.source, Source::Sample { .. });
    let mut sheet = sheet(
        "minutes",
        "The busiest minute, and the limits",
        vec![
            Column::remark("busiest", "busiest minute"),
            Column::new("requests_per_minute", "requests in it", Unit::Count),
            Column::new("tokens_per_minute", "most tokens a minute", Unit::Count),
            Column::new("limit_requests", "limit, requests", Unit::Count),
            Column::new("limit_tokens", "limit, tokens", Unit::Count),
            Column::new("use_requests", "use, requests", Unit::Share),
            Column::new("use_tokens", "use, tokens", Unit::Share),
            Column::new(
                "least_limited",
                "least a minute with a rate limit",
                Unit::Count,
            ),
            Column::remark("limit_requests_per", "limit of requests, a"),
        ],
    );
    for way in ways {
        let unknown = || vec![Cell::absent(why); sheet.columns.len() - names().len()];
        let minute = way.minute.clone().filter(|_| whole);
        let minute = minute.unwrap_or_else(unknown);
        sheet.rows.push(cells(&way.route, minute));
    }
    sheet
}

/// The busiest minute of `calls` with the limits, and the least busy one with a rate limit.
fn minute(calls: &[&Call]) -> Option<Vec<Cell>> {
    // Requests, tokens, rate limits of each minute.
    let mut of: BTreeMap<i64, (u64, u64, u64)> = BTreeMap::new();
    for call in calls {
        let minute = of.entry(call.started.0.div_euclid(MINUTE)).or_default();
        minute.0 += 1;
        minute.1 += call.input.unwrap_or(0) + call.output.unwrap_or(0);
        minute.2 += u64::from(is_limited(call));
    }
    let (at, busiest) = of.iter().max_by_key(|(_, minute)| minute.0)?;
    let tokens = of.values().map(|minute| minute.1).max().unwrap_or(0);
    let limited = of.values().filter(|minute| minute.2 > 0);
    let least = limited.map(|minute| minute.0).min();
    let limit = |which: usize| calls.iter().rev().find_map(|call| call.limits[which]);
    let most = |which: usize| limit(which).map(|limit| limit.most);
    let per = limit(0).map(|limit| limit.per);
    let asked = match per {
        Some(Per::Day) => busiest_day(calls),
        Some(Per::Minute) | None => busiest.0,
    };
    let count = |value: Option<u64>, why: &str| Cell::maybe(value.map(|n| n as f64), why);
    let used = |seen: u64, limit: Option<u64>| {
        let limit = limit.filter(|limit| *limit > 0);
        let share = limit.map(|limit| seen as f64 / limit as f64);
        Cell::maybe(share, "no limit known")
    };
    let uncounted = || Cell::absent("no counts");
    Some(vec![
        Cell::text(WallTime(at * MINUTE).rfc3339()),
        Cell::count(busiest.0),
        if tokens > 0 {
            Cell::count(tokens)
        } else {
            uncounted()
        },
        count(most(0), "not sent"),
        count(most(1), "not sent"),
        used(asked, most(0)),
        if tokens > 0 {
            used(tokens, most(1))
        } else {
            uncounted()
        },
        count(least, "never met"),
        match per {
            Some(Per::Day) => Cell::text("day"),
            Some(Per::Minute) => Cell::text("minute"),
            None => Cell::absent("not sent"),
        },
    ])
}

/// The most of `calls` that began within 24 hours.
fn busiest_day(calls: &[&Call]) -> u64 {
    let mut began: Vec<i64> = calls.iter().map(|call| call.started.0).collect();
    began.sort_unstable();
    let within = |(at, first): (usize, &i64)| {
        let after = began.partition_point(|other| *other < first.saturating_add(DAY));
        (after - at) as u64
    };
    began.iter().enumerate().map(within).max().unwrap_or(0)
}

fn heat(ways: &[Way]) -> Option<Chart> {
    let mut columns: BTreeMap<&str, u64> = BTreeMap::new();
    for ((name, _), met) in ways.iter().flat_map(|way| &way.kinds) {
        *columns.entry(name.as_str()).or_default() += met.part;
    }
    let mut columns: Vec<(&str, u64)> = columns.into_iter().collect();
    columns.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    columns.truncate(7);
    let value = |way: &Way, column: &str| {
        let found = way.kinds.iter().filter(|((name, _), _)| name == column);
        let found: Vec<Share> = found.map(|(_, met)| *met).collect();
        // Of several statuses the one that says least of each.
        let alike = found.iter().map(|met| met.design_effect());
        let met = Share::of(found.iter().map(|met| met.part).sum(), way.tries)
            .with_design_effect(alike.fold(1.0, f64::max));
        let found = met.estimate()?;
        Some((found.value, Some((found.interval.low, found.interval.high))))
    };
    (!columns.is_empty()).then(|| Chart {
        title: "Errors by class, of all tries".to_owned(),
        unit: Unit::Share,
        plot: Plot::Heat(Heat {
            rows: ways.iter().map(|way| named(&way.route)).collect(),
            columns: columns.iter().map(|(name, _)| (*name).to_owned()).collect(),
            values: ways
                .iter()
                .map(|way| columns.iter().map(|(name, _)| value(way, name)).collect())
                .collect(),
        }),
        note: "The seven most frequent classes. Intervals are in the tables.".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::reports::limit::Limit;
    use crate::analysis::reports::tests::{failing, head, made_up};

    #[test]
    fn each_kind_of_error_is_a_rate_of_its_own() {
        let limited = |n| Call {
            failed: None,
            outcome: Outcome::RateLimited,
            class: Some(ErrorClass::RateLimited),
            status: Some(429),
            limits: [
                Some(Limit {
                    most: 60,
                    per: Per::Minute,
                }),
                None,
            ],
            ..failing(n)
        };
        let mut calls: Vec<Call> = (0..90).map(|n| made_up(n, 300.0)).collect();
        calls.extend((90..94).map(failing));
        calls.extend((94..100).map(limited));
        calls.push(Call {
            lost: true,
            outcome: Outcome::Ok,
            class: Some(ErrorClass::FirstTokenTimeout),
            status: None,
            ..failing(100)
        });
        let paper = paper(&calls, head());
        let rates = &paper.sheets[0].rows[0];
        assert_eq!(rates[2], Cell::count(101));
        for (cell, expected) in [(3, [5, 95]), (4, [6, 101]), (6, [1, 101])] {
            let Cell::Share(share) = &rates[cell] else {
                panic!("no share: {:?}", rates[cell]);
            };
            assert_eq!([share.part, share.whole], expected);
        }
        assert_eq!(rates[8], Cell::count(1));
        let classes: Vec<_> = paper.sheets[1]
            .rows
            .iter()
            .map(|row| row[2].clone())
            .collect();
        let expected = ["rate_limited", "server_error", "first_token_timeout"];
        assert_eq!(classes, expected.map(Cell::text));
        let minute = &paper.sheets[2].rows[0];
        assert_eq!(minute[3], Cell::count(60), "a request a second");
        assert_eq!(minute[7], Cell::Value(1.0), "all of the limit");
        assert_eq!(minute[9], Cell::count(41));
        assert!(
            paper.findings[0].contains("most often rate_limited 429, 6 times"),
            "{:?}",
            paper.findings
        );
    }

    #[test]
    fn a_limit_of_a_day_is_held_against_a_day() {
        let limited = |n: usize, most: u64| Call {
            limits: [
                Some(Limit {
                    most,
                    per: Per::Day,
                }),
                None,
            ],
            ..made_up(n, 300.0)
        };
        // A request a second for two minutes, and 30 of them a day later.
        let calls: Vec<Call> = (0..120)
            .chain(86_400..86_430)
            .map(|n| limited(n, 14_400))
            .collect();
        let paper = paper(&calls, head());
        let minute = &paper.sheets[2].rows[0];
        assert_eq!(minute[3], Cell::count(60));
        assert_eq!(minute[5], Cell::count(14_400));
        assert_eq!(minute[7], Cell::Value(120.0 / 14_400.0));
        assert_eq!(minute[10], Cell::text("day"));
    }
}
