//! Draws scores against durations and against costs.

use super::Scores;
use super::route::Route;
use crate::analysis::paper::{Chart, Plot, Point, Unit};

/// A value with its interval.
type Ends = (f64, Option<(f64, f64)>);

/// Two charts for each scorer.
pub(super) fn charts(scores: &Scores, routes: &[Route<'_>]) -> Vec<Chart> {
    let each = scores.scorers.iter().enumerate();
    let both = each.flat_map(|(scorer, name)| {
        let duration = chart(
            format!("Score against duration ({name})"),
            ("duration, p50", Unit::Span),
            scorer,
            routes,
            |route| route.durations().middle(),
        );
        let cost = chart(
            format!("Score against cost ({name})"),
            ("cost of 1,000 requests", Unit::Dollars),
            scorer,
            routes,
            // A mean of costs, which have no law that an interval could come of.
            |route| Some((route.cost()?.0 * 1e3, None)),
        );
        [duration, cost]
    });
    both.flatten().collect()
}

fn chart(
    title: String,
    (x_name, x_unit): (&str, Unit),
    scorer: usize,
    routes: &[Route<'_>],
    x: impl Fn(&Route<'_>) -> Option<Ends>,
) -> Option<Chart> {
    let known: Vec<(String, Ends, Ends)> = routes
        .iter()
        .filter_map(|route| {
            let score = route.score(scorer)?;
            let ends = (score.interval.low, score.interval.high);
            Some((route.name(), x(route)?, (score.value, Some(ends))))
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
