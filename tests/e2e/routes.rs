//! Which provider a request goes to, whose key goes with it, and what follows when one is dead.

use serde_json::{Value, json};
use tollgate::record::{End, ErrorClass as Class, Mark, Outcome};

use crate::support::{Ask, Rig, ports};

const CLIENT_KEY: &str = "Bearer sk-CANARY-CLIENT";

/// A rig with a dead provider, a keyless one, and models with routes over them.
fn rig() -> Rig {
    let dead = ports::dead();
    Rig::configured(&format!(
        r#"
        [providers.dead]
        base_url = "http://{dead}/v1"
        api_key = "sk-CANARY-DEAD"
        [providers.keyless]
        base_url = "http://{{sim}}/keyless/v1"
        [models.dead-first]
        routes = [{{ provider = "dead" }}, {{ provider = "oa", model = "sim:n-3" }}]
        [models.both-dead]
        routes = [{{ provider = "dead" }}, {{ provider = "dead", model = "again" }}]
        [models.failing-first]
        routes = [
            {{ provider = "oa", model = "sim:fault-http_503" }}, {{ provider = "oa", model = "sim:n-3" }},
        ]
        [models.limited-first]
        routes = [
            {{ provider = "inj", model = "sim:fault-rate_limit" }}, {{ provider = "oa", model = "sim:n-3" }},
        ]
        [models.wrong-first]
        routes = [
            {{ provider = "oa", model = "sim:fault-content_filter" }}, {{ provider = "oa", model = "sim:n-3" }},
        ]
        [models.all-failing]
        routes = [
            {{ provider = "oa", model = "sim:fault-http_500" }}, {{ provider = "inj", model = "sim:fault-http_529" }},
        ]
        [models.keyless-second]
        routes = [{{ provider = "dead" }}, {{ provider = "keyless", model = "sim:n-3" }}]
        [models.keyless-between]
        routes = [
            {{ provider = "dead" }}, {{ provider = "keyless", model = "sim" }},
            {{ provider = "oa", model = "sim:n-3" }},
        ]
        "#
    ))
}

#[test]
fn a_dead_or_failing_route_is_followed_by_the_next() {
    let rig = rig();
    for (model, classes) in [
        ("dead-first", &[Some(Class::Connect), None][..]),
        ("failing-first", &[Some(Class::Overloaded), None]),
        ("limited-first", &[Some(Class::RateLimited), None]),
    ] {
        for stream in [true, false] {
            rig.forget();
            let ask = Ask::chat(model, stream).to("");
            let (reading, record, truth) = rig.exchange(&ask);
            assert_eq!(reading.status, 200, "{model}: {}", reading.text());
            assert_eq!(record.outcome, Outcome::Ok, "{model}");
            let found: Vec<_> = record
                .attempts
                .iter()
                .map(|attempt| attempt.error_class)
                .collect();
            assert_eq!(found, classes, "{model}");
            assert_eq!(record.model.as_deref(), Some(model));
            assert_eq!(record.attempts[1].model.as_deref(), Some("sim:n-3"));
            assert_eq!(truth.model.as_deref(), Some("sim:n-3"), "the name there");
            assert_eq!(reading.header("x-tollgate-attempts"), Some("2"), "{model}");
            assert_eq!(
                reading.header("x-tollgate-route"),
                Some("oa/sim:n-3"),
                "{model}"
            );
            for pair in record.attempts.windows(2) {
                let at = |n: usize, mark| pair[n].timeline.get(mark).unwrap();
                assert!(at(0, Mark::Closed) <= at(1, Mark::RouteChosen), "{model}");
            }
            assert!(record.request.model_replaced, "{model}");
        }
    }
}

#[test]
fn what_is_the_callers_fault_goes_to_no_other_route() {
    let rig = rig();
    let ask = Ask::chat("wrong-first", true).to("");
    let (reading, record, _) = rig.exchange(&ask);
    assert_eq!((reading.status, record.attempts.len()), (400, 1));
    assert_eq!(record.outcome, Outcome::ClientError);
    assert_eq!(record.attempts[0].error_class, Some(Class::ContentFilter));
}

