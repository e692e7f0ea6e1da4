//! Takes the usage event that Tollgate asked for out of a stream again, and nothing else.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use bytes::{Bytes, BytesMut};
use memchr::memmem;
use serde_json::value::RawValue;

use super::sse::{BYTE_ORDER_MARK, value};

/// Removes each event whose JSON has a `usage` object and no choice: an empty list of them, `null`,
/// or none at all where it is no event of another language either, which has a `type`.
///
/// Every other byte is passed on as it came and in order. Whole events leave in slices of the
/// chunk that brought them; an event that a chunk does not end waits for its end.
#[derive(Debug, Default)]
pub struct UsageFilter {
    /// The unfinished event, in the pieces in which it came.
    held: Vec<Bytes>,
    held_bytes: usize,
    line: LineState,
    /// The unfinished event has grown too large to be a usage event: it is passed on as it comes.
    passing: bool,
    /// The last byte was the CR that ended an event: an LF after it shares its fate.
    after_event_cr: Option<Fate>,
}

/// Where in its lines the scan stands, inside an unfinished event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum LineState {
    /// At the start of a line.
    #[default]
    Start,
    /// In a line.
    Inside,
    /// After a CR that ended a line with content.
    AfterCr,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Forward,
    Drop,
}

/// A usage event is a few hundred bytes; what is larger than this is none.
const USAGE_EVENT_BYTES_MAX: usize = 64 * 1024;

impl UsageFilter {
    /// A filter at the beginning of a stream.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether `chunk`, whose every event is known to have tokens, may go on unseen by the filter:
    /// it begins where an event begins, and ends where one ends.
    #[must_use]
    pub fn may_pass(&self, chunk: &[u8]) -> bool {
        let between = self.held.is_empty() && self.line == LineState::Start && !self.passing;
        between && self.after_event_cr.is_none() && chunk.ends_with(b"\n\n")
    }

    /// Takes a chunk and returns what can be passed on, in order.
    pub fn chunk(&mut self, bytes: Bytes) -> Vec<Bytes> {
        let mut out = Vec::new();
        // `start` is where the current event begins in this chunk; what lies before it and after
        // `forwarded` is decided and leaves as one slice.
        let (mut start, mut forwarded, mut at) = (0, 0, 0);
        if let Some(fate) = self.after_event_cr.take()
            && bytes.first() == Some(&b'\n')
        {
            (start, at) = (1, 1);
            forwarded = usize::from(fate == Fate::Drop);
        }
        while let Some(end) = self.event_end(&bytes, &mut at) {
            let event = bytes.slice(start..end);
            let fate = self.judge(&event);
            if fate == Fate::Forward {
                self.release(&mut out);
            } else {
                push(&mut out, bytes.slice(forwarded..start));
                self.forget();
                forwarded = end;
            }
            start = end;
            if end == bytes.len() && bytes[end - 1] == b'\r' {
                self.after_event_cr = Some(fate);
            }
        }
        self.hold(bytes, start, forwarded, &mut out);
        out
    }

    /// The unfinished tail, to be passed on as it is.
    #[must_use]
    pub fn end(self) -> Option<Bytes> {
        match <[Bytes; 1]>::try_from(self.held) {
            Ok([whole]) => Some(whole),
            Err(pieces) if pieces.is_empty() => None,
            Err(pieces) => Some(Bytes::from(pieces.concat())),
        }
    }

    /// The offset after the blank line that ends the current event, if it lies in `bytes`; `at`
    /// is moved to where the scan goes on.
    fn event_end(&mut self, bytes: &[u8], at: &mut usize) -> Option<usize> {
        loop {
            if self.line == LineState::Inside {
                let found = memchr::memchr2(b'\n', b'\r', &bytes[*at..]);
                let Some(found) = found else {
                    *at = bytes.len();
                    return None;
                };
                *at += found + 1;
                self.line = if bytes[*at - 1] == b'\r' {
                    LineState::AfterCr
                } else {
                    LineState::Start
                };
            }
            let next = *bytes.get(*at)?;
            *at += 1;
            match (self.line, next) {
                (LineState::AfterCr, b'\n') => self.line = LineState::Start,
                (_, b'\n') => {
                    self.line = LineState::Start;
                    return Some(*at);
                }
                (_, b'\r') => {
                    self.line = LineState::Start;
                    *at += usize::from(bytes.get(*at) == Some(&b'\n'));
                    return Some(*at);
                }
                _ => self.line = LineState::Inside,
            }
        }
    }

