//! Splits a byte stream into server-sent events, without copying those that lie whole in a chunk.
//!
//! Follows the WHATWG HTML standard, 9.2.6, but for the end of the stream: there the standard
//! drops an event that no blank line ended; here the caller is given it and decides.

use std::ops::ControlFlow;

use memchr::memchr2;

/// One dispatched event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event<'a> {
    /// The joined `data` lines; empty where they were larger than is kept.
    pub data: &'a [u8],
    /// Whether the event is named `error`.
    pub error: bool,
}

impl Event<'_> {
    /// An event that was larger than is kept: it came, and nobody knows what it was.
    pub const UNREAD: Self = Self {
        data: &[],
        error: false,
    };

    /// Whether the event was larger than is kept.
    #[must_use]
    pub const fn is_unread(&self) -> bool {
        self.data.is_empty()
    }
}

/// What came with the bytes beside events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Noticed {
    /// Comments.
    pub comments: u32,
}

/// The state between two chunks: of an unfinished event only, and at most its size limit of it.
#[derive(Debug)]
pub struct Splitter {
    /// The beginning of a line that the last chunk did not end.
    line: Vec<u8>,
    /// Data lines of the unfinished event.
    data: Vec<u8>,
    /// Lines that no event stream has: what a provider sent instead of one.
    raw: Vec<u8>,
    event_bytes_max: usize,
    has_data: bool,
    error: bool,
    /// The unfinished event is larger than allowed: the rest of it passes unread.
    too_large: bool,
    /// So is the unfinished line.
    line_too_long: bool,
    /// The last byte was a CR: an LF that follows belongs to it.
    after_cr: bool,
    started: bool,
    noticed: Noticed,
}

impl Splitter {
    /// A splitter at the beginning of a stream.
    #[must_use]
    pub fn new(event_bytes_max: usize) -> Self {
        Self {
            line: Vec::new(),
            data: Vec::new(),
            raw: Vec::new(),
            event_bytes_max,
            has_data: false,
            error: false,
            too_large: false,
            line_too_long: false,
            after_cr: false,
            started: false,
            noticed: Noticed::default(),
        }
    }

    /// Takes one chunk and gives each event that it completes to `sink`, until that breaks;
    /// returns how many bytes were taken.
    pub fn feed(
        &mut self,
        chunk: &[u8],
        mut sink: impl FnMut(Event<'_>) -> ControlFlow<()>,
    ) -> usize {
        let mut at = 0;
        // The one data line of an unfinished event that lies in this chunk.
        let mut direct: Option<&[u8]> = None;
        if self.after_cr && !chunk.is_empty() {
            self.after_cr = false;
            at = usize::from(chunk[0] == b'\n');
        }
        while at < chunk.len() {
            let rest = &chunk[at..];
            let Some(end) = memchr2(b'\n', b'\r', rest) else {
                self.keep(rest);
                at = chunk.len();
                break;
            };
            at += end + 1;
            if rest[end] == b'\r' {
                self.after_cr = at == chunk.len();
                at += usize::from(chunk.get(at) == Some(&b'\n'));
            }
            let line = &rest[..end];
            if std::mem::take(&mut self.line_too_long) {
                continue;
            }
            let flow = if self.line.is_empty() && self.started {
                self.whole_line(line, &mut direct, &mut sink)
            } else {
                self.joined_line(line, &mut sink)
            };
            if flow.is_break() {
                return at;
            }
        }
        if let Some(value) = direct {
            self.append(value);
        }
        at
    }

    /// Takes a line that lies whole in the chunk.
    fn whole_line<'c>(
        &mut self,
        line: &'c [u8],
        direct: &mut Option<&'c [u8]>,
        sink: &mut impl FnMut(Event<'_>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        if line.is_empty() {
            return self.dispatch(direct.take(), sink);
        }
        if let Some(value) = self.field(line) {
            if self.has_data || direct.is_some() {
                if let Some(first) = direct.take() {
                    self.append(first);
                }
                self.append(value);
            } else {
                *direct = Some(value);
            }
        }
        ControlFlow::Continue(())
    }

