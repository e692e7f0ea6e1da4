//! Gives the route whose cache holds the prompt credit for it, and lets another policy judge.

use crate::routing::candidate::{Ask, ModelMemory};

use super::Policy;
use super::outlook::Outlook;
use super::ranking::Ranking;

/// What requests are recognised by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Anchor {
    /// The conversation.
    #[default]
    Session,
    /// The beginning that prompts have in common: tools and system.
    Prefix,
}

/// A challenger must be better by this share: beliefs are never exact.
const MARGIN: f64 = 0.1;

/// The cached tokens of the held route make its first token sooner and its price lower; the other
/// policy sees both. What is left of inertia is a margin.
pub(super) fn rank(
    anchor: Anchor,
    then: &Policy,
    ask: &Ask,
    outlooks: &[Outlook<'_>],
    memory: &ModelMemory,
) -> Ranking {
    let key = match anchor {
        Anchor::Session => ask.session,
        Anchor::Prefix => ask.prefix,
    };
    let cached = key.and_then(|key| memory.cached(key, ask.now));
    let held = cached.and_then(|(route, tokens)| {
        let at = outlooks
            .iter()
            .position(|outlook| outlook.candidate.is(route))?;
        Some((at, tokens))
    });
    let Some((at, tokens)) = held else {
        return then.rank(ask, outlooks, memory);
    };
    let mut credited = outlooks.to_vec();
    credited[at].cached_tokens = tokens.min(ask.prompt_tokens);
    let mut ranking = then.rank(ask, &credited, memory);
    let best = ranking.best();
    let (own, other) = (ranking.scores[at], ranking.scores[best]);
    // A policy that draws has no best: the conversation stays where it was drawn to.
    if best == at || ranking.shares.is_some() || own <= other + MARGIN * other.abs() {
        ranking.scores[at] = other - other.abs() - 1.0;
        ranking.shares = None;
        ranking.reason = "cache_holds_prompt";
        // A conversation explores with its first request, which has no cache to lose; thrown
        // elsewhere later it would stay there. What all prompts have in common is found again.
        ranking.stays = anchor == Anchor::Session;
    }
    ranking
}