    /// Decides about an event whose last piece is `piece`.
    fn judge(&mut self, piece: &Bytes) -> Fate {
        let passing = std::mem::take(&mut self.passing);
        if passing || self.held_bytes + piece.len() > USAGE_EVENT_BYTES_MAX {
            return Fate::Forward;
        }
        let usage_only = if self.held.is_empty() {
            is_usage_only(piece)
        } else {
            let mut event = BytesMut::with_capacity(self.held_bytes + piece.len());
            self.held
                .iter()
                .for_each(|held| event.extend_from_slice(held));
            event.extend_from_slice(piece);
            is_usage_only(&event)
        };
        if usage_only {
            Fate::Drop
        } else {
            Fate::Forward
        }
    }

    fn release(&mut self, out: &mut Vec<Bytes>) {
        self.held_bytes = 0;
        out.append(&mut self.held);
    }

    fn forget(&mut self) {
        self.held_bytes = 0;
        self.held.clear();
    }

    /// Passes on what is decided of a chunk, and holds the unfinished event at its end.
    fn hold(&mut self, bytes: Bytes, start: usize, forwarded: usize, out: &mut Vec<Bytes>) {
        if self.held_bytes + (bytes.len() - start) > USAGE_EVENT_BYTES_MAX {
            self.passing = true;
        }
        if self.passing {
            self.release(out);
            push(out, bytes.slice(forwarded..));
            return;
        }
        if forwarded == 0 && start == bytes.len() {
            push(out, bytes);
            return;
        }
        push(out, bytes.slice(forwarded..start));
        if start < bytes.len() {
            self.held_bytes += bytes.len() - start;
            self.held.push(bytes.slice(start..));
        }
    }
}

fn push(out: &mut Vec<Bytes>, piece: Bytes) {
    if !piece.is_empty() {
        out.push(piece);
    }
}

/// Searchers are made once: making one costs more than searching an event.
static CHOICES: LazyLock<memmem::Finder<'static>> =
    LazyLock::new(|| memmem::Finder::new(b"\"choices\""));
static USAGE: LazyLock<memmem::Finder<'static>> =
    LazyLock::new(|| memmem::Finder::new(b"\"usage\""));
static ESCAPE: LazyLock<memmem::Finder<'static>> = LazyLock::new(|| memmem::Finder::new(b"\\u"));

/// Whether an event's data is an object with a `usage` object and no choice, and nothing else that
/// somebody may miss: no error, and no list or object but those that tell of the call itself.
#[must_use]
pub fn is_usage_only(event: &[u8]) -> bool {
    // Nearly every event is decided here. A key may be written with escapes, so those are read.
    let mut choices = CHOICES.find_iter(event).peekable();
    let may_be = (choices.peek().is_none() || choices.any(|at| may_be_none(&event[at + 9..])))
        && USAGE.find(event).is_some();
    if !may_be && ESCAPE.find(event).is_none() {
        return false;
    }
    let event = event.strip_prefix(BYTE_ORDER_MARK).unwrap_or(event);
    let mut data: Vec<u8> = Vec::new();
    let mut lines = 0;
    for line in event.split(|byte| matches!(byte, b'\n' | b'\r')) {
        if let Some(value) = line.strip_prefix(b"data").and_then(value) {
            if lines > 0 {
                data.push(b'\n');
            }
            data.extend_from_slice(value);
            lines += 1;
        }
    }
    serde_json::from_slice(&data).is_ok_and(|keys: Keys<'_>| {
        let usage = keys.get("usage").map(|usage| usage.get());
        usage.is_some_and(|usage| usage.starts_with('{'))
            && keys.iter().all(|(key, value)| may_go(key, value.get()))
    })
}

/// The keys of an event, each with its value as it stands.
type Keys<'a> = BTreeMap<String, &'a RawValue>;

/// Objects that tell of the call itself, by those who send them beside the usage.
const OF_THE_CALL: [&str; 5] = ["usage", "x_groq", "time_info", "timings", "perf_metrics"];

