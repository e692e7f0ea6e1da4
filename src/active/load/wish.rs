//! What a load is asked for with, on the command line and on the page alike: it becomes a plan.

use std::time::Duration;

use serde::{Deserialize, Deserializer};

use super::bounds::fits;
use super::plan::Plan;
use crate::active::targets::Wanted;
use crate::config::duration;
use crate::config::settings::Settings;
use crate::record::{Name, Nanos};
use crate::workload::prompts::Pool;
use crate::workload::sizes::{Percentile, Sizes};
use crate::workload::spec::{Demand, Workload};
use crate::workload::sweep::Rule;
use crate::workload::trace::Trace;

/// A load as it is asked for: what it says goes before what the workload says.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Wish {
    /// Models, as applications ask for them; each route is measured on its own.
    pub models: Vec<String>,
    /// Only these providers.
    pub providers: Vec<String>,
    /// Only providers of these regions.
    pub regions: Vec<String>,
    /// Open loop: requests per second.
    pub rate: Option<f64>,
    /// Send evenly, instead of by chance.
    pub constant: bool,
    /// Closed loop: users at once.
    pub users: Option<u32>,
    /// How long a user thinks between an answer and the next request.
    #[serde(deserialize_with = "span")]
    pub think: Option<Duration>,
    /// As recorded, instead of the workload's lengths and its demand.
    #[serde(skip)]
    pub trace: Option<Trace>,
    /// From nothing to the full load.
    #[serde(deserialize_with = "span")]
    pub ramp: Option<Duration>,
    /// At the full load: what is measured.
    #[serde(deserialize_with = "span")]
    pub duration: Option<Duration>,
    /// At the full load after it.
    #[serde(deserialize_with = "span")]
    pub cool: Option<Duration>,
    /// Requests before, that open connections.
    pub warm_ups: Option<u32>,
    /// The last token comes within this time of the intended start.
    #[serde(deserialize_with = "span")]
    pub sla: Option<Duration>,
    /// The first token does.
    #[serde(deserialize_with = "span")]
    pub first_token_sla: Option<Duration>,
    /// The share of requests that must be served so.
    pub within: Option<f64>,
    /// The share of requests that may fail.
    pub max_errors: Option<f64>,
    /// Search the highest load at which the level holds.
    pub sweep: bool,
    /// The load that a search begins with.
    pub start: Option<f64>,
    /// No load over it is tried.
    pub max: Option<f64>,
    /// How near a search comes to the truth, as a share of the load.
    pub resolution: f64,
    /// Prompts of about so many tokens.
    pub prompt_tokens: Option<u64>,
    /// Answers of at most so many tokens.
    pub max_tokens: Option<u64>,
    /// Requests per minute that the provider allows.
    pub rpm_limit: Option<u64>,
    /// Tokens per minute that it allows.
    pub tpm_limit: Option<u64>,
    /// A request that is not answered by then has failed.
    #[serde(deserialize_with = "span")]
    pub timeout: Option<Duration>,
    /// Requests at once of an open loop, at most.
    pub max_in_flight: usize,
    /// The temperature; none is sent where there is none.
    pub temperature: Option<f64>,
    /// What is asked; the shipped topics otherwise.
    #[serde(skip)]
    pub pool: Option<Pool>,
}

impl Default for Wish {
    fn default() -> Self {
        Self {
            models: Vec::new(),
            providers: Vec::new(),
            regions: Vec::new(),
            rate: None,
            constant: false,
            users: None,
            think: None,
            trace: None,
            ramp: None,
            duration: None,
            cool: None,
            warm_ups: None,
            sla: None,
            first_token_sla: None,
            within: None,
            max_errors: None,
            sweep: false,
            start: None,
            max: None,
            resolution: 0.1,
            prompt_tokens: None,
            max_tokens: None,
            rpm_limit: None,
            tpm_limit: None,
            timeout: None,
            max_in_flight: 10_000,
            temperature: None,
            pool: None,
        }
    }
}

/// How long a request waits for its answer where nothing is said.
const PATIENCE: Duration = Duration::from_mins(1);
/// No load over so many times the first one is searched where nothing is said.
const SEARCHED: f64 = 64.0;

/// Reads a span such as "30s".
fn span<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
    let text = Option::<String>::deserialize(from)?;
    let read = |text: String| {
        duration(&text).ok_or_else(|| {
            serde::de::Error::custom("expected a span such as \"500ms\", \"30s\" or \"5m\"")
        })
    };
    text.map(read).transpose()
}

impl Wish {
    /// The plan of a run of that name and seed, over `workload`.
    pub fn plan(
        &self,
        workload: Workload,
        settings: &Settings,
        run: Name,
        seed: u64,
    ) -> Result<Plan, String> {
        let mut load = workload;
        self.change(&mut load)?;
        if let (Some(trace), None) = (&self.trace, self.duration) {
            // All of it, where nobody says how much.
            load.phases.sustain = Nanos(trace.length().0.saturating_add(1));
        }
        let wanted = Wanted {
            models: self.models.clone(),
            providers: self.providers.clone(),
            regions: self.regions.clone(),
        };
        let targets = wanted
            .targets(settings)
            .map_err(|fault| fault.to_string())?;
        let plan = Plan {
            run,
            seed,
            targets,
            search: if self.sweep {
                Some(self.rule(&load)?)
            } else {
                None
            },
            workload: load,
            trace: self.trace.clone(),
            patience: self.timeout.unwrap_or(PATIENCE),
            in_flight_max: self.max_in_flight,
            temperature: self.temperature,
            pool: self.pool.clone().unwrap_or_else(Pool::shipped),
            rpm_limit: self.rpm_limit,
            tpm_limit: self.tpm_limit,
        };
        fits(&plan, settings.limits.request_body_bytes)?;
        Ok(plan)
    }

