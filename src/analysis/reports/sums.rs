//! Says what the roll-ups of a route came to, in the terms of reports.

use std::collections::BTreeMap;

use super::figures::{Numbers, Route};
use crate::analysis::tables::Share;
use crate::record::{ErrorClass, PicoDollars, WallTime};
use crate::statistics::Rollup;
use crate::statistics::interval::{Nearby, Pool};
use crate::statistics::sketch::Sketch;

/// The sums of every route.
pub(super) type Routes = BTreeMap<Route, Sums>;

/// What a route did: of streams, and of whole answers.
#[derive(Debug, Clone, Default)]
pub(super) struct Sums {
    pub(super) streams: Rollup,
    pub(super) wholes: Rollup,
    /// Streams by what may be alike in time.
    alike: Nearby<Alike>,
    /// How tries ended that came near each other, of streams and of whole answers.
    ends: Nearby<Ends>,
}

/// How many of the tries that came near each other ended how, lost ones included.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Ends {
    failed: u64,
    /// Those that failed or ended well.
    judged: u64,
    tries: u64,
    pub(super) limited: u64,
    pub(super) refused: u64,
    pub(super) timed_out: u64,
    pub(super) callers: u64,
    /// By class.
    pub(super) errors: [u64; ErrorClass::ALL.len()],
    /// Those that began to stream, and of those what stalled and what was held back.
    pub(super) streamed: u64,
    pub(super) stalled: u64,
    pub(super) held: u64,
}

impl Ends {
    fn of(rollup: &Rollup) -> Self {
        let further = &rollup.further;
        Self {
            failed: rollup.failures() + further.lost_failures,
            judged: rollup.judged() + further.lost_failures,
            tries: rollup.exchanges() + rollup.lost,
            limited: rollup.rate_limits(),
            refused: rollup.credential_faults(),
            timed_out: further.timed_out,
            callers: further.callers,
            errors: rollup.errors,
            streamed: further.streamed,
            stalled: further.stalled,
            held: further.pseudo_streams,
        }
    }
}

impl Pool for Ends {
    fn pool(&mut self, more: Self) {
        for (sum, more) in [
            (&mut self.failed, more.failed),
            (&mut self.judged, more.judged),
            (&mut self.tries, more.tries),
            (&mut self.limited, more.limited),
            (&mut self.refused, more.refused),
            (&mut self.timed_out, more.timed_out),
            (&mut self.callers, more.callers),
            (&mut self.streamed, more.streamed),
            (&mut self.stalled, more.stalled),
            (&mut self.held, more.held),
        ] {
            *sum += more;
        }
        for (sum, more) in self.errors.iter_mut().zip(more.errors) {
            *sum += more;
        }
    }
}

/// The numbers of streams that came near each other.
#[derive(Debug, Clone, Default)]
struct Alike {
    first_token: Sketch,
    first_answer: Sketch,
    rate: Sketch,
    /// How many are longer than all first tokens, and than all first answers.
    longer: [u64; 2],
}

impl Pool for Alike {
    fn pool(&mut self, more: Self) {
        self.first_token.merge(&more.first_token);
        self.first_answer.merge(&more.first_answer);
        self.rate.merge(&more.rate);
        for (count, more) in self.longer.iter_mut().zip(more.longer) {
            *count += more;
        }
    }
}

impl Sums {
    /// Adds a roll-up begun `at`, whose numbers may be like those of the others near it.
    pub(super) fn add(&mut self, rollup: &Rollup, stream: bool, at: WallTime) {
        self.ends.at(at).pool(Ends::of(rollup));
        if !stream {
            self.wholes.merge(rollup);
            return;
        }
        self.streams.merge(rollup);
        let alike = self.alike.at(at);
        alike.first_token.merge(&rollup.first_token);
        alike.first_answer.merge(&rollup.first_answer);
        alike.rate.merge(&rollup.output_rate);
        let failed = infinite(rollup);
        alike.longer[0] += failed + rollup.waited.count();
        alike.longer[1] += failed + rollup.waited_answer.count();
    }

    /// Both kinds of answers together.
    pub(super) fn both(&self) -> Rollup {
        let mut all = self.streams.clone();
        all.merge(&self.wholes);
        all
    }

    /// Adds everything that `other` holds.
    pub(super) fn merge(&mut self, other: &Self) {
        self.streams.merge(&other.streams);
        self.wholes.merge(&other.wholes);
        self.alike.merge(other.alike.clone());
        self.ends.merge(other.ends.clone());
    }

    fn of_both(&self, of: impl Fn(&Rollup) -> u64) -> u64 {
        of(&self.streams) + of(&self.wholes)
    }

