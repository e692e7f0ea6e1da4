//! Tests what exchanges cost, on records made by hand.

use std::path::PathBuf;

use super::*;
use crate::config::{Sources, load};
use crate::record::{
    ExchangeId, KeyedHash, Moment, Origin, Outcome, OwnDelay, Protocol, RequestFacts, Tokens,
};
use crate::routing::pricing::instant;

fn settings(text: &str) -> Settings {
    let sources = Sources {
        text: Some(text),
        file: "t.toml",
        env: &|_| None,
        read_file: &|_| Err(std::io::ErrorKind::NotFound.into()),
        read_text: &|_| Err(std::io::ErrorKind::NotFound.into()),
        data_dir: PathBuf::from("/data"),
        cores: 1,
    };
    load(&sources).unwrap().settings
}

const CONFIG: &str = "[providers.openai]\n[providers.cheap]\npreset = \"openai\"\ndiscount = 0.1\n\
    [providers.groq]\n[providers.vllm]\nper_hour = 2.5\n";

fn attempt(provider: &str, model: &str, status: u16) -> AttemptRecord {
    AttemptRecord {
        provider: provider.into(),
        model: Some(model.into()),
        status: Some(status),
        ..AttemptRecord::default()
    }
}

fn usage(input: u64, output: u64) -> Usage {
    Usage {
        input: Some(input),
        output: Some(output),
        ..Usage::default()
    }
}

pub(in crate::proxy) fn record(
    attempts: Vec<AttemptRecord>,
    used: Option<Usage>,
) -> ExchangeRecord {
    let started = instant("2026-11-22T12:00Z").unwrap();
    ExchangeRecord {
        id: ExchangeId::new(started, 1),
        trace: None,
        started,
        started_at: Moment(1),
        origin: Origin::Live,
        config: KeyedHash(1),
        endpoint: "/v1/chat/completions".into(),
        language: Language::OpenAiChat,
        model: None,
        tags: Vec::new(),
        client_key: None,
        session: None,
        client_retries: None,
        client_protocol: Protocol::Http1,
        request: RequestFacts::default(),
        policy: "ordered".into(),
        reason: "model".into(),
        attempts,
        outcome: Outcome::Ok,
        status: Some(200),
        response_bytes: 0,
        tokens: Tokens {
            usage: used.unwrap_or_default(),
            source: used.map(|_| TokenSource::Usage),
        },
        cost: None,
        no_cost: None,
        prices: None,
        experiment: None,
        decision: None,
        active: None,
        cost_billed: None,
        own: OwnDelay::default(),
        cached_answer: false,
        closed_at: Moment(2),
    }
}

