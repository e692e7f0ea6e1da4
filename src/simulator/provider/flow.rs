//! Lines up the events of a streamed answer with their moments, and lets a fault strike among them.

use std::collections::VecDeque;

use fastrand::Rng;

use crate::config::settings::Keepalive;
use crate::record::{Language, Nanos};
use crate::simulator::truth::Carried;

use super::answer::{Answer, Stroke};
use super::behaviour::{Behaviour, Delay};
use super::fault::Fault;
use super::voice::{Voice, voice};

/// What is to be done next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Act {
    /// Send the event in the buffer.
    Event {
        /// When, after the request was complete.
        due: Nanos,
        /// What it carries.
        carried: Carried,
    },
    /// Send the bytes in the buffer without framing.
    Raw {
        /// When, after the request was complete.
        due: Nanos,
    },
    /// Be silent.
    Wait {
        /// Until when, after the request was complete.
        due: Nanos,
    },
    /// Stop.
    End(Ending),
}

/// How a body ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// As its framing says.
    Complete,
    /// FIN without the end of the framing.
    Cut,
    /// Reset.
    Reset,
}

#[derive(Debug, Clone, Copy)]
enum Beat {
    Open(u32),
    Start(usize, u32),
    Stroke(Stroke),
    End(usize, u32),
    Close(u32),
    Junk,
    Over,
}

/// The events of a streamed answer.
pub(super) struct Flow {
    answer: Answer,
    voice: Box<dyn Voice>,
    beat: Beat,
    queue: VecDeque<(Vec<u8>, Act)>,
    timing: Timing,
    /// Moment of the event that is next.
    due: Nanos,
    stroke: u32,
    token: u32,
    strike_at: u32,
    struck: bool,
    fault_for: Option<Nanos>,
    fault_size: Option<usize>,
}

/// The draws that pace an answer.
pub(super) struct Timing {
    rng: Rng,
    gap: Delay,
    factor: f64,
    /// Head and role.
    pub(super) head: Nanos,
    /// First token.
    pub(super) first: Nanos,
}

impl Timing {
    /// Draws head and first token.
    pub(super) fn new(behaviour: &Behaviour, factor: f64, mut rng: Rng) -> Self {
        let scaled = |span: Nanos| Nanos((span.0 as f64 * factor) as u64);
        let first = scaled(behaviour.first_token.draw(&mut rng));
        let head = scaled(behaviour.head.draw(&mut rng)).min(first);
        Self {
            rng,
            gap: behaviour.gap,
            factor,
            head,
            first,
        }
    }

    /// Draws the next gap.
    pub(super) fn gap(&mut self) -> Nanos {
        Nanos((self.gap.draw(&mut self.rng).0 as f64 * self.factor) as u64)
    }
}

impl Flow {
    /// The events of an answer.
    pub(super) fn new(answer: Answer, behaviour: &Behaviour, mut timing: Timing) -> Self {
        let strokes = answer.strokes();
        let drawn = timing.rng.u32(0..strokes.clamp(1, 1 << 16));
        let strike_at = behaviour
            .fault_at
            .unwrap_or(drawn)
            .min(strokes.saturating_sub(1));
        let first_only = matches!(
            answer.fault,
            Some(Fault::StallFirstToken | Fault::RoleThenSilence | Fault::CommentFlood)
        );
        let fault_for = behaviour.fault_for.map(|delay| delay.draw(&mut timing.rng));
        Self {
            voice: voice(answer.language),
            beat: Beat::Open(0),
            queue: opening(&answer, timing.head),
            due: timing.head,
            strike_at: if first_only { 0 } else { strike_at },
            answer,
            timing,
            stroke: 0,
            token: 0,
            struck: false,
            fault_for,
            fault_size: behaviour.fault_size,
        }
    }

