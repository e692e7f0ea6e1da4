//! Holds what an evaluation found of a route: its score at a scorer, and how sure that is.

use super::units::{Name, WallTime};

/// A route's score at a scorer, of one run.
#[derive(Debug, Clone, PartialEq)]
pub struct RouteScore {
    /// The run.
    pub run: Name,
    /// When the run ended.
    pub at: WallTime,
    /// The model, as it was asked for.
    pub model: Name,
    /// The provider.
    pub provider: Name,
    /// The model's name there.
    pub there: Name,
    /// The scorer.
    pub scorer: Name,
    /// The score, 0 to 1.
    pub value: f64,
    /// The lower end of its interval, 95 %.
    pub low: f64,
    /// The upper end.
    pub high: f64,
    /// Items of the data set that it is of.
    pub items: u32,
    /// What each item was worth, where that is known.
    pub each: Option<ItemMeans>,
}

/// What each item of a data set was worth at a route: on these two routes are compared.
#[derive(Debug, Clone, PartialEq)]
pub struct ItemMeans {
    /// By which the data set is recognised: the beginning of its digest.
    pub set: Name,
    /// The place of each item that has a score, rising, and the mean of its trials.
    pub means: Vec<(u32, f64)>,
}

impl RouteScore {
    /// This score and another of every item that both have; nothing where the data sets are not
    /// known to be the same.
    #[must_use]
    pub fn common(&self, other: &Self) -> Option<Vec<(f64, f64)>> {
        let (own, theirs) = (self.each.as_ref()?, other.each.as_ref()?);
        let both = own.means.iter().filter_map(|(item, mean)| {
            let place = theirs.means.binary_search_by_key(item, |of| of.0).ok()?;
            Some((*mean, theirs.means[place].1))
        });
        (own.set == theirs.set).then(|| both.collect())
    }
}
