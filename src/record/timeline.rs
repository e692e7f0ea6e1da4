//! Lays out the moments of one attempt on one monotonic clock, and the gaps between its tokens.

use super::units::{Moment, Nanos};

/// One moment of an attempt's timeline. `ALL` lists them in the order in which a street runs.
///
/// Definitions: the design's section 1 and 4; `s0`, `s1`, `h`, `b`… are the letters used by
/// the definitions of derived metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Mark {
    /// First byte of the client's request read from its socket (t0).
    RequestFirstByte,
    /// Last byte of the client's request read (t1).
    RequestComplete,
    /// The route of this attempt chosen (t2).
    RouteChosen,
    /// A pooled connection, or the leave to open one, was had.
    PoolWait,
    /// Host name resolved. Absent on a reused connection, as the next two.
    Dns,
    /// TCP connected.
    Connect,
    /// TLS handshake done.
    Tls,
    /// First byte of the upstream request handed to the socket (s0).
    SendStart,
    /// Last byte of the upstream request written to the socket (s1).
    RequestSent,
    /// Response headers complete (h).
    Headers,
    /// First byte of the response body, comments and keep-alives included (b).
    FirstByte,
    /// First event with data, of any kind (e1).
    FirstEvent,
    /// First event that carries a role and no token.
    FirstRole,
    /// First generated token of any kind (f).
    FirstToken,
    /// First reasoning token.
    FirstReasoning,
    /// First token that is not reasoning: text, refusal, audio or tool call (a).
    FirstAnswer,
    /// First visible answer text.
    FirstText,
    /// First tool call token, its header included.
    FirstToolCall,
    /// Last token of any kind (l).
    LastToken,
    /// Usage numbers read (u).
    Usage,
    /// Terminator or end of body (d).
    Done,
    /// The write that carried the first token to the client completed (`w_f`).
    ClientFirstToken,
    /// The write that carried the last token to the client completed (`w_l`); of a whole answer,
    /// its last byte.
    ClientLastToken,
    /// The held answer was committed to the client.
    Held,
    /// Nothing more of this attempt happens.
    Closed,
}

impl Mark {
    /// Every mark, in the order of the street.
    pub const ALL: [Self; 25] = [
        Self::RequestFirstByte,
        Self::RequestComplete,
        Self::RouteChosen,
        Self::PoolWait,
        Self::Dns,
        Self::Connect,
        Self::Tls,
        Self::SendStart,
        Self::RequestSent,
        Self::Headers,
        Self::FirstByte,
        Self::FirstEvent,
        Self::FirstRole,
        Self::FirstToken,
        Self::FirstReasoning,
        Self::FirstAnswer,
        Self::FirstText,
        Self::FirstToolCall,
        Self::LastToken,
        Self::Usage,
        Self::Done,
        Self::ClientFirstToken,
        Self::ClientLastToken,
        Self::Held,
        Self::Closed,
    ];

    /// The name used in exports and on the page.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::RequestFirstByte => "request_first_byte",
            Self::RequestComplete => "request_complete",
            Self::RouteChosen => "route_chosen",
            Self::PoolWait => "pool_wait",
            Self::Dns => "dns",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::SendStart => "send_start",
            Self::RequestSent => "request_sent",
            Self::Headers => "headers",
            Self::FirstByte => "first_byte",
            Self::FirstEvent => "first_event",
            Self::FirstRole => "first_role",
            Self::FirstToken => "first_token",
            Self::FirstReasoning => "first_reasoning",
            Self::FirstAnswer => "first_answer",
            Self::FirstText => "first_text",
            Self::FirstToolCall => "first_tool_call",
            Self::LastToken => "last_token",
            Self::Usage => "usage",
            Self::Done => "done",
            Self::ClientFirstToken => "client_first_token",
            Self::ClientLastToken => "client_last_token",
            Self::Held => "held",
            Self::Closed => "closed",
        }
    }
}

/// The moments of one attempt; a mark that never came is absent, not zero.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timeline {
    // `u64::MAX` stands for absent: half the size of an array of `Option`.
    moments: [u64; Mark::ALL.len()],
}

impl Default for Timeline {
    fn default() -> Self {
        Self {
            moments: [u64::MAX; Mark::ALL.len()],
        }
    }
}

impl Timeline {
    /// The moment of `mark`, where it came.
    #[must_use]
    pub fn get(&self, mark: Mark) -> Option<Moment> {
        Some(self.moments[mark as usize])
            .filter(|ns| *ns != u64::MAX)
            .map(Moment)
    }

    /// Sets `mark`, replacing an earlier setting.
    pub fn set(&mut self, mark: Mark, at: Moment) {
        self.moments[mark as usize] = at.0;
    }

    /// Takes `mark` away: when it came is not known after all.
    pub fn unset(&mut self, mark: Mark) {
        self.moments[mark as usize] = u64::MAX;
    }

    /// Sets `mark` unless it is set already: the first of its kind stands.
    pub fn set_first(&mut self, mark: Mark, at: Moment) {
        if self.moments[mark as usize] == u64::MAX {
            self.set(mark, at);
        }
    }

