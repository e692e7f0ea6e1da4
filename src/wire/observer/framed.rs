//! Cuts a stream that is no server-sent events, and gives its parts to the reader.

use std::ops::ControlFlow;

use super::reader::Reader;
use super::seen::Stands;
use crate::wire::dialect::language::Cut;
use crate::wire::framing::sse::Event;
use crate::wire::framing::{event_stream, json_objects};

/// A stream of frames, or of objects.
#[derive(Debug)]
pub(super) enum Framed {
    /// Amazon's frames.
    Frames(event_stream::Splitter),
    /// JSON objects.
    Objects(json_objects::Splitter),
}

/// Why a stream cannot be read on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unread {
    /// A part is larger than is read.
    TooLarge,
    /// The bytes are no frames.
    Foreign,
    /// The text is no JSON.
    NoJson,
}

impl Framed {
    /// A stream that is cut so, of parts of at most `part_bytes_max` bytes.
    pub(super) fn new(cut: Cut, part_bytes_max: usize) -> Self {
        match cut {
            Cut::Frames => Self::Frames(event_stream::Splitter::new(part_bytes_max)),
            Cut::Objects => Self::Objects(json_objects::Splitter::new(part_bytes_max)),
        }
    }

    /// Takes bytes and gives what they complete to `reader`; returns how many were taken.
    pub(super) fn feed(&mut self, bytes: &[u8], reader: &mut Reader) -> Result<usize, Unread> {
        match self {
            Self::Frames(splitter) => {
                let fed = splitter.feed(bytes, |frame| reader.frame(&frame));
                fed.map_err(|fault| match fault {
                    event_stream::Fault::TooLarge => Unread::TooLarge,
                    _ => Unread::Foreign,
                })
            }
            Self::Objects(splitter) => {
                let take = |data: &[u8]| -> ControlFlow<()> {
                    let error = false;
                    reader.event(Event { data, error })
                };
                let fed = splitter.feed(bytes, take);
                fed.map_err(|json_objects::Fault::NoObject| Unread::NoJson)
            }
        }
    }

    /// Where the stream stands, of which so many parts have come.
    pub(super) fn stands(&self, parts: u32) -> Stands {
        match self {
            Self::Frames(splitter) if splitter.is_between_frames() => Stands::BetweenFrames,
            Self::Objects(splitter) if splitter.is_open_array() => {
                let first = parts == 0;
                Stands::InArray { first }
            }
            // A closed array is whole too, and nothing follows it.
            Self::Objects(splitter) if splitter.is_whole() && !splitter.is_array() => {
                Stands::BetweenLines
            }
            Self::Frames(_) | Self::Objects(_) => Stands::Within,
        }
    }

    /// Whether the stream may end here, as far as its framing goes.
    pub(super) fn is_whole(&self) -> bool {
        match self {
            Self::Frames(splitter) => splitter.is_between_frames(),
            Self::Objects(splitter) => splitter.is_whole(),
        }
    }
}
