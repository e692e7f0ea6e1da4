//! Reads the time: the only module that does, so that everything else can be given it.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use crate::record::{Moment, Nanos, WallTime};

/// The clock that a service is given: the machine's, or one that a test turns by hand.
#[derive(Clone, Default)]
pub struct Clock(Option<Arc<Manual>>);

struct Manual {
    monotonic: AtomicU64,
    wall: AtomicI64,
}

impl Clock {
    /// The machine's clock: `CLOCK_MONOTONIC` for moments, `CLOCK_REALTIME` for dates.
    #[must_use]
    pub const fn system() -> Self {
        Self(None)
    }

    /// A clock that stands still until [`Clock::advance`] turns it.
    #[must_use]
    pub fn manual(moment: Moment, wall: WallTime) -> Self {
        Self(Some(Arc::new(Manual {
            monotonic: AtomicU64::new(moment.0),
            wall: AtomicI64::new(wall.0),
        })))
    }

    /// Turns a manual clock forward; the machine's clock is not impressed.
    pub fn advance(&self, span: Nanos) {
        if let Some(manual) = &self.0 {
            manual.monotonic.fetch_add(span.0, Ordering::Relaxed);
            manual
                .wall
                .fetch_add((span.0 / 1000) as i64, Ordering::Relaxed);
        }
    }

    /// The runtime's instant `after` from now, for its timers (which a test may pause).
    #[must_use]
    pub fn timer(after: Duration) -> tokio::time::Instant {
        tokio::time::Instant::now() + after
    }

    /// The moment that is now.
    #[must_use]
    pub fn now(&self) -> Moment {
        match &self.0 {
            Some(manual) => Moment(manual.monotonic.load(Ordering::Relaxed)),
            None => monotonic(),
        }
    }

    /// The date that is now.
    #[must_use]
    pub fn wall(&self) -> WallTime {
        match &self.0 {
            Some(manual) => WallTime(manual.wall.load(Ordering::Relaxed)),
            None => realtime(),
        }
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() {
            "Clock::manual"
        } else {
            "Clock::system"
        })
    }
}

fn monotonic() -> Moment {
    let time = clock_gettime(ClockId::Monotonic);
    Moment(time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64)
}

fn realtime() -> WallTime {
    let time = clock_gettime(ClockId::Realtime);
    WallTime(time.tv_sec * 1_000_000 + time.tv_nsec / 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_stands_until_turned() {
        let clock = Clock::manual(Moment(7), WallTime(1_000));
        assert_eq!(clock.now(), Moment(7));
        clock.advance(Nanos(3_000));
        assert_eq!(
            (clock.now(), clock.wall()),
            (Moment(3_007), WallTime(1_003))
        );
    }

    #[test]
    fn the_machines_clock_never_runs_backwards() {
        let clock = Clock::system();
        let first = clock.now();
        assert!(clock.now() >= first);
    }
}
