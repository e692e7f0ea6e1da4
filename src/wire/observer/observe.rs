//! Observes one response from its first chunk to its end, and cannot fail it.

use super::framed::{Framed, Unread};
use super::reader::Reader;
use super::seen::{Expect, Seen, Stands};
use crate::record::{ErrorClass, Mark, Moment, Oddity, Usage};
use crate::wire::dialect::errors::Classified;
use crate::wire::dialect::language::{Cut, Form, cut, form, has_no_events};
use crate::wire::framing::inflate::{Failure, Inflate};
use crate::wire::framing::sse::{BYTE_ORDER_MARK, Splitter};

/// Reads the chunks of one response. Trouble in reading is an oddity, never an error.
#[derive(Debug)]
pub struct Observer {
    pub(super) body: Body,
    inflate: Option<Box<Inflate>>,
    pub(super) reader: Reader,
    pub(super) model_asked: Option<Box<str>>,
    /// The preset's name, kept for failing statuses only.
    pub(super) provider: Box<str>,
    pub(super) status: u16,
    pub(super) choices: u32,
    pub(super) usage_injected: bool,
    pub(super) error_type: Option<Box<str>>,
    pub(super) started: Option<Moment>,
    announced: Announced,
    /// Bytes of a BOM met before everything else.
    mark_bytes: usize,
    pub(super) asked_stream: bool,
    /// What the end of the stream left without a blank line has been read.
    pub(super) pending_read: bool,
    event_bytes_max: usize,
    whole_bytes_max: usize,
}

/// What is being read.
#[derive(Debug)]
pub(super) enum Body {
    /// Nothing but blanks so far.
    Undecided,
    /// A stream of events.
    Stream(Splitter),
    /// A stream of anything else.
    Framed(Box<Framed>),
    /// A stream of which nothing more counts, after so many comments.
    Over { comments: u32 },
    /// One JSON object, kept until its end.
    Whole(Vec<u8>),
    /// A whole body larger than may be kept.
    Dropped,
    /// Not read.
    Opaque,
}

/// What the content type says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Announced {
    Events,
    Frames,
    Lines,
    Json,
    Other,
    Nothing,
}

impl Observer {
    /// An observer of a response whose headers have come.
    #[must_use]
    pub fn new(expect: &Expect<'_>) -> Self {
        let failing = is_failing(expect.status);
        let opaque = !failing && form(expect.language) == Form::Opaque;
        let mut reader = Reader::new(expect.dialect, expect.language);
        let inflate = expect
            .content_encoding
            .filter(|_| !opaque)
            .and_then(|encoding| Inflate::new(encoding, expect.decoded_bytes_max))
            .map(Box::new);
        if let Some(inflate) = &inflate {
            reader.oddities.add(Oddity::Compressed);
            reader.untimed = inflate.is_late();
        }
        Self {
            body: match (failing, opaque) {
                (true, _) => Body::Whole(Vec::new()),
                (_, true) => Body::Opaque,
                _ => Body::Undecided,
            },
            inflate,
            reader,
            model_asked: expect.model_asked.map(Box::from),
            provider: Box::from(if failing { expect.provider } else { "" }),
            status: expect.status,
            choices: expect.choices.unwrap_or(1),
            usage_injected: expect.usage_injected,
            error_type: expect.error_type.map(Box::from),
            started: expect.started,
            announced: announced(expect.content_type),
            mark_bytes: 0,
            asked_stream: expect.stream,
            pending_read: false,
            event_bytes_max: expect.event_bytes_max,
            whole_bytes_max: if failing {
                expect.decoded_bytes_max.min(ERROR_BYTES_MAX)
            } else {
                expect.decoded_bytes_max
            },
        }
    }

    /// With counts that stand beside the body, for where it tells none.
    #[must_use]
    pub fn counted(mut self, beside: Option<Usage>) -> Self {
        if let Some(usage) = beside.filter(|_| !is_failing(self.status)) {
            self.reader.learned.usage = usage;
        }
        self
    }

