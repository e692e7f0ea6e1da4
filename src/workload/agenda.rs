//! Says when the next request of a load is due: by a schedule, or when a user is ready again.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::iter::Peekable;

use super::schedule::{Phases, Schedule};
use crate::record::Nanos;

/// What is to be done next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// A request at this offset from the load's start.
    At(Nanos),
    /// Nothing, until a request ends.
    Waiting,
    /// Nothing any more.
    Over,
}

/// The requests of a load in the order in which they are due.
#[derive(Debug)]
pub enum Agenda {
    /// Open loop: whatever becomes of the requests before.
    Open(Peekable<Schedule>),
    /// Closed loop: each user waits for its answer.
    Closed(Users),
}

impl Agenda {
    /// Requests as a schedule says.
    #[must_use]
    pub fn open(schedule: Schedule) -> Self {
        Self::Open(schedule.peekable())
    }

    /// What is due next.
    pub fn due(&mut self) -> Due {
        match self {
            Self::Open(schedule) => schedule.peek().map_or(Due::Over, |at| Due::At(*at)),
            Self::Closed(users) => users.due(),
        }
    }

    /// The request that is due has been sent.
    pub fn sent(&mut self) {
        match self {
            Self::Open(schedule) => {
                schedule.next();
            }
            Self::Closed(users) => users.sent(),
        }
    }

    /// How long the full load lasts, where that is not what was planned: a closed loop knew enough
    /// before.
    #[must_use]
    pub const fn sustained(&self) -> Option<Nanos> {
        match self {
            Self::Open(_) => None,
            Self::Closed(users) => Some(users.phases.sustain),
        }
    }

    /// A request ended at this offset. An open loop does not care.
    pub fn ended(&mut self, at: Nanos) {
        if let Self::Closed(users) = self {
            users.ended(at);
        }
    }
}

/// With how many requests, and after how long at the full load, enough is known of a closed loop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Enough {
    /// Requests that were sent at the full load, and as many answers since it began.
    pub requests: u64,
    /// How long it lasts at least.
    pub least: Nanos,
}

/// Users of a closed loop, each with one request at a time.
#[derive(Debug, Clone)]
pub struct Users {
    due: BinaryHeap<Reverse<u64>>,
    at_work: usize,
    think: Nanos,
    phases: Phases,
    enough: Option<Enough>,
    /// Requests sent and ended at the full load.
    sent: u64,
    ended: u64,
}

impl Users {
    /// So many users, who come one after the other through the ramp. After each answer a user
    /// thinks for so long before it asks again. Nobody asks after the last phase.
    #[must_use]
    pub fn new(count: u32, think: Nanos, phases: Phases) -> Self {
        let comes = |user: u32| phases.ramp.0 * u64::from(user) / u64::from(count.max(1));
        Self {
            due: (0..count).map(|user| Reverse(comes(user))).collect(),
            at_work: 0,
            think,
            phases,
            enough: None,
            sent: 0,
            ended: 0,
        }
    }

    /// The same, over as soon as `enough` is there: it counts what is asked and answered, and looks
    /// at no answer, so that what the answers say does not hang on when it ends.
    #[must_use]
    pub const fn until(mut self, enough: Option<Enough>) -> Self {
        self.enough = enough;
        self
    }

    fn due(&self) -> Due {
        match self.due.peek() {
            Some(Reverse(at)) if *at < self.phases.total().0 => Due::At(Nanos(*at)),
            // Everyone else would come later still.
            _ if self.at_work > 0 => Due::Waiting,
            _ => Due::Over,
        }
    }

    fn sent(&mut self) {
        if let Some(Reverse(at)) = self.due.pop() {
            self.at_work += 1;
            self.sent += u64::from(at >= self.phases.ramp.0);
        }
    }

    fn ended(&mut self, at: Nanos) {
        self.at_work = self.at_work.saturating_sub(1);
        self.due.push(Reverse(at.0.saturating_add(self.think.0)));
        self.ended += u64::from(at >= self.phases.ramp);
        let is_enough = |of: &Enough| self.sent.min(self.ended) >= of.requests;
        if let Some(enough) = self.enough.take_if(|of| is_enough(of)) {
            let sustained = Nanos(at.0.saturating_sub(self.phases.ramp.0)).max(enough.least);
            self.phases.sustain = self.phases.sustain.min(sustained);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::schedule::Arrivals;

    const fn ms(millis: u64) -> Nanos {
        Nanos::from_millis(millis)
    }

    fn phases(ramp: u64, sustain: u64) -> Phases {
        Phases {
            ramp: ms(ramp),
            sustain: ms(sustain),
            cool: ms(0),
        }
    }

    #[test]
    fn an_open_loop_asks_whatever_becomes_of_its_requests() {
        let arrivals = Arrivals::Recorded(vec![ms(0), ms(5), ms(9)]);
        let mut agenda = Agenda::open(Schedule::new(arrivals, phases(0, 100), 1));
        for at in [0, 5, 9] {
            assert_eq!(agenda.due(), Due::At(ms(at)));
            agenda.sent();
        }
        assert_eq!(agenda.due(), Due::Over);
        agenda.ended(ms(50));
        assert_eq!(agenda.due(), Due::Over);
    }

    #[test]
    fn a_user_asks_again_after_its_answer_and_its_thought() {
        let mut agenda = Agenda::Closed(Users::new(2, ms(30), phases(20, 80)));
        // The second user comes in the middle of the ramp.
        assert_eq!(agenda.due(), Due::At(ms(0)));
        agenda.sent();
        assert_eq!(agenda.due(), Due::At(ms(10)));
        agenda.sent();
        assert_eq!(agenda.due(), Due::Waiting);
        agenda.ended(ms(40));
        assert_eq!(agenda.due(), Due::At(ms(70)));
        agenda.sent();
        // An answer so late that its user would ask after the end.
        agenda.ended(ms(75));
        assert_eq!(agenda.due(), Due::Waiting);
        agenda.ended(ms(90));
        assert_eq!(agenda.due(), Due::Over);
    }

    #[test]
    fn no_users_ask_nothing() {
        let mut agenda = Agenda::Closed(Users::new(0, ms(0), phases(0, 80)));
        assert_eq!(agenda.due(), Due::Over);
    }
}
