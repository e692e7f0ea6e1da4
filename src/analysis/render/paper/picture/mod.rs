//! Makes files of a chart: a drawing that needs nothing beside it, the same in dots, and a text of
//! the exact numbers.

mod looks;

mod glyphs;

mod shapes;

mod canvas;

mod png;

mod exact;

pub use exact::exact;

use std::fmt::Write as _;

use super::drawing::{LEFT, LOOKS, WIDTH, escaped};
use super::figure::drawn;
use crate::analysis::paper::{Chart, Plot};
use canvas::Canvas;

/// Dots of a picture for a unit of its drawing.
const SCALE: f64 = 2.0;
/// Free space around everything.
const MARGIN: f64 = 16.0;
/// Height of a line of the note, and of the names of the series.
const LINE: f64 = 18.0;

/// A chart as a drawing of its own, black on white.
#[derive(Debug, Clone, PartialEq)]
pub struct Picture {
    width: f64,
    height: f64,
    /// Pieces of SVG, each with how far down it stands.
    parts: Vec<(f64, String)>,
}

/// The drawing of `chart`: its title, the names of its series, the chart, how to read it.
#[must_use]
pub fn picture(chart: &Chart) -> Picture {
    let (height, inside, _) = drawn(chart);
    let title = format!(
        "<text class=\"title\" x=\"0\" y=\"0\">{}</text>",
        escaped(&chart.title)
    );
    let mut parts = vec![(MARGIN + 12.0, title)];
    let mut down = MARGIN + 28.0;
    let (rows, legend) = legend(chart);
    if rows > 0.0 {
        parts.push((down, legend));
        down += rows * LINE + 4.0;
    }
    parts.push((down, inside));
    down += height + 12.0;
    for line in wrapped(&chart.note, WIDTH - LEFT) {
        down += LINE - 2.0;
        let line = escaped(&line);
        parts.push((
            down,
            format!("<text class=\"tick\" x=\"0\" y=\"0\">{line}</text>"),
        ));
    }
    Picture {
        width: WIDTH + 2.0 * MARGIN,
        height: down + MARGIN,
        parts,
    }
}

impl Picture {
    /// An SVG file.
    #[must_use]
    pub fn svg(&self) -> String {
        let (width, height) = (self.width, self.height);
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" \
             viewBox=\"0 0 {width:.0} {height:.0}\"><style>{}</style>\
             <rect class=\"paper\" width=\"{width:.0}\" height=\"{height:.0}\"/>\n",
            looks::style()
        );
        for (down, inside) in &self.parts {
            let _ = writeln!(
                svg,
                "<g transform=\"translate({MARGIN:.0} {down:.1})\">{inside}</g>"
            );
        }
        svg.push_str("</svg>\n");
        svg
    }

    /// A PNG file, with two dots for a unit of the drawing.
    #[must_use]
    pub fn png(&self) -> Vec<u8> {
        let mut canvas = Canvas::new(self.width * SCALE, self.height * SCALE);
        for (down, inside) in &self.parts {
            for shape in shapes::read(inside) {
                shape.onto(&mut canvas, (MARGIN, *down), SCALE);
            }
        }
        png::write(&canvas)
    }
}

/// The names of the series with their looks, and how many lines they take.
fn legend(chart: &Chart) -> (f64, String) {
    let names: Vec<&str> = match &chart.plot {
        Plot::Lines { lines, .. } => lines.iter().map(|line| line.name.as_str()).collect(),
        Plot::Curves(curves) => curves.iter().map(|curve| curve.name.as_str()).collect(),
        Plot::Forest { .. } | Plot::Heat(_) | Plot::Scatter { .. } => Vec::new(),
    };
    let (mut x, mut row) = (0.0, 0.0);
    let mut svg = String::new();
    for (index, name) in names.iter().enumerate() {
        let width = 48.0 + glyphs::width(name, looks::TEXT_SIZE);
        if x > 0.0 && x + width > WIDTH {
            (x, row) = (0.0, row + 1.0);
        }
        let (look, y) = (index % LOOKS, row * LINE + 8.0);
        let _ = write!(
            svg,
            "<polyline class=\"line look{look}\" points=\"{x:.1},{y:.1} {:.1},{y:.1}\"/>\
             <text class=\"label\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
            x + 22.0,
            x + 28.0,
            y + 4.5,
            escaped(name)
        );
        x += width;
    }
    (if names.is_empty() { 0.0 } else { row + 1.0 }, svg)
}

/// `text` in lines of at most `width`.
fn wrapped(text: &str, width: f64) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if glyphs::width(&format!("{line} {word}"), looks::TICK_SIZE) <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests;
