//! Remembers what was chosen for a model, and which route holds whose prompt in its cache.

use std::collections::{HashMap, VecDeque};

use foldhash::fast::FixedState;

use crate::record::{KeyedHash, Moment, Nanos};
use crate::routing::route::RouteKey;

/// Conversations remembered per model.
const SESSIONS_MAX: usize = 4_096;
/// How long a provider's prompt cache is taken to last without use.
const CACHE_LASTS: Nanos = Nanos(300_000_000_000);

/// How far one miss moves the bar.
const BAR_STEP: f64 = 0.03;
/// What is aimed at above the share asked for, because the bar follows late.
const BAR_MARGIN: f64 = 0.005;
/// The bar goes no further below the share asked for: it must be back soon when routes turn bad.
const BAR_LOWEST: f64 = 0.6;
/// The highest bar.
const BAR_HIGHEST: f64 = 0.995;

/// What was chosen, since when, how often.
#[derive(Debug, Clone, PartialEq)]
pub struct Choice {
    /// The route.
    pub route: RouteKey,
    /// Since when.
    pub since: Moment,
    /// Requests since.
    pub requests: u32,
}

/// A beginning that prompts have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prefix {
    /// Its keyed hash.
    pub hash: KeyedHash,
    /// About how many tokens it has.
    pub tokens: u64,
}

#[derive(Debug, Clone, PartialEq)]
struct Served {
    route: RouteKey,
    prompt_tokens: u64,
    at: Moment,
}

/// What is remembered of the choices for one model.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ModelMemory {
    choice: Option<Choice>,
    /// The limit on the first token that is kept to, and with what probability.
    aim: Option<(Nanos, f64)>,
    /// The chance of keeping the limit that is asked of a route, once something was seen.
    bar: Option<f64>,
    served: HashMap<KeyedHash, Served, FixedState>,
    /// Keys in the order in which they were first seen.
    order: VecDeque<KeyedHash>,
}

impl ModelMemory {
    /// What a policy that keeps its choice for a while has chosen.
    #[must_use]
    pub const fn choice(&self) -> Option<&Choice> {
        self.choice.as_ref()
    }

    /// The policy's own choice was made again, or another. Requests that explored are none.
    pub fn chosen(&mut self, route: &RouteKey, now: Moment) {
        match &mut self.choice {
            Some(choice) if choice.route == *route => {
                choice.requests = choice.requests.saturating_add(1);
            }
            _ => {
                self.choice = Some(Choice {
                    route: route.clone(),
                    since: now,
                    requests: 1,
                });
            }
        }
    }

    /// The chance of keeping the limit that a route must have for a request, so that over all
    /// requests the share asked for keeps it.
    #[must_use]
    pub fn bar(&self, probability: f64) -> f64 {
        self.bar.unwrap_or(probability)
    }

    /// The policy in force keeps to a limit on the first token, with that probability.
    pub fn aims(&mut self, first_token: Nanos, probability: f64) {
        if self.aim != Some((first_token, probability)) {
            self.aim = Some((first_token, probability));
            self.bar = None;
        }
    }

    /// A streamed request of the policy in force is over; absent is its first token where it
    /// failed before. Each miss raises the bar, each hit lowers it: in the long run the share asked
    /// for keeps the limit, and no more is paid for. Nothing happens where nothing is aimed at.
    pub fn came(&mut self, first_token: Option<Nanos>) {
        let Some((limit, probability)) = self.aim else {
            return;
        };
        let kept = first_token.is_some_and(|span| span <= limit);
        let target = (probability + BAR_MARGIN).min(0.999);
        let miss = if kept { 0.0 } else { 1.0 };
        let bar = self.bar(probability) + BAR_STEP * (miss - (1.0 - target));
        self.bar = Some(bar.clamp(probability - BAR_LOWEST, BAR_HIGHEST));
    }

    /// A route answered a request of that conversation or prefix: its cache holds so many tokens of
    /// the prompt now.
    pub fn served(&mut self, key: KeyedHash, route: RouteKey, prompt_tokens: u64, now: Moment) {
        let served = Served {
            route,
            prompt_tokens,
            at: now,
        };
        if self.served.insert(key, served).is_none() {
            self.order.push_back(key);
        }
        while self.served.len() > SESSIONS_MAX {
            match self.order.pop_front() {
                Some(oldest) => self.served.remove(&oldest),
                None => break,
            };
        }
    }

    /// The route whose cache holds the prompt of that conversation or prefix, and how much of it;
    /// absent once the cache has forgotten it.
    #[must_use]
    pub fn cached(&self, key: KeyedHash, now: Moment) -> Option<(&RouteKey, u64)> {
        let served = self.served.get(&key)?;
        (now.since(served.at) < CACHE_LASTS).then_some((&served.route, served.prompt_tokens))
    }
}
