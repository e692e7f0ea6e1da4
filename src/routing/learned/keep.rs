//! Takes what was learned apart into plain values to be kept over a restart, and puts it together
//! again, as old as it is then.

use crate::record::{KeyedHash, Moment, Name, Nanos};
use crate::routing::route::RouteKey;
use crate::statistics::filter::{Belief, Chance, LogFilter, LogTuning};

use super::LearnedTuning;
use super::board::Learned;
use super::epoch::Epoch;
use super::recent::{RecentSpans, Stratum};
use super::route::RouteLearned;
use super::slope::Slope;

/// What is kept of what was learned.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct KeptLearned {
    /// Routes.
    pub routes: Vec<KeptRoute>,
    /// Lengths of answers: model, client, mean of the logarithm, how many.
    pub lengths: Vec<(Name, Option<KeyedHash>, f64, u64)>,
}

/// What is kept of one route.
#[derive(Debug, Clone, PartialEq)]
pub struct KeptRoute {
    /// The route.
    pub route: RouteKey,
    /// The belief of the first token, how many observations, how old the last.
    pub level: Option<KeptFilter>,
    /// The same of the time per output token.
    pub per_token: Option<KeptFilter>,
    /// Discounted successes and failures.
    pub success: (f64, f64),
    /// The sums of the slope.
    pub slope: (f64, f64),
    /// The size around which prompts lately were.
    pub middle: Option<f64>,
    /// The same of reasoning.
    pub reasoning: (f64, f64),
    /// Milliseconds that connecting takes.
    pub setup_ms: Option<f64>,
    /// The last spans to the first token: stratum, age, milliseconds.
    pub recent: Vec<(u8, Nanos, u32)>,
    /// The model that answers there.
    pub answered: Option<Name>,
}

/// What is kept of a filter.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct KeptFilter {
    /// The belief as of the last observation.
    pub belief: Belief,
    /// How many observations.
    pub count: u64,
    /// How old the last one is.
    pub age: Nanos,
}

impl Learned {
    /// What is to be kept as of `now`.
    #[must_use]
    pub fn keep(&self, now: Moment) -> KeptLearned {
        let filter = |filter: &LogFilter, tuning: &LogTuning| KeptFilter {
            belief: filter.belief(tuning, filter.at()),
            count: filter.count(),
            age: now.since(filter.at()),
        };
        let tuning = self.tuning();
        let mut routes: Vec<KeptRoute> = self
            .routes()
            .map(|(route, learned)| KeptRoute {
                route: route.clone(),
                level: learned
                    .level
                    .as_ref()
                    .map(|of| filter(of, &tuning.first_token)),
                per_token: learned
                    .per_token
                    .as_ref()
                    .map(|of| filter(of, &tuning.per_token)),
                success: learned.success.counts(),
                slope: learned.slope.sums(),
                middle: learned.slope.middle(),
                reasoning: learned.reasoning.sums(),
                setup_ms: learned.setup.millis,
                recent: spans(&learned.recent, now),
                answered: learned.epoch.current().cloned(),
            })
            .collect();
        routes.sort_by(|a, b| a.route.cmp(&b.route));
        let mut lengths: Vec<_> = self
            .lengths
            .means()
            .map(|(model, client, mean, count)| (model.clone(), client, mean, count))
            .collect();
        lengths.sort_by(|a, b| (&a.0, a.1).cmp(&(&b.0, b.1)));
        KeptLearned { routes, lengths }
    }

    /// What was learned as it was kept `age` ago. Time that has passed makes it less sure, as it
    /// would have without a restart; as far back as this run's clock reaches.
    #[must_use]
    pub fn restore(tuning: LearnedTuning, kept: &KeptLearned, age: Nanos, now: Moment) -> Self {
        let mut learned = Self::new(tuning);
        for of in &kept.routes {
            let route = restored(of, &tuning, age, now);
            learned.keep_route(of.route.clone(), route);
        }
        for (model, client, mean, count) in &kept.lengths {
            learned.lengths.keep(model.clone(), *client, *mean, *count);
        }
        learned
    }
}

fn spans(recent: &RecentSpans, now: Moment) -> Vec<(u8, Nanos, u32)> {
    let of = |stratum: Stratum| {
        let spans = recent.spans(stratum);
        spans.map(move |(at, millis)| (stratum as u8, now.since(at), millis))
    };
    Stratum::ALL.into_iter().flat_map(of).collect()
}

fn restored(kept: &KeptRoute, tuning: &LearnedTuning, age: Nanos, now: Moment) -> RouteLearned {
    let filter = |kept: &KeptFilter, tuning: &LogTuning| {
        // The clock of this run may not reach back so far: what is older is made as unsure.
        let hours = (kept.age.0.saturating_add(age.0)) as f64 / 3.6e12;
        let mut belief = kept.belief;
        belief.variance =
            (belief.variance + tuning.drift_per_hour * hours).min(tuning.variance_max);
        let sound = belief.mean.is_finite() && belief.variance >= 0.0 && belief.noise > 0.0;
        (sound && kept.count > 0).then(|| LogFilter::kept(belief, kept.count, now))
    };
    let slope = |(xy, xx): (f64, f64)| {
        let sound = xy.is_finite() && xx.is_finite() && xx >= 0.0;
        if sound {
            Slope::kept(xy, xx)
        } else {
            Slope::default()
        }
    };
    let mut learned = RouteLearned::new(now);
    learned.level = kept
        .level
        .as_ref()
        .and_then(|kept| filter(kept, &tuning.first_token));
    learned.per_token = kept
        .per_token
        .as_ref()
        .and_then(|kept| filter(kept, &tuning.per_token));
    learned.success = Chance::kept(kept.success.0, kept.success.1, now);
    learned.slope = slope(kept.slope).around(kept.middle);
    learned.reasoning = slope(kept.reasoning);
    learned.setup.millis = kept
        .setup_ms
        .filter(|millis| millis.is_finite() && *millis >= 0.0);
    learned.epoch = Epoch::kept(kept.answered.clone());
    for (stratum, old, millis) in &kept.recent {
        let at = Moment(now.0.saturating_sub(old.0.saturating_add(age.0)));
        learned.recent.restore(*stratum, at, *millis);
    }
    learned
}
