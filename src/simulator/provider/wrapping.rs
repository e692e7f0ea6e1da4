//! Knows how the events of a stream are parted, and what stands among them that nobody asked for.

use std::borrow::Cow;

use crate::config::settings::Keepalive;
use crate::record::Language;
use crate::wire::framing::event_stream::encode_event;

use super::fault::Fault;

/// How the events of a stream are parted from each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wrapping {
    /// Server-sent events, lines ending with LF.
    Events,
    /// Server-sent events, lines ending with CRLF.
    EventsCrLf,
    /// The items of one JSON array.
    Array,
    /// Amazon's binary frames.
    Frames,
    /// Lines of JSON.
    Lines,
}

impl Wrapping {
    /// How a language parts the events of its streams.
    pub(super) const fn of(language: Language, array: bool) -> Self {
        match language {
            Language::GeminiGenerate if array => Self::Array,
            Language::GeminiGenerate => Self::EventsCrLf,
            Language::BedrockConverse | Language::BedrockInvoke => Self::Frames,
            Language::OllamaNative => Self::Lines,
            _ => Self::Events,
        }
    }

    /// The content type of such a stream.
    pub(super) const fn content_type(self) -> &'static str {
        match self {
            Self::Events => "text/event-stream; charset=utf-8",
            Self::EventsCrLf => "text/event-stream",
            Self::Array => "application/json; charset=UTF-8",
            Self::Frames => "application/vnd.amazon.eventstream",
            Self::Lines => "application/x-ndjson",
        }
    }

    /// Whether it consists of server-sent events.
    pub(super) const fn has_events(self) -> bool {
        matches!(self, Self::Events | Self::EventsCrLf)
    }

    /// What keeps a waiting stream alive.
    pub(super) fn comment(self, keepalive: Keepalive) -> Option<&'static [u8]> {
        match (self, keepalive) {
            // Nothing can stand between two frames; white space can, between two items.
            (Self::Frames | Self::Lines, _) | (_, Keepalive::None) => None,
            (Self::Array, _) => Some(b"\r\n"),
            (_, Keepalive::Comment) => Some(b": PROCESSING\n\n"),
            (_, Keepalive::BareComment) => Some(b":\n\n"),
            (_, Keepalive::PingEvent) => Some(b"event: ping\ndata: {\"type\": \"ping\"}\n\n"),
        }
    }

    /// One comment of a flood: what means nothing.
    pub(super) fn flood(self, keepalive: Keepalive) -> Vec<u8> {
        match self {
            Self::Events | Self::EventsCrLf => {
                self.comment(keepalive).unwrap_or(b": flood\n\n").to_vec()
            }
            Self::Array => b"\r\n".to_vec(),
            Self::Frames => frame("keepAlive", b"{}"),
            Self::Lines => b"{\"done\":false}\n".to_vec(),
        }
    }

    /// An event and fields that no dialect knows.
    pub(super) fn unknown(self) -> Vec<u8> {
        match self {
            Self::Events => UNKNOWN_EVENT.to_vec(),
            Self::EventsCrLf => replace(UNKNOWN_EVENT, b"\n", b"\r\n"),
            // It has to follow an item, so that the comma is right.
            Self::Array => b",\r\n{\"odd\": \"item\"}".to_vec(),
            Self::Frames => frame("simUnknown", b"{\"odd\":\"payload\"}"),
            Self::Lines => b"{\"odd\":\"line\"}\n".to_vec(),
        }
    }

    /// Events after the terminator.
    pub(super) fn junk(self) -> Vec<u8> {
        let json = b"{\"junk\":\"after the terminator\"}";
        match self {
            Self::Events => [b"data: ", &json[..], b"\n\n"].concat(),
            Self::EventsCrLf => [b"data: ", &json[..], b"\r\n\r\n"].concat(),
            Self::Array => json.to_vec(),
            Self::Frames => frame("simJunk", json),
            Self::Lines => [&json[..], b"\n"].concat(),
        }
    }

    /// The event that a fault puts beside the struck one.
    pub(super) fn beside(self, fault: Fault, size: Option<usize>) -> Option<Vec<u8>> {
        let pad: Cow<'_, [u8]> = match fault {
            Fault::SseBadUtf8 => b"\xff\xfe\xc3"[..].into(),
            Fault::SseNul => b"\0"[..].into(),
            Fault::SseHugeLine => vec![b'p'; size.unwrap_or(8 << 20)].into(),
            _ => return None,
        };
        let json = [b"{\"choices\":[],\"pad\":\"", &pad[..], b"\"}"].concat();
        Some(match self {
            Self::Events => [b"data: ", &json[..], b"\n\n"].concat(),
            Self::EventsCrLf => [b"data: ", &json[..], b"\r\n\r\n"].concat(),
            Self::Array => [b",\r\n", &json[..]].concat(),
            Self::Frames => frame("simPad", &json),
            Self::Lines => [&json[..], b"\n"].concat(),
        })
    }

    /// Changes how an event is written down; `last` says that it is the last one.
    pub(super) fn spoil(self, event: &mut Vec<u8>, fault: Option<Fault>, last: bool) {
        if !self.has_events() {
            // A line has no meaning there; the last byte stands for the blank line.
            if matches!(self, Self::Array | Self::Lines)
                && last
                && fault == Some(Fault::PendingLastEvent)
            {
                event.pop();
            }
            return;
        }
        let crlf = self == Self::EventsCrLf;
        match fault {
            Some(Fault::SseCr) if crlf => *event = replace(event, b"\r\n", b"\r"),
            Some(Fault::SseCr) => event
                .iter_mut()
                .filter(|byte| **byte == b'\n')
                .for_each(|byte| *byte = b'\r'),
            Some(Fault::SseCrLf) if !crlf => *event = replace(event, b"\n", b"\r\n"),
            Some(Fault::SseNoSpace) => *event = replace(event, b"data: ", b"data:"),
            Some(Fault::PendingLastEvent) if last => self.cut_blank_line(event),
            _ => {}
        }
    }

    /// Takes the blank line after an event away.
    pub(super) fn cut_blank_line(self, event: &mut Vec<u8>) {
        let line = match self {
            Self::Events => 1,
            Self::EventsCrLf => 2,
            Self::Array | Self::Frames | Self::Lines => 0,
        };
        event.truncate(event.len().saturating_sub(line));
    }

    /// Makes an event's JSON one that is none.
    pub(super) fn break_json(self, event: &mut Vec<u8>) {
        match self {
            Self::Events => {
                event.truncate(event.len().saturating_sub(3));
                event.extend_from_slice(b"\n\n");
            }
            Self::EventsCrLf => {
                event.truncate(event.len().saturating_sub(5));
                event.extend_from_slice(b"\r\n\r\n");
            }
            Self::Array => {
                event.pop();
            }
            Self::Lines => {
                event.truncate(event.len().saturating_sub(2));
                event.push(b'\n');
            }
            Self::Frames => *event = frame("contentBlockDelta", b"{\"delta\":{\"text\":\"x\"}"),
        }
    }
}

/// An event and fields that no dialect knows.
const UNKNOWN_EVENT: &[u8] = b"id: 7\nretry: 3000\nodd: field\nfieldwithoutcolon\n: comment\n\
event: sim.unknown\ndata: {\"type\":\"sim.unknown\",\"choices\":[]}\n\n";

/// One frame of that event type.
pub(super) fn frame(kind: &str, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(payload.len() + 128);
    push_frame(kind, payload, &mut out);
    out
}

/// Appends one frame of that event type.
pub(super) fn push_frame(kind: &str, payload: &[u8], out: &mut Vec<u8>) {
    // A payload over 24 MiB does not fit a frame: then there is none.
    let _ = encode_event(kind, payload, out);
}

/// The text with every `from` replaced.
fn replace(text: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + 16);
    let mut rest = 0;
    for at in memchr::memmem::find_iter(text, from) {
        out.extend_from_slice(&text[rest..at]);
        out.extend_from_slice(to);
        rest = at + from.len();
    }
    out.extend_from_slice(&text[rest..]);
    out
}
