//! Names the providers that the demo plays, and how each of their models behaves.

use std::sync::Arc;

use serde_json::json;

use super::provider::{Behaviour, Delay, Drift, Fault, Incident, Persona, Quirks};
use crate::config::presets::Preset;
use crate::record::{Language, Nanos, WallTime};

/// One way to a model, as the demo plays it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Part {
    /// The provider, which is a preset's name.
    pub provider: &'static str,
    /// The model's name there.
    pub model: &'static str,
    /// Median of the first token, ms.
    pub first_token_ms: u64,
    /// Spread of the first token (sigma of its logarithm).
    pub spread: f64,
    /// Median gap between tokens, µs.
    pub gap_us: u64,
    /// Usual length of an answer, tokens.
    pub tokens: u32,
    /// Share of the requests that meet a rate limit.
    pub rate_limited: f64,
    /// Share that meets an overload.
    pub overloaded: f64,
    /// Share whose stream breaks off.
    pub cut: f64,
    /// Share of the demo's traffic, in parts of the sum of all.
    pub traffic: u32,
    /// Time to read a prompt token, µs.
    pub prompt_token_us: u64,
    /// Whose requests it gets.
    pub crowd: Crowd,
}

/// Whose requests a part gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Crowd {
    /// Prompts of every size.
    Mixed,
    /// Conversations, with most of each prompt known from the turn before.
    Chats,
    /// Prompts of every size, of which some want JSON.
    Json,
    /// Mostly short prompts.
    ShortPrompts,
    /// Mostly long prompts.
    LongPrompts,
}

/// Every part of the demo. Invented numbers, in the manner of the real ones: they say nothing
/// about any provider.
pub const PARTS: [Part; 11] = [
    part(
        "openai",
        "gpt-4.1",
        420,
        0.32,
        13_000,
        140,
        (0.004, 0.003, 0.001),
        5,
    )
    .of(Crowd::Chats, 15),
    part(
        "openrouter",
        "openai/gpt-4.1",
        475,
        0.40,
        13_400,
        140,
        (0.006, 0.006, 0.004),
        4,
    )
    .of(Crowd::Chats, 15),
    part(
        "openai",
        "gpt-4.1-mini",
        310,
        0.30,
        8_500,
        110,
        (0.004, 0.002, 0.001),
        4,
    )
    .of(Crowd::Json, 15),
    part(
        "anthropic",
        "claude-sonnet-4-6",
        690,
        0.35,
        15_000,
        160,
        (0.003, 0.012, 0.001),
        4,
    ),
    part(
        "openrouter",
        "anthropic/claude-sonnet-4-6",
        760,
        0.42,
        15_400,
        160,
        (0.004, 0.010, 0.004),
        3,
    ),
    part(
        "groq",
        "llama-3.1-8b-instant",
        165,
        0.45,
        1_900,
        120,
        (0.020, 0.002, 0.001),
        3,
    )
    .of(Crowd::Json, 15),
    part(
        "together",
        "meta-llama/Meta-Llama-3.1-8B-Instruct-Turbo",
        240,
        0.38,
        5_200,
        120,
        (0.006, 0.004, 0.002),
        2,
    ),
    part(
        "gemini",
        "gemini-2.5-flash",
        380,
        0.40,
        6_500,
        130,
        (0.008, 0.006, 0.001),
        3,
    ),
    part(
        "bedrock",
        "us.anthropic.claude-sonnet-4-6",
        740,
        0.36,
        15_200,
        160,
        (0.010, 0.003, 0.001),
        3,
    ),
    // Short prompts go through the router and long ones to the provider, as a router by price or
    // by size would have it: through the router the first token seems to come sooner, and takes
    // 40 ms longer.
    part(
        "openai",
        "gpt-4o-mini",
        300,
        0.22,
        9_000,
        90,
        (0.003, 0.002, 0.001),
        4,
    )
    .of(Crowd::LongPrompts, 100),
    part(
        "openrouter",
        "openai/gpt-4o-mini",
        340,
        0.22,
        9_000,
        90,
        (0.003, 0.002, 0.001),
        4,
    )
    .of(Crowd::ShortPrompts, 100),
];

impl Part {
    /// The same with another crowd, and the time that reading a prompt token takes.
    const fn of(self, crowd: Crowd, prompt_token_us: u64) -> Self {
        Self {
            prompt_token_us,
            crowd,
            ..self
        }
    }
}

#[expect(clippy::too_many_arguments, reason = "a row of the table above")]
const fn part(
    provider: &'static str,
    model: &'static str,
    first_token_ms: u64,
    spread: f64,
    gap_us: u64,
    tokens: u32,
    (rate_limited, overloaded, cut): (f64, f64, f64),
    traffic: u32,
) -> Part {
    Part {
        provider,
        model,
        first_token_ms,
        spread,
        gap_us,
        tokens,
        rate_limited,
        overloaded,
        cut,
        traffic,
        prompt_token_us: 15,
        crowd: Crowd::Mixed,
    }
}

