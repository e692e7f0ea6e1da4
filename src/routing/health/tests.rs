//! Tests health by stories: what is told, and what is then said of a route.

use super::*;
use crate::record::{ErrorClass, KeyedHash, Moment, Name};
use crate::routing::route::RouteKey;

const S: u64 = SECOND;

fn at(seconds: u64) -> Moment {
    Moment(seconds * S)
}

fn route(name: &str) -> RouteKey {
    RouteKey::new(name, Some(Name::from("m")))
}

/// One attempt that begins and ends.
fn attempt(health: &mut Health, event: Event, begun: Moment, ended: Moment) -> Vec<Change> {
    let ticket = health.begin(&route("a"), None, begun);
    health.end(ticket, event, ended, 0.5)
}

fn failed(class: ErrorClass) -> Event {
    Event::Failed { class, until: None }
}

fn barred(health: &Health, now: Moment) -> Option<Barred> {
    health
        .view(&route("a"), None, now)
        .barred
        .map(|(why, _)| why)
}

#[test]
fn a_route_is_known_to_be_well_by_enough_that_went_well_of_late() {
    for (ended, failures, until, well) in [
        (9, 0, 10, false),
        (10, 0, 10, true),
        (30, 2, 40, true),
        (30, 3, 40, false),
        // What is over a minute old says nothing of now.
        (10, 0, 120, false),
    ] {
        let mut health = Health::default();
        for n in 0..ended {
            // Far enough apart that the breaker stays closed.
            let event = if n % 10 == 0 && n / 10 < failures {
                failed(ErrorClass::ServerError)
            } else {
                Event::Success
            };
            attempt(&mut health, event, at(n), at(n));
        }
        let is_well = health.is_well(&route("a"), at(until));
        assert_eq!(is_well, well, "{ended} {failures} {until}");
    }
    let mut health = Health::default();
    assert!(!health.is_well(&route("a"), at(0)), "nothing is known");
    for n in 0..100 {
        attempt(&mut health, Event::Success, at(0), Moment(n));
    }
    for n in 1..6 {
        attempt(&mut health, failed(ErrorClass::ServerError), at(n), at(n));
    }
    assert!(!health.is_well(&route("a"), at(6)), "its breaker is open");
}

#[test]
fn five_failures_in_a_row_open_a_breaker_and_a_trial_closes_it() {
    let mut health = Health::default();
    for n in 0..4 {
        attempt(&mut health, failed(ErrorClass::ServerError), at(n), at(n));
    }
    assert_eq!(barred(&health, at(4)), None);
    let changes = attempt(&mut health, failed(ErrorClass::Connect), at(4), at(4));
    assert!(matches!(
        changes[..],
        [Change::Opened {
            why: Tripped::Consecutive,
            ..
        }]
    ));
    assert_eq!(barred(&health, at(5)), Some(Barred::Open));
    // 30 s later one trial, and only one.
    assert_eq!(barred(&health, at(34)), None);
    let trial = health.begin(&route("a"), None, at(34));
    assert!(trial.is_trial());
    assert_eq!(barred(&health, at(34)), Some(Barred::Trial));
    let changes = health.end(trial, Event::Success, at(36), 0.5);
    assert!(matches!(changes[..], [Change::Closed { .. }]));
    assert_eq!(barred(&health, at(36)), None);
}

#[test]
fn half_of_ten_within_a_minute_open_a_breaker() {
    let mut health = Health::default();
    for n in 0..9 {
        let event = if n % 2 == 0 {
            failed(ErrorClass::Timeout)
        } else {
            Event::Success
        };
        attempt(&mut health, event, at(n), at(n));
    }
    assert_eq!(barred(&health, at(9)), None, "nine are too few");
    let changes = attempt(&mut health, failed(ErrorClass::Timeout), at(9), at(9));
    assert!(matches!(
        changes[..],
        [Change::Opened {
            why: Tripped::Share,
            ..
        }]
    ));
    // The same over two minutes opens nothing.
    let mut health = Health::default();
    for n in 0..12 {
        let event = if n % 2 == 0 {
            failed(ErrorClass::Timeout)
        } else {
            Event::Success
        };
        attempt(&mut health, event, at(12 * n), at(12 * n));
    }
    assert_eq!(barred(&health, at(132)), None);
}

