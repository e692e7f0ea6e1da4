//! Lays out a load: which routes, who asks, through which phases, and which loads are searched.

use std::time::Duration;

use crate::active::targets::Target;
use crate::record::{Name, Nanos};
use crate::statistics::compare::Random;
use crate::statistics::interval::ALPHA;
use crate::statistics::quantile::minimum_count;
use crate::workload::agenda::{Agenda, Enough, Users};
use crate::workload::prompts::{Pool, mixed};
use crate::workload::schedule::{Arrivals, Phases, Schedule};
use crate::workload::sizes::Size;
use crate::workload::spec::{Demand, Workload};
use crate::workload::sweep::Rule;
use crate::workload::trace::Trace;

/// A load.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// The run's name.
    pub run: Name,
    /// Seed of prompts, lengths and arrivals.
    pub seed: u64,
    /// The routes, each measured on its own, one after the other.
    pub targets: Vec<Target>,
    /// The load.
    pub workload: Workload,
    /// Requests as they were recorded, instead of the workload's lengths and its demand.
    pub trace: Option<Trace>,
    /// How the highest load is searched for, where it is.
    pub search: Option<Rule>,
    /// A request that is not answered by then is given up, and counted as failed.
    pub patience: Duration,
    /// Requests at once, at most: those beyond are not sent, and counted as failed.
    pub in_flight_max: usize,
    /// The temperature, where one is sent.
    pub temperature: Option<f64>,
    /// What is asked.
    pub pool: Pool,
    /// Requests per minute that the provider allows, where the user says so.
    pub rpm_limit: Option<u64>,
    /// Tokens per minute that it allows.
    pub tpm_limit: Option<u64>,
}

/// How long the request of a number is to be, and its answer.
#[derive(Debug, Clone, Copy)]
pub struct Sizing<'a> {
    plan: &'a Plan,
}

/// A step of a run: one load, through its phases.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step {
    /// Its number in the run, from 0.
    pub number: u32,
    /// Who asks; of a trace the rate is that of its requests.
    pub demand: Demand,
    /// Its phases.
    pub phases: Phases,
    /// With what it is over before them: of users, who ask the sooner the sooner they are answered,
    /// where a load is searched for.
    pub enough: Option<Enough>,
}

impl Step {
    /// The same, twice as long at the full load.
    #[must_use]
    pub fn twice(mut self) -> Self {
        let double = |of: Nanos| Nanos(of.0.saturating_mul(2));
        self.phases.sustain = double(self.phases.sustain);
        if let Some(enough) = &mut self.enough {
            enough.requests = enough.requests.saturating_mul(2);
            enough.least = double(enough.least);
        }
        self
    }

    /// The shortest time that it takes.
    #[must_use]
    pub fn shortest(&self) -> Nanos {
        let sustain = self.enough.map_or(self.phases.sustain, |of| of.least);
        let phases = Phases {
            sustain: sustain.min(self.phases.sustain),
            ..self.phases
        };
        phases.total()
    }

    /// The load as one number: requests per second, or users.
    #[must_use]
    pub fn load(&self) -> f64 {
        match self.demand {
            Demand::Users { count, .. } => f64::from(count),
            Demand::Rate { rate, .. } => rate,
        }
    }

    /// The load in words.
    #[must_use]
    pub fn label(&self) -> String {
        match self.demand {
            Demand::Users { count, .. } => format!("{count} users"),
            Demand::Rate { rate, .. } => format!("{}/s", (rate * 1e3).round() / 1e3),
        }
    }
}

/// How many times as many requests a step of a search has as the fewest by which a level can be
/// shown to hold: a few failures among them are not the end of it.
const ENOUGH: f64 = 2.5;

