//! Keeps what the simulator really did, write by write, so that a measurement can be judged.

use serde_json::{Value, json};

use crate::record::{Moment, Nanos};

/// What a write carried: flags, and the tokens that became complete with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Carried {
    flags: u16,
    /// Index of the first token that this write completed.
    pub token: u32,
    /// Number of tokens that this write completed.
    pub tokens: u32,
}

impl Carried {
    /// Response head.
    pub const HEAD: Self = Self::flag(1);
    /// Role-only event, or what opens an answer.
    pub const ROLE: Self = Self::flag(1 << 1);
    /// Finish reason.
    pub const FINISH: Self = Self::flag(1 << 2);
    /// Usage numbers.
    pub const USAGE: Self = Self::flag(1 << 3);
    /// The terminator (`[DONE]`, `message_stop`, `response.completed`).
    pub const DONE: Self = Self::flag(1 << 4);
    /// A comment or ping.
    pub const KEEPALIVE: Self = Self::flag(1 << 5);
    /// An error event or body.
    pub const ERROR: Self = Self::flag(1 << 6);
    /// A piece of an event, not its end.
    pub const PART: Self = Self::flag(1 << 7);
    /// A whole answer.
    pub const WHOLE: Self = Self::flag(1 << 8);
    /// The last bytes of the framing.
    pub const END: Self = Self::flag(1 << 9);
    /// Bytes of a script, or of a fault.
    pub const RAW: Self = Self::flag(1 << 10);
    /// The socket was full: the write waited for the peer.
    pub const BLOCKED: Self = Self::flag(1 << 11);

    const NAMES: [&'static str; 12] = [
        "head",
        "role",
        "finish",
        "usage",
        "done",
        "keepalive",
        "error",
        "part",
        "whole",
        "end",
        "raw",
        "blocked",
    ];

    const fn flag(flags: u16) -> Self {
        Self {
            flags,
            token: 0,
            tokens: 0,
        }
    }

    /// `count` tokens from `first` on.
    pub const fn tokens(first: u32, count: u32) -> Self {
        Self {
            flags: 0,
            token: first,
            tokens: count,
        }
    }

    /// Whether every flag of `other` is set.
    pub const fn has(self, other: Self) -> bool {
        self.flags & other.flags == other.flags
    }

    /// Both together; tokens are taken to follow each other.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self {
            flags: self.flags | other.flags,
            token: if self.tokens > 0 {
                self.token
            } else {
                other.token
            },
            tokens: self.tokens + other.tokens,
        }
    }

    /// Whether token `index` became complete with this write.
    pub const fn has_token(self, index: u32) -> bool {
        index >= self.token && index < self.token + self.tokens
    }

    fn names(self) -> Vec<&'static str> {
        let token = (self.tokens > 0).then_some("token");
        let flags = (0..Self::NAMES.len()).filter(|bit| self.flags & (1 << bit) != 0);
        token
            .into_iter()
            .chain(flags.map(|bit| Self::NAMES[bit]))
            .collect()
    }
}

/// One write to the socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Write {
    /// Just before the write call.
    pub at: Moment,
    /// When it should have been, if it was paced.
    pub due: Option<Moment>,
    /// Bytes written before this write on behalf of this request, framing included.
    pub wire_from: u64,
    /// Bytes of this write, framing included.
    pub wire_bytes: u32,
    /// Bytes of the body (chunk framing taken off) before this write.
    pub body_from: u64,
    /// Bytes of the body in this write.
    pub body_bytes: u32,
    /// What it carried.
    pub carried: Carried,
}

/// How the peer's side of the connection ended, as seen by the simulator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PeerEnd {
    /// The peer sent a FIN.
    Fin,
    /// The peer sent a reset, or a write failed.
    Reset,
}

impl PeerEnd {
    /// Its name in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fin => "fin",
            Self::Reset => "reset",
        }
    }
}

/// What came as credential: never its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Credential {
    /// The header that carried one.
    pub header: Option<&'static str>,
    /// Whether it is the expected one; absent where none is expected.
    pub matched: Option<bool>,
}

/// Everything known about one request and what was done about it.
#[derive(Debug, Clone, Default)]
pub struct Truth {
    /// The completion id in the response body.
    pub id: String,
    /// The request's `x-sim-id`.
    pub sim_id: Option<String>,
    /// Which connection it came on, counted from 1.
    pub connection: u64,
    /// Place of the request on its connection, counted from 0; above 0 the connection was reused.
    pub place: u32,
    /// Method.
    pub method: String,
    /// Path and query.
    pub target: String,
    /// The model asked for.
    pub model: Option<String>,
    /// Whether a stream was asked for.
    pub stream: bool,
    /// Name of the fault that was played.
    pub fault: Option<&'static str>,
    /// Status answered.
    pub status: Option<u16>,
    /// First byte of the request.
    pub first_byte_at: Moment,
    /// Last byte of the request.
    pub received_at: Option<Moment>,
    /// Bytes of the request's body.
    pub request_bytes: u64,
    /// Names of the request's headers, as they came.
    pub headers: Vec<String>,
    /// What came as credential.
    pub credential: Credential,
    /// Tokens that the answer declares.
    pub tokens: u32,
    /// Writes in order, up to [`Truth::WRITES_MAX`].
    pub writes: Vec<Write>,
    /// Writes that were made but not kept.
    pub writes_dropped: u64,
    /// Bytes written, framing included.
    pub wire_bytes: u64,
    /// Bytes of the body written.
    pub body_bytes: u64,
    /// When the peer was seen to close, and how.
    pub peer_end: Option<(Moment, PeerEnd)>,
    /// When the simulator was done with the request.
    pub finished_at: Option<Moment>,
}