#[test]
fn an_open_breaker_stays_open_longer_each_time_up_to_five_minutes() {
    let mut health = Health::default();
    let mut now = 0;
    for seconds in [30, 60, 120, 240, 300, 300] {
        let mut until = None;
        while until.is_none() {
            let changes = attempt(&mut health, failed(ErrorClass::Connect), at(now), at(now));
            until = changes.iter().find_map(|change| match change {
                Change::Opened { until, .. } => Some(*until),
                _ => None,
            });
        }
        assert_eq!(until, Some(at(now + seconds)), "{seconds}");
        now += seconds;
    }
}

#[test]
fn jitter_is_a_fifth_either_way() {
    for (draw, seconds) in [(0.0, 24), (0.5, 30), (1.0, 36)] {
        let mut health = Health::default();
        for _ in 0..5 {
            let ticket = health.begin(&route("a"), None, at(0));
            health.end(ticket, failed(ErrorClass::Reset), at(0), draw);
        }
        assert_eq!(barred(&health, at(seconds - 1)), Some(Barred::Open));
        assert_eq!(barred(&health, at(seconds)), None);
    }
}

#[test]
fn a_client_abort_never_opens_a_breaker() {
    let mut health = Health::default();
    for n in 0..100 {
        assert_eq!(attempt(&mut health, Event::Cancelled, at(n), at(n)), []);
    }
    assert_eq!(barred(&health, at(100)), None);
    assert_eq!(health.view(&route("a"), None, at(100)).consecutive, 0);
    // One that aborts the trial leaves the trial to the next.
    for _ in 0..5 {
        attempt(&mut health, failed(ErrorClass::Connect), at(200), at(200));
    }
    let trial = health.begin(&route("a"), None, at(240));
    health.end(trial, Event::Cancelled, at(241), 0.5);
    assert!(health.begin(&route("a"), None, at(242)).is_trial());
}

#[test]
fn a_request_s_own_fault_never_opens_a_breaker() {
    for class in [
        ErrorClass::BadRequest,
        ErrorClass::Unprocessable,
        ErrorClass::ContextLength,
        ErrorClass::PayloadTooLarge,
        ErrorClass::ContentFilter,
        ErrorClass::TotalTimeout,
        ErrorClass::Auth,
        ErrorClass::Permission,
        ErrorClass::NotFound,
        ErrorClass::Quota,
        ErrorClass::RateLimited,
    ] {
        let mut health = Health::default();
        for n in 0..50 {
            attempt(&mut health, failed(class), at(n), at(n));
        }
        let state = health.breaker(&route("a")).map(Breaker::state);
        assert_eq!(state, Some(BreakerState::Closed), "{class:?}");
    }
}

#[test]
fn a_rate_limit_cools_exactly_as_long_as_it_says() {
    let mut health = Health::default();
    let event = Event::Failed {
        class: ErrorClass::RateLimited,
        until: Some(at(17)),
    };
    attempt(&mut health, event, at(0), at(1));
    assert_eq!(barred(&health, Moment(17 * S - 1)), Some(Barred::Cooling));
    assert_eq!(barred(&health, at(17)), None);
    // Another credential of the same route is not limited.
    let other = health.view(&route("a"), Some(KeyedHash(1)), at(2));
    assert_eq!(other.barred, None);
}

