//! Writes the cells of a report, and what it is of, for people.

use crate::analysis::paper::{Cell, Head, Heat, Paper, Side, Source, Unit};
use crate::analysis::render::units::{
    BRIEF, BRIEF_SAID, NOTHING, dollars, length, minute, percent_of, plain, points, signed, span,
    thousands, three_digits, times,
};
use crate::statistics::DEFINITIONS;
use crate::statistics::sketch::RELATIVE_ERROR;

/// A number in its unit.
pub(in crate::analysis) fn number(value: f64, unit: Unit) -> String {
    if value.is_nan() {
        return NOTHING.to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "∞" } else { "−∞" }.to_owned();
    }
    let sign = match value {
        v if v < 0.0 => "−",
        v if v > 0.0 => "+",
        _ => "",
    };
    match unit {
        Unit::Span => span(value),
        Unit::Delta => format!("{sign}{}", span(value.abs())),
        Unit::Share => percent_of(value),
        Unit::Points => points(value),
        Unit::Times => times(value),
        Unit::Dollars if value < 0.0 => format!("−{}", dollars(-value)),
        Unit::Dollars => dollars(value),
        Unit::RateMore | Unit::More => signed(value),
        Unit::DollarsMore => format!("{sign}{}", dollars(value.abs())),
        Unit::Rate | Unit::Number if value < 0.0 => signed(value),
        Unit::Rate | Unit::Number => three_digits(value),
        Unit::Count => thousands(value.max(0.0) as u64),
    }
}

/// What must be known to read a report: its notes, and what its cells ask for.
pub(super) fn notes(paper: &Paper) -> Vec<String> {
    let mut cells = paper
        .sheets
        .iter()
        .flat_map(|sheet| sheet.rows.iter().flatten());
    let brief = cells
        .any(Cell::is_of_few_hours)
        .then(|| BRIEF_SAID.to_owned());
    paper.notes.iter().cloned().chain(brief).collect()
}

/// The lines of a cell.
pub(super) fn lines(cell: &Cell, unit: Unit) -> Vec<String> {
    match cell {
        Cell::Text(text) => text.lines().map(plain).collect(),
        Cell::Value(value) => vec![number(*value, unit)],
        Cell::Estimate { value, low, high } => {
            let end =
                |end: &Option<f64>| end.map_or_else(|| NOTHING.to_owned(), |end| number(end, unit));
            let mut lines = vec![number(*value, unit)];
            if low.is_some() || high.is_some() {
                lines.push(format!("[{}, {}]", end(low), end(high)));
            }
            lines
        }
        Cell::Quantile {
            value,
            low,
            high,
            n,
            few_hours,
            ..
        } => {
            let (value, low, high) = (*value, *low, *high);
            let mut all = lines(&Cell::Estimate { value, low, high }, unit);
            if low.is_none() && high.is_none() {
                all.push(format!("[{NOTHING}, {NOTHING}]"));
            }
            let brief = if *few_hours { BRIEF } else { "" };
            all.push(format!("n {}{brief}", thousands(*n)));
            all
        }
        Cell::Absent(why) if why.is_empty() => vec![NOTHING.to_owned()],
        Cell::Absent(why) => vec![NOTHING.to_owned(), plain(why)],
        Cell::Share(_) => lines(&cell.written(), unit),
        Cell::In(unit, cell) => lines(cell, *unit),
    }
}

/// What a report is of and how it was made, a sentence each.
pub(super) fn facts(head: &Head) -> Vec<String> {
    let mut facts: Vec<String> = if head.sides.is_empty() {
        grounds(head)
    } else {
        let of_side = |side: &Side| {
            let grounds = grounds(&side.head).join(" ");
            format!("{} ({}): {grounds}", side.name, plain(&side.what))
        };
        head.sides.iter().map(of_side).collect()
    };
    let seed = head
        .seed
        .map_or_else(String::new, |seed| format!(" Seed {seed}."));
    facts.push(format!("{}{seed}", head.method));
    facts.push(format!(
        "Definitions {DEFINITIONS}, tollgate {}, made {}.",
        env!("CARGO_PKG_VERSION"),
        minute(head.made),
    ));
    facts
}

/// What was looked at and what was taken, Tollgate's own delay meanwhile, the settings in force.
fn grounds(head: &Head) -> Vec<String> {
    let mut facts = Vec::new();
    let excluded: Vec<String> = head
        .excluded
        .iter()
        .filter(|(_, count)| *count > 0)
        .map(|(reason, count)| format!("{reason} {}", thousands(*count)))
        .collect();
    let excluded = match excluded.as_slice() {
        [] => String::new(),
        some => format!(" Not taken: {}.", some.join(", ")),
    };
    facts.push(format!(
        "{} exchanges of {} looked at.{excluded}",
        thousands(head.taken),
        thousands(head.scanned)
    ));
    facts.push(match head.own_delay {
        Some((p50, p99)) => format!(
            "Tollgate itself added {} at p50 and {} at p99 in this window.",
            span(p50),
            span(p99)
        ),
        None => "What Tollgate itself added is not known for enough exchanges.".to_owned(),
    });
    facts.push(source(head.source));
    facts.extend(head.remarks.iter().map(|note| {
        let route = note.route.as_deref().map(plain);
        let route = route.map_or_else(String::new, |route| format!(", of {route}"));
        format!("Note of {}{route}: {}.", minute(note.at), plain(&note.text))
    }));
    let configs: Vec<String> = head.configs.iter().map(ToString::to_string).collect();
    facts.push(if configs.is_empty() {
        "Config: of no exchange.".to_owned()
    } else {
        format!("Config {}.", configs.join(", "))
    });
    facts
}

/// What the numbers are made of, and what that means for them.
fn source(source: Source) -> String {
    match source {
        Source::Records => "Made of every record of the window.".to_owned(),
        Source::Sample {
            share,
            slices,
            seed,
        } => format!(
            "Made of a sample: the window holds more than is read at once, so of slices of time \
             each was taken with a chance of {}, by a draw of its own date (seed {seed}), {} in \
             all, with every record of theirs. Each record had the same chance, and a window that \
             moves on takes the same ones; counts and sums are the sample's: about {} times as \
             many are in the window.",
            percent_of(share.fraction()),
            thousands(slices),
            three_digits(share.one_in())
        ),
        Source::Rollups => format!(
            "Made of roll-ups of minutes and hours, of every exchange of the window: counts and \
             sums are exact, quantiles are within ±{} of the number itself, which intervals \
             carry. Background calls and answers out of caches are in counts and not in times; \
             embeddings are routes as others.",
            percent_of(RELATIVE_ERROR)
        ),
    }
}

impl Heat {
    /// A value with its interval in words.
    pub(super) fn said(&self, row: usize, column: usize, unit: Unit) -> String {
        let cell = self.values.get(row).and_then(|values| *values.get(column)?);
        match cell {
            None => NOTHING.to_owned(),
            Some((value, None)) => number(value, unit),
            Some((value, Some((low, high)))) => format!(
                "{} [{}, {}]",
                number(value, unit),
                number(low, unit),
                number(high, unit)
            ),
        }
    }
}

/// The title with window and selection.
pub(super) fn title(paper: &Paper) -> String {
    let head = &paper.head;
    let mut title = format!(
        "{}, {} to {} ({}), {} traffic",
        paper.title,
        minute(head.window.from),
        minute(head.window.until),
        length(head.window.seconds()),
        head.origin
    );
    for selected in &head.selection {
        title.push_str(", ");
        title.push_str(&plain(selected));
    }
    title
}
