//! Names the headers that the street looks for or sets: read into names once, not at each look.

use http::HeaderName;

use crate::wire::dialect::errors::ERROR_TYPE;

/// How the names begin of headers that speak to us.
pub(super) const OURS: &str = "x-tollgate-";

/// Declares header names.
macro_rules! names {
    ($($(#[$doc:meta])* $name:ident = $text:expr;)*) => {
        $($(#[$doc])* pub(super) static $name: HeaderName = HeaderName::from_static($text);)*
    };
}

names! {
    /// Marks a request as having passed through a Tollgate. Marks of others before us stay beside
    /// ours: in a circle of two, each would take off what the other has to find.
    INSTANCE = "x-tollgate-instance";
    /// Pins the route of a request; says which one answered.
    ROUTE = "x-tollgate-route";
    /// Picks the policy of a request.
    POLICY = "x-tollgate-policy";
    /// Bounds what a request may be expected to cost.
    MAX_COST = "x-tollgate-max-cost";
    /// Bounds when its answer is to be expected.
    DEADLINE = "x-tollgate-deadline";
    /// Says which region it is for.
    REGION = "x-tollgate-region";
    /// Says why the first route was first.
    REASON = "x-tollgate-reason";
    /// Says what is known of a model that a provider does not know.
    HINT = "x-tollgate-hint";
    /// Tags for the record.
    TAGS = "x-tollgate-tags";
    /// The key of the session, given by the client.
    SESSION = "x-tollgate-session";
    /// The id of the exchange.
    EXCHANGE = "x-tollgate-exchange";
    /// How many attempts there were.
    ATTEMPTS = "x-tollgate-attempts";
    /// The tries that failed, each with its route and why, where there was more than one.
    TRIED = "x-tollgate-tried";
    /// How long each part took (W3C Server Timing).
    SERVER_TIMING = "server-timing";
    /// Says which language was said in which.
    TRANSLATED = "x-tollgate-translated";
    /// Lists the fields of the request that were left out.
    DROPPED = "x-tollgate-dropped";
    /// Claude Code's key of the session.
    CLAUDE_CODE_SESSION = "x-claude-code-session-id";
    /// Codex's key of the session.
    CODEX_SESSION = "session_id";
    /// W3C trace context.
    TRACEPARENT = "traceparent";
    /// How often the client's SDK has tried before.
    RETRY_COUNT = "x-stainless-retry-count";
    /// Where a browser says that a request comes from.
    SEC_FETCH_SITE = "sec-fetch-site";
    /// Anthropic's credential.
    X_API_KEY = "x-api-key";
    /// Azure's credential.
    API_KEY = "api-key";
    /// The kind of an error, as Amazon's SDKs know it.
    AMAZON_ERROR_TYPE = ERROR_TYPE;
    /// Google's credential.
    X_GOOG_API_KEY = "x-goog-api-key";
}
