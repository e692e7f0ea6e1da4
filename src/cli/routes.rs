//! `tollgate routes`: how the routes of a running Tollgate stand, and what it would choose now.

use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;

use serde_json::{Value, json};

use super::admin::Admin;
use super::output;
use super::stored::Stop;
use crate::analysis::render::units::{
    NOTHING, dollars_beside, length, percent_of, plain, span, thousands,
};
use crate::app::sources;
use crate::config::settings::Settings;
use crate::routing::health::State;
use crate::ui::standing::{word, words};

/// Show how the routes of a running tollgate stand, and what it would choose now and why
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  tollgate routes\n  tollgate routes --model gpt-4.1\n  \
    tollgate routes --json | jq '.models[].first'\n\n\
    Asks the running server (`admin.listen` of the config). Where none runs, the configured\n\
    routes are shown, and that nothing is known of them."
)]
pub(super) struct Args {
    /// Only this model
    #[arg(long, value_name = "MODEL")]
    model: Option<String>,
    /// How it is written
    #[arg(long, value_enum, default_value_t = Shape::Text)]
    format: Shape,
    /// The same as --format json
    #[arg(long, conflicts_with = "format")]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Shape {
    /// For people
    Text,
    /// For programs
    Json,
}

pub(super) fn run(args: &Args, config: Option<&Path>) -> ExitCode {
    shown(args, config).unwrap_or_else(Stop::exit)
}

fn shown(args: &Args, config: Option<&Path>) -> Result<ExitCode, Stop> {
    let path = sources::config_path(config);
    let loaded = sources::load_to_read(path.as_deref()).map_err(Stop::Config)?;
    let mut all = match asked(&loaded.settings)? {
        Some(all) => all,
        None => configured(&loaded.settings),
    };
    if let Some(model) = &args.model {
        only(&mut all, model)?;
    }
    if args.json || args.format == Shape::Json {
        output::print(&format!("{all:#}"));
    } else {
        output::print(&text(&all));
    }
    Ok(ExitCode::SUCCESS)
}

/// What the running server answers; none where none runs, which is said.
fn asked(settings: &Settings) -> Result<Option<Value>, Stop> {
    let admin = Admin::of(settings);
    let address = admin.address;
    let answer = match admin.ask("GET", "/api/standing", "") {
        Ok(answer) => answer,
        Err(error) => {
            output::note(&format!(
                "tollgate: no server answers at {address} (`admin.listen`): {error}; these are the \
                 routes of the config, and nothing is known of their state"
            ));
            return Ok(None);
        }
    };
    let hint = match answer.status {
        200 => {
            let unreadable =
                |_| Stop::Runtime(format!("{address} answers no standing of a tollgate"));
            return serde_json::from_str(&answer.body)
                .map(Some)
                .map_err(unreadable);
        }
        404 => "what runs there knows no /api/standing: is it a tollgate of this version?",
        status => admin.refusal(status).unwrap_or("its log says more"),
    };
    Err(Stop::Runtime(format!(
        "{address} answers {}: {hint}",
        answer.status
    )))
}

/// The routes of the config alone, in the shape of the server's answer.
fn configured(settings: &Settings) -> Value {
    let model = |model: &std::sync::Arc<crate::config::settings::ModelRoutes>| {
        let routes = model.routes.iter().map(|route| {
            let there = route.model.as_ref().unwrap_or(&model.name);
            json!({ "provider": route.provider.as_str(), "model": there.as_str(), "state": null })
        });
        json!({
            "model": model.name.as_str(), "policy": model.policy.name(), "reason": null,
            "first": null, "routes": routes.collect::<Vec<Value>>(),
        })
    };
    json!({
        "schema": "tollgate.standing/1", "time": null, "others": [], "spending": null,
        "models": settings.models.iter().map(model).collect::<Vec<Value>>(),
    })
}

fn only(all: &mut Value, model: &str) -> Result<(), Stop> {
    let models = all["models"].as_array().cloned().unwrap_or_default();
    let of = |one: &Value| one["model"].as_str().unwrap_or_default().to_owned();
    let names: Vec<String> = models.iter().map(|one| plain(&of(one))).collect();
    let kept: Vec<Value> = models.into_iter().filter(|one| of(one) == model).collect();
    if kept.is_empty() {
        return Err(Stop::Nothing(format!(
            "no model `{}` has routes in the config; there are: {}",
            plain(model),
            names.join(", ")
        )));
    }
    all["models"] = Value::Array(kept);
    all["others"] = json!([]);
    Ok(())
}

