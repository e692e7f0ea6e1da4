//! Fills outlines with a colour, with smooth edges: the share of each dot that lies within.
//!
//! Method: signed areas under each edge are added up along a row (Levien, "font-rs", 2016), which
//! is exact for outlines that do not cross themselves.

use super::looks::Colour;

/// Closed outlines.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Path(Vec<Vec<(f64, f64)>>);

impl Path {
    /// Begins an outline.
    pub(super) fn begin(&mut self, at: (f64, f64)) {
        self.0.push(vec![at]);
    }

    /// Goes on with a line.
    pub(super) fn to(&mut self, at: (f64, f64)) {
        if let Some(last) = self.0.last_mut() {
            last.push(at);
        }
    }

    /// One outline through `points`.
    pub(super) fn through(points: Vec<(f64, f64)>) -> Self {
        Self(vec![points])
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn points(&self) -> impl Iterator<Item = (f64, f64)> + '_ {
        self.0.iter().flatten().copied()
    }

    /// Every edge, the last point of an outline to its first included.
    fn edges(&self) -> impl Iterator<Item = ((f64, f64), (f64, f64))> + '_ {
        self.0.iter().flat_map(|outline| {
            let next = outline.iter().cycle().skip(1);
            outline.iter().copied().zip(next.copied())
        })
    }
}

/// Dots in rows, white at first.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Canvas {
    width: usize,
    height: usize,
    dots: Vec<Colour>,
}

impl Canvas {
    pub(super) fn new(width: f64, height: f64) -> Self {
        let (width, height) = (width.ceil() as usize, height.ceil() as usize);
        Self {
            width,
            height,
            dots: vec![[u8::MAX; 3]; width * height],
        }
    }

    pub(super) const fn size(&self) -> (usize, usize) {
        (self.width, self.height)
    }

    pub(super) fn rows(&self) -> impl Iterator<Item = &[Colour]> {
        self.dots.chunks(self.width.max(1))
    }

    /// Fills `path`.
    pub(super) fn fill(&mut self, path: &Path, colour: Colour, opacity: f64) {
        let (wide, high) = (self.width as f64, self.height as f64);
        let inside = |(x, y): (f64, f64)| (x.clamp(0.0, wide), y.clamp(0.0, high));
        let (mut least, mut most) = ((wide, high), (0.0_f64, 0.0_f64));
        for (x, y) in path.points().map(inside) {
            least = (least.0.min(x), least.1.min(y));
            most = (most.0.max(x), most.1.max(y));
        }
        if most.0 <= least.0 || most.1 <= least.1 {
            return;
        }
        let (left, top) = (least.0.floor() as usize, least.1.floor() as usize);
        let mut mask = Mask::new(most.0.ceil() as usize - left, most.1.ceil() as usize - top);
        let moved = |at: (f64, f64)| {
            let (x, y) = inside(at);
            (x - left as f64, y - top as f64)
        };
        for (from, to) in path.edges() {
            mask.edge(moved(from), moved(to));
        }
        for y in 0..mask.height {
            let mut sum = 0.0;
            for x in 0..mask.width {
                sum += mask.areas[y * mask.stride + x];
                let share = f64::abs(sum).min(1.0) * opacity;
                let place = (top + y) * self.width + left + x;
                if share > 0.0
                    && let Some(dot) = self.dots.get_mut(place)
                {
                    for (old, new) in dot.iter_mut().zip(colour) {
                        let mixed = f64::from(*old) * (1.0 - share) + f64::from(new) * share;
                        *old = mixed.round() as u8;
                    }
                }
            }
        }
    }
}

/// Signed areas of one outline: the sum along a row up to a dot is the dot's share.
struct Mask {
    width: usize,
    height: usize,
    stride: usize,
    areas: Vec<f64>,
}

impl Mask {
    fn new(width: usize, height: usize) -> Self {
        // An edge at the right border writes behind it.
        let stride = width + 2;
        Self {
            width,
            height,
            stride,
            areas: vec![0.0; stride * height],
        }
    }

