//! Draws charts of every kind, and looks at what came of them.

use std::io::Read as _;

use super::{exact, picture};
use crate::analysis::paper::{Band, Bar, Chart, Curve, Heat, Line, Mark, Plot, Point, Step, Unit};

fn chart(plot: Plot) -> Chart {
    Chart {
        title: "Time & <first> token".to_owned(),
        unit: Unit::Span,
        plot,
        note: "A note that is long enough to be wrapped. ".repeat(8),
    }
}

fn all() -> Vec<Chart> {
    let line = |name: &str, up: f64| Line {
        name: name.to_owned(),
        points: (0..4)
            .map(|n| (f64::from(n), Some(up + f64::from(n) * 1e6)))
            .collect(),
        band: (0..4)
            .map(|n| Band {
                x: f64::from(n),
                low: up,
                high: up + 5e6,
            })
            .collect(),
    };
    let step = |at: f64, share: f64| Step {
        at,
        share,
        low: share - 0.1,
        high: share + 0.1,
    };
    [
        Plot::Forest {
            bars: vec![
                Bar {
                    name: "router".to_owned(),
                    value: 30.5e6,
                    interval: Some((20e6, 41.25e6)),
                },
                Bar {
                    name: "other".to_owned(),
                    value: -3e6,
                    interval: None,
                },
            ],
            zero: 0.0,
        },
        Plot::Lines {
            lines: vec![line("one", 1e6), line("two", 9e6)],
            labels: ["a", "b", "c", "d"].map(str::to_owned).to_vec(),
            x: (0.0, 3.0),
            marks: vec![Mark {
                x: 1.5,
                what: "moved".to_owned(),
                note: true,
            }],
        },
        Plot::Heat(Heat {
            rows: vec!["m".to_owned()],
            columns: vec!["eu".to_owned(), "us".to_owned()],
            values: vec![vec![Some((5e6, Some((4e6, 6e6)))), None]],
        }),
        Plot::Curves(vec![Curve {
            name: "c".to_owned(),
            count: 9,
            steps: vec![step(1e6, 0.3), step(9e6, 0.9)],
        }]),
        Plot::Scatter {
            points: vec![Point {
                name: "p".to_owned(),
                x: 0.5,
                x_ends: Some((0.4, 0.6)),
                y: 4e6,
                y_ends: None,
                best: true,
            }],
            x_unit: Unit::Dollars,
            x_name: "cost".to_owned(),
            y_name: "first token".to_owned(),
        },
    ]
    .into_iter()
    .map(chart)
    .collect()
}

/// Width, height and dots of a PNG as it was written here.
fn decoded(png: &[u8]) -> (usize, usize, Vec<u8>) {
    let number = |at: usize| u32::from_be_bytes(png[at..at + 4].try_into().unwrap()) as usize;
    assert_eq!(&png[1..4], b"PNG");
    let (width, height, length) = (number(16), number(20), number(33));
    assert_eq!(&png[37..41], b"IDAT");
    let mut rows = Vec::new();
    let mut zlib = flate2::read::ZlibDecoder::new(&png[41..41 + length]);
    zlib.read_to_end(&mut rows).unwrap();
    assert_eq!(rows.len(), height * (1 + 3 * width));
    let mut dots = Vec::new();
    for row in rows.chunks(1 + 3 * width) {
        assert_eq!(row[0], 1);
        let mut before = [0_u8; 3];
        for dot in row[1..].chunks(3) {
            for (at, byte) in dot.iter().enumerate() {
                before[at] = before[at].wrapping_add(*byte);
                dots.push(before[at]);
            }
        }
    }
    (width, height, dots)
}

#[test]
fn every_kind_of_chart_becomes_a_drawing_and_dots() {
    for chart in all() {
        let picture = picture(&chart);
        let svg = picture.svg();
        assert!(
            svg.starts_with("<svg xmlns=") && svg.ends_with("</svg>\n"),
            "{svg}"
        );
        assert!(svg.contains("Time &amp; &lt;first&gt; token"), "{svg}");
        assert!(!svg.contains("NaN"), "{svg}");
        let (width, height, dots) = decoded(&picture.png());
        assert_eq!(width, 2 * (900 + 32), "{:?}", chart.plot);
        assert!(svg.contains(&format!("height=\"{:.0}\"", height as f64 / 2.0)) || height % 2 == 1);
        let (white, all) = (
            dots.iter()
                .map(|dot| usize::from(*dot == 255))
                .sum::<usize>(),
            dots.len(),
        );
        let ink = 1.0 - white as f64 / all as f64;
        assert!((0.005..0.5).contains(&ink), "{ink}: {:?}", chart.plot);
    }
}

#[test]
fn what_is_infinite_is_drawn_at_the_end_of_the_scale_with_its_reason() {
    let bar = |name: &str, value: f64| Bar {
        name: name.to_owned(),
        value,
        interval: None,
    };
    let chart = Chart {
        title: "t".to_owned(),
        unit: Unit::Span,
        plot: Plot::Forest {
            bars: vec![bar("a", 20e6), bar("b (24 of 30 failed)", f64::INFINITY)],
            zero: 0.0,
        },
        note: String::new(),
    };
    let picture = picture(&chart);
    let svg = picture.svg();
    assert!(
        svg.contains(">∞ (24 of 30 failed)<") && svg.contains(">b<"),
        "{svg}"
    );
    assert_eq!(svg.matches("class=\"whisker\"").count(), 3, "{svg}");
    assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    assert!(!picture.png().is_empty());
    let text = exact(&chart);
    assert!(text.contains("b (24 of 30 failed)  inf"), "{text}");
}

#[test]
fn the_text_has_every_digit() {
    let [forest, lines, heat, curves, scatter] = &all()[..] else {
        panic!("five kinds")
    };
    let told = |chart: &Chart| -> Vec<Vec<String>> {
        let text = exact(chart);
        let rows = text.lines().skip(3);
        rows.map(|row| row.split_whitespace().map(str::to_owned).collect())
            .collect()
    };
    assert_eq!(told(forest)[0], ["of", "value_ms", "low_ms", "high_ms"]);
    assert_eq!(told(forest)[1], ["router", "30.5", "20", "41.25"]);
    assert_eq!(told(forest)[2], ["other", "-3", "-", "-"]);
    assert_eq!(told(lines)[2], ["one", "b", "2", "1", "6"]);
    assert_eq!(told(heat)[2], ["m", "us", "-", "-", "-"]);
    assert_eq!(
        told(curves)[1],
        ["c", "9", "1", "0.3", "0.19999999999999998", "0.4"]
    );
    assert_eq!(told(scatter)[1], ["p", "0.5", "0.4", "0.6", "4", "-", "-"]);
}
