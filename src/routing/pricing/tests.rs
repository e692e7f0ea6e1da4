//! Tests prices on tables made by hand.

use super::*;
use crate::record::{NoCost, PicoDollars, Usage};

const NOW: &str = "2026-11-20T12:00Z";

fn rate(text: &str) -> Option<Rate> {
    let rate = Rate::per_million(text);
    assert!(rate.is_some(), "{text}");
    rate
}

fn row(provider: &str, model: &str, input: &str, output: &str) -> PriceRow {
    PriceRow {
        providers: vec![provider.into()],
        models: vec![model.into()],
        prices: Prices {
            input: rate(input),
            output: rate(output),
            ..Prices::default()
        },
        ..PriceRow::default()
    }
}

/// Claude Sonnet 4.6 as it was with a price for long prompts.
fn sonnet() -> PriceRow {
    let mut row = row("anthropic", "claude-sonnet-4-6", "3", "15");
    row.prices.cached_read = rate("0.30");
    row.prices.cache_write = rate("3.75");
    row.prices.cache_write_1h = rate("6");
    row.long = Some(LongContext {
        over: 200_000,
        prices: Prices {
            input: rate("6"),
            output: rate("22.50"),
            cached_read: rate("0.60"),
            ..Prices::default()
        },
    });
    row
}

fn usage(input: u64, cached_read: u64, cache_write: u64, output: u64) -> Usage {
    Usage {
        input: Some(input),
        cached_read: Some(cached_read),
        cache_write: Some(cache_write),
        output: Some(output),
        ..Usage::default()
    }
}

fn price(row: &PriceRow, usage: &Usage, at: &str, tier: Tier) -> Result<u64, NoCost> {
    let call = Call {
        usage,
        generates: true,
        at: instant(at).unwrap(),
        tier,
        discount: None,
    };
    cost(row, &call).map(|cost| cost.0)
}

#[test]
fn tokens_are_priced_by_their_kind() {
    let plain = row("together", "m", "0.18", "0.18");
    let mut thinks = row("x", "m", "1", "2");
    thinks.prices.reasoning = rate("4");
    let mut hears = row("x", "m", "1", "2");
    hears.prices.audio_input = rate("10");
    let mut speaks = hears.clone();
    speaks.prices.audio_output = rate("20");
    let mut minutes_only = sonnet();
    minutes_only.prices.cache_write_1h = None;
    let mut per_request = row("x", "m", "1", "2");
    per_request.prices.per_request = dollars("0.005");
    let with = |reasoning, audio| Usage {
        reasoning,
        audio,
        ..usage(1_000, 0, 0, 100)
    };
    for (what, row, usage, expected) in [
        ("plain", &plain, usage(1_000, 0, 0, 100), Ok(198_000_000)),
        (
            "cached and written ones lie inside the input",
            &sonnet(),
            usage(10_000, 6_000, 1_000, 100),
            Ok(3_000 * 3_000_000 + 6_000 * 300_000 + 1_000 * 3_750_000 + 100 * 15_000_000),
        ),
        (
            "what is kept for an hour has its own price",
            &sonnet(),
            Usage {
                cache_write_1h: Some(400),
                ..usage(10_000, 6_000, 1_000, 100)
            },
            Ok(3_000 * 3_000_000
                + 6_000 * 300_000
                + 600 * 3_750_000
                + 400 * 6_000_000
                + 100 * 15_000_000),
        ),
        (
            "kept for an hour, and no price for that",
            &minutes_only,
            Usage {
                cache_write_1h: Some(1),
                ..usage(10_000, 6_000, 1_000, 100)
            },
            Err(NoCost::NoPartPrice),
        ),
        (
            "more kept for an hour than was written",
            &sonnet(),
            Usage {
                cache_write_1h: Some(1_001),
                ..usage(10_000, 6_000, 1_000, 100)
            },
            Err(NoCost::UsageContradicts),
        ),
        (
            "a threshold is crossed above it, not at it",
            &sonnet(),
            usage(200_000, 0, 0, 0),
            Ok(200_000 * 3_000_000),
        ),
        (
            "beyond it every token costs more; what has no price of its own keeps its own",
            &sonnet(),
            usage(200_001, 100_000, 1, 10),
            Ok(100_000 * 6_000_000 + 100_000 * 600_000 + 3_750_000 + 10 * 22_500_000),
        ),
        (
            "cached tokens without a price",
            &plain,
            usage(1_000, 1, 0, 100),
            Err(NoCost::NoPartPrice),
        ),
        (
            "written tokens without a price",
            &plain,
            usage(1_000, 0, 1, 100),
            Err(NoCost::NoPartPrice),
        ),
        (
            "more cached than there are",
            &sonnet(),
            usage(1_000, 800, 300, 1),
            Err(NoCost::UsageContradicts),
        ),
        (
            "reasoning is output",
            &plain,
            with(Some(60), None),
            Ok(198_000_000),
        ),
        (
            "unless it has a price",
            &thinks,
            with(Some(60), None),
            Ok(1_000_000_000 + 60 * 4_000_000 + 40 * 2_000_000),
        ),
        (
            "more reasoning than output",
            &thinks,
            with(Some(101), None),
            Err(NoCost::UsageContradicts),
        ),
        (
            "audio in the prompt",
            &hears,
            with(None, Some(200)),
            Ok(800_000_000 + 200 * 10_000_000 + 200_000_000),
        ),
        (
            "audio both ways is one count",
            &speaks,
            with(None, Some(200)),
            Err(NoCost::AudioMixed),
        ),
        (
            "audio without a price",
            &plain,
            with(None, Some(1)),
            Err(NoCost::NoPartPrice),
        ),
        (
            "a request's own price",
            &per_request,
            usage(0, 0, 0, 0),
            Ok(5_000_000_000),
        ),
        (
            "nothing known",
            &plain,
            Usage::default(),
            Err(NoCost::UsageUnknown),
        ),
        (
            "half known",
            &plain,
            Usage {
                output: Some(7),
                ..Usage::default()
            },
            Err(NoCost::UsageUnknown),
        ),
        (
            "counts beyond belief",
            &plain,
            usage(u64::MAX, 0, 0, u64::MAX),
            Err(NoCost::UsageContradicts),
        ),
    ] {
        assert_eq!(price(row, &usage, NOW, Tier::Standard), expected, "{what}");
    }
}