    /// Reads one chunk, as it came in one socket read at `at`.
    pub fn chunk(&mut self, at: Moment, bytes: &[u8]) -> Seen {
        self.reader.seen = Seen {
            done: self.reader.done,
            failed: self.reader.failed,
            ..Seen::default()
        };
        if bytes.is_empty() {
            return self.reader.seen;
        }
        self.reader.at = at;
        self.reader.read = self.reader.read.wrapping_add(1);
        self.reader.timeline.set_first(Mark::FirstByte, at);
        match self.inflate.take() {
            None => self.take(bytes),
            Some(mut inflate) => {
                let result = inflate.feed(bytes, |piece| self.take(piece));
                match result {
                    Ok(()) => {}
                    Err(Failure::Undecodable) => self.reader.oddities.add(Oddity::Undecodable),
                    Err(Failure::TooLarge) => self.too_large(Oddity::DecodedTooLarge),
                }
                self.inflate = Some(inflate);
            }
        }
        self.reader.seen
    }

    /// Whether the body is not read at all: its beginning says nothing of it.
    #[must_use]
    pub const fn is_opaque(&self) -> bool {
        matches!(self.body, Body::Opaque)
    }

    /// Where the stream stands, if it is one of another framing than that of events.
    #[must_use]
    pub fn stands(&self) -> Option<Stands> {
        // Into a compressed stream nothing can be put.
        let plain = self.inflate.is_none();
        let told = self.reader.done || self.reader.failed;
        match &self.body {
            Body::Framed(_) if told => Some(Stands::Told),
            Body::Framed(framed) if plain => Some(framed.stands(self.reader.events)),
            Body::Framed(_) => Some(Stands::Within),
            Body::Over { .. } if has_no_events(self.reader.language) => {
                Some(if told { Stands::Told } else { Stands::Within })
            }
            Body::Undecided if plain && self.announced == Announced::Frames => {
                Some(Stands::BetweenFrames)
            }
            Body::Undecided if plain && self.announced == Announced::Lines => {
                Some(Stands::BetweenLines)
            }
            _ => None,
        }
    }

    /// The error that the body has brought so far.
    #[must_use]
    pub fn failure(&self) -> Option<&Classified> {
        self.reader.learned.error.as_ref()
    }

    /// Decides what the body is, by its first byte that is no blank, and by what was announced.
    fn decide(&mut self, first: u8) {
        if let Some(cut) = self.cut(first) {
            self.body = Body::Framed(Box::new(Framed::new(cut, self.event_bytes_max)));
            return;
        }
        let json = matches!(first, b'{' | b'[');
        let events = matches!(first, b'd' | b'e' | b':' | b'i' | b'r');
        let stream = match self.announced {
            _ if json || form(self.reader.language) == Form::Whole => false,
            Announced::Events => true,
            Announced::Json | Announced::Lines | Announced::Frames | Announced::Other => {
                self.asked_stream && events
            }
            Announced::Nothing => self.asked_stream,
        };
        let mismatch = match self.announced {
            Announced::Events => json,
            Announced::Json | Announced::Lines => !json,
            Announced::Frames => true,
            Announced::Other | Announced::Nothing => false,
        };
        if mismatch {
            self.reader.oddities.add(Oddity::ContentTypeMismatch);
        }
        self.body = if stream {
            Body::Stream(Splitter::new(self.event_bytes_max))
        } else {
            Body::Whole(Vec::new())
        };
    }

    /// How the body is cut, where it is a stream of another framing than that of events. What was
    /// announced counts where the first byte leaves it open.
    fn cut(&self, first: u8) -> Option<Cut> {
        let cut = cut(self.reader.language, first)?;
        let streams = match (cut, first) {
            (Cut::Frames, _) => self.asked_stream || self.announced == Announced::Frames,
            // With a brace a line and a whole answer both begin.
            (Cut::Objects, b'{') => self.asked_stream && self.announced != Announced::Json,
            (Cut::Objects, _) => self.asked_stream,
        };
        streams.then_some(cut)
    }

