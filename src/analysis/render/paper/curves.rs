//! Draws whole distributions with their bands, over a scale of logarithms.

use std::fmt::Write as _;

use super::drawing::{BOTTOM, Drawn, HEIGHT, LEFT, LOOKS, RIGHT, TOP, escaped, legend};
use super::words::number;
use crate::analysis::paper::{Curve, Step, Unit};
use crate::analysis::render::units::percent_of;

/// Numbers that the scale may name in each power of ten.
const NAMED: [f64; 3] = [1.0, 2.0, 5.0];

/// The curves, with as much of the scale as they need.
pub(super) fn curves(curves: &[Curve], unit: Unit) -> Drawn {
    let all = || curves.iter().flat_map(|curve| &curve.steps);
    let least = all().map(|step| step.at).fold(f64::INFINITY, f64::min);
    let most = all().map(|step| step.at).fold(0.0, f64::max);
    let (least, most) = (least.max(1.0), most.max(least.max(1.0) * 1.5));
    let scale = |value: f64| {
        let share = (value.max(least) / least).ln() / (most / least).ln();
        LEFT + share * (RIGHT - LEFT)
    };
    let height = |share: f64| BOTTOM - share * (BOTTOM - TOP);
    let mut svg = String::new();
    for share in [0.0, 0.25, 0.5, 0.75, 0.95, 1.0] {
        let y = height(share);
        let _ = write!(
            svg,
            "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{RIGHT}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>\
             <text class=\"tick\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{:.0} %</text>",
            LEFT - 8.0,
            y + 4.0,
            share * 100.0
        );
    }
    for tick in ticks(least, most) {
        let x = scale(tick);
        let _ = write!(
            svg,
            "<line class=\"grid\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{TOP}\" y2=\"{BOTTOM}\"/>\
             <text class=\"tick\" x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
            BOTTOM + 18.0,
            number(tick, unit)
        );
    }
    for (index, curve) in curves.iter().enumerate() {
        let look = index % LOOKS;
        let path = |of: fn(&Step) -> f64| -> Vec<String> {
            let point = |step: &Step| format!("{:.1},{:.1}", scale(step.at), height(of(step)));
            curve.steps.iter().map(point).collect()
        };
        let mut band = path(|step| step.high);
        band.extend(path(|step| step.low).into_iter().rev());
        let _ = write!(
            svg,
            "<polygon class=\"band look{look}\" points=\"{}\"/>\
             <polyline class=\"line look{look}\" points=\"{}\"/>",
            band.join(" "),
            path(|step| step.share).join(" ")
        );
        // Every eighth point can be pointed at: closer ones would hide each other.
        for step in curve.steps.iter().step_by(8) {
            let _ = write!(
                svg,
                "<circle class=\"point look{look}\" cx=\"{:.1}\" cy=\"{:.1}\" r=\"3\"><title>{}: \
                 {} [{}, {}] by {}</title></circle>",
                scale(step.at),
                height(step.share),
                escaped(&curve.name),
                percent_of(step.share),
                percent_of(step.low),
                percent_of(step.high),
                number(step.at, unit)
            );
        }
    }
    (
        HEIGHT,
        svg,
        legend(curves.iter().map(|curve| curve.name.as_str())),
    )
}

/// Round numbers between the ends, fewer where the scale spans many powers of ten.
fn ticks(least: f64, most: f64) -> Vec<f64> {
    let (from, to) = (least.log10().floor() as i32, most.log10().ceil() as i32);
    let named: &[f64] = if to - from > 3 { &NAMED[..1] } else { &NAMED };
    (from..=to)
        .flat_map(|power| named.iter().map(move |n| n * 10_f64.powi(power)))
        .filter(|tick| (least..=most).contains(tick))
        .collect()
}
