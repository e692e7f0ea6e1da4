//! Decides what a report is read from: every record, a sample of them, or roll-ups.

use std::ops::{ControlFlow, Range};

use crate::analysis::paper::Source;
use crate::analysis::tables::Window;
use crate::edge::store::{Grain, RollupKey, Scanned, StoreError, StoreReader};
use crate::record::{ExchangeRecord, WallTime};
use crate::statistics::compare::Random;
use crate::statistics::{DEFINITIONS, Rollup};

/// How much of a store one report reads at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Most {
    /// Whole records; of more a sample is drawn, or roll-ups answer.
    pub records: u64,
    /// Fixed-width summaries; of more roll-ups answer.
    pub summaries: u64,
}

impl Most {
    /// What a page reads: it has to be there within a fifth of a second.
    pub const PAGE: Self = Self {
        records: 40_000,
        summaries: 300_000,
    };

    /// What a command reads.
    pub const COMMAND: Self = Self {
        records: 100_000,
        summaries: 1_000_000,
    };
}

/// Slices of time that a sample is drawn in.
const SLICES: u64 = 2_000;
/// What the draws begin with.
const SEED: u64 = 1;
const MINUTE: i64 = 60_000_000;
const HOUR: i64 = 60 * MINUTE;
/// Windows up to this long are counted by the minute.
const BY_MINUTES: i64 = 48 * HOUR;

/// About how many exchanges begun within `window` there are: rather too many than too few, as
/// whole minutes or hours are counted.
pub(super) fn count(reader: &StoreReader, window: Window) -> Result<u64, StoreError> {
    let hours = reader.count(Grain::Hour, window.range())?;
    if window.until.0 - window.from.0 > BY_MINUTES {
        return Ok(hours);
    }
    // Minutes may be gone where hours are kept.
    let minutes = reader.count(Grain::Minute, window.range())?;
    Ok(if minutes > 0 { minutes } else { hours })
}

/// Gives the records of `window`: all of them where they are `count` and no more than `most`, else
/// those of slices of time drawn by lot, each slice with the same chance.
pub(super) fn records(
    reader: &StoreReader,
    window: Window,
    count: u64,
    most: u64,
    mut each: impl FnMut(ExchangeRecord),
) -> Result<(Source, Scanned), StoreError> {
    let mut take = |record| {
        each(record);
        ControlFlow::Continue(())
    };
    if count <= most {
        let scanned = reader.records(window.range(), take)?;
        return Ok((Source::Records, scanned));
    }
    let of = count.div_ceil(most);
    let mut scanned = Scanned::default();
    for slice in slices(window, of) {
        let read = reader.records(slice, &mut take)?;
        scanned.rows += read.rows;
        scanned.damaged += read.damaged;
    }
    let source = Source::Sample {
        of,
        slices: SLICES,
        seed: SEED,
    };
    Ok((source, scanned))
}

/// The window in [`SLICES`] runs of `of` slices each; of every run one slice, drawn by lot.
fn slices(window: Window, of: u64) -> impl Iterator<Item = Range<WallTime>> {
    let mut random = Random::new(SEED);
    let (from, length) = (window.from.0, i128::from(window.until.0 - window.from.0));
    let all = i128::from(SLICES * of);
    // Ends are shares of the whole, so that slices neither leave gaps nor overlap.
    let end = move |slice: i128| WallTime(from + (length * slice / all) as i64);
    (0..SLICES).map(move |run| {
        let slice = i128::from(run * of) + random.below(of as usize) as i128;
        end(slice)..end(slice + 1)
    })
}

/// What makes up a window: hours, and minutes at its ends where those are kept.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Whole {
    /// The window that is made up: it begins and ends with a minute or an hour.
    pub(super) window: Window,
    parts: Vec<(Grain, Range<WallTime>)>,
}

/// What makes up `window` in the store that is read.
pub(super) fn whole(reader: &StoreReader, window: Window) -> Result<Whole, StoreError> {
    made_up(window, |hour| minutes_are_kept(reader, hour))
}

/// Gives the roll-ups that make up a window.
pub(super) fn rollups(
    reader: &StoreReader,
    whole: &Whole,
    mut each: impl FnMut(WallTime, &RollupKey, &Rollup),
) -> Result<Scanned, StoreError> {
    let mut all = Scanned::default();
    for (grain, range) in &whole.parts {
        let read = reader.rollups(DEFINITIONS, *grain, range.clone(), |key, rollup| {
            each(key.from(*grain), key, rollup);
            ControlFlow::Continue(())
        })?;
        all.rows += read.rows;
        all.damaged += read.damaged;
    }
    Ok(all)
}

