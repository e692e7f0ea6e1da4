//! Takes the route that is fastest, or may well be.

use crate::routing::candidate::Ask;

use super::outlook::Outlook;
use super::ranking::Ranking;

/// What fast means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum By {
    /// The first token comes soon.
    #[default]
    FirstToken,
    /// The whole answer comes soon.
    Total,
    /// The tokens come quickly.
    OutputRate,
}

impl By {
    /// The name used in the config and in explanations.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::FirstToken => "first_token",
            Self::Total => "total",
            Self::OutputRate => "output_rate",
        }
    }
}

pub(super) fn rank(by: By, ask: &Ask, outlooks: &[Outlook<'_>]) -> Ranking {
    let score = |outlook: &Outlook<'_>| match by {
        By::FirstToken => outlook.first_token_ms(ask),
        By::Total => outlook.total_ms(ask),
        By::OutputRate => {
            let belief = outlook.expected.per_token;
            belief.map_or_else(
                || outlook.expected.per_token_ms() * (-outlook.hope()).exp(),
                |belief| belief.hopeful(outlook.hope()),
            )
        }
    };
    let reason = match by {
        By::FirstToken => "fastest_first_token",
        By::Total => "fastest_total",
        By::OutputRate => "fastest_output_rate",
    };
    Ranking::by(outlooks.iter().map(score).collect(), reason)
}