/// Tables of at most 80 columns.
fn text(all: &Value) -> String {
    let mut text = String::new();
    let none = Vec::new();
    let list = |of: &'static str| all[of].as_array().unwrap_or(&none);
    for model in list("models") {
        let choice = match (model["first"].as_str(), model["reason"].as_str()) {
            (Some(first), Some(reason)) => {
                format!("\n  {} is tried first: {}", plain(first), words(reason))
            }
            (None, Some(reason)) => format!("\n  no route would be tried: {}", words(reason)),
            _ => String::new(),
        };
        let rule = model["rule"]
            .as_u64()
            .map_or_else(String::new, |rule| format!(", by rules[{rule}]"));
        let _ = writeln!(
            text,
            "{}  ({}){choice}{rule}",
            string(model, "model"),
            words(model["policy"].as_str().unwrap_or_default()),
        );
        table(&mut text, model["routes"].as_array().unwrap_or(&none));
        for canary in model["canaries"].as_array().unwrap_or(&none) {
            let _ = writeln!(text, "  {}", string(canary, "words"));
        }
        text.push('\n');
    }
    if !list("others").is_empty() {
        text.push_str("used without being a model's route\n");
        table(&mut text, list("others"));
        text.push('\n');
    }
    if list("models").is_empty() && list("others").is_empty() {
        text.push_str("no model has routes in the config, and no provider was asked yet\n");
    }
    for alert in list("alerts") {
        let since = alert["since"].as_str().and_then(|since| since.get(..16));
        let _ = writeln!(
            text,
            "alert: {} of {}/{} since {}",
            string(alert, "condition"),
            string(alert, "provider"),
            string(alert, "model"),
            since.unwrap_or_default().replace('T', " "),
        );
    }
    if let Some(usd) = all["spending"]["usd"].as_f64() {
        // A server of an earlier version does not tell the second.
        let unpriced = all["spending"]["unpriced"].as_u64().unwrap_or(0);
        let _ = writeln!(
            text,
            "spent in {}: {}",
            string(&all["spending"], "month"),
            dollars_beside(usd, unpriced)
        );
    }
    text
}

/// Columns that a route's name takes beside the others.
const NAME: usize = 29;

fn table(text: &mut String, routes: &[Value]) {
    let _ = writeln!(
        text,
        "  {:<NAME$} {:<11} {:>7} {:>11} {:>8} {:>7}",
        "route", "state", "at work", "first token", "success", "first"
    );
    for route in routes {
        let name = match route["model"].as_str() {
            Some(model) => format!("{}/{}", string(route, "provider"), plain(model)),
            None => string(route, "provider"),
        };
        let mark = if route["place"].as_u64() == Some(0) {
            '>'
        } else {
            ' '
        };
        let _ = write!(text, "{mark} {name:<NAME$}");
        if name.chars().count() > NAME {
            let _ = write!(text, "\n  {:<NAME$}", "");
        }
        let expected = &route["expected"];
        let seen = expected["samples"].as_u64().unwrap_or(0) > 0;
        let first = expected["first_token_ms"].as_f64().filter(|_| seen);
        let or_nothing = |text: Option<String>| text.unwrap_or_else(|| NOTHING.to_owned());
        let _ = writeln!(
            text,
            " {:<11} {:>7} {:>11} {:>8} {:>7}",
            state(route).map_or("unknown", |state| word(state).0),
            or_nothing(route["at_work"].as_u64().map(|count| count.to_string())),
            or_nothing(first.map(|ms| span(ms * 1e6))),
            or_nothing(expected["success"].as_f64().map(percent_of)),
            or_nothing(route["propensity"].as_f64().map(percent_of)),
        );
        for parts in [why(route), load(route)] {
            lines(text, &parts);
        }
        for of in route["keys"].as_array().into_iter().flatten() {
            lines(text, &key(of));
        }
    }
}

fn state(route: &Value) -> Option<State> {
    let name = route["state"].as_str()?;
    State::ALL.into_iter().find(|state| state.name() == name)
}

/// Columns of a terminal.
const WIDTH: usize = 80;

/// Parts side by side, on as many lines as they take.
fn lines(text: &mut String, parts: &[String]) {
    let mut used = 0;
    for part in parts {
        let takes = part.chars().count() + 2;
        if used > 0 && used + takes <= WIDTH {
            let _ = write!(text, ", {part}");
            used += takes;
        } else {
            let _ = write!(text, "{}    {part}", if used > 0 { ",\n" } else { "" });
            used = takes + 3;
        }
    }
    if used > 0 {
        text.push('\n');
    }
}

