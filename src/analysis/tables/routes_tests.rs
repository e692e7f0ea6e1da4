//! Tests the report `routes` on rows made by hand.

use super::super::route::{Costs, Share};
use super::super::spread::Figure;
use super::*;
use crate::record::{
    CancelledBy, ErrorClass, Language, Mark, Moment, Nanos, NoCost, NullReason, Origin, Outcome,
    PicoDollars, TokenSource, Usage,
};
use crate::statistics::{Figures, Rate};

/// A successful stream of provider 1 and model 2 whose first token came after so many
/// milliseconds.
pub(in crate::analysis) fn stream(first_token: u64) -> Row {
    let span = |ms| Ok(Nanos::from_millis(ms));
    Row {
        started: WallTime(1_795_307_749_000_000 + first_token as i64),
        provider: 1,
        model: 2,
        asked: 3,
        origin: Origin::Live,
        language: Language::OpenAiChat,
        outcome: Outcome::Ok,
        error_class: None,
        stream: true,
        pseudo_stream: false,
        reused: true,
        background: false,
        cached_answer: false,
        warm_up: false,
        stalls: 0,
        figures: Figures {
            ttfb: Some(Nanos::from_millis(first_token)),
            first_token: span(first_token),
            first_answer: span(first_token + 10),
            first_text: span(first_token + 10),
            total: span(first_token + 1_000),
            ttft_client: span(first_token + 1),
            e2e_client: span(first_token + 1_001),
            output_rate: Ok(Rate(80_000)),
            own_delay: Some(Nanos(41_000)),
        },
        usage: Usage {
            input: Some(1_000),
            cached_read: Some(256),
            output: Some(64),
            ..Usage::default()
        },
        token_source: Some(TokenSource::Usage),
        cost: Some(PicoDollars(2_500_000_000)),
        no_cost: None,
        cost_billed: None,
    }
}

/// A lost attempt that met `class`.
fn lost(class: Option<ErrorClass>) -> AttemptRecord {
    AttemptRecord {
        error_class: class,
        ..AttemptRecord::default()
    }
}

/// The same exchange, ended otherwise.
pub(in crate::analysis) fn ended(outcome: Outcome, class: Option<ErrorClass>) -> Row {
    let absent = Err(NullReason::NoToken);
    Row {
        outcome,
        error_class: class,
        figures: Figures {
            first_token: absent,
            first_answer: absent,
            first_text: absent,
            total: absent,
            output_rate: Err(NullReason::NoToken),
            ..stream(1).figures
        },
        usage: Usage::default(),
        token_source: None,
        cost: None,
        ..stream(1)
    }
}

pub(in crate::analysis) fn head() -> ReportHead {
    let now = WallTime(1_795_307_800_000_000);
    ReportHead {
        window: Window {
            from: now.plus_secs(-86_400),
            until: now,
        },
        made: now,
        origin: "live".to_owned(),
        model: None,
        provider: None,
        configs: vec![KeyedHash(0x1234_5678_9abc_def0)],
        damaged: 0,
        lost_unread: 0,
        rolled: false,
    }
}

pub(in crate::analysis) fn report(rows: impl IntoIterator<Item = Row>) -> RoutesReport {
    let mut builder = RoutesBuilder::new(Selection::default());
    for row in rows {
        builder.add(&row);
    }
    builder.finish(head(), |provider, model| RouteName {
        provider: format!("provider-{provider}"),
        model: Some(format!("model-{model}")),
        region: None,
        kind: None,
    })
}

#[test]
fn of_many_routes_the_busiest_are_told_and_the_others_summed() {
    let rows = (0..20).map(|n| Row {
        model: n,
        ..stream(1)
    });
    let mut builder = RoutesBuilder::new(Selection::default()).at_most(3);
    rows.clone().chain(rows.skip(18)).for_each(|row| {
        builder.add(&row);
    });
    let found = builder.finish(head(), |_, model| RouteName {
        model: Some(format!("model-{model:02}")),
        ..RouteName::default()
    });
    let told: Vec<_> = found.routes.iter().map(|route| route.exchanges).collect();
    assert_eq!(told, [2, 2, 1]);
    assert_eq!((found.further.routes, found.further.exchanges), (17, 17));
    assert_eq!(found.taken, 22);
}