/// How far the writes were off their schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PacingError {
    /// Paced writes.
    pub count: usize,
    /// Median.
    pub p50: Nanos,
    /// 99th percentile, nearest rank.
    pub p99: Nanos,
    /// The worst.
    pub max: Nanos,
}

impl Truth {
    /// Writes kept per request.
    pub const WRITES_MAX: usize = 16_384;

    /// Whether the connection had answered before.
    pub const fn reused(&self) -> bool {
        self.place > 0
    }

    /// When token `index` became complete on the wire.
    pub fn token_at(&self, index: u32) -> Option<Moment> {
        self.first(|carried| carried.has_token(index))
    }

    /// When the first write of that kind was made.
    pub fn at(&self, kind: Carried) -> Option<Moment> {
        self.first(|carried| carried.has(kind))
    }

    fn first(&self, wanted: impl Fn(Carried) -> bool) -> Option<Moment> {
        let write = self.writes.iter().find(|write| wanted(write.carried));
        write.map(|write| write.at)
    }

    /// Moments of the tokens in order, one for each token.
    pub fn token_moments(&self) -> Vec<Moment> {
        let writes = self.writes.iter();
        writes
            .flat_map(|write| std::iter::repeat_n(write.at, write.carried.tokens as usize))
            .collect()
    }

    /// How far the paced writes were late.
    pub fn pacing_error(&self) -> Option<PacingError> {
        let late = |write: &Write| write.due.map(|due| write.at.since(due));
        let mut errors: Vec<Nanos> = self.writes.iter().filter_map(late).collect();
        errors.sort_unstable();
        let rank = |q: usize| errors.get((errors.len() * q).div_ceil(100).saturating_sub(1));
        Some(PacingError {
            count: errors.len(),
            p50: *rank(50)?,
            p99: *rank(99)?,
            max: *errors.last()?,
        })
    }

    /// Notes a write.
    pub(super) fn note(&mut self, at: Moment, due: Option<Moment>, sizes: Sizes, carried: Carried) {
        if self.writes.len() < Self::WRITES_MAX {
            self.writes.push(Write {
                at,
                due,
                wire_from: self.wire_bytes,
                wire_bytes: sizes.wire as u32,
                body_from: self.body_bytes,
                body_bytes: sizes.body as u32,
                carried,
            });
        } else {
            self.writes_dropped += 1;
        }
        self.wire_bytes += sizes.wire as u64;
        self.body_bytes += sizes.body as u64;
    }

    /// The truth as JSON; moments are nanoseconds of `CLOCK_MONOTONIC`.
    pub fn json(&self) -> Value {
        let pacing = self.pacing_error();
        json!({
            "id": self.id,
            "sim_id": self.sim_id,
            "connection": self.connection,
            "place": self.place,
            "reused": self.reused(),
            "method": self.method,
            "target": self.target,
            "model": self.model,
            "stream": self.stream,
            "fault": self.fault,
            "status": self.status,
            "first_byte_at": self.first_byte_at.0,
            "received_at": self.received_at.map(|at| at.0),
            "request_bytes": self.request_bytes,
            "headers": self.headers,
            "credential": {
                "header": self.credential.header,
                "matched": self.credential.matched,
            },
            "tokens": self.tokens,
            "writes": self.writes.iter().map(write_json).collect::<Vec<_>>(),
            "writes_dropped": self.writes_dropped,
            "wire_bytes": self.wire_bytes,
            "body_bytes": self.body_bytes,
            "peer_end": self.peer_end.map(|(at, end)| json!({"at": at.0, "how": end.name()})),
            "finished_at": self.finished_at.map(|at| at.0),
            "pacing_error_ns": pacing.map(|error| json!({
                "count": error.count,
                "p50": error.p50.0,
                "p99": error.p99.0,
                "max": error.max.0,
            })),
        })
    }
}

fn write_json(write: &Write) -> Value {
    json!({
        "at": write.at.0,
        "due": write.due.map(|due| due.0),
        "wire": [write.wire_from, write.wire_from + u64::from(write.wire_bytes)],
        "body": [write.body_from, write.body_from + u64::from(write.body_bytes)],
        "carried": write.carried.names(),
        "tokens": (write.carried.tokens > 0)
            .then(|| json!([write.carried.token, write.carried.tokens])),
    })
}

/// Bytes of one write, with and without framing.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Sizes {
    /// Framing included.
    pub(super) wire: usize,
    /// Body alone.
    pub(super) body: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_add_up_and_tokens_are_found() {
        let mut truth = Truth::default();
        let sizes = |wire, body| Sizes { wire, body };
        truth.note(Moment(10), None, sizes(100, 0), Carried::HEAD);
        truth.note(
            Moment(20),
            Some(Moment(15)),
            sizes(12, 6),
            Carried::tokens(0, 2),
        );
        let last = Carried::tokens(2, 1).and(Carried::FINISH);
        truth.note(Moment(30), Some(Moment(30)), sizes(8, 4), last);
        assert_eq!((truth.wire_bytes, truth.body_bytes), (120, 10));
        assert_eq!(truth.writes[2].body_from, 6);
        assert_eq!(truth.token_at(1), Some(Moment(20)));
        assert_eq!(truth.token_at(2), Some(Moment(30)));
        assert_eq!(truth.token_at(3), None);
        assert_eq!(truth.at(Carried::FINISH), Some(Moment(30)));
        assert_eq!(truth.token_moments(), [Moment(20), Moment(20), Moment(30)]);
        let error = truth.pacing_error().unwrap();
        assert_eq!((error.count, error.max), (2, Nanos(5)));
        assert_eq!(
            truth.json()["writes"][2]["carried"],
            json!(["token", "finish"])
        );
    }
}
