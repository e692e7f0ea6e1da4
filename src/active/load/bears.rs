//! Says what each route bears: a row for each model and region with what PADISO's table has, the
//! same as a pivot, and as a heat map. Made of a result's JSON, so that the report of a run and the
//! charts of its file say the same.

use serde_json::Value;

use super::numbers::number;
use crate::analysis::paper::{Cell, Chart, Column, Heat, HeatCell, Plot, Sheet, Unit};
use crate::analysis::render::units::three_digits;

/// What stands for a region that nobody named.
const NO_REGION: &str = "not said";
/// Milliseconds in a report's unit of spans.
const MS: f64 = 1e6;

/// What a route came to at the load that counts: the highest that held where one was searched for,
/// else the only one.
#[derive(Debug, Clone, Copy)]
pub struct Bears<'a> {
    route: &'a Value,
    step: Option<&'a Value>,
}

impl<'a> Bears<'a> {
    /// What an object of `routes` of a result came to.
    #[must_use]
    pub fn of(route: &'a Value) -> Self {
        let steps = route["steps"].as_array().map_or(&[][..], Vec::as_slice);
        let mut steps = steps.iter().filter(|step| step["n"].as_u64() > Some(0));
        let step = if is_searched(route) {
            let held = route["capacity"]["load"].as_f64();
            let is_it = |step: &&Value| load(step).map(|of| of.0) == held && is_held(step);
            steps.rfind(|step| held.is_some() && is_it(step))
        } else {
            steps.next_back()
        };
        Self { route, step }
    }

    /// The step whose figures it has; absent where no load held.
    #[must_use]
    pub const fn step(&self) -> Option<&'a Value> {
        self.step
    }

    /// The model at the route, in words.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{} at {}", self.text("model"), self.text("route"))
    }

    /// The load in words: `8 users`.
    #[must_use]
    pub fn load(&self) -> Option<String> {
        let (load, unit) = load(self.step?)?;
        Some(format!("{} {unit}", three_digits(load)))
    }

    fn text(&self, key: &str) -> &'a str {
        self.route[key].as_str().unwrap_or(NO_REGION)
    }

    /// Answers per second.
    fn rate(&self) -> Option<f64> {
        self.step?["completed_requests_per_s"].as_f64()
    }

    /// Whether the level of service was kept, in words.
    fn verdict(&self) -> &'a str {
        match self.step {
            Some(step) => step["verdict"].as_str().unwrap_or_default(),
            None if !is_searched(self.route) => "nothing was measured",
            None if self.route["capacity"]["why"] == "nowhere" => "nowhere",
            None => "not known",
        }
    }

    fn held_rate(&self) -> Option<f64> {
        self.rate().filter(|_| self.step.is_some_and(is_held))
    }

    fn cells(&self) -> Vec<Cell> {
        let quantile = |p: &str, place: &'static str| match self.step {
            Some(step) => number(step, place, MS),
            None => Cell::absent(format!("no {p}: {}", self.verdict())),
        };
        let success = match self.step.map(|step| number(step, "/errors", 1.0)) {
            Some(Cell::Quantile {
                value,
                low,
                high,
                n,
                few_hours,
                ..
            }) => Cell::Quantile {
                value: 1.0 - value,
                low: high.map(|high| 1.0 - high),
                high: low.map(|low| 1.0 - low),
                n,
                few_hours,
                of: None,
            },
            _ => Cell::absent(self.verdict()),
        };
        let cost = self.cost();
        let an_hour = cost
            .zip(self.rate())
            .map(|(cost, rate)| cost * rate * 3_600.0);
        vec![
            Cell::text(self.text("model")),
            Cell::text(self.text("region")),
            Cell::text(self.text("route")),
            Cell::text(self.load().unwrap_or_else(|| "none".to_owned())),
            Cell::maybe(self.rate(), self.verdict()),
            quantile("p50", "/latency_ms/p50"),
            quantile("p95", "/latency_ms/p95"),
            quantile("p99", "/latency_ms/p99"),
            success,
            Cell::maybe(cost, "no price"),
            Cell::maybe(an_hour, "no price"),
            Cell::text(self.verdict()),
            Cell::maybe(self.held_rate(), self.verdict()),
        ]
    }

    /// US dollars of a good answer, with its part of what failures cost.
    #[must_use]
    pub fn cost(&self) -> Option<f64> {
        Some(self.step?["cost_per_1000_usd"].as_f64()? / 1e3)
    }
}