    /// Takes the end of a line that began in an earlier chunk, or the first line of all, which
    /// may begin with a BOM. It is the first of its chunk, so nothing is held of that directly.
    fn joined_line(
        &mut self,
        end: &[u8],
        sink: &mut impl FnMut(Event<'_>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        self.keep(end);
        if std::mem::take(&mut self.line_too_long) {
            return ControlFlow::Continue(());
        }
        let mut line = std::mem::take(&mut self.line);
        let text = self.start(&line);
        let flow = if text.is_empty() {
            self.dispatch(None, sink)
        } else {
            if let Some(value) = self.field(text) {
                self.append(value);
            }
            ControlFlow::Continue(())
        };
        // The space serves the next such line, unless it was an unusually long one.
        if line.capacity() <= KEPT_BYTES_MAX {
            line.clear();
            self.line = line;
        }
        flow
    }

    /// The event that the end of the stream left without its blank line, if any.
    pub fn finish(&mut self) -> Option<Event<'_>> {
        let line = std::mem::take(&mut self.line);
        let text = self.start(&line);
        if !text.is_empty()
            && let Some(value) = self.field(text)
        {
            self.append(value);
        }
        if self.too_large {
            return Some(Event::UNREAD);
        }
        (!self.data.is_empty()).then_some(Event {
            data: &self.data,
            error: self.error,
        })
    }

    /// What came beside events so far.
    #[must_use]
    pub fn noticed(&self) -> Noticed {
        self.noticed
    }

    /// The first bytes of what is no event stream at all, lines joined by LF; an unfinished last
    /// line is among it after [`Self::finish`].
    #[must_use]
    pub fn raw(&self) -> &[u8] {
        &self.raw
    }

    /// Whether nothing is held of an unfinished event.
    #[must_use]
    pub fn is_between_events(&self) -> bool {
        self.line.is_empty() && !self.has_data && !self.line_too_long
    }

    fn keep(&mut self, part: &[u8]) {
        if self.line_too_long {
            return;
        }
        let room = self.event_bytes_max + BYTE_ORDER_MARK.len() - self.line.len();
        self.line.extend_from_slice(&part[..part.len().min(room)]);
        if part.len() > room {
            self.line_too_long = true;
            let line = std::mem::take(&mut self.line);
            let beginning = self.start(&line);
            self.pass_over(beginning);
        }
    }

    /// Takes the beginning of a line that is longer than is read. Data that is not known makes its
    /// event unknown; of another line nothing is lost.
    fn pass_over(&mut self, beginning: &[u8]) {
        if beginning.strip_prefix(b"data").and_then(value).is_some() {
            self.append_unread();
        } else {
            let _ = self.named(&beginning[..beginning.len().min(RAW_BYTES_MAX)]);
        }
    }

    fn append_unread(&mut self) {
        self.too_large = true;
        self.has_data = true;
        self.data = Vec::new();
    }

