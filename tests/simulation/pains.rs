//! Pains that users of other routers had, each a test by its name, through the whole street on
//! virtual time: what is waited for is waited for to the millisecond or two that timers have.
//!
//! Others stand where their part stands: `routing/health/tests.rs` (client aborts, errors of the
//! request, the count of requests at work, cooling), `routing/plan/tests.rs` (a first sample of
//! zero, a new route), `routing/limits/wait.rs` (`Retry-After`), `tests/robust/standing.rs` (reloads).

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tollgate::clock::Clock;
use tollgate::edge::upstream::{Dialled, Network};
use tollgate::record::{AttemptRecord, End, ErrorClass, ExchangeRecord, Mark, Origin, Outcome};
use tollgate::simulator::{Config, Simulator};

use super::client::{Answer, ask};
use super::stage::{self, Stage, settings};
use super::world::{Asked, BEGIN};

/// Asks for a stream so many times, one after the other, of a model with these routes, each told by
/// the simulator's words.
fn streams(more: &str, routes: &[&str], times: usize) -> Vec<(Answer, ExchangeRecord)> {
    let provider = |place: usize| {
        format!(
            "[providers.p{place}]\ndialect = \"openai\"\napi_key = \"sk-{place}\"\n\
             base_url = \"http://127.0.0.1:2000/v1\"\n"
        )
    };
    let route = |(place, words): (usize, &&str)| {
        format!("{{ provider = \"p{place}\", model = \"sim:{words}\" }}, ")
    };
    let config = format!(
        "[server]\nlisten = \"127.0.0.1:1\"\n{more}\n{}[models.m]\nroutes = [ {} ]\n",
        (0..routes.len()).map(provider).collect::<String>(),
        routes.iter().enumerate().map(route).collect::<String>(),
    );
    let records: Arc<Mutex<Vec<ExchangeRecord>>> = Arc::default();
    let list = Arc::clone(&records);
    let stage = Stage {
        settings: settings(&config),
        origin: Origin::Live,
        offer: Arc::new(move |record| list.lock().unwrap().push(record)),
    };
    let providers = || {
        let simulator = Simulator::within(Config {
            clock: Clock::of_runtime(BEGIN),
            ..Config::default()
        });
        Network::of_pipes(move |_, _| -> Dialled {
            let pipe = simulator.connect();
            Box::pin(async { Ok(pipe) })
        })
    };
    let answers = stage::perform(1, stage, providers, async |node, _| {
        let asked = Asked {
            at_ms: 0,
            stream: true,
            max_tokens: 64,
            leaves_ms: None,
        };
        let mut answers = Vec::new();
        for number in 0..times {
            let pipe = node.traffic().connect(0).unwrap();
            answers.push(ask(pipe, &asked, &number.to_string()).await.unwrap());
            // Its record follows its last write.
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        answers
    });
    let records = std::mem::take(&mut *records.lock().unwrap());
    assert_eq!(records.len(), times, "a record for each");
    answers.into_iter().zip(records).collect()
}

fn stream(more: &str, routes: &[&str]) -> (Answer, ExchangeRecord) {
    streams(more, routes, 1).remove(0)
}

/// Asks that a mark of the last attempt came so many milliseconds after the exchange's first byte.
#[track_caller]
fn after(record: &ExchangeRecord, mark: Mark, millis: u64) {
    let at = record.attempts.last().unwrap().timeline.get(mark).unwrap();
    let found = at.since(record.started_at).0 / 1_000_000;
    assert!((millis..millis + 4).contains(&found), "{mark:?}: {found}");
}

fn first(record: &ExchangeRecord) -> &AttemptRecord {
    record.attempts.first().unwrap()
}

#[test]
fn a_role_only_chunk_is_not_taken_for_the_first_token() {
    let (_, record) = stream("", &["hd-50ms:ft-700ms:n-3"]);
    after(&record, Mark::FirstRole, 50);
    after(&record, Mark::FirstToken, 700);
    after(&record, Mark::ClientFirstToken, 700);
}

#[test]
fn a_200_and_then_silence_is_left_at_the_deadline() {
    for words in [
        "fault-role_then_silence:for-20m",
        "fault-stall_headers:for-20m",
    ] {
        let (answer, record) = stream("", &[words, "ft-100ms:n-3"]);
        assert_eq!(
            (answer.status, record.outcome),
            (200, Outcome::Ok),
            "{words}"
        );
        assert_eq!(
            first(&record).error_class,
            Some(ErrorClass::FirstTokenTimeout)
        );
        // A minute, as long as nothing is known of the route; then the next one's own time.
        after(&record, Mark::RouteChosen, 60_000);
        after(&record, Mark::ClientFirstToken, 60_100);
        assert_eq!(answer.ids().len(), 1, "{words}");
    }
}

#[test]
fn a_200_with_an_error_as_its_body_is_no_success() {
    let (answer, record) = stream("", &["fault-error_in_200", "n-3"]);
    assert_eq!((answer.status, record.outcome), (200, Outcome::Ok));
    assert_eq!(first(&record).error_class, Some(ErrorClass::ServerError));
    assert!(!answer.body.contains("error"), "{}", answer.body);
    let (_, alone) = stream("", &["fault-error_in_200"]);
    assert!(alone.outcome.is_route_failure(), "{:?}", alone.outcome);
}

#[test]
fn an_answer_cut_after_40_of_60_tokens_is_not_booked_as_a_success() {
    for (fault, end) in [
        ("close_mid", End::Truncated),
        ("reset_mid", End::Truncated),
        ("end_mid", End::Truncated),
    ] {
        let words = format!("gap-5ms:n-60:fault-{fault}:at-40");
        let (answer, record) = stream("", &[&words, "n-3"]);
        assert_eq!(record.outcome, Outcome::Truncated, "{fault}");
        assert!(record.outcome.is_route_failure());
        let [attempt] = &record.attempts[..] else {
            panic!("{fault}: no switch after the first token: {record:#?}")
        };
        assert_eq!(attempt.end, Some(end), "{fault}");
        assert_eq!(attempt.gaps.as_ref().unwrap().token_events, 40, "{fault}");
        assert!(!answer.body.contains("[DONE]"), "{fault}");
    }
}

#[test]
fn an_error_event_after_the_first_token_is_told_and_counted() {
    for fault in ["error_mid", "error_mid_done"] {
        let words = format!("n-9:fault-{fault}:at-4");
        let (answer, record) = stream("", &[&words, "n-3"]);
        assert_eq!(record.outcome, Outcome::InBandError, "{fault}");
        assert_eq!(record.attempts.len(), 1, "{fault}");
        assert!(
            answer.body.contains("\"error\""),
            "{fault}: {}",
            answer.body
        );
    }
}

#[test]
fn a_flood_of_comments_before_the_first_token_is_neither_a_token_nor_a_fault() {
    let (answer, record) = stream("", &["ft-300ms:n-6:fault-comment_flood", "n-3"]);
    assert_eq!((record.outcome, record.attempts.len()), (Outcome::Ok, 1));
    after(&record, Mark::FirstToken, 300);
    assert_eq!(answer.ids().len(), 1);
}

#[test]
fn no_deadline_taxes_a_slow_but_living_provider() {
    // Forty seconds are usual there: under the minute that a new route has, and under three times
    // what was measured once that counts.
    let slow = streams("", &["ft-40s:gap-5ms:n-3", "n-3"], 30);
    for (number, (_, record)) in slow.iter().enumerate() {
        assert_eq!(record.attempts.len(), 1, "request {number}");
        assert_eq!(record.outcome, Outcome::Ok, "request {number}");
    }
    // Where no other route is left nobody is in a hurry.
    let (_, alone) = stream("", &["ft-9m:n-3"]);
    assert_eq!(alone.outcome, Outcome::Ok);
    after(&alone, Mark::ClientFirstToken, 540_000);
}

#[test]
fn further_tries_do_not_reset_the_clock() {
    let failing = "fault-role_then_silence:for-5s";
    let (_, record) = stream("", &[failing, "ft-1s:n-3"]);
    assert_eq!(record.attempts.len(), 2);
    let begun = |of: &AttemptRecord| of.timeline.get(Mark::RequestFirstByte);
    assert!(
        record
            .attempts
            .iter()
            .all(|of| begun(of) == Some(record.started_at))
    );
    after(&record, Mark::ClientFirstToken, 6_000);
    // Nor that of the whole exchange.
    let (answer, record) = stream("[timeouts]\ntotal = \"8s\"", &[failing, "ft-5s:n-3"]);
    assert_eq!(record.outcome, Outcome::TimedOut);
    after(&record, Mark::Closed, 8_000);
    assert!(!answer.body.contains("[DONE]"), "{}", answer.body);
}

#[test]
fn a_spent_budget_of_tries_cuts_nobody_who_has_nowhere_to_go() {
    let none = "[failover]\nbudget = 0\nbudget_min = 0\n[timeouts]\nfirst_token = \"8s\"";
    let slow = "ft-9500ms:n-3";
    // Nothing is known of the other route: it needs the budget, and without it the slow one is let.
    let (_, record) = stream(none, &[slow, "n-3"]);
    assert_eq!((record.attempts.len(), record.outcome), (1, Outcome::Ok));
    after(&record, Mark::ClientFirstToken, 9_500);
    // So is one that has sent its headers and no token.
    let (_, record) = stream(none, &["fault-role_then_silence:for-9500ms", "n-3"]);
    assert_eq!(record.attempts.len(), 1);
    assert_ne!(record.outcome, Outcome::TimedOut);
}