#[test]
fn an_embedding_has_no_output() {
    let row = row("openai", "e", "0.02", "0");
    let seen = Usage {
        input: Some(1_000),
        ..Usage::default()
    };
    let call = |generates| Call {
        usage: &seen,
        generates,
        at: instant(NOW).unwrap(),
        tier: Tier::Standard,
        discount: None,
    };
    assert_eq!(cost(&row, &call(true)), Err(NoCost::UsageUnknown));
    assert_eq!(cost(&row, &call(false)), Ok(PicoDollars(20_000_000)));
}

#[test]
fn shares_are_rounded_once() {
    let mut row = row("x", "m", "0.000003", "0");
    row.batch = Share::read("0.5");
    let one = usage(1, 0, 0, 0);
    assert_eq!(price(&row, &one, NOW, Tier::Standard), Ok(3));
    assert_eq!(price(&row, &one, NOW, Tier::Batch), Ok(2));
    assert_eq!(price(&row, &one, NOW, Tier::Flex), Ok(3));
    row.batch = None;
    assert_eq!(
        price(&row, &one, NOW, Tier::Batch),
        Err(NoCost::NoTierPrice)
    );
    let call = Call {
        usage: &usage(1_000_000, 0, 0, 0),
        generates: true,
        at: instant(NOW).unwrap(),
        tier: Tier::Standard,
        discount: Share::read("0.1"),
    };
    assert_eq!(cost(&row, &call), Ok(PicoDollars(2_700_000)));
}

#[test]
fn the_time_of_day_may_change_the_price() {
    let mut row = row("deepseek", "deepseek-chat", "0.27", "1.10");
    row.windows = vec![Window {
        span: Span::between("16:30", "00:30", Days::ALL).unwrap(),
        prices: Prices {
            input: rate("0.135"),
            ..Prices::default()
        },
    }];
    let seen = usage(100, 0, 0, 10);
    let day = 100 * 270_000 + 10 * 1_100_000;
    let night = 100 * 135_000 + 10 * 1_100_000;
    for (at, expected) in [
        ("2025-07-01T16:29Z", day),
        ("2025-07-01T16:30Z", night),
        ("2025-07-02T00:29Z", night),
        ("2025-07-02T00:30Z", day),
    ] {
        assert_eq!(price(&row, &seen, at, Tier::Standard), Ok(expected), "{at}");
    }
}

fn table() -> PriceTable {
    let dated = |from: Option<&str>, until: Option<&str>, input: &str| PriceRow {
        valid_from: from.map(|text| day(text).unwrap()),
        valid_until: until.map(|text| day(text).unwrap()),
        ..row("openrouter", "mistral", input, "1")
    };
    PriceTable::new(
        "2026-11-22",
        vec![
            row("openai", "gpt-*", "9", "9"),
            row("openai", "gpt-4.1", "2", "8"),
            row("openai", "gpt-4.1-mini*", "0.4", "1.6"),
            dated(None, Some("2026-10-19"), "0.1"),
            dated(Some("2026-10-19"), None, "0.075"),
            PriceRow {
                valid_until: day("2025-01-01"),
                ..row("openai", "gpt-old", "1", "1")
            },
            PriceRow {
                unknown: Some("billed by the character".to_owned()),
                prices: Prices::default(),
                ..row("vertex", "text-bison*", "0", "0")
            },
            PriceRow {
                tier: Tier::Priority,
                ..row("openai", "gpt-4.1", "3.5", "14")
            },
        ],
    )
}

