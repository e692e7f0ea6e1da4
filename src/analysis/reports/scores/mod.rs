//! The report `eval`: what answers were worth at each route, beside what they took and cost.

use super::Paper;
use super::figures::nothing;
use crate::analysis::paper::Head;
use crate::analysis::scoring::Scored;

mod route;

mod sheets;

mod pairs;

mod picture;

pub mod kept;

pub use picture::{Ends, Placed, charts_of};
pub use route::{Standing, standings};

/// One question that a route was asked.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    /// The model, as it was asked for.
    pub model: String,
    /// The provider.
    pub provider: String,
    /// Which item of the data set.
    pub item: usize,
    /// The item's value of each metadata field that groups.
    pub groups: Vec<String>,
    /// What the answer is worth at each scorer; empty where there was none.
    pub scores: Vec<Scored>,
    /// The time to its last token in nanoseconds, infinite for a failure, where it is known.
    pub duration: Option<f64>,
    /// US dollars, where they are known.
    pub cost: Option<f64>,
}

/// What was asked, and who scored.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Scores {
    /// Names of the scorers.
    pub scorers: Vec<String>,
    /// Names of the metadata fields that group.
    pub groups: Vec<String>,
    /// Every question.
    pub asked: Vec<Asked>,
    /// What judges were asked and what it cost, US dollars.
    pub judges: (u64, f64),
}

/// A difference of scores below which nobody cares.
pub const MARGIN: f64 = 0.02;

const METHOD: &str = "A score is the mean over items of the mean over an item's trials, so that \
    trials of one item, which are alike, count as one. Its interval is Wilson's, 95 %, for as many \
    items as the spread of the items' means is worth (Korn and Graubard 1998), as are those of \
    shares. An answer in which there is nothing to score counts as 0; a failed scorer and a failed \
    request are in no score. Differences are of the same items at both routes, with the same \
    interval on the scale of the difference; p-values are exact McNemar's where scores are 0 or 1 \
    and Wilcoxon's signed ranks elsewhere, by Holm over all pairs of a scorer. Durations are to the \
    last token, with the exact binomial interval of two order statistics, widened for trials of \
    one item; failures count as infinitely long.";

/// The report over `scores`.
#[must_use]
pub fn paper(scores: &Scores, head: Head) -> Paper {
    let head = Head {
        method: METHOD,
        ..head
    };
    if scores.asked.is_empty() {
        return nothing(
            "eval",
            "Evaluation",
            head,
            "Nothing was asked: nothing can be said.",
        );
    }
    let routes = route::routes(scores);
    let pairs = pairs::pairs(scores, &routes);
    let mut notes = vec![
        "Scores are means of 0 to 1. A difference under 0.02 is taken for none; whether intervals \
         overlap is never asked."
            .to_owned(),
    ];
    if scores.judges.0 > 0 {
        notes.push(format!(
            "Judges were asked {} times, for ${:.4}: that is in no route's cost.",
            scores.judges.0, scores.judges.1
        ));
    }
    Paper {
        name: "eval",
        version: 1,
        title: "Evaluation".to_owned(),
        findings: pairs::findings(scores, &routes, &pairs),
        head,
        sheets: sheets::sheets(scores, &routes, &pairs),
        charts: picture::charts(scores, &routes),
        notes,
    }
}

#[cfg(test)]
mod tests;
