//! Says beside a model in a list what the catalogue and the price table know of it.

use serde_json::{Map, Value, json};

use crate::config::settings::{Provider, Settings};
use crate::record::WallTime;
use crate::routing::catalogue::{ModelFacts, facts_of};
use crate::routing::pricing::{Asked, Tier};

/// What is known of `model` at a provider, for the key `tollgate` of its entry; `now` decides
/// which price holds. US dollars per million tokens, as decimal texts.
#[must_use]
pub(super) fn describe(
    settings: &Settings,
    provider: &Provider,
    model: &str,
    now: WallTime,
) -> Value {
    let mut said = Map::new();
    said.insert("provider".to_owned(), provider.name.as_str().into());
    said.insert("kind".to_owned(), provider.kind.name().into());
    if let Some(facts) = facts_of(model, &settings.catalogue) {
        add_facts(&mut said, facts, now);
    }
    let price = settings.prices.find(&Asked {
        provider: &provider.name,
        preset: provider.preset.as_deref(),
        model,
        at: now,
        tier: Tier::default(),
    });
    let price = match price {
        Ok(row) => {
            let mut price: Map<String, Value> = row
                .prices
                .rates()
                .map(|(name, rate)| (format!("{name}_usd_per_mtok"), rate.to_string().into()))
                .collect();
            price.insert("source".to_owned(), row.source.clone().into());
            Value::Object(price)
        }
        Err(reason) => json!({ "unknown": reason.name() }),
    };
    said.insert("price".to_owned(), price);
    Value::Object(said)
}

/// What the catalogue says of a model whose routes are several.
#[must_use]
pub(super) fn describe_routes(settings: &Settings, model: &str, now: WallTime) -> Value {
    let mut said = Map::new();
    if let Some(facts) = facts_of(model, &settings.catalogue) {
        add_facts(&mut said, facts, now);
    }
    let mut models = settings.models.iter();
    if let Some(routes) = models.find(|routes| routes.name.as_str() == model) {
        let named = routes.routes.iter().map(|route| {
            let there = route.model.as_deref().unwrap_or(model);
            format!("{}/{there}", route.provider)
        });
        said.insert("routes".to_owned(), named.collect::<Vec<_>>().into());
    }
    Value::Object(said)
}

fn add_facts(said: &mut Map<String, Value>, facts: &ModelFacts, now: WallTime) {
    let day = |date: WallTime| Value::from(date.rfc3339().get(..10).unwrap_or_default());
    let mut add = |key: &str, value: Option<Value>| {
        if let Some(value) = value {
            said.insert(key.to_owned(), value);
        }
    };
    add("model", Some(facts.name.as_str().into()));
    add("family", Some(facts.family.as_str().into()));
    add("rung", facts.rung.map(|rung| rung.name().into()));
    add("context_length", facts.context_length.map(Value::from));
    add("output_max", facts.output_max.map(Value::from));
    add("released", facts.released.map(day));
    add("retired", facts.retired.map(day));
    add(
        "is_retired",
        facts.retired.map(|_| facts.is_retired(now).into()),
    );
    add("docs", facts.docs.clone().map(Value::from));
    add("source", Some(facts.source.clone().into()));
}
