//! What an exchange cost stands in its record, or why nobody knows.

use tollgate::record::{NoCost, Outcome, PicoDollars};

use crate::support::{Ask, Rig};

/// A rig whose simulated model has a price, at one provider and not at the other.
fn rig() -> Rig {
    Rig::configured(
        r#"
        [[prices.rows]]
        providers = ["oa"]
        models = ["sim*"]
        input = 2
        cached_read = 0.5
        cache_write = 2
        output = 8
        [models.limited-first]
        routes = [
            { provider = "oa", model = "sim:fault-rate_limit" }, { provider = "oa", model = "sim:n-3" },
        ]
        "#,
    )
}

#[test]
fn an_answered_exchange_has_its_cost_to_the_pico_dollar() {
    let rig = rig();
    for model in ["sim:n-3", "limited-first"] {
        let place = if model == "sim:n-3" { "/oa" } else { "" };
        let ask = Ask::chat(model, false).to(place);
        let (reading, record, _) = rig.exchange(&ask);
        assert_eq!(reading.status, 200, "{model}: {}", reading.text());
        let usage = record.tokens.usage;
        let (cached, output) = (usage.cached_read.unwrap_or(0), usage.output.unwrap());
        let plain = usage.input.unwrap() - cached;
        let expected = plain * 2_000_000 + cached * 500_000 + output * 8_000_000;
        assert_eq!(record.cost, Some(PicoDollars(expected)), "{model}");
        assert_eq!(record.no_cost, None, "{model}");
        let version = record.prices.unwrap();
        assert!(version.contains('+'), "{version}: our own rows are in it");
    }
}

#[test]
fn an_unknown_cost_has_its_reason_and_a_refusal_is_free() {
    let rig = rig();
    for (place, model, outcome, cost, reason) in [
        ("/inj", "sim:n-3", Outcome::Ok, None, Some(NoCost::NoPrice)),
        (
            "/oa",
            "sim:fault-rate_limit",
            Outcome::RateLimited,
            Some(PicoDollars(0)),
            None,
        ),
    ] {
        let ask = Ask::chat(model, false).to(place);
        let (_, record, _) = rig.exchange(&ask);
        assert_eq!(record.outcome, outcome, "{place} {model}");
        assert_eq!(
            (record.cost, record.no_cost),
            (cost, reason),
            "{place} {model}"
        );
    }
}
