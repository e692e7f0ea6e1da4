//! Writes baselines as JSON of the schema `tollgate.baseline/1`, and reads them back. Times are in
//! nanoseconds, rates in tokens per second.

use serde_json::{Map, Value, json};

use super::{Baseline, Known, NUMBERS, Row, Watched};
use crate::analysis::tables::window::date;
use crate::analysis::tables::{Share, Window};
use crate::record::WallTime;
use crate::statistics::DEFINITIONS;

const SCHEMA: &str = "tollgate.baseline/1";
/// The names of a row, as they are written.
const NAMES: [&str; 5] = ["model", "provider", "region", "connection", "asked"];

impl Baseline {
    /// It as JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        let mut value = json!({
            "schema": SCHEMA,
            "name": self.name,
            "saved": self.saved.rfc3339(),
            "note": self.note,
            "source": self.source,
            "origin": self.origin,
            "from": self.window.from.rfc3339(),
            "until": self.window.until.rfc3339(),
            "program": self.program,
            "definitions": self.definitions,
            "configs": self.configs,
            "prices": self.prices,
            "workload": self.workload,
            "rows": self.rows.iter().map(row_json).collect::<Vec<_>>(),
            "watched": self.watched.iter().map(watched_json).collect::<Vec<_>>(),
            "anomalies": self.anomalies,
            "recommendation": self.recommendation,
        });
        if !self.loads.is_empty() {
            value["loads"] = self.loads.clone().into();
        }
        value
    }

    /// Reads it; the error says what is wrong with it.
    pub fn read(text: &str) -> Result<Self, String> {
        let value: Value =
            serde_json::from_str(text).map_err(|error| format!("no JSON: {error}"))?;
        let schema = value["schema"].as_str().unwrap_or_default();
        if schema != SCHEMA {
            return Err(format!(
                "schema is `{schema}`, and this program reads `{SCHEMA}`"
            ));
        }
        let definitions = value["definitions"].as_u64().unwrap_or_default();
        if definitions != u64::from(DEFINITIONS) {
            return Err(format!(
                "definitions are version {definitions}, and this program has version \
                 {DEFINITIONS}: numbers of the two may not be compared"
            ));
        }
        let moment = |key: &str| date(&text_of(&value, key)?, WallTime(0));
        let texts = |key: &str| -> Vec<String> {
            let list = value[key].as_array().into_iter().flatten();
            list.filter_map(|of| of.as_str().map(str::to_owned))
                .collect()
        };
        let list = |key: &str| {
            let list = value[key].as_array();
            list.ok_or_else(|| format!("has no list `{key}`"))
        };
        Ok(Self {
            name: text_of(&value, "name")?,
            saved: moment("saved")?,
            note: text_of(&value, "note")?,
            source: text_of(&value, "source")?,
            origin: text_of(&value, "origin")?,
            window: Window {
                from: moment("from")?,
                until: moment("until")?,
            },
            program: text_of(&value, "program")?,
            definitions: DEFINITIONS,
            configs: texts("configs"),
            prices: value["prices"].as_str().map(str::to_owned),
            workload: value["workload"].clone(),
            rows: list("rows")?.iter().map(row).collect::<Result<_, _>>()?,
            watched: list("watched")?
                .iter()
                .map(watched)
                .collect::<Result<_, _>>()?,
            anomalies: texts("anomalies"),
            recommendation: texts("recommendation"),
            loads: value["loads"].as_array().cloned().unwrap_or_default(),
        })
    }
}

fn text_of(value: &Value, key: &str) -> Result<String, String> {
    let text = value[key].as_str();
    text.map(str::to_owned)
        .ok_or_else(|| format!("has no text `{key}`"))
}

fn row_json(row: &Row) -> Value {
    let mut of = Map::new();
    for (key, name) in NAMES.iter().zip(&row.names) {
        of.insert((*key).to_owned(), name.as_str().into());
    }
    of.insert("requests".to_owned(), row.requests.into());
    of.insert(
        "failed".to_owned(),
        json!([
            row.failed.part,
            row.failed.whole,
            row.failed.design_effect()
        ]),
    );
    for ((key, _, _), known) in NUMBERS.iter().zip(&row.numbers) {
        of.insert((*key).to_owned(), known.as_ref().map(known_json).into());
    }
    of.insert("cost_mean_usd".to_owned(), row.cost.into());
    Value::Object(of)
}

fn known_json(known: &Known) -> Value {
    json!({ "value": known.value, "low": known.low, "high": known.high, "n": known.n })
}

fn known(value: &Value) -> Option<Known> {
    Some(Known {
        value: value["value"].as_f64()?,
        low: value["low"].as_f64(),
        high: value["high"].as_f64(),
        n: value["n"].as_u64()?,
    })
}

fn row(value: &Value) -> Result<Row, String> {
    let mut names = <[String; 5]>::default();
    for (name, key) in names.iter_mut().zip(NAMES) {
        *name = text_of(value, key)?;
    }
    let mut numbers = [None; NUMBERS.len()];
    for (number, (key, _, _)) in numbers.iter_mut().zip(&NUMBERS) {
        *number = known(&value[*key]);
    }
    let count = |value: &Value| value.as_u64().ok_or("a row without counts");
    Ok(Row {
        names,
        requests: count(&value["requests"])?,
        // Those of older versions do not say how alike they were.
        failed: Share::of(count(&value["failed"][0])?, count(&value["failed"][1])?)
            .with_design_effect(value["failed"][2].as_f64().unwrap_or(1.0)),
        numbers,
        cost: value["cost_mean_usd"].as_f64(),
    })
}

fn watched_json(of: &Watched) -> Value {
    json!({
        "model": of.model,
        "provider": of.provider,
        "metric": NUMBERS[of.metric].0,
        "median": known_json(&of.median),
        "slope": of.slope,
        "centre": of.centre,
        "sigma": of.sigma,
        "steps": of.steps,
    })
}

fn watched(value: &Value) -> Result<Watched, String> {
    let metric = value["metric"].as_str().unwrap_or_default();
    let metric = NUMBERS.iter().position(|(key, _, _)| *key == metric);
    let number = |key: &str| {
        let number = value[key].as_f64();
        number.ok_or_else(|| format!("has no number `{key}`"))
    };
    Ok(Watched {
        model: text_of(value, "model")?,
        provider: text_of(value, "provider")?,
        metric: metric.ok_or("watches a metric that is not known here")?,
        median: known(&value["median"]).ok_or("has no median")?,
        slope: number("slope")?,
        centre: number("centre")?,
        sigma: number("sigma")?,
        steps: value["steps"].as_u64().unwrap_or_default(),
    })
}
