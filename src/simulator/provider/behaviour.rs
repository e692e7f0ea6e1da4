//! Says how a simulated model behaves: its delays, its tokens, its faults, its bad hours.

use std::sync::Arc;

use fastrand::Rng;

use crate::record::{Nanos, WallTime};

use super::fault::Fault;
use super::key::AnswerKey;

/// A delay, or a distribution of delays.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Delay {
    /// Always the same.
    Constant(Nanos),
    /// Evenly between the two.
    Uniform(Nanos, Nanos),
    /// Log-normal: its median, and sigma of the logarithm.
    LogNormal(Nanos, f64),
}

impl Default for Delay {
    fn default() -> Self {
        Self::ZERO
    }
}

impl Delay {
    /// None at all.
    pub const ZERO: Self = Self::Constant(Nanos(0));

    /// A constant delay.
    #[must_use]
    pub const fn millis(millis: u64) -> Self {
        Self::Constant(Nanos::from_millis(millis))
    }

    /// One draw.
    pub fn draw(self, rng: &mut Rng) -> Nanos {
        match self {
            Self::Constant(span) => span,
            Self::Uniform(low, high) if low < high => Nanos(rng.u64(low.0..=high.0)),
            Self::Uniform(low, _) => low,
            Self::LogNormal(median, sigma) => {
                let factor = (sigma * standard_normal(rng)).exp();
                Nanos((median.0 as f64 * factor) as u64)
            }
        }
    }
}

/// Box and Muller's transform of two even draws.
fn standard_normal(rng: &mut Rng) -> f64 {
    // 1 - f64() lies in (0, 1], so that the logarithm is finite.
    let radius = (-2.0 * (1.0 - rng.f64()).ln()).sqrt();
    radius * (std::f64::consts::TAU * rng.f64()).cos()
}

/// How events are laid into writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Delivery {
    /// One write for each event.
    #[default]
    Event,
    /// That many writes for each event.
    Split(usize),
    /// One write for that many events.
    Merge(usize),
}

/// A window of bad hours.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Incident {
    /// Its first moment.
    pub from: WallTime,
    /// The first moment after it.
    pub until: WallTime,
    /// Delays are multiplied by this.
    pub slowdown: f64,
    /// Share of the requests that meet `fault`.
    pub rate: f64,
    /// What they meet.
    pub fault: Fault,
}

/// How a model changes over the day.
#[derive(Debug, Clone, PartialEq)]
pub struct Drift {
    /// Factor on delays for each hour of the UTC day.
    pub hours: [f64; 24],
    /// Bad hours.
    pub incidents: Vec<Incident>,
}

impl Drift {
    fn incident(&self, now: WallTime) -> Option<&Incident> {
        let on = |incident: &&Incident| incident.from <= now && now < incident.until;
        self.incidents.iter().find(on)
    }

    fn factor(&self, now: WallTime) -> f64 {
        let hour = now.as_secs().rem_euclid(86_400) / 3600;
        let daily = self.hours[hour as usize % 24];
        daily * self.incident(now).map_or(1.0, |incident| incident.slowdown)
    }
}

/// How a simulated model behaves. The default answers at once, with 16 tokens and no fault.
#[derive(Debug, Clone, PartialEq)]
pub struct Behaviour {
    /// First token after the request is complete.
    pub first_token: Delay,
    /// Between two token events.
    pub gap: Delay,
    /// Response head and role event after the request is complete.
    pub head: Delay,
    /// Answer tokens of each choice; a request's own limit may lower it.
    pub tokens: u32,
    /// Tokens per event.
    pub tokens_per_event: u32,
    /// Text bytes of each token; words of their own length if absent.
    pub token_bytes: Option<usize>,
    /// Reasoning tokens; if absent, as many as a quarter of the tokens where the request asks.
    pub reasoning: Option<u32>,
    /// Tool calls where the request offers tools; if absent, one where it requires them.
    pub tool_calls: Option<u32>,
    /// How events are laid into writes.
    pub delivery: Delivery,
    /// Interval of keep-alives while waiting.
    pub keepalive: Option<Nanos>,
    /// Finish reason instead of the right one.
    pub finish: Option<String>,
    /// Prompt tokens instead of the right number.
    pub usage_input: Option<u64>,
    /// Completion tokens instead of the right number.
    pub usage_output: Option<u64>,
    /// Cached part of the prompt tokens.
    pub usage_cached: u64,
    /// Faults with their rates; the first one drawn is played.
    pub faults: Vec<(Fault, f64)>,
    /// Token event at which a fault strikes; drawn if absent.
    pub fault_at: Option<u32>,
    /// Length of a stall, pause of a drip, wait before a late close.
    pub fault_for: Option<Delay>,
    /// Size of a large body, line, header, or bomb.
    pub fault_size: Option<usize>,
    /// Status of the faults that take one.
    pub fault_code: Option<u16>,
    /// `Retry-After` of the rate limits.
    pub retry_after: Nanos,
    /// Seed of the request's draws; drawn from the simulator's own if absent.
    pub seed: Option<u64>,
    /// Whether Azure's filter gives its verdicts after the text that they are about.
    pub late_filter: bool,
    /// How it changes over the day.
    pub drift: Option<Arc<Drift>>,
    /// What it says to prompts that it was told of.
    pub key: Option<Arc<AnswerKey>>,
    /// How often it says that, and not what is said to another of those prompts.
    pub right: f64,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            first_token: Delay::ZERO,
            gap: Delay::ZERO,
            head: Delay::ZERO,
            tokens: 16,
            tokens_per_event: 1,
            token_bytes: None,
            reasoning: None,
            tool_calls: None,
            delivery: Delivery::Event,
            keepalive: None,
            finish: None,
            usage_input: None,
            usage_output: None,
            usage_cached: 0,
            faults: Vec::new(),
            fault_at: None,
            fault_for: None,
            fault_size: None,
            fault_code: None,
            retry_after: Nanos(2_000_000_000),
            seed: None,
            late_filter: false,
            drift: None,
            key: None,
            right: 1.0,
        }
    }
}

