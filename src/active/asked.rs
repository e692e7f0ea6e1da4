//! Reads which run somebody asks for as JSON, within what may be asked of a program that others use.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::named::is_run_name;
use super::{bench, eval, load, probing};

/// A run as it is asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct AskedRun {
    /// What is asked.
    pub kind: Kind,
    /// Its name; the date and the seed otherwise.
    pub run: Option<String>,
    /// Its seed; drawn otherwise.
    pub seed: Option<u64>,
    /// US dollars that it may cost; what the config allows otherwise.
    pub max_cost: Option<f64>,
    /// Where the machine is, for the result.
    pub location: Option<String>,
    /// Only what it would ask and cost is wanted.
    pub dry_run: bool,
    /// The words in which it was asked for, but for `dry_run`.
    pub words: Map<String, Value>,
}

/// What is asked.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    /// A benchmark.
    Bench(bench::Wish),
    /// A load.
    Load(load::Wish),
    /// A round of probes.
    Probe(probing::Wish),
    /// An evaluation.
    Eval(eval::Wish),
}

impl Kind {
    /// Its name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Bench(_) => "bench",
            Self::Load(_) => "load",
            Self::Probe(_) => "probe",
            Self::Eval(_) => "eval",
        }
    }
}

/// Names of all kinds.
pub const KINDS: [&str; 4] = ["bench", "load", "probe", "eval"];

/// Models, providers, scorers or steps named at most.
const NAMED_MAX: usize = 64;
/// Bytes of a name.
const NAME_MAX: usize = 300;
/// Tokens of a prompt or an answer.
const TOKENS_MAX: u64 = 200_000;
/// Rounds, pairs, trials.
const ROUNDS_MAX: u32 = 100_000;
/// Requests a second, or users at once.
const LOAD_MAX: f64 = 1_000.0;
/// Seconds of a phase of a load.
const SECONDS_MAX: u64 = 3_600;

/// What every kind has.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Common {
    run: Option<String>,
    seed: Option<u64>,
    max_cost: Option<f64>,
    location: Option<String>,
    dry_run: bool,
}

const COMMON: [&str; 5] = ["run", "seed", "max_cost", "location", "dry_run"];

impl AskedRun {
    /// The run that `body` asks for: `kind`, what every kind has, and the fields of the kind, which
    /// are called as the command's arguments are, with `_` for `-`. The error says which field is
    /// wrong, and how.
    pub fn read(body: Value) -> Result<Self, String> {
        let Value::Object(mut fields) = body else {
            return Err("expected an object with `kind` and what that kind takes".to_owned());
        };
        let mut words = fields.clone();
        words.remove("dry_run");
        let kind = fields.remove("kind");
        let common: Map<String, Value> = COMMON
            .iter()
            .filter_map(|key| fields.remove_entry(*key))
            .collect();
        let common: Common = of(common)?;
        let kind = match kind.as_ref().and_then(Value::as_str) {
            Some("bench") => Kind::Bench(of(fields)?),
            Some("load") => Kind::Load(of(fields)?),
            Some("probe") => Kind::Probe(of(fields)?),
            Some("eval") => Kind::Eval(of(fields)?),
            _ => return Err(format!("`kind` is one of {}", KINDS.join(", "))),
        };
        let asked = Self {
            kind,
            run: common.run,
            seed: common.seed,
            max_cost: common.max_cost,
            location: common.location,
            dry_run: common.dry_run,
            words,
        };
        asked.check()?;
        Ok(asked)
    }

    /// Whether it is within what may be asked.
    fn check(&self) -> Result<(), String> {
        if self.run.as_deref().is_some_and(|name| !is_run_name(name)) {
            return Err("`run` may have letters, digits and . _ - only, 100 at most".to_owned());
        }
        let cost = self.max_cost.unwrap_or(0.0);
        if !cost.is_finite() || cost < 0.0 {
            return Err("`max_cost` is a number of US dollars".to_owned());
        }
        short("location", self.location.as_slice())?;
        match &self.kind {
            Kind::Bench(wish) => of_bench(wish),
            Kind::Load(wish) => of_load(wish),
            Kind::Probe(wish) => of_probe(wish),
            Kind::Eval(wish) => of_eval(wish),
        }
    }
}

