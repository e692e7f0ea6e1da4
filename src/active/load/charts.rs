//! Draws what a load came to out of its result file: what each route bears, how requests ended and
//! what answers cost; of each route latency against the load with the level of service, throughput,
//! how late requests were sent, and latency over time.

use serde_json::Value;

use super::bears::{Bears, heat};
use super::pictures::{cost, outcomes, over_time};
use super::result::SCHEMA;
use crate::analysis::paper::{Band, Bar, Chart, Line, Mark, Plot, Unit};
use crate::analysis::render::units;

/// Loads of a route that make a curve.
const CURVE_MIN: usize = 2;
/// The quantiles that are drawn.
const DRAWN: [&str; 3] = ["p50", "p95", "p99"];

/// How a result says that a quantile is infinite.
const AMONG_FAILURES: &str = "among failures";

/// What is drawn of a load.
#[derive(Debug, Clone, PartialEq)]
pub struct Drawn {
    /// The run's name.
    pub run: String,
    /// The charts.
    pub charts: Vec<Chart>,
}

/// The charts of a result file; the error says what is wrong with it.
pub fn read(text: &str) -> Result<Drawn, String> {
    let file: Value = serde_json::from_str(text)
        .map_err(|error| format!("is no whole JSON ({error}): was it cut off?"))?;
    if file["schema"] != SCHEMA {
        return Err(format!(
            "is no result of a load: its schema is not {SCHEMA}"
        ));
    }
    let run = file["run"].as_str().ok_or("has no `run`")?.to_owned();
    let routes = file["routes"].as_array().ok_or("has no list `routes`")?;
    let sla = file["workload"]["latency_sla_ms"].as_f64();
    let within = file["workload"]["served_within_sla"].as_f64();
    let all: Vec<Bears<'_>> = routes.iter().map(Bears::of).collect();
    let mut charts: Vec<Chart> = [
        heat(&all, &level(&file["workload"])),
        outcomes(&all),
        cost(&all),
    ]
    .into_iter()
    .flatten()
    .collect();
    for (route, bears) in routes.iter().zip(&all) {
        let route = Route::read(route)?;
        if route.loads() >= CURVE_MIN {
            charts.extend([route.latency(sla, within), route.throughput(), route.lag()]);
        } else if let Some(step) = route.steps.first() {
            charts.extend(route.quantiles(step));
        }
        charts.extend(over_time(bears));
    }
    Ok(Drawn { run, charts })
}

/// The level of service in words.
fn level(workload: &Value) -> String {
    let within = workload["latency_sla_ms"].as_f64();
    let within = within.map_or_else(|| "its level".to_owned(), |ms| units::span(ms * 1e6));
    match workload["served_within_sla"].as_f64() {
        Some(share) => format!("{} within {within}", units::percent_of(share)),
        None => within,
    }
}