/// Slower in the afternoon, when everybody works; in UTC hours.
const HOURS: [f64; 24] = [
    0.92, 0.90, 0.88, 0.88, 0.90, 0.93, 0.97, 1.00, 1.04, 1.06, 1.05, 1.04, 1.06, 1.10, 1.16, 1.20,
    1.18, 1.14, 1.08, 1.04, 1.00, 0.97, 0.95, 0.93,
];
/// The bad hour of the demo's day: how long before the start it began, how long it lasted, how
/// much slower everything was, and how often it failed.
const INCIDENT_AGO_SECS: i64 = 5 * 3600;
const INCIDENT_SECS: i64 = 40 * 60;
const INCIDENT_SLOWDOWN: f64 = 2.4;
const INCIDENT_RATE: f64 = 0.12;
/// Whom it met.
const INCIDENT_PROVIDER: &str = "openrouter";

impl Part {
    /// The behaviour of this part, on a day that began a demo at `start`.
    #[must_use]
    pub fn behaviour(&self, start: WallTime) -> Behaviour {
        let met = self.provider == INCIDENT_PROVIDER && self.crowd != Crowd::ShortPrompts;
        let incidents = if met {
            let from = start.plus_secs(-INCIDENT_AGO_SECS);
            vec![Incident {
                from,
                until: from.plus_secs(INCIDENT_SECS),
                slowdown: INCIDENT_SLOWDOWN,
                rate: INCIDENT_RATE,
                fault: Fault::Http503,
            }]
        } else {
            Vec::new()
        };
        Behaviour {
            first_token: Delay::LogNormal(Nanos::from_millis(self.first_token_ms), self.spread),
            gap: Delay::LogNormal(Nanos(self.gap_us * 1000), 0.45),
            tokens: self.tokens,
            keepalive: Some(Nanos::from_millis(300)),
            faults: vec![
                (Fault::RateLimit, self.rate_limited),
                (Fault::Http503, self.overloaded),
                (Fault::CloseMid, self.cut),
            ],
            drift: Some(Arc::new(Drift {
                hours: HOURS,
                incidents,
            })),
            ..Behaviour::default()
        }
    }

    /// The language that the provider speaks.
    #[must_use]
    pub fn language(&self) -> Language {
        match self.provider {
            "anthropic" => Language::AnthropicMessages,
            "gemini" => Language::GeminiGenerate,
            "bedrock" => Language::BedrockConverse,
            _ => Language::OpenAiChat,
        }
    }

    /// The endpoint by which its exchanges are recorded.
    #[must_use]
    pub fn endpoint(&self) -> &'static str {
        match self.language() {
            Language::AnthropicMessages => "/v1/messages",
            Language::GeminiGenerate => "/v1beta/models/*:streamGenerateContent",
            Language::BedrockConverse => "/model/*/converse-stream",
            _ => "/v1/chat/completions",
        }
    }

    /// The path of a streamed request in that language, behind the provider's base.
    #[must_use]
    pub fn path(&self) -> String {
        let model = self.model;
        match self.language() {
            Language::AnthropicMessages => "/v1/messages".to_owned(),
            Language::GeminiGenerate => {
                format!("/v1beta/models/{model}:streamGenerateContent?alt=sse")
            }
            Language::BedrockConverse => format!("/model/{model}/converse-stream"),
            _ => "/v1/chat/completions".to_owned(),
        }
    }

    /// The body of such a request.
    #[must_use]
    pub fn body(&self, prompt: &str, tokens: u32) -> String {
        let model = self.model;
        let body = match self.language() {
            Language::GeminiGenerate => json!({
                "contents": [{"role": "user", "parts": [{"text": prompt}]}],
                "generationConfig": {"maxOutputTokens": tokens},
            }),
            Language::BedrockConverse => json!({
                "messages": [{"role": "user", "content": [{"text": prompt}]}],
                "inferenceConfig": {"maxTokens": tokens},
            }),
            _ => json!({
                "model": model, "stream": true, "max_tokens": tokens,
                "messages": [{"role": "user", "content": prompt}],
            }),
        };
        body.to_string()
    }
}

/// The personas of the whole cast, each below its provider's name.
#[must_use]
pub fn personas(presets: &[Preset], start: WallTime) -> Vec<Persona> {
    let mut personas: Vec<Persona> = Vec::new();
    for part in &PARTS {
        let behaviour = part.behaviour(start);
        let prefix = format!("/{}", part.provider);
        if !personas.iter().any(|persona| persona.prefix == prefix) {
            let preset = presets
                .iter()
                .find(|preset| preset.name.as_str() == part.provider);
            let quirks = preset.map_or_else(Quirks::openai, Quirks::of_preset);
            personas.push(Persona::new(quirks, behaviour.clone()).at(&prefix));
        }
        if let Some(persona) = personas.iter_mut().find(|persona| persona.prefix == prefix) {
            persona.models.push((part.model.to_owned(), behaviour));
        }
    }
    personas
}