/// Whether a key and its value may be taken out of a stream together with the usage.
fn may_go(key: &str, value: &str) -> bool {
    let is_list = value.starts_with(['[', '{']);
    let is_empty = value.len() > 1 && value[1..value.len() - 1].trim().is_empty();
    match key {
        "choices" => value == "null" || (is_list && is_empty),
        "error" | "type" => value == "null",
        _ if OF_THE_CALL.contains(&key) => true,
        _ => !is_list || is_empty,
    }
}

/// Whether an empty array or `null`, or what may go on as one in the next line, follows a key.
fn may_be_none(after_key: &[u8]) -> bool {
    let mut rest = after_key
        .iter()
        .filter(|byte| !matches!(byte, b' ' | b'\t'));
    let mut expect = |wanted: &[u8]| match rest.next() {
        Some(b'\n' | b'\r' | b'n') => Some(true),
        Some(byte) if wanted.contains(byte) => None,
        _ => Some(false),
    };
    expect(b":")
        .or_else(|| expect(b"["))
        .or_else(|| expect(b"]"))
        .unwrap_or(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = r#"{"choices":[{"delta":{"content":"a\n"}}],"usage":null}"#;
    const USAGE: &str = r#"{"choices":[],"usage":{"prompt_tokens":1}}"#;
    /// Nothing in it is missed by whoever did not ask for usage.
    const CALL: &str = r#"{"id":"c","created":1,"choices":[ ],"citations":[],"error":null,"p":"ab","time_info":{"total_time":1},"usage":{"prompt_tokens":1}}"#;
    /// Something in it is.
    const MORE: &str = r#"{"choices":[],"citations":["u"],"usage":{"prompt_tokens":1}}"#;

    fn filter(chunks: &[&[u8]]) -> (Vec<u8>, usize) {
        let mut filter = UsageFilter::new();
        let mut out = Vec::new();
        for chunk in chunks {
            out.extend(filter.chunk(Bytes::copy_from_slice(chunk)));
        }
        out.extend(filter.end());
        (out.concat(), out.len())
    }

    #[test]
    fn exactly_the_usage_event_goes_however_the_bytes_come() {
        for (input, expected) in [
            (String::new(), String::new()),
            (format!("data: {TOKEN}\n\n"), format!("data: {TOKEN}\n\n")),
            (
                format!("data: {TOKEN}\n\ndata: {USAGE}\n\ndata: [DONE]\n\n"),
                format!("data: {TOKEN}\n\ndata: [DONE]\n\n"),
            ),
            (
                format!("data: {TOKEN}\r\n\r\ndata: {USAGE}\r\n\r\ndata: [DONE]\r\n\r\n"),
                format!("data: {TOKEN}\r\n\r\ndata: [DONE]\r\n\r\n"),
            ),
            (
                format!("data: {TOKEN}\r\rdata: {USAGE}\r\rdata: [DONE]\r\r"),
                format!("data: {TOKEN}\r\rdata: [DONE]\r\r"),
            ),
            (
                format!("\u{feff}data:{USAGE}\n\n: c\n\n"),
                ": c\n\n".to_owned(),
            ),
            (
                format!(": c\n\n\n\r\ndata: {USAGE}\n\n\n"),
                ": c\n\n\n\r\n\n".to_owned(),
            ),
            (
                "data: {\"choices\": [ ],\ndata: \"us\\u0061ge\": {}}\n\nid: 1\n\n".to_owned(),
                "id: 1\n\n".to_owned(),
            ),
            (
                format!("data: {CALL}\n\ndata: [DONE]\n\n"),
                "data: [DONE]\n\n".to_owned(),
            ),
            (format!("data: {MORE}\n\n"), format!("data: {MORE}\n\n")),
            (format!("data: {USAGE}\n"), format!("data: {USAGE}\n")),
            (format!("data: {USAGE}"), format!("data: {USAGE}")),
            ("data: {\"usage\"".to_owned(), "data: {\"usage\"".to_owned()),
        ] {
            let bytes = input.as_bytes();
            let check = |chunks: &[&[u8]], how: &str| {
                let (out, _) = filter(chunks);
                assert_eq!(String::from_utf8_lossy(&out), expected, "{how}: {input:?}");
            };
            check(&[bytes], "whole");
            check(&bytes.chunks(1).collect::<Vec<_>>(), "byte by byte");
            check(&bytes.chunks(7).collect::<Vec<_>>(), "by seven");
            for cut in 0..bytes.len() {
                check(&[&bytes[..cut], &bytes[cut..]], &format!("cut at {cut}"));
            }
        }
    }

    #[test]
    fn only_such_events_are_usage_events() {
        for (json, usage_only) in [
            (r#"{"choices":[],"usage":{"prompt_tokens":1}}"#, true),
            (r#"{"usage":{},"x_groq":{},"choices":[]}"#, true),
            (r#"{ "choices" : [ ] , "usage" : { } }"#, true),
            ("{\"choices\":[\r\ndata: ],\ndata:\"usage\":{}}", true),
            (r#"{"\u0063hoices":[],"usage":{}}"#, true),
            (r#"{"choices":[],"usage":null}"#, false),
            (r#"{"choices":[]}"#, false),
            // Some have no list of choices where there is none, or null.
            (r#"{"usage":{"prompt_tokens":1}}"#, true),
            (r#"{"choices":null,"usage":{"prompt_tokens":1}}"#, true),
            ("{\"choices\" :\r\ndata: null,\ndata:\"usage\":{}}", true),
            (r#"{"usage":{},"error":{"message":"no"}}"#, false),
            (r#"{"error":null,"usage":{}}"#, true),
            (r#"{"type":"message_delta","usage":{}}"#, false),
            (r#"{"x_groq":{"usage":{}}}"#, false),
            (r#"{"choices":[{}],"usage":{"prompt_tokens":1}}"#, false),
            (r#"{"choices":[{"x":{"choices":[],"usage":{}}}]}"#, false),
            (r#"{"choices":[],"usage":{"#, false),
            (r#"[{"choices":[],"usage":{}}]"#, false),
        ] {
            assert_eq!(
                is_usage_only(format!("data: {json}\n\n").as_bytes()),
                usage_only,
                "{json}"
            );
        }
    }

    #[test]
    fn whole_events_are_not_held_split_or_copied() {
        let mut filter = UsageFilter::new();
        let chunk = Bytes::from(format!("data: {TOKEN}\n\ndata: {TOKEN}\n\n"));
        let out = filter.chunk(chunk.clone());
        assert_eq!(out.len(), 1);
        assert_eq!(
            (out[0].as_ptr(), out[0].len()),
            (chunk.as_ptr(), chunk.len())
        );
        // Around a removed event there are two slices.
        let chunk = Bytes::from(format!(
            "data: {TOKEN}\n\ndata: {USAGE}\n\ndata: [DONE]\n\n"
        ));
        assert_eq!(filter.chunk(chunk).len(), 2);
    }

    #[test]
    fn what_is_known_to_be_tokens_passes_only_between_events() {
        for (before, chunk, may) in [
            ("", "data: x\n\n", true),
            ("data: y\n\n", "data: x\n\ndata: x\n\n", true),
            ("data: y\r\n\r\n", "data: x\n\n", true),
            ("data: y\n", "\ndata: x\n\n", false),
            ("data: y\r\r", "data: x\n\n", false),
            (": y", "\ndata: x\n\n", false),
            ("", "data: x\n\nd", false),
            ("", "data: x\r\n\r\n", false),
            ("", "", false),
        ] {
            let mut filter = UsageFilter::new();
            filter.chunk(Bytes::from_static(before.as_bytes()));
            assert_eq!(
                filter.may_pass(chunk.as_bytes()),
                may,
                "{before:?} {chunk:?}"
            );
        }
        let mut filter = UsageFilter::new();
        filter.chunk(Bytes::from(vec![b'x'; 2 * USAGE_EVENT_BYTES_MAX]));
        assert!(!filter.may_pass(b"\n\n"));
    }

    #[test]
    fn an_event_too_large_for_usage_passes_as_it_comes() {
        let mut filter = UsageFilter::new();
        let part = Bytes::from(vec![b'x'; 40_000]);
        assert!(filter.chunk(Bytes::from_static(b"data: ")).is_empty());
        assert!(filter.chunk(part.clone()).is_empty());
        assert_eq!(filter.chunk(part.clone()).len(), 3);
        assert_eq!(filter.chunk(part).len(), 1);
        let rest = Bytes::from(format!("\n\ndata: {USAGE}\n\ndata: x"));
        assert_eq!(filter.chunk(rest), [Bytes::from_static(b"\n\n")]);
        assert_eq!(filter.end(), Some(Bytes::from_static(b"data: x")));
    }
}
