//! Writes down what became of an attempt that was lost to another one.

use super::Reached;
use super::slot::Slot;
use crate::proxy::settle::note_observation;
use crate::proxy::shared::Shared;
use crate::record::{AttemptRecord, End, ErrorClass, Mark, TokenSource};
use crate::wire::dialect::errors::Classified;
use crate::wire::observer::{BodyEnd, Observation};

/// What a lost attempt leaves to be written down.
#[derive(Debug)]
pub(super) enum Loss {
    /// Nothing: its record is closed.
    Closed,
    /// A failing status with a body of so many bytes.
    Status(Classified, usize),
    /// A body that was read to its end, of so many bytes, and is no answer.
    Observed(Box<Observation>, u64),
    /// A body that broke after so many bytes, or met a deadline.
    Broken(Box<Observation>, u64, ErrorClass),
    /// A stream that brought an error before any token: its observer knows.
    Stream,
}

impl Loss {
    /// Closes the record of the attempt. `answer` is what of its answer nobody will get.
    pub(super) fn write(self, slot: Slot<'_, '_>, answer: Option<Reached>, shared: &Shared) {
        let now = shared.clock.now();
        slot.note(|record| match self {
            Self::Closed => {}
            Self::Status(classified, bytes) => {
                record.timeline.set(Mark::Closed, now);
                record.end = Some(End::Complete);
                record.error_class = Some(classified.class);
                record.error_code = classified.code;
                record.response_bytes = bytes as u64;
            }
            Self::Observed(observation, bytes) => {
                lost(record, *observation, bytes, None);
                record.timeline.set(Mark::Closed, now);
            }
            Self::Broken(observation, bytes, class) => {
                lost(record, *observation, bytes, Some(class));
                record.timeline.set(Mark::Closed, now);
            }
            Self::Stream => {
                if let Some(begun) = answer.and_then(|answer| answer.begun) {
                    let bytes = begun
                        .frames
                        .iter()
                        .map(|frame| frame.chunk.bytes.len() as u64);
                    let bytes = bytes.sum();
                    let observation = begun.observer.end(now, BodyEnd::Complete);
                    lost(record, observation, bytes, None);
                }
                record.timeline.set(Mark::Closed, now);
            }
        });
        slot.lose();
    }
}

/// What the body showed of an attempt whose answer nobody gets.
fn lost(
    record: &mut AttemptRecord,
    observation: Observation,
    bytes: u64,
    fault: Option<ErrorClass>,
) {
    record.response_bytes = bytes;
    record.maybe_billed = true;
    let learned = note_observation(record, observation, fault);
    // What was said in full may still be of no use to anybody.
    record.error_class = record.error_class.or(fault);
    record.lost_usage =
        (learned.tokens.source == Some(TokenSource::Usage)).then_some(learned.tokens.usage);
}
