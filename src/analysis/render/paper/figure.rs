//! Puts a chart together: its title, its drawing, how to read it, and its numbers.

use super::curves::curves;
use super::drawing::{Drawn, WIDTH, escaped, forest, heat_map, line_chart, scatter};
use super::numbers::table;
use crate::analysis::paper::{Chart, Plot};

/// The drawing of a chart alone.
pub(super) fn drawn(chart: &Chart) -> Drawn {
    match &chart.plot {
        Plot::Forest { bars, zero } => forest(bars, *zero, chart.unit),
        Plot::Lines {
            lines,
            labels,
            x,
            marks,
        } => line_chart(lines, labels, *x, marks, chart.unit),
        Plot::Curves(list) => curves(list, chart.unit),
        Plot::Heat(heat) => heat_map(heat, chart.unit),
        Plot::Scatter {
            points,
            x_unit,
            x_name,
            y_name,
        } => scatter(points, *x_unit, (x_name, y_name), chart.unit),
    }
}

/// The chart with its title and note.
pub(super) fn figure(chart: &Chart) -> String {
    let (height, inside, legend) = drawn(chart);
    format!(
        "<figure class=\"chart\"><figcaption>{title}</figcaption>{legend}<div class=\"across\" tabindex=\"0\"><svg viewBox=\"0 0 {WIDTH} \
         {height:.0}\" role=\"img\" aria-label=\"{title}\">{inside}</svg></div><p class=\"note\">{}</p>{}</figure>",
        escaped(&chart.note),
        table(chart),
        title = escaped(&chart.title),
    )
}
