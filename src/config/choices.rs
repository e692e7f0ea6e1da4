//! Names the values of keys that take one of a few words.

use schemars::{Schema, json_schema};

use crate::record::{AssignedUnit, Dialect, Language, ProviderKind};
use crate::routing::catalogue::Rung;
use crate::routing::experiment::{Metric, Mode, Stop};
use crate::routing::policy::{Anchor, By};

use super::problem::nearest;
use super::read::{Refusal, Text};
use super::routes::RampStop;
use super::settings::{AuthScheme, ErrorShape, Keepalive, UsagePlace};

macro_rules! choice {
    ($kind:ty, $expected:literal, [$($name:literal => $value:expr),* $(,)?]) => {
        impl Text for $kind {
            const EXPECTED: &'static str = $expected;

            fn parse(text: &str) -> Result<Self, Refusal> {
                match text {
                    $($name => Ok($value),)*
                    _ => Err(nearest(text, [$($name),*]).map_or_else(Refusal::default, |meant| {
                        Refusal::hint(format!("did you mean \"{meant}\"?"))
                    })),
                }
            }

            fn text_schema() -> Schema {
                json_schema!({ "type": "string", "enum": [$($name),*] })
            }
        }
    };
}

choice!(Dialect, "openai, anthropic, gemini, bedrock or azure", [
    "openai" => Self::OpenAi,
    "anthropic" => Self::Anthropic,
    "gemini" => Self::Gemini,
    "bedrock" => Self::Bedrock,
    "azure" => Self::Azure,
]);

choice!(
    Language,
    "openai-chat, openai-completions, openai-responses, openai-embeddings, anthropic-messages, \
     anthropic-count-tokens, gemini-generate, gemini-count-tokens, gemini-embed, bedrock-converse, \
     bedrock-invoke, bedrock-count-tokens or ollama-native",
    [
        "openai-chat" => Self::OpenAiChat,
        "openai-completions" => Self::OpenAiCompletions,
        "openai-responses" => Self::OpenAiResponses,
        "openai-embeddings" => Self::OpenAiEmbeddings,
        "anthropic-messages" => Self::AnthropicMessages,
        "anthropic-count-tokens" => Self::AnthropicCountTokens,
        "gemini-generate" => Self::GeminiGenerate,
        "gemini-count-tokens" => Self::GeminiCountTokens,
        "gemini-embed" => Self::GeminiEmbed,
        "bedrock-converse" => Self::BedrockConverse,
        "bedrock-invoke" => Self::BedrockInvoke,
        "bedrock-count-tokens" => Self::BedrockCountTokens,
        "ollama-native" => Self::OllamaNative,
    ]
);

choice!(ProviderKind, "direct or router", [
    "direct" => Self::Direct,
    "router" => Self::Router,
]);

choice!(AuthScheme, "bearer, x-api-key, api-key, x-goog-api-key or none", [
    "bearer" => Self::Bearer,
    "x-api-key" => Self::XApiKey,
    "api-key" => Self::ApiKey,
    "x-goog-api-key" => Self::GoogleApiKey,
    "none" => Self::None,
]);

choice!(Keepalive, "none, comment, bare-comment or ping-event", [
    "none" => Self::None,
    "comment" => Self::Comment,
    "bare-comment" => Self::BareComment,
    "ping-event" => Self::PingEvent,
]);

choice!(UsagePlace, "own-chunk-on-request, own-chunk, finish-chunk, groq-and-own-chunk or anthropic-events", [
    "own-chunk-on-request" => Self::OwnChunkOnRequest,
    "own-chunk" => Self::OwnChunk,
    "finish-chunk" => Self::FinishChunk,
    "groq-and-own-chunk" => Self::GroqAndOwnChunk,
    "anthropic-events" => Self::AnthropicEvents,
]);

choice!(ErrorShape, "openai, anthropic, openrouter, google-array, flat, flat-object, text, xai or aws", [
    "openai" => Self::OpenAi,
    "anthropic" => Self::Anthropic,
    "openrouter" => Self::OpenRouter,
    "google-array" => Self::GoogleArray,
    "flat" => Self::Flat,
    "flat-object" => Self::FlatObject,
    "text" => Self::Text,
    "xai" => Self::XAi,
    "aws" => Self::Aws,
]);

