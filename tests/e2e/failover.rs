//! A provider that fails before its first token costs the client nothing that it could see.

use std::io::Write as _;
use std::net::TcpStream;

use serde_json::json;
use tollgate::record::{CancelledBy, ErrorClass as Class, Mark, Moment, Nanos, Origin, Outcome};
use tollgate::routing::route::RouteKey;
use tollgate::simulator::Script;

use crate::support::records::until;
use crate::support::samples::{NATIVE, Sample, samples};
use crate::support::{Ask, Rig};

/// The first route's fault, whether a stream was asked for, and what is recorded of the route.
const MOVED: &[(&str, bool, Class)] = &[
    ("reset_before_headers", true, Class::Reset),
    ("close_before_headers", false, Class::Reset),
    ("reset_after_headers", true, Class::Reset),
    ("close_after_headers", true, Class::Truncated),
    ("stall_headers:for-30s", true, Class::FirstTokenTimeout),
    ("stall_first_token:for-30s", true, Class::FirstTokenTimeout),
    ("role_then_silence:for-30s", true, Class::FirstTokenTimeout),
    ("stall_headers:for-90s", false, Class::FirstTokenTimeout),
    ("reset_mid:at-0", true, Class::Reset),
    ("close_mid:at-0", true, Class::Truncated),
    ("end_mid:at-0", true, Class::Truncated),
    ("empty_stream", true, Class::Truncated),
    ("empty_answer", true, Class::EmptyResponse),
    ("done_only", true, Class::EmptyResponse),
    ("error_first", true, Class::ServerError),
    ("error_first_done", true, Class::ServerError),
    ("error_in_200", true, Class::ServerError),
    ("error_in_200", false, Class::ServerError),
    ("html_in_200", true, Class::ProtocolError),
    ("html_in_200", false, Class::ProtocolError),
    ("empty_answer", false, Class::EmptyResponse),
    ("close_mid", false, Class::Truncated),
    ("rate_limit", true, Class::RateLimited),
    ("rate_limit_date", false, Class::RateLimited),
    ("quota", true, Class::Quota),
    ("unauthorized", true, Class::Auth),
    ("forbidden", true, Class::Permission),
    ("not_found", true, Class::NotFound),
    ("http_500", false, Class::ServerError),
    ("http_503", true, Class::Overloaded),
    ("http_529", true, Class::Overloaded),
    ("http_html", true, Class::ServerError),
    ("http_empty", true, Class::ServerError),
    ("http_large", true, Class::ServerError),
    ("redirect", true, Class::Redirect),
    ("bad_status_line", true, Class::ProtocolError),
    ("fake_upgrade", true, Class::ProtocolError),
    ("no_content_with_body", true, Class::Truncated),
    ("no_content_with_body", false, Class::EmptyResponse),
    ("http_status:code-999", true, Class::ServerError),
];

/// Faults that another route would not mend, and what the client gets: the provider's own word.
const STAYED: &[(&str, bool, u16, Outcome)] = &[
    ("context_length", true, 400, Outcome::ClientError),
    ("content_filter", false, 400, Outcome::ClientError),
    ("http_status:code-400", true, 400, Outcome::ClientError),
    ("http_status:code-422", false, 422, Outcome::ClientError),
    // A token has gone to the client: there is no way back.
    ("error_mid:at-2", true, 200, Outcome::InBandError),
    ("close_mid:at-2", true, 200, Outcome::Truncated),
    ("end_mid:at-2", true, 200, Outcome::Truncated),
];

/// Requests that refer to what one provider account has: no other one has it.
const BOUND: &[&str] = &[
    r#"{"previous_response_id": "resp_1"}"#,
    r#"{"conversation": {"id": "conv_1"}}"#,
    r#"{"background": true}"#,
];

/// Answers in which nothing is wrong, however they look at the beginning.
const GOOD: &[(&str, bool)] = &[
    ("n-6:gap-2ms", true),
    ("n-6", false),
    ("n-6:hd-300ms:ft-2500ms:gap-5ms", false),
    ("n-6:ka-20ms:ft-300ms", true),
    ("n-6:fault-comment_flood", true),
    ("n-6:think-8:gap-20ms", true),
    ("n-1:tools-1", true),
    ("n-6:tools-2", false),
    ("n-6:fault-gzip", true),
    ("n-6:fault-missing_done", true),
    ("n-6:fault-sse_bom", true),
    ("n-6:fault-trailers", false),
];

/// A rig with a model of two routes for every first route of the tables. The second is another
/// provider, so that a fault of a credential may be followed too.
fn rig() -> Rig {
    let faults = MOVED.iter().map(|(fault, ..)| format!("n-6:fault-{fault}"));
    let stayed = STAYED
        .iter()
        .map(|(fault, ..)| format!("n-6:fault-{fault}"));
    let good = GOOD.iter().map(|(words, _)| (*words).to_owned());
    let mut firsts: Vec<_> = faults.chain(stayed).chain(good).collect();
    firsts.sort();
    firsts.dedup();
    let models = firsts.iter().map(|first| {
        format!(
            "[models.\"m-{first}\"]\nroutes = [{{ provider = \"oa\", model = \"sim:{first}\" }}, \
             {{ provider = \"inj\", model = \"sim:n-4\" }}]\n"
        )
    });
    let models: String = models.collect();
    Rig::configured(&format!("[timeouts]\nfirst_token = \"1500ms\"\n{models}"))
}

