//! Tests the shipped price table: that it is whole, sourced, and says what the issue asks of it.

use super::*;
use crate::record::{NoCost, Usage, WallTime};
use crate::routing::pricing::{Asked, Call, Tier, cost, instant};

fn found(provider: &str, model: &str, at: &str) -> Result<PriceRow, NoCost> {
    let asked = Asked {
        provider,
        preset: None,
        model,
        at: instant(at).unwrap(),
        tier: Tier::Standard,
    };
    shipped().find(&asked).cloned()
}

const NOW: &str = "2026-11-22";

#[test]
fn the_shipped_table_has_no_problem() {
    let table = read(PRICES, "config/prices.toml").unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(&**table.version(), NOW);
    assert!(table.rows().len() >= 90, "{}", table.rows().len());
}

#[test]
fn every_number_says_where_and_when_it_was_read() {
    let now = instant(NOW).unwrap().plus_secs(86_400);
    let read = |at: Option<WallTime>| at.is_some_and(|at| at < now);
    for row in shipped().rows() {
        if row.unknown.is_none() {
            let linked = row.source.contains("https://");
            assert!(linked && read(row.read), "{}", row.key());
            assert!(row.prices.input.is_some(), "{}", row.key());
        }
        assert!(row.as_of.is_none_or(|at| at < now), "{}", row.key());
    }
}

#[test]
fn every_provider_of_a_row_is_a_preset() {
    let presets = crate::config::presets::presets();
    for row in shipped().rows() {
        for provider in &row.providers {
            let known = presets.iter().any(|preset| preset.name == *provider);
            assert!(known, "{provider}");
        }
    }
}

#[test]
fn the_models_of_the_four_systems_have_their_prices() {
    for (provider, model, expected) in [
        ("openai", "gpt-4o", Ok(("2.50", "10"))),
        ("openai", "gpt-4.1", Ok(("2", "8"))),
        ("openai", "gpt-4.1-mini-2025-04-14", Ok(("0.40", "1.60"))),
        ("openai", "gpt-4.1-nano", Ok(("0.10", "0.40"))),
        ("openai", "gpt-4-turbo", Ok(("10", "30"))),
        ("openai", "gpt-4", Ok(("30", "60"))),
        ("anthropic", "claude-3-opus-20240229", Ok(("15", "75"))),
        ("anthropic", "claude-3-sonnet-20240229", Ok(("3", "15"))),
        ("anthropic", "claude-3-haiku-20240307", Ok(("0.25", "1.25"))),
        ("anthropic", "claude-sonnet-4-20250514", Ok(("3", "15"))),
        ("anthropic", "claude-sonnet-4-6", Ok(("3", "15"))),
        ("anthropic", "claude-haiku-4-5", Ok(("1", "5"))),
        ("gemini", "gemini-pro", Err(NoCost::PriceUnknown)),
        ("gemini", "models/gemini-2.0-flash", Ok(("0.10", "0.40"))),
        ("vertex", "google/gemini-2.5-pro", Ok(("1.25", "10"))),
        ("gemini", "gemini-2.5-flash", Ok(("0.30", "2.50"))),
        ("vertex", "chat-bison@002", Err(NoCost::PriceUnknown)),
        (
            "together",
            "meta-llama/Llama-2-70b-chat-hf",
            Ok(("0.90", "0.90")),
        ),
        ("groq", "llama2-70b-4096", Ok(("0.70", "0.80"))),
        ("groq", "llama3-8b-8192", Ok(("0.05", "0.08"))),
        (
            "bedrock",
            "meta.llama3-70b-instruct-v1:0",
            Ok(("2.65", "3.50")),
        ),
        (
            "together",
            "meta-llama/Meta-Llama-3.1-8B-Instruct-Turbo",
            Ok(("0.18", "0.18")),
        ),
        (
            "together",
            "meta-llama/Meta-Llama-3.1-70B-Instruct-Turbo",
            Ok(("0.88", "0.88")),
        ),
        (
            "together",
            "meta-llama/Meta-Llama-3.1-405B-Instruct-Turbo",
            Ok(("3.50", "3.50")),
        ),
        (
            "fireworks",
            "accounts/fireworks/models/llama-v3p1-8b-instruct",
            Ok(("0.20", "0.20")),
        ),
        (
            "fireworks",
            "accounts/fireworks/models/llama-v3p1-405b-instruct",
            Ok(("3", "3")),
        ),
        ("groq", "llama-3.1-8b-instant", Ok(("0.05", "0.08"))),
        (
            "bedrock",
            "us.meta.llama3-1-8b-instruct-v1:0",
            Ok(("0.22", "0.22")),
        ),
        (
            "bedrock",
            "meta.llama3-1-405b-instruct-v1:0",
            Err(NoCost::PriceUnknown),
        ),
        ("cerebras", "gpt-oss-120b", Ok(("0.35", "0.75"))),
        (
            "huggingface",
            "openai/gpt-oss-120b:cerebras",
            Ok(("0.35", "0.75")),
        ),
        (
            "huggingface",
            "openai/gpt-oss-120b",
            Err(NoCost::PriceUnknown),
        ),
        ("groq", "openai/gpt-oss-120b", Ok(("0.15", "0.60"))),
        ("mistral", "mistral-small-latest", Ok(("0.15", "0.60"))),
        (
            "openrouter",
            "mistralai/mistral-small-3.2-24b-instruct",
            Ok(("0.10", "0.30")),
        ),
        ("openrouter", "openai/gpt-4.1", Err(NoCost::PriceUnknown)),
        ("opper", "openai/gpt-4.1", Err(NoCost::PriceUnknown)),
        ("lepton", "llama3-1-8b", Err(NoCost::PriceUnknown)),
        (
            "vllm",
            "meta-llama/Llama-3.1-8B-Instruct",
            Err(NoCost::PriceUnknown),
        ),
        (
            "bedrock",
            "us.anthropic.claude-sonnet-4-6-v1:0",
            Ok(("3.30", "16.50")),
        ),
        (
            "bedrock",
            "global.anthropic.claude-sonnet-4-6-v1:0",
            Ok(("3", "15")),
        ),
        (
            "bedrock",
            "eu.anthropic.claude-haiku-4-5-20251001-v1:0",
            Ok(("1.10", "5.50")),
        ),
        (
            "bedrock",
            "jp.anthropic.claude-haiku-4-5-20251001-v1:0",
            Ok(("1.10", "5.50")),
        ),
        ("openai", "gpt-5", Err(NoCost::NoPrice)),
    ] {
        let row = found(provider, model, NOW).map(|row| {
            let show = |rate: Option<crate::routing::pricing::Rate>| rate.unwrap().to_string();
            (show(row.prices.input), show(row.prices.output))
        });
        let expected = expected.map(|(input, output)| (input.to_owned(), output.to_owned()));
        assert_eq!(row, expected, "{provider} {model}");
    }
}

