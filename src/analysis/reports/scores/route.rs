//! Puts the questions of one route together, item by item.

use std::collections::BTreeMap;

use super::{Asked, Scores};
use crate::analysis::reports::figures::{Numbers, mean};
use crate::analysis::scoring::Scored;
use crate::statistics::interval::{ALPHA, Estimate, bounded_mean};

/// A route with its questions.
pub(super) struct Route<'a> {
    pub(super) model: &'a str,
    pub(super) provider: &'a str,
    pub(super) asked: Vec<&'a Asked>,
}

/// The routes in the order in which they were first asked by name.
pub(super) fn routes(scores: &Scores) -> Vec<Route<'_>> {
    let mut routes: BTreeMap<(&str, &str), Vec<&Asked>> = BTreeMap::new();
    for asked in &scores.asked {
        let key = (asked.model.as_str(), asked.provider.as_str());
        routes.entry(key).or_default().push(asked);
    }
    let routes = routes.into_iter().map(|((model, provider), asked)| Route {
        model,
        provider,
        asked,
    });
    routes.collect()
}

/// The size that a model's name tells: `8b` of `llama-3.1-8b-instant`.
pub(super) fn size_of(model: &str) -> Option<String> {
    let lower = model.to_ascii_lowercase();
    let mut words = lower.split(|c: char| !c.is_ascii_alphanumeric() && c != '.');
    let size = words.find(|word| {
        word.strip_suffix('b').is_some_and(|number| {
            number.starts_with(|c: char| c.is_ascii_digit())
                && number
                    .chars()
                    .all(|c| c.is_ascii_digit() || matches!(c, '.' | 'x'))
        })
    });
    size.map(str::to_owned)
}

impl Route<'_> {
    pub(super) fn name(&self) -> String {
        format!("{} at {}", self.model, self.provider)
    }

    /// The size that the model's name tells.
    pub(super) fn size(&self) -> Option<String> {
        size_of(self.model)
    }

    /// The mean score of each item at a scorer, over those of its trials that have one.
    pub(super) fn items(&self, scorer: usize) -> BTreeMap<usize, f64> {
        self.means(|asked| match asked.scores.get(scorer)? {
            Scored::Score(score) => Some(*score),
            Scored::Nothing(_) => Some(0.0),
            Scored::Failed(_) => None,
        })
    }

    /// The mean over items of the share of trials that are so, of those of which it is known.
    pub(super) fn share(&self, is: impl Fn(&Asked) -> Option<bool>) -> Option<Estimate> {
        let means = self.means(|asked| is(asked).map(|is| f64::from(u8::from(is))));
        bounded_mean(&means.into_values().collect::<Vec<_>>(), ALPHA)
    }

    fn means(&self, of: impl Fn(&Asked) -> Option<f64>) -> BTreeMap<usize, f64> {
        let mut sums: BTreeMap<usize, (f64, f64)> = BTreeMap::new();
        for asked in &self.asked {
            if let Some(value) = of(asked) {
                let sum = sums.entry(asked.item).or_default();
                *sum = (sum.0 + value, sum.1 + 1.0);
            }
        }
        let means = sums
            .into_iter()
            .map(|(item, (sum, count))| (item, sum / count));
        means.collect()
    }

    /// The score at a scorer.
    pub(super) fn score(&self, scorer: usize) -> Option<Estimate> {
        bounded_mean(&self.items(scorer).into_values().collect::<Vec<_>>(), ALPHA)
    }

    pub(super) fn durations(&self) -> Numbers {
        let of = |asked: &&Asked| Some((asked.duration?, asked.item as u64));
        Numbers::clustered(self.asked.iter().filter_map(of).collect())
    }

    /// The mean cost, and of how many it is.
    pub(super) fn cost(&self) -> Option<(f64, u64)> {
        mean(self.asked.iter().filter_map(|asked| asked.cost))
    }
}

/// How a route stands at a scorer: what routing is told.
#[derive(Debug, Clone, PartialEq)]
pub struct Standing {
    /// The model, as it was asked for.
    pub model: String,
    /// The provider.
    pub provider: String,
    /// The scorer.
    pub scorer: String,
    /// The score with its interval.
    pub score: Estimate,
    /// Items that it is of.
    pub items: u64,
    /// The place of each of them, rising, and what it is worth.
    pub means: Vec<(u32, f64)>,
}

/// How each route stands at each scorer that has said anything of it.
#[must_use]
pub fn standings(scores: &Scores) -> Vec<Standing> {
    let of_route = |route: Route<'_>| {
        let each = scores.scorers.iter().enumerate();
        let standings = each.filter_map(|(place, scorer)| {
            let items = route.items(place);
            Some(Standing {
                model: route.model.to_owned(),
                provider: route.provider.to_owned(),
                scorer: scorer.clone(),
                score: route.score(place)?,
                items: items.len() as u64,
                means: items
                    .into_iter()
                    .map(|(item, mean)| (item as u32, mean))
                    .collect(),
            })
        });
        standings.collect::<Vec<_>>()
    };
    routes(scores).into_iter().flat_map(of_route).collect()
}
