//! Says how an exchange and each of its attempts ended.

/// How an exchange ended, seen from the application.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// The answer came whole.
    Ok,
    /// The provider refused the request as the caller's fault (4xx but rate limits; bad credentials
    /// too, told apart by the attempt's error class).
    ClientError,
    /// Tollgate refused the request; no provider saw it.
    Rejected,
    /// The provider's rate limit or quota.
    RateLimited,
    /// The provider could not be reached or answered with its own failure.
    UpstreamError,
    /// A deadline passed before an answer began.
    TimedOut,
    /// A success without any content where content was asked for.
    Empty,
    /// The answer broke off without its end.
    Truncated,
    /// The answer fell silent for longer than allowed, after its start.
    Stalled,
    /// An error inside a response that began as a success.
    InBandError,
    /// The client went away first.
    ClientGone,
    /// Tollgate was stopped while the exchange ran.
    Shutdown,
    /// A fault of Tollgate's own.
    ProxyFault,
}

impl Outcome {
    /// Every value, in the order in which stored numbers name them: append only.
    pub const ALL: [Self; 13] = [
        Self::Ok,
        Self::ClientError,
        Self::Rejected,
        Self::RateLimited,
        Self::UpstreamError,
        Self::TimedOut,
        Self::Empty,
        Self::Truncated,
        Self::Stalled,
        Self::InBandError,
        Self::ClientGone,
        Self::Shutdown,
        Self::ProxyFault,
    ];

    /// The name used in exports, metrics and on the page.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::ClientError => "client_error",
            Self::Rejected => "rejected",
            Self::RateLimited => "rate_limited",
            Self::UpstreamError => "upstream_error",
            Self::TimedOut => "timed_out",
            Self::Empty => "empty",
            Self::Truncated => "truncated",
            Self::Stalled => "stalled",
            Self::InBandError => "in_band_error",
            Self::ClientGone => "client_gone",
            Self::Shutdown => "shutdown",
            Self::ProxyFault => "proxy_fault",
        }
    }

    /// Whether the outcome counts as a failure of the route.
    ///
    /// Rate limits and credential faults are rates of their own; [`Self::in_failure_rate`] says
    /// which outcomes are in the fraction at all.
    #[must_use]
    pub const fn is_route_failure(self) -> bool {
        matches!(
            self,
            Self::UpstreamError
                | Self::TimedOut
                | Self::Empty
                | Self::Truncated
                | Self::Stalled
                | Self::InBandError
        )
    }

    /// Whether the outcome is in the denominator of a route's failure rate: what the client or
    /// Tollgate ended says nothing about the route.
    #[must_use]
    pub const fn in_failure_rate(self) -> bool {
        matches!(self, Self::Ok) || self.is_route_failure()
    }
}

/// How the body of an attempt's response ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum End {
    /// With its terminator, or whole by its length.
    Complete,
    /// Finish seen, terminator missing: a success, flagged.
    Unterminated,
    /// End of body without finish.
    Truncated,
    /// An error event inside the body.
    ErrorEvent,
    /// The connection broke.
    Reset,
    /// Silence longer than allowed.
    Stalled,
    /// The client went away.
    ClientGone,
    /// A limit of ours (size, total time) cut it.
    CutByLimit,
    /// There was no body: the attempt failed before its headers.
    None,
}

impl End {
    /// Every value, in the order in which stored numbers name them: append only.
    pub const ALL: [Self; 9] = [
        Self::Complete,
        Self::Unterminated,
        Self::Truncated,
        Self::ErrorEvent,
        Self::Reset,
        Self::Stalled,
        Self::ClientGone,
        Self::CutByLimit,
        Self::None,
    ];

    /// The name used in exports, metrics and on the page.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Unterminated => "unterminated",
            Self::Truncated => "truncated",
            Self::ErrorEvent => "error_event",
            Self::Reset => "reset",
            Self::Stalled => "stalled",
            Self::ClientGone => "client_gone",
            Self::CutByLimit => "cut_by_limit",
            Self::None => "none",
        }
    }
}