#[test]
fn prices_follow_dates_and_hours() {
    let usage = |input| Usage {
        input: Some(input),
        output: Some(0),
        ..Usage::default()
    };
    for (provider, model, at, input, expected) in [
        (
            "anthropic",
            "claude-sonnet-4-6",
            "2026-03-12T23:59Z",
            300_000,
            1_800_000_000_000,
        ),
        (
            "anthropic",
            "claude-sonnet-4-6",
            "2026-03-13",
            300_000,
            900_000_000_000,
        ),
        ("gemini", "gemini-2.5-pro", NOW, 200_000, 250_000_000_000),
        ("gemini", "gemini-2.5-pro", NOW, 200_001, 500_002_500_000),
        (
            "deepseek",
            "deepseek-chat",
            "2025-07-01T16:30Z",
            1_000_000,
            135_000_000_000,
        ),
        (
            "deepseek",
            "deepseek-chat",
            "2025-09-05T16:30Z",
            1_000_000,
            560_000_000_000,
        ),
        // A Friday, and the Saturday after it.
        (
            "deepseek",
            "deepseek-flash",
            "2026-11-20T02:00Z",
            1_000_000,
            300_000_000_000,
        ),
        (
            "deepseek",
            "deepseek-flash",
            "2026-11-20T05:00Z",
            1_000_000,
            150_000_000_000,
        ),
        (
            "deepseek",
            "deepseek-flash",
            "2026-11-21T02:00Z",
            1_000_000,
            150_000_000_000,
        ),
    ] {
        let row = found(provider, model, at).unwrap();
        let call = Call {
            usage: &usage(input),
            generates: true,
            at: instant(at).unwrap(),
            tier: Tier::Standard,
            discount: None,
        };
        let found = cost(&row, &call).map(|cost| cost.0);
        assert_eq!(found, Ok(expected), "{provider} {model} {at} {input}");
    }
    let early = found("deepseek", "deepseek-flash", "2026-09-09");
    assert_eq!(early, Err(NoCost::NoPriceThen));
}

#[test]
fn a_bad_table_is_refused_with_every_problem() {
    let text = "version = \"x\"\n[[price]]\nproviders = [\"a\"]\nmodels = [\"m\"]\ninput = -1\n\
                [[price]]\nproviders = [\"a\"]\ninput = 1\n";
    let problems = read(text, "p.toml").unwrap_err();
    let paths: Vec<_> = problems
        .list
        .iter()
        .map(|problem| (problem.key_path.as_str(), problem.line))
        .collect();
    assert_eq!(
        paths,
        [("price[0].input", Some(5)), ("price[1].models", Some(6)),]
    );
    assert_eq!(read("[[price", "p.toml").unwrap_err().list.len(), 1);
}