impl Plan {
    /// Lengths of this plan's requests.
    #[must_use]
    pub const fn sizing(&self) -> Sizing<'_> {
        Sizing { plan: self }
    }

    /// Tokens of the longest prompt that may be sent.
    #[must_use]
    pub fn longest_prompt(&self) -> u64 {
        let of_trace = |trace: &Trace| trace.sizes.iter().map(|size| size.input_tokens).max();
        let longest = self.workload.sizes.percentiles().last();
        let longest = longest.map_or(0, |last| last.input_tokens);
        // Warm-ups ask for lengths of the trace too.
        self.trace.as_ref().and_then(of_trace).unwrap_or(longest)
    }

    /// The step number `number`; `load` replaces the demand's own where it is searched for.
    #[must_use]
    pub fn step(&self, number: u32, load: Option<f64>) -> Step {
        let demand = match (&self.trace, self.workload.demand, load) {
            (Some(trace), ..) => Demand::Rate {
                rate: rate_of(trace, self.workload.phases.sustain),
                constant: false,
            },
            (None, demand, None) => demand,
            (None, Demand::Users { think, .. }, Some(users)) => Demand::Users {
                count: users as u32,
                think,
            },
            (None, Demand::Rate { constant, .. }, Some(rate)) => Demand::Rate { rate, constant },
        };
        let mut phases = self.workload.phases;
        if self.trace.is_some() {
            // What was recorded has its own beginning and end.
            phases = Phases {
                sustain: phases.sustain,
                ..Phases::default()
            };
        }
        let asked = phases.sustain;
        if load.is_some() {
            phases.sustain = asked.max(self.least(demand));
        }
        let enough = matches!(demand, Demand::Users { .. }).then(|| Enough {
            requests: self.fewest().ceil() as u64,
            least: asked,
        });
        Step {
            number,
            demand,
            phases,
            enough: enough.filter(|_| load.is_some()),
        }
    }

    /// Requests of a step of a search.
    fn fewest(&self) -> f64 {
        minimum_count(self.workload.sla.within, ALPHA).unwrap_or_default() as f64 * ENOUGH
    }

    /// How long a step must last at most for enough requests; users ask as often as they must for
    /// the level to hold.
    fn least(&self, demand: Demand) -> Nanos {
        let sla = &self.workload.sla;
        let fewest = self.fewest();
        let seconds = match demand {
            Demand::Rate { rate, .. } => fewest / rate,
            Demand::Users { count, think } => {
                let each = Nanos(sla.latency.0 + think.0).as_secs();
                fewest * each / f64::from(count.max(1))
            }
        };
        Nanos((seconds * 1e9) as u64)
    }

    /// When the requests of `step` are due.
    #[must_use]
    pub fn agenda(&self, step: &Step) -> Agenda {
        let arrivals = match (&self.trace, step.demand) {
            (Some(trace), _) => Arrivals::Recorded(trace.offsets.clone()),
            (None, Demand::Users { count, think }) => {
                let users = Users::new(count, think, step.phases);
                return Agenda::Closed(users.until(step.enough));
            }
            (None, Demand::Rate { rate, constant }) if constant => Arrivals::Constant { rate },
            (None, Demand::Rate { rate, .. }) => Arrivals::Poisson { rate },
        };
        let seed = mixed(self.seed, u64::from(step.number));
        Agenda::open(Schedule::new(arrivals, step.phases, seed))
    }
}

/// Requests per second of the trace within the time that is measured.
fn rate_of(trace: &Trace, sustain: Nanos) -> f64 {
    let within = trace.offsets.partition_point(|at| *at < sustain);
    let seconds = sustain.min(trace.length()).as_secs();
    if seconds > 0.0 {
        within as f64 / seconds
    } else {
        within as f64
    }
}