    /// Puts what comes next into the buffer, which is empty.
    pub(super) fn next(&mut self, out: &mut Vec<u8>) -> Act {
        loop {
            if let Some((bytes, act)) = self.queue.pop_front() {
                out.extend_from_slice(&bytes);
                // What is not said here says nothing: the responses API tells some errors late.
                if bytes.is_empty() && matches!(act, Act::Event { .. }) {
                    continue;
                }
                return act;
            }
            if let Some(act) = self.strike(out) {
                if out.is_empty() && matches!(act, Act::Event { .. }) {
                    continue;
                }
                return act;
            }
            let Some(carried) = self.speak(out) else {
                return Act::End(Ending::Complete);
            };
            if !out.is_empty() {
                self.spoil(out, carried);
                let due = self.due;
                return Act::Event { due, carried };
            }
        }
    }

    /// Speaks one beat into the buffer; an event that is not spoken leaves it empty.
    fn speak(&mut self, out: &mut Vec<u8>) -> Option<Carried> {
        let answer = &self.answer;
        let carried = match self.beat {
            Beat::Open(index) => {
                self.voice.open(answer, index, out);
                let last = index + 1 >= self.voice.openings(answer);
                self.beat = if last {
                    self.part(0)
                } else {
                    Beat::Open(index + 1)
                };
                Carried::ROLE
            }
            Beat::Start(part, index) => {
                self.voice.start(answer, part, index, out);
                let last = index + 1 >= self.voice.starts(&answer.parts[part]);
                self.beat = if last {
                    self.first_stroke(part)
                } else {
                    Beat::Start(part, index + 1)
                };
                Carried::ROLE
            }
            Beat::Stroke(stroke) => self.speak_stroke(stroke, out),
            Beat::End(part, index) => {
                self.voice.end(answer, part, index, out);
                let last = index + 1 >= self.voice.ends(&answer.parts[part]);
                self.beat = if last {
                    self.part(part + 1)
                } else {
                    Beat::End(part, index + 1)
                };
                Carried::default()
            }
            Beat::Close(index) => self.speak_close(index, out),
            Beat::Junk => {
                out.extend_from_slice(b"data: {\"junk\":\"after the terminator\"}\n\n");
                self.beat = Beat::Over;
                Carried::RAW
            }
            Beat::Over => return None,
        };
        Some(carried)
    }

    fn speak_stroke(&mut self, stroke: Stroke, out: &mut Vec<u8>) -> Carried {
        // The moment was set when the stroke became the next beat; other choices share it.
        if stroke.choice == 0 {
            self.due = if self.stroke == 0 {
                self.due.max(self.timing.first)
            } else {
                Nanos(self.due.0 + self.timing.gap().0)
            };
        }
        self.voice.stroke(&self.answer, stroke, out);
        let carried = Carried::tokens(self.token, stroke.count);
        self.token = self.token.saturating_add(stroke.count);
        self.stroke = self.stroke.saturating_add(1);
        self.beat = self.after_stroke(stroke);
        carried
    }

    fn speak_close(&mut self, index: u32, out: &mut Vec<u8>) -> Carried {
        let carried = self.voice.close(&self.answer, index, out);
        self.beat = if index + 1 < self.voice.closings(&self.answer) {
            Beat::Close(index + 1)
        } else if self.answer.has(Fault::JunkAfterDone) {
            Beat::Junk
        } else {
            Beat::Over
        };
        carried
    }

    /// The first beat of a part, or the closing after the last.
    fn part(&self, part: usize) -> Beat {
        match self.answer.parts.get(part) {
            None => Beat::Close(0),
            Some(next) if self.voice.starts(next) > 0 => Beat::Start(part, 0),
            Some(_) => self.first_stroke(part),
        }
    }

    fn first_stroke(&self, part: usize) -> Beat {
        let count = self.answer.stroke_len(&self.answer.parts[part], 0);
        Beat::Stroke(Stroke {
            part,
            from: 0,
            count,
            choice: 0,
        })
    }