#[test]
fn what_fails_before_its_first_token_is_followed_by_the_next_route() {
    let rig = rig();
    for (fault, stream, class) in MOVED {
        let name = format!("{fault}, stream {stream}");
        rig.forget();
        // So few tokens that a whole answer is soon overdue too.
        let ask = Ask::chat(&format!("m-n-6:fault-{fault}"), *stream)
            .with(&json!({"max_tokens": 8}))
            .to("");
        let reading = rig.send(&ask);
        let record = rig.record(&ask);
        assert_eq!(reading.status, 200, "{name}: {}", reading.text());
        assert_eq!(record.outcome, Outcome::Ok, "{name}");
        assert_eq!(
            reading.header("x-tollgate-route"),
            Some("inj/sim:n-4"),
            "{name}"
        );
        assert_eq!(reading.header("x-tollgate-attempts"), Some("2"), "{name}");
        let [lost, _] = record.attempts.as_slice() else {
            panic!("{name}: {} attempts", record.attempts.len());
        };
        let why = lost.error_class.unwrap().name();
        let tried = format!("{}/{} {why}", lost.provider, lost.model.as_ref().unwrap());
        assert_eq!(reading.header("x-tollgate-tried"), Some(&*tried), "{name}");
        let timing = reading.header("server-timing").unwrap();
        assert!(timing.starts_with("tollgate;dur="), "{name}: {timing}");
        assert!(timing.contains(", tollgate-tries;dur="), "{name}: {timing}");
        // What the first try took is no delay of ours. A busy machine's may be, but not always.
        let own = || {
            rig.forget();
            let again = ask.again();
            rig.send(&again);
            rig.record(&again).own.inbound.unwrap()
        };
        let mut own = std::iter::once(record.own.inbound.unwrap()).chain((0..5).map(|_| own()));
        let few = Nanos::from_millis(500);
        assert!(own.any(|own| own < few), "{name}");
        let [lost, won] = record.attempts.as_slice() else {
            panic!("{name}: {} attempts", record.attempts.len());
        };
        assert_eq!(lost.error_class, Some(*class), "{name}");
        assert_eq!(won.error_class, None, "{name}");
        assert!(lost.end.is_some(), "{name}");
        let closed = lost.timeline.get(Mark::Closed).unwrap();
        assert!(
            closed <= won.timeline.get(Mark::RouteChosen).unwrap(),
            "{name}"
        );
        assert_eq!(lost.timeline.get(Mark::ClientFirstToken), None, "{name}");
        if *class == Class::FirstTokenTimeout {
            assert_eq!(lost.cancelled_by, Some(CancelledBy::Deadline), "{name}");
        }
        // Four words and nothing of the first route's beginning.
        let roles = reading.text().matches("\"role\"").count();
        assert_eq!(roles, 1, "{name}: {}", reading.text());
        assert!(!reading.text().contains("error"), "{name}");
        assert_eq!(
            record.tokens.usage.output,
            Some(4).filter(|_| record.tokens.source.is_some())
        );
    }
}

#[test]
fn what_another_route_would_not_mend_is_the_clients_answer() {
    let rig = rig();
    for (fault, stream, status, outcome) in STAYED {
        let name = format!("{fault}, stream {stream}");
        rig.forget();
        let ask = Ask::chat(&format!("m-n-6:fault-{fault}"), *stream).to("");
        let reading = rig.send(&ask);
        let record = rig.record(&ask);
        assert_eq!(reading.status, *status, "{name}: {}", reading.text());
        assert_eq!(record.outcome, *outcome, "{name}");
        assert_eq!(record.attempts.len(), 1, "{name}");
        assert_eq!(record.attempts[0].provider.as_str(), "oa", "{name}");
        if *status == 200 {
            assert!(
                record.attempts[0].timeline.get(Mark::Held).is_some(),
                "{name}"
            );
        }
    }
}

#[test]
fn what_one_account_has_is_asked_of_no_other() {
    let rig = rig();
    let first = "m-n-6:fault-http_500";
    for more in BOUND {
        let fields: serde_json::Value = serde_json::from_str(more).unwrap();
        let ask = Ask::responses(first, false).with(&fields).to("");
        let reading = rig.send(&ask);
        assert_eq!(reading.status, 500, "{more}: {}", reading.text());
        let record = rig.record(&ask);
        assert_eq!(record.attempts.len(), 1, "{more}");
        assert_eq!(record.outcome, Outcome::UpstreamError, "{more}");
        rig.forget();
    }
    let ask = Ask::responses(first, false).to("");
    assert_eq!(rig.send(&ask).status, 200);
}

#[test]
fn a_good_answer_is_held_until_its_first_token() {
    let rig = rig();
    for (words, stream) in GOOD {
        let name = format!("{words}, stream {stream}");
        let ask = Ask::chat(&format!("m-{words}"), *stream).to("");
        let (reading, record, truth) = rig.exchange(&ask);
        assert_eq!(reading.status, 200, "{name}: {}", reading.text());
        assert_eq!(record.outcome, Outcome::Ok, "{name}");
        assert_eq!(record.attempts.len(), 1, "{name}");
        let timeline = &record.attempts[0].timeline;
        let held = timeline.get(Mark::Held);
        assert!(held.is_some(), "{name}");
        assert_eq!(reading.body.len() as u64, truth.body_bytes, "{name}");
        if !*stream {
            assert!(record.own.last.is_some(), "{name}");
            let written = timeline.get(Mark::ClientLastToken);
            assert!(written >= timeline.get(Mark::Done), "{name}");
        }
        if *stream && timeline.get(Mark::FirstToken).is_some() {
            assert!(held >= timeline.get(Mark::FirstToken), "{name}");
            let written = timeline.get(Mark::ClientFirstToken);
            assert!(written >= held, "{name}");
            assert!(timeline.get(Mark::Headers) <= held, "{name}");
            // What waited for its token was not slow in our hands.
            let role = timeline.get(Mark::FirstRole);
            let waited = role.zip(held).map(|(role, held)| held.since(role));
            if let Some(waited) = waited.filter(|waited| *waited > Nanos::from_millis(20)) {
                assert!(record.own.chunk_max < Some(waited), "{name}");
            }
        }
    }
}