#[test]
fn the_failure_rate_follows_the_outcomes() {
    use ErrorClass as E;
    // (outcome, class, in the failure rate's part, in its whole, rate limited, credential)
    let cases = [
        (Outcome::Ok, None, 0, 1, 0, 0),
        (Outcome::ClientError, Some(E::BadRequest), 0, 0, 0, 0),
        (Outcome::ClientError, Some(E::Auth), 0, 0, 0, 1),
        (Outcome::ClientError, Some(E::Permission), 0, 0, 0, 1),
        (Outcome::RateLimited, Some(E::RateLimited), 0, 0, 1, 0),
        (Outcome::RateLimited, Some(E::Quota), 0, 0, 1, 0),
        (Outcome::UpstreamError, Some(E::ServerError), 1, 1, 0, 0),
        (Outcome::TimedOut, Some(E::FirstTokenTimeout), 1, 1, 0, 0),
        (Outcome::Empty, Some(E::EmptyResponse), 1, 1, 0, 0),
        (Outcome::Truncated, Some(E::Truncated), 1, 1, 0, 0),
        (Outcome::Stalled, Some(E::SilenceTimeout), 1, 1, 0, 0),
        (Outcome::InBandError, Some(E::Overloaded), 1, 1, 0, 0),
        (Outcome::ClientGone, None, 0, 0, 0, 0),
        (Outcome::Shutdown, None, 0, 0, 0, 0),
        (Outcome::ProxyFault, None, 0, 0, 0, 0),
    ];
    for (outcome, class, part, whole, limited, credential) in cases {
        let found = &report([ended(outcome, class)]).routes[0];
        assert_eq!(
            found.failure_rate.of_its_span(),
            Share::of(part, whole),
            "{outcome:?}"
        );
        assert_eq!(
            found.rate_limited.of_its_span(),
            Share::of(limited, 1),
            "{outcome:?}"
        );
        assert_eq!(
            found.credential_faults.of_its_span(),
            Share::of(credential, 1),
            "{outcome:?}"
        );
        assert_eq!(found.outcomes.of(outcome), 1);
    }
}

#[test]
fn failures_are_infinite_and_others_are_left_out() {
    let rows = (0..90)
        .map(|n| stream(100 + n))
        .chain((0..10).map(|_| ended(Outcome::UpstreamError, Some(ErrorClass::ServerError))))
        .chain([
            ended(Outcome::RateLimited, Some(ErrorClass::RateLimited)),
            Row {
                cached_answer: true,
                ..stream(1)
            },
            Row {
                background: true,
                ..stream(1)
            },
        ]);
    let found = &report(rows).routes[0];
    assert_eq!(
        (found.first_token.seen, found.first_token.failures),
        (90, 10)
    );
    assert_eq!(found.first_token.p95, Figure::AmongFailures);
    assert_eq!(
        found.first_token.p99,
        Figure::TooFew {
            needs: 368,
            has: 100
        }
    );
    let left_out = (found.cached_answers, found.background, found.untimed);
    assert_eq!(left_out, (1, 1, 1));
    // A rate is not of failures: theirs is unknown, not slow.
    assert_eq!(found.output_rate.count(), 90);
}

#[test]
fn a_failed_whole_answer_is_no_late_first_token() {
    let failed = Row {
        stream: false,
        ..ended(Outcome::UpstreamError, Some(ErrorClass::ServerError))
    };
    let found = &report([failed]).routes[0];
    assert_eq!(
        (
            found.first_token.failures,
            found.total.failures,
            found.streams
        ),
        (0, 1, 0)
    );
}

#[test]
fn what_is_not_taken_is_counted_by_reason() {
    let selection = Selection {
        provider: Some(1),
        model: Some(3),
        ..Selection::default()
    };
    let mut builder = RoutesBuilder::new(selection);
    let rows = [
        (stream(1), None),
        (
            Row {
                asked: 9,
                model: 3,
                ..stream(1)
            },
            None,
        ),
        (
            Row {
                origin: Origin::Probe,
                ..stream(1)
            },
            Some(Exclusion::OtherOrigin),
        ),
        (
            Row {
                provider: 4,
                ..stream(1)
            },
            Some(Exclusion::OtherProvider),
        ),
        (
            Row {
                asked: 9,
                ..stream(1)
            },
            Some(Exclusion::OtherModel),
        ),
        (
            Row {
                language: Language::Models,
                ..stream(1)
            },
            Some(Exclusion::NoModelCall),
        ),
        (
            Row {
                warm_up: true,
                ..stream(1)
            },
            Some(Exclusion::WarmUp),
        ),
        (
            Row {
                language: Language::AnthropicCountTokens,
                ..stream(1)
            },
            Some(Exclusion::NoModelCall),
        ),
    ];
    for (row, excluded) in rows {
        assert_eq!(builder.add(&row), excluded.is_none());
    }
    let found = builder.finish(head(), |_, _| RouteName::default());
    assert_eq!(found.excluded, [1, 1, 1, 2, 1]);
    assert_eq!((found.scanned, found.taken), (8, 2));
}