/// Google says seconds beside a day's quota; a quota that names a later end is held until then.
#[test]
fn a_spent_quota_is_held_at_least_as_long_as_a_wrong_key() {
    for (said, ends) in [(None, 600), (Some(28), 600), (Some(3_000), 3_000)] {
        let mut health = Health::default();
        let event = Event::Failed {
            class: ErrorClass::Quota,
            until: said.map(at),
        };
        attempt(&mut health, event, at(0), at(0));
        assert!(barred(&health, Moment(ends * S - 1)).is_some(), "{said:?}");
        assert_eq!(barred(&health, at(ends)), None, "{said:?}");
    }
}

#[test]
fn a_later_event_never_shortens_cooling() {
    let mut health = Health::default();
    for (now, until) in [(1, 60), (2, 5), (3, 59), (4, 4)] {
        let event = Event::Failed {
            class: ErrorClass::RateLimited,
            until: Some(at(until)),
        };
        attempt(&mut health, event, at(now), at(now));
        assert_eq!(barred(&health, at(59)), Some(Barred::Cooling), "{now}");
    }
    attempt(&mut health, failed(ErrorClass::RateLimited), at(5), at(5));
    // A success of what began before says nothing of it.
    attempt(&mut health, Event::Success, at(0), at(6));
    assert_eq!(barred(&health, at(59)), Some(Barred::Cooling));
    assert_eq!(barred(&health, at(60)), None);
}

#[test]
fn the_count_of_requests_at_work_cannot_leak() {
    let mut health = Health::default();
    let events = [
        Event::Success,
        Event::Cancelled,
        failed(ErrorClass::Connect),
        failed(ErrorClass::Auth),
        failed(ErrorClass::RateLimited),
        failed(ErrorClass::BadRequest),
    ];
    let tickets: Vec<_> = (0..600)
        .map(|n| health.begin(&route("a"), (n % 3 > 0).then_some(KeyedHash(n % 3)), at(n)))
        .collect();
    assert_eq!(health.at_work(), 600);
    for (n, ticket) in tickets.into_iter().enumerate() {
        health.end(ticket, events[n % events.len()], at(700), 0.5);
    }
    assert_eq!(health.at_work(), 0);
}

#[test]
fn a_wrong_key_holds_the_credential_and_raises_an_alert() {
    let mut health = Health::default();
    let (bad, good) = (Some(KeyedHash(1)), Some(KeyedHash(2)));
    let ticket = health.begin(&route("a"), bad, at(0));
    let changes = health.end(ticket, failed(ErrorClass::Auth), at(1), 0.5);
    assert!(changes.iter().all(Change::is_alert) && changes.len() == 1);
    let barred = |credential, now| health.view(&route("a"), credential, now).barred;
    assert!(matches!(
        barred(bad, at(600)),
        Some((Barred::CredentialHeld, _))
    ));
    assert_eq!(barred(bad, at(601)), None);
    assert_eq!(barred(good, at(2)), None);
    // It holds for every model of that provider.
    let elsewhere = RouteKey::new("a", Some(Name::from("other")));
    assert!(!health.view(&elsewhere, bad, at(2)).is_open());
    // A request that works all the same ends it.
    let ticket = health.begin(&route("a"), bad, at(3));
    health.end(ticket, Event::Success, at(4), 0.5);
    assert!(health.view(&route("a"), bad, at(5)).is_open());
}

#[test]
fn rate_limits_lower_the_number_at_work_and_successes_raise_it_again() {
    let mut health = Health::default();
    let tickets: Vec<_> = (0..20)
        .map(|_| health.begin(&route("a"), None, at(0)))
        .collect();
    let event = Event::Failed {
        class: ErrorClass::RateLimited,
        until: Some(at(2)),
    };
    for ticket in tickets {
        health.end(ticket, event, at(1), 0.5);
    }
    let limit = |health: &Health| health.view(&route("a"), None, at(3)).limit;
    assert_eq!(limit(&health), Some(14), "cut once, not twenty times");
    attempt(&mut health, failed(ErrorClass::RateLimited), at(3), at(3));
    assert_eq!(limit(&health), Some(1));
    for n in 0..400 {
        attempt(&mut health, Event::Success, at(30 + n), at(30 + n));
    }
    assert_eq!(limit(&health), None);
}

