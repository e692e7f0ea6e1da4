//! The report `errors`: what went wrong at each route, and how near its limits it was run.

use std::collections::BTreeMap;

use super::call::Call;
use super::figures::{
    METHOD, NO_CALLS, Route, by_route, ends, failures, head, is_limited, is_refused, model_cell,
    named, nothing, share,
};
use crate::analysis::paper::{Cell, Chart, Column, Head, Heat, Paper, Plot, Sheet, Unit};
use crate::analysis::render::paper::number;
use crate::analysis::tables::Share;
use crate::record::{ErrorClass, Outcome, WallTime};
use crate::statistics::interval::{ALPHA, wilson};

const TITLE: &str = "Errors";
/// Microseconds of a minute.
const MINUTE: i64 = 60_000_000;

/// What a try that did not answer well met, with the status it got.
type Kind = (String, Option<u16>);

pub(super) fn paper(calls: &[Call], of: Head) -> Paper {
    let of = head(of, METHOD);
    if calls.is_empty() {
        return nothing("errors", TITLE, of, NO_CALLS);
    }
    let routes = by_route(calls);
    let kinds: BTreeMap<&Route, BTreeMap<Kind, u64>> = routes
        .iter()
        .map(|(route, calls)| (route, kinds(calls)))
        .collect();
    Paper {
        name: "errors",
        version: 1,
        title: TITLE.to_owned(),
        findings: findings(&routes, &kinds),
        head: of,
        sheets: vec![rates(&routes), classes(&routes, &kinds), minutes(&routes)],
        charts: heat(&routes, &kinds).into_iter().collect(),
        notes: vec![
            "Failed is of the tries that ended well or by the route's fault. Rate limits, refused \
             keys and the caller's own mistakes are shares of all tries, and in no failure rate. \
             Lost tries are those after which another was made; what the client broke off is no \
             error."
                .to_owned(),
            "Busiest minute is what was sent, by the minute of the request's first byte. Limits \
             are those of the provider's last headers; where it sends none they are not known, \
             and a route without rate limits in its rows was simply never pushed to them."
                .to_owned(),
        ],
    }
}

const fn is_time_out(class: ErrorClass) -> bool {
    matches!(
        class,
        ErrorClass::Timeout
            | ErrorClass::ConnectTimeout
            | ErrorClass::FirstTokenTimeout
            | ErrorClass::SilenceTimeout
            | ErrorClass::TotalTimeout
    )
}

