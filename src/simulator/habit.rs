//! Says what the demo's made-up requests are like: their size, their conversation, what is cached,
//! what they ask for, and where they were served.

use fastrand::Rng;

use super::cast::{Crowd, Part};
use crate::record::{KeyedHash, Name, RateLimitHeader, Session, SessionSource, WallTime};

/// One made-up request.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// Prompt tokens.
    pub tokens: u64,
    /// Of those, how many the provider had in its cache.
    pub cached: u64,
    /// Its conversation.
    pub session: Option<Session>,
    /// What it wants JSON by.
    pub format: Option<Name>,
    /// Hash of its body: some are asked again and again.
    pub prompt: KeyedHash,
    /// Hash of its beginning.
    pub prefix: KeyedHash,
    /// Length of its answer, over the usual length.
    pub length: f64,
}

/// Who served a made-up request.
#[derive(Debug, Clone, PartialEq)]
pub struct Served {
    /// The region.
    pub region: Option<Name>,
    /// The upstream behind the router.
    pub by: Option<Name>,
    /// The model that answered.
    pub answered: Name,
    /// How much slower it is there.
    pub slower: f64,
    /// What the provider's headers say of its limits.
    pub limits: Vec<RateLimitHeader>,
}

/// Smallest prompt, and how many times it doubles to the largest.
const TOKENS_MIN: f64 = 64.0;
const DOUBLINGS: f64 = 6.0;
/// Conversations at any time, and their turns at most.
const SESSIONS: u64 = 400;
const TURNS: u32 = 8;
/// Requests that are asked again and again, and their share.
const KNOWN: u64 = 40;
const KNOWN_SHARE: f64 = 0.05;
/// A model that answers under another name, and slower, since so long before the demo's start.
const RENAMED: (&str, &str, &str) = (
    "gpt-4.1-mini",
    "gpt-4.1-mini-2025-04-14",
    "gpt-4.1-mini-2026-11",
);
const RENAMED_AGO_SECS: i64 = 9 * 3600;
const RENAMED_SLOWER: f64 = 1.35;

impl Request {
    /// The next request to `part`.
    #[must_use]
    pub fn draw(part: &Part, rng: &mut Rng) -> Self {
        let even = rng.f64();
        let place = match part.crowd {
            // The square of an even number is mostly small, its mirror image mostly large.
            Crowd::ShortPrompts => even * even,
            Crowd::LongPrompts => 1.0 - even * even,
            Crowd::Mixed | Crowd::Chats | Crowd::Json => even,
        };
        let mut tokens = (TOKENS_MIN * (place * DOUBLINGS).exp2()) as u64;
        let mut cached = 0;
        let mut session = None;
        let mut prefix = rng.u64(..);
        if part.crowd == Crowd::Chats {
            let turn = 1 + rng.u32(0..TURNS);
            let hash = 1 + rng.u64(0..SESSIONS);
            prefix = hash;
            tokens += u64::from(turn) * 180;
            // What was said before is mostly still in the provider's cache.
            if turn > 1 && rng.f64() < 0.75 {
                cached = (tokens as f64 * (0.3 + 0.6 * rng.f64())) as u64 / 128 * 128;
            }
            session = Some(Session {
                hash: KeyedHash(hash),
                source: SessionSource::Header,
                turn,
            });
        }
        let known = rng.f64() < KNOWN_SHARE && session.is_none();
        Self {
            tokens,
            cached,
            session,
            format: (part.crowd == Crowd::Json && rng.f64() < 0.4)
                .then(|| Name::from("json_schema")),
            prompt: KeyedHash(if known {
                rng.u64(0..KNOWN)
            } else {
                rng.u64(..)
            }),
            prefix: KeyedHash(prefix),
            length: (rng.f64() * 4.0 - 2.0).exp2(),
        }
    }

    /// How long its prompt takes to read, in nanoseconds, and how much longer its first token
    /// takes for what it asks for.
    #[must_use]
    pub fn effort(&self, part: &Part) -> (u64, f64) {
        let reading = (self.tokens - self.cached) * part.prompt_token_us * 1000;
        let json = if self.format.is_some() { 1.18 } else { 1.0 };
        (reading, json)
    }
}

impl Served {
    /// Who serves a request to `part` at `at`, of a demo begun at `start`.
    #[must_use]
    pub fn draw(part: &Part, at: WallTime, start: WallTime, rng: &mut Rng) -> Self {
        let regions: &[(&str, f64)] = match part.provider {
            // What is compared like with like differs in nothing but the way it goes.
            "openai" if part.crowd == Crowd::LongPrompts => &[("us-east", 1.0)],
            "openai" => &[("us-east", 1.0), ("eu-west", 1.12)],
            "anthropic" => &[("us-east", 1.0), ("ap-northeast", 1.4)],
            "groq" | "together" => &[("us-west", 1.0)],
            _ => &[],
        };
        let region = (!regions.is_empty()).then(|| regions[rng.usize(0..regions.len())]);
        let (by, by_slower) = match (part.provider, part.crowd) {
            ("openrouter", Crowd::ShortPrompts) => (Some("OpenAI"), 1.0),
            ("openrouter", _) if part.model.starts_with("openai/") => {
                if rng.f64() < 0.7 {
                    (Some("OpenAI"), 1.0)
                } else {
                    (Some("Azure"), 1.25)
                }
            }
            ("openrouter", _) => {
                if rng.f64() < 0.6 {
                    (Some("Anthropic"), 1.0)
                } else {
                    (Some("Amazon Bedrock"), 1.15)
                }
            }
            _ => (None, 1.0),
        };
        let late = at >= start.plus_secs(-RENAMED_AGO_SECS);
        let (answered, renamed) = match part.model {
            model if model == RENAMED.0 && late => (RENAMED.2, RENAMED_SLOWER),
            model if model == RENAMED.0 => (RENAMED.1, 1.0),
            model => (model, 1.0),
        };
        let limit = |name: &str, value: u64| RateLimitHeader {
            name: Name::from(name),
            value: Name::from(value.to_string()),
        };
        let limits = match part.provider {
            "openai" => vec![
                limit("x-ratelimit-limit-requests", 500),
                limit("x-ratelimit-limit-tokens", 200_000),
            ],
            "anthropic" => vec![limit("anthropic-ratelimit-requests-limit", 60)],
            _ => Vec::new(),
        };
        Self {
            region: region.map(|(name, _)| Name::from(name)),
            by: by.map(Name::from),
            answered: Name::from(answered),
            slower: region.map_or(1.0, |(_, slower)| slower) * by_slower * renamed,
            limits,
        }
    }
}
