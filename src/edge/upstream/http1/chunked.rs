//! Takes the chunked framing off a body: what is in the chunks goes on as it lies in the buffer.

use bytes::{Buf as _, Bytes, BytesMut};

/// Bytes of one size with its extension, and of all trailers, at most. Nothing of either goes on.
const LINE_MAX: usize = 16 * 1024;

const BAD_SIZE: &str = "a chunk of its answer has a size that is none";
const BAD_SIZE_END: &str = "the size of a chunk of its answer has no end";
const BAD_EXTENSION: &str = "a chunk of its answer has an extension that is none";
const BAD_END: &str = "a chunk of its answer does not end where it says";
const BAD_TRAILER: &str = "its answer has trailers that are none";

/// A body in chunks, and how far it was read (RFC 9112, 7.1).
#[derive(Debug, Default)]
pub(super) struct Chunked {
    state: State,
    /// Bytes that are left of the chunk; of a size that is being read, its value so far.
    left: u64,
    /// Bytes of this line, or of these trailers.
    line: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum State {
    /// Before the first digit of a size.
    #[default]
    Start,
    /// Among the digits.
    Size,
    /// Blanks behind the size, which old servers pad it with.
    Padding,
    /// Behind `;`.
    Extension,
    /// Behind the CR of the size.
    SizeEnd,
    /// Among the bytes of the chunk.
    Data,
    /// Behind them.
    DataEnd,
    /// Behind the CR there.
    DataEndLf,
    /// At the beginning of a trailer, or at the end of all.
    TrailerStart,
    /// In a trailer.
    Trailer,
    /// Behind its CR.
    TrailerEnd,
    /// Behind the last CR.
    LastLf,
    /// Behind all of it.
    Over,
}

/// What comes next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// Bytes of a chunk: all that have come of it.
    Data(Bytes),
    /// More must be read first.
    More,
    /// The body is over.
    End,
}

impl Chunked {
    /// Takes the next piece off `buffer`.
    pub(super) fn next(&mut self, buffer: &mut BytesMut) -> Result<Piece, &'static str> {
        let mut taken = self.plain_frame(buffer);
        while self.state != State::Data && self.state != State::Over {
            let Some(byte) = buffer.get(taken).copied() else {
                break;
            };
            self.step(byte)?;
            taken += 1;
        }
        if taken > 0 {
            buffer.advance(taken);
        }
        if self.state == State::Over {
            return Ok(Piece::End);
        }
        if self.state != State::Data || buffer.is_empty() {
            return Ok(Piece::More);
        }
        let length = usize::try_from(self.left).map_or(buffer.len(), |left| left.min(buffer.len()));
        self.left -= length as u64;
        if self.left == 0 {
            self.state = State::DataEnd;
        }
        Ok(Piece::Data(buffer.split_to(length).freeze()))
    }

    /// Takes what nearly every chunk has around it: the end of the one before, a size, the end of its
    /// line. Gives the number of its bytes. What is cut off, and whatever else there may be, is left
    /// for [`Self::step`].
    fn plain_frame(&mut self, bytes: &[u8]) -> usize {
        let mut taken = 0;
        if self.state == State::DataEnd && bytes.starts_with(b"\r\n") {
            self.state = State::Start;
            taken = 2;
        }
        if self.state == State::Start
            && let Some((size, length)) = plain_size(&bytes[taken..])
        {
            (self.state, self.left) = (State::Data, size);
            taken += length;
        }
        taken
    }

    /// One byte of what is not data.
    fn step(&mut self, byte: u8) -> Result<(), &'static str> {
        self.line += 1;
        if self.line > LINE_MAX {
            return Err("the framing of its answer has a line without an end");
        }
        self.state = match (self.state, byte) {
            (State::Start | State::Size, digit) if digit.is_ascii_hexdigit() => {
                if self.left >> 60 != 0 {
                    return Err(BAD_SIZE);
                }
                self.left = self.left << 4 | u64::from(value(digit));
                State::Size
            }
            (State::Size | State::Padding, b' ' | b'\t') => State::Padding,
            (State::Size | State::Padding, b';') => State::Extension,
            (State::Size | State::Padding | State::Extension, b'\r') => State::SizeEnd,
            (State::Start | State::Size | State::Padding, _) => return Err(BAD_SIZE),
            (State::Extension, byte) if byte == b'\t' || !byte.is_ascii_control() => {
                State::Extension
            }
            (State::Extension, _) => return Err(BAD_EXTENSION),
            (State::SizeEnd, b'\n') => {
                self.line = 0;
                if self.left == 0 {
                    State::TrailerStart
                } else {
                    State::Data
                }
            }
            (State::SizeEnd, _) => return Err(BAD_SIZE_END),
            (State::DataEnd, b'\r') => State::DataEndLf,
            (State::DataEndLf, b'\n') => {
                self.line = 0;
                State::Start
            }
            (State::DataEnd | State::DataEndLf, _) => return Err(BAD_END),
            (State::TrailerStart, b'\r') => State::LastLf,
            (State::TrailerStart | State::Trailer, b'\n') => return Err(BAD_TRAILER),
            (State::Trailer, b'\r') => State::TrailerEnd,
            (State::TrailerStart | State::Trailer, _) => State::Trailer,
            (State::TrailerEnd, b'\n') => State::TrailerStart,
            (State::LastLf, b'\n') => State::Over,
            (State::TrailerEnd | State::LastLf, _) => return Err(BAD_TRAILER),
            (State::Data | State::Over, _) => self.state,
        };
        Ok(())
    }
}

/// Digits of a size that is plain, at most.
const PLAIN_DIGITS: usize = 8;

/// A size that is not zero, and the bytes of its line, where nothing else stands there.
fn plain_size(bytes: &[u8]) -> Option<(u64, usize)> {
    let mut size = 0;
    for (place, byte) in bytes.iter().enumerate().take(PLAIN_DIGITS + 1) {
        if byte.is_ascii_hexdigit() {
            size = size << 4 | u64::from(value(*byte));
        } else {
            let ends = *byte == b'\r' && bytes.get(place + 1) == Some(&b'\n');
            return (ends && size > 0).then_some((size, place + 2));
        }
    }
    None
}

const fn value(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        _ => (digit | 0x20) - b'a' + 10,
    }
}