impl Behaviour {
    /// Delays such as a middling hosted model has.
    #[must_use]
    pub fn realistic() -> Self {
        Self {
            first_token: Delay::LogNormal(Nanos::from_millis(350), 0.35),
            gap: Delay::LogNormal(Nanos::from_millis(12), 0.5),
            tokens: 120,
            ..Self::default()
        }
    }

    /// The same with one fault, always played.
    #[must_use]
    pub fn with_fault(mut self, fault: Fault) -> Self {
        self.faults = vec![(fault, 1.0)];
        self
    }

    /// Draws the fault that a request meets at that time of day.
    pub fn draw_fault(&self, now: WallTime, rng: &mut Rng) -> Option<Fault> {
        let incident = self.drift.as_ref().and_then(|drift| drift.incident(now));
        if let Some(incident) = incident
            && rng.f64() < incident.rate
        {
            return Some(incident.fault);
        }
        let mut draw = rng.f64();
        for (fault, rate) in &self.faults {
            if draw < *rate {
                return Some(*fault);
            }
            draw -= rate;
        }
        None
    }

    /// Factor on delays at that time of day.
    pub fn factor(&self, now: WallTime) -> f64 {
        self.drift.as_ref().map_or(1.0, |drift| drift.factor(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_follow_their_distribution() {
        let mut rng = Rng::with_seed(7);
        let mut median = |delay: Delay| {
            let mut draws: Vec<u64> = (0..4001).map(|_| delay.draw(&mut rng).0).collect();
            draws.sort_unstable();
            (draws[0], draws[2000], draws[4000])
        };
        assert_eq!(median(Delay::Constant(Nanos(5))), (5, 5, 5));
        let (low, middle, high) = median(Delay::Uniform(Nanos(100), Nanos(300)));
        assert!(low >= 100 && high <= 300 && (190..210).contains(&middle));
        let (_, middle, high) = median(Delay::LogNormal(Nanos(10_000), 0.5));
        assert!((9_500..10_500).contains(&middle) && high > 30_000);
        assert_eq!(
            Delay::Uniform(Nanos(9), Nanos(3)).draw(&mut Rng::with_seed(1)),
            Nanos(9)
        );
    }

    #[test]
    fn incidents_slow_down_and_fail_only_while_they_last() {
        let mut hours = [1.0; 24];
        hours[1] = 2.0;
        let drift = Drift {
            hours,
            incidents: vec![Incident {
                from: WallTime(3_600_000_000),
                until: WallTime(3_601_000_000),
                slowdown: 3.0,
                rate: 1.0,
                fault: Fault::Http503,
            }],
        };
        let behaviour = Behaviour {
            drift: Some(Arc::new(drift)),
            ..Behaviour::default()
        };
        let mut rng = Rng::with_seed(1);
        for (at, factor, fault) in [
            (0, 1.0, None),
            (3_600_500_000, 6.0, Some(Fault::Http503)),
            (3_601_000_000, 2.0, None),
        ] {
            assert!((behaviour.factor(WallTime(at)) - factor).abs() < 1e-9);
            assert_eq!(behaviour.draw_fault(WallTime(at), &mut rng), fault);
        }
    }
}