#[test]
fn when_all_fail_the_last_says_why() {
    let rig = rig();
    let ask = Ask::chat("both-dead", true).to("");
    let reading = rig.send(&ask);
    assert_eq!(
        (reading.status, reading.header("x-proxy-error")),
        (502, Some("upstream_connect_error"))
    );
    let record = rig.record(&ask);
    let last = &record.attempts[1];
    let route = format!("{}/{}", last.provider, last.model.as_ref().unwrap());
    for (name, value) in [
        ("x-tollgate-route", route.as_str()),
        ("x-tollgate-attempts", "2"),
        ("x-tollgate-reason", "ordered; model"),
    ] {
        assert_eq!(reading.header(name), Some(value), "{name}");
    }
    let timing = reading.header("server-timing").unwrap();
    assert!(timing.contains("tollgate-tries;dur="), "{timing}");
    assert_eq!(
        (record.outcome, record.attempts.len()),
        (Outcome::UpstreamError, 2)
    );
    let ask = Ask::chat("all-failing", false).to("");
    let (reading, record, _) = rig.exchange(&ask);
    assert_eq!(
        (reading.status, reading.header("x-proxy-error")),
        (529, None)
    );
    assert_eq!(
        (record.outcome, record.attempts.len()),
        (Outcome::UpstreamError, 2)
    );
    assert_eq!(record.attempts[0].status, Some(500));
    assert_eq!(record.attempts[1].end, Some(End::Complete));
}

#[test]
fn a_clients_own_key_goes_only_where_it_was_meant() {
    let rig = rig();
    let own = |ask: Ask| ask.header("authorization", CLIENT_KEY);
    // By base URL, and by `provider/model`: to a provider without a key of its own.
    for ask in [
        own(Ask::chat("sim:n-1", true)).to("/keyless"),
        own(Ask::chat("keyless/sim:n-1", true)).to(""),
    ] {
        let (reading, record, truth) = rig.exchange(&ask);
        // The simulator knows another key: that it objects shows that the client's went.
        assert_eq!(reading.status, 401, "{}", reading.text());
        assert_eq!(truth.credential.header, Some("authorization"));
        assert_eq!(truth.credential.matched, Some(false));
        assert!(record.attempts[0].client_credential);
        assert_eq!(record.attempts[0].error_class, Some(Class::Auth));
    }
    // Not to a further route of a model.
    let ask = own(Ask::chat("keyless-second", true)).to("");
    let reading = rig.send(&ask);
    assert_eq!(
        reading.header("x-proxy-error"),
        Some("upstream_connect_error"),
        "{}",
        reading.text()
    );
    assert_eq!(rig.record(&ask).attempts.len(), 1);
    let ask = own(Ask::chat("keyless-between", true)).to("");
    let (reading, record, truth) = rig.exchange(&ask);
    assert_eq!(reading.status, 200, "{}", reading.text());
    let providers: Vec<_> = record
        .attempts
        .iter()
        .map(|a| a.provider.to_string())
        .collect();
    assert_eq!(providers, ["dead", "oa"]);
    assert_eq!(truth.credential.matched, Some(true));
    // Nor by a pin.
    let ask = own(Ask::chat("sim", true))
        .to("")
        .header("x-tollgate-route", "keyless");
    let reading = rig.send(&ask);
    assert_eq!(reading.status, 401);
    assert_eq!(
        reading.header("x-proxy-error"),
        Some("no_credential"),
        "{}",
        reading.text()
    );
    assert!(rig.record(&ask).attempts.is_empty());
}