    /// Gives up the copy of a body that is larger than may be kept: nothing is known of a part.
    fn too_large(&mut self, why: Oddity) {
        self.reader.oddities.add(why);
        if matches!(self.body, Body::Whole(_)) {
            self.body = Body::Dropped;
        }
    }

    /// Looks at bytes of which nothing counts any more.
    fn after(&mut self, bytes: &[u8]) {
        if self.reader.done && !bytes.trim_ascii().is_empty() {
            self.reader.oddities.add(Oddity::BytesAfterDone);
        }
    }

    /// What is left behind blanks and a BOM, neither of which says what the body is.
    fn opened<'b>(&mut self, bytes: &'b [u8]) -> &'b [u8] {
        let mut rest = bytes;
        while let Some((first, behind)) = rest.split_first() {
            if BYTE_ORDER_MARK.get(self.mark_bytes) == Some(first) {
                self.mark_bytes += 1;
                if self.mark_bytes == BYTE_ORDER_MARK.len() {
                    self.reader.oddities.add(Oddity::ByteOrderMark);
                }
            } else if !first.is_ascii_whitespace() {
                break;
            }
            rest = behind;
        }
        rest
    }

    /// Reads decoded bytes.
    fn take(&mut self, mut bytes: &[u8]) {
        if matches!(self.body, Body::Undecided) {
            bytes = self.opened(bytes);
            let Some(first) = bytes.first() else { return };
            self.decide(*first);
        }
        match &mut self.body {
            Body::Stream(splitter) => {
                let reader = &mut self.reader;
                let taken = splitter.feed(bytes, |event| reader.event(event));
                let comments = splitter.noticed().comments;
                if reader.over {
                    self.body = Body::Over { comments };
                    self.after(&bytes[taken..]);
                }
            }
            Body::Framed(framed) => {
                let fed = framed.feed(bytes, &mut self.reader);
                let (taken, over) = match fed {
                    Ok(taken) => (taken, self.reader.over),
                    Err(unread) => {
                        match unread {
                            Unread::TooLarge => self.reader.unread(),
                            Unread::Foreign => {
                                let foreign = Classified::bare(ErrorClass::ProtocolError);
                                let _ = self.reader.fail(foreign);
                            }
                            Unread::NoJson => {
                                let _ = self.reader.unreadable();
                            }
                        }
                        (bytes.len(), true)
                    }
                };
                if over {
                    self.body = Body::Over { comments: 0 };
                    self.after(&bytes[taken..]);
                }
            }
            Body::Over { .. } => self.after(bytes),
            Body::Whole(kept) => {
                if kept.len() + bytes.len() > self.whole_bytes_max {
                    self.too_large(Oddity::LimitReached);
                } else {
                    kept.extend_from_slice(bytes);
                }
            }
            Body::Undecided | Body::Dropped | Body::Opaque => {}
        }
    }
}

/// Whether a status is a failure; redirects are, since they are not followed.
pub(super) fn is_failing(status: u16) -> bool {
    status >= 300
}

/// Of a failing response's body, what is read.
const ERROR_BYTES_MAX: usize = 64 * 1024;

fn announced(content_type: Option<&str>) -> Announced {
    let Some(content_type) = content_type else {
        return Announced::Nothing;
    };
    let media = content_type.split(';').next().unwrap_or_default().trim();
    if media.eq_ignore_ascii_case("text/event-stream") {
        Announced::Events
    } else if media.eq_ignore_ascii_case("application/vnd.amazon.eventstream") {
        Announced::Frames
    } else if media.to_ascii_lowercase().ends_with("ndjson") {
        Announced::Lines
    } else if media.to_ascii_lowercase().ends_with("json") {
        Announced::Json
    } else {
        Announced::Other
    }
}