/// Whether the minutes of the hour from `hour` on say all that the hour says.
fn minutes_are_kept(reader: &StoreReader, hour: i64) -> Result<bool, StoreError> {
    let range = WallTime(hour)..WallTime(hour + HOUR);
    let minutes = reader.count(Grain::Minute, range.clone())?;
    Ok(minutes == reader.count(Grain::Hour, range)?)
}

/// What makes up `window`; `kept` says of an hour whether its minutes are kept.
fn made_up<E>(window: Window, mut kept: impl FnMut(i64) -> Result<bool, E>) -> Result<Whole, E> {
    let up =
        |at: i64, unit: i64| at.div_euclid(unit) * unit + unit * i64::from(at.rem_euclid(unit) > 0);
    let (mut from, mut until) = (
        window.from.0.div_euclid(MINUTE) * MINUTE,
        up(window.until.0, MINUTE),
    );
    let (mut first, mut last) = (from.div_euclid(HOUR) * HOUR, up(until, HOUR));
    let mut parts = Vec::new();
    let mut part = |grain, from: i64, until: i64| {
        if from < until {
            parts.push((grain, WallTime(from)..WallTime(until)));
        }
    };
    if from > first {
        if kept(first)? {
            first += HOUR;
            part(Grain::Minute, from, until.min(first));
        } else {
            from = first;
        }
    }
    let mut tail = None;
    if until < last && last - HOUR >= first {
        if kept(last - HOUR)? {
            last -= HOUR;
            tail = Some((last, until));
        } else {
            until = last;
        }
    }
    part(Grain::Hour, first, last);
    if let Some((from, until)) = tail {
        part(Grain::Minute, from, until);
    }
    Ok(Whole {
        window: Window {
            from: WallTime(from),
            until: WallTime(until),
        },
        parts,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(from: i64, until: i64) -> Window {
        Window {
            from: WallTime(from),
            until: WallTime(until),
        }
    }

    /// Minutes as microseconds.
    const fn at(minute: i64) -> i64 {
        minute * MINUTE
    }

    #[test]
    fn a_window_is_made_up_of_hours_and_of_minutes_at_its_ends() {
        let made = |from: i64, until: i64, kept: bool| {
            let whole = made_up::<()>(window(from, until), |_| Ok(kept)).unwrap();
            let (parts, whole) = (whole.parts, whole.window);
            let parts: Vec<_> = parts
                .into_iter()
                .map(|(grain, range)| (grain, range.start.0 / MINUTE, range.end.0 / MINUTE))
                .collect();
            ((whole.from.0 / MINUTE, whole.until.0 / MINUTE), parts)
        };
        let (minute, hour) = (Grain::Minute, Grain::Hour);
        for (from, until, kept, whole, expected) in [
            (at(60), at(180), true, (60, 180), vec![(hour, 60, 180)]),
            (
                at(50) + 1,
                at(190) - 1,
                true,
                (50, 190),
                vec![(minute, 50, 60), (hour, 60, 180), (minute, 180, 190)],
            ),
            (at(50), at(190), false, (0, 240), vec![(hour, 0, 240)]),
            (at(10), at(20), true, (10, 20), vec![(minute, 10, 20)]),
            (at(10), at(20), false, (0, 60), vec![(hour, 0, 60)]),
            (
                at(50),
                at(70),
                true,
                (50, 70),
                vec![(minute, 50, 60), (minute, 60, 70)],
            ),
        ] {
            assert_eq!(made(from, until, kept), (whole, expected), "{from} {until}");
        }
    }

    #[test]
    fn a_sample_gives_every_moment_the_same_chance() {
        let window = window(5, 5 + 6_000_000);
        let found: Vec<_> = slices(window, 3).collect();
        assert_eq!(found.len() as u64, SLICES);
        let length = |slice: &Range<WallTime>| slice.end.0 - slice.start.0;
        assert!(found.iter().all(|slice| length(slice) == 1_000));
        assert!(found.windows(2).all(|pair| pair[0].end <= pair[1].start));
        for (run, slice) in found.iter().enumerate() {
            let within = slice.start.0 - 5 - run as i64 * 3_000;
            assert!([0, 1_000, 2_000].contains(&within), "{run}: {within}");
        }
        // Each place of a run is drawn a third of the times.
        let first = found.iter().enumerate();
        let first = first.filter(|(run, slice)| slice.start.0 - 5 == *run as i64 * 3_000);
        let first = first.count();
        assert!((560..775).contains(&first), "seed {SEED}: {first}");
    }
}