fn is_searched(route: &Value) -> bool {
    route["capacity"].is_object()
}

fn is_held(step: &Value) -> bool {
    step["verdict"] == "held"
}

/// A step's load and its unit.
fn load(step: &Value) -> Option<(f64, &'static str)> {
    let of = |key: &str| step["load"][key].as_f64();
    let users = of("users").map(|users| (users, "users"));
    users.or_else(|| of("requests_per_s").map(|rate| (rate, "requests/s")))
}

/// The table: a row a route.
#[must_use]
pub fn sheet(all: &[Bears<'_>]) -> Sheet {
    let columns = vec![
        Column::words("model", "model"),
        Column::words("region", "region"),
        Column::words("route", "route"),
        Column::remark("load", "load"),
        Column::new("requests_per_s", "answers/s", Unit::Number),
        Column::new("latency_p50", "latency p50", Unit::Span),
        Column::new("latency_p95", "p95", Unit::Span),
        Column::new("latency_p99", "p99", Unit::Span),
        Column::new("success", "success", Unit::Share),
        Column::new("cost", "cost each", Unit::Dollars),
        Column::new("cost_per_hour", "an hour", Unit::Dollars),
        Column::remark("level", "level"),
        Column::hidden("requests_per_s_at_sla"),
    ];
    let mut sheet = Sheet::new("bears", "What each bears", columns);
    sheet.rows = all.iter().map(Bears::cells).collect();
    sheet
}

/// Where each stands in a table of models by regions: under its model, and under its route where
/// several routes serve one model in one region.
#[must_use]
pub fn places(all: &[Bears<'_>]) -> Vec<(String, String)> {
    let is_shared = |model: &str| {
        let of_model = || {
            let same = all.iter().filter(|of| of.text("model") == model);
            same.map(|of| of.text("region"))
        };
        of_model().any(|one| of_model().filter(|other| *other == one).count() > 1)
    };
    all.iter()
        .map(|of| {
            let (model, region) = (of.text("model"), of.text("region"));
            let row = if is_shared(model) {
                of.name()
            } else {
                model.to_owned()
            };
            (row, region.to_owned())
        })
        .collect()
}

/// Requests per second by model and region, where there is more than one route; `level` says which
/// level of service is asked for.
#[must_use]
pub fn heat(all: &[Bears<'_>], level: &str) -> Option<Chart> {
    let found: Vec<Option<HeatCell>> = all.iter().map(|of| Some((of.rate()?, None))).collect();
    if all.len() < 2 || found.iter().all(Option::is_none) {
        return None;
    }
    let searched = all.iter().any(|of| is_searched(of.route));
    let title = match all.iter().find_map(Bears::load) {
        _ if searched => format!("Answers per second that hold {level}, by model and region"),
        Some(load) => format!("Answers per second of {load}, by model and region"),
        None => "Answers per second by model and region".to_owned(),
    };
    let not: Vec<String> = all
        .iter()
        .filter(|of| of.held_rate().is_none())
        .map(|of| format!("{} ({})", of.name(), of.verdict().replace('_', " ")))
        .collect();
    let not = match not.as_slice() {
        [] => String::new(),
        not => format!(" Not shown to hold {level}: {}.", not.join(", ")),
    };
    Some(Chart {
        title,
        unit: Unit::Number,
        plot: Plot::Heat(table(&places(all), &found)),
        note: format!("Darker is more. A dash has none.{not}"),
    })
}

/// Values by row and column, each in the order in which it comes.
fn table(places: &[(String, String)], found: &[Option<HeatCell>]) -> Heat {
    let (mut rows, mut columns): (Vec<String>, Vec<String>) = Default::default();
    for (row, column) in places {
        if !rows.contains(row) {
            rows.push(row.clone());
        }
        if !columns.contains(column) {
            columns.push(column.clone());
        }
    }
    let value = |row: &String, column: &String| {
        let mut all = places.iter().zip(found);
        let found = all.find(|((of, at), _)| of == row && at == column);
        found.and_then(|(_, value)| *value)
    };
    let values = rows
        .iter()
        .map(|row| columns.iter().map(|column| value(row, column)).collect())
        .collect();
    Heat {
        rows,
        columns,
        values,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::analysis::render::pivot;

    fn step(users: u64, rate: f64, verdict: &str) -> Value {
        json!({
            "load": {"users": users}, "n": 200, "verdict": verdict,
            "completed_requests_per_s": rate, "cost_per_1000_usd": 2.0,
            "latency_ms": {"p50": {"value": 70.0, "low": 60.0, "high": 80.0},
                "p95": {"value": null, "why": "among failures, n 200"}},
            "errors": {"value": 0.1, "low": 0.05, "high": 0.2},
        })
    }

    fn route(model: &str, route: &str, region: Option<&str>, steps: &[Value]) -> Value {
        json!({"model": model, "route": route, "region": region, "capacity": null, "steps": steps})
    }

    #[test]
    fn each_model_and_region_has_its_rate_in_table_pivot_and_picture() {
        let routes = [
            route("a", "us/a", Some("us-east-1"), &[step(3, 42.6, "held")]),
            route("a", "eu/a", Some("eu-west-1"), &[step(3, 18.0, "missed")]),
            route("b", "us/b", Some("us-east-1"), &[step(3, 24.6, "held")]),
            // Two routes of one model in one region are told apart.
            route("c", "one/c", None, &[step(3, 9.0, "held")]),
            route("c", "two/c", None, &[]),
        ];
        let all: Vec<Bears<'_>> = routes.iter().map(Bears::of).collect();
        let sheet = sheet(&all);
        let cell = |row: usize, key: &str| {
            let at = sheet.columns.iter().position(|of| of.key == key).unwrap();
            sheet.rows[row][at].clone()
        };
        assert_eq!(cell(0, "requests_per_s").number(), Some(42.6));
        assert_eq!(cell(0, "latency_p50").number(), Some(70e6));
        assert_eq!(
            cell(0, "latency_p95"),
            Cell::absent("among failures, n 200")
        );
        let success = Cell::Quantile {
            value: 0.9,
            low: Some(0.8),
            high: Some(0.95),
            n: 200,
            few_hours: false,
            of: None,
        };
        assert_eq!(cell(0, "success"), success);
        let hour = cell(0, "cost_per_hour").number().unwrap();
        assert!((hour - 42.6 * 3.6 * 2.0).abs() < 1e-6, "{hour}");
        assert_eq!(cell(1, "level"), Cell::text("missed"));
        let text = pivot(&sheet, &places(&all), "model");
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "model,figure,us-east-1,eu-west-1,not said");
        for line in [
            "a,requests_per_s,42.6,18,",
            "a,requests_per_s_at_sla,42.6,,",
            "a,latency_p50_ms,70,70,",
            "b,requests_per_s,24.6,,",
            "c at one/c,requests_per_s_at_sla,,,9",
            "c at two/c,requests_per_s,,,",
        ] {
            assert!(lines.contains(&line), "{line}: {text}");
        }
        let chart = heat(&all, "95 % within 2.00 s").unwrap();
        assert_eq!(
            chart.title,
            "Answers per second of 3.00 users, by model and region"
        );
        assert!(chart.note.contains("a at eu/a (missed)"), "{}", chart.note);
        let Plot::Heat(heat) = chart.plot else {
            panic!("a heat map");
        };
        assert_eq!(heat.rows, ["a", "b", "c at one/c", "c at two/c"]);
        assert_eq!(
            heat.values[0],
            [Some((42.6, None)), Some((18.0, None)), None]
        );
    }

    #[test]
    fn of_a_search_the_highest_load_that_held_counts() {
        let steps = [
            step(2, 20.0, "held"),
            step(4, 40.0, "held"),
            step(4, 39.0, "held"),
            step(8, 44.0, "missed"),
        ];
        let mut of = route("a", "us/a", None, &steps);
        of["capacity"] = json!({"load": 4.0, "why": "found"});
        let found = Bears::of(&of);
        assert_eq!(
            (found.rate(), found.load()),
            (Some(39.0), Some("4.00 users".to_owned()))
        );
        for (why, says) in [(json!("nowhere"), "nowhere"), (json!(null), "not known")] {
            of["capacity"] = json!({"load": null, "why": why});
            let found = Bears::of(&of);
            assert_eq!((found.rate(), found.verdict()), (None, says));
        }
    }
}
