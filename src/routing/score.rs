//! Knows what evaluations found of routes, and the score that a model's routes must reach.

use std::collections::HashMap;

use crate::record::{Name, RouteScore};

use super::route::RouteKey;

/// The score that a route must be shown to reach.
#[derive(Debug, Clone, PartialEq)]
pub struct MinScore {
    /// The scorer that is asked.
    pub scorer: Name,
    /// What the lower end of the score's interval (95 %) must reach: a route is let through when it
    /// is shown to be good enough, not when a few answers happened to be.
    pub at_least: f64,
    /// Whether a route that nobody has scored passes.
    pub unknown_passes: bool,
}

/// The newest score of each route at each scorer.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Scores(HashMap<RouteKey, Vec<RouteScore>>);

impl Scores {
    /// Takes in a score; of two runs the newer counts.
    pub fn add(&mut self, score: RouteScore) {
        // Routing goes by the whole: what each item was worth need not stay in memory.
        let score = RouteScore {
            each: None,
            ..score
        };
        let key = RouteKey::new(score.provider.clone(), Some(score.there.clone()));
        let of_route = self.0.entry(key).or_default();
        match of_route
            .iter_mut()
            .find(|known| known.scorer == score.scorer)
        {
            Some(known) if known.at <= score.at => *known = score,
            Some(_) => {}
            None => of_route.push(score),
        }
    }

    /// What is known of a route at a scorer.
    #[must_use]
    pub fn of(&self, route: &RouteKey, scorer: &Name) -> Option<&RouteScore> {
        self.0
            .get(route)?
            .iter()
            .find(|known| known.scorer == *scorer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::WallTime;

    #[test]
    fn of_two_runs_the_newer_counts() {
        let score = |at: i64, scorer: &str, low: f64| RouteScore {
            run: Name::from("r"),
            at: WallTime(at),
            model: Name::from("m"),
            provider: Name::from("p"),
            there: Name::from("t"),
            scorer: Name::from(scorer),
            value: 0.9,
            low,
            high: 1.0,
            items: 40,
            each: None,
        };
        let mut scores = Scores::default();
        for (at, scorer, low) in [(5, "a", 0.5), (7, "a", 0.7), (6, "a", 0.6), (1, "b", 0.1)] {
            scores.add(score(at, scorer, low));
        }
        let low = |there: &str, scorer: &str| {
            let route = RouteKey::new("p", Some(Name::from(there)));
            scores
                .of(&route, &Name::from(scorer))
                .map(|score| score.low)
        };
        assert_eq!(low("t", "a"), Some(0.7));
        assert_eq!(low("t", "b"), Some(0.1));
        assert_eq!(low("t", "c"), None);
        assert_eq!(low("u", "a"), None);
    }
}