/// The login of a cloud.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoginWord {
    /// AWS's chain.
    Aws,
    /// Google's application default credentials.
    Google,
    /// Microsoft Entra ID.
    Azure,
    /// None of them.
    None,
}

impl LoginWord {
    /// The word in the config.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Aws => "aws",
            Self::Google => "google",
            Self::Azure => "azure",
            Self::None => "none",
        }
    }
}

choice!(LoginWord, "aws, google, azure or none", [
    "aws" => Self::Aws,
    "google" => Self::Google,
    "azure" => Self::Azure,
    "none" => Self::None,
]);

/// The inference profile by which bare Claude ids are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ProfileWord {
    /// That of the region's geography.
    Geo,
    /// That one, wherever the region is.
    Named(&'static str),
}

choice!(ProfileWord, "geo, global, us, eu, jp, au, apac, ca, sa or us-gov", [
    "geo" => Self::Geo,
    "global" => Self::Named("global"),
    "us" => Self::Named("us"),
    "eu" => Self::Named("eu"),
    "jp" => Self::Named("jp"),
    "au" => Self::Named("au"),
    "apac" => Self::Named("apac"),
    "ca" => Self::Named("ca"),
    "sa" => Self::Named("sa"),
    "us-gov" => Self::Named("us-gov"),
]);

/// Which way of a metric is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    /// Less of it.
    Lower,
    /// More of it.
    Higher,
}

choice!(Direction, "lower or higher", [
    "lower" => Self::Lower,
    "higher" => Self::Higher,
]);

choice!(Metric, "first_token, first_answer, total, output_rate, failure or cost", [
    "first_token" => Self::FirstToken,
    "first_answer" => Self::FirstAnswer,
    "total" => Self::Total,
    "output_rate" => Self::OutputRate,
    "failure" => Self::Failure,
    "cost" => Self::Cost,
]);

choice!(Mode, "ab, or aa for one route twice", [
    "ab" => Self::Ab,
    "aa" => Self::Aa,
]);

choice!(Rung, "flagship, balanced, fast or ultra-fast", [
    "flagship" => Self::Flagship,
    "balanced" => Self::Balanced,
    "fast" => Self::Fast,
    "ultra-fast" => Self::UltraFast,
]);

choice!(Stop, "sequential, or fixed for one answer at the end", [
    "sequential" => Self::Sequential,
    "fixed" => Self::Fixed,
]);

choice!(AssignedUnit, "session or request", [
    "session" => Self::Session,
    "request" => Self::Request,
]);

/// The name of a policy; what else it needs stands beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PolicyWord {
    /// In the order of the config.
    Ordered,
    /// By chance, by weight.
    Weighted,
    /// The fastest first.
    Fastest,
    /// The cheapest first.
    Cheapest,
    /// The cheapest of those that keep to the model's target.
    CheapestWithinSlo,
    /// Money and waiting in one sum.
    Balanced,
    /// The one with the fewest requests at work.
    LeastBusy,
    /// The one whose cache holds the prompt.
    Sticky,
    /// By chance, by price and speed.
    Shared,
}

choice!(PolicyWord, "ordered, weighted, fastest, cheapest, cheapest_within_slo, balanced, least_busy, sticky or shared", [
    "ordered" => Self::Ordered,
    "weighted" => Self::Weighted,
    "fastest" => Self::Fastest,
    "cheapest" => Self::Cheapest,
    "cheapest_within_slo" => Self::CheapestWithinSlo,
    "balanced" => Self::Balanced,
    "least_busy" => Self::LeastBusy,
    "sticky" => Self::Sticky,
    "shared" => Self::Shared,
]);

choice!(RampStop, "none, hold or back", [
    "none" => Self::None,
    "hold" => Self::Hold,
    "back" => Self::Back,
]);

/// What becomes of a provider's work once its client has left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum GoneWord {
    /// It is cancelled.
    Cancel,
    /// Its answer is read on for its usage.
    Drain,
}

choice!(GoneWord, "cancel or drain", [
    "cancel" => Self::Cancel,
    "drain" => Self::Drain,
]);

choice!(By, "first_token, total or output_rate", [
    "first_token" => Self::FirstToken,
    "total" => Self::Total,
    "output_rate" => Self::OutputRate,
]);

choice!(Anchor, "session or prefix", [
    "session" => Self::Session,
    "prefix" => Self::Prefix,
]);
