//! Ranks the routes that may be tried, by the rule that the user chose.
//!
//! Each policy is a pure function of the request, the candidates and what is remembered. What is
//! common to all (constraints, health, exploration, draws) is [`crate::routing::plan`]'s.

mod balanced;

mod cheapest;

mod fastest;

mod least_busy;

mod ordered;

mod outlook;

mod ranking;

mod shared;

mod sticky;

mod weighted;

mod within_slo;

pub use fastest::By;
pub use outlook::Outlook;
pub use ranking::Ranking;
pub use sticky::Anchor;
pub use weighted::{Ramp, weight_of};

use crate::record::Nanos;
use crate::routing::candidate::{Ask, ModelMemory};

/// How the routes of a model are ordered.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Policy {
    /// In the order of the config.
    #[default]
    Ordered,
    /// By chance, by the weights of the config.
    Weighted,
    /// The fastest first.
    Fastest(By),
    /// The cheapest first.
    Cheapest,
    /// The cheapest of those that keep to a limit.
    CheapestWithinSlo {
        /// The limit on the time to the first token.
        first_token: Nanos,
        /// How surely it must be kept.
        probability: f64,
    },
    /// Money and waiting in one sum.
    Balanced {
        /// What a second of waiting is worth, in US dollars.
        dollars_per_second: f64,
    },
    /// The one with the fewest requests at work first.
    LeastBusy,
    /// Another policy, but the route whose cache holds the prompt gets credit for it.
    Sticky {
        /// What requests are recognised by.
        anchor: Anchor,
        /// The other policy.
        then: Box<Policy>,
    },
    /// By chance, by price and speed.
    Shared,
}

impl Policy {
    /// The name used in the config, in records and on the page.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Ordered => "ordered",
            Self::Weighted => "weighted",
            Self::Fastest(_) => "fastest",
            Self::Cheapest => "cheapest",
            Self::CheapestWithinSlo { .. } => "cheapest_within_slo",
            Self::Balanced { .. } => "balanced",
            Self::LeastBusy => "least_busy",
            Self::Sticky { .. } => "sticky",
            Self::Shared => "shared",
        }
    }

    /// Every policy's name.
    pub const NAMES: [&'static str; 9] = [
        "ordered",
        "weighted",
        "fastest",
        "cheapest",
        "cheapest_within_slo",
        "balanced",
        "least_busy",
        "sticky",
        "shared",
    ];

    /// Whether it learns from what it sees: then it must go on looking at every route.
    #[must_use]
    pub fn is_adaptive(&self) -> bool {
        match self {
            Self::Ordered | Self::Weighted | Self::Cheapest | Self::LeastBusy => false,
            Self::Fastest(_)
            | Self::CheapestWithinSlo { .. }
            | Self::Balanced { .. }
            | Self::Shared => true,
            Self::Sticky { then, .. } => then.is_adaptive(),
        }
    }

    /// Whether it recognises prompts by the beginning that they have in common.
    #[must_use]
    pub const fn is_by_prefix(&self) -> bool {
        matches!(
            self,
            Self::Sticky {
                anchor: Anchor::Prefix,
                ..
            }
        )
    }

    /// Whether it looks at prices.
    #[must_use]
    pub fn needs_prices(&self) -> bool {
        match self {
            Self::Ordered | Self::Weighted | Self::Fastest(_) | Self::LeastBusy => false,
            Self::Cheapest
            | Self::CheapestWithinSlo { .. }
            | Self::Balanced { .. }
            | Self::Shared => true,
            Self::Sticky { then, .. } => then.needs_prices(),
        }
    }

    /// Ranks `outlooks`, which are not empty.
    #[must_use]
    pub fn rank(&self, ask: &Ask, outlooks: &[Outlook<'_>], memory: &ModelMemory) -> Ranking {
        match self {
            Self::Ordered => ordered::rank(outlooks),
            Self::Weighted => weighted::rank(outlooks),
            Self::Fastest(by) => fastest::rank(*by, ask, outlooks),
            Self::Cheapest => cheapest::rank(ask, outlooks),
            Self::CheapestWithinSlo {
                first_token,
                probability,
            } => within_slo::rank((*first_token, *probability), ask, outlooks, memory),
            Self::Balanced { dollars_per_second } => {
                balanced::rank(*dollars_per_second, ask, outlooks)
            }
            Self::LeastBusy => least_busy::rank(ask, outlooks),
            Self::Sticky { anchor, then } => sticky::rank(*anchor, then, ask, outlooks, memory),
            Self::Shared => shared::rank(ask, outlooks),
        }
    }
}