    fn edge(&mut self, from: (f64, f64), to: (f64, f64)) {
        let (sign, upper, lower) = if from.1 < to.1 {
            (1.0, from, to)
        } else {
            (-1.0, to, from)
        };
        let tall = lower.1 - upper.1;
        if tall <= 0.0 {
            return;
        }
        let slope = (lower.0 - upper.0) / tall;
        let rows = upper.1.floor() as usize..(lower.1.ceil() as usize).min(self.height);
        let mut x = upper.0;
        for row in rows {
            let high = lower.1.min(row as f64 + 1.0) - upper.1.max(row as f64);
            let next = x + slope * high;
            self.row(row * self.stride, (x.min(next), x.max(next)), sign * high);
            x = next;
        }
    }

    /// Adds an edge that goes from `x0` to `x1` within one row, and is `high` high: to each dot
    /// what of it lies right of the edge, as differences along the row.
    fn row(&mut self, start: usize, (x0, x1): (f64, f64), high: f64) {
        let (first, last) = (x0.floor() as usize, x1.ceil() as usize);
        if last <= first + 1 {
            let middle = f64::midpoint(x0, x1) - first as f64;
            self.areas[start + first] += high * (1.0 - middle);
            self.areas[start + first + 1] += high * middle;
            return;
        }
        // The area right of the edge in each dot that it crosses, by trapezes.
        let per = high / (x1 - x0);
        let mut before = 0.0;
        for dot in first..last {
            let (left, right) = (x0.max(dot as f64), x1.min(dot as f64 + 1.0));
            // Of the height that the edge has passed when it leaves the dot, and on its way there.
            let passed = (left - x0) * per;
            let part = (right - left) * per;
            let area = passed + part * (dot as f64 + 1.0 - f64::midpoint(left, right));
            self.areas[start + dot] += area - before;
            before = area;
        }
        self.areas[start + last] += high - before;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The share of black in each dot.
    fn shares(path: &Path, width: f64, height: f64) -> Vec<f64> {
        let mut canvas = Canvas::new(width, height);
        canvas.fill(path, [0; 3], 1.0);
        let dots = canvas.rows().flatten();
        dots.map(|dot| 1.0 - f64::from(dot[0]) / 255.0).collect()
    }

    #[test]
    fn the_share_of_each_dot_is_the_area_within() {
        let square = Path::through(vec![(0.5, 0.25), (2.5, 0.25), (2.5, 1.0), (0.5, 1.0)]);
        let expected = [0.375, 0.75, 0.375, 0.0, 0.0, 0.0];
        // A triangle over half of a square of two by two.
        let triangle = Path::through(vec![(0.0, 0.0), (2.0, 2.0), (0.0, 2.0)]);
        let half = [0.5, 0.0, 1.0, 0.5];
        // Flat: an edge crosses four dots of one row.
        let flat = Path::through(vec![(0.0, 0.0), (4.0, 1.0), (0.0, 1.0)]);
        let steps = [0.875, 0.625, 0.375, 0.125];
        for (path, (width, height), expected) in [
            (&square, (3.0, 2.0), &expected[..]),
            (&triangle, (2.0, 2.0), &half[..]),
            (&flat, (4.0, 1.0), &steps[..]),
        ] {
            let found = shares(path, width, height);
            for (found, expected) in found.iter().zip(expected) {
                assert!(
                    (found - expected).abs() < 0.004,
                    "{found} {expected}: {path:?}"
                );
            }
        }
    }

    #[test]
    fn what_lies_outside_is_not_drawn() {
        let path = Path::through(vec![(-5.0, -5.0), (9.0, -5.0), (9.0, 9.0), (-5.0, 9.0)]);
        assert!(shares(&path, 3.0, 3.0).iter().all(|share| *share > 0.99));
        let gone = Path::through(vec![(5.0, 5.0), (9.0, 5.0), (9.0, 9.0)]);
        assert!(shares(&gone, 3.0, 3.0).iter().all(|share| *share < 0.01));
    }
}