/// What a route came to.
struct Route<'a> {
    name: String,
    unit: &'static str,
    capacity: Option<f64>,
    knees: [(Option<f64>, &'static str); 2],
    /// The last step at each load, with it, the lowest first.
    steps: Vec<(f64, &'a Value)>,
}

impl<'a> Route<'a> {
    fn read(value: &'a Value) -> Result<Self, String> {
        let text = |key: &str| {
            value[key]
                .as_str()
                .ok_or(format!("has a route without `{key}`"))
        };
        let steps = value["steps"]
            .as_array()
            .ok_or("has a route without `steps`")?;
        let mut all: Vec<(f64, &Value)> = Vec::new();
        let mut unit = "requests/s";
        for step in steps.iter().filter(|step| step["n"].as_u64() > Some(0)) {
            let users = step["load"]["users"].as_f64();
            if users.is_some() {
                unit = "users";
            }
            let load = users.or(step["load"]["requests_per_s"].as_f64());
            let load = load.ok_or("has a step without its load")?;
            // A load that was tried again: what it showed last.
            all.retain(|(other, _)| other.total_cmp(&load).is_ne());
            all.push((load, step));
        }
        all.sort_by(|a, b| a.0.total_cmp(&b.0));
        Ok(Self {
            name: format!("{} at {}", text("model")?, text("route")?),
            unit,
            capacity: value["capacity"]["load"].as_f64(),
            knees: [
                (value["knees"]["saturation"].as_f64(), "saturated"),
                (value["knees"]["rate_limits"].as_f64(), "rate limit"),
            ],
            steps: all,
        })
    }

    fn loads(&self) -> usize {
        self.steps.len()
    }

    fn x(&self) -> (f64, f64) {
        let at = |step: Option<&(f64, &Value)>| step.map_or(0.0, |(load, _)| *load);
        (at(self.steps.first()), at(self.steps.last()))
    }

    fn chart(&self, title: &str, unit: Unit, lines: Vec<Line>, note: &str) -> Chart {
        let (least, most) = self.x();
        let load = |load: f64| format!("{} {}", units::three_digits(load), self.unit);
        let held = self.capacity.map(|at| (at, "held"));
        let knees = self
            .knees
            .iter()
            .filter_map(|(at, what)| Some(((*at)?, *what)));
        let marks = held.into_iter().chain(knees).map(|(x, what)| Mark {
            x,
            what: format!("{what}: {}", load(x)),
            note: false,
        });
        let marks: Vec<Mark> = marks.collect();
        let said: Vec<&str> = marks.iter().map(|mark| mark.what.as_str()).collect();
        let said = match said.as_slice() {
            [] => String::new(),
            said => format!(" Marked: {}.", said.join("; ")),
        };
        Chart {
            title: format!("{title} by {}: {}", self.unit, self.name),
            unit,
            plot: Plot::Lines {
                lines,
                labels: vec![load(least), load(most)],
                x: (least, most),
                marks,
            },
            note: format!("{note}{said}"),
        }
    }

    /// A line of what each step has at `path`, with its interval where it has one.
    fn line(&self, name: &str, path: &str, scale: f64) -> Line {
        let found = |step: &Value| {
            let at = step.pointer(path)?;
            at.as_f64().or_else(|| at["value"].as_f64())
        };
        let ends = |step: &Value| {
            let at = step.pointer(path)?;
            Some((at["low"].as_f64()?, at["high"].as_f64()?))
        };
        let points = self.steps.iter();
        let bands = self.steps.iter().filter_map(|(x, step)| {
            let (low, high) = ends(step)?;
            let (low, high) = (low * scale, high * scale);
            Some(Band { x: *x, low, high })
        });
        Line {
            name: name.to_owned(),
            points: points
                .map(|(x, step)| (*x, found(step).map(|value| value * scale)))
                .collect(),
            band: bands.collect(),
        }
    }

    /// A line that is as high everywhere.
    fn level(&self, name: String, value: f64) -> Line {
        let (least, most) = self.x();
        Line {
            name,
            points: vec![(least, Some(value)), (most, Some(value))],
            band: Vec::new(),
        }
    }

    fn latency(&self, sla: Option<f64>, within: Option<f64>) -> Chart {
        let mut lines: Vec<Line> = DRAWN
            .iter()
            .map(|p| self.line(p, &format!("/latency_ms/{p}"), 1e6))
            .collect();
        if let Some(sla) = sla {
            let share = within.map_or_else(String::new, |share| {
                format!(", for {}", units::percent_of(share))
            });
            let name = format!("level: {}{share}", units::span(sla * 1e6));
            lines.push(self.level(name, sla * 1e6));
        }
        self.chart(
            "Latency",
            Unit::Span,
            lines,
            "From the intended start, with 95 % intervals. No point where a quantile falls among \
             failures or has too few requests.",
        )
    }

    fn throughput(&self) -> Chart {
        let lines = vec![
            self.line("offered", "/offered_requests_per_s", 1.0),
            self.line("answered", "/completed_requests_per_s", 1.0),
            self.line("answered in time", "/goodput_requests_per_s", 1.0),
        ];
        self.chart(
            "Requests per second",
            Unit::Number,
            lines,
            "Of a route that keeps up answers are as many as was offered.",
        )
    }

    fn lag(&self) -> Chart {
        let lines = vec![
            self.line("p50", "/lag/p50_ms", 1e6),
            self.line("p99", "/lag/p99_ms", 1e6),
        ];
        self.chart(
            "Lag of the generator",
            Unit::Span,
            lines,
            "How late requests were sent. A step whose 99th percentile is over 10 ms, or over 2 % of \
             its median first token, 1 ms at least, is void.",
        )
    }

    /// The quantiles of a load that was the only one.
    fn quantiles(&self, (load, step): &(f64, &Value)) -> Option<Chart> {
        let bars = [("latency_ms", "latency"), ("first_token_ms", "first token")];
        let bars = bars.iter().flat_map(|(key, name)| {
            DRAWN.iter().filter_map(move |p| {
                let at = &step[*key][*p];
                let ends = at["low"].as_f64().zip(at["high"].as_f64());
                let why = at["why"].as_str().unwrap_or_default();
                // What falls among failures is there, and longer than anything.
                let (value, why) = match at["value"].as_f64() {
                    Some(value) => (value * 1e6, String::new()),
                    None if why.starts_with(AMONG_FAILURES) => (f64::INFINITY, format!(" ({why})")),
                    None => return None,
                };
                Some(Bar {
                    name: format!("{name} {p}{why}"),
                    value,
                    interval: ends.map(|(low, high)| (low * 1e6, high * 1e6)),
                })
            })
        });
        let bars: Vec<Bar> = bars.collect();
        (!bars.is_empty()).then(|| Chart {
            title: format!(
                "Latency at {} {}: {}",
                units::three_digits(*load),
                self.unit,
                self.name
            ),
            unit: Unit::Span,
            plot: Plot::Forest { bars, zero: 0.0 },
            note: "From the intended start, with 95 % intervals.".to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn step(load: f64, p95: Option<f64>) -> Value {
        let quantile =
            |value: f64| json!({"value": value, "low": value - 1.0, "high": value + 2.0});
        json!({
            "load": {"requests_per_s": load},
            "n": 100, "failed": 10, "rate_limited": 5, "timed_out": 2, "verdict": "held",
            "over_time": [
                {"from_s": 0.0, "to_s": 10.0, "latency_p50_ms": 90.0, "latency_p95_ms": null},
                {"from_s": 10.0, "to_s": 20.0, "latency_p50_ms": null, "latency_p95_ms": null},
            ],
            "latency_ms": {
                "p50": quantile(100.0), "p99": {"value": null, "why": "needs 459, has 100"},
                "p95": p95.map_or_else(|| json!({"value": null, "why": "among failures"}), quantile),
            },
            "first_token_ms": {"p50": quantile(10.0)},
            "offered_requests_per_s": load,
            "completed_requests_per_s": load * 0.9,
            "goodput_requests_per_s": load * 0.8,
            "lag": {"p50_ms": 0.1, "p99_ms": 2.0},
        })
    }

    fn file(steps: &[Value]) -> String {
        json!({
            "schema": "tollgate.load/1", "run": "r",
            "workload": {"latency_sla_ms": 2000.0, "served_within_sla": 0.95},
            "routes": [{
                "model": "m", "route": "p/m", "steps": steps,
                "capacity": {"load": 4.0}, "knees": {"saturation": null, "rate_limits": 8.0},
            }],
        })
        .to_string()
    }

    #[test]
    fn a_sweep_is_drawn_with_its_level_and_what_held() {
        // Out of order, and one load tried twice: the last says it.
        let steps = [
            step(8.0, Some(900.0)),
            step(2.0, Some(300.0)),
            step(4.0, Some(400.0)),
            step(8.0, None),
        ];
        let drawn = read(&file(&steps)).unwrap();
        let titles: Vec<&str> = drawn.charts.iter().map(|of| of.title.as_str()).collect();
        let of_route = "by requests/s: m at p/m";
        assert_eq!(
            titles,
            [
                "How requests ended".to_owned(),
                format!("Latency {of_route}"),
                format!("Requests per second {of_route}"),
                format!("Lag of the generator {of_route}"),
                "Latency over time: m at p/m, 4.00 requests/s".to_owned(),
            ]
        );
        let Plot::Heat(ended) = &drawn.charts[0].plot else {
            panic!("a heat map");
        };
        let shares: Vec<f64> = ended.values[0].iter().map(|of| of.unwrap().0).collect();
        assert_eq!(shares, [0.9, 0.05, 0.02, 0.03]);
        let Plot::Lines { lines, x, .. } = &drawn.charts[4].plot else {
            panic!("lines");
        };
        assert_eq!((lines.len(), *x), (1, (0.0, 20.0)), "no p95 is told");
        assert_eq!(lines[0].points, [(5.0, Some(90e6)), (15.0, None)]);
        let Plot::Lines {
            lines, x, marks, ..
        } = &drawn.charts[1].plot
        else {
            panic!("lines");
        };
        assert_eq!(*x, (2.0, 8.0));
        let names: Vec<&str> = lines.iter().map(|line| line.name.as_str()).collect();
        assert_eq!(names, ["p50", "p95", "p99", "level: 2.00 s, for 95.0 %"]);
        let p95 = vec![(2.0, Some(300e6)), (4.0, Some(400e6)), (8.0, None)];
        assert_eq!(lines[1].points, p95);
        assert_eq!(
            (lines[1].band[0].low, lines[1].band[0].high),
            (299e6, 302e6)
        );
        assert!(lines[2].points.iter().all(|(_, value)| value.is_none()));
        assert_eq!(lines[3].points, [(2.0, Some(2e9)), (8.0, Some(2e9))]);
        let said: Vec<&str> = marks.iter().map(|mark| mark.what.as_str()).collect();
        assert_eq!(
            said,
            ["held: 4.00 requests/s", "rate limit: 8.00 requests/s"]
        );
        let Plot::Lines { lines, .. } = &drawn.charts[2].plot else {
            panic!("lines");
        };
        assert_eq!(lines[1].points[1], (4.0, Some(3.6)));
    }

    #[test]
    fn a_single_load_is_drawn_as_its_quantiles_and_what_is_none_says_why() {
        let one = file(&[step(3.0, None)]).replace("\"load\":4.0", "\"load\":3.0");
        let drawn = read(&one).unwrap();
        let Plot::Forest { bars, .. } = &drawn.charts[1].plot else {
            panic!("bars");
        };
        let names: Vec<&str> = bars.iter().map(|bar| bar.name.as_str()).collect();
        let among = "latency p95 (among failures)";
        assert_eq!(names, ["latency p50", among, "first token p50"]);
        assert!(bars[1].value.is_infinite());
        assert_eq!(bars[0].interval, Some((99e6, 102e6)));
        assert_eq!(read(&file(&[])).unwrap().charts, []);
        for (text, says) in [
            ("{", "cut off"),
            ("{}", "no result of a load"),
            ("{\"schema\":\"tollgate.load/2\"}", "no result of a load"),
            ("{\"schema\":\"tollgate.load/1\",\"run\":\"r\"}", "`routes`"),
            (
                "{\"schema\":\"tollgate.load/1\",\"run\":\"r\",\"routes\":[{\"model\":\"m\"}]}",
                "`steps`",
            ),
        ] {
            assert!(read(text).unwrap_err().contains(says), "{text}");
        }
    }
}