fn found(
    table: &PriceTable,
    provider: (&str, Option<&str>),
    model: &str,
    at: &str,
    tier: Tier,
) -> Result<String, NoCost> {
    let asked = Asked {
        provider: provider.0,
        preset: provider.1,
        model,
        at: instant(at).unwrap(),
        tier,
    };
    let row = table.find(&asked)?;
    Ok(row.prices.input.unwrap().to_string())
}

#[test]
fn a_row_is_found_by_provider_model_date_and_tier() {
    use Tier::{Batch, Priority, Standard};
    let table = table();
    let openai = ("openai", None);
    let named = ("openai-eu", Some("openai"));
    let router = ("openrouter", None);
    for (provider, model, at, tier, expected) in [
        (openai, "gpt-4.1", NOW, Standard, Ok("2")),
        (named, "gpt-4.1", NOW, Standard, Ok("2")),
        (openai, "gpt-4.1-mini-2025-04-14", NOW, Standard, Ok("0.40")),
        (openai, "gpt-4.1-2025-04-14", NOW, Standard, Ok("9")),
        (openai, "gpt-4.1", NOW, Priority, Ok("3.50")),
        (openai, "gpt-4.1", NOW, Batch, Err(NoCost::NoTierPrice)),
        (openai, "o3", NOW, Standard, Err(NoCost::NoPrice)),
        (
            ("azure", None),
            "gpt-4.1",
            NOW,
            Standard,
            Err(NoCost::NoPrice),
        ),
        (router, "mistral", "2026-10-18", Standard, Ok("0.10")),
        (router, "mistral", "2026-10-19", Standard, Ok("0.075")),
        (openai, "gpt-old", NOW, Standard, Err(NoCost::NoPriceThen)),
        (openai, "gpt-old", "2024-12-31", Standard, Ok("1")),
        (
            ("vertex", None),
            "text-bison@002",
            NOW,
            Standard,
            Err(NoCost::PriceUnknown),
        ),
        (
            ("vertex", None),
            "text-bison@002",
            NOW,
            Batch,
            Err(NoCost::PriceUnknown),
        ),
    ] {
        let row = found(&table, provider, model, at, tier);
        let expected = expected.map(str::to_owned);
        assert_eq!(row, expected, "{provider:?} {model} {at} {tier:?}");
    }
    let empty = PriceTable::default();
    let nothing = found(&empty, openai, "gpt-4.1", NOW, Standard);
    assert_eq!(nothing, Err(NoCost::NoPrice));
}

#[test]
fn a_users_rows_go_before_the_shipped_ones_and_into_the_version() {
    let shipped = table();
    assert_eq!(&**shipped.version(), "2026-11-22");
    let same = shipped.clone().with_own(Vec::new());
    assert_eq!(same, shipped);
    let own = shipped
        .clone()
        .with_own(vec![row("openai", "gpt-4.1*", "1.5", "6")]);
    let at = |model| found(&own, ("openai", None), model, NOW, Tier::Standard);
    // Less close than the shipped row, and still before it.
    assert_eq!(at("gpt-4.1").as_deref(), Ok("1.50"));
    assert_eq!(at("gpt-4o").as_deref(), Ok("9"));
    assert!(own.version().starts_with("2026-11-22+"));
    let other = shipped.with_own(vec![row("openai", "gpt-4.1*", "1.6", "6")]);
    assert_ne!(own.version(), other.version());
}

#[test]
fn tables_are_compared_by_their_numbers() {
    let old = table();
    let mut new = old.rows().to_vec();
    new[1].prices.input = rate("1.9");
    new[2].read = day("2026-11-22");
    let gone = new.remove(0);
    new.push(row("xai", "grok-4", "3", "15"));
    let changes = diff(old.rows(), &new);
    let mut kinds: Vec<String> = changes
        .iter()
        .map(|change| match change {
            Change::Added(row) => format!("+{}", row.models[0]),
            Change::Removed(row) => format!("-{}", row.models[0]),
            Change::Changed { old, .. } => format!("~{}", old.models[0]),
        })
        .collect();
    kinds.sort();
    assert_eq!(
        kinds,
        ["+grok-4", &format!("-{}", gone.models[0]), "~gpt-4.1"]
    );
    assert_eq!(diff(old.rows(), old.rows()), []);
}
