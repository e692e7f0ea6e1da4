//! Asks routes one after the other, each on a fresh connection first where that is wanted.

use std::sync::Arc;
use std::time::Duration;

use super::ask::{PROMPT_TOKENS, Probe};
use crate::active::targets::{Target, Wanted};
use crate::active::traffic::{Reply, Traffic, TrafficFault};
use crate::analysis::watch::point::PATIENCE;
use crate::config::settings::{ModelRoutes, Settings};
use crate::record::{ExchangeId, PicoDollars, WallTime};
use crate::routing::catalogue::owner_of;

/// How the routes are asked.
#[derive(Debug, Clone, Copy)]
pub struct Round<'a> {
    /// What it is part of, as records name it.
    pub run: &'a str,
    /// Which round of that.
    pub number: u32,
    /// Tokens of an answer, at most.
    pub max_tokens: u64,
    /// Ask on a fresh connection, and again on the one that is there then.
    pub cold: bool,
}

impl Round<'_> {
    /// How often each route is asked.
    #[must_use]
    pub const fn calls(&self) -> u32 {
        if self.cold { 2 } else { 1 }
    }

    /// Asks `target` for the `trial`th time, from 0, on a fresh connection where it is the first
    /// of two. The exchange by which its record is found; absent where it came to nothing. It is
    /// given up after [`PATIENCE`]; an error means that no request can be sent at all.
    pub async fn ask(
        &self,
        traffic: &Traffic,
        (target, worker): (&Target, usize),
        trial: u32,
    ) -> Result<Option<ExchangeId>, TrafficFault> {
        let probe = Probe {
            target,
            run: self.run,
            round: self.number,
            trial,
            max_tokens: self.max_tokens,
            fresh: self.cold && trial == 0,
            worker,
        };
        let patience = Duration::from_nanos(PATIENCE.0);
        let asked = tokio::time::timeout(patience, traffic.send(probe.asked())).await;
        match asked {
            Ok(Ok(Reply { exchange, .. })) => Ok(exchange),
            Ok(Err(fault @ (TrafficFault::Stopped(_) | TrafficFault::Request(_)))) => Err(fault),
            Ok(Err(TrafficFault::Broken(error))) => {
                tracing::debug!(route = %target.route, %error, "a probe came to nothing");
                Ok(None)
            }
            Err(_) => {
                tracing::debug!(route = %target.route, "a probe was given up");
                Ok(None)
            }
        }
    }
}

/// What one probe of `target` may cost by the prices of `now`; nothing where no price is known.
#[must_use]
pub fn cost_of(
    target: &Target,
    max_tokens: u64,
    settings: &Settings,
    now: WallTime,
) -> Option<PicoDollars> {
    let quote = target.quote(settings, PROMPT_TOKENS, now)?;
    let dollars = quote.expected(PROMPT_TOKENS, 0, max_tokens as f64);
    Some(PicoDollars((dollars * 1e12) as u64))
}

/// The routes of the models with routes of their own, of those that `patterns` name where there
/// are any: each once, with the model that has it first.
#[must_use]
pub fn asked_models(settings: &Settings, patterns: &[String]) -> Vec<Target> {
    let wanted = |of: &&Arc<ModelRoutes>| {
        patterns.is_empty() || owner_of(&of.name, [((), patterns)]).is_some()
    };
    let models = settings.models.iter().filter(wanted);
    let wanted = Wanted {
        models: models.map(|of| of.name.to_string()).collect(),
        ..Wanted::default()
    };
    // Models with routes have some.
    let mut targets = wanted.targets(settings).unwrap_or_default();
    let mut seen = std::collections::BTreeSet::new();
    targets.retain(|target| seen.insert(target.route.clone()));
    targets
}
