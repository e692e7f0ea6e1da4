//! Draws scores against durations and against costs.

use super::Scores;
use super::route::Route;
use crate::analysis::paper::{Chart, Plot, Point, Unit};
use crate::statistics::interval::Estimate;

/// A value with its interval.
pub type Ends = (f64, Option<(f64, f64)>);

/// A route on a chart.
#[derive(Debug, Clone, PartialEq)]
pub struct Placed {
    /// What it is called.
    pub name: String,
    /// Its score.
    pub score: Estimate,
    /// Its median duration, in nanoseconds.
    pub duration: Option<Ends>,
    /// The mean cost of a request, US dollars.
    pub cost: Option<f64>,
}

/// Two charts for each scorer.
pub(super) fn charts(scores: &Scores, routes: &[Route<'_>]) -> Vec<Chart> {
    let each = scores.scorers.iter().enumerate();
    let both = each.flat_map(|(scorer, name)| {
        let placed = |route: &Route<'_>| {
            Some(Placed {
                name: route.name(),
                score: route.score(scorer)?,
                duration: route.durations().middle(),
                cost: route.cost().map(|(each, _)| each),
            })
        };
        charts_of(name, &routes.iter().filter_map(placed).collect::<Vec<_>>())
    });
    both.collect()
}

/// The two charts of a scorer, of those routes of which both sides are known.
#[must_use]
pub fn charts_of(scorer: &str, routes: &[Placed]) -> Vec<Chart> {
    let duration = chart(
        format!("Score against duration ({scorer})"),
        ("duration, p50", Unit::Span),
        routes,
        |route| route.duration,
    );
    let cost = chart(
        format!("Score against cost ({scorer})"),
        ("cost of 1,000 requests", Unit::Dollars),
        routes,
        // A mean of costs, which have no law that an interval could come of.
        |route| Some((route.cost? * 1e3, None)),
    );
    duration.into_iter().chain(cost).collect()
}

fn chart(
    title: String,
    (x_name, x_unit): (&str, Unit),
    routes: &[Placed],
    x: impl Fn(&Placed) -> Option<Ends>,
) -> Option<Chart> {
    let known: Vec<(String, Ends, Ends)> = routes
        .iter()
        .filter_map(|route| {
            let score = route.score;
            let ends = (score.interval.low, score.interval.high);
            Some((route.name.clone(), x(route)?, (score.value, Some(ends))))
        })
        .collect();
    let is_best = |x: f64, y: f64| {
        !known.iter().any(|(_, (other_x, _), (other_y, _))| {
            *other_x <= x && *other_y >= y && (*other_x < x || *other_y > y)
        })
    };
    let points: Vec<Point> = known
        .iter()
        .map(|(name, x, y)| Point {
            name: name.clone(),
            x: x.0,
            x_ends: x.1,
            y: y.0,
            y_ends: y.1,
            best: is_best(x.0, y.0),
        })
        .collect();
    (!points.is_empty()).then(|| Chart {
        title,
        unit: Unit::Number,
        plot: Plot::Scatter {
            points,
            x_unit,
            x_name: x_name.to_owned(),
            y_name: "score".to_owned(),
        },
        note: "Left and up is better. The line joins those that no other beats in both, as they \
               were seen. Bars are 95 % intervals."
            .to_owned(),
    })
}
