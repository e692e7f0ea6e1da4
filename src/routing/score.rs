//! Knows what evaluations found of routes, and the score that a model's routes must reach.

use std::collections::HashMap;

use crate::record::{ItemMeans, Name, RouteScore};

use super::route::RouteKey;

/// The score that a route must be shown to reach.
#[derive(Debug, Clone, PartialEq)]
pub struct MinScore {
    /// The scorer that is asked.
    pub scorer: Name,
    /// The beginning of the data set's digest; any data set counts where absent.
    pub data_set: Option<Name>,
    /// What the lower end of the score's interval (95 %) must reach: a route is let through when it
    /// is shown to be good enough, not when a few answers happened to be.
    pub at_least: f64,
    /// Whether a route that nobody has scored passes.
    pub unknown_passes: bool,
}

/// The newest score of each route at each scorer and data set.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Scores(HashMap<RouteKey, Vec<RouteScore>>);

/// Scores that are known of a route, at most.
const KEPT_MAX: usize = 64;

impl Scores {
    /// Takes in a score; of two runs of one data set the newer counts, and of very many data sets
    /// the newer ones: a file that grows is another one each time.
    pub fn add(&mut self, score: RouteScore) {
        // Routing goes by the whole: what each item was worth need not stay in memory.
        let each = score.each.map(|of| ItemMeans {
            means: Vec::new(),
            ..of
        });
        let score = RouteScore { each, ..score };
        let key = RouteKey::new(score.provider.clone(), Some(score.there.clone()));
        let of_route = self.0.entry(key).or_default();
        match of_route
            .iter_mut()
            .find(|known| known.scorer == score.scorer && set(known) == set(&score))
        {
            Some(known) if known.at <= score.at => *known = score,
            Some(_) => {}
            None => of_route.push(score),
        }
        if of_route.len() > KEPT_MAX {
            let oldest = (0..of_route.len()).min_by_key(|place| of_route[*place].at);
            oldest.map(|place| of_route.remove(place));
        }
    }

    /// What is known of a route by the scorer and the data set that are asked.
    #[must_use]
    pub fn of(&self, route: &RouteKey, asked: &MinScore) -> Option<&RouteScore> {
        let fits = |known: &&RouteScore| {
            known.scorer == asked.scorer
                && asked.data_set.as_ref().is_none_or(|wanted| {
                    set(known).is_some_and(|set| set.starts_with(wanted.as_str()))
                })
        };
        self.newest(route, fits)
    }

    /// What is known of a route that `other` can be held against: by the same scorer, of the same
    /// data set.
    #[must_use]
    pub fn like(&self, route: &RouteKey, other: &RouteScore) -> Option<&RouteScore> {
        self.newest(route, |known| {
            known.scorer == other.scorer && set(known) == set(other)
        })
    }

    fn newest(&self, route: &RouteKey, fits: impl Fn(&&RouteScore) -> bool) -> Option<&RouteScore> {
        let known = self.0.get(route)?.iter();
        known.filter(fits).max_by_key(|score| score.at)
    }
}

/// By what the data set of a score is recognised, where it says that.
fn set(score: &RouteScore) -> Option<&str> {
    score.each.as_ref().map(|each| each.set.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::WallTime;

    fn score(at: i64, scorer: &str, set: Option<&str>, low: f64) -> RouteScore {
        RouteScore {
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
            each: set.map(|set| ItemMeans {
                set: Name::from(set),
                means: vec![(0, 1.0)],
            }),
        }
    }

    fn route(there: &str) -> RouteKey {
        RouteKey::new("p", Some(Name::from(there)))
    }

    #[test]
    fn of_two_runs_the_newer_counts_and_each_data_set_has_its_own() {
        let mut scores = Scores::default();
        for (at, scorer, set, low) in [
            (5, "a", Some("feed01"), 0.5),
            (7, "a", Some("feed01"), 0.7),
            (6, "a", Some("feed01"), 0.6),
            (8, "a", Some("beef02"), 0.2),
            (1, "b", None, 0.1),
        ] {
            scores.add(score(at, scorer, set, low));
        }
        for (there, scorer, data_set, expected) in [
            ("t", "a", None, Some(0.2)),
            ("t", "a", Some("feed"), Some(0.7)),
            ("t", "a", Some("feed01"), Some(0.7)),
            ("t", "a", Some("beef02"), Some(0.2)),
            ("t", "a", Some("feed012"), None),
            ("t", "b", None, Some(0.1)),
            ("t", "b", Some("feed"), None),
            ("t", "c", None, None),
            ("u", "a", None, None),
        ] {
            let asked = MinScore {
                scorer: Name::from(scorer),
                data_set: data_set.map(Name::from),
                at_least: 0.5,
                unknown_passes: false,
            };
            let found = scores.of(&route(there), &asked).map(|score| score.low);
            assert_eq!(found, expected, "{there} {scorer} {data_set:?}");
        }
    }

    #[test]
    fn scores_are_held_against_those_of_the_same_data_set() {
        let mut scores = Scores::default();
        scores.add(score(5, "a", Some("feed01"), 0.5));
        scores.add(score(8, "a", Some("beef02"), 0.2));
        for (set, expected) in [
            (Some("feed01"), Some(0.5)),
            (Some("beef02"), Some(0.2)),
            (Some("cafe03"), None),
            (None, None),
        ] {
            let other = score(9, "a", set, 0.9);
            let found = scores.like(&route("t"), &other).map(|score| score.low);
            assert_eq!(found, expected, "{set:?}");
        }
    }

    #[test]
    fn of_very_many_data_sets_the_newer_ones_are_known() {
        let mut scores = Scores::default();
        let sets = KEPT_MAX as i64 + 10;
        for at in 0..sets {
            scores.add(score(at, "a", Some(&format!("set {at:03}")), 0.5));
        }
        let known = |at: i64| {
            let other = score(0, "a", Some(&format!("set {at:03}")), 0.5);
            scores.like(&route("t"), &other).is_some()
        };
        assert_eq!([0, 9, 10, sets - 1].map(known), [false, false, true, true]);
    }
}