#[test]
fn rejected_exchanges_belong_to_no_route() {
    let rejected = Row {
        provider: 0,
        model: 0,
        ..ended(Outcome::Rejected, None)
    };
    let found = report([rejected, stream(5)]);
    assert_eq!(found.unrouted.of(Outcome::Rejected), 1);
    assert_eq!(found.routes.len(), 1);
}

#[test]
fn lost_attempts_count_for_the_route_that_lost_them() {
    let mut builder = RoutesBuilder::new(Selection::default());
    builder.add(&stream(5));
    for (class, cancelled_by) in [
        (Some(ErrorClass::ServerError), None),
        (Some(ErrorClass::RateLimited), None),
        (Some(ErrorClass::Auth), None),
        (Some(ErrorClass::ContextLength), None),
        (None, None),
        // A hedge was sooner: that is no failure.
        (None, Some(CancelledBy::Hedge)),
    ] {
        let attempt = AttemptRecord {
            cancelled_by,
            ..lost(class)
        };
        builder.add_lost((7, 2), stream(5).started, 2, &attempt, true);
    }
    let found = builder.finish(head(), |provider, _| RouteName {
        provider: provider.to_string(),
        ..RouteName::default()
    });
    let lost = &found.routes[1];
    assert_eq!(lost.route.provider, "7");
    assert_eq!((lost.exchanges, lost.attempts), (0, 6));
    assert_eq!(lost.attempt_failure_rate.of_its_span(), Share::of(2, 2));
    assert_eq!(lost.failure_rate.fraction(), None);
    assert_eq!(lost.rate_limited.of_its_span(), Share::of(1, 6));
    assert_eq!(
        found.routes[0].attempt_failure_rate.of_its_span(),
        Share::of(0, 1)
    );
    assert_eq!(lost.first_token.failures, 2);
}

/// A route that fails every fourth time is no faster for it that another one comes to its help.
#[test]
fn lost_failures_are_as_slow_as_those_that_nobody_rescued() {
    for is_stream in [true, false] {
        let mut builder = RoutesBuilder::new(Selection::default());
        for _ in 0..300 {
            builder.add(&Row {
                stream: is_stream,
                ..stream(20)
            });
        }
        for _ in 0..100 {
            let failed = lost(Some(ErrorClass::ServerError));
            builder.add_lost((1, 2), stream(20).started, 2, &failed, is_stream);
        }
        let found = builder.finish(head(), |_, _| RouteName::default());
        let route = &found.routes[0];
        assert_eq!(route.failure_rate.of_its_span(), Share::of(0, 300));
        assert_eq!(
            route.attempt_failure_rate.of_its_span(),
            Share::of(100, 400)
        );
        assert_eq!((route.total.failures, route.total.count()), (100, 400));
        assert!(route.total.p50.value().is_some());
        assert_eq!(route.total.p95, Figure::AmongFailures);
        let of_streams = if is_stream { 100 } else { 0 };
        assert_eq!(route.first_token.failures, of_streams);
    }
}

/// Whoever asks for one provider is told its lost tries, whoever answered in the end, and nobody
/// else's.
#[test]
fn lost_attempts_of_one_provider_are_all_of_its_own() {
    let selection = Selection {
        provider: Some(7),
        ..Selection::default()
    };
    let mut builder = RoutesBuilder::new(selection);
    let answered = |provider: u32| Row {
        provider,
        ..stream(5)
    };
    let background = Row {
        origin: Origin::Bench,
        ..answered(7)
    };
    for (row, taken, wanted) in [
        (answered(7), true, true),
        (answered(1), false, true),
        (background, false, false),
    ] {
        assert_eq!(builder.add(&row), taken, "{row:?}");
        assert_eq!(builder.wants_lost(&row), wanted, "{row:?}");
    }
    for provider in [7, 1, 7] {
        let limited = lost(Some(ErrorClass::RateLimited));
        builder.add_lost((provider, 2), stream(5).started, 2, &limited, true);
    }
    let found = builder.finish(head(), |_, _| RouteName::default());
    let [only] = found.routes.as_slice() else {
        panic!("{} routes", found.routes.len());
    };
    assert_eq!((only.exchanges, only.lost.attempts), (1, 2));
    assert_eq!(only.rate_limited.of_its_span(), Share::of(2, 3));
}

#[test]
fn unknown_money_is_not_none() {
    let found = &report([ended(Outcome::Ok, None)]).routes[0];
    assert_eq!((found.costs.dollars(), found.tokens.unknown), (None, 1));
    let found = &report([stream(1), stream(2), ended(Outcome::Ok, None)]).routes[0];
    assert_eq!(found.costs.dollars(), Some(0.005));
    assert_eq!(found.costs.dollars_each(), Some(0.0025));
    assert_eq!(found.costs.priced, 2);
}