/// Every sample of the providers' bytes, played by a first route of that provider's preset.
#[test]
fn every_sample_goes_to_the_next_route_or_stays_to_the_last_byte_as_its_manifest_says() {
    let samples = samples();
    let (rig, models) = rig_of(&samples);
    let (mut stayed, mut moved) = (0, 0);
    for (number, sample) in samples.iter().enumerate() {
        let name = &sample.file;
        if name.ends_with("/models.json") {
            // No answer of a chat: rightly followed by another one.
            continue;
        }
        for cuts in [
            vec![],
            (1..sample.body.len().min(2000)).step_by(7).collect(),
        ] {
            let mut script = Script::cut("", &sample.body, &cuts, Nanos(0));
            script.head = sample.head().into();
            rig.simulator.play(&format!("replay-{number}"), script);
            rig.forget();
            let ask = sample.ask("", &models[number]);
            let reading = rig.send(&ask);
            let record = rig.record(&ask);
            let follows = sample.follows.as_deref();
            if matches!(follows, Some("yes" | "alert")) {
                assert_eq!(record.attempts.len(), 2, "{name}: {record:?}");
                assert_eq!(reading.status, 200, "{name}");
                assert_eq!(record.outcome, Outcome::Ok, "{name}");
                moved += 1;
            } else {
                assert_eq!(record.attempts.len(), 1, "{name}: {:?}", record.attempts);
                assert_eq!(reading.status, sample.status, "{name}");
                let whole = reading.body.get(..sample.body.len());
                assert_eq!(whole, Some(&sample.body[..]), "{name} cut at {cuts:?}");
                stayed += 1;
            }
        }
    }
    println!("{stayed} stayed, {moved} moved");
    assert!(stayed > 150 && moved > 60, "{stayed} stayed, {moved} moved");
}

/// A rig with a model for every sample, and the models' names.
fn rig_of(samples: &[Sample]) -> (Rig, Vec<String>) {
    let mut config = String::from("[providers.an2]\nbase_url = \"http://{sim}/an\"\n");
    config.push_str("dialect = \"anthropic\"\napi_key = \"{key}\"\n");
    config.push_str(NATIVE);
    let mut makers = std::collections::BTreeSet::new();
    let mut names = Vec::new();
    for (number, sample) in samples.iter().enumerate() {
        let maker = sample.file.split('/').next().unwrap();
        let (dialect, at, second) = match (maker, sample.provider) {
            ("anthropic", _) => ("anthropic", "/an", "an2"),
            (_, "/ge") => ("gemini", "", "ge"),
            (_, "/vx") => ("gemini", "/v1/projects/p/locations/eu", "vx"),
            (_, "/br") => ("bedrock", "", "br"),
            (_, "/ol") => ("openai", "/v1", "ol"),
            _ => ("openai", "/v1", "inj"),
        };
        let own = format!("p-{maker}-{second}");
        if makers.insert(own.clone()) {
            let preset = match maker {
                "openai-chat" | "openai-responses" => "openai",
                "sglang" | "tgi" | "vllm" | "llamacpp" => "vllm",
                other => other,
            };
            let provider = format!(
                "[providers.{own}]\npreset = \"{preset}\"\ndialect = \"{dialect}\"\n\
                 base_url = \"http://{{sim}}{at}\"\napi_key = \"{{key}}\"\ninject_usage = false\n"
            );
            config.push_str(&provider);
            if maker == "anthropic" {
                // One of its samples is of its endpoint for clients of OpenAI's.
                config.push_str("speaks = [\"anthropic-messages\", \"openai-chat\"]\n");
            }
        }
        let model = format!(
            "[models.s-{number}]\nroutes = [{{ provider = \"{own}\", model = \"replay-{number}\" }}, \
             {{ provider = \"{second}\", model = \"sim:n-4\" }}]\n"
        );
        config.push_str(&model);
        names.push(format!("s-{number}"));
    }
    (Rig::configured(&config), names)
}

/// Two routes of a model: the first by words, the second good.
fn pair(policy: &str, first: &str, more: &str) -> Rig {
    Rig::configured(&format!(
        "{more}\n[models.m]\n{policy}\nroutes = [{{ provider = \"oa\", model = \"sim:{first}\" }}, \
         {{ provider = \"inj\", model = \"sim:n-4\" }}]\n"
    ))
}

fn served(rig: &Rig, ask: &Ask) -> (String, usize) {
    let reading = rig.send(ask);
    assert_eq!(reading.status, 200, "{}", reading.text());
    let record = rig.record(ask);
    let provider = &record.attempts.last().unwrap().provider;
    (provider.to_string(), record.attempts.len())
}

#[test]
fn a_breaker_opens_after_five_failures_and_the_next_route_goes_first() {
    let rig = pair("", "fault-http_500", "");
    for tried in [2, 2, 2, 2, 2, 1, 1] {
        let ask = Ask::chat("m", true).to("");
        assert_eq!(served(&rig, &ask), ("inj".to_owned(), tried));
    }
    // A request that names the route gets its own answer, and does not count for another one.
    let pinned = Ask::chat("m", true).to("").header("x-tollgate-route", "oa");
    let reading = rig.send(&pinned);
    assert_eq!(reading.status, 500);
    let record = rig.record(&pinned);
    assert_eq!(record.reason.as_str(), "pinned");
}

#[test]
fn a_limited_route_cools_as_long_as_it_asks_and_is_used_again() {
    let rig = pair("", "n-6:fault-rate_limit:ra-5s", "");
    let limited = Ask::chat("m", false).to("");
    assert_eq!(served(&rig, &limited), ("inj".to_owned(), 2));
    let cooled = Ask::chat("m", false).to("");
    assert_eq!(served(&rig, &cooled), ("inj".to_owned(), 1));
    let record = rig.record(&cooled);
    let why = |record: &tollgate::record::ExchangeRecord| {
        let decision = record.decision.clone().unwrap();
        decision.routes[0]
            .left_out
            .clone()
            .map(|why| why.to_string())
    };
    assert_eq!(why(&record).as_deref(), Some("cooling"));
    let asked_again = || {
        let (provider, tries) = served(&rig, &Ask::chat("m", false).to(""));
        assert_eq!(provider, "inj");
        std::thread::sleep(std::time::Duration::from_millis(100));
        (tries == 2).then_some(())
    };
    until("it is asked again", asked_again);
}

