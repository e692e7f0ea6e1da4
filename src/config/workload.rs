//! Reads workload files: a load in YAML, JSON or TOML, or everything that is wrong with it.

use std::ops::Range;

use schemars::{Schema, SchemaGenerator, json_schema};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::kinds::{Number, Share};
use super::problem::{Finding, Findings, Problems, Severity};
use super::read::{At, Reader, Setting, table};
use super::yaml;
use crate::record::Nanos;
use crate::workload::schedule::Phases;
use crate::workload::sizes::{Percentile, Sizes, SizesFault};
use crate::workload::spec::{Demand, ERROR_SHARE, Sla, WITHIN, Workload};

table! {
    /// A workload file.
    RawFile {
        /// The load.
        benchmark_workload: RawWorkload,
    }
}

table! {
    /// A load.
    RawWorkload {
        /// What it is called.
        name: Word,
        /// The version of the file, so that results of two are not mixed.
        version: Word,
        /// What it stands for.
        description: Word,
        /// How long prompts and answers are, by percentiles.
        request_distribution: Vec<At<RawPercentile>>,
        /// Milliseconds from the intended start to the last token, at most.
        latency_sla_ms: Number,
        /// Milliseconds from the intended start to the first token, at most.
        first_token_sla_ms: Number,
        /// The share of requests that must be served so.
        served_within_sla: Share,
        /// The share of requests that may fail.
        error_rate_max: Share,
        /// Closed loop: users at once.
        concurrent_users: u64,
        /// Milliseconds that a user thinks between an answer and its next request.
        think_time_ms: Number,
        /// Open loop: requests per second.
        requests_per_second: Number,
        /// How they follow each other: `poisson` or `constant`.
        arrivals: Word,
        /// Requests before the ramp, that warm connections.
        warm_up_requests: u64,
        /// Seconds from nothing to the full load.
        ramp_up_seconds: Number,
        /// Seconds at the full load: what is measured.
        test_duration_seconds: Number,
        /// Seconds at the full load after it.
        cool_down_seconds: Number,
    }
}

table! {
    /// Lengths up to a percentile.
    RawPercentile {
        /// The percentile.
        percentile: Number,
        /// Tokens of the prompt there.
        input_tokens: u64,
        /// Tokens of the answer there.
        output_tokens: u64,
    }
}

/// A text, or a number that is meant as one (`version: 1.0`). A dollar sign is one.
#[derive(Debug)]
pub(super) struct Word(pub(super) String);

impl Setting for Word {
    fn read(value: &Spanned<DeValue<'_>>, reader: &mut Reader<'_>) -> Option<Self> {
        match value.get_ref() {
            DeValue::String(text) => Some(Self(text.to_string())),
            DeValue::Integer(number) => Some(Self(number.to_string())),
            DeValue::Float(number) => Some(Self(number.to_string())),
            _ => reader.mistyped(value, "a text"),
        }
    }

    fn schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["string", "number"] })
    }
}

/// The load that is sent where nobody names another one, as a file.
pub const CHAT: &str = include_str!("../../config/workloads/chat.yaml");

/// Users at most.
const USERS_MAX: u32 = 100_000;
/// Requests before the ramp, unless given.
const WARM_UPS: u32 = 10;
/// Seconds of the ramp, and of the end, unless given.
const RAMP_SECONDS: f64 = 30.0;
const COOL_SECONDS: f64 = 5.0;

/// The load of a file's text; `file` is for the messages, and its name says which language it is
/// in: YAML (`.yaml`, `.yml`), JSON (`.json`), and TOML otherwise.
pub fn read(text: &str, file: &str) -> Result<Workload, Problems> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let ending = file.rsplit_once('.').map(|(_, ending)| ending);
    let is_yaml = matches!(ending, Some("yaml" | "yml" | "json"));
    let tree = if is_yaml {
        of_yaml(text)
    } else {
        of_toml(text)
    };
    let problems = |findings: Findings| Problems {
        file: file.to_owned(),
        list: findings.locate(text),
    };
    let root = match tree {
        Ok(root) => root,
        Err((span, found, expected)) => {
            let mut findings = Findings::default();
            push(&mut findings, "", span, (found, expected));
            return Err(problems(findings));
        }
    };
    let no_env = |_: &str| None;
    let mut reader = Reader::new(&no_env);
    let raw = RawFile::read(&root, &mut reader).unwrap_or_default();
    let mut findings = reader.findings;
    let load = match raw.benchmark_workload {
        Some(At { value, span }) => Check {
            findings: &mut findings,
            table: span,
        }
        .load(value),
        None => {
            if !findings.has_under("benchmark_workload") {
                let expected = "a table with the load";
                let found = ("nothing".to_owned(), expected.to_owned());
                push(&mut findings, "benchmark_workload", 0..0, found);
            }
            None
        }
    };
    match load {
        Some(load) if findings.is_empty() => Ok(load),
        _ => Err(problems(findings)),
    }
}