    /// The span from `from` to `to`, where both came and in that order.
    #[must_use]
    pub fn span(&self, from: Mark, to: Mark) -> Option<Nanos> {
        let (from, to) = (self.get(from)?, self.get(to)?);
        (to >= from).then(|| to.since(from))
    }

    /// The marks that came, with their moments, in the order of [`Mark::ALL`].
    pub fn iter(&self) -> impl Iterator<Item = (Mark, Moment)> + '_ {
        Mark::ALL
            .into_iter()
            .filter_map(|mark| self.get(mark).map(|at| (mark, at)))
    }
}

/// A relative-error histogram as plain data: counts by logarithmic bin. What the bins mean, and
/// how two are merged, is said in `statistics::sketch`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Bins {
    /// Values of zero.
    pub zeros: u64,
    /// (bin index, count), strictly ascending by index, no count zero.
    pub bins: Vec<(i32, u64)>,
}

/// Why a derived number is absent although the exchange went well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NullReason {
    /// Not a stream: there is no first token, and the total is not one.
    WholeAnswer,
    /// No token was generated.
    NoToken,
    /// Fewer tokens after the first event than a rate needs (16).
    TooFewTokens,
    /// Less time between first and last token than a rate needs (100 ms).
    TooShort,
    /// Fewer token events than a rate needs (4).
    TooFewEvents,
    /// The provider held the answer back and sent it in one burst.
    PseudoStream,
    /// All token events came in one socket read.
    Coalesced,
    /// The stream did not reach its end.
    Aborted,
    /// Several choices or prompts shared the stream.
    MultipleChoices,
    /// The number of output tokens is unknown.
    UsageUnknown,
    /// The client's connection carries several streams, so its writes cannot be told apart.
    Multiplexed,
    /// The client read so slowly that it delayed the provider's stream.
    ClientBackpressure,
    /// The content is not text tokens (audio, images).
    NotTokens,
    /// The observer could not read the stream to its end, or only after its bytes had come.
    Unreadable,
}

impl NullReason {
    /// Every reason.
    pub const ALL: [Self; 14] = [
        Self::WholeAnswer,
        Self::NoToken,
        Self::TooFewTokens,
        Self::TooShort,
        Self::TooFewEvents,
        Self::PseudoStream,
        Self::Coalesced,
        Self::Aborted,
        Self::MultipleChoices,
        Self::UsageUnknown,
        Self::Multiplexed,
        Self::ClientBackpressure,
        Self::NotTokens,
        Self::Unreadable,
    ];

    /// The name used in exports and on the page.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::WholeAnswer => "whole_answer",
            Self::NoToken => "no_token",
            Self::TooFewTokens => "too_few_tokens",
            Self::TooShort => "too_short",
            Self::TooFewEvents => "too_few_events",
            Self::PseudoStream => "pseudo_stream",
            Self::Coalesced => "coalesced",
            Self::Aborted => "aborted",
            Self::MultipleChoices => "multiple_choices",
            Self::UsageUnknown => "usage_unknown",
            Self::Multiplexed => "multiplexed",
            Self::ClientBackpressure => "client_backpressure",
            Self::NotTokens => "not_tokens",
            Self::Unreadable => "unreadable",
        }
    }
}

/// What lay between the token events of one stream.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Gaps {
    /// Token events, the first included: gaps are one fewer.
    pub token_events: u32,
    /// Socket reads that brought at least one token event.
    pub token_reads: u32,
    /// Tokens in the first token event, `n_first`: estimated by its share of the bytes of all token
    /// events' text; 1 where not known. Behind reasoning told in short, of the first with an answer.
    pub first_event_tokens: u32,
    /// Sketch of the gaps in nanoseconds.
    pub sketch: Bins,
    /// The longest gap.
    pub longest: Nanos,
    /// Gaps over max(1 s, 10 × the stream's median gap).
    pub stalls: u32,
    /// Time spent in those stalls.
    pub stalled: Nanos,
    /// Per mille of the token events that shared their socket read with an earlier one.
    pub burst_permille: u16,
    /// Whether the provider held the answer back and sent it in one burst
    /// (≥ 5 events, last − first ≤ 250 ms, first token ≥ 800 ms and ≥ 4 × (last − first)).
    pub pseudo_stream: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_stand_in_the_order_of_their_numbers() {
        for (index, mark) in Mark::ALL.into_iter().enumerate() {
            assert_eq!(mark as usize, index, "{}", mark.name());
        }
    }

    #[test]
    fn absent_marks_have_no_span() {
        let mut timeline = Timeline::default();
        timeline.set_first(Mark::SendStart, Moment(10));
        timeline.set_first(Mark::SendStart, Moment(20));
        assert_eq!(timeline.span(Mark::SendStart, Mark::FirstToken), None);
        timeline.set(Mark::FirstToken, Moment(35));
        assert_eq!(
            timeline.span(Mark::SendStart, Mark::FirstToken),
            Some(Nanos(25))
        );
        assert_eq!(timeline.span(Mark::FirstToken, Mark::SendStart), None);
    }
}
