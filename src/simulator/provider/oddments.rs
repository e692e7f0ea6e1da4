//! Holds the bytes that faults and keep-alives put among the events.

use crate::config::settings::Keepalive;

use super::fault::Fault;

/// An event and fields that no dialect knows.
pub(super) const UNKNOWN_EVENT: &[u8] =
    b"id: 7\nretry: 3000\nodd: field\nfieldwithoutcolon\n: comment\n\
event: sim.unknown\ndata: {\"type\":\"sim.unknown\",\"choices\":[]}\n\n";

/// What a provider sends to keep a waiting stream alive.
pub(super) const fn comment(keepalive: Keepalive) -> Option<&'static [u8]> {
    match keepalive {
        Keepalive::None => None,
        Keepalive::Comment => Some(b": PROCESSING\n\n"),
        Keepalive::BareComment => Some(b":\n\n"),
        Keepalive::PingEvent => Some(b"event: ping\ndata: {\"type\": \"ping\"}\n\n"),
    }
}

/// The event that a fault puts beside the struck one.
pub(super) fn beside(fault: Fault, size: Option<usize>) -> Option<Vec<u8>> {
    match fault {
        Fault::SseBadUtf8 => Some(b"data: {\"choices\":[],\"pad\":\"\xff\xfe\xc3\"}\n\n".to_vec()),
        Fault::SseNul => Some(b"data: {\"choices\":[],\"pad\":\"\0\"}\n\n".to_vec()),
        Fault::SseHugeLine => {
            let mut event = b"data: {\"choices\":[],\"pad\":\"".to_vec();
            event.resize(event.len() + size.unwrap_or(8 << 20), b'p');
            event.extend_from_slice(b"\"}\n\n");
            Some(event)
        }
        _ => None,
    }
}

/// The text with every `from` replaced.
pub(super) fn replace(text: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
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
