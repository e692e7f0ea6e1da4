//! Says how each class of a drawing looks: one table for the drawing's style and for its dots.

use std::fmt::Write as _;

/// Size of words, and of the words of scales and notes.
pub(super) const TEXT_SIZE: f64 = 13.0;
pub(super) const TICK_SIZE: f64 = 12.0;
const TITLE_SIZE: f64 = 17.0;

/// A colour: red, green, blue.
pub(super) type Colour = [u8; 3];

const INK: Colour = [0x1b, 0x1f, 0x24];
const SOFT: Colour = [0x59, 0x63, 0x6e];
const RULE: Colour = [0xd5, 0xda, 0xe0];
const PAPER: Colour = [0xff, 0xff, 0xff];
const EMPTY: Colour = [0xf4, 0xf6, 0xf8];
/// Colours that the colour-blind can tell apart (Okabe and Ito), as on the pages.
const SERIES: [Colour; 6] = [
    [0x00, 0x72, 0xb2],
    [0xd5, 0x5e, 0x00],
    [0x00, 0x9e, 0x73],
    [0xcc, 0x79, 0xa7],
    [0xb5, 0x89, 0x00],
    [0x56, 0xb4, 0xe9],
];
/// How lines are broken, by series: nobody must tell them by colour alone.
const DASHES: [Option<[f64; 2]>; 6] = [
    None,
    Some([7.0, 3.0]),
    Some([2.0, 3.0]),
    None,
    Some([7.0, 3.0]),
    Some([2.0, 3.0]),
];
/// Opacities of a heat map, from the least value to the largest.
const HEAT: [f64; 6] = [0.08, 0.2, 0.34, 0.48, 0.62, 0.78];

/// How something looks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Look {
    pub(super) fill: Option<Colour>,
    pub(super) stroke: Option<Colour>,
    pub(super) width: f64,
    pub(super) opacity: f64,
    pub(super) dash: Option<[f64; 2]>,
    /// Size of its letters.
    pub(super) size: f64,
}

const NOTHING: Look = Look {
    fill: None,
    stroke: None,
    width: 1.0,
    opacity: 1.0,
    dash: None,
    size: TEXT_SIZE,
};

const fn filled(colour: Colour) -> Look {
    Look {
        fill: Some(colour),
        ..NOTHING
    }
}

const fn stroked(colour: Colour, width: f64) -> Look {
    Look {
        stroke: Some(colour),
        width,
        ..NOTHING
    }
}

const fn written(colour: Colour, size: f64) -> Look {
    Look {
        size,
        ..filled(colour)
    }
}

/// The looks that are not of a series: element, class, look.
const FIXED: [(&str, &str, Look); 19] = [
    ("rect", "paper", filled(PAPER)),
    ("line", "grid", stroked(RULE, 1.0)),
    ("line", "zero", stroked(INK, 1.5)),
    ("line", "whisker", stroked(SERIES[0], 3.0)),
    ("line", "whisker thin", stroked(SERIES[0], 1.5)),
    ("circle", "dot", filled(SERIES[0])),
    ("circle", "dot other", filled(SOFT)),
    (
        "polyline",
        "front",
        Look {
            dash: Some([5.0, 4.0]),
            ..stroked(SERIES[0], 1.0)
        },
    ),
    (
        "line",
        "mark",
        Look {
            dash: Some([4.0, 3.0]),
            ..stroked(SERIES[1], 1.5)
        },
    ),
    ("line", "mark note", stroked(SERIES[2], 1.5)),
    ("path", "flag", filled(SERIES[2])),
    ("rect", "none", filled(EMPTY)),
    ("text", "title", written(INK, TITLE_SIZE)),
    ("text", "tick", written(SOFT, TICK_SIZE)),
    ("text", "label", written(INK, TEXT_SIZE)),
    ("text", "value", written(INK, TEXT_SIZE)),
    ("text", "in", written(INK, TEXT_SIZE)),
    ("rect", "", filled(EMPTY)),
    ("text", "", written(INK, TEXT_SIZE)),
];

/// The look of an element of that class; nothing is seen of one that is not known.
pub(super) fn of(element: &str, class: &str) -> Look {
    // Words within a field of a heat map look alike on every one.
    let class = if element == "text" {
        class.split(' ').next().unwrap_or_default()
    } else {
        class
    };
    let fixed = FIXED.iter().find(|row| row.0 == element && row.1 == class);
    if let Some((_, _, look)) = fixed {
        return *look;
    }
    let depth = class.strip_prefix("heat").and_then(number);
    if let Some(opacity) = depth.and_then(|depth| HEAT.get(depth)) {
        return Look {
            opacity: *opacity,
            ..filled(SERIES[0])
        };
    }
    let Some((kind, series)) = class.split_once(" look") else {
        return NOTHING;
    };
    let Some(series) = number(series).filter(|series| *series < SERIES.len()) else {
        return NOTHING;
    };
    match kind {
        "line" => Look {
            dash: DASHES[series],
            ..stroked(SERIES[series], 2.0)
        },
        "band" => Look {
            opacity: 0.18,
            ..filled(SERIES[series])
        },
        "point" => filled(SERIES[series]),
        _ => NOTHING,
    }
}

fn number(text: &str) -> Option<usize> {
    text.parse().ok()
}

/// The same as a style sheet.
pub(super) fn style() -> String {
    let mut style = format!("text{{font:{TEXT_SIZE}px system-ui,sans-serif}}");
    let fixed = FIXED.iter().filter(|row| !row.1.is_empty());
    let mut rules: Vec<(&str, String)> = fixed
        .map(|(element, class, _)| (*element, (*class).to_owned()))
        .collect();
    rules.extend((0..HEAT.len()).map(|depth| ("rect", format!("heat{depth}"))));
    for series in 0..SERIES.len() {
        rules.push(("polyline", format!("line look{series}")));
        rules.push(("polygon", format!("band look{series}")));
        rules.push(("circle", format!("point look{series}")));
    }
    for (element, class) in rules {
        let look = of(element, &class);
        let colour = |of: Option<Colour>| match of {
            None => "none".to_owned(),
            Some([red, green, blue]) => format!("#{red:02x}{green:02x}{blue:02x}"),
        };
        let _ = write!(
            style,
            "{element}.{}{{fill:{};stroke:{}",
            class.replace(' ', "."),
            colour(look.fill),
            colour(look.stroke)
        );
        if look.stroke.is_some() {
            let _ = write!(style, ";stroke-width:{}", look.width);
        }
        if let Some([on, off]) = look.dash {
            let _ = write!(style, ";stroke-dasharray:{on} {off}");
        }
        if look.opacity < 1.0 {
            let _ = write!(style, ";opacity:{}", look.opacity);
        }
        if element == "text" {
            let _ = write!(style, ";font-size:{}px", look.size);
        }
        style.push('}');
    }
    style
}
