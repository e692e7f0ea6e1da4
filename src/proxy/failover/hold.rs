//! Holds an answer back until it is one: a stream until its first token, a whole until its end.

use std::collections::VecDeque;
use std::time::Duration;

use super::leave::{Late, RACE_LOOK};
use super::loss::Loss;
use super::slot::Slot;
use super::tried::{Failure, Patience, Tried, Try, is_of_credential};
use super::watch::observer;
use super::{Begun, Reached, Unreached, retell};
use crate::clock::Clock;
use crate::edge::upstream::{AnswerBody, Chunk};
use crate::proxy::reject::Reject;
use crate::proxy::speech::stamp_of;
use crate::proxy::tap::{HeldFrame, Source, end_of};
use crate::record::{CancelledBy, ErrorClass, Mark, Moment, Nanos, Outcome};
use crate::wire::dialect::errors::{self, Classified};
use crate::wire::observer::{BodyEnd, Observation, Observer, Seen};

/// What of a stream is held before its first token: role chunks, comments and pings. More of them
/// is no reason to leave a living provider.
const STREAM_BYTES_MAX: usize = 1024 * 1024;
/// The largest whole answer held.
const WHOLE_BYTES_MAX: usize = 32 * 1024 * 1024;

/// Holds `reached`, whose body is `body`, until it may be relayed or has failed.
pub(super) async fn hold(
    this: Try<'_>,
    patience: Patience,
    mut reached: Reached,
    mut body: AnswerBody,
    slot: Slot<'_, '_>,
) -> Tried {
    let settings = this.means.settings;
    let watching = observer(&reached, this.way, this.job, settings);
    let clock = &this.means.shared.clock;
    let whole_to_retell = this.way.speech.said().is_some() && !this.job.stream;
    if !whole_to_retell && watching.is_opaque() {
        slot.note(|record| record.timeline.set(Mark::Held, clock.now()));
        reached.source = Source::Incoming(body);
        return Tried::Answered(Box::new(reached));
    }
    let mut limits = Limits {
        patience: Patience {
            // A part of it is no answer: it has the time that it takes.
            held: patience.held.filter(|_| !whole_to_retell),
            ..patience
        },
        silence: settings.timeouts.silence,
        total: this.job.total,
        bytes: if this.job.stream {
            STREAM_BYTES_MAX
        } else {
            WHOLE_BYTES_MAX
        },
    };
    let mut holding = Holding {
        slot,
        observer: watching,
        frames: VecDeque::new(),
        bytes: 0,
        seen: Seen::default(),
        clock,
    };
    let stopped = holding.read(this, &mut body, &mut limits).await;
    let Holding {
        observer,
        frames,
        bytes,
        seen,
        ..
    } = holding;
    match stopped {
        Stopped::Committed(_) if whole_to_retell => {
            body.close();
            let observation = observer.end(clock.now(), BodyEnd::CutByLimit);
            let class = ErrorClass::ProtocolError;
            let unreached = retell::no_whole(this);
            slot.note(|record| record.cancelled_by = Some(CancelledBy::Limit));
            Tried::Failed(Box::new(Failure {
                verdict: errors::failover(&Classified::bare(class), false),
                reached: true,
                leave: false,
                of_credential: false,
                unreached,
                answer: None,
                loss: Loss::Broken(Box::new(observation), bytes as u64, class),
            }))
        }
        Stopped::Committed(at) => {
            reached.released = at;
            slot.note(|record| record.timeline.set(Mark::Held, clock.now()));
            reached.begun = Some(Begun {
                observer,
                seen,
                frames,
            });
            reached.source = Source::Incoming(body);
            Tried::Answered(Box::new(reached))
        }
        Stopped::Erred(at) => {
            reached.released = at;
            let error = observer.failure().cloned();
            let error = error.unwrap_or_else(|| Classified::bare(ErrorClass::ServerError));
            reached.begun = Some(Begun {
                observer,
                seen,
                frames,
            });
            reached.source = Source::Incoming(body);
            let unreached = unreached(this, error.class, Outcome::InBandError);
            Tried::Failed(Box::new(Failure {
                verdict: errors::failover(&error, false),
                of_credential: is_of_credential(error.class),
                reached: true,
                leave: false,
                unreached,
                answer: Some(Box::new(reached)),
                loss: Loss::Stream,
            }))
        }
        Stopped::Over(at) => {
            body.finish(reached.keep_alive);
            let observation = observer.end(at, BodyEnd::Complete);
            let frames = frames.into_iter().map(|frame| frame.chunk);
            reached.released = at;
            reached.source = Source::Read(frames.collect());
            whole(this, reached, observation, bytes, slot)
        }
        Stopped::Broken(end, class) => {
            body.close();
            let observation = observer.end(clock.now(), end);
            slot.note(|record| {
                record.maybe_billed = true;
                record.cancelled_by = matches!(end, BodyEnd::Stalled | BodyEnd::CutByLimit)
                    .then_some(CancelledBy::Deadline);
            });
            let error = Classified::bare(class);
            let outcome = errors::outcome(class);
            Tried::Failed(Box::new(Failure {
                verdict: errors::failover(&error, false),
                of_credential: is_of_credential(error.class),
                reached: true,
                leave: class == ErrorClass::FirstTokenTimeout,
                unreached: unreached(this, class, outcome),
                answer: None,
                loss: Loss::Broken(Box::new(observation), bytes as u64, class),
            }))
        }
    }
}

