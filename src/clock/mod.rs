//! Reads the time: the only module that does, so that everything else can be given it.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use crate::record::{Moment, Nanos, WallTime};

/// The clock that a service is given: the machine's, one that a test turns by hand, or one that
/// follows the timers of a runtime, whose time a test may pause.
#[derive(Clone, Default)]
pub struct Clock(Option<Arc<Hands>>);

struct Hands {
    /// The moment that is now; of a clock that follows a runtime the one last told.
    monotonic: AtomicU64,
    /// The date that is now, in microseconds; of a clock that follows a runtime, the date less the
    /// moment.
    wall: AtomicI64,
    /// The runtime's instant at moment zero, where a runtime is followed.
    runtime: Option<tokio::time::Instant>,
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
        Self(Some(Arc::new(Hands {
            monotonic: AtomicU64::new(moment.0),
            wall: AtomicI64::new(wall.0),
            runtime: None,
        })))
    }

    /// A clock that goes as the timers of the runtime that this is called in, to be read in it.
    /// Its moments begin at zero, its dates at `wall`. Where the runtime's time is paused, a moment
    /// is the last one and a nanosecond as long as that stands, since what comes later is told from
    /// what came before by its moment.
    #[must_use]
    pub fn of_runtime(wall: WallTime) -> Self {
        Self(Some(Arc::new(Hands {
            monotonic: AtomicU64::new(0),
            wall: AtomicI64::new(wall.0),
            runtime: Some(tokio::time::Instant::now()),
        })))
    }

    /// Sets the date of a clock that is not the machine's by so many microseconds, as somebody who
    /// sets a machine's does: moments go on as they were.
    pub fn set_by(&self, micros: i64) {
        if let Some(hands) = &self.0 {
            hands.wall.fetch_add(micros, Ordering::Relaxed);
        }
    }

    /// Turns a manual clock forward; others are not impressed.
    pub fn advance(&self, span: Nanos) {
        if let Some(hands) = self.0.as_deref().filter(|hands| hands.runtime.is_none()) {
            hands.monotonic.fetch_add(span.0, Ordering::Relaxed);
            hands
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
            Some(hands) => hands.now(),
            None => monotonic(),
        }
    }

    /// The date that is now.
    #[must_use]
    pub fn wall(&self) -> WallTime {
        match &self.0 {
            Some(hands) => hands.wall(),
            None => realtime(),
        }
    }
}

impl Hands {
    fn now(&self) -> Moment {
        let Some(zero) = self.runtime else {
            return Moment(self.monotonic.load(Ordering::Relaxed));
        };
        let now = tokio::time::Instant::now().duration_since(zero).as_nanos() as u64;
        let last = self.monotonic.load(Ordering::Relaxed);
        let now = now.max(last + 1);
        self.monotonic.fetch_max(now, Ordering::Relaxed);
        Moment(now)
    }

    fn wall(&self) -> WallTime {
        let wall = self.wall.load(Ordering::Relaxed);
        match self.runtime {
            None => WallTime(wall),
            Some(_) => WallTime(wall + (self.now().0 / 1000) as i64),
        }
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0.as_deref() {
            None => "Clock::system",
            Some(Hands { runtime: None, .. }) => "Clock::manual",
            Some(_) => "Clock::of_runtime",
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

    #[tokio::test(start_paused = true)]
    async fn a_runtimes_clock_goes_as_its_timers_and_never_stands() {
        let clock = Clock::of_runtime(WallTime(5_000));
        let (first, second) = (clock.now(), clock.now());
        assert!(first < second && second < Moment(1_000));
        tokio::time::sleep(Duration::from_hours(1)).await;
        assert_eq!(clock.now(), Moment(3_600_000_000_000));
        assert_eq!(clock.wall(), WallTime(3_600_005_000));
        clock.advance(Nanos(7_000));
        clock.set_by(-2_000);
        assert_eq!(clock.wall(), WallTime(3_600_003_000));
        assert!(clock.now() < Moment(3_600_000_001_000));
    }

    #[test]
    fn the_machines_clock_never_runs_backwards() {
        let clock = Clock::system();
        let first = clock.now();
        assert!(clock.now() >= first);
    }
}