    /// Strips the BOM of the first line.
    fn start<'l>(&mut self, line: &'l [u8]) -> &'l [u8] {
        let mut text = line;
        if !self.started {
            self.started = true;
            if let Some(rest) = line.strip_prefix(BYTE_ORDER_MARK) {
                text = rest;
            }
        }
        text
    }

    /// Takes one line that is not empty; returns the value of a data line.
    fn field<'l>(&mut self, line: &'l [u8]) -> Option<&'l [u8]> {
        if line.len() > self.event_bytes_max {
            self.pass_over(line);
            return None;
        }
        self.named(line)
    }

    /// Takes a line by the name of its field.
    fn named<'l>(&mut self, line: &'l [u8]) -> Option<&'l [u8]> {
        if let Some(value) = line.strip_prefix(b"data").and_then(value) {
            return Some(value);
        }
        if line[0] == b':' {
            self.noticed.comments = self.noticed.comments.saturating_add(1);
        } else if let Some(name) = line.strip_prefix(b"event").and_then(value) {
            self.error = name == b"error";
        } else if !is_known(line) && self.raw.len() < RAW_BYTES_MAX {
            let room = RAW_BYTES_MAX - self.raw.len();
            self.raw.extend_from_slice(&line[..line.len().min(room)]);
            self.raw.push(b'\n');
        }
        None
    }

    fn append(&mut self, value: &[u8]) {
        if self.too_large {
            return;
        }
        if self.has_data {
            self.data.push(b'\n');
        }
        if self.data.len() + value.len() > self.event_bytes_max {
            self.append_unread();
        } else {
            self.data.extend_from_slice(value);
        }
        self.has_data = true;
    }

    fn dispatch(
        &mut self,
        direct: Option<&[u8]>,
        sink: &mut impl FnMut(Event<'_>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let error = std::mem::take(&mut self.error);
        self.has_data = false;
        if std::mem::take(&mut self.too_large) {
            return sink(Event::UNREAD);
        }
        let data = direct.unwrap_or(&self.data);
        let flow = if data.is_empty() {
            ControlFlow::Continue(())
        } else {
            sink(Event { data, error })
        };
        if self.data.capacity() > KEPT_BYTES_MAX {
            self.data = Vec::new();
        }
        self.data.clear();
        flow
    }
}

/// What some servers put before everything else they say, and all clients pass over.
pub(crate) const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// What is kept of a body that is no event stream: an error page, or an error as bare JSON.
const RAW_BYTES_MAX: usize = 4096;

/// Buffers larger than this go back to the allocator after use, so that one large event does not
/// stay with a stream for its life.
const KEPT_BYTES_MAX: usize = 16 * 1024;

/// The value of a field whose name was stripped: nothing, or what follows a colon and one space.
pub(super) fn value(rest: &[u8]) -> Option<&[u8]> {
    match rest {
        [] => Some(rest),
        [b':', b' ', value @ ..] | [b':', value @ ..] => Some(value),
        _ => None,
    }
}

