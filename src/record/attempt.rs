//! Records one try of an exchange at one route.

use super::ids::KeyedHash;
use super::language::Language;
use super::outcome::{CancelledBy, End, ErrorClass, FinishReason, Oddity};
use super::timeline::{Gaps, Timeline};
use super::units::{Name, Nanos, PicoDollars};
use super::usage::Usage;

/// Whether a provider runs the models or resells others'.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum ProviderKind {
    /// The provider runs the models itself.
    #[default]
    Direct,
    /// The provider forwards to other providers.
    Router,
}

impl ProviderKind {
    /// Every kind; stored numbers name them in this order.
    pub const ALL: [Self; 2] = [Self::Direct, Self::Router];

    /// The name used in config, exports and on the page.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Router => "router",
        }
    }
}

/// The HTTP version spoken with a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Protocol {
    /// HTTP/1.1 (or 1.0).
    #[default]
    Http1,
    /// HTTP/2.
    Http2,
}

impl Protocol {
    /// Every protocol; stored numbers name them in this order.
    pub const ALL: [Self; 2] = [Self::Http1, Self::Http2];

    /// The name used in exports and on the page.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Http1 => "http/1.1",
            Self::Http2 => "h2",
        }
    }
}

/// One rate-limit header as the provider sent it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RateLimitHeader {
    /// Lower-case header name.
    pub name: Name,
    /// Its value, at most 128 bytes.
    pub value: Name,
}

/// One timing that the provider reports of itself, kept apart from our own clocks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerTiming {
    /// Where it was found, e.g. `openai-processing-ms` or `x_groq.usage.queue_time`.
    pub source: Name,
    /// The span reported.
    pub span: Nanos,
}

/// One try of an exchange at one route.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AttemptRecord {
    /// The provider tried.
    pub provider: Name,
    /// Whether it is a router.
    pub kind: ProviderKind,
    /// Its region, where configured or reported.
    pub region: Option<Name>,
    /// The model's name there.
    pub model: Option<Name>,
    /// Keyed hash of the credential used; absent without one.
    pub credential: Option<KeyedHash>,
    /// Whether the credential was the client's own.
    pub client_credential: bool,
    /// HTTP version spoken with the provider.
    pub protocol: Protocol,
    /// Whether a pooled connection was reused.
    pub reused: bool,
    /// Further writes of the same request to the same provider (a connection found dead).
    pub resends: u8,
    /// The router's upstream that served, where it says so.
    pub served_by: Option<Name>,
    /// The model the provider says it answered with.
    pub model_answered: Option<Name>,
    /// The provider's `system_fingerprint` or equal.
    pub fingerprint: Option<Name>,
    /// The service tier that the response names.
    pub service_tier: Option<Name>,
    /// The provider's id of the request, from its headers.
    pub upstream_request_id: Option<Name>,
    /// HTTP status; absent where no response came.
    pub status: Option<u16>,
    /// What kind of error it was, where it was one.
    pub error_class: Option<ErrorClass>,
    /// The provider's short error code or type, never its message; at most 64 bytes.
    pub error_code: Option<Name>,
    /// How the body ended.
    pub end: Option<End>,
    /// Who cancelled it, where somebody did.
    pub cancelled_by: Option<CancelledBy>,
    /// The provider may bill it although it failed for us.
    pub maybe_billed: bool,
    /// Rate-limit headers, at most 24.
    pub rate_limits: Vec<RateLimitHeader>,
    /// Server-reported timings, at most 16.
    pub server_timings: Vec<ServerTiming>,
    /// Its moments.
    pub timeline: Timeline,
    /// Its gaps, of streams only.
    pub gaps: Option<Gaps>,
    /// Why the model stopped, one per choice that said so, at most 8.
    pub finish: Vec<FinishReason>,
    /// Body bytes received from the provider.
    pub response_bytes: u64,
    /// What the observer found odd, each kind once.
    pub oddities: Vec<Oddity>,
    /// Tokens that it reported although its answer was nobody's: the exchange went elsewhere, or it
    /// could not be said in the client's language. Those of an answer are the exchange's own.
    pub lost_usage: Option<Usage>,
    /// What those cost by the price table: a part of the exchange's cost.
    pub lost_cost: Option<PicoDollars>,
    /// The language spoken with the provider, where the request was translated into another one
    /// than the exchange's.
    pub language: Option<Language>,
    /// The fields of the request that the translation left out, by their paths; at most
    /// [`Self::DROPPED_MAX`].
    pub dropped: Vec<Name>,
}

impl AttemptRecord {
    /// Fields left out that are kept of one attempt.
    pub const DROPPED_MAX: usize = 16;
    /// Bytes kept of the path of one.
    pub const DROPPED_BYTES_MAX: usize = 64;
}