#[test]
fn requests_find_their_provider() {
    let rig = rig();
    for (ask, provider, there) in [
        (Ask::chat("sim:n-1", true).to("/oa"), "oa", "sim:n-1"),
        (Ask::chat("an/sim:n-1", true).to("/oa"), "oa", "an/sim:n-1"),
        (Ask::chat("inj/sim:n-1", true).to(""), "inj", "sim:n-1"),
        (
            Ask::chat("oa/deep/er/sim:n-1", true).to(""),
            "oa",
            "deep/er/sim:n-1",
        ),
        (Ask::messages("sim:n-1", true), "an", "sim:n-1"),
        (Ask::messages("an/sim:n-1", true).to(""), "an", "sim:n-1"),
        (
            Ask::chat("dead-first", true)
                .to("")
                .header("x-tollgate-route", "oa"),
            "oa",
            "sim:n-3",
        ),
        (
            Ask::chat("dead-first", true)
                .to("")
                .header("x-tollgate-route", "inj/sim:n-2"),
            "inj",
            "sim:n-2",
        ),
    ] {
        let (reading, record, truth) = rig.exchange(&ask);
        let place = || format!("{} {}", ask.target(), String::from_utf8_lossy(ask.json()));
        assert_eq!(reading.status, 200, "{}: {}", place(), reading.text());
        assert_eq!(record.attempts.len(), 1, "{}", place());
        assert_eq!(
            record.attempts[0].provider.as_str(),
            provider,
            "{}",
            place()
        );
        assert_eq!(
            record.attempts[0].model.as_deref(),
            Some(there),
            "{}",
            place()
        );
        assert_eq!(truth.model.as_deref(), Some(there), "{}", place());
    }
}

#[test]
fn what_nobody_claims_is_told_what_there_is() {
    let rig = rig();
    let ask = Ask::chat("nobodys-model", true).to("");
    let reading = rig.send(&ask);
    assert_eq!(
        (reading.status, reading.header("x-proxy-error")),
        (404, Some("model_not_found"))
    );
    let json: Value = serde_json::from_slice(&reading.body).unwrap();
    let message = json["error"]["message"].as_str().unwrap();
    for name in ["oa", "inj", "an", "dead", "dead-first", "all-failing"] {
        assert!(message.contains(name), "{name} is not in: {message}");
    }
    assert_eq!(json["error"]["param"], "model");
    rig.record(&ask);
    let list = rig.send(&Ask::new("GET", "/v1/models").to(""));
    let list: Value = serde_json::from_slice(&list.body).unwrap();
    let ids: Vec<_> = list["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|m| &m["id"])
        .collect();
    for id in [json!("dead-first"), json!("oa/sim"), json!("inj/sim")] {
        assert!(ids.contains(&&id), "{id} is not in {ids:?}");
    }
}

#[test]
fn a_request_that_comes_round_is_refused() {
    // The provider `round` is the node itself: known only once it listens, so by a reload.
    let rig = Rig::start();
    let mut settings = rig.node().shared.settings.load().as_ref().clone();
    let mut round = settings.providers[0].as_ref().clone();
    round.name = "round".into();
    round.base.port = rig.addr().port();
    round.base.path = "/oa/v1".to_owned();
    settings.providers.push(std::sync::Arc::new(round));
    rig.node()
        .shared
        .settings
        .store(std::sync::Arc::new(settings));
    let ask = Ask::chat("sim", true).to("/round");
    let reading = rig.send(&ask);
    assert_eq!(
        (reading.status, reading.header("x-proxy-error")),
        (508, Some("loop_detected"))
    );
    let record = rig.record(&ask);
    assert_eq!(
        (record.outcome, record.attempts[0].status),
        (Outcome::UpstreamError, Some(508))
    );
    // Its second coming is an exchange too, and was refused.
    assert_eq!(rig.records.count(), 2);
    let refused = rig
        .records
        .all()
        .into_iter()
        .find(|record| record.attempts.is_empty());
    assert_eq!(
        refused.map(|record| record.outcome),
        Some(Outcome::Rejected)
    );
    assert_eq!(rig.simulator.request_count(), 0);
}