    fn after_stroke(&self, stroke: Stroke) -> Beat {
        if stroke.choice + 1 < self.answer.choices {
            return Beat::Stroke(Stroke {
                choice: stroke.choice + 1,
                ..stroke
            });
        }
        let part = &self.answer.parts[stroke.part];
        let from = stroke.from + stroke.count;
        if from < part.tokens() {
            let count = self.answer.stroke_len(part, from);
            return Beat::Stroke(Stroke {
                part: stroke.part,
                from,
                count,
                choice: 0,
            });
        }
        if self.voice.ends(part) > 0 {
            Beat::End(stroke.part, 0)
        } else {
            self.part(stroke.part + 1)
        }
    }

    /// Lets the fault strike if its moment has come: before its token event, or before the end of
    /// an answer that has none.
    fn strike(&mut self, out: &mut Vec<u8>) -> Option<Act> {
        let here = match self.beat {
            Beat::Stroke(_) => self.stroke == self.strike_at,
            Beat::Close(0) => true,
            _ => false,
        };
        if !here || self.struck {
            return None;
        }
        self.struck = true;
        let fault = self.answer.fault?;
        match fault {
            Fault::ResetMid => return Some(Act::End(Ending::Reset)),
            Fault::CloseMid => return Some(Act::End(Ending::Cut)),
            Fault::EndMid => return Some(Act::End(Ending::Complete)),
            Fault::StallMid | Fault::StallFirstToken => self.stall(),
            Fault::RoleThenSilence => {
                let due = self.after(STALL);
                self.queue.push_back((Vec::new(), Act::End(Ending::Cut)));
                return Some(Act::Wait { due });
            }
            Fault::ErrorMid | Fault::ErrorMidDone => return Some(self.strike_error(fault, out)),
            Fault::CommentFlood => self.flood(),
            Fault::ChunkBadHex | Fault::ChunkOverflow => {
                let line: &[u8] = match fault {
                    Fault::ChunkBadHex => b"xyz\r\ndata: ",
                    _ => b"fffffffffffffffffff\r\ndata: ",
                };
                out.extend_from_slice(line);
                self.queue.push_back((Vec::new(), Act::End(Ending::Cut)));
                return Some(Act::Raw { due: self.due });
            }
            _ => return self.strike_event(fault, out),
        }
        None
    }

    /// Faults that spoil an event, or put another beside it.
    fn strike_event(&mut self, fault: Fault, out: &mut Vec<u8>) -> Option<Act> {
        if fault == Fault::SseUnknown {
            out.extend_from_slice(UNKNOWN_EVENT);
            let (due, carried) = (self.due, Carried::RAW);
            return Some(Act::Event { due, carried });
        }
        let beside = beside(fault, self.fault_size);
        let spoils = matches!(
            fault,
            Fault::PartialEvent | Fault::SseNoBlankLine | Fault::SseBadJson | Fault::ChunkNoCrLf
        );
        if !spoils && beside.is_none() {
            return None;
        }
        let mut carried = self.speak(out)?;
        let due = self.due;
        if let Some(beside) = beside {
            let act = Act::Event {
                due,
                carried: Carried::RAW,
            };
            self.queue.push_back((beside, act));
        }
        match fault {
            Fault::PartialEvent => {
                out.truncate(out.len() / 2);
                carried = Carried::PART;
                self.queue
                    .push_back((Vec::new(), Act::End(Ending::Complete)));
            }
            Fault::SseNoBlankLine => out.truncate(out.len() - 1),
            Fault::SseBadJson => {
                out.truncate(out.len() - 3);
                out.extend_from_slice(b"\n\n");
            }
            Fault::ChunkNoCrLf => {
                let size = format!("{:x}\r\n", out.len());
                out.splice(0..0, size.into_bytes());
                return Some(Act::Raw { due });
            }
            _ => {}
        }
        Some(Act::Event { due, carried })
    }

    fn strike_error(&mut self, fault: Fault, out: &mut Vec<u8>) -> Act {
        self.voice.error(&self.answer, out);
        let due = self.due;
        if fault == Fault::ErrorMidDone {
            let mut done = Vec::new();
            self.voice.terminator(&self.answer, &mut done);
            let carried = Carried::DONE;
            self.queue.push_back((done, Act::Event { due, carried }));
        }
        self.queue
            .push_back((Vec::new(), Act::End(Ending::Complete)));
        let carried = Carried::ERROR;
        Act::Event { due, carried }
    }