    fn rule(&self, load: &Workload) -> Result<Rule, String> {
        let (own, whole) = match load.demand {
            Demand::Users { count, .. } => (f64::from(count), true),
            Demand::Rate { rate, .. } => (rate, false),
        };
        if let (Some(start), Some(max)) = (self.start, self.max)
            && start > max
        {
            return Err(format!(
                "--start {start} is over --max {max}, and no load over that is tried"
            ));
        }
        let start = self.start.unwrap_or(own);
        Ok(Rule {
            start,
            max: self.max.unwrap_or(start * SEARCHED),
            resolution: self.resolution,
            whole,
        })
    }

    fn change(&self, load: &mut Workload) -> Result<(), String> {
        let nanos = |span: Duration| Nanos(u64::try_from(span.as_nanos()).unwrap_or(u64::MAX));
        let put = |to: &mut Nanos, span: Option<Duration>| {
            if let Some(span) = span {
                *to = nanos(span);
            }
        };
        put(&mut load.phases.ramp, self.ramp);
        put(&mut load.phases.sustain, self.duration);
        put(&mut load.phases.cool, self.cool);
        put(&mut load.sla.latency, self.sla);
        if let Some(first) = self.first_token_sla {
            load.sla.first_token = Some(nanos(first));
        }
        load.sla.within = self.within.unwrap_or(load.sla.within);
        load.sla.error_share = self.max_errors.unwrap_or(load.sla.error_share);
        load.warm_ups = self.warm_ups.unwrap_or(load.warm_ups);
        if let Some(rate) = self.rate {
            // How requests arrive stays as the workload says; only how many does not.
            let constant = matches!(load.demand, Demand::Rate { constant: true, .. });
            load.demand = Demand::Rate { rate, constant };
        }
        if let Some(count) = self.users {
            let think = match load.demand {
                Demand::Users { think, .. } => think,
                Demand::Rate { .. } => Nanos(0),
            };
            load.demand = Demand::Users { count, think };
        }
        match &mut load.demand {
            Demand::Rate { .. } if self.think.is_some() => {
                return Err(
                    "--think is of users, and this load sends by a rate: say --users N, or \
                            leave --think out"
                        .to_owned(),
                );
            }
            Demand::Users { .. } if self.constant => {
                return Err(
                    "--constant is of requests by a rate, and this load is of users at \
                            once: say --rate N, or leave --constant out"
                        .to_owned(),
                );
            }
            Demand::Rate { constant, .. } => *constant |= self.constant,
            Demand::Users { think, .. } => put(think, self.think),
        }
        self.resize(load)?;
        if load.phases.sustain.0 == 0 || load.sla.latency.0 == 0 {
            return Err("--duration and --sla must be over zero".to_owned());
        }
        Ok(())
    }

    /// Lengths that are said go before those of the workload.
    fn resize(&self, load: &mut Workload) -> Result<(), String> {
        if self.prompt_tokens.is_none() && self.max_tokens.is_none() {
            return Ok(());
        }
        let changed = |of: &Percentile| Percentile {
            input_tokens: self.prompt_tokens.unwrap_or(of.input_tokens),
            output_tokens: self.max_tokens.unwrap_or(of.output_tokens),
            ..*of
        };
        let mut sizes: Vec<Percentile> = load.sizes.percentiles().iter().map(changed).collect();
        if self.prompt_tokens.is_some() && self.max_tokens.is_some() {
            // Below the first percentile lengths are spread; what is said exactly is not.
            let exact = Percentile {
                percentile: f64::MIN_POSITIVE,
                ..sizes[0]
            };
            sizes.insert(0, exact);
        }
        load.sizes =
            Sizes::new(sizes).map_err(|fault| format!("no lengths of requests: {fault:?}"))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::workload;

    #[test]
    fn how_requests_arrive_stays_as_the_workload_says() {
        let constant = Demand::Rate {
            rate: 2.0,
            constant: true,
        };
        let chance = Demand::Rate {
            rate: 2.0,
            constant: false,
        };
        let users = Demand::Users {
            count: 3,
            think: Nanos(0),
        };
        for (demand, said, expected) in [
            (constant, false, true),
            (constant, true, true),
            (chance, false, false),
            (chance, true, true),
            (users, false, false),
            (users, true, true),
        ] {
            let mut load = workload::read(workload::CHAT, "chat.yaml").unwrap();
            load.demand = demand;
            let wish = Wish {
                rate: Some(40.0),
                constant: said,
                ..Wish::default()
            };
            wish.change(&mut load).unwrap();
            let found = Demand::Rate {
                rate: 40.0,
                constant: expected,
            };
            assert_eq!(load.demand, found, "{demand:?} {said}");
        }
    }
}
