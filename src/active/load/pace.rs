//! Sends at the moments when requests are due, and not by a timer of milliseconds.
//!
//! A runtime's timers are as coarse as a millisecond, and late when it has much to do. So pacing
//! has a thread of its own that sleeps until the moment, and hands each request to the worker that
//! carries it.

use crate::clock::Clock;
use crate::record::{Moment, Nanos};
use crate::workload::agenda::{Agenda, Due};

/// Who is paced.
pub(super) trait Paced {
    /// Gets the next request ready, while there is time.
    fn prepare(&mut self);

    /// Sends the next request, which was due at `due`; false to end.
    fn send(&mut self, due: Moment) -> bool;

    /// Waits for so long, or until a request has ended, and says when that was. No wait at all for
    /// no time.
    fn wait(&mut self, span: Nanos) -> Option<Moment>;

    /// Whether to go on.
    fn goes_on(&self) -> bool;
}

/// Longest wait without a look at whether to go on.
const SLICE: Nanos = Nanos::from_millis(20);

/// Sends everything on `agenda`, whose offsets are from `start`.
pub(super) fn pace(clock: &Clock, start: Moment, agenda: &mut Agenda, paced: &mut impl Paced) {
    while paced.goes_on() {
        // Whoever is ready by now may be due before the one at hand.
        while let Some(ended) = paced.wait(Nanos(0)) {
            agenda.ended(ended.since(start));
        }
        let span = match agenda.due() {
            Due::Over => return,
            Due::Waiting => SLICE,
            Due::At(offset) => {
                paced.prepare();
                let due = start.plus(offset);
                let ahead = due.since(clock.now());
                if ahead.0 == 0 {
                    if !paced.send(due) {
                        return;
                    }
                    agenda.sent();
                    continue;
                }
                ahead.min(SLICE)
            }
        };
        if let Some(ended) = paced.wait(span) {
            agenda.ended(ended.since(start));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::WallTime;
    use crate::workload::agenda::{Enough, Users};
    use crate::workload::schedule::{Arrivals, Phases, Schedule};

    const fn ms(millis: u64) -> Nanos {
        Nanos::from_millis(millis)
    }

    /// A world whose time is turned by waiting, in which each answer takes so long.
    struct World {
        clock: Clock,
        answer: Nanos,
        /// What a wait takes longer than was asked.
        oversleeps: Nanos,
        at_work: Vec<Moment>,
        sent: Vec<(u64, u64)>,
        most: usize,
    }

    impl World {
        fn new(answer: Nanos, oversleeps: Nanos) -> Self {
            Self {
                clock: Clock::manual(Moment(0), WallTime(0)),
                answer,
                oversleeps,
                at_work: Vec::new(),
                sent: Vec::new(),
                most: usize::MAX,
            }
        }
    }

    impl Paced for World {
        fn prepare(&mut self) {}

        fn send(&mut self, due: Moment) -> bool {
            let now = self.clock.now();
            self.sent.push((due.0 / 1_000_000, now.0 / 1_000_000));
            self.at_work.push(now.plus(self.answer));
            self.sent.len() < self.most
        }

        fn wait(&mut self, span: Nanos) -> Option<Moment> {
            let now = self.clock.now();
            let first = self.at_work.iter().copied().min();
            let first = first.filter(|at| *at <= now.plus(span));
            if let Some(first) = first {
                let place = self.at_work.iter().position(|at| *at == first);
                place.map(|place| self.at_work.swap_remove(place));
                self.clock.advance(first.since(now));
            } else if span.0 > 0 {
                self.clock.advance(Nanos(span.0 + self.oversleeps.0));
            }
            first
        }

        fn goes_on(&self) -> bool {
            true
        }
    }

    fn phases(sustain: u64) -> Phases {
        Phases {
            sustain: ms(sustain),
            ..Phases::default()
        }
    }

    #[test]
    fn an_open_loop_is_sent_when_due_and_what_comes_late_is_still_sent() {
        let arrivals = || Arrivals::Recorded([0, 50, 51, 90].map(ms).into());
        let mut world = World::new(ms(1_000), ms(0));
        let mut agenda = Agenda::open(Schedule::new(arrivals(), phases(100), 1));
        let clock = world.clock.clone();
        pace(&clock, Moment(0), &mut agenda, &mut world);
        assert_eq!(world.sent, [(0, 0), (50, 50), (51, 51), (90, 90)]);
        // A machine that oversleeps by 30 ms is late, and no request is left out.
        let mut world = World::new(ms(1_000), ms(30));
        let mut agenda = Agenda::open(Schedule::new(arrivals(), phases(100), 1));
        let clock = world.clock.clone();
        pace(&clock, Moment(0), &mut agenda, &mut world);
        let due: Vec<u64> = world.sent.iter().map(|(due, _)| *due).collect();
        assert_eq!(due, [0, 50, 51, 90]);
        assert!(
            world.sent.iter().all(|(due, at)| at >= due),
            "{:?}",
            world.sent
        );
        assert!(
            world.sent.iter().any(|(due, at)| at > due),
            "{:?}",
            world.sent
        );
    }

    #[test]
    fn users_ask_one_after_the_other() {
        let mut world = World::new(ms(30), ms(0));
        let users = Users::new(2, ms(10), phases(100));
        let clock = world.clock.clone();
        pace(&clock, Moment(0), &mut Agenda::Closed(users), &mut world);
        let at: Vec<u64> = world.sent.iter().map(|(_, at)| *at).collect();
        assert_eq!(at, [0, 0, 40, 40, 80, 80]);
    }

    #[test]
    fn users_are_done_when_enough_is_known() {
        let enough = |requests, least| {
            Some(Enough {
                requests,
                least: ms(least),
            })
        };
        for (enough, sent, sustained) in [
            // 2 users and 30 ms an answer for 10 s.
            (None, 668, 10_000),
            // The sixth answer comes at 90 ms, and nobody asks after it.
            (enough(6, 50), 6, 90),
            // As long as was asked for, at least.
            (enough(6, 200), 14, 200),
            // No longer than was planned, though too few were answered by then.
            (enough(100_000, 50), 668, 10_000),
        ] {
            let mut world = World::new(ms(30), ms(0));
            let users = Users::new(2, ms(0), phases(10_000)).until(enough);
            let mut agenda = Agenda::Closed(users);
            let clock = world.clock.clone();
            pace(&clock, Moment(0), &mut agenda, &mut world);
            let found = (world.sent.len(), agenda.sustained());
            assert_eq!(found, (sent, Some(ms(sustained))), "{enough:?}");
        }
    }

    #[test]
    fn who_says_so_ends_it() {
        let mut world = World::new(ms(30), ms(0));
        world.most = 2;
        let arrivals = Arrivals::Constant { rate: 100.0 };
        let clock = world.clock.clone();
        let mut agenda = Agenda::open(Schedule::new(arrivals, phases(1_000), 1));
        pace(&clock, Moment(0), &mut agenda, &mut world);
        assert_eq!(world.sent.len(), 2);
    }
}
