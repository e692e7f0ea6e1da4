//! Draws what an evaluation came to out of its result file: scores against time and money.

use serde_json::Value;

use super::result::SCHEMA;
use crate::analysis::paper::Chart;
use crate::analysis::reports::scores::{Placed, charts_of};
use crate::statistics::interval::{Estimate, Interval};

/// What is drawn of an evaluation.
#[derive(Debug, Clone, PartialEq)]
pub struct Drawn {
    /// The run's name.
    pub run: String,
    /// The charts, two for each scorer.
    pub charts: Vec<Chart>,
}

/// The charts of a result file; the error says what is wrong with it.
pub fn read(text: &str) -> Result<Drawn, String> {
    let file: Value = serde_json::from_str(text)
        .map_err(|error| format!("is no whole JSON ({error}): was it cut off?"))?;
    if file["schema"] != SCHEMA {
        return Err(format!(
            "is no result of an evaluation: its schema is not {SCHEMA}"
        ));
    }
    let run = file["run"].as_str().ok_or("has no `run`")?.to_owned();
    let scores = file["scores"].as_array().ok_or("has no list `scores`")?;
    let times = file.pointer("/report/tables/time");
    let times = times
        .and_then(Value::as_array)
        .map_or(&[][..], Vec::as_slice);
    let mut scorers: Vec<(&str, Vec<Placed>)> = Vec::new();
    for score in scores {
        let scorer = score["scorer"]
            .as_str()
            .ok_or("has a score without its `scorer`")?;
        let placed = placed(score, times)?;
        match scorers.iter_mut().find(|(name, _)| *name == scorer) {
            Some((_, routes)) => routes.push(placed),
            None => scorers.push((scorer, vec![placed])),
        }
    }
    let charts = scorers.iter();
    let charts = charts.flat_map(|(scorer, routes)| charts_of(scorer, routes));
    Ok(Drawn {
        run,
        charts: charts.collect(),
    })
}

/// A route's score, with what its answers took and cost by the report's table.
fn placed(score: &Value, times: &[Value]) -> Result<Placed, String> {
    let number = |key: &str| {
        score[key]
            .as_f64()
            .ok_or(format!("has a score without `{key}`"))
    };
    let (model, provider) = (&score["model"], &score["provider"]);
    let name = model.as_str().zip(provider.as_str());
    let (model_name, provider_name) = name.ok_or("has a score without `model` and `provider`")?;
    let is_it = |row: &&Value| row["model"] == *model && row["provider"] == *provider;
    let time = times.iter().find(is_it).unwrap_or(&Value::Null);
    let millis = |key: &str| spoken(&time[key]).map(|ms| ms * 1e6);
    let ends = millis("duration_p50_ms_low").zip(millis("duration_p50_ms_high"));
    Ok(Placed {
        name: format!("{model_name} at {provider_name}"),
        score: Estimate {
            value: number("score")?,
            interval: Interval {
                low: number("low")?,
                high: number("high")?,
            },
        },
        duration: millis("duration_p50_ms").map(|p50| (p50, ends)),
        cost: time["cost_per_1000_usd"].as_f64().map(|cost| cost / 1e3),
    })
}

/// A number as reports write it: of a route that mostly failed a duration is infinite.
fn spoken(value: &Value) -> Option<f64> {
    match value.as_str() {
        Some("inf") => Some(f64::INFINITY),
        _ => value.as_f64(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::analysis::paper::Plot;

    fn file() -> Value {
        let score = |provider: &str, scorer: &str, score: f64| {
            json!({
                "model": "m", "provider": provider, "scorer": scorer,
                "score": score, "low": score - 0.1, "high": score + 0.1, "items": 20,
            })
        };
        json!({
            "schema": SCHEMA, "run": "one",
            "scores": [score("a", "exact", 0.5), score("b", "exact", 0.8), score("a", "judge", 0.3)],
            "report": {"tables": {"time": [
                {"model": "m", "provider": "a", "duration_p50_ms": 40.0,
                    "duration_p50_ms_low": 30.0, "duration_p50_ms_high": 50.0,
                    "cost_per_1000_usd": 2.0},
                {"model": "m", "provider": "b", "duration_p50_ms": "inf", "cost_per_1000_usd": null},
            ]}},
        })
    }

    #[test]
    fn scores_are_drawn_against_time_and_money() {
        let drawn = read(&file().to_string()).unwrap();
        assert_eq!(drawn.run, "one");
        let titles: Vec<&str> = drawn
            .charts
            .iter()
            .map(|chart| chart.title.as_str())
            .collect();
        assert_eq!(
            titles,
            [
                "Score against duration (exact)",
                "Score against cost (exact)",
                "Score against duration (judge)",
                "Score against cost (judge)",
            ]
        );
        let Plot::Scatter { points, .. } = &drawn.charts[0].plot else {
            panic!("{drawn:?}")
        };
        let [a, b] = &points[..] else {
            panic!("{points:?}")
        };
        assert_eq!((a.name.as_str(), b.name.as_str()), ("m at a", "m at b"));
        assert!((a.x - 40e6).abs() < 1.0 && (b.y - 0.8).abs() < 1e-9);
        assert!(b.x.is_infinite(), "{b:?}");
        assert_eq!((a.x_ends, b.x_ends), (Some((30e6, 50e6)), None));
        // Nobody knows what b cost: it is not drawn there.
        let Plot::Scatter { points, .. } = &drawn.charts[1].plot else {
            panic!("{drawn:?}")
        };
        assert_eq!(points.len(), 1);
    }

    #[test]
    fn what_is_no_evaluation_is_told() {
        for (path, wrong, said) in [
            ("/schema", json!("tollgate.load/1"), "its schema is not"),
            ("/run", json!(null), "has no `run`"),
            ("/scores", json!({}), "has no list `scores`"),
            ("/scores/0/score", json!("1"), "without `score`"),
            ("/scores/0/model", json!(null), "without `model`"),
        ] {
            let mut file = file();
            *file.pointer_mut(path).unwrap() = wrong;
            let found = read(&file.to_string()).unwrap_err();
            assert!(found.contains(said), "{found}");
        }
        assert!(read("{").unwrap_err().contains("cut off"));
    }
}