fn of<T: DeserializeOwned>(fields: Map<String, Value>) -> Result<T, String> {
    T::deserialize(Value::Object(fields)).map_err(|error| error.to_string())
}

fn within<T: PartialOrd + std::fmt::Display>(
    name: &str,
    given: T,
    (least, most): (T, T),
) -> Result<(), String> {
    if least <= given && given <= most {
        Ok(())
    } else {
        Err(format!("`{name}` is a number from {least} to {most}"))
    }
}

fn tokens(name: &str, given: Option<u64>) -> Result<(), String> {
    within(name, given.unwrap_or(1), (1, TOKENS_MAX))
}

fn short(name: &str, texts: &[String]) -> Result<(), String> {
    let sound = |text: &String| text.len() <= NAME_MAX && !text.chars().any(char::is_control);
    if texts.len() <= NAMED_MAX && texts.iter().all(sound) {
        Ok(())
    } else {
        Err(format!(
            "`{name}`: {NAMED_MAX} names at most, each a line of {NAME_MAX} bytes at most"
        ))
    }
}

fn routes(
    models: &[String],
    providers: &[String],
    regions: &[String],
    must: bool,
) -> Result<(), String> {
    if must && models.is_empty() {
        return Err("name at least one model: `models`".to_owned());
    }
    short("models", models)?;
    short("providers", providers)?;
    short("regions", regions)
}

fn warmth(given: Option<f64>) -> Result<(), String> {
    within("temperature", given.unwrap_or(0.0), (0.0, 2.0))
}

fn of_bench(wish: &bench::Wish) -> Result<(), String> {
    routes(&wish.models, &wish.providers, &wish.regions, true)?;
    within("iterations", wish.iterations, (1, ROUNDS_MAX))?;
    within("pairs", wish.pairs.unwrap_or(1), (1, ROUNDS_MAX))?;
    within("warm_ups", wish.warm_ups, (0, 1_000))?;
    within("cache_turns", wish.cache_turns, (1, 100))?;
    within("sweep_tokens", wish.sweep_tokens.len(), (0, 32))?;
    wish.sweep_tokens
        .iter()
        .try_for_each(|limit| tokens("sweep_tokens", Some(*limit)))?;
    tokens("max_tokens", wish.max_tokens)?;
    tokens("prompt_tokens", wish.prompt_tokens)?;
    warmth(wish.temperature)
}

fn of_load(wish: &load::Wish) -> Result<(), String> {
    routes(&wish.models, &wish.providers, &wish.regions, true)?;
    if wish.rate.is_some() && wish.users.is_some() {
        return Err("`rate` or `users`, not both".to_owned());
    }
    let load = |name, given: Option<f64>| within(name, given.unwrap_or(1.0), (0.01, LOAD_MAX));
    load("rate", wish.rate)?;
    load("users", wish.users.map(f64::from))?;
    load("start", wish.start)?;
    load("max", wish.max)?;
    for (name, span) in [
        ("think", wish.think),
        ("ramp", wish.ramp),
        ("duration", wish.duration),
        ("cool", wish.cool),
        ("sla", wish.sla),
        ("first_token_sla", wish.first_token_sla),
        ("timeout", wish.timeout),
    ] {
        if span.is_some_and(|span| span.as_secs() > SECONDS_MAX) {
            return Err(format!("`{name}` is at most 1h"));
        }
    }
    let share =
        |name, given: Option<f64>, least| within(name, given.unwrap_or(least), (least, 1.0));
    share("within", wish.within, 0.5)?;
    if wish.within.is_some_and(|within| within >= 1.0) {
        return Err("`within` is under 1".to_owned());
    }
    share("max_errors", wish.max_errors, 0.0)?;
    share("resolution", Some(wish.resolution), 0.001)?;
    within("warm_ups", wish.warm_ups.unwrap_or(0), (0, 1_000))?;
    within("max_in_flight", wish.max_in_flight, (1, 10_000))?;
    tokens("prompt_tokens", wish.prompt_tokens)?;
    tokens("max_tokens", wish.max_tokens)?;
    warmth(wish.temperature)
}

