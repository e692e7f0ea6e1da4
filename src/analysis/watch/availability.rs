//! Tells how often a route answers its probes, and whether it has surely fallen below a limit.

use crate::analysis::watch::Point;
use crate::statistics::interval::{ALPHA, Estimate, wilson};

/// The probes that decide whether it has fallen: the last ones.
const LAST: usize = 10;
/// The fewest of them.
const LAST_MIN: usize = 3;
/// Confidence of that decision is `1 − ALARM`: it is made after every probe.
const ALARM: f64 = 0.01;
/// Answers in a row after which a route that had fallen is back.
const BACK: usize = 5;

/// How often a route answered.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Availability {
    /// Probes that were answered.
    pub answered: u64,
    /// Probes that were answered or failed; rate limits and refused keys are not in it.
    pub judged: u64,
    /// Whether the last ten say that it has fallen below the limit.
    pub down: bool,
}

impl Availability {
    /// Judges `points`, in the order of time. `was_down` says how it was found before: it is back
    /// after five answers in a row.
    #[must_use]
    pub fn of(points: &[Point], limit: f64, was_down: bool) -> Self {
        let judged: Vec<bool> = points.iter().filter_map(|point| point.answered).collect();
        let answers = |of: &[bool]| of.iter().filter(|answered| **answered).count();
        let last = &judged[judged.len().saturating_sub(LAST)..];
        let found = wilson(answers(last) as u64, last.len() as u64, ALARM);
        let fallen = found.is_some_and(|found| found.interval.high < limit);
        let newest = &judged[judged.len().saturating_sub(BACK)..];
        let back = newest.len() == BACK && answers(newest) == BACK;
        Self {
            answered: answers(&judged) as u64,
            judged: judged.len() as u64,
            down: if was_down {
                !back
            } else {
                // Of failures before five answers in a row nothing is left to be told.
                last.len() >= LAST_MIN && fallen && !back
            },
        }
    }

    /// The share of answered probes with Wilson's interval, 95 %.
    #[must_use]
    pub fn share(&self) -> Option<Estimate> {
        wilson(self.answered, self.judged, ALPHA)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::watch::point::tests::{answered, failed};
    use crate::record::Outcome;
    use crate::statistics::drift::Thresholds;

    /// Points of a text: `o` answered, `x` failed, `.` a rate limit.
    fn points(text: &str) -> Vec<Point> {
        let of = |(n, word): (usize, char)| match word {
            'o' => answered(n as i64 * 900, 400.0),
            'x' => failed(n as i64 * 900),
            _ => Point {
                answered: None,
                outcome: Outcome::RateLimited,
                ..failed(n as i64 * 900)
            },
        };
        text.chars().enumerate().map(of).collect()
    }

    #[test]
    fn a_route_has_fallen_where_that_is_sure_and_is_back_after_five_answers() {
        for (text, was_down, down) in [
            ("", false, false),
            ("xx", false, false),
            ("xxx", false, true),
            ("oooooooooo", false, false),
            ("oooooooooox", false, false),
            ("ooooooooooxx", false, false),
            ("ooooooooooxxx", false, true),
            ("oooxooooooxoox", false, false),
            ("ooooooo...xxx", false, true),
            ("ooooooo......", false, false),
            ("xxxxxoooo", false, true),
            ("xxxxxooooo", false, false),
            ("xxxoooo", true, true),
            ("xxxooooo", true, false),
            ("xxxoo..ooo", true, false),
        ] {
            let found =
                Availability::of(&points(text), Thresholds::default().availability, was_down);
            assert_eq!(found.down, down, "{text:?}, was down: {was_down}");
        }
    }

    #[test]
    fn rate_limits_are_in_neither_part() {
        let found = Availability::of(&points("ox.o"), Thresholds::default().availability, false);
        assert_eq!((found.answered, found.judged), (2, 3));
    }
}