#[test]
fn a_client_that_aborts_opens_no_breaker_and_leaves_no_load() {
    let rig = pair("", "ft-5s:n-6", "");
    for _ in 0..7 {
        let ask = Ask::chat("m", true).to("");
        let mut connection = TcpStream::connect(rig.addr()).unwrap();
        connection.write_all(&ask.bytes()).unwrap();
        std::thread::sleep(std::time::Duration::from_millis(60));
        drop(connection);
        let record = rig.record(&ask);
        assert_eq!(record.outcome, Outcome::ClientGone);
    }
    let standing = &rig.node().shared.settler.standing;
    let (at_work, barred) = standing.with(|board| {
        let route = RouteKey::new("oa", Some("sim:ft-5s:n-6".into()));
        let credential = None;
        (
            board.health.at_work(),
            board
                .health
                .view(&route, credential, Moment(u64::MAX))
                .barred,
        )
    });
    assert_eq!((at_work, barred), (0, None));
}

#[test]
fn errors_of_the_request_open_no_breaker() {
    let rig = pair("", "fault-http_status:code-400", "");
    for _ in 0..12 {
        let ask = Ask::chat("m", false).to("");
        let reading = rig.send(&ask);
        assert_eq!(reading.status, 400);
        assert_eq!(rig.record(&ask).attempts.len(), 1);
    }
    let breaker = rig.node().shared.settler.standing.with(|board| {
        let route = RouteKey::new("oa", Some("sim:fault-http_status:code-400".into()));
        board.health.breaker(&route).unwrap().consecutive()
    });
    assert_eq!(breaker, 0);
}

#[test]
fn a_prompt_that_is_too_long_goes_only_to_a_route_that_takes_more() {
    for (contexts, attempts, status) in [
        ((8_000, 128_000), 2, 200),
        ((128_000, 8_000), 1, 400),
        ((8_000, 8_000), 1, 400),
    ] {
        let rig = Rig::configured(&format!(
            "[models.m]\nroutes = [{{ provider = \"oa\", model = \"sim:fault-context_length\", context = {} }}, \
             {{ provider = \"inj\", model = \"sim:n-4\", context = {} }}]\n",
            contexts.0, contexts.1
        ));
        let ask = Ask::chat("m", true).to("");
        assert_eq!(rig.send(&ask).status, status, "{contexts:?}");
        assert_eq!(rig.record(&ask).attempts.len(), attempts, "{contexts:?}");
    }
}

#[test]
fn what_a_filter_blocked_goes_elsewhere_only_where_the_user_says_so() {
    for (said, status, attempts) in [("false", 400, 1), ("true", 200, 2)] {
        let rig = Rig::configured(&format!(
            "[failover]\ncontent_filter = {said}\n\
             [providers.az]\npreset = \"azure\"\ndialect = \"openai\"\nbase_url = \"http://{{sim}}/v1\"\napi_key = \"{{key}}\"\n\
             [models.m]\nroutes = [{{ provider = \"az\", model = \"filtered\" }}, {{ provider = \"oa\", model = \"sim:n-4\" }}]\n"
        ));
        let sample = samples()
            .into_iter()
            .find(|sample| sample.file == "azure/400_content_filter.http");
        let sample = sample.unwrap();
        let mut script = Script::cut("", &sample.body, &[], Nanos(0));
        script.head = sample.head().into();
        rig.simulator.play("filtered", script);
        let ask = Ask::chat("m", false).to("");
        assert_eq!(rig.send(&ask).status, status, "{said}");
        assert_eq!(rig.record(&ask).attempts.len(), attempts, "{said}");
    }
}

#[test]
fn tries_beyond_the_first_are_bounded_in_number_and_by_the_budget() {
    let rig = Rig::configured(
        "[failover]\nattempts = 2\n[models.m]\nroutes = [\
         { provider = \"oa\", model = \"sim:fault-http_500\" }, { provider = \"oa\", model = \"sim:fault-http_503\" }, \
         { provider = \"oa\", model = \"sim:n-4\" }]\n",
    );
    let ask = Ask::chat("m", false).to("");
    assert_eq!(rig.send(&ask).status, 503);
    assert_eq!(rig.record(&ask).attempts.len(), 2);

    let spent = "[failover]\nbudget = 0\nbudget_min = 1\n";
    let rig = pair("", "fault-http_500", spent);
    for (status, attempts) in [(200, 2), (500, 1), (500, 1)] {
        let ask = Ask::chat("m", false).to("");
        assert_eq!(rig.send(&ask).status, status);
        assert_eq!(rig.record(&ask).attempts.len(), attempts);
    }
}

#[test]
fn another_model_serves_only_when_named_and_the_record_says_so() {
    let rig = Rig::configured(
        "[models.m]\nfallback_models = [\"other\"]\nroutes = [{ provider = \"oa\", model = \"sim:fault-http_500\" }]\n\
         [models.other]\nroutes = [{ provider = \"inj\", model = \"sim:n-4\" }]\n",
    );
    let ask = Ask::chat("m", false).to("");
    assert_eq!(served(&rig, &ask), ("inj".to_owned(), 2));
    let record = rig.record(&ask);
    assert_eq!(record.model.as_deref(), Some("m"));
    let routes = record.decision.unwrap().routes;
    let other: Vec<_> = routes.iter().map(|route| route.other_model).collect();
    assert_eq!(other, [false, true]);
}