#[test]
fn exchanges_cost_what_their_attempts_reported() {
    let settings = settings(CONFIG);
    let lost = |used| AttemptRecord {
        lost_usage: used,
        ..attempt("openai", "gpt-4.1", 200)
    };
    let tier = |name: &str| AttemptRecord {
        service_tier: Some(name.into()),
        ..attempt("openai", "gpt-4.1", 200)
    };
    let gone = AttemptRecord {
        maybe_billed: true,
        ..attempt("openai", "gpt-4.1", 200)
    };
    let renamed = AttemptRecord {
        model_answered: Some("gpt-4.1-2025-04-14".into()),
        ..attempt("openai", "best", 200)
    };
    let ok = || attempt("openai", "gpt-4.1", 200);
    let used = Some(usage(1_000, 100));
    let own = 1_000 * 2_000_000 + 100 * 8_000_000;
    for (what, attempts, used, expected) in [
        ("one", vec![ok()], used, Ok(own)),
        (
            "a discount",
            vec![attempt("cheap", "gpt-4.1", 200)],
            used,
            Ok(own / 10 * 9),
        ),
        (
            "a lost one that reported",
            vec![lost(used), ok()],
            used,
            Ok(2 * own),
        ),
        ("the only one, lost", vec![lost(used)], None, Ok(own)),
        (
            "two, both lost",
            vec![lost(used), lost(used)],
            None,
            Ok(2 * own),
        ),
        (
            "the last one lost, without a word",
            vec![lost(used), gone.clone()],
            None,
            Err(NoCost::UsageUnknown),
        ),
        (
            "a lost one that did not",
            vec![lost(None), ok()],
            used,
            Ok(own),
        ),
        (
            "a lost one without a price",
            vec![
                AttemptRecord {
                    lost_usage: used,
                    ..attempt("openai", "best", 200)
                },
                ok(),
            ],
            used,
            Err(NoCost::NoPrice),
        ),
        ("refused", vec![attempt("openai", "best", 429)], None, Ok(0)),
        (
            "a failure that reported",
            vec![attempt("openai", "gpt-4.1", 500)],
            used,
            Ok(own),
        ),
        (
            "gone in the middle",
            vec![gone],
            None,
            Err(NoCost::UsageUnknown),
        ),
        ("no usage", vec![ok()], None, Err(NoCost::UsageUnknown)),
        (
            "no price",
            vec![attempt("openai", "best", 200)],
            used,
            Err(NoCost::NoPrice),
        ),
        ("the answer names the model", vec![renamed], used, Ok(own)),
        (
            "by the hour",
            vec![attempt("vllm", "m", 200)],
            used,
            Err(NoCost::PerHour),
        ),
        ("the usual tier", vec![tier("default")], used, Ok(own)),
        ("a batch", vec![tier("batch")], used, Ok(own / 2)),
        (
            "a tier without a price",
            vec![tier("priority")],
            used,
            Err(NoCost::NoTierPrice),
        ),
        (
            "a tier that nobody knows",
            vec![tier("gold")],
            used,
            Err(NoCost::NoTierPrice),
        ),
        ("nobody was asked", vec![], None, Err(NoCost::NotAsked)),
    ] {
        let mut record = record(attempts, used);
        price(&mut record, &settings);
        let found = record
            .cost
            .map(|cost| cost.0)
            .ok_or_else(|| record.no_cost.unwrap());
        assert_eq!(found, expected, "{what}");
        assert_eq!(record.no_cost.is_some(), record.cost.is_none(), "{what}");
        assert_eq!(
            record.prices.is_some(),
            !record.attempts.is_empty(),
            "{what}"
        );
    }
}

#[test]
fn lost_attempts_keep_their_part() {
    let settings = settings(CONFIG);
    let lost = AttemptRecord {
        lost_usage: Some(usage(10, 0)),
        ..attempt("groq", "llama-3.1-8b-instant", 200)
    };
    let last = attempt("openai", "gpt-4.1", 200);
    let mut record = record(vec![lost, last], Some(usage(10, 0)));
    price(&mut record, &settings);
    assert_eq!(record.attempts[0].lost_cost, Some(PicoDollars(500_000)));
    assert_eq!(record.cost, Some(PicoDollars(20_500_000)));
    // Where nothing followed it, what it cost is all.
    record.attempts.truncate(1);
    record.tokens = Tokens::default();
    price(&mut record, &settings);
    assert_eq!(record.cost, Some(PicoDollars(500_000)));
    assert_eq!(record.attempts[0].lost_cost, record.cost);
}

#[test]
fn what_runs_no_model_or_comes_from_a_cache_has_no_cost() {
    let settings = settings(CONFIG);
    for (language, cached, expected) in [
        (Language::Models, false, NoCost::NoModelCall),
        (Language::Plain, false, NoCost::NoModelCall),
        (Language::AnthropicCountTokens, false, NoCost::NoModelCall),
        (Language::OpenAiChat, true, NoCost::CachedAnswer),
    ] {
        let mut record = ExchangeRecord {
            language,
            cached_answer: cached,
            ..record(vec![attempt("openai", "gpt-4.1", 200)], Some(usage(1, 1)))
        };
        price(&mut record, &settings);
        assert_eq!((record.cost, record.no_cost), (None, Some(expected)));
    }
}