#[test]
fn no_herd_runs_onto_a_route_that_came_back() {
    let mut health = Health::default();
    for _ in 0..5 {
        attempt(&mut health, failed(ErrorClass::Connect), at(0), at(0));
    }
    attempt(&mut health, Event::Success, at(40), at(41));
    // As many come as are let in; each round of successes doubles how many that are.
    let mut rounds = Vec::new();
    for n in 0..7 {
        let mut tickets = Vec::new();
        while tickets.len() < 200 && health.view(&route("a"), None, at(50 + n)).is_open() {
            tickets.push(health.begin(&route("a"), None, at(50 + n)));
        }
        rounds.push(tickets.len());
        for ticket in tickets {
            health.end(ticket, Event::Success, at(50 + n), 0.5);
        }
    }
    assert_eq!(rounds, [1, 2, 4, 8, 16, 200, 200]);
}

#[test]
fn a_straggler_of_before_decides_nothing() {
    let mut health = Health::default();
    let early = health.begin(&route("a"), None, at(0));
    let late = health.begin(&route("a"), None, at(0));
    for _ in 0..5 {
        attempt(&mut health, failed(ErrorClass::Connect), at(1), at(1));
    }
    health.end(early, Event::Success, at(2), 0.5);
    assert_eq!(barred(&health, at(3)), Some(Barred::Open));
    health.end(late, failed(ErrorClass::Connect), at(20), 0.5);
    assert_eq!(
        barred(&health, at(31)),
        None,
        "nor does it keep it open longer"
    );
}

#[test]
fn declared_limits_are_known_until_they_are_old() {
    use crate::routing::limits::{Declared, Limit, Meter};
    let mut health = Health::default();
    let declared = Declared {
        requests: Some(Limit {
            limit: Some(10),
            left: Some(2),
            reset: Some(Nanos(30 * S)),
            window: None,
        }),
        ..Declared::default()
    };
    health.declare(&route("a"), None, &declared, at(0));
    let view = |health: &Health, now| health.view(&route("a"), None, now);
    assert_eq!(view(&health, at(1)).requests_left, Some(2));
    attempt(&mut health, Event::Success, at(2), at(3));
    assert_eq!(view(&health, at(3)).requests_left, Some(1));
    attempt(&mut health, Event::Success, at(3), at(3));
    assert!(view(&health, at(4)).is_near_limit(0));
    assert!((view(&health, at(4)).utilisation.unwrap() - 1.0).abs() < 1e-9);
    assert!(!view(&health, at(30)).is_near_limit(0));

    // A minute's limit of tokens behind a day's whose share is smaller, and what its own answer took.
    let limit = |limit, left, reset| {
        Some(Limit {
            limit: Some(limit),
            left: Some(left),
            reset: Some(Nanos(reset * S)),
            window: None,
        })
    };
    let declared = Declared {
        tokens: limit(1_000_000, 40_000, 9_000),
        fewest: [None, limit(1_000, 150, 20)],
        ..Declared::default()
    };
    let mut health = Health::default();
    health.declare(&route("a"), None, &declared, at(0));
    health.tokens(&route("a"), None, (100, true), at(1));
    assert_eq!(view(&health, at(1)).tokens_left, Some(150));
    assert!(!view(&health, at(1)).is_near_limit(100));
    health.tokens(&route("a"), None, (100, false), at(1));
    assert_eq!(view(&health, at(1)).tokens_left, Some(50));
    assert!(view(&health, at(1)).is_near_limit(100));
    assert!(!view(&health, at(21)).is_near_limit(100));
    let lane = &health.lanes(&route("a"))[0];
    assert_eq!(lane.meter(Meter::Tokens, at(1)).left, Some(39_900));
}