fn of_probe(wish: &probing::Wish) -> Result<(), String> {
    routes(&wish.models, &wish.providers, &wish.regions, false)?;
    within("max_tokens", wish.max_tokens, (1, 1_000))
}

fn of_eval(wish: &eval::Wish) -> Result<(), String> {
    routes(&wish.models, &wish.providers, &wish.regions, true)?;
    short("scorer", &wish.scorer)?;
    short("group_by", &wish.group_by)?;
    within("trials", wish.trials, (1, 1_000))?;
    within("concurrency", wish.concurrency, (1, 256))?;
    tokens("max_tokens", Some(wish.max_tokens))?;
    warmth(wish.temperature)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_not_said_is_as_on_the_command_line() {
        let asked = AskedRun::read(json!({"kind": "bench", "models": ["m"]})).unwrap();
        let Kind::Bench(wish) = asked.kind else {
            panic!("a benchmark");
        };
        let usual = bench::Wish::default();
        assert_eq!(wish.iterations, 30);
        assert_eq!(
            wish,
            bench::Wish {
                models: vec!["m".to_owned()],
                ..usual
            }
        );
        assert!(!asked.dry_run);
    }

    #[test]
    fn what_is_wrong_is_told_by_its_field() {
        for (body, says) in [
            (json!([]), "`kind`"),
            (json!({"models": ["m"]}), "one of bench, load, probe, eval"),
            (json!({"kind": "rm", "models": ["m"]}), "one of bench"),
            (json!({"kind": "bench"}), "at least one model"),
            (json!({"kind": "bench", "models": "m"}), "invalid type"),
            (
                json!({"kind": "bench", "models": ["m"], "out": "/"}),
                "unknown field `out`",
            ),
            (
                json!({"kind": "bench", "models": ["m"], "prompts": "/etc/passwd"}),
                "unknown field",
            ),
            (
                json!({"kind": "bench", "models": ["m"], "run": "../x"}),
                "`run`",
            ),
            (
                json!({"kind": "bench", "models": ["m"], "iterations": 0}),
                "`iterations`",
            ),
            (
                json!({"kind": "bench", "models": ["m"], "iterations": 4_000_000_000_u32}),
                "`iterations`",
            ),
            (
                json!({"kind": "bench", "models": ["m"], "prompt_tokens": 1_000_000_000_u32}),
                "`prompt_tokens`",
            ),
            (
                json!({"kind": "bench", "models": ["m"], "max_cost": -1}),
                "`max_cost`",
            ),
            (json!({"kind": "bench", "models": ["m\n"]}), "`models`"),
            (
                json!({"kind": "bench", "models": vec!["m"; 65]}),
                "`models`",
            ),
            (
                json!({"kind": "load", "models": ["m"], "rate": 1e9}),
                "`rate`",
            ),
            (
                json!({"kind": "load", "models": ["m"], "rate": 1, "users": 1}),
                "not both",
            ),
            (
                json!({"kind": "load", "models": ["m"], "duration": "2h"}),
                "`duration`",
            ),
            (
                json!({"kind": "load", "models": ["m"], "duration": 5}),
                "invalid type",
            ),
            (
                json!({"kind": "load", "models": ["m"], "duration": "soon"}),
                "a span",
            ),
            (
                json!({"kind": "load", "models": ["m"], "trace": "/etc/passwd"}),
                "unknown field",
            ),
            (
                json!({"kind": "probe", "max_tokens": 1_000_000}),
                "`max_tokens`",
            ),
            (
                json!({"kind": "eval", "models": ["m"], "trials": 0}),
                "`trials`",
            ),
            (
                json!({"kind": "eval", "models": ["m"], "keep_answers": "/tmp"}),
                "unknown field",
            ),
        ] {
            let told = AskedRun::read(body.clone()).unwrap_err();
            assert!(told.contains(says), "{body}: {told}");
        }
    }
}