impl Sizing<'_> {
    /// The size of the request number `index` of a step: every step has the same ones, so that
    /// loads differ in nothing but the load.
    #[must_use]
    pub fn of(&self, index: u32) -> Size {
        let plan = self.plan;
        if let Some(trace) = &plan.trace
            && let Some(size) = trace.sizes.get(index as usize)
        {
            return *size;
        }
        let seed = mixed(plan.seed ^ 0x7369_7a65, u64::from(index));
        plan.workload.sizes.draw(&mut Random::new(seed))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::routing::route::RouteKey;
    use crate::workload::agenda::Due;
    use crate::workload::sizes::{Percentile, Sizes};
    use crate::workload::spec::Sla;

    pub(crate) fn plan(demand: Demand) -> Plan {
        let sizes = Sizes::new(vec![
            Percentile {
                percentile: 50.0,
                input_tokens: 20,
                output_tokens: 10,
            },
            Percentile {
                percentile: 99.0,
                input_tokens: 40,
                output_tokens: 30,
            },
        ]);
        Plan {
            run: Name::from("r"),
            seed: 7,
            targets: vec![Target {
                model: Name::from("m"),
                route: RouteKey::new("p", Some(Name::from("there"))),
                is_router: false,
                region: None,
                completion_limit: false,
                asks_usage: true,
            }],
            workload: Workload {
                name: "w".to_owned(),
                version: "1".to_owned(),
                description: String::new(),
                sizes: sizes.unwrap(),
                sla: Sla {
                    latency: Nanos::from_millis(2_000),
                    first_token: None,
                    within: 0.95,
                    error_share: 0.01,
                },
                demand,
                warm_ups: 0,
                phases: Phases {
                    ramp: Nanos::from_millis(1_000),
                    sustain: Nanos::from_millis(10_000),
                    cool: Nanos(0),
                },
            },
            trace: None,
            search: None,
            patience: Duration::from_mins(1),
            in_flight_max: 100,
            temperature: None,
            pool: Pool::shipped(),
            rpm_limit: None,
            tpm_limit: None,
        }
    }

    #[test]
    fn a_searched_step_lasts_until_it_can_be_shown_to_hold() {
        let open = plan(Demand::Rate {
            rate: 1.0,
            constant: false,
        });
        let fewest = minimum_count(0.95, ALPHA).unwrap() as f64 * ENOUGH;
        for (load, seconds) in [(1.0, fewest), (2.0, fewest / 2.0), (1_000.0, 10.0)] {
            let step = open.step(3, Some(load));
            assert!(
                (step.phases.sustain.as_secs() - seconds).abs() < 1e-6,
                "{load}"
            );
            assert!((step.load() - load).abs() < 1e-9);
        }
        let closed = plan(Demand::Users {
            count: 1,
            think: Nanos::from_millis(500),
        });
        let step = closed.step(0, Some(4.0));
        assert!((step.phases.sustain.as_secs() - fewest * 2.5 / 4.0).abs() < 1e-6);
        // Users that are answered sooner are done sooner, and not before what was asked for.
        let enough = step.enough.unwrap();
        assert_eq!(enough.least, Nanos::from_millis(10_000));
        assert_eq!(enough.requests, fewest.ceil() as u64);
        assert_eq!(step.shortest(), Nanos::from_millis(11_000));
        let twice = step.twice();
        assert_eq!(twice.shortest(), Nanos::from_millis(21_000));
        assert_eq!(twice.phases.sustain.0, step.phases.sustain.0 * 2);
        assert_eq!(
            (open.step(3, Some(1.0)).enough, closed.step(0, None).enough),
            (None, None)
        );
        // What the user asked for alone lasts as long as was asked.
        assert_eq!(
            closed.step(0, None).phases.sustain,
            Nanos::from_millis(10_000)
        );
        assert_eq!(closed.step(0, None).label(), "1 users");
    }

    #[test]
    fn a_trace_is_asked_as_it_was_recorded() {
        let mut plan = plan(Demand::Rate {
            rate: 1.0,
            constant: false,
        });
        let size = |input_tokens| Size {
            input_tokens,
            output_tokens: 5,
        };
        plan.trace = Some(Trace {
            offsets: [0, 1_000, 4_000, 60_000].map(Nanos::from_millis).into(),
            sizes: vec![size(1), size(2), size(3), size(4)],
        });
        let step = plan.step(0, None);
        let mut agenda = plan.agenda(&step);
        let mut due = Vec::new();
        while let Due::At(at) = agenda.due() {
            due.push(at.0 / 1_000_000);
            agenda.sent();
        }
        assert_eq!(due, [0, 1_000, 4_000], "within the time that is measured");
        assert_eq!(plan.sizing().of(2), size(3));
        assert!((step.load() - 0.3).abs() < 1e-9, "{}", step.load());
    }

    #[test]
    fn every_step_asks_for_the_same_lengths() {
        let plan = plan(Demand::Rate {
            rate: 5.0,
            constant: true,
        });
        let all: Vec<Size> = (0..50).map(|index| plan.sizing().of(index)).collect();
        assert!(all.iter().any(|size| *size != all[0]));
        assert!(
            all.iter()
                .all(|size| (10..=40).contains(&size.input_tokens))
        );
        let again: Vec<Size> = (0..50).map(|index| plan.sizing().of(index)).collect();
        assert_eq!(all, again);
    }
}