    /// Exchanges that it answered last.
    pub(super) fn exchanges(&self) -> u64 {
        self.of_both(Rollup::exchanges)
    }

    /// The same with its lost tries.
    pub(super) fn tries(&self) -> u64 {
        self.exchanges() + self.of_both(|part| part.lost)
    }

    /// Those that failed by its fault, lost tries included.
    pub(super) fn failed(&self) -> Share {
        Share::nearby(&self.ends.counted(|ends| (ends.failed, ends.judged)))
    }

    /// Those of all tries that ended so.
    pub(super) fn of_tries(&self, so: impl Fn(&Ends) -> u64) -> Share {
        Share::nearby(&self.ends.counted(|ends| (so(ends), ends.tries)))
    }

    /// Those that did so of what began to stream.
    pub(super) fn of_streams(&self, so: impl Fn(&Ends) -> u64) -> Share {
        if self.streamed().is_some() {
            return Share::nearby(&self.ends.counted(|ends| (so(ends), ends.streamed)));
        }
        // An older version did not count what began to stream: of what was asked to.
        let part = self.ends.groups().map(so).sum();
        Share::of(part, self.streams.exchanges())
    }

    /// Mean cost of those whose cost is known, and how many they are.
    pub(super) fn cost(&self) -> Option<(f64, u64)> {
        let count = self.of_both(|part| part.further.spent_count);
        let sum = PicoDollars(self.of_both(|part| part.further.spent)).as_dollars();
        (count > 0).then(|| (sum / count as f64, count))
    }

    /// Streams whose first token was not waited out.
    pub(super) fn not_waited_out(&self) -> u64 {
        self.streams.waited.count()
    }

    /// Answers that began to stream; nothing where an older version rolled some of them up.
    pub(super) fn streamed(&self) -> Option<u64> {
        let known = self.streams.untold_waits() + self.wholes.untold_waits() == 0;
        known.then(|| self.of_both(|part| part.further.streamed))
    }

    /// Time to first token of streams.
    pub(super) fn first_token(&self) -> Numbers {
        let streams = &self.streams;
        Numbers::rolled(&streams.first_token, infinite(streams), 1.0)
            .beside(&streams.waited)
            .alike(&self.alike, |of| (&of.first_token, of.longer[0]), 1.0)
    }

    /// Time to first answer of streams.
    pub(super) fn first_answer(&self) -> Numbers {
        let streams = &self.streams;
        Numbers::rolled(&streams.first_answer, infinite(streams), 1.0)
            .beside(&streams.waited_answer)
            .alike(&self.alike, |of| (&of.first_answer, of.longer[1]), 1.0)
    }

    /// Output rate of streams that ended, in tokens per second.
    pub(super) fn rate(&self) -> Numbers {
        Numbers::rolled(&self.streams.output_rate, 0, 1e-3).alike(
            &self.alike,
            |of| (&of.rate, 0),
            1e-3,
        )
    }
}

/// Streams that failed by their route's fault, as infinitely slow ones.
fn infinite(streams: &Rollup) -> u64 {
    let further = &streams.further;
    let failed = if streams.untold() == 0 {
        further.infinite
    } else {
        streams.failures()
    };
    failed + further.lost_failures
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::compare::Random;
    use crate::statistics::interval::{ALPHA, wilson};

    /// Hours whose levels differ: roll-ups know it, and their intervals hold the truth as often as
    /// they say. Taken as independent they held it in half of the worlds.
    #[test]
    fn intervals_of_roll_ups_hold_what_differs_from_hour_to_hour() {
        let normal = |random: &mut Random| (0..12).map(|_| random.unit()).sum::<f64>() - 6.0;
        let (mut held, all) = (0, 120);
        for seed in 0..all {
            let mut random = Random::new(seed);
            let mut sums = Sums::default();
            for hour in 0..48 {
                let level = 0.1 * normal(&mut random);
                let mut rollup = Rollup::default();
                for _ in 0..100 {
                    let noise = level + 0.2 * normal(&mut random);
                    rollup.first_token.insert((300e6 * noise.exp()) as u64);
                }
                sums.add(&rollup, true, WallTime(hour * 3_600_000_000));
            }
            let numbers = sums.first_token();
            assert!(numbers.effect_of() > 5.0, "seed {seed}");
            let found = numbers.estimate(0.5, ALPHA).unwrap();
            held += u64::from(found.interval.contains(300e6));
        }
        let rate = wilson(held, all, ALPHA).unwrap();
        assert!(
            rate.interval.high >= 0.95,
            "held in {held} of {all} (seeds 0 to {all})"
        );
    }
}
