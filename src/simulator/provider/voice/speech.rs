//! Says what every language of an endpoint must be able to say.

use crate::simulator::truth::Carried;

use super::super::answer::{Answer, Part, Stroke};

/// A language. An answer is spoken as: openings; for each part its starts, its strokes, its ends;
/// closings. Each call appends one whole event.
pub(in super::super) trait Voice: Send {
    /// Number of opening events.
    fn openings(&self, answer: &Answer) -> u32;
    /// Speaks an opening event.
    fn open(&mut self, answer: &Answer, index: u32, out: &mut Vec<u8>);
    /// Number of events before a part's first stroke.
    fn starts(&self, _: &Part) -> u32 {
        0
    }
    /// Speaks one of them.
    fn start(&mut self, _: &Answer, _part: usize, _index: u32, _: &mut Vec<u8>) {}
    /// Speaks a stroke.
    fn stroke(&mut self, answer: &Answer, stroke: Stroke, out: &mut Vec<u8>);
    /// Number of events after a part's last stroke.
    fn ends(&self, _: &Part) -> u32 {
        0
    }
    /// Speaks one of them.
    fn end(&mut self, _: &Answer, _part: usize, _index: u32, _: &mut Vec<u8>) {}
    /// Number of closing events.
    fn closings(&self, answer: &Answer) -> u32;
    /// Speaks a closing event, and says what it carried.
    fn close(&mut self, answer: &Answer, index: u32, out: &mut Vec<u8>) -> Carried;
    /// Speaks an error event.
    fn error(&mut self, answer: &Answer, out: &mut Vec<u8>);
    /// Speaks the terminator alone.
    fn terminator(&mut self, answer: &Answer, out: &mut Vec<u8>);
    /// Speaks the whole answer as one JSON body.
    fn whole(&self, answer: &Answer) -> Vec<u8>;
}