fn is_known(line: &[u8]) -> bool {
    [&b"id"[..], b"retry"]
        .iter()
        .any(|name| line.strip_prefix(*name).and_then(value).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The events of `chunks` as text, `!` before those named error; then a pending one after `…`.
    fn split(chunks: &[&[u8]], max: usize) -> (String, Noticed, String) {
        let mut splitter = Splitter::new(max);
        let mut out = String::new();
        for chunk in chunks {
            let taken = splitter.feed(chunk, |event| {
                out.push_str(if event.error { "!" } else { "" });
                out.push_str(if event.is_unread() { "?" } else { "" });
                out.push_str(&String::from_utf8_lossy(event.data));
                out.push('|');
                ControlFlow::Continue(())
            });
            assert_eq!(taken, chunk.len());
        }
        if let Some(event) = splitter.finish() {
            out.push('…');
            out.push_str(if event.is_unread() { "?" } else { "" });
            out.push_str(&String::from_utf8_lossy(event.data));
        }
        let raw = String::from_utf8_lossy(splitter.raw()).into_owned();
        (out, splitter.noticed(), raw)
    }

    const CASES: [(&str, &str); 20] = [
        ("", ""),
        ("data: a\n\ndata: b\n\n", "a|b|"),
        ("data: a\r\n\r\ndata: b\r\n\r\n", "a|b|"),
        ("data: a\r\rdata: b\r\r", "a|b|"),
        ("data: a\n\r\ndata: b\r\n\n", "a|b|"),
        ("data:a\n\ndata:  b\n\n", "a| b|"),
        ("data: a\ndata: b\ndata\ndata: c\n\n", "a\nb\n\nc|"),
        ("data\n\n", ""),
        ("data:\n\ndata: \n\ndata: x\n\n", "x|"),
        ("\u{feff}data: a\n\n", "a|"),
        ("\u{feff}\n\ndata: a\n\n", "a|"),
        (": c\n\n:\ndata: a\n: d\n\n", "a|"),
        ("id: 1\nretry: 3\nfoo: bar\nnocolon\ndata: a\n\n", "a|"),
        ("event: error\ndata: a\n\ndata: b\n\n", "!a|b|"),
        ("event: error\n\ndata: b\n\n", "b|"),
        ("event: message\ndata: a\n\n", "a|"),
        ("data: a\n\ndata: b", "a|…b"),
        ("data: a\n\ndata: b\n", "a|…b"),
        ("datax: a\n\n data: b\n\n", ""),
        ("\n\n\n\ndata: a\n\n\n\n\n", "a|"),
    ];

    #[test]
    fn events_are_the_same_however_the_bytes_come() {
        for (text, expected) in CASES {
            let bytes = text.as_bytes();
            let whole = split(&[bytes], 100);
            assert_eq!(whole.0, expected, "{text:?}");
            let single: Vec<&[u8]> = bytes.chunks(1).collect();
            assert_eq!(split(&single, 100), whole, "byte by byte: {text:?}");
            for cut in 0..bytes.len() {
                let (head, tail) = bytes.split_at(cut);
                assert_eq!(split(&[head, tail], 100), whole, "cut at {cut}: {text:?}");
                assert_eq!(
                    split(&[head, b"", tail], 100),
                    whole,
                    "cut at {cut}: {text:?}"
                );
            }
        }
    }

    #[test]
    fn a_large_event_passes_unread_however_it_comes_and_what_follows_is_read() {
        for (text, expected, kept) in [
            ("data: a\n\ndata: 0123456789\n\ndata: b\n\n", "a|?|b|", ""),
            (
                "data: 0123456789\r\ndata: 1\r\n\r\ndata: b\r\n\r\n",
                "?|b|",
                "",
            ),
            ("data: 1\ndata: 0123456789\n\ndata: b\n\n", "?|b|", ""),
            (
                "data: a\n\ndata: 01\ndata: 23\ndata: 45\ndata: 678\n\ndata: b\n\n",
                "a|?|b|",
                "",
            ),
            ("\u{feff}data: 0123456789\n\ndata: b\n\n", "?|b|", ""),
            ("event: error\ndata: 0123456789\n\ndata: b\n\n", "?|b|", ""),
            // Nothing is lost with a comment, or with the rest of a line that says nothing.
            (":01234567890\ndata: b\n\n", "b|", ""),
            ("event: 0123456789\ndata: b\n\n", "b|", ""),
            ("data:012345\n\ndata: b\n\n", "012345|b|", ""),
            ("data: a\n\n01234567890123456\n", "a|", "01234567890"),
            ("data: a\n\ndata: 0123456789", "a|…?", ""),
            ("data: a\n\ndata: 0123456789\n", "a|…?", ""),
        ] {
            let bytes = text.as_bytes();
            let assert_read = |chunks: &[&[u8]], place: &dyn std::fmt::Debug| {
                let (out, _, raw) = split(chunks, 11);
                assert_eq!(out, expected, "{text:?} {place:?}");
                assert!(raw.starts_with(kept), "{text:?} {place:?}: {raw:?}");
                assert_eq!(raw.is_empty(), kept.is_empty(), "{text:?} {place:?}");
            };
            assert_read(&[bytes], &"whole");
            let single: Vec<&[u8]> = bytes.chunks(1).collect();
            assert_read(&single, &"byte by byte");
            for cut in 0..bytes.len() {
                let (head, tail) = bytes.split_at(cut);
                assert_read(&[head, b"", tail], &cut);
            }
        }
    }

    #[test]
    fn what_is_no_event_stream_is_kept_for_the_error() {
        let (out, _, raw) = split(&[b"<html>\n<b>502</b>"], 100);
        assert_eq!((out.as_str(), raw.as_str()), ("", "<html>\n<b>502</b>\n"));
    }

    #[test]
    fn a_break_leaves_the_rest() {
        let mut splitter = Splitter::new(100);
        let taken = splitter.feed(b"data: a\n\ndata: b\n\n", |_| ControlFlow::Break(()));
        assert_eq!(taken, 9);
    }
}
