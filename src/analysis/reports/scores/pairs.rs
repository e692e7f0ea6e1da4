//! Compares routes two by two, on the items that both have answered.

use super::route::Route;
use super::{MARGIN, Scores};
use crate::analysis::paper::Unit;
use crate::analysis::render::paper::number;
use crate::statistics::compare::{Verdict, decide, holm, sign_p, wilcoxon_p};
use crate::statistics::interval::{ALPHA, Estimate, bounded_difference};

/// Two routes at a scorer.
pub(super) struct Pair {
    pub(super) scorer: usize,
    /// Their places among the routes.
    pub(super) routes: [usize; 2],
    /// Items that both have scores of.
    pub(super) items: usize,
    /// Items at which the first is better, and at which it is worse.
    pub(super) wins: [u64; 2],
    /// The first less the second.
    pub(super) difference: Estimate,
    /// Corrected over the pairs of the scorer.
    pub(super) p_value: f64,
    pub(super) verdict: Verdict,
}

/// Every pair at every scorer; pairs without an item in common are none.
pub(super) fn pairs(scores: &Scores, routes: &[Route<'_>]) -> Vec<Pair> {
    let scorers = 0..scores.scorers.len();
    scorers
        .flat_map(|scorer| at_scorer(scorer, routes))
        .collect()
}

fn at_scorer(scorer: usize, routes: &[Route<'_>]) -> Vec<Pair> {
    let items: Vec<_> = routes.iter().map(|route| route.items(scorer)).collect();
    let mut pairs = Vec::new();
    for (second, theirs) in items.iter().enumerate() {
        for (first, own) in items[..second].iter().enumerate() {
            let both = own
                .iter()
                .filter_map(|(item, score)| Some((*score, *theirs.get(item)?)));
            pairs.extend(pair(scorer, [first, second], &both.collect::<Vec<_>>()));
        }
    }
    let plain: Vec<f64> = pairs.iter().map(|pair| pair.p_value).collect();
    for (pair, p_value) in pairs.iter_mut().zip(holm(&plain)) {
        pair.p_value = p_value;
    }
    pairs
}

fn pair(scorer: usize, routes: [usize; 2], both: &[(f64, f64)]) -> Option<Pair> {
    let differences: Vec<f64> = both.iter().map(|(own, theirs)| own - theirs).collect();
    let difference = bounded_difference(&differences, ALPHA)?;
    let is_binary = both
        .iter()
        .all(|(own, theirs)| [own, theirs].iter().all(|score| is_whole(**score)));
    let p_value = if is_binary {
        // Of zeros and ones the sign test is McNemar's exact one.
        sign_p(&differences)
    } else {
        wilcoxon_p(&differences)
    };
    let count = |is: fn(f64) -> bool| differences.iter().filter(|apart| is(**apart)).count() as u64;
    Some(Pair {
        scorer,
        routes,
        items: both.len(),
        wins: [count(|apart| apart > 0.0), count(|apart| apart < 0.0)],
        difference,
        p_value: p_value.unwrap_or(1.0),
        verdict: decide(&difference, MARGIN, both.len()),
    })
}

/// Whether a score is all or nothing.
fn is_whole(score: f64) -> bool {
    score.to_bits() == 0.0_f64.to_bits() || score.to_bits() == 1.0_f64.to_bits()
}

/// Who leads at each scorer, where that can be said.
pub(super) fn findings(scores: &Scores, routes: &[Route<'_>], pairs: &[Pair]) -> Vec<String> {
    let each = scores.scorers.iter().enumerate();
    each.map(|(scorer, name)| finding(scorer, name, routes, pairs))
        .collect()
}

fn finding(scorer: usize, name: &str, routes: &[Route<'_>], pairs: &[Pair]) -> String {
    let mut ranked: Vec<(usize, Estimate)> = routes
        .iter()
        .enumerate()
        .filter_map(|(place, route)| Some((place, route.score(scorer)?)))
        .collect();
    ranked.sort_by(|a, b| b.1.value.total_cmp(&a.1.value));
    let said = |of: &Estimate| {
        let [value, low, high] = [of.value, of.interval.low, of.interval.high];
        let [value, low, high] = [value, low, high].map(|value| number(value, Unit::Number));
        format!("{value} [{low}, {high}]")
    };
    let Some((best, score)) = ranked.first() else {
        return format!("{name}: no answer has a score.");
    };
    let leader = routes[*best].name();
    let Some((next, _)) = ranked.get(1) else {
        return format!("{name}: {leader} has {}.", said(score));
    };
    let of_both = |pair: &&Pair| {
        pair.scorer == scorer && pair.routes.contains(best) && pair.routes.contains(next)
    };
    let next = routes[*next].name();
    match pairs.iter().find(of_both) {
        Some(pair) if pair.p_value < ALPHA => format!(
            "{name}: {leader} leads with {}; {next} is next, {} lower on {} items in common \
             (p = {:.3}).",
            said(score),
            number(pair.difference.value.abs(), Unit::Number),
            pair.items,
            pair.p_value
        ),
        Some(pair) => format!(
            "{name}: {leader} has the highest score, {}, but {next} cannot be told from it on {} \
             items in common (p = {:.2}).",
            said(score),
            pair.items,
            pair.p_value
        ),
        None => format!(
            "{name}: {leader} has {}; no item is shared with {next}.",
            said(score)
        ),
    }
}
