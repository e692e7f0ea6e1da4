//! Compares routes two by two, on the items that both have answered.

use super::route::Route;
use super::{MARGIN, Scores};
use crate::analysis::paper::{Cell, Column, Unit};
use crate::analysis::render::paper::number;
use crate::analysis::render::units;
use crate::analysis::reports::figures::verdict;
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
    /// Corrected over the pairs of the scorer; absent where they are not of the same items.
    pub(super) p_value: Option<f64>,
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
            pairs.extend(of_items(scorer, [first, second], &both.collect::<Vec<_>>()));
        }
    }
    holm_within(&mut pairs);
    pairs
}

/// Corrects p-values for how many they are.
pub(super) fn holm_within(pairs: &mut [Pair]) {
    let plain: Vec<f64> = pairs.iter().filter_map(|pair| pair.p_value).collect();
    let known = pairs.iter_mut().filter_map(|pair| pair.p_value.as_mut());
    for (p_value, corrected) in known.zip(holm(&plain)) {
        *p_value = corrected;
    }
}

/// Two routes by two independent scores, each with its interval, of `items` at least.
pub(super) fn of_intervals(
    scorer: usize,
    routes: [usize; 2],
    first: &Estimate,
    second: &Estimate,
    items: usize,
) -> Pair {
    let difference = first.less(second);
    Pair {
        scorer,
        routes,
        items,
        wins: [0, 0],
        difference,
        p_value: None,
        verdict: decide(&difference, MARGIN, items),
    }
}

/// Two routes by the scores of the items that both have; nothing without one.
pub(super) fn of_items(scorer: usize, routes: [usize; 2], both: &[(f64, f64)]) -> Option<Pair> {
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
        p_value: Some(p_value.unwrap_or(1.0)),
        verdict: decide(&difference, MARGIN, both.len()),
    })
}

/// Whether a score is all or nothing.
fn is_whole(score: f64) -> bool {
    score.to_bits() == 0.0_f64.to_bits() || score.to_bits() == 1.0_f64.to_bits()
}

/// Who leads at each scorer, where that can be said.
pub(super) fn findings(scores: &Scores, routes: &[Route<'_>], pairs: &[Pair]) -> Vec<String> {
    let names: Vec<String> = routes.iter().map(Route::name).collect();
    let each = scores.scorers.iter().enumerate();
    each.map(|(scorer, name)| {
        let ranked = routes.iter().enumerate();
        let ranked = ranked.filter_map(|(place, route)| Some((place, route.score(scorer)?)));
        let own: Vec<&Pair> = pairs.iter().filter(|pair| pair.scorer == scorer).collect();
        finding(name, ranked.collect(), &names, &own)
    })
    .collect()
}

/// Who leads at a scorer, by the places and scores of routes with these names, and their pairs.
pub(super) fn finding(
    name: &str,
    mut ranked: Vec<(usize, Estimate)>,
    names: &[String],
    pairs: &[&Pair],
) -> String {
    ranked.sort_by(|a, b| b.1.value.total_cmp(&a.1.value));
    let said = |of: &Estimate| {
        let [value, low, high] = [of.value, of.interval.low, of.interval.high];
        let [value, low, high] = [value, low, high].map(|value| number(value, Unit::Number));
        format!("{value} [{low}, {high}]")
    };
    let Some((best, score)) = ranked.first() else {
        return format!("{name}: no answer has a score.");
    };
    let leader = &names[*best];
    let Some((next, _)) = ranked.get(1) else {
        return format!("{name}: {leader} has {}.", said(score));
    };
    let of_both = |pair: &&&Pair| pair.routes.contains(best) && pair.routes.contains(next);
    let next = &names[*next];
    let Some(pair) = pairs.iter().find(of_both) else {
        return format!(
            "{name}: {leader} has {}; no item is shared with {next}.",
            said(score)
        );
    };
    match pair.p_value {
        Some(p_value) if p_value < ALPHA => format!(
            "{name}: {leader} leads with {}; {next} is next, {} lower on {} items in common \
             ({}).",
            said(score),
            number(pair.difference.value.abs(), Unit::Number),
            pair.items,
            units::p_value(p_value)
        ),
        Some(p_value) => format!(
            "{name}: {leader} has the highest score, {}, but {next} cannot be told from it on {} \
             items in common ({}).",
            said(score),
            pair.items,
            units::p_value(p_value)
        ),
        None if !pair.difference.interval.contains(0.0) => format!(
            "{name}: {leader} leads with {}; {next} is next, {} lower, each on its own items.",
            said(score),
            number(pair.difference.value.abs(), Unit::Number)
        ),
        None => format!(
            "{name}: {leader} has the highest score, {}, but {next} cannot be told from it, each \
             on its own items.",
            said(score)
        ),
    }
}

/// Columns of a table of pairs; `mixed` where they are of several data sets, and some may not be of
/// the same items.
pub(super) fn pair_columns(mixed: bool) -> Vec<Column> {
    let mut columns = vec![
        Column::words("scorer", "scorer"),
        Column::words("first", "first"),
        Column::words("second", "second"),
        Column::new("difference", "first − second", Unit::More),
        Column::new("better", "first better", Unit::Count),
        Column::new("worse", "first worse", Unit::Count),
        Column::new("p_value", "p (Holm)", Unit::Number),
        Column::remark("verdict", "verdict"),
    ];
    if mixed {
        columns.insert(1, Column::words("data_set", "data set"));
        columns.push(Column::remark("basis", "on"));
    }
    columns
}

/// The row of a pair of routes with these names; with its data set where the table is mixed.
pub(super) fn pair_row(
    scorer: &str,
    set: Option<Cell>,
    names: [String; 2],
    pair: &Pair,
) -> Vec<Cell> {
    let [first, second] = names.map(Cell::text);
    let [better, worse] = pair.wins.map(|count| match pair.p_value {
        Some(_) => Cell::count(count),
        None => Cell::absent("not the same items"),
    });
    let mut row = vec![
        Cell::text(scorer),
        first,
        second,
        Cell::quantile(&pair.difference, pair.items as u64),
        better,
        worse,
        Cell::maybe(pair.p_value, "not the same items"),
        Cell::text(verdict(&pair.verdict)),
    ];
    if let Some(set) = set {
        row.insert(1, set);
        row.push(Cell::text(match pair.p_value {
            Some(_) => "the same items",
            None => "its own items each",
        }));
    }
    row
}