    fn after(&self, span: Nanos) -> Nanos {
        Nanos(self.due.0 + self.fault_for.unwrap_or(span).0)
    }

    /// Shifts everything that comes by the length of the stall.
    fn stall(&mut self) {
        let span = self.fault_for.unwrap_or(STALL);
        if self.stroke == 0 {
            self.timing.first = Nanos(self.due.max(self.timing.first).0 + span.0);
        } else {
            self.due = Nanos(self.due.0 + span.0);
        }
    }

    fn flood(&mut self) {
        let due = self.due;
        let carried = Carried::KEEPALIVE;
        let comment = comment(self.answer.quirks.keepalive).unwrap_or(b": flood\n\n");
        for _ in 0..COMMENTS {
            self.queue
                .push_back((comment.to_vec(), Act::Event { due, carried }));
        }
    }

    /// Changes how an event is written down.
    fn spoil(&self, out: &mut Vec<u8>, carried: Carried) {
        match self.answer.fault {
            Some(Fault::SseCr) => out
                .iter_mut()
                .filter(|b| **b == b'\n')
                .for_each(|b| *b = b'\r'),
            Some(Fault::SseCrLf) => *out = replace(out, b"\n", b"\r\n"),
            Some(Fault::SseNoSpace) => *out = replace(out, b"data: ", b"data:"),
            Some(Fault::PendingLastEvent) if carried.has(Carried::DONE) => {
                out.truncate(out.len() - 1);
            }
            _ => {}
        }
    }
}

/// Length of a stall of which nothing is said.
const STALL: Nanos = Nanos(1_000_000_000);

/// Comments of a flood.
const COMMENTS: usize = 1000;

const UNKNOWN_EVENT: &[u8] = b"id: 7\nretry: 3000\nodd: field\nfieldwithoutcolon\n: comment\n\
event: sim.unknown\ndata: {\"type\":\"sim.unknown\",\"choices\":[]}\n\n";

/// What stands before the first event.
fn opening(answer: &Answer, due: Nanos) -> VecDeque<(Vec<u8>, Act)> {
    let mut queue = VecDeque::new();
    let event = |carried| Act::Event { due, carried };
    let last = |queue: &mut VecDeque<_>, wanted: bool| {
        if wanted {
            queue.push_back((Vec::new(), Act::End(Ending::Complete)));
        }
    };
    let mut voice = voice(answer.language);
    match answer.fault {
        Some(Fault::EmptyStream) => last(&mut queue, true),
        Some(Fault::DoneOnly) => {
            let mut done = Vec::new();
            voice.terminator(answer, &mut done);
            queue.push_back((done, event(Carried::DONE)));
            last(&mut queue, true);
        }
        Some(fault @ (Fault::ErrorFirst | Fault::ErrorFirstDone)) => {
            let mut error = Vec::new();
            voice.error(answer, &mut error);
            queue.push_back((error, event(Carried::ERROR)));
            if fault == Fault::ErrorFirstDone {
                let mut done = Vec::new();
                voice.terminator(answer, &mut done);
                queue.push_back((done, event(Carried::DONE)));
            }
            last(&mut queue, true);
        }
        Some(Fault::SseBom) => queue.push_back((b"\xef\xbb\xbf".to_vec(), event(Carried::RAW))),
        _ => {
            // OpenRouter says that it is at work before it says anything else.
            let chat = answer.language == Language::OpenAiChat;
            if chat && answer.quirks.keepalive == Keepalive::Comment {
                let text = comment(Keepalive::Comment).unwrap_or_default();
                queue.push_back((text.to_vec(), event(Carried::KEEPALIVE)));
            }
        }
    }
    queue
}

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
fn beside(fault: Fault, size: Option<usize>) -> Option<Vec<u8>> {
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
