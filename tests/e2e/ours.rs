//! Requests of our own go along the same street, and are told apart from clients' by their records.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use serde_json::json;
use tollgate::active::probing::{Idle, Purse, due};
use tollgate::active::{Asked, Traffic};
use tollgate::proxy::ours::Mark;
use tollgate::record::{
    Active, ExchangeRecord, Moment, Name, Nanos, Origin, Outcome, Pair, PicoDollars,
};
use tollgate::routing::route::RouteKey;

use crate::support::records::until;
use crate::support::{Ask, Rig};

fn runtime() -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().build().unwrap()
}

fn asked(model: &str, tag: &str, active: Active) -> Asked {
    let messages = json!([{ "role": "user", "content": "hi there" }]);
    let body = json!({ "model": model, "stream": true, "messages": messages });
    Asked {
        mark: Mark {
            origin: Origin::Bench,
            active,
        },
        route: Some(RouteKey::new("oa", Some(Name::from(model)))),
        path: "/v1/chat/completions",
        tags: vec![Name::from(tag)],
        headers: Vec::new(),
        body: Bytes::from(body.to_string()),
        worker: 0,
    }
}

fn sent(traffic: &Traffic, rig: &Rig, asked: Asked) -> ExchangeRecord {
    let tag = asked.tags[0].clone();
    let reply = runtime().block_on(traffic.send(asked)).unwrap();
    let record = rig.records.tagged(&tag);
    assert_eq!(reply.exchange, Some(record.id));
    assert_eq!(Some(reply.status), record.status);
    record
}

#[test]
fn a_request_of_our_own_is_recorded_as_what_it_was_announced() {
    let rig = Rig::configured("");
    let traffic = rig.node().traffic();
    let active = Active {
        run: "run-1".into(),
        round: 2,
        pair: Some(Pair {
            number: 7,
            order: 1,
        }),
        item: Some("prompt-3".into()),
        trial: 1,
        intended: Some(Moment(5)),
        warm_up: false,
        cold: true,
    };
    let record = sent(&traffic, &rig, asked("sim:n-5", "ours-1", active.clone()));
    assert_eq!(record.origin, Origin::Bench);
    assert_eq!(record.active, Some(active));
    assert_eq!(record.outcome, Outcome::Ok);
    let [attempt] = &record.attempts[..] else {
        panic!("{} attempts", record.attempts.len())
    };
    assert_eq!(attempt.provider.as_str(), "oa");
    assert!(
        attempt
            .gaps
            .as_ref()
            .is_some_and(|gaps| gaps.token_events == 5)
    );
    assert!(
        record.own.first_token.is_some(),
        "its writes are stamped too"
    );
    // A client that says so is a client all the same.
    let ask = Ask::chat("sim:n-2", true)
        .header("x-tollgate-announced", "1")
        .header("x-tollgate-announced", "2");
    let record = rig.exchange(&ask).1;
    assert_eq!((record.origin, record.active), (Origin::Live, None));
}

#[test]
fn whoever_gives_a_request_of_our_own_up_is_a_client_that_went() {
    let rig = Rig::configured("");
    let traffic = rig.node().traffic();
    let asked = asked("sim:ft-20s:n-5", "ours-2", Active::default());
    runtime().block_on(async {
        let begun = async {
            while rig.simulator.request_count() == 0 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::select! {
            _ = traffic.send(asked) => panic!("it has an answer"),
            () = begun => {}
        }
        // Its task ends with the connection.
        tokio::task::yield_now().await;
    });
    let record = rig.records.tagged("ours-2");
    assert_eq!(record.outcome, Outcome::ClientGone);
    assert_eq!(record.origin, Origin::Bench);
}

/// Two routes of one model, both idle since the start, and a third model with one.
const PROBED: &str = "[probes]\nenabled = true\nper_day = 2\nidle_after = \"1m\"\n\
     [models.m]\npolicy = \"ordered\"\nroutes = [{ provider = \"oa\", model = \"sim:ft-30ms:n-9\" }, \
     { provider = \"inj\", model = \"sim:n-9\" }]\n\
     [models.alone]\nroutes = [{ provider = \"oa\", model = \"sim:n-1\" }]\n";

#[test]
fn idle_routes_are_asked_for_a_token_within_the_days_number() {
    let rig = Rig::configured(PROBED);
    let shared = &rig.node().shared;
    let runtime = runtime();
    let idle = |sent| {
        let purse = Purse::new(shared.clock.wall(), (sent, PicoDollars(0)));
        let purse = Arc::new(Mutex::new(purse));
        Idle::new(Arc::clone(shared), rig.node().traffic(), purse)
    };
    let mut probing = idle(0);
    let probed = || {
        let all = rig.records.all();
        all.iter()
            .filter(|record| record.origin == Origin::Probe)
            .map(|record| record.attempts[0].provider.to_string())
            .collect::<Vec<_>>()
    };
    // Nobody uses the street: nothing has to be kept fresh.
    runtime.block_on(probing.once());
    assert!(probed().is_empty());
    let ask = Ask::chat("m", true).to("");
    assert_eq!(rig.exchange(&ask).1.attempts[0].provider.as_str(), "oa");
    runtime.block_on(probing.once());
    until("the probe's record", || {
        (!probed().is_empty()).then_some(())
    });
    assert_eq!(probed(), ["inj"], "the other one was just used");
    let settings = shared.settings.load_full();
    let standing = &shared.settler.standing;
    let none = standing.with(|board| due(board, &settings, &[].into(), shared.clock.now()));
    assert_eq!(none, None, "both are fresh");
    let later = shared.clock.now().plus(Nanos(120_000_000_000));
    let next = standing.with(|board| due(board, &settings, &[].into(), later));
    assert_eq!(next.unwrap().route.provider.as_str(), "oa");
    let record = rig.records.all();
    let record = record.iter().find(|of| of.origin == Origin::Probe).unwrap();
    assert_eq!(record.reason.as_str(), "pinned");
    assert_eq!(record.request.max_tokens, Some(1));
    assert!((100..400).contains(&record.request.prompt_tokens_estimated.unwrap()));
    let known = standing.with(|board| {
        let route = RouteKey::new("inj", Some("sim:n-9".into()));
        board.learned.expect(&route, shared.clock.now()).samples
    });
    assert_eq!(known, 1, "what is expected of the route is fresh");
    // The day's number is kept to, also over a restart.
    let mut spent = idle(2);
    rig.forget();
    rig.exchange(&Ask::chat("m", true).to(""));
    runtime.block_on(spent.once());
    assert_eq!(probed().len(), 1);
}
