//! Draws charts as inline SVG: plain shapes with classes, coloured by the style sheet.
//!
//! Texts stand beside the shapes as HTML, so that a narrow screen shrinks shapes and not letters.

mod lines;

mod phases;

mod histogram;

pub(super) use histogram::gaps;
pub(super) use lines::{Chart, Kind, Scale, Series, chart};
pub(super) use phases::phases;
