//! Saves loads as baselines, and takes them out again to be compared with.

use serde_json::Value;

use super::finished::Finished;
use crate::analysis::reports::baseline::Baseline;
use crate::analysis::tables::Window;
use crate::record::WallTime;
use crate::statistics::DEFINITIONS;

/// The baseline of `runs`, found at `source`.
#[must_use]
pub fn baseline(runs: &[Finished], source: String, saved: WallTime) -> Baseline {
    let first = runs.first().map(|run| &run.file);
    let text = |key: &str| {
        let found = first.and_then(|file| file["environment"][key].as_str());
        found.map(str::to_owned)
    };
    let version = text("version").unwrap_or_default();
    let dates = || runs.iter().map(|run| run.window);
    let mut configs: Vec<String> = runs
        .iter()
        .filter_map(|run| run.file["environment"]["config"].as_str())
        .map(str::to_owned)
        .collect();
    configs.dedup();
    Baseline {
        name: String::new(),
        saved,
        note: String::new(),
        source,
        origin: "load".to_owned(),
        window: Window {
            from: dates().map(|of| of.from).min().unwrap_or(saved),
            until: dates().map(|of| of.until).max().unwrap_or(saved),
        },
        program: text("commit").map_or_else(
            || version.clone(),
            |commit| format!("{version}, commit {commit}"),
        ),
        definitions: DEFINITIONS,
        configs,
        prices: text("prices"),
        workload: first
            .map(|file| file["workload"].clone())
            .unwrap_or_default(),
        rows: Vec::new(),
        watched: Vec::new(),
        anomalies: runs.iter().flat_map(anomalies).collect(),
        recommendation: Vec::new(),
        loads: runs.iter().map(figures).collect(),
    }
}

/// The loads that a baseline was saved of; none where it is of something else.
pub fn loads(of: &Baseline) -> Result<Vec<Finished>, String> {
    let loads = of.loads.iter();
    let read = loads.map(|value| Finished::read(&value.to_string()));
    read.collect::<Result<_, _>>()
        .map_err(|what| format!("a load of baseline {} {what}", of.name))
}

/// What is kept of a run's file: all but how a step went over time, which nothing is compared by.
fn figures(run: &Finished) -> Value {
    let mut file = run.file.clone();
    let routes = file["routes"].as_array_mut().into_iter().flatten();
    let steps = routes.filter_map(|route| route["steps"].as_array_mut());
    for step in steps.flatten().filter_map(Value::as_object_mut) {
        step.remove("over_time");
    }
    file
}

/// What was odd about a run: how it ended, and the steps that say nothing.
fn anomalies(run: &Finished) -> Vec<String> {
    let end = run.file["end"].as_str().unwrap_or("complete");
    let early = (end != "complete").then(|| format!("{} ended early: {end}", run.run));
    let void = run.void_steps().into_iter();
    let void = void.map(|(route, load, why)| format!("{} {route}, {load}: void: {why}", run.run));
    early.into_iter().chain(void).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::active::load::finished::paper;
    use crate::active::load::result::SCHEMA;

    #[test]
    fn a_load_is_the_same_after_it_was_saved() {
        let step = |load: f64, void: Value| {
            json!({
                "load": {"requests_per_s": load}, "n": 200, "verdict": "held", "void": void,
                "served": {"value": 0.99, "low": 0.96, "high": 1.0},
                "latency_ms": {"p50": {"value": 300.0, "low": 290.0, "high": 310.0}},
                "completed_requests_per_s": load, "over_time": [{"at_s": 0, "n": 3}],
            })
        };
        let file = json!({
            "schema": SCHEMA, "run": "one", "began": "2026-11-01T01:00:00Z",
            "ended": "2026-11-01T01:10:00Z", "end": "cost_cap",
            "environment": {"version": "0.1.0", "commit": "abc", "prices": "p", "config": "c"},
            "workload": {"name": "chat"},
            "routes": [{
                "model": "m", "route": "p/m", "region": null,
                "steps": [step(10.0, Value::Null), step(20.0, json!("it was late"))],
            }],
        });
        let runs = [Finished::read(&file.to_string()).unwrap()];
        let saved = baseline(&runs, "results".to_owned(), WallTime(7));
        assert_eq!(saved.program, "0.1.0, commit abc");
        assert_eq!(
            saved.anomalies,
            [
                "one ended early: cost_cap",
                "one p/m, 20.0/s: void: it was late"
            ]
        );
        let text = saved.json().to_string();
        assert!(!text.contains("over_time"), "{text}");
        let back = Baseline::read(&text).unwrap();
        assert_eq!(back.loads, saved.loads);
        let back = loads(&back).unwrap();
        assert_eq!(paper(&back, WallTime(9)), paper(&runs, WallTime(9)));
        assert_eq!(paper(&back, WallTime(9)).sheets[0].rows.len(), 2);
    }
}
