//! Names every fault that a provider can be made to show.

macro_rules! faults {
    ($($(#[doc = $doc:literal])* $item:ident = $name:literal,)*) => {
        /// One fault. Where it strikes and for how long is said by
        /// [`Behaviour`](super::Behaviour).
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Fault { $($(#[doc = $doc])* $item,)* }

        impl Fault {
            /// Every fault.
            pub const ALL: &'static [Self] = &[$(Self::$item,)*];

            /// Its name in the grammar and in truths.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$item => $name,)* }
            }

            /// Its one line of documentation.
            #[must_use]
            pub const fn about(self) -> &'static str {
                match self { $(Self::$item => concat!($($doc),*),)* }
            }
        }
    };
}

impl Fault {
    /// The fault of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|fault| fault.name() == name)
    }
}

faults! {
    // Before any byte of the answer.
    /// Reset once the request is read, before any byte of the answer.
    ResetBeforeHeaders = "reset_before_headers",
    /// FIN once the request is read, before any byte of the answer.
    CloseBeforeHeaders = "close_before_headers",
    /// Reset before the headers, on a connection that has answered before; else a good answer.
    ResetReused = "reset_reused",
    /// FIN before the headers, on a connection that has answered before; else a good answer.
    CloseReused = "close_reused",
    /// A good answer that promises to keep the connection, which is closed after `for`.
    CloseAfterAnswer = "close_after_answer",
    /// A good answer that promises to keep the connection, which is reset after `for`.
    ResetAfterAnswer = "reset_after_answer",
    // In the middle.
    /// Reset after the response headers, before any byte of the body.
    ResetAfterHeaders = "reset_after_headers",
    /// FIN after the response headers, before any byte of the body and its framing.
    CloseAfterHeaders = "close_after_headers",
    /// Reset before token event `at`.
    ResetMid = "reset_mid",
    /// FIN before token event `at`, without the end of the framing.
    CloseMid = "close_mid",
    /// A clean end of the framing before token event `at`: no finish, no terminator.
    EndMid = "end_mid",
    /// A clean end of the framing in the middle of token event `at`.
    PartialEvent = "partial_event",
    // The end.
    /// A body that ends with the connection: no length, no chunks; all events are there.
    CloseDelimited = "close_delimited",
    /// A body that ends with the connection, with a finish but without terminator.
    CloseDelimitedNoDone = "close_delimited_no_done",
    /// Finish and usage, but no terminator.
    MissingDone = "missing_done",
    /// The terminator, but no finish reason.
    MissingFinish = "missing_finish",
    /// The last event, complete but for the blank line after it.
    PendingLastEvent = "pending_last_event",
    /// Events after the terminator.
    JunkAfterDone = "junk_after_done",
    /// A good answer, then FIN of the writing side only: reading goes on until the peer closes.
    HalfClose = "half_close",
    // Slowness.
    /// Silence of `for` before the response headers.
    StallHeaders = "stall_headers",
    /// Silence of `for` after headers and role, before the first token.
    StallFirstToken = "stall_first_token",
    /// Silence of `for` before token event `at`.
    StallMid = "stall_mid",
    /// One byte per write, `for` apart.
    Drip = "drip",
    /// Every byte of the body in a chunk of its own, many chunks in a write.
    TinyChunks = "tiny_chunks",
    /// A stream that never ends.
    Endless = "endless",
    /// Comments or pings in the persona's manner, 1,000 before the first token.
    CommentFlood = "comment_flood",
    /// Headers and role, then silence for `for`, then FIN without an end of the framing.
    RoleThenSilence = "role_then_silence",
    // Empty answers.
    /// Status 200 and an event stream without any byte.
    EmptyStream = "empty_stream",
    /// Role, finish and terminator, but no token.
    EmptyAnswer = "empty_answer",
    /// Nothing but the terminator.
    DoneOnly = "done_only",
    // Statuses.
    /// 429 with `Retry-After` in seconds, and the persona's rate-limit headers.
    RateLimit = "rate_limit",
    /// 429 with `Retry-After` as HTTP date.
    RateLimitDate = "rate_limit_date",
    /// 429 with `retry-after-ms` besides.
    RateLimitMillis = "rate_limit_ms",
    /// 429 without any hint.
    RateLimitBare = "rate_limit_bare",
    /// 429 that says that the quota is used up.
    Quota = "quota",
    /// 401 as for a wrong credential.
    Unauthorized = "unauthorized",
    /// 403.
    Forbidden = "forbidden",
    /// 404 as for an unknown model.
    NotFound = "not_found",
    /// 400 that says that the prompt is too long.
    ContextLength = "context_length",
    /// 400 that says that the content is refused.
    ContentFilter = "content_filter",
    /// 500.
    Http500 = "http_500",
    /// 502.
    Http502 = "http_502",
    /// 503.
    Http503 = "http_503",
    /// 504.
    Http504 = "http_504",
    /// 529.
    Http529 = "http_529",
    /// The status `code`, 500 by default, in the persona's error shape.
    HttpStatus = "http_status",
    /// The status `code`, 502 by default, with an HTML body.
    HttpHtml = "http_html",
    /// The status `code`, 500 by default, without a body.
    HttpEmpty = "http_empty",
    /// The status `code`, 500 by default, with a body of `size`, 5 MB by default.
    HttpLarge = "http_large",
    /// The status `code`, 302 by default, with a `Location` on another host.
    Redirect = "redirect",
    /// Status 200 with an error as its JSON body.
    ErrorIn200 = "error_in_200",
    /// Status 200 with an HTML page as its body.
    HtmlIn200 = "html_in_200",
    /// The status `code`, 413 by default, before the body is read; then the connection closes.
    EarlyResponse = "early_response",
    // Error events.
    /// An error event first, and then the end.
    ErrorFirst = "error_first",
    /// An error event first, and then the terminator; `response.failed` alone in the responses API.
    ErrorFirstDone = "error_first_done",
    /// An error event instead of token event `at`, and then the end.
    ErrorMid = "error_mid",
    /// An error event instead of token event `at`, and then the terminator; `response.failed` alone
    /// in the responses API.
    ErrorMidDone = "error_mid_done",
    // SSE that is not as it should be.
    /// Lines end with CR only.
    SseCr = "sse_cr",
    /// Lines end with CRLF.
    SseCrLf = "sse_crlf",
    /// No space after the field name.
    SseNoSpace = "sse_no_space",
    /// A BOM first.
    SseBom = "sse_bom",
    /// No blank line after token event `at`.
    SseNoBlankLine = "sse_no_blank_line",
    /// Token event `at` is not JSON.
    SseBadJson = "sse_bad_json",
    /// Token event `at` is followed by one that is not UTF-8.
    SseBadUtf8 = "sse_bad_utf8",
    /// Token event `at` is followed by one with a NUL.
    SseNul = "sse_nul",
    /// Token event `at` is followed by a line of `size`, 8 MiB by default.
    SseHugeLine = "sse_huge_line",
    /// An unknown event and unknown fields before token event `at`.
    SseUnknown = "sse_unknown",
    // Encodings.
    /// A gzip body though nobody asked, flushed after every event.
    Gzip = "gzip",
    /// A deflate (zlib) body though nobody asked, flushed after every event.
    Deflate = "deflate",
    /// A brotli body though nobody asked, a block for every event.
    Brotli = "brotli",
    /// A zstd body though nobody asked, a block for every event.
    Zstd = "zstd",
    /// A gzip body cut before its trailer.
    GzipTruncated = "gzip_truncated",
    /// A gzip body that unfolds to `size`, 1 GiB by default.
    GzipBomb = "gzip_bomb",
    // Framing.
    /// A chunk size that is not hexadecimal, before token event `at`.
    ChunkBadHex = "chunk_bad_hex",
    /// A chunk size over 64 bits, before token event `at`.
    ChunkOverflow = "chunk_overflow",
    /// No CRLF after the chunk of token event `at`.
    ChunkNoCrLf = "chunk_no_crlf",
    /// Chunk extensions on every chunk: unusual and legal.
    ChunkExtension = "chunk_extension",
    /// A trailer field after the last chunk.
    Trailers = "trailers",
    /// `Content-Length` 10 below the bytes that are sent.
    LengthShort = "length_short",
    /// `Content-Length` 10 above the bytes that are sent, then FIN.
    LengthLong = "length_long",
    /// `Content-Length` and `Transfer-Encoding: chunked` together.
    LengthAndChunked = "length_and_chunked",
    /// Two different `Content-Length`.
    TwoLengths = "two_lengths",
    /// A status line that is none.
    BadStatusLine = "bad_status_line",
    /// A header with bytes that no header may have.
    BadHeader = "bad_header",
    /// A header of `size`, 100 KiB by default.
    HugeHeader = "huge_header",
    /// 500 headers.
    ManyHeaders = "many_headers",
    /// 100 times `103 Early Hints` before the answer.
    EarlyHintsFlood = "early_hints_flood",
    /// A single `103 Early Hints` before a good answer: legal.
    EarlyHints = "early_hints",
    /// A `101 Switching Protocols` that nobody asked for.
    FakeUpgrade = "fake_upgrade",
    /// Status 204 followed by body bytes.
    NoContentWithBody = "no_content_with_body",
    /// Status 304 followed by body bytes.
    NotModifiedWithBody = "not_modified_with_body",
    /// A good answer without `Content-Type`.
    NoContentType = "no_content_type",
    /// A good answer with a `Content-Type` that is not its own.
    WrongContentType = "wrong_content_type",
    /// An HTTP/1.0 answer that ends with the connection.
    Http10 = "http_10",
    // Content.
    /// The answered model is not the one asked for.
    ModelChanged = "model_changed",
    /// No usage anywhere.
    UsageMissing = "usage_missing",
    /// Usage twice, in two places.
    UsageTwice = "usage_twice",
    /// All usage numbers zero.
    UsageZero = "usage_zero",
    /// Cumulative usage on every event, as vLLM's `continuous_usage_stats`.
    UsageEveryEvent = "usage_every_event",
    /// Usage details that are null.
    UsageNullDetails = "usage_null_details",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_fit_the_grammar_and_read_back() {
        for (place, fault) in Fault::ALL.iter().enumerate() {
            let name = fault.name();
            assert_eq!(Fault::from_name(name), Some(*fault));
            assert!(
                name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'),
                "{name}"
            );
            assert!(
                !Fault::ALL[..place].iter().any(|other| other.name() == name),
                "{name}"
            );
            assert!(fault.about().trim().ends_with('.'), "{name}");
        }
    }
}
