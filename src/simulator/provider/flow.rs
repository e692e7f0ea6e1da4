//! Lines up the events of a streamed answer with their moments, and lets a fault strike among them.

use std::collections::VecDeque;

use crate::config::settings::Keepalive;
use crate::record::{Language, Nanos};
use crate::simulator::truth::Carried;

use super::answer::{Answer, Stroke};
use super::behaviour::Behaviour;
use super::fault::Fault;
use super::timing::Timing;
use super::voice::{Voice, voice};
use super::wrapping::Wrapping;

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

/// Where in the answer the flow stands.
#[derive(Debug, Clone, Copy)]
pub(super) enum Beat {
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
    pub(super) answer: Answer,
    pub(super) voice: Box<dyn Voice>,
    pub(super) wrapping: Wrapping,
    pub(super) beat: Beat,
    pub(super) queue: VecDeque<(Vec<u8>, Act)>,
    pub(super) timing: Timing,
    /// Moment of the event that is next.
    pub(super) due: Nanos,
    pub(super) stroke: u32,
    pub(super) token: u32,
    pub(super) strike_at: u32,
    pub(super) struck: bool,
    pub(super) fault_for: Option<Nanos>,
    pub(super) fault_size: Option<usize>,
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
            wrapping: Wrapping::of(answer.language, answer.array),
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
                let last = carried.has(Carried::DONE);
                self.wrapping.spoil(out, self.answer.fault, last);
                let due = self.due;
                return Act::Event { due, carried };
            }
        }
    }

    /// Speaks one beat into the buffer; an event that is not spoken leaves it empty.
    pub(super) fn speak(&mut self, out: &mut Vec<u8>) -> Option<Carried> {
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
                out.extend_from_slice(&self.wrapping.junk());
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
        if self.stroke == 0 {
            self.answer.pace.first = self.due;
        }
        self.answer.pace.last = self.due;
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
}

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
        // A frame has no place for one.
        Some(Fault::SseBom) if Wrapping::of(answer.language, answer.array) != Wrapping::Frames => {
            queue.push_back((b"\xef\xbb\xbf".to_vec(), event(Carried::RAW)));
        }
        _ => {
            // OpenRouter says that it is at work before it says anything else.
            let chat = answer.language == Language::OpenAiChat;
            if chat && answer.quirks.keepalive == Keepalive::Comment {
                let text = Wrapping::Events
                    .comment(Keepalive::Comment)
                    .unwrap_or_default();
                queue.push_back((text.to_vec(), event(Carried::KEEPALIVE)));
            }
        }
    }
    queue
}
