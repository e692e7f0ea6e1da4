//! Reads the outlines of characters: `ui/glyphs/make.py` says what the file is like and whose
//! they are.

use super::canvas::Path;

/// The outlines.
static FILE: &[u8] = include_bytes!("../../../../../ui/glyphs/glyphs.bin");

/// What stands for a character that has no outline.
const MISSING: char = '□';
/// Bytes before the list, and of each of its rows.
const HEAD: usize = 4;
const ROW: usize = 8;
/// Lines that a curve is made of.
const STEPS: usize = 4;

/// The width of `text` in letters of `size`.
pub(super) fn width(text: &str, size: f64) -> f64 {
    text.chars().map(|c| glyph(c).advance).sum::<f64>() * scale(size)
}

/// The outlines of `text` in letters of `size`, its base line beginning at `at`.
pub(super) fn outlines(text: &str, size: f64, at: (f64, f64)) -> Path {
    let (mut path, mut x) = (Path::default(), at.0);
    for c in text.chars() {
        let glyph = glyph(c);
        glyph.draw(&mut path, (x, at.1), scale(size));
        x += glyph.advance * scale(size);
    }
    path
}

struct Glyph {
    advance: f64,
    /// Where its outline begins in the file.
    outline: usize,
}

fn scale(size: f64) -> f64 {
    size / f64::from(u16_at(0)).max(1.0)
}

/// The outline of a character, or what stands for it.
fn glyph(c: char) -> Glyph {
    let place = find(c).or_else(|| find(MISSING)).unwrap_or(0);
    let row = HEAD + place * ROW;
    let outlines = HEAD + count() * ROW;
    Glyph {
        advance: f64::from(u16_at(row + 2)),
        outline: outlines + usize::from(u16_at(row + 4)) + (usize::from(u16_at(row + 6)) << 16),
    }
}

fn count() -> usize {
    usize::from(u16_at(2))
}

fn find(c: char) -> Option<usize> {
    let wanted = u16::try_from(u32::from(c)).ok()?;
    let (mut low, mut high) = (0, count());
    while low < high {
        let middle = usize::midpoint(low, high);
        if u16_at(HEAD + middle * ROW) < wanted {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    (low < count() && u16_at(HEAD + low * ROW) == wanted).then_some(low)
}

impl Glyph {
    fn draw(&self, path: &mut Path, (x, y): (f64, f64), scale: f64) {
        let mut at = self.outline;
        let point = |at: usize| {
            let number = |at: usize| f64::from(u16_at(at).cast_signed());
            (x + number(at) * scale, y - number(at + 2) * scale)
        };
        let contours = byte(at);
        at += 1;
        for _ in 0..contours {
            let segments = byte(at);
            let mut from = point(at + 1);
            path.begin(from);
            at += 5;
            for _ in 0..segments {
                if byte(at) == 0 {
                    from = point(at + 1);
                    path.to(from);
                    at += 5;
                } else {
                    let (control, end) = (point(at + 1), point(at + 5));
                    for step in 1..=STEPS {
                        path.to(between(from, control, end, step as f64 / STEPS as f64));
                    }
                    from = end;
                    at += 9;
                }
            }
        }
    }
}

/// The point at `t` of a quadratic curve.
fn between(from: (f64, f64), control: (f64, f64), end: (f64, f64), t: f64) -> (f64, f64) {
    let mix =
        |a: f64, b: f64, c: f64| (1.0 - t) * (1.0 - t) * a + 2.0 * (1.0 - t) * t * b + t * t * c;
    (mix(from.0, control.0, end.0), mix(from.1, control.1, end.1))
}

fn byte(at: usize) -> u8 {
    FILE.get(at).copied().unwrap_or(0)
}

fn u16_at(at: usize) -> u16 {
    u16::from_le_bytes([byte(at), byte(at + 1)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_have_outlines_within_the_file() {
        for c in (' '..='~').chain("µ–—…×→±≤°é□".chars()) {
            assert!(find(c).is_some(), "{c}");
            let path = outlines(&c.to_string(), 13.0, (0.0, 20.0));
            assert_eq!(path.is_empty(), c == ' ', "{c}");
            for (x, y) in path.points() {
                assert!(
                    (-8.0..30.0).contains(&x) && (0.0..30.0).contains(&y),
                    "{c}: {x} {y}"
                );
            }
        }
        assert_eq!(find('語'), None);
        assert!((width("語", 13.0) - width("□", 13.0)).abs() < 1e-9);
        // The font's own advances: a zero is 1,145 of 2,048 units wide in the condensed cut.
        assert!((width("00", 2_048.0) - 2.0 * width("0", 2_048.0)).abs() < 1e-9);
        assert!(width("iiii", 13.0) < width("MMMM", 13.0));
    }
}
