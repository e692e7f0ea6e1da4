//! Draws how long the gaps between the tokens of one stream were.

use std::fmt::Write as _;

use maud::{Markup, html};

use crate::analysis::render::units::{span, thousands};
use crate::record::Gaps;
use crate::statistics::sketch::value_of;

/// Bars at most: neighbouring bins share one.
const BARS_MAX: usize = 40;

/// The histogram of `gaps`: logarithmic, as their sketch is.
pub(in crate::ui) fn gaps(gaps: &Gaps) -> Markup {
    let bins = &gaps.sketch.bins;
    let (Some((low, _)), Some((high, _))) = (bins.first(), bins.last()) else {
        return html! { p.empty { "No gap between tokens: they came in one read, or there was one." } };
    };
    let all = (high - low + 1).max(1) as usize;
    let each = all.div_ceil(BARS_MAX);
    let mut counts = vec![0_u64; all.div_ceil(each)];
    for (bin, count) in bins {
        counts[(bin - low) as usize / each] += count;
    }
    let most = counts.iter().copied().max().unwrap_or(1).max(1);
    let width = 1000.0 / counts.len() as f64;
    let mut path = String::new();
    for (at, count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
        let height = *count as f64 / most as f64 * 96.0;
        let _ = write!(
            path,
            "M{:.1} 100v{:.1}h{:.1}v{height:.1}Z",
            at as f64 * width + width * 0.05,
            -height,
            width * 0.9
        );
    }
    let (shortest, longest) = (span(value_of(*low) as f64), span(value_of(*high) as f64));
    html! {
        figure.chart.gaps {
            figcaption { span.chart-title { "Gaps between tokens" } }
            svg role="img" viewBox="0 0 1000 100" preserveAspectRatio="none"
                aria-label=(format!("gaps from {shortest} to {longest}, the most in one bar {most}")) {
                path.grid d="M0 100H1000" {}
                path.bar.s0 d=(path) {}
            }
            div.x-labels { span { (shortest) } span { (longest) } }
            p.note {
                (thousands(u64::from(gaps.token_events))) " token events in "
                (thousands(u64::from(gaps.token_reads))) " reads, longest gap "
                (span(gaps.longest.0 as f64)) ", " (gaps.stalls) " stalls; bars by length, "
                "logarithmic, the tallest " (thousands(most))
            }
        }
    }
}