#[test]
fn regions_and_costs_are_kept_to_whatever_happens() {
    let rig = Rig::configured(
        "[models.m]\nregions = [\"eu\"]\nroutes = [\
         { provider = \"oa\", model = \"sim:fault-http_500\", region = \"eu\" }, \
         { provider = \"oa\", model = \"sim:n-4\", region = \"us\" }, { provider = \"inj\", model = \"sim:n-4\" }]\n\
         [models.nowhere]\nregions = [\"mars\"]\nroutes = [{ provider = \"oa\", model = \"sim:n-4\" }]\n\
         [models.\"sim:n-5\"]\nregions = [\"us\"]\nroutes = [{ provider = \"oa\", region = \"us\" }]\n\
         [models.other]\nroutes = [{ provider = \"oa\", model = \"sim:fault-http_500\" }]\n\
         fallback_models = [\"inj/sim:n-5\"]\n",
    );
    let ask = Ask::chat("m", false).to("");
    assert_eq!(rig.send(&ask).status, 500, "no failover to elsewhere");
    let other = Ask::chat("other", false).to("");
    assert_eq!(rig.send(&other).status, 500, "nor by a prefix");
    // Where a route of the model is within its limits, every name for it leads there.
    for (model, base) in [("sim:n-5", ""), ("sim:n-5", "/oa"), ("oa/sim:n-5", "")] {
        let reading = rig.send(&Ask::chat(model, false).to(base));
        assert_eq!(reading.status, 200, "{base} {model}: {}", reading.text());
    }
    let left_out: Vec<_> = rig
        .record(&ask)
        .decision
        .unwrap()
        .routes
        .into_iter()
        .map(|route| route.left_out.map(|why| why.to_string()))
        .collect();
    assert_eq!(
        left_out,
        [None, Some("region".to_owned()), Some("region".to_owned())]
    );
    for ask in [
        Ask::chat("nowhere", false).to(""),
        Ask::chat("nowhere", false)
            .to("")
            .header("x-tollgate-route", "inj"),
        Ask::chat("nowhere", false).to("/inj"),
        Ask::chat("inj/nowhere", false).to(""),
        Ask::chat("sim:n-5", false).to("/inj"),
        Ask::chat("m", false)
            .to("")
            .header("x-tollgate-max-cost", "0.01"),
    ] {
        let reading = rig.send(&ask);
        assert_eq!(
            reading.header("x-proxy-error"),
            Some("no_eligible_route"),
            "{}",
            reading.text()
        );
        assert_eq!(reading.status, 400);
    }
}

#[test]
fn a_failure_of_every_route_says_what_was_tried() {
    let rig = Rig::configured(
        "[models.m]\nroutes = [{ provider = \"oa\", model = \"sim:fault-http_500\" }, \
         { provider = \"inj\", model = \"sim:fault-http_529\" }]\n",
    );
    for stream in [false, true] {
        rig.forget();
        let ask = Ask::chat("m", stream).to("");
        let reading = rig.send(&ask);
        assert!(reading.status >= 500, "{}", reading.text());
        // What the last one says has not come yet: its status has.
        assert_eq!(
            reading.header("x-tollgate-tried"),
            Some("oa/sim:fault-http_500 server_error, inj/sim:fault-http_529 529")
        );
    }
    let ask = Ask::chat("sim:n-3", false).to("/oa");
    assert_eq!(rig.send(&ask).header("x-tollgate-tried"), None, "one try");
}

/// Of several keys one stands for the route, and need not be the first.
#[test]
fn why_a_route_with_several_keys_is_left_out_is_told_whichever_stands_for_it() {
    let rig = Rig::configured(
        "[providers.keys]\nbase_url = \"http://{sim}/openai/v1\"\n\
         api_keys = [\"sk-CANARY-PROVIDER\", \"sk-CANARY-OTHER\"]\n\
         [[prices.rows]]\nproviders = [\"keys\", \"oa\"]\nmodels = [\"sim*\"]\ninput = 2\noutput = 8\n\
         [models.m]\nroutes = [{ provider = \"keys\", model = \"sim:n-3\" }, \
         { provider = \"oa\", model = \"sim:n-3\" }]\n",
    );
    for _ in 0..4 {
        // Keys take turns, so that either is the one of fewer uses.
        rig.send(&Ask::chat("m", false).to(""));
        let dear = Ask::chat("m", false)
            .to("")
            .header("x-tollgate-max-cost", "0.00000001");
        let text = rig.send(&dear).text();
        assert!(
            text.contains("(keys/sim:n-3: max_cost; oa/sim:n-3: max_cost)"),
            "{text}"
        );
    }
}

#[test]
fn rules_choose_by_what_the_request_is() {
    let rig = Rig::configured(
        "[models.m]\nroutes = [{ provider = \"oa\", model = \"sim:n-3\" }, { provider = \"inj\", model = \"sim:n-4\" }]\n\
         [[rules]]\ntags = [\"cheap\"]\nroutes = [\"inj\"]\n\
         [[rules]]\nfor_regions = [\"ap-southeast-2\"]\nstream = true\nroutes = [\"inj\", \"oa\"]\n",
    );
    let ask = |stream| Ask::chat("m", stream).to("");
    for (ask, provider, rule) in [
        (ask(true), "oa", None),
        (
            ask(true).header("x-tollgate-region", "ap-southeast-2"),
            "inj",
            Some(1),
        ),
        (
            ask(false).header("x-tollgate-region", "ap-southeast-2"),
            "oa",
            None,
        ),
        // Who names the route has chosen.
        (
            ask(true)
                .header("x-tollgate-region", "ap-southeast-2")
                .header("x-tollgate-route", "oa"),
            "oa",
            None,
        ),
    ] {
        assert_eq!(served(&rig, &ask).0, provider);
        let record = rig.record(&ask);
        assert_eq!(record.decision.and_then(|of| of.rule), rule);
    }
}

#[test]
fn a_policy_may_be_asked_for_and_unknown_ones_are_refused() {
    let rig = pair("policy = \"fastest\"", "n-3", "");
    for (name, value, status) in [
        ("x-tollgate-policy", "ordered", 200),
        ("x-tollgate-policy", "fastest", 200),
        ("x-tollgate-policy", "balanced", 400),
        ("x-tollgate-policy", "best", 400),
        ("x-tollgate-max-cost", "much", 400),
        ("x-tollgate-deadline", "soon", 400),
        ("x-tollgate-route", "inj/", 400),
        ("x-tollgate-route", "/", 400),
        ("x-tollgate-deadline", "20s", 200),
    ] {
        let ask = Ask::chat("m", true).to("").header(name, value);
        let reading = rig.send(&ask);
        assert_eq!(
            reading.status,
            status,
            "{name}: {value}: {}",
            reading.text()
        );
        if status == 200 {
            let reason = reading.header("x-tollgate-reason").unwrap().to_owned();
            assert!(reason.contains("; "), "{reason}");
        }
    }
}