/// An answer that has ended: relayed as it stands if it is one.
fn whole(
    this: Try<'_>,
    mut reached: Reached,
    observation: Observation,
    bytes: usize,
    slot: Slot<'_, '_>,
) -> Tried {
    let stamp = slot
        .note_exchange(|draft| stamp_of(draft))
        .unwrap_or_default();
    if let Err(unreached) = retell::whole(this, &mut reached, &observation, &stamp) {
        let error = Classified::bare(ErrorClass::ProtocolError);
        return Tried::Failed(Box::new(Failure {
            verdict: errors::failover(&error, false),
            reached: true,
            leave: false,
            of_credential: false,
            unreached,
            answer: None,
            loss: Loss::Broken(Box::new(observation), bytes as u64, error.class),
        }));
    }
    if observation.outcome_hint == Outcome::Ok {
        let now = this.means.shared.clock.now();
        slot.note(|record| record.timeline.set(Mark::Held, now));
        reached.begun = None;
        return Tried::Answered(Box::new(reached));
    }
    let error = observation.error.clone();
    let error = error.unwrap_or_else(|| Classified::bare(ErrorClass::EmptyResponse));
    let unreached = unreached(this, error.class, observation.outcome_hint);
    Tried::Failed(Box::new(Failure {
        verdict: errors::failover(&error, false),
        of_credential: is_of_credential(error.class),
        reached: true,
        leave: false,
        unreached,
        answer: Some(Box::new(reached)),
        loss: Loss::Observed(Box::new(observation), bytes as u64),
    }))
}

fn unreached(this: Try<'_>, class: ErrorClass, outcome: Outcome) -> Unreached {
    let detail = match class {
        ErrorClass::FirstTokenTimeout => "no token came within its deadline",
        ErrorClass::SilenceTimeout => "it fell silent before its first token",
        ErrorClass::TotalTimeout => "timeouts.total was over before its first token",
        _ => "its answer broke off before its first token",
    };
    Unreached {
        reject: Reject::upstream(class, &this.way.provider.name, detail, true),
        outcome,
    }
}

struct Limits {
    patience: Patience,
    silence: Duration,
    total: Option<Moment>,
    bytes: usize,
}

/// Why holding stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stopped {
    /// A token came, or the time or the size of what may be held is over.
    Committed(Moment),
    /// The stream brought an error before any token.
    Erred(Moment),
    /// The body is over.
    Over(Moment),
    /// The connection broke, or a deadline passed.
    Broken(BodyEnd, ErrorClass),
}

struct Holding<'a, 'd, 'e> {
    slot: Slot<'d, 'e>,
    observer: Box<Observer>,
    frames: VecDeque<HeldFrame>,
    bytes: usize,
    seen: Seen,
    clock: &'a Clock,
}

impl Holding<'_, '_, '_> {
    async fn read(&mut self, this: Try<'_>, body: &mut AnswerBody, limits: &mut Limits) -> Stopped {
        let mut activity = self.clock.now();
        loop {
            let (wait, late) = limits.next(self.clock.now(), activity);
            let Ok(chunk) = tokio::time::timeout(wait, body.chunk()).await else {
                let overdue = Stopped::Broken(BodyEnd::Stalled, ErrorClass::FirstTokenTimeout);
                limits.patience.first_token = match (late == overdue).then(|| this.late(self.slot))
                {
                    Some(Late::Stays) => None,
                    Some(Late::Raced) => {
                        Some(self.clock.now().plus(Nanos(RACE_LOOK.as_nanos() as u64)))
                    }
                    Some(Late::Leaves) | None => return late,
                };
                continue;
            };
            activity = match chunk {
                None => {
                    let read = body.last_read();
                    return Stopped::Over(read.map_or(activity, |read| read.max(activity)));
                }
                Some(Err(fault)) => {
                    let (end, class) = end_of(fault);
                    return Stopped::Broken(end, class);
                }
                Some(Ok(chunk)) => self.take(chunk),
            };
            // A token commits, also where its read brought an error behind it: what follows must
            // not hang on how the network cut the stream.
            if self.seen.token_events > 0 || self.bytes > limits.bytes {
                return Stopped::Committed(activity);
            }
            if self.seen.failed {
                return Stopped::Erred(activity);
            }
        }
    }

    /// Observes a chunk and keeps it; returns when it was read.
    fn take(&mut self, chunk: Chunk) -> Moment {
        let at = chunk.at;
        self.seen = self.observer.chunk(at, &chunk.bytes);
        self.bytes += chunk.bytes.len();
        self.frames.push_back(HeldFrame {
            chunk,
            tokens: self.seen.token_events > 0,
        });
        at
    }
}

impl Limits {
    /// How long to wait for the next frame, and what it means when none comes.
    fn next(&self, now: Moment, activity: Moment) -> (Duration, Stopped) {
        let silent = activity.plus(Nanos(self.silence.as_nanos() as u64));
        let ends = [
            (
                self.patience.held,
                Stopped::Committed(self.patience.held.unwrap_or(now)),
            ),
            (
                self.patience.first_token,
                Stopped::Broken(BodyEnd::Stalled, ErrorClass::FirstTokenTimeout),
            ),
            (
                Some(silent),
                Stopped::Broken(BodyEnd::Stalled, ErrorClass::SilenceTimeout),
            ),
            (
                self.total,
                Stopped::Broken(BodyEnd::CutByLimit, ErrorClass::TotalTimeout),
            ),
        ];
        let mut first = (Moment(u64::MAX), Stopped::Committed(now));
        for (at, what) in ends {
            if let Some(at) = at.filter(|at| *at < first.0) {
                first = (at, what);
            }
        }
        (Duration::from_nanos(first.0.since(now).0), first.1)
    }
}
