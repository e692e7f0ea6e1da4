//! Says when requests are to be sent: open loop by a rate, or closed loop by so many users.

use crate::record::Nanos;
use crate::statistics::compare::Random;

/// How requests follow each other in an open loop.
#[derive(Debug, Clone, PartialEq)]
pub enum Arrivals {
    /// As far apart as independent users are: exponential gaps.
    Poisson {
        /// Requests per second.
        rate: f64,
    },
    /// Evenly.
    Constant {
        /// Requests per second.
        rate: f64,
    },
    /// As recorded: offsets from the first, in rising order.
    Recorded(Vec<Nanos>),
}

/// The phases of a load.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Phases {
    /// From nothing to the full rate; what is sent in it is not measured.
    pub ramp: Nanos,
    /// At the full rate: what is measured.
    pub sustain: Nanos,
    /// After it, at the full rate still, so that the last measured requests have company; not
    /// measured.
    pub cool: Nanos,
}

impl Phases {
    /// From the first moment to the last.
    #[must_use]
    pub const fn total(&self) -> Nanos {
        let rise = self.ramp.0.saturating_add(self.sustain.0);
        Nanos(rise.saturating_add(self.cool.0))
    }

    /// Seconds of the full load that all phases come to: of the rising ramp half.
    #[must_use]
    pub fn full_load(&self) -> f64 {
        self.ramp.as_secs() / 2.0 + self.sustain.as_secs() + self.cool.as_secs()
    }

    /// Which phase an offset is in.
    #[must_use]
    pub const fn at(&self, offset: Nanos) -> Phase {
        if offset.0 < self.ramp.0 {
            Phase::Ramp
        } else if offset.0 < self.ramp.0 + self.sustain.0 {
            Phase::Sustain
        } else {
            Phase::Cool
        }
    }

    /// The share of the full load at an offset: it rises evenly through the ramp.
    #[must_use]
    pub fn share(&self, offset: Nanos) -> f64 {
        if offset.0 < self.ramp.0 {
            offset.0 as f64 / self.ramp.0 as f64
        } else {
            1.0
        }
    }
}

/// A phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Rising load.
    Ramp,
    /// Full load, measured.
    Sustain,
    /// The end.
    Cool,
}

impl Phase {
    /// The name used in results.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ramp => "ramp",
            Self::Sustain => "sustain",
            Self::Cool => "cool",
        }
    }
}

/// The moments at which an open loop sends, as offsets from its start.
#[derive(Debug, Clone)]
pub struct Schedule {
    arrivals: Arrivals,
    phases: Phases,
    random: Random,
    /// In units of the full rate: how many requests a constant load would have sent by now.
    area: f64,
    sent: usize,
}

impl Schedule {
    /// The schedule that `seed` draws.
    #[must_use]
    pub const fn new(arrivals: Arrivals, phases: Phases, seed: u64) -> Self {
        Self {
            arrivals,
            phases,
            random: Random::new(seed),
            area: 0.0,
            sent: 0,
        }
    }

    /// The offset at which the load has done `area` seconds of full rate: the inverse of the
    /// integral of [`Phases::share`].
    fn offset(&self, area: f64) -> f64 {
        let ramp = self.phases.ramp.0 as f64 / 1e9;
        if area < ramp / 2.0 {
            (2.0 * area * ramp).sqrt()
        } else {
            area + ramp / 2.0
        }
    }
}

impl Iterator for Schedule {
    type Item = Nanos;

    fn next(&mut self) -> Option<Nanos> {
        let gap = match &self.arrivals {
            Arrivals::Recorded(offsets) => {
                let at = *offsets.get(self.sent)?;
                self.sent += 1;
                return (at < self.phases.total()).then_some(at);
            }
            Arrivals::Poisson { rate } => -(1.0 - self.random.unit()).ln() / rate,
            Arrivals::Constant { rate } => 1.0 / rate,
        };
        if !(gap.is_finite() && gap >= 0.0) {
            return None;
        }
        self.area += gap;
        self.sent += 1;
        let at = Nanos((self.offset(self.area) * 1e9) as u64);
        (at < self.phases.total()).then_some(at)
    }
}

/// How far a load was behind its schedule, and whether it says anything.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Lag {
    /// Middle of the lags.
    pub p50: Nanos,
    /// 90th percentile.
    pub p90: Nanos,
    /// 99th percentile.
    pub p99: Nanos,
    /// The largest.
    pub max: Nanos,
}

/// A lag of which the 99th percentile is longer makes a run void, whatever it measured.
pub const LAG_MAX: Nanos = Nanos::from_millis(10);
/// No lag up to it makes a run void, however fast its answers come.
const LAG_MIN: Nanos = Nanos::from_millis(1);

