//! Looks at the beginning of what is to be said as a stream: it may be a whole answer, or coded.

use super::shape::{Ended, Restream};
use super::unfold::unfold;
use crate::record::Language;
use crate::wire::framing::inflate::Inflate;
use crate::wire::framing::sse::BYTE_ORDER_MARK;

/// Has `stream`, of a provider that speaks `provider`, say whole answers too.
pub(super) fn opened(stream: Box<dyn Restream>, provider: Language) -> Box<dyn Restream> {
    Box::new(Opening {
        stream,
        provider,
        state: State::Before,
    })
}

/// Has `stream` say what comes in `encoding` although none was asked for, as far as it unfolds to
/// `bytes_max`; what cannot be unfolded breaks it off.
#[must_use]
pub fn decoded(stream: Box<dyn Restream>, encoding: &str, bytes_max: usize) -> Box<dyn Restream> {
    match Inflate::new(encoding, bytes_max) {
        Some(inflate) => Box::new(Decoded { stream, inflate }),
        None => stream,
    }
}

/// The largest whole answer that is said as a stream.
const WHOLE_BYTES_MAX: usize = 32 * 1024 * 1024;

#[derive(Debug)]
struct Opening {
    stream: Box<dyn Restream>,
    provider: Language,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Nothing but blanks so far.
    Before,
    /// A whole answer, kept until its end.
    Whole(Vec<u8>),
    /// A stream.
    Passing,
}

impl Opening {
    /// Whether an answer that begins with `first` is whole: no stream of the language begins so.
    fn is_whole(&self, first: u8) -> bool {
        first == b'{' || (first == b'[' && self.provider == Language::GeminiGenerate)
    }
}

impl Restream for Opening {
    fn feed(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        if matches!(self.state, State::Before) {
            let blank = |byte: &u8| byte.is_ascii_whitespace() || BYTE_ORDER_MARK.contains(byte);
            let Some(first) = bytes.iter().position(|byte| !blank(byte)) else {
                self.stream.feed(bytes, out);
                return;
            };
            self.state = if self.is_whole(bytes[first]) {
                State::Whole(bytes[first..].to_vec())
            } else {
                self.stream.feed(bytes, out);
                State::Passing
            };
            return;
        }
        match &mut self.state {
            State::Whole(kept) if kept.len() + bytes.len() <= WHOLE_BYTES_MAX => {
                kept.extend_from_slice(bytes);
            }
            State::Whole(kept) => {
                let kept = std::mem::take(kept);
                self.state = State::Passing;
                self.stream.feed(&kept, out);
                self.stream.feed(bytes, out);
            }
            State::Before | State::Passing => self.stream.feed(bytes, out),
        }
    }

    fn end(&mut self, out: &mut Vec<u8>) -> Ended {
        if let State::Whole(kept) = std::mem::replace(&mut self.state, State::Passing) {
            let events = unfold(self.provider, &kept).unwrap_or(kept);
            self.stream.feed(&events, out);
        }
        self.stream.end(out)
    }
}

#[derive(Debug)]
struct Decoded {
    stream: Box<dyn Restream>,
    inflate: Inflate,
}

impl Restream for Decoded {
    fn feed(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        let Self { stream, inflate } = self;
        // What it could not read is missing at the end, which says so.
        let _ = inflate.feed(bytes, |piece| stream.feed(piece, out));
    }

    fn end(&mut self, out: &mut Vec<u8>) -> Ended {
        self.stream.end(out)
    }
}

#[cfg(test)]
#[path = "opening_tests.rs"]
mod tests;