type Syntax = (Range<usize>, String, String);

fn of_yaml(text: &str) -> Result<Spanned<DeValue<'_>>, Syntax> {
    yaml::read(text).map_err(|fault| (fault.span, fault.found, fault.expected))
}

fn of_toml(text: &str) -> Result<Spanned<DeValue<'_>>, Syntax> {
    let root = DeTable::parse(text).map_err(|error| {
        let span = error.span().unwrap_or(text.len()..text.len());
        let found = format!("a text that is not TOML: {}", error.message());
        (span, found, "TOML".to_owned())
    })?;
    Ok(Spanned::new(root.span(), DeValue::Table(root.into_inner())))
}

fn push(findings: &mut Findings, key: &str, span: Range<usize>, said: (String, String)) {
    findings.push(Finding {
        key_path: key.to_owned(),
        span: Some(span),
        found: said.0,
        expected: said.1,
        hint: None,
        severity: Severity::Error,
    });
}

/// Checks what one value alone does not show.
struct Check<'a> {
    findings: &'a mut Findings,
    /// Where the load stands.
    table: Range<usize>,
}

impl Check<'_> {
    fn load(&mut self, raw: RawWorkload) -> Option<Workload> {
        let ms = |number: f64| Nanos((number * 1e6) as u64);
        let seconds = |number: Option<At<Number>>, usual: f64| {
            Nanos((number.map_or(usual, |at| at.value.0) * 1e9) as u64)
        };
        let sizes = self.sizes(raw.request_distribution);
        let latency = self.positive("latency_sla_ms", raw.latency_sla_ms);
        let first_token = raw
            .first_token_sla_ms
            .and_then(|at| self.positive("first_token_sla_ms", Some(at)));
        let within = self.within(raw.served_within_sla);
        let sustain = self.positive("test_duration_seconds", raw.test_duration_seconds);
        let think = raw.think_time_ms.as_ref().map(|at| ms(at.value.0));
        let constant = self.arrivals(raw.arrivals);
        let demand = match (raw.concurrent_users, raw.requests_per_second) {
            (Some(users), None) => {
                let count = u32::try_from(users.value).ok();
                let count = count.filter(|count| (1..=USERS_MAX).contains(count));
                let found = users.value.to_string();
                let expected = format!("users from 1 to {USERS_MAX}");
                self.some("concurrent_users", users.span, &found, count, &expected)
                    .map(|count| Demand::Users {
                        count,
                        think: think.unwrap_or_default(),
                    })
            }
            (None, rate @ Some(_)) => {
                let rate = self.positive("requests_per_second", rate);
                rate.map(|rate| Demand::Rate { rate, constant })
            }
            (Some(_), Some(rate)) => {
                let expected = "it or concurrent_users, not both";
                self.some("requests_per_second", rate.span, "both", None, expected)
            }
            // One that cannot be read is told already.
            (None, None) if self.is_told(&["concurrent_users", "requests_per_second"]) => None,
            (None, None) => {
                let expected = "concurrent_users or requests_per_second";
                self.some("", self.table.clone(), "neither", None, expected)
            }
        };
        let text = |word: Option<At<Word>>| word.map(|at| at.value.0).unwrap_or_default();
        let name = text(raw.name);
        let name = self.some(
            "name",
            self.table.clone(),
            "nothing",
            (!name.is_empty()).then_some(name),
            "what the load is called",
        );
        let errors = raw.error_rate_max.map_or(ERROR_SHARE, |at| at.value.0);
        Some(Workload {
            name: name?,
            version: text(raw.version),
            description: text(raw.description),
            sizes: sizes?,
            sla: Sla {
                latency: ms(latency?),
                first_token: first_token.map(ms),
                within: within?,
                error_share: errors,
            },
            demand: demand?,
            warm_ups: raw
                .warm_up_requests
                .map_or(WARM_UPS, |at| at.value.min(u64::from(USERS_MAX)) as u32),
            phases: Phases {
                ramp: seconds(raw.ramp_up_seconds, RAMP_SECONDS),
                sustain: Nanos((sustain? * 1e9) as u64),
                cool: seconds(raw.cool_down_seconds, COOL_SECONDS),
            },
        })
    }

    /// Whether something is wrong at one of the keys already, or below it.
    fn is_told(&self, keys: &[&str]) -> bool {
        let path = |key: &&str| format!("benchmark_workload.{key}");
        keys.iter().any(|key| self.findings.has_at(&path(key)))
    }

    /// The value, or a problem at its key.
    fn some<T>(
        &mut self,
        key: &str,
        span: Range<usize>,
        found: &str,
        value: Option<T>,
        expected: &str,
    ) -> Option<T> {
        if value.is_none() {
            let path = if key.is_empty() {
                "benchmark_workload".to_owned()
            } else {
                format!("benchmark_workload.{key}")
            };
            let said = (found.to_owned(), expected.to_owned());
            push(self.findings, &path, span, said);
        }
        value
    }

    /// A number over zero that must be given.
    fn positive(&mut self, key: &str, given: Option<At<Number>>) -> Option<f64> {
        let (span, found, number) = match given {
            Some(At { value, span }) => (span, value.0.to_string(), Some(value.0)),
            None => (self.table.clone(), "nothing".to_owned(), None),
        };
        let number = number.filter(|number| *number > 0.0);
        self.some(key, span, &found, number, "a number over zero")
    }

    fn within(&mut self, given: Option<At<Share>>) -> Option<f64> {
        let Some(At { value, span }) = given else {
            return Some(WITHIN);
        };
        let share = Some(value.0).filter(|share| (0.5..1.0).contains(share));
        let expected = "a share from 0.5 to under 1, such as 0.95: of all, no number of requests \
                        can be proof";
        let found = value.0.to_string();
        self.some("served_within_sla", span, &found, share, expected)
    }

    fn arrivals(&mut self, given: Option<At<Word>>) -> bool {
        let Some(At { value, span }) = given else {
            return false;
        };
        let constant = match value.0.as_str() {
            "poisson" => Some(false),
            "constant" => Some(true),
            _ => None,
        };
        let found = format!("\"{}\"", value.0);
        self.some("arrivals", span, &found, constant, "poisson or constant")
            .unwrap_or_default()
    }

    fn sizes(&mut self, given: Option<At<Vec<At<RawPercentile>>>>) -> Option<Sizes> {
        let key = "request_distribution";
        let Some(At { value: list, span }) = given else {
            let expected = "percentiles, such as { percentile: 50, input_tokens: 200, \
                            output_tokens: 150 }";
            return self.some(key, self.table.clone(), "nothing", None, expected);
        };
        let mut percentiles = Vec::new();
        for (index, at) in list.iter().enumerate() {
            let whole = |number: &Option<At<u64>>| number.as_ref().map(|at| at.value);
            let of = &at.value;
            let found = of.percentile.as_ref().map(|at| at.value.0);
            match (found, whole(&of.input_tokens), whole(&of.output_tokens)) {
                (Some(percentile), Some(input_tokens), Some(output_tokens)) => {
                    percentiles.push(Percentile {
                        percentile,
                        input_tokens,
                        output_tokens,
                    });
                }
                _ => {
                    let key = format!("{key}[{index}]");
                    if self.is_told(&[&key]) {
                        continue;
                    }
                    let expected = "percentile, input_tokens and output_tokens";
                    self.some::<()>(&key, at.span.clone(), "a part of it", None, expected);
                }
            }
        }
        if percentiles.len() < list.len() {
            return None;
        }
        let fault = match Sizes::new(percentiles) {
            Ok(sizes) => return Some(sizes),
            Err(fault) => fault,
        };
        let (index, found, expected) = match fault {
            SizesFault::Empty => (None, "none", "one percentile at least"),
            SizesFault::Percentile(index) => (
                Some(index),
                "a percentile out of place",
                "over the one before it, over 0 and up to 100",
            ),
            SizesFault::Falling(index) => (
                Some(index),
                "fewer tokens than at the percentile before it",
                "as many tokens or more",
            ),
            SizesFault::Zero(index) => (Some(index), "0 tokens", "1 or more of both"),
            SizesFault::Long(index) => (
                Some(index),
                "more tokens than any model takes",
                "10000000 at most of both",
            ),
        };
        let place = index.and_then(|index| list.get(index));
        let span = place.map_or(span, |at| at.span.clone());
        let key = index.map_or(key.to_owned(), |index| format!("{key}[{index}]"));
        self.some(&key, span, found, None, expected)
    }
}

#[cfg(test)]
#[path = "workload_tests.rs"]
mod tests;