fn timed_out(call: &Call) -> bool {
    call.class.is_some_and(is_time_out) || (!call.lost && call.outcome == Outcome::TimedOut)
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

fn kinds(calls: &[&Call]) -> BTreeMap<Kind, u64> {
    let mut kinds = BTreeMap::new();
    for kind in calls.iter().filter_map(|call| kind(call)) {
        *kinds.entry(kind).or_default() += 1;
    }
    kinds
}

fn findings(
    routes: &BTreeMap<Route, Vec<&Call>>,
    kinds: &BTreeMap<&Route, BTreeMap<Kind, u64>>,
) -> Vec<String> {
    let mut findings = Vec::new();
    for (route, calls) in routes {
        let failed = failures(calls);
        let limited = share(calls, is_limited);
        let refused = share(calls, is_refused);
        let mut said = Vec::new();
        let mut say = |share: Share, what: &str| {
            if let Some(found) = wilson(share.part, share.whole, ALPHA).filter(|_| share.part > 0) {
                said.push(format!(
                    "{} {what} ({} of {}, {})",
                    number(found.value, Unit::Share),
                    share.part,
                    share.whole,
                    ends(found.interval, Unit::Share)
                ));
            }
        };
        say(failed, "failed");
        say(share(calls, timed_out), "timed out");
        say(limited, "met a rate limit or quota");
        say(refused, "were refused their key");
        if said.is_empty() {
            continue;
        }
        let most = kinds[route].iter().max_by_key(|(_, count)| **count);
        let most = most.map_or_else(String::new, |((name, status), count)| {
            let status = status.map_or_else(String::new, |status| format!(" {status}"));
            format!("; most often {name}{status}, {count} times")
        });
        findings.push(format!("{}: {}{most}.", named(route), said.join(", ")));
    }
    if findings.is_empty() {
        let all: usize = routes.values().map(Vec::len).sum();
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

fn rates(routes: &BTreeMap<Route, Vec<&Call>>) -> Sheet {
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
    for (route, calls) in routes {
        let callers = |call: &Call| {
            !call.lost
                && call.outcome == Outcome::ClientError
                && !is_refused(call)
                && !is_limited(call)
        };
        let lost = calls.iter().filter(|call| call.lost).count();
        sheet.rows.push(cells(
            route,
            vec![
                Cell::count(calls.len() as u64),
                Cell::share(failures(calls)),
                Cell::share(share(calls, is_limited)),
                Cell::share(share(calls, is_refused)),
                Cell::share(share(calls, timed_out)),
                Cell::share(share(calls, callers)),
                Cell::count(lost as u64),
            ],
        ));
    }
    sheet
}

fn classes(
    routes: &BTreeMap<Route, Vec<&Call>>,
    kinds: &BTreeMap<&Route, BTreeMap<Kind, u64>>,
) -> Sheet {
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
    for (route, kinds) in kinds {
        let all = routes[*route].len() as u64;
        let mut kinds: Vec<_> = kinds.iter().collect();
        kinds.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        for ((name, status), count) in kinds {
            let status = status.map_or_else(|| "none".to_owned(), |status| status.to_string());
            sheet.rows.push(cells(
                route,
                vec![
                    Cell::text(name),
                    Cell::text(status),
                    Cell::count(*count),
                    Cell::share(Share::of(*count, all)),
                ],
            ));
        }
    }
    sheet
}

fn minutes(routes: &BTreeMap<Route, Vec<&Call>>) -> Sheet {
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
        ],
    );
    for (route, calls) in routes {
        // Requests, tokens, rate limits of each minute.
        let mut of: BTreeMap<i64, (u64, u64, u64)> = BTreeMap::new();
        for call in calls {
            let minute = of.entry(call.started.0.div_euclid(MINUTE)).or_default();
            minute.0 += 1;
            minute.1 += call.input.unwrap_or(0) + call.output.unwrap_or(0);
            minute.2 += u64::from(is_limited(call));
        }
        let Some((at, busiest)) = of.iter().max_by_key(|(_, minute)| minute.0) else {
            continue;
        };
        let tokens = of.values().map(|minute| minute.1).max().unwrap_or(0);
        let limited = of.values().filter(|minute| minute.2 > 0);
        let least = limited.map(|minute| minute.0).min();
        let limit = |which: usize| calls.iter().rev().find_map(|call| call.limits[which]);
        let count = |value: Option<u64>, why: &str| Cell::maybe(value.map(|n| n as f64), why);
        let used = |seen: u64, limit: Option<u64>| {
            let limit = limit.filter(|limit| *limit > 0);
            let share = limit.map(|limit| seen as f64 / limit as f64);
            Cell::maybe(share, "no limit known")
        };
        sheet.rows.push(cells(
            route,
            vec![
                Cell::text(WallTime(at * MINUTE).rfc3339()),
                Cell::count(busiest.0),
                if tokens > 0 {
                    Cell::count(tokens)
                } else {
                    Cell::absent("no counts")
                },
                count(limit(0), "not sent"),
                count(limit(1), "not sent"),
                used(busiest.0, limit(0)),
                used(tokens, limit(1)),
                count(least, "never met"),
            ],
        ));
    }
    sheet
}

fn heat(
    routes: &BTreeMap<Route, Vec<&Call>>,
    kinds: &BTreeMap<&Route, BTreeMap<Kind, u64>>,
) -> Option<Chart> {
    let mut columns: BTreeMap<&str, u64> = BTreeMap::new();
    for ((name, _), count) in kinds.values().flatten() {
        *columns.entry(name.as_str()).or_default() += count;
    }
    let mut columns: Vec<(&str, u64)> = columns.into_iter().collect();
    columns.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    columns.truncate(7);
    let value = |route: &Route, column: &str| {
        let found = kinds[route].iter().filter(|((name, _), _)| name == column);
        let count: u64 = found.map(|(_, count)| count).sum();
        Some(count as f64 / routes[route].len().max(1) as f64)
    };
    (!columns.is_empty()).then(|| Chart {
        title: "Errors by class, of all tries".to_owned(),
        unit: Unit::Share,
        plot: Plot::Heat(Heat {
            rows: routes.keys().map(named).collect(),
            columns: columns.iter().map(|(name, _)| (*name).to_owned()).collect(),
            values: routes
                .keys()
                .map(|route| columns.iter().map(|(name, _)| value(route, name)).collect())
                .collect(),
        }),
        note: "The seven most frequent classes. Intervals are in the tables.".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::reports::tests::{failing, head, made_up};

    #[test]
    fn each_kind_of_error_is_a_rate_of_its_own() {
        let limited = |n| Call {
            failed: None,
            outcome: Outcome::RateLimited,
            class: Some(ErrorClass::RateLimited),
            status: Some(429),
            limits: [Some(60), None],
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
        assert_eq!(rates[3], Cell::share(Share::of(5, 95)));
        assert_eq!(rates[4], Cell::share(Share::of(6, 101)));
        assert_eq!(rates[6], Cell::share(Share::of(1, 101)));
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
}
