//! Lets a fault strike among the events of a stream.

use crate::record::Nanos;
use crate::simulator::truth::Carried;

use super::fault::Fault;
use super::flow::{Act, Beat, Ending, Flow};
use super::wrapping::Wrapping;

impl Flow {
    /// Lets the fault strike if its moment has come: before its token event, or before the end of
    /// an answer that has none.
    pub(super) fn strike(&mut self, out: &mut Vec<u8>) -> Option<Act> {
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
        // An item of an array follows another one: there it stands beside the token.
        let follows = self.wrapping == Wrapping::Array;
        if fault == Fault::SseUnknown && !follows {
            out.extend_from_slice(&self.wrapping.unknown());
            let (due, carried) = (self.due, Carried::RAW);
            return Some(Act::Event { due, carried });
        }
        let beside = if fault == Fault::SseUnknown {
            Some(self.wrapping.unknown())
        } else {
            self.wrapping.beside(fault, self.fault_size)
        };
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
            Fault::SseNoBlankLine => self.wrapping.cut_blank_line(out),
            Fault::SseBadJson => self.wrapping.break_json(out),
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
        let comment = self.wrapping.flood(self.answer.quirks.keepalive);
        for _ in 0..COMMENTS {
            self.queue
                .push_back((comment.clone(), Act::Event { due, carried }));
        }
    }
}

/// Length of a stall of which nothing is said.
const STALL: Nanos = Nanos(1_000_000_000);

/// Comments of a flood.
const COMMENTS: usize = 1000;