/// What kind of error an attempt met; what follows an error is decided by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ErrorClass {
    /// Too many requests or tokens; heals by waiting.
    RateLimited,
    /// Budget, credits or spend limit exhausted; does not heal by itself.
    Quota,
    /// The provider has no capacity now.
    Overloaded,
    /// The provider's own fault.
    ServerError,
    /// The provider reports a time-out of its own.
    Timeout,
    /// The credential is wrong.
    Auth,
    /// The credential may not do this, here or from here.
    Permission,
    /// No such model, deployment or path.
    NotFound,
    /// The request is wrong.
    BadRequest,
    /// The request is well-formed and wrong (422).
    Unprocessable,
    /// The prompt is larger than the model's window.
    ContextLength,
    /// The request is larger than the provider takes.
    PayloadTooLarge,
    /// Refused for its content.
    ContentFilter,
    /// The stream broke off.
    Truncated,
    /// A success without content.
    EmptyResponse,
    /// Bytes that are not the protocol.
    ProtocolError,
    /// Host name not resolved.
    Dns,
    /// TCP connection failed.
    Connect,
    /// TLS handshake failed.
    Tls,
    /// The connection broke before the response headers.
    Reset,
    /// No connection within `timeouts.connect`.
    ConnectTimeout,
    /// No first token within its deadline.
    FirstTokenTimeout,
    /// Silence longer than `timeouts.silence`.
    SilenceTimeout,
    /// The provider redirects; redirects are not followed.
    Redirect,
    /// The exchange took longer than `timeouts.total`.
    TotalTimeout,
}

impl ErrorClass {
    /// Every value, in the order in which stored numbers name them: append only.
    pub const ALL: [Self; 25] = [
        Self::RateLimited,
        Self::Quota,
        Self::Overloaded,
        Self::ServerError,
        Self::Timeout,
        Self::Auth,
        Self::Permission,
        Self::NotFound,
        Self::BadRequest,
        Self::Unprocessable,
        Self::ContextLength,
        Self::PayloadTooLarge,
        Self::ContentFilter,
        Self::Truncated,
        Self::EmptyResponse,
        Self::ProtocolError,
        Self::Dns,
        Self::Connect,
        Self::Tls,
        Self::Reset,
        Self::ConnectTimeout,
        Self::FirstTokenTimeout,
        Self::SilenceTimeout,
        Self::Redirect,
        Self::TotalTimeout,
    ];

    /// The name used in exports, metrics and on the page.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::RateLimited => "rate_limited",
            Self::Quota => "quota",
            Self::Overloaded => "overloaded",
            Self::ServerError => "server_error",
            Self::Timeout => "timeout",
            Self::Auth => "auth",
            Self::Permission => "permission",
            Self::NotFound => "not_found",
            Self::BadRequest => "bad_request",
            Self::Unprocessable => "unprocessable",
            Self::ContextLength => "context_length",
            Self::PayloadTooLarge => "payload_too_large",
            Self::ContentFilter => "content_filter",
            Self::Truncated => "truncated",
            Self::EmptyResponse => "empty_response",
            Self::ProtocolError => "protocol_error",
            Self::Dns => "dns",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Reset => "reset",
            Self::ConnectTimeout => "connect_timeout",
            Self::FirstTokenTimeout => "first_token_timeout",
            Self::SilenceTimeout => "silence_timeout",
            Self::Redirect => "redirect",
            Self::TotalTimeout => "total_timeout",
        }
    }
}

/// Why the model stopped, in OpenAI's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FinishReason {
    /// The model ended its answer.
    Stop,
    /// The token limit.
    Length,
    /// The model calls tools.
    ToolCalls,
    /// Filtered, or refused.
    ContentFilter,
    /// The deprecated form of a tool call.
    FunctionCall,
    /// The provider reports a failure as a finish reason.
    Error,
    /// A reason that is not known here.
    Other,
}

impl FinishReason {
    /// Every value, in the order in which stored numbers name them: append only.
    pub const ALL: [Self; 7] = [
        Self::Stop,
        Self::Length,
        Self::ToolCalls,
        Self::ContentFilter,
        Self::FunctionCall,
        Self::Error,
        Self::Other,
    ];

    /// The name used in exports, metrics and on the page.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Length => "length",
            Self::ToolCalls => "tool_calls",
            Self::ContentFilter => "content_filter",
            Self::FunctionCall => "function_call",
            Self::Error => "error",
            Self::Other => "other",
        }
    }
}

/// Who cancelled an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CancelledBy {
    /// The client went away.
    Client,
    /// A deadline of ours.
    Deadline,
    /// The program stopped.
    Shutdown,
    /// Another attempt won.
    Hedge,
    /// A size limit of ours.
    Limit,
}

impl CancelledBy {
    /// Every value, in the order in which stored numbers name them: append only.
    pub const ALL: [Self; 5] = [
        Self::Client,
        Self::Deadline,
        Self::Shutdown,
        Self::Hedge,
        Self::Limit,
    ];