#[test]
fn fastest_finds_the_faster_route_and_stays_with_it() {
    let rig = Rig::configured(
        "[models.m]\npolicy = \"fastest\"\nroutes = [{ provider = \"oa\", model = \"sim:ft-250ms:n-3\" }, \
         { provider = \"inj\", model = \"sim:ft-10ms:n-3\" }]\n",
    );
    let mut fast = 0;
    for _ in 0..30 {
        let ask = Ask::chat("m", true).to("");
        if served(&rig, &ask).0 == "inj" {
            fast += 1;
        }
    }
    println!("{fast} of 30 went to the faster route");
    assert!(fast >= 22, "{fast} of 30");
}

const PRICES: &str =
    "[[prices.rows]]\nproviders = [\"oa\", \"inj\"]\nmodels = [\"*\"]\ninput = 1\noutput = 1\n";

#[test]
fn a_slow_first_token_is_hedged_and_the_loser_is_cancelled_and_kept() {
    let hedge = "hedge = { share = 1, after = \"80ms\", max_cost_per_day = 1 }";
    let overdue = "[timeouts]\nfirst_token = \"250ms\"\n";
    for (first, second, winner, deadline) in [
        ("ft-5s:n-3", "ft-10ms:n-4", "inj", ""),
        ("ft-1s:n-3", "ft-5s:n-4", "oa", ""),
        // The loser has not even sent its headers.
        ("hd-5s:ft-5s:n-3", "ft-10ms:n-4", "inj", ""),
        // The other route is at work already: there is nowhere to go at the deadline.
        ("ft-1200ms:n-3", "ft-5s:n-4", "oa", overdue),
        ("hd-1200ms:ft-1200ms:n-3", "ft-5s:n-4", "oa", overdue),
    ] {
        let rig = Rig::configured(&format!(
            "{deadline}{PRICES}[models.m]\n{hedge}\nroutes = [{{ provider = \"oa\", model = \"sim:{first}\" }}, \
             {{ provider = \"inj\", model = \"sim:{second}\" }}]\n"
        ));
        let ask = Ask::chat("m", true).to("");
        assert_eq!(
            served(&rig, &ask),
            (winner.to_owned(), 2),
            "{first} {second}"
        );
        let record = rig.record(&ask);
        assert_eq!(record.outcome, Outcome::Ok);
        let [lost, won] = record.attempts.as_slice() else {
            panic!("two attempts");
        };
        assert_eq!(lost.cancelled_by, Some(CancelledBy::Hedge));
        assert!(lost.maybe_billed && lost.timeline.get(Mark::Closed).is_some());
        assert_eq!(won.cancelled_by, None);
        let hedge = record.decision.unwrap().hedge;
        assert_eq!(hedge, Some(u32::from(winner == "inj")), "{winner}");
        let standing = &rig.node().shared.settler.standing;
        assert_eq!(standing.with(|board| board.health.at_work()), 0);
    }
}

/// The attempt beside a late one fails, at once or after the deadline: the next route is asked then,
/// and where none is left the slow one is waited for.
#[test]
fn a_hedge_that_fails_leaves_the_deadline_of_the_first_in_force() {
    let hedge = "hedge = { share = 1, after = \"60ms\", max_cost_per_day = 1 }";
    let third = ", { provider = \"an\", model = \"sim:n-4\" }";
    for (first, second, third, served_by, attempts) in [
        ("hd-60s:ft-60s:n-3", "fault-http_500", third, "an", 3),
        ("ft-60s:n-3", "fault-http_500", third, "an", 3),
        (
            "hd-60s:ft-60s:n-3",
            "fault-role_then_silence:for-700ms",
            third,
            "an",
            3,
        ),
        (
            "ft-60s:n-3",
            "fault-role_then_silence:for-700ms",
            third,
            "an",
            3,
        ),
        ("hd-1200ms:ft-1200ms:n-3", "fault-http_500", "", "oa", 2),
        (
            "ft-1200ms:n-3",
            "fault-role_then_silence:for-500ms",
            "",
            "oa",
            2,
        ),
    ] {
        let rig = Rig::configured(&format!(
            "[timeouts]\nfirst_token = \"300ms\"\n{}[models.m]\n{hedge}\n\
             routes = [{{ provider = \"oa\", model = \"sim:{first}\" }}, \
             {{ provider = \"inj\", model = \"sim:{second}\" }}{third}]\n",
            PRICES.replace("\"inj\"", "\"inj\", \"an\"")
        ));
        let ask = Ask::chat("m", true).to("");
        assert_eq!(
            served(&rig, &ask),
            (served_by.to_owned(), attempts),
            "{first} {second}"
        );
        let record = rig.record(&ask);
        assert_eq!(record.outcome, Outcome::Ok, "{first} {second}");
        if attempts == 3 {
            let late = record
                .attempts
                .iter()
                .find(|of| of.provider.as_str() == "oa");
            assert_eq!(late.unwrap().error_class, Some(Class::FirstTokenTimeout));
        }
    }
}

