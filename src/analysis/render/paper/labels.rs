//! Finds places for the names of points: near their points, and over no other name or point.

/// How wide a letter of a name is taken to be, and how high a line of one.
const LETTER: f64 = 6.8;
const LINE: f64 = 15.0;
/// From a point to its name.
const GAP: f64 = 9.0;
/// Half of a point's width.
const DOT: f64 = 6.0;
/// Lines that a name may stand above or below its point.
const FAR: i32 = 16;

/// Where a name stands.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Place {
    /// Where its words begin, or end.
    pub(super) x: f64,
    /// Its base line.
    pub(super) y: f64,
    /// Whether `x` is where it ends.
    pub(super) ends: bool,
    /// Whether it stands so far off that a line must lead to it.
    pub(super) far: bool,
}

/// A rectangle: left, right, top, bottom.
type Area = [f64; 4];

fn overlap(a: &Area, b: &Area) -> bool {
    a[0] < b[1] && b[0] < a[1] && a[2] < b[3] && b[2] < a[3]
}

fn covered(place: &Place, letters: usize) -> Area {
    let width = letters as f64 * LETTER;
    let (from, to) = if place.ends {
        (place.x - width, place.x)
    } else {
        (place.x, place.x + width)
    };
    [from, to, place.y - LINE + 4.0, place.y + 4.0]
}

/// A place for the name of each point, given where it is and how many letters the name has, within
/// `bounds`. Where all is full a name stands beside its point whatever is there.
pub(super) fn places(points: &[(f64, f64, usize)], bounds: Area) -> Vec<Place> {
    let mut taken: Vec<Area> = points
        .iter()
        .map(|(x, y, _)| [x - DOT, x + DOT, y - DOT, y + DOT])
        .collect();
    let mut all = Vec::with_capacity(points.len());
    for (x, y, letters) in points {
        let candidates = candidates(*x, *y);
        let fits = |place: &&Place| {
            let own = covered(place, *letters);
            let within = own[0] >= bounds[0]
                && own[1] <= bounds[1]
                && own[2] >= bounds[2]
                && own[3] <= bounds[3];
            within && !taken.iter().any(|other| overlap(&own, other))
        };
        let inside = |place: &&Place| {
            let own = covered(place, *letters);
            own[0] >= bounds[0] && own[1] <= bounds[1]
        };
        let found = candidates.iter().find(fits);
        let place = found.or_else(|| candidates.iter().find(inside));
        let place = *place.unwrap_or(&candidates[0]);
        taken.push(covered(&place, *letters));
        all.push(place);
    }
    all
}

/// Right of the point and left of it, and then line by line farther above and below.
fn candidates(x: f64, y: f64) -> Vec<Place> {
    let lines = std::iter::once(0).chain((1..=FAR).flat_map(|line| [-line, line]));
    lines
        .flat_map(|line| {
            let y = y + 4.0 + f64::from(line) * LINE;
            let far = line.abs() > 1;
            let right = Place {
                x: x + GAP,
                y,
                ends: false,
                far,
            };
            let left = Place {
                x: x - GAP,
                ends: true,
                ..right
            };
            [right, left]
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::compare::Random;

    const BOUNDS: Area = [70.0, 880.0, 10.0, 262.0];

    #[test]
    fn names_lie_over_no_other_name_or_point() {
        let seed = 3;
        println!("seed {seed}");
        let mut random = Random::new(seed);
        for _ in 0..200 {
            let near = (100.0 + random.unit() * 700.0, 60.0 + random.unit() * 150.0);
            let points: Vec<_> = (0..8)
                .map(|_| {
                    let x = near.0 + random.unit() * 60.0 - 30.0;
                    (x, near.1 + random.unit() * 40.0 - 20.0, 28)
                })
                .collect();
            let found = places(&points, BOUNDS);
            let areas: Vec<Area> = found.iter().map(|place| covered(place, 28)).collect();
            for (at, area) in areas.iter().enumerate() {
                assert!(area[0] >= BOUNDS[0] && area[1] <= BOUNDS[1], "{area:?}");
                assert!(area[3] <= BOUNDS[3], "not over the axis: {area:?}");
                assert!(!areas[..at].iter().any(|other| overlap(area, other)));
                for (x, y, _) in &points {
                    let dot = [x - DOT, x + DOT, y - DOT, y + DOT];
                    assert!(!overlap(area, &dot), "{area:?} over {dot:?}");
                }
            }
        }
    }

    #[test]
    fn a_lone_name_stands_beside_its_point_and_turns_at_the_edge() {
        let [place] = places(&[(100.0, 100.0, 10)], BOUNDS)[..] else {
            panic!("one place");
        };
        assert_eq!((place.x, place.ends, place.far), (109.0, false, false));
        let [place] = places(&[(870.0, 100.0, 10)], BOUNDS)[..] else {
            panic!("one place");
        };
        assert_eq!((place.x, place.ends), (861.0, true));
    }
}
