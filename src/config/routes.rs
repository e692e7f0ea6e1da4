//! Holds the settings of models' routes, of rules, and of failing over.

use std::time::Duration;

use crate::record::{Name, Nanos, PicoDollars, WallTime};
use crate::routing::canary::Stages;
use crate::routing::plan::Constraints;
use crate::routing::policy::{Policy, Ramp};
use crate::routing::pricing::Share;
use crate::routing::rules::Rule;

/// One way to a model.
#[derive(Debug, Clone, PartialEq)]
pub struct RouteSettings {
    /// The provider's name; it exists.
    pub provider: Name,
    /// The model's name there; the asked one where absent.
    pub model: Option<Name>,
    /// Its share where the policy draws by weight.
    pub weight: f64,
    /// A weight that grows from this date on, in place of it.
    pub ramp: Option<(WallTime, Ramp)>,
    /// A share of the model's requests that grows by stages, in place of any weight.
    pub stages: Option<Stages>,
    /// What becomes of the weight, or of the share, once the canary is found worse.
    pub ramp_stop: RampStop,
    /// Where it answers from, where that is not the provider's region.
    pub region: Option<Name>,
    /// Where its data stays.
    pub residency: Option<Name>,
    /// Tokens of prompt and answer that it takes, where the config or the catalogue says so.
    pub context: Option<u64>,
    /// What it says otherwise than its provider of how requests are translated.
    pub translating: TranslatingHere,
}

/// What a route says otherwise than its provider of how requests are translated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TranslatingHere {
    /// As [`Translating::drop_params`](super::settings::Translating::drop_params).
    pub drop_params: Option<bool>,
    /// As [`Translating::merge_system`](super::settings::Translating::merge_system).
    pub merge_system: Option<bool>,
    /// As [`Translating::max_tokens`](super::settings::Translating::max_tokens).
    pub max_tokens: Option<u64>,
}

/// What becomes of a weight that grows once its canary is found worse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RampStop {
    /// It grows on: whoever looks decides.
    #[default]
    None,
    /// It stays what it is then.
    Hold,
    /// It goes back to nothing.
    Back,
}

impl RouteSettings {
    /// The weight at `now`, of a route that has no stages.
    #[must_use]
    pub fn weight_at(&self, now: WallTime) -> f64 {
        let Some((start, ramp)) = &self.ramp else {
            return self.weight;
        };
        let micros = u64::try_from(now.0.saturating_sub(start.0)).unwrap_or(0);
        ramp.weight(Nanos(micros.saturating_mul(1_000)))
    }
}

/// What a model is to hold.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Slo {
    /// 95th percentile of the time to the first token.
    pub first_token_p95: Option<Duration>,
    /// Share of failed exchanges.
    pub error_rate: Option<f64>,
}

/// A model that the config gives routes.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelRoutes {
    /// What the application asks for.
    pub name: Name,
    /// Its routes in order; never empty.
    pub routes: Vec<RouteSettings>,
    /// How they are ordered.
    pub policy: Policy,
    /// What the model is to hold.
    pub slo: Slo,
    /// What no route may break.
    pub constraints: Constraints,
    /// Other models, in the order in which they are asked once every route of this one has failed.
    pub fallback_models: Vec<Name>,
    /// A second request where the first is slow.
    pub hedge: Option<HedgeSettings>,
    /// A share that another route gets too.
    pub shadow: Option<ShadowSettings>,
}

/// A second request where the first is slow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HedgeSettings {
    /// Share of the requests that may have one.
    pub share: Share,
    /// How long to wait for the first token; the route's own 95th percentile where absent.
    pub after: Option<Duration>,
    /// What the lost ones may cost in a day.
    pub cost_per_day: PicoDollars,
}

/// A share of a model's requests that another route gets too, for comparison.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShadowSettings {
    /// The provider's name; it exists.
    pub provider: Name,
    /// The model's name there; the asked one where absent.
    pub model: Option<Name>,
    /// Share of the requests that it gets.
    pub share: Share,
    /// What it may cost in a day.
    pub cost_per_day: PicoDollars,
}

/// What is to be done with requests that a rule matches.
#[derive(Debug, Clone, PartialEq)]
pub struct RuleSettings {
    /// Which ones.
    pub rule: Rule,
    /// How their routes are ordered; as the model says where absent.
    pub policy: Option<Policy>,
    /// Only routes of these providers, in this order; all where empty.
    pub routes: Vec<Name>,
    /// Regions that may answer; as the model says where empty.
    pub regions: Vec<Name>,
    /// What such a request may be expected to cost; as the model says where absent.
    pub cost_max: Option<PicoDollars>,
}

/// What happens when a route fails before its first token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailoverSettings {
    /// Tries of one request.
    pub attempts: usize,
    /// Longest time over all tries that an answer is held back.
    pub held: Duration,
    /// Whether a prompt that one provider's filter blocked may go to another one.
    pub content_filter: bool,
    /// Tries beyond the first, as a share of the last minute's requests.
    pub budget: Share,
    /// Tries beyond the first that a minute may have in any case.
    pub budget_min: u32,
    /// Where this installation stands, for rules that ask.
    pub region: Option<Name>,
    /// What becomes of a provider's work once its client has left.
    pub client_gone: ClientGone,
}

/// What becomes of a provider's work once its client has left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientGone {
    /// It is cancelled at once.
    Cancel,
    /// Its answer is read on for its usage.
    Drain {
        /// So long at most.
        time: Duration,
        /// So many bytes at most.
        bytes: u64,
    },
}