/// Expected are 256 tokens, so long as nothing was seen: two such copies are within the cap.
#[test]
fn what_second_requests_did_cost_counts_and_not_what_was_expected() {
    let rig = Rig::configured(&format!(
        "{PRICES}[models.m]\nroutes = [{{ provider = \"oa\", model = \"sim:n-4\" }}]\n\
         shadow = {{ provider = \"inj\", model = \"sim:n-700\", share = 1, max_cost_per_day = 0.0008 }}\n\
         [models.h]\nhedge = {{ share = 1, after = \"50ms\", max_cost_per_day = 0.0008 }}\n\
         routes = [{{ provider = \"oa\", model = \"sim:ft-2s:n-3\" }}, {{ provider = \"inj\", model = \"sim:n-700\" }}]\n"
    ));
    let standing = &rig.node().shared.settler.standing;
    for (model, copies) in [("m", true), ("h", false)] {
        let spent = || {
            standing.with(|board| {
                let budgets = if copies {
                    &board.shadows
                } else {
                    &board.hedges
                };
                budgets[model].spent().as_dollars()
            })
        };
        let ask = Ask::chat(model, true).to("");
        assert_eq!(rig.send(&ask).status, 200);
        until("the cost is known", || (spent() > 0.0007).then_some(()));
        rig.record(&ask);
        let first = spent();
        assert!(first < 0.0008, "{model}: {first}");
        // Another one of that length would be too much, and its length is known now.
        let ask = Ask::chat(model, true).to("");
        assert_eq!(rig.send(&ask).status, 200);
        let record = rig.record(&ask);
        assert_eq!(record.attempts.len(), 1, "{model}");
        assert!((spent() - first).abs() < 1e-12, "{model}: {}", spent());
        // What clients' answers are like is not told by a copy's.
        let length = standing.with(|board| board.learned.lengths.expected(&"m".into(), None, None));
        assert!((length - 4.0).abs() < 1.0, "{length}");
    }
}

#[test]
fn with_nothing_held_what_fails_at_its_status_still_moves_on() {
    for (first, outcome, attempts) in [
        ("fault-http_500", Outcome::Ok, 2),
        ("fault-reset_before_headers", Outcome::Ok, 2),
        ("fault-stall_headers:for-30s", Outcome::Ok, 2),
        // The role chunk has gone to the client.
        ("n-6:fault-error_first", Outcome::InBandError, 1),
    ] {
        let more = "[failover]\nheld = \"none\"\n[timeouts]\nfirst_token = \"1500ms\"\n";
        let rig = pair("", first, more);
        let ask = Ask::chat("m", true).to("");
        assert_eq!(rig.send(&ask).status, 200, "{first}");
        let record = rig.record(&ask);
        assert_eq!(
            (record.outcome, record.attempts.len()),
            (outcome, attempts),
            "{first}"
        );
        let last = record.attempts.last().unwrap();
        assert_eq!(last.timeline.get(Mark::Held), None, "{first}");
    }
}

#[test]
fn prompts_are_remembered_only_where_a_route_is_chosen() {
    let rig = pair("", "n-3", "");
    for (model, remembered) in [("sim:n-3", 0), ("m", 1)] {
        let ask = Ask::chat(model, false);
        let ask = if model == "m" { ask.to("") } else { ask };
        assert_eq!(rig.send(&ask).status, 200);
        rig.record(&ask);
        let standing = &rig.node().shared.settler.standing;
        assert_eq!(
            standing.with(|board| board.memories.len()),
            remembered,
            "{model}"
        );
    }
}

#[test]
fn a_route_that_loses_its_hedges_is_learned_by_them() {
    let rig = Rig::configured(&format!(
        "{PRICES}[models.m]\npolicy = \"fastest\"\nhedge = {{ share = 1, after = \"50ms\" }}\n\
         routes = [{{ provider = \"oa\", model = \"sim:ft-700ms:n-3\" }}, {{ provider = \"inj\", model = \"sim:ft-10ms:n-4\" }}]\n"
    ));
    let attempts: Vec<usize> = (0..12)
        .map(|_| served(&rig, &Ask::chat("m", true).to("")).1)
        .collect();
    let slow = RouteKey::new("oa", Some("sim:ft-700ms:n-3".into()));
    let standing = &rig.node().shared.settler.standing;
    let found = standing.with(|board| {
        let now = rig.node().shared.clock.now();
        board.learned.expect(&slow, now)
    });
    assert!(found.samples > 0, "{found:?}");
    // Every request was paid twice before; to explore now and then still is.
    let twice = attempts[4..].iter().filter(|count| **count == 2).count();
    assert!(twice <= 4, "{attempts:?}");
}

#[test]
fn a_slow_route_is_no_reason_to_ask_another_model() {
    let rig = Rig::configured(&format!(
        "{PRICES}[models.m]\nhedge = {{ share = 1, after = \"50ms\" }}\nfallback_models = [\"inj/sim:n-4\"]\n\
         routes = [{{ provider = \"oa\", model = \"sim:ft-300ms:n-3\" }}]\n"
    ));
    let ask = Ask::chat("m", true).to("");
    assert_eq!(served(&rig, &ask), ("oa".to_owned(), 1));
}

#[test]
fn prompts_that_begin_alike_stay_where_that_is_cached() {
    let rig = Rig::configured(
        "[models.m]\npolicy = \"sticky\"\nanchor = \"prefix\"\nthen = \"weighted\"\n\
         routes = [{ provider = \"oa\", model = \"sim:n-3\" }, { provider = \"inj\", model = \"sim:n-3\" }]\n",
    );
    let route = |system: &str, question: &str| {
        let messages = json!([
            {"role": "system", "content": system}, {"role": "user", "content": question},
        ]);
        let ask = Ask::chat("m", false)
            .with(&json!({ "messages": messages }))
            .to("");
        assert_eq!(rig.send(&ask).status, 200);
        let record = rig.record(&ask);
        (record.attempts[0].provider.clone(), record.reason)
    };
    // An application's instructions, or what all questions begin with, and another question each.
    let long = "Answer as a lawyer would. ".repeat(200);
    for (system, common) in [(long.as_str(), ""), ("Be brief.", long.as_str())] {
        let (first, _) = route(system, &format!("{common} 0?"));
        for n in 1..12 {
            let (provider, reason) = route(system, &format!("{common} {n}?"));
            assert_eq!(
                (provider, &*reason),
                (first.clone(), "cache_holds_prompt"),
                "{n}"
            );
        }
    }
    // Of short prompts no provider keeps a beginning.
    let reasons: Vec<_> = (0..4)
        .map(|n| route("Be brief.", &format!("{n}?")).1)
        .collect();
    assert!(
        reasons.iter().all(|reason| &**reason == "drawn_by_weight"),
        "{reasons:?}"
    );
}

