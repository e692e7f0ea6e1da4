//! Reads the elements that charts are drawn of back from their SVG, and puts them onto a canvas.
//! Only what `drawing` writes is known.

use super::canvas::{Canvas, Path};
use super::glyphs;
use super::looks::{self, Look};

/// One element.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Shape {
    form: Form,
    look: Look,
}

#[derive(Debug, Clone, PartialEq)]
enum Form {
    /// Open lines, or the border of what is filled.
    Lines(Vec<(f64, f64)>),
    /// A filled outline.
    Area(Vec<(f64, f64)>),
    Circle((f64, f64), f64),
    /// Words, where their base line begins, and which share of their width stands left of it.
    Words(String, (f64, f64), f64),
}

/// The elements of a piece of SVG, in order.
pub(super) fn read(svg: &str) -> Vec<Shape> {
    let mut shapes = Vec::new();
    let mut rest = svg;
    while let Some((_, from)) = rest.split_once('<') {
        let Some((tag, after)) = from.split_once('>') else {
            break;
        };
        rest = after;
        let name = tag.split([' ', '/']).next().unwrap_or_default();
        if name == "title" {
            // Told to who points at an element.
            rest = after.split_once("</title>").map_or("", |parts| parts.1);
            continue;
        }
        let words = after.split('<').next().unwrap_or_default();
        shapes.extend(shape(name, tag, words));
    }
    shapes
}

fn shape(name: &str, tag: &str, words: &str) -> Option<Shape> {
    let number = |key: &str| attribute(tag, key).and_then(|text| text.parse().ok());
    let at = |x: &str, y: &str| Some((number(x)?, number(y)?));
    let points = || attribute(tag, "points").map(points);
    let form = match name {
        "line" => Form::Lines(vec![at("x1", "y1")?, at("x2", "y2")?]),
        "polyline" => Form::Lines(points()?),
        "polygon" => Form::Area(points()?),
        "circle" => Form::Circle(at("cx", "cy")?, number("r")?),
        "rect" => {
            let ((x, y), (width, height)) = (at("x", "y")?, at("width", "height")?);
            Form::Area(vec![
                (x, y),
                (x + width, y),
                (x + width, y + height),
                (x, y + height),
            ])
        }
        "path" => Form::Area(path(attribute(tag, "d")?)),
        "text" => {
            let share = match attribute(tag, "text-anchor") {
                Some("middle") => 0.5,
                Some("end") => 1.0,
                _ => 0.0,
            };
            Form::Words(plain(words), at("x", "y")?, share)
        }
        _ => return None,
    };
    let look = looks::of(name, attribute(tag, "class").unwrap_or_default());
    Some(Shape { form, look })
}

/// The value of an attribute: its name follows a space.
fn attribute<'a>(tag: &'a str, key: &str) -> Option<&'a str> {
    let begin = tag.find(&format!(" {key}=\""))? + key.len() + 3;
    tag[begin..].split('"').next()
}

fn points(text: &str) -> Vec<(f64, f64)> {
    let pairs = text
        .split_whitespace()
        .filter_map(|pair| pair.split_once(','));
    pairs
        .filter_map(|(x, y)| Some((x.parse().ok()?, y.parse().ok()?)))
        .collect()
}

/// `M x y l dx dy l dx dy z`, written as short as may be.
fn path(text: &str) -> Vec<(f64, f64)> {
    let mut points: Vec<(f64, f64)> = Vec::new();
    for part in text.trim_matches(['M', 'z']).split('l') {
        let part = part.replace('-', " -");
        let mut numbers = part
            .split_whitespace()
            .filter_map(|n| n.parse::<f64>().ok());
        let (Some(x), Some(y)) = (numbers.next(), numbers.next()) else {
            continue;
        };
        let (from_x, from_y) = points.last().copied().unwrap_or_default();
        points.push((from_x + x, from_y + y));
    }
    points
}

/// Words as they are read: what `escaped` wrote is undone.
fn plain(text: &str) -> String {
    [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&#39;", "'"),
        ("&amp;", "&"),
    ]
    .iter()
    .fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
}

impl Shape {
    /// Draws it, moved by `by` and then enlarged.
    pub(super) fn onto(&self, canvas: &mut Canvas, by: (f64, f64), scale: f64) {
        let place = |(x, y): (f64, f64)| ((x + by.0) * scale, (y + by.1) * scale);
        let look = &self.look;
        match &self.form {
            Form::Lines(points) => {
                let points: Vec<_> = points.iter().copied().map(place).collect();
                self.stroke(canvas, &points, scale);
            }
            Form::Area(points) => {
                if let Some(fill) = look.fill {
                    let points = points.iter().copied().map(place).collect();
                    canvas.fill(&Path::through(points), fill, look.opacity);
                }
            }
            Form::Circle(centre, radius) => {
                if let Some(fill) = look.fill {
                    let disc = disc(place(*centre), radius * scale);
                    canvas.fill(&disc, fill, look.opacity);
                }
            }
            Form::Words(words, at, share) => {
                if let Some(fill) = look.fill {
                    let size = look.size * scale;
                    let (x, y) = place(*at);
                    let x = x - share * glyphs::width(words, size);
                    canvas.fill(&glyphs::outlines(words, size, (x, y)), fill, look.opacity);
                }
            }
        }
    }