    /// The name used in exports, metrics and on the page.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Deadline => "deadline",
            Self::Shutdown => "shutdown",
            Self::Hedge => "hedge",
            Self::Limit => "limit",
        }
    }
}

/// Something the observer met that is not as the protocol says, and that hurt nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Oddity {
    /// A BOM before the first event.
    ByteOrderMark,
    /// Bytes after the terminator.
    BytesAfterDone,
    /// Finish without terminator.
    MissingDone,
    /// The last event had no blank line after it.
    PendingEvent,
    /// The body ended inside an event.
    PartialEvent,
    /// An event that is not JSON.
    BadJson,
    /// An event over the observer's size limit: reading stopped there.
    EventTooLarge,
    /// An event of a kind not known here.
    UnknownEvent,
    /// Usage numbers in more than one place.
    UsageTwice,
    /// Usage on an event that also has content.
    UsageOnTokenEvent,
    /// The provider compressed although asked not to.
    Compressed,
    /// A compressed body that could not be decoded.
    Undecodable,
    /// The decoded copy passed its size limit: reading stopped there.
    DecodedTooLarge,
    /// The answered model is not the one asked for.
    ModelChanged,
    /// The content type is not that of the body.
    ContentTypeMismatch,
    /// More bytes than announced.
    ExtraBytes,
    /// The client read slower than the provider wrote.
    ClientBackpressure,
    /// The server closed a connection that it had promised to keep.
    KeepAliveLate,
    /// An error outside the event framing.
    RawErrorTail,
    /// A limit of the observer's memory: some detail is missing.
    LimitReached,
    /// A compressed stream whose copy could be decoded only after its bytes had come (zstd): what
    /// it says is read, and when its tokens came is not known.
    DecodedLate,
    /// The client had left, and the answer was read on for its usage.
    ReadOn,
    /// The model reasoned where nobody sees it, and no count tells how many of its tokens were
    /// streamed.
    HiddenReasoning,
    /// What was streamed of the reasoning is a summary: the tokens counted for it were not.
    ReasoningSummary,
    /// The audio tokens counted are the prompt's: no audio is in the answer.
    AudioPrompt,
}

impl Oddity {
    /// Every value, in the order in which stored numbers name them: append only.
    pub const ALL: [Self; 25] = [
        Self::ByteOrderMark,
        Self::BytesAfterDone,
        Self::MissingDone,
        Self::PendingEvent,
        Self::PartialEvent,
        Self::BadJson,
        Self::EventTooLarge,
        Self::UnknownEvent,
        Self::UsageTwice,
        Self::UsageOnTokenEvent,
        Self::Compressed,
        Self::Undecodable,
        Self::DecodedTooLarge,
        Self::ModelChanged,
        Self::ContentTypeMismatch,
        Self::ExtraBytes,
        Self::ClientBackpressure,
        Self::KeepAliveLate,
        Self::RawErrorTail,
        Self::LimitReached,
        Self::DecodedLate,
        Self::ReadOn,
        Self::HiddenReasoning,
        Self::ReasoningSummary,
        Self::AudioPrompt,
    ];

    /// The name used in exports, metrics and on the page.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ByteOrderMark => "byte_order_mark",
            Self::BytesAfterDone => "bytes_after_done",
            Self::MissingDone => "missing_done",
            Self::PendingEvent => "pending_event",
            Self::PartialEvent => "partial_event",
            Self::BadJson => "bad_json",
            Self::EventTooLarge => "event_too_large",
            Self::UnknownEvent => "unknown_event",
            Self::UsageTwice => "usage_twice",
            Self::UsageOnTokenEvent => "usage_on_token_event",
            Self::Compressed => "compressed",
            Self::Undecodable => "undecodable",
            Self::DecodedTooLarge => "decoded_too_large",
            Self::ModelChanged => "model_changed",
            Self::ContentTypeMismatch => "content_type_mismatch",
            Self::ExtraBytes => "extra_bytes",
            Self::ClientBackpressure => "client_backpressure",
            Self::KeepAliveLate => "keep_alive_late",
            Self::RawErrorTail => "raw_error_tail",
            Self::LimitReached => "limit_reached",
            Self::DecodedLate => "decoded_late",
            Self::ReadOn => "read_on",
            Self::HiddenReasoning => "hidden_reasoning",
            Self::ReasoningSummary => "reasoning_summary",
            Self::AudioPrompt => "audio_prompt",
        }
    }
}