#[test]
fn hedges_keep_to_their_share_and_are_not_made_blindly() {
    for (more, hedge) in [
        // Two in a hundred: the first may not have one.
        (PRICES, "hedge = { after = \"50ms\" }"),
        // What a hedge would cost is not known.
        ("", "hedge = { share = 1, after = \"50ms\" }"),
        // It would cost more than a day may.
        (
            PRICES,
            "hedge = { share = 1, after = \"50ms\", max_cost_per_day = 0 }",
        ),
        // Nothing is known of how slow the route usually is.
        (PRICES, "hedge = { share = 1 }"),
    ] {
        let rig = pair(hedge, "ft-250ms:n-3", more);
        let ask = Ask::chat("m", true).to("");
        assert_eq!(served(&rig, &ask), ("oa".to_owned(), 1), "{hedge}");
    }
}

#[test]
fn a_hedge_that_fails_leaves_the_slow_one_alone_and_the_other_way_round() {
    let hedge = "hedge = { share = 1, after = \"60ms\", max_cost_per_day = 1 }";
    for (first, second, winner, class) in [
        ("ft-1200ms:n-3", "fault-http_500", "oa", Class::ServerError),
        (
            "fault-role_then_silence:for-300ms",
            "ft-1500ms:n-4",
            "inj",
            Class::Truncated,
        ),
    ] {
        let rig = Rig::configured(&format!(
            "{PRICES}[models.m]\n{hedge}\nroutes = [{{ provider = \"oa\", model = \"sim:{first}\" }}, \
             {{ provider = \"inj\", model = \"sim:{second}\" }}]\n"
        ));
        let ask = Ask::chat("m", true).to("");
        assert_eq!(
            served(&rig, &ask),
            (winner.to_owned(), 2),
            "{first} {second}"
        );
        let record = rig.record(&ask);
        let [lost, won] = &record.attempts[..] else {
            panic!("{first} {second}: {} attempts", record.attempts.len())
        };
        assert_eq!(lost.error_class, Some(class));
        // It is over when it is over, and not when the other one is.
        let (over, token) = (
            lost.timeline.get(Mark::Closed),
            won.timeline.get(Mark::FirstToken),
        );
        assert!(over < token, "{first} {second}: {over:?} {token:?}");
    }
}

#[test]
fn a_shadow_gets_a_copy_and_nobody_sees_its_answer() {
    let rig = Rig::configured(&format!(
        "{PRICES}[models.m]\nroutes = [{{ provider = \"oa\", model = \"sim:n-4\" }}]\n\
         shadow = {{ provider = \"inj\", model = \"sim:ft-50ms:n-9\", share = 1, max_cost_per_day = 1 }}\n\
         [models.poor]\nroutes = [{{ provider = \"oa\", model = \"sim:n-4\" }}]\n\
         shadow = {{ provider = \"inj\", model = \"sim:n-9\", share = 1, max_cost_per_day = 0 }}\n\
         [models.bound]\nregions = [\"eu\"]\nroutes = [{{ provider = \"oa\", model = \"sim:n-4\", region = \"eu\" }}]\n\
         shadow = {{ provider = \"inj\", model = \"sim:n-9\", share = 1, max_cost_per_day = 1 }}\n\
         [models.limited]\nroutes = [{{ provider = \"oa\", model = \"sim:n-4\" }}]\n\
         shadow = {{ provider = \"inj\", model = \"sim:fault-rate_limit:ra-60s\", share = 1, max_cost_per_day = 1 }}\n"
    ));
    let of = |ask: &Ask| {
        let tag = &ask.tag;
        let mine = |record: &tollgate::record::ExchangeRecord| {
            record.tags.iter().any(|own| own.as_str() == tag.as_str())
        };
        let all = rig.records.all();
        all.into_iter()
            .filter(|record| mine(record))
            .collect::<Vec<_>>()
    };
    for stream in [true, false] {
        let ask = Ask::chat("m", stream).to("");
        let reading = rig.send(&ask);
        assert_eq!(reading.header("x-tollgate-route"), Some("oa/sim:n-4"));
        let records = until("both records", || Some(of(&ask)).filter(|of| of.len() == 2));
        let shadows = records
            .iter()
            .filter(|record| record.origin == Origin::Shadow);
        let shadow = shadows.clone().next().unwrap();
        assert_eq!(shadows.count(), 1);
        assert_eq!(shadow.outcome, Outcome::Ok);
        assert_eq!(shadow.attempts.len(), 1);
        assert_eq!(shadow.attempts[0].provider.as_str(), "inj");
        assert_eq!(shadow.tokens.usage.output, Some(9));
        assert_ne!(records[0].id, records[1].id);
    }
    // One that asks to be left alone gets no second copy.
    for copies in [1, 0] {
        let ask = Ask::chat("limited", true).to("");
        assert_eq!(rig.send(&ask).status, 200);
        rig.record(&ask);
        until("the copy", || (of(&ask).len() > copies).then_some(()));
        std::thread::sleep(std::time::Duration::from_millis(300));
        assert_eq!(of(&ask).len(), 1 + copies);
    }
    // Tools may act, a day's money may be spent, and the data may have to stay where it is.
    let tool = json!([{"type": "function", "function": {"name": "f", "parameters": {}}}]);
    for ask in [
        Ask::chat("m", true).with(&json!({ "tools": tool })).to(""),
        Ask::chat("poor", true).to(""),
        Ask::chat("bound", true).to(""),
    ] {
        assert_eq!(rig.send(&ask).status, 200);
        rig.record(&ask);
        std::thread::sleep(std::time::Duration::from_millis(100));
        assert_eq!(of(&ask).len(), 1);
    }
}