/// One of several keys: by its number, since nothing else of it is known here.
fn key(key: &Value) -> Vec<String> {
    let number = key["number"].as_u64().unwrap_or(0);
    let state = state(key).map_or("unknown", |state| word(state).0);
    let mut parts = vec![format!("key {number}: {state}")];
    parts.extend((key["next"] == true).then(|| "taken next".to_owned()));
    parts.extend(why(key));
    let at_work = key["at_work"].as_u64().filter(|at_work| *at_work > 0);
    parts.extend(at_work.map(|at_work| format!("{at_work} at work")));
    parts.extend(load(key));
    parts
}

/// Why it is as it is, and for how long.
fn why(route: &Value) -> Vec<String> {
    let mut parts = Vec::new();
    parts.extend(route["why"].as_str().map(words));
    let failures = route["consecutive_failures"].as_u64();
    if let Some(failures) = failures.filter(|failures| *failures > 0) {
        parts.push(format!("{failures} failed in a row"));
    }
    if let Some(since) = route["since"].as_str().and_then(|since| since.get(..19)) {
        parts.push(format!("since {}", since.replace('T', " ")));
    }
    if let Some(seconds) = route["seconds_left"].as_i64() {
        parts.push(format!("{} left", length(seconds)));
    }
    if parts.is_empty()
        && let Some(left_out) = route["left_out"].as_str()
    {
        parts.push(format!("not tried: {}", words(left_out)));
    }
    parts
}

/// What is expected, and what is in use.
fn load(route: &Value) -> Vec<String> {
    let mut parts = Vec::new();
    let expected = &route["expected"];
    let number = |name: &str| expected[name].as_f64();
    let prompts = expected["prompt_tokens"].as_u64();
    if let (Some(low), Some(high), Some(samples)) = (
        number("first_token_low_ms"),
        number("first_token_high_ms"),
        expected["samples"].as_u64().filter(|samples| *samples > 0),
    ) {
        parts.push(format!(
            "eight of ten {} to {}{}, {} seen",
            span(low * 1e6),
            span(high * 1e6),
            prompts.map_or_else(String::new, |of| format!(
                " for prompts of {} tokens",
                thousands(of)
            )),
            thousands(samples)
        ));
    }
    if let Some(limit) = route["at_work_limit"].as_u64() {
        parts.push(format!("at most {limit} at work"));
    }
    if let Some(used) = route["utilisation"].as_f64() {
        parts.push(format!("{} of its limits used", percent_of(used)));
    }
    parts
}

fn string(of: &Value, name: &str) -> String {
    plain(of[name].as_str().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_keep_to_eighty_columns() {
        let route = |provider: &str, state: &str| {
            json!({
                "provider": provider, "model": "openai/gpt-4.1-with-a-rather-long-name",
                "state": state, "why": "consecutive_failures", "consecutive_failures": 1_234,
                "since": "2026-11-22T08:31:02.000001Z", "seconds_left": 290, "at_work": 12_345,
                "at_work_limit": 20_000, "utilisation": 0.973, "propensity": 0.9876, "place": 0,
                "keys": [{
                    "number": 12, "next": true, "state": state, "why": "rate_limited",
                    "since": "2026-11-22T08:31:02.000001Z", "seconds_left": 40, "at_work": 3,
                    "at_work_limit": 4, "utilisation": 0.5,
                }],
                "expected": {
                    "first_token_ms": 1_412.0, "first_token_low_ms": 300.0,
                    "first_token_high_ms": 5_600.0, "success": 0.991, "samples": 1_234_567,
                },
            })
        };
        let all = json!({
            "models": [{
                "model": "gpt-4.1", "policy": "cheapest_within_slo", "reason": "only_route",
                "rule": 3, "first": "a/gpt-4.1",
                "routes": State::ALL.map(|state| route("openrouter", state.name())),
            }],
            "others": [{ "provider": "a", "model": null, "state": "closed", "at_work": 0 }],
            "spending": { "month": "2026-11", "usd": 12.34, "unpriced": 1_234 },
        });
        let text = text(&all);
        for line in text.lines() {
            assert!(line.chars().count() <= 80, "{line}");
        }
        for word in [
            "a/gpt-4.1 is tried first: the only route that may be tried, by rules[3]",
            "    consecutive failures, 1234 failed in a row, since 2026-11-22 08:31:02,\n    4 min left\n",
            "key refused",
            "    key 12: cooling, taken next, rate limited, since 2026-11-22 08:31:02,\n    40 s left, 3 at work,",
            "spent in 2026-11: $12.34, without 1,234 exchanges whose cost is not known",
        ] {
            assert!(text.contains(word), "{word}\n{text}");
        }
    }
}