#[test]
fn why_no_exchange_has_a_price_is_said_as_the_records_say_it() {
    let without = |reason: Option<NoCost>| Row {
        cost: None,
        no_cost: reason,
        ..stream(300)
    };
    let (hour, part) = (NoCost::PerHour, NoCost::NoPartPrice);
    for (rows, told) in [
        (vec![without(Some(hour)); 2], Some("per_hour")),
        (
            vec![
                without(Some(part)),
                without(Some(NoCost::UsageUnknown)),
                without(Some(part)),
            ],
            Some("no_part_price"),
        ),
        (vec![without(Some(hour)), stream(300)], None),
        (
            vec![ended(Outcome::UpstreamError, None)],
            Some("nothing_used"),
        ),
    ] {
        let mut builder = RoutesBuilder::default();
        for row in &rows {
            builder.add(row);
        }
        let costs = builder.finish(head(), |_, _| RouteName::default()).routes[0].costs;
        assert_eq!(costs.why_none(), told, "{rows:?}");
    }
    let costs = Costs {
        without_reason: 3,
        ..Costs::default()
    };
    assert_eq!(costs.why_none(), Some("not_in_rollups"));
}

/// A lost attempt's cost is its route's, and a hedge's wait says how long a first token took at least.
#[test]
fn a_lost_attempt_costs_its_own_route_and_was_waited_for() {
    let mut builder = RoutesBuilder::new(Selection::default());
    let mut waited = AttemptRecord {
        cancelled_by: Some(CancelledBy::Hedge),
        lost_cost: Some(PicoDollars(500_000_000)),
        ..AttemptRecord::default()
    };
    waited.timeline.set(Mark::SendStart, Moment(0));
    waited.timeline.set(Mark::Closed, Moment(150_000_000));
    // Eight tries at 30 ms, and 72 that a hedge overtook at 150 ms.
    for first in [30, 30, 30, 30, 30, 30, 30, 30] {
        builder.add(&stream(first));
    }
    for _ in 0..72 {
        let record = ExchangeRecord {
            attempts: vec![waited.clone(), AttemptRecord::default()],
            cost: Some(PicoDollars(3_000_000_000)),
            outcome: Outcome::Ok,
            ..crate::sample::record()
        };
        let answered = Row {
            provider: 9,
            cost: record.cost,
            ..stream(90)
        };
        builder.add(&answered);
        builder.add_lost((1, 2), record.started, 3, &record.attempts[0], true);
        builder.amend((9, 2), 3, &record);
    }
    let found = builder.finish(head(), |provider, _| RouteName {
        provider: provider.to_string(),
        ..RouteName::default()
    });
    let (near, far) = (&found.routes[1], &found.routes[0]);
    assert_eq!((near.first_token.seen, near.first_token.cut), (8, 72));
    assert_eq!(near.first_token.p50, Figure::NotWaitedOut);
    assert_eq!((near.total.seen, near.total.cut), (8, 72));
    assert_eq!(near.attempt_failure_rate.of_its_span(), Share::of(0, 8));
    assert_eq!((near.costs.lost, near.costs.priced), (36_000_000_000, 8));
    assert_eq!(far.costs.cost, 72 * 2_500_000_000);
}

/// A client that left says nothing of a failure rate, nor of which spans the others are of.
#[test]
fn how_alike_failures_are_is_told_by_those_that_are_judged() {
    let minute = |n: i64| WallTime(1_795_307_749_000_000 + n * 60_000_000);
    let judged = |builder: &mut RoutesBuilder| {
        for n in 0..1_440 {
            let outcome = if (420..430).contains(&n) {
                Outcome::UpstreamError
            } else {
                Outcome::Ok
            };
            builder.add(&Row {
                started: minute(n),
                outcome,
                ..stream(300)
            });
        }
    };
    let rate = |builder: RoutesBuilder| {
        let found = builder.finish(head(), |_, _| RouteName::default());
        found.routes[0].failure_rate
    };
    let mut alone = RoutesBuilder::default();
    judged(&mut alone);
    let mut among = RoutesBuilder::default();
    judged(&mut among);
    // Another one weeks later.
    among.add(&Row {
        started: minute(30 * 1_440),
        outcome: Outcome::ClientGone,
        ..stream(300)
    });
    let (alone, among) = (rate(alone), rate(among));
    assert!(alone.design_effect() > 2.0, "{alone:?}");
    assert_eq!(among, alone);
}
