//! Reads the rest of an answer where its client has left: for its usage, or for its end alone.

use std::time::Duration;

use super::settle::{Ended, Exchange};
use crate::clock::Clock;
use crate::config::settings::{ClientGone, Settings};
use crate::edge::upstream::AnswerBody;
use crate::record::{CancelledBy, Moment, Oddity};
use crate::wire::observer::{BodyEnd, Observer};

/// An answer that nobody takes any more.
#[derive(Debug)]
pub(super) struct Abandoned {
    /// What of it is to come.
    pub(super) body: AnswerBody,
    /// The server's word on how long it keeps the connection.
    pub(super) keep_alive: Option<Duration>,
    /// Reads the stream.
    pub(super) observer: Box<Observer>,
    /// The exchange to settle.
    pub(super) exchange: Exchange,
    /// Longest silence.
    pub(super) silence: Duration,
    /// The clock.
    pub(super) clock: Clock,
    /// When something came last.
    pub(super) activity: Moment,
    /// Bytes received so far.
    pub(super) bytes_in: u64,
    /// Bytes handed on while the client was there.
    pub(super) bytes_out: u64,
}

/// How long and how much is read on; absent where work is cancelled with its client.
#[must_use]
pub(super) const fn limits(settings: &Settings) -> Option<(Duration, u64)> {
    match settings.failover.client_gone {
        ClientGone::Cancel => None,
        ClientGone::Drain { time, bytes } => Some((time, bytes)),
    }
}

/// Reads on in the background until the answer is over or a limit is reached, then settles the
/// exchange: its client has gone, and its usage is known if it came.
pub(super) fn read_on(abandoned: Abandoned) {
    let Some((time, bytes)) = limits(abandoned.exchange.settings()) else {
        return;
    };
    let now = abandoned.clock.now();
    let left = abandoned.exchange.left_at().unwrap_or(now);
    let spent = Duration::from_nanos(now.since(left).0);
    let reading = Reading {
        bytes_max: abandoned.bytes_in.saturating_add(bytes),
        end: BodyEnd::ClientGone,
        abandoned: Some(abandoned),
    };
    tokio::spawn(reading.run(time.saturating_sub(spent)));
}

/// How long the end of a body is waited for whose answer is over.
const END_PATIENCE: Duration = Duration::from_millis(250);
/// Bytes that may come before it: comments, or events that nobody counts.
const END_BYTES_MAX: usize = 16 * 1024;

/// Waits in the background for the end of a body whose answer is over and whose client has gone
/// with it: its connection can serve the next request then, which would have to open one.
pub(super) fn await_end(mut body: AnswerBody, keep_alive: Option<Duration>) {
    tokio::spawn(async move {
        let reading = async {
            let mut left = END_BYTES_MAX;
            loop {
                match body.chunk().await {
                    None => return true,
                    Some(Ok(chunk)) if chunk.bytes.len() <= left => left -= chunk.bytes.len(),
                    Some(_) => return false,
                }
            }
        };
        if matches!(tokio::time::timeout(END_PATIENCE, reading).await, Ok(true)) {
            body.finish(keep_alive);
        }
    });
}

/// Settles when it is dropped, so that a runtime that stops loses no record.
struct Reading {
    abandoned: Option<Abandoned>,
    bytes_max: u64,
    end: BodyEnd,
}

impl Reading {
    async fn run(mut self, time: Duration) {
        let Some(drain) = self
            .abandoned
            .as_ref()
            .map(|of| of.exchange.drain().clone())
        else {
            return;
        };
        tokio::select! {
            biased;
            () = drain.stopping() => {}
            () = tokio::time::sleep(time) => {}
            () = self.read() => {}
        }
    }

    async fn read(&mut self) {
        let Some(of) = &mut self.abandoned else {
            return;
        };
        while of.bytes_in < self.bytes_max {
            let Ok(chunk) = tokio::time::timeout(of.silence, of.body.chunk()).await else {
                return;
            };
            let chunk = match chunk {
                None => {
                    let read = of.body.last_read();
                    of.activity = read.map_or(of.activity, |read| read.max(of.activity));
                    self.end = BodyEnd::Complete;
                    return;
                }
                // It is nobody's loss any more, and what came of it counts.
                Some(Err(_)) => return,
                Some(Ok(chunk)) => chunk,
            };
            of.activity = chunk.at;
            of.bytes_in += chunk.bytes.len() as u64;
            let _ = of.observer.chunk(chunk.at, &chunk.bytes);
        }
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        let Some(mut of) = self.abandoned.take() else {
            return;
        };
        let at = match self.end {
            BodyEnd::Complete => {
                of.body.finish(of.keep_alive);
                of.activity
            }
            _ => {
                of.body.close();
                of.clock.now()
            }
        };
        of.exchange.settle_relayed(Ended {
            observer: of.observer,
            end: self.end,
            fault: None,
            cancelled_by: Some(CancelledBy::Client),
            at,
            bytes_in: of.bytes_in,
            bytes_out: of.bytes_out,
            writes_awaited: false,
            oddities: vec![Oddity::ReadOn],
            untold: None,
        });
    }
}