impl Lag {
    /// The lag of requests that were each sent so much after they were meant to be; absent
    /// without any.
    #[must_use]
    pub fn of(mut lags: Vec<Nanos>) -> Option<Self> {
        lags.sort_unstable();
        let last = *lags.last()?;
        let at = |p: f64| lags[((lags.len() as f64 * p).ceil() as usize).clamp(1, lags.len()) - 1];
        Some(Self {
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            max: last,
        })
    }

    /// The 99th percentile over which a run says nothing: 10 ms, and 2 % of the median time to the
    /// first token where that is less, but never under 1 ms (facts of coordinated omission: a late
    /// generator hides queues).
    #[must_use]
    pub fn limit(first_token_p50: Option<Nanos>) -> Nanos {
        let share = first_token_p50.map(|p50| Nanos((p50.0 / 50).max(LAG_MIN.0)));
        share.map_or(LAG_MAX, |share| share.min(LAG_MAX))
    }

    /// Whether the run says nothing: the 99th percentile is over its [`Self::limit`].
    #[must_use]
    pub fn is_void(&self, first_token_p50: Option<Nanos>) -> bool {
        self.p99 > Self::limit(first_token_p50)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn phases(ramp: u64, sustain: u64, cool: u64) -> Phases {
        Phases {
            ramp: Nanos(ramp * SECOND),
            sustain: Nanos(sustain * SECOND),
            cool: Nanos(cool * SECOND),
        }
    }

    #[test]
    fn a_constant_load_rises_and_stays() {
        let all: Vec<Nanos> =
            Schedule::new(Arrivals::Constant { rate: 10.0 }, phases(10, 20, 5), 1).collect();
        let within = |from: u64, to: u64| {
            let range = from * SECOND..to * SECOND;
            all.iter().filter(|at| range.contains(&at.0)).count()
        };
        // Half of the full rate on the way up.
        assert!(within(0, 10).abs_diff(50) <= 1, "{}", within(0, 10));
        assert!(within(0, 5).abs_diff(12) <= 1, "{}", within(0, 5));
        assert!(within(10, 30).abs_diff(200) <= 1, "{}", within(10, 30));
        assert!(all.iter().all(|at| at.0 < 35 * SECOND));
        let expected = phases(10, 20, 5).full_load() * 10.0;
        assert!((all.len() as f64 - expected).abs() <= 1.0, "{expected}");
        assert!(all.is_sorted());
        assert_eq!(phases(10, 20, 5).at(Nanos(10 * SECOND)), Phase::Sustain);
        assert_eq!(phases(10, 20, 5).at(Nanos(31 * SECOND)), Phase::Cool);
    }

    #[test]
    fn a_poisson_load_has_its_rate_and_its_spread() {
        let seed = 5;
        println!("seed {seed}");
        let load = Schedule::new(Arrivals::Poisson { rate: 100.0 }, phases(0, 200, 0), seed);
        let all: Vec<Nanos> = load.collect();
        let gaps: Vec<f64> = all
            .windows(2)
            .map(|w| (w[1].0 - w[0].0) as f64 / 1e9)
            .collect();
        let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
        let variance = gaps.iter().map(|g| (g - mean).powi(2)).sum::<f64>() / gaps.len() as f64;
        assert!((mean - 0.01).abs() < 0.000_3, "{mean}");
        assert!(
            (variance.sqrt() / mean - 1.0).abs() < 0.05,
            "exponential gaps: {variance}"
        );
    }

    #[test]
    fn a_recorded_load_is_sent_as_it_was() {
        let offsets: Vec<Nanos> = [0, 3, 4, 9].map(|s| Nanos(s * SECOND)).into();
        let load = Schedule::new(Arrivals::Recorded(offsets.clone()), phases(0, 5, 0), 1);
        assert_eq!(load.collect::<Vec<_>>(), offsets[..3]);
    }

    #[test]
    fn nothing_is_sent_at_no_rate() {
        for rate in [0.0, -1.0, f64::NAN] {
            let load = Schedule::new(Arrivals::Constant { rate }, phases(0, 5, 0), 1);
            assert_eq!(load.count(), 0, "{rate}");
        }
    }

    #[test]
    fn a_late_generator_makes_its_run_void() {
        let millis = |list: &[u64]| list.iter().map(|ms| Nanos::from_millis(*ms)).collect();
        assert_eq!(Lag::of(Vec::new()), None);
        let lag = Lag::of(millis(&[1; 100])).unwrap();
        assert!(!lag.is_void(Some(Nanos::from_millis(300))));
        let lag = Lag::of(millis(&[7; 100])).unwrap();
        assert!(
            lag.is_void(Some(Nanos::from_millis(300))),
            "over 2 % of the first token"
        );
        assert!(!lag.is_void(None));
        let mut late = vec![1; 98];
        late.extend([11, 11]);
        assert!(Lag::of(millis(&late)).unwrap().is_void(None));
    }
}