    fn stroke(&self, canvas: &mut Canvas, points: &[(f64, f64)], scale: f64) {
        let look = &self.look;
        let Some(colour) = look.stroke else { return };
        let half = look.width * scale / 2.0;
        let dash = look.dash.map(|dash| dash.map(|length| length * scale));
        for piece in pieces(points, dash) {
            canvas.fill(&bar(piece, half), colour, look.opacity);
        }
        if dash.is_none() && points.len() > 2 {
            // Corners without gaps.
            for corner in &points[1..points.len() - 1] {
                canvas.fill(&disc(*corner, half), colour, look.opacity);
            }
        }
    }
}

type Piece = ((f64, f64), (f64, f64));

/// The straight pieces of a line, cut where it is broken.
///
/// What is left of the present dash or gap is counted down and never compared with its length, so
/// that rounding cannot leave a rest too small to be gone along: each turn but a line's first goes
/// a whole dash or gap further.
fn pieces(points: &[(f64, f64)], dash: Option<[f64; 2]>) -> Vec<Piece> {
    let whole = points.windows(2).map(|pair| (pair[0], pair[1]));
    let Some([on, off]) = dash.filter(|parts| parts.iter().all(|part| *part > 0.0)) else {
        return whole.collect();
    };
    let mut pieces = Vec::new();
    let (mut is_drawn, mut left) = (true, on);
    for (from, to) in whole {
        let length = (to.0 - from.0).hypot(to.1 - from.1);
        if !length.is_finite() {
            continue;
        }
        let point = |at: f64| {
            let share = at / length;
            (
                from.0 + (to.0 - from.0) * share,
                from.1 + (to.1 - from.1) * share,
            )
        };
        let mut at = 0.0;
        while length - at > left {
            let end = at + left;
            if is_drawn {
                pieces.push((point(at), point(end)));
            }
            at = end;
            is_drawn = !is_drawn;
            left = if is_drawn { on } else { off };
        }
        if is_drawn && length > at {
            pieces.push((point(at), point(length)));
        }
        left -= length - at;
    }
    pieces
}

/// A straight line `2 half` wide.
fn bar((from, to): Piece, half: f64) -> Path {
    let length = (to.0 - from.0).hypot(to.1 - from.1).max(1e-9);
    let (across_x, across_y) = (
        -(to.1 - from.1) / length * half,
        (to.0 - from.0) / length * half,
    );
    Path::through(vec![
        (from.0 + across_x, from.1 + across_y),
        (to.0 + across_x, to.1 + across_y),
        (to.0 - across_x, to.1 - across_y),
        (from.0 - across_x, from.1 - across_y),
    ])
}

/// Corners of what is drawn as a circle.
const CORNERS: usize = 24;

fn disc((x, y): (f64, f64), radius: f64) -> Path {
    let corner = |n: usize| {
        let angle = n as f64 / CORNERS as f64 * std::f64::consts::TAU;
        (x + radius * angle.cos(), y + radius * angle.sin())
    };
    Path::through((0..CORNERS).map(corner).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn length((from, to): &Piece) -> f64 {
        (to.0 - from.0).hypot(to.1 - from.1)
    }

    #[test]
    fn broken_lines_of_any_shape_are_cut_into_as_many_pieces_as_they_have_dashes() {
        let mut rng = fastrand::Rng::with_seed(10);
        for round in 0..2_000 {
            let dash @ [on, off] = [[14.0, 6.0], [4.0, 6.0], [7.0, 3.0]][round % 3];
            let points: Vec<(f64, f64)> = (0..rng.usize(2..16))
                .map(|n| {
                    let (step, up) = (rng.f64() * 60.0, rng.f64() * 300.0);
                    // Charts write their places with a tenth.
                    (
                        n as f64 * 60.0 + step.round() / 10.0,
                        (up * 10.0).round() / 10.0,
                    )
                })
                .collect();
            let whole: f64 = pieces(&points, None).iter().map(length).sum();
            let cut = pieces(&points, Some(dash));
            let most = (whole / (on + off)).ceil() as usize + points.len();
            assert!(cut.len() <= most, "{round}: {} of {most}", cut.len());
            assert!(cut.iter().all(|piece| length(piece) <= on + 1e-6));
            let drawn: f64 = cut.iter().map(length).sum();
            let rounds = (whole / (on + off)).floor();
            let rest = (whole - rounds * (on + off)).min(on);
            let expected = rounds * on + rest;
            assert!(
                (drawn - expected).abs() < 1e-6,
                "{round}: {drawn} {expected}"
            );
        }
    }

    #[test]
    fn odd_lines_end_too() {
        let dash = Some([7.0, 3.0]);
        for (points, dash, count) in [
            (vec![], dash, 0),
            (vec![(1.0, 1.0)], dash, 0),
            (vec![(1.0, 1.0), (1.0, 1.0)], dash, 0),
            (vec![(0.0, 0.0), (f64::INFINITY, 0.0)], dash, 0),
            (vec![(0.0, 0.0), (f64::NAN, 0.0), (5.0, 0.0)], dash, 0),
            (vec![(0.0, 0.0), (7.0, 0.0)], dash, 1),
            (vec![(0.0, 0.0), (10.0, 0.0), (17.0, 0.0)], dash, 2),
            // What has no length breaks nothing.
            (vec![(0.0, 0.0), (10.0, 0.0)], Some([0.0, 0.0]), 1),
        ] {
            assert_eq!(pieces(&points, dash).len(), count, "{points:?}");
        }
    }
}
