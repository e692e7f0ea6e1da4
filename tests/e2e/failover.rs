//! A provider that fails before its first token costs the client nothing that it could see.

use tollgate::record::{CancelledBy, ErrorClass as Class, Mark, Nanos, Outcome};
use tollgate::simulator::Script;

use crate::support::samples::{Sample, samples};
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

/// Answers in which nothing is wrong, however they look at the beginning.
const GOOD: &[(&str, bool)] = &[
    ("n-6:gap-2ms", true),
    ("n-6", false),
    ("n-6:hd-300ms:ft-1200ms:gap-5ms", false),
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
    Rig::configured(&format!("[timeouts]\nfirst_token = \"700ms\"\n{models}"))
}

#[test]
fn what_fails_before_its_first_token_is_followed_by_the_next_route() {
    let rig = rig();
    for (fault, stream, class) in MOVED {
        let name = format!("{fault}, stream {stream}");
        let ask = Ask::chat(&format!("m-n-6:fault-{fault}"), *stream).to("");
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
        if *stream && timeline.get(Mark::FirstToken).is_some() {
            assert!(held >= timeline.get(Mark::FirstToken), "{name}");
            let written = timeline.get(Mark::ClientFirstToken);
            assert!(written >= held, "{name}");
            assert!(timeline.get(Mark::Headers) <= held, "{name}");
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
            let stream = sample.is_stream();
            let ask = Ask::chat(&models[number], stream).on("", sample.path);
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
    let mut makers = std::collections::BTreeSet::new();
    let mut names = Vec::new();
    for (number, sample) in samples.iter().enumerate() {
        let maker = sample.file.split('/').next().unwrap();
        let (dialect, at, second) = match maker {
            "anthropic" => ("anthropic", "/an", "an2"),
            _ => ("openai", "/v1", "inj"),
        };
        if makers.insert(maker) {
            let preset = match maker {
                "openai-chat" | "openai-responses" => "openai",
                "sglang" | "tgi" | "vllm" | "llamacpp" | "ollama" => "vllm",
                other => other,
            };
            let provider = format!(
                "[providers.p-{maker}]\npreset = \"{preset}\"\ndialect = \"{dialect}\"\n\
                 base_url = \"http://{{sim}}{at}\"\napi_key = \"{{key}}\"\ninject_usage = false\n"
            );
            config.push_str(&provider);
        }
        let model = format!(
            "[models.s-{number}]\nroutes = [{{ provider = \"p-{maker}\", model = \"replay-{number}\" }}, \
             {{ provider = \"{second}\", model = \"sim:n-4\" }}]\n"
        );
        config.push_str(&model);
        names.push(format!("s-{number}"));
    }
    (Rig::configured(&config), names)
}
