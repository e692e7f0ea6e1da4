//! Decides what a report is read from: every record, a sample of them, or roll-ups.

use std::ops::{ControlFlow, Range};

use crate::analysis::paper::{Chance, Source};
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
    /// Routes told, the busiest: clients make up names of models without end.
    pub routes: Option<usize>,
}

impl Most {
    /// Rows of a report that a page tells, of the routes that it tells: a megabyte or ten.
    pub const ROWS: usize = 10_000;

    /// What a page reads: it has to be there within a fifth of a second.
    pub const PAGE: Self = Self {
        records: 25_000,
        summaries: 300_000,
        routes: Some(500),
    };

    /// What a command reads.
    pub const COMMAND: Self = Self {
        records: 100_000,
        summaries: 1_000_000,
        routes: None,
    };
}

/// Slices of time that are drawn for a sample, about: up to twice as many.
const DRAWN: u64 = 2_000;
/// The smallest chance of a slice: of more than a thousand million records more than the limit are
/// read.
const SHARE_MIN: u32 = 100;
const MILLION: u128 = 1_000_000;
/// What the draws begin with.
const SEED: u64 = 1;
pub(super) const MINUTE: i64 = 60_000_000;
pub(super) const HOUR: i64 = 60 * MINUTE;
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

/// How many exchanges are dated after the hour of `now`.
pub(super) fn ahead(reader: &StoreReader, now: WallTime) -> Result<u64, StoreError> {
    reader.count(Grain::Hour, now..WallTime(i64::MAX))
}

/// What is no longer kept of a window's records, and only in roll-ups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Missing {
    /// Records from here on are all kept.
    pub(super) before: WallTime,
    /// About how many are not: whole minutes or hours are counted.
    pub(super) exchanges: u64,
}

/// What is missing of the records of `window`; nothing where all that there were are kept.
pub(super) fn missing(reader: &StoreReader, window: Window) -> Result<Option<Missing>, StoreError> {
    let before = reader.trimmed_before()?.min(window.until);
    if before <= window.from {
        return Ok(None);
    }
    let gone = window.from..before;
    let minutes = reader.count(Grain::Minute, gone.clone())?;
    let hours = reader.count(Grain::Hour, gone)?;
    // Minutes may be gone where hours are kept, and tell more closely what an hour is cut by.
    let (rolled, unit) = if window.until.0 - window.from.0 <= BY_MINUTES && minutes > 0 {
        (minutes, MINUTE)
    } else {
        (hours, HOUR)
    };
    let end = WallTime((before.0 - 1).div_euclid(unit) * unit + unit);
    let kept = reader.scan(before..end, |_| ControlFlow::Continue(()))?;
    let exchanges = rolled.saturating_sub(kept.rows);
    Ok((exchanges > 0).then_some(Missing { before, exchanges }))
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
    let slices = Slices::of(window, count, most);
    let mut scanned = Scanned::default();
    let mut drawn = 0;
    for slice in slices.within(window) {
        let read = reader.records(slice, &mut take)?;
        scanned.rows += read.rows;
        scanned.damaged += read.damaged;
        drawn += 1;
    }
    let source = Source::Sample {
        share: slices.share,
        slices: drawn,
        seed: SEED,
    };
    Ok((source, scanned))
}

/// Slices of time that stand where they stand, whatever the window: each is drawn or not by its own
/// date, so that a window that moves on takes the same records, and a smaller chance takes some of
/// those that a larger one takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Slices {
    /// Microseconds of a slice, a power of two.
    length: i64,
    share: Chance,
}

impl Slices {
    /// About [`DRAWN`] slices of `window` with about `most` of its `count` records.
    fn of(window: Window, count: u64, most: u64) -> Self {
        let share = u128::from(most) * MILLION / u128::from(count.max(1));
        let share = two_digits(share.clamp(u128::from(SHARE_MIN), MILLION) as u32);
        let span = u128::from(window.until.0.abs_diff(window.from.0));
        let length = span * u128::from(share) / MILLION / u128::from(DRAWN);
        let length = length.max(1).ilog2();
        Self {
            length: 1 << length,
            share: Chance(share),
        }
    }

    fn is_drawn(self, slice: i64) -> bool {
        let mut random = Random::new(SEED ^ slice.unsigned_abs());
        (random.below(MILLION as usize) as u32) < self.share.0
    }

    /// The parts of `window` that are drawn, in the order of time.
    fn within(self, window: Window) -> impl Iterator<Item = Range<WallTime>> {
        let (from, until) = (window.from.0, window.until.0);
        let first = from.div_euclid(self.length);
        let after = (until - 1).div_euclid(self.length) + 1;
        let drawn = (first..after).filter(move |slice| self.is_drawn(*slice));
        drawn.map(move |slice| {
            let start = (slice * self.length).max(from);
            let end = ((slice + 1) * self.length).min(until);
            WallTime(start)..WallTime(end)
        })
    }
}

/// A number with its first two digits and noughts behind them: a chance that follows each new
/// record would draw anew at each look.
const fn two_digits(number: u32) -> u32 {
    let mut unit = 1;
    while number / unit >= 100 {
        unit *= 10;
    }
    number / unit * unit
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
    mut each: impl FnMut(Range<WallTime>, &RollupKey, &Rollup),
) -> Result<Scanned, StoreError> {
    let mut all = Scanned::default();
    for (grain, range) in &whole.parts {
        let read = reader.rollups(DEFINITIONS, *grain, range.clone(), |key, rollup| {
            let from = key.from(*grain);
            let length = match grain {
                Grain::Minute => MINUTE,
                Grain::Hour => HOUR,
            };
            each(from..WallTime(from.0 + length), key, rollup);
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
    fn a_sample_gives_every_moment_the_same_chance_and_stays_as_time_goes_on() {
        // A day of which twelve in a hundred are taken.
        let day = 86_400_000_000;
        let of = |from: i64, most: u64| {
            let window = window(from, from + day);
            let slices = Slices::of(window, 1_000, most);
            (slices, slices.within(window).collect::<Vec<_>>())
        };
        let (slices, found) = of(5, 125);
        assert_eq!(slices.share, Chance(120_000));
        let length = |slice: &Range<WallTime>| slice.end.0 - slice.start.0;
        assert!(found.iter().all(|slice| length(slice) <= slices.length));
        assert!(found.windows(2).all(|pair| pair[0].end <= pair[1].start));
        assert!((1_900..4_100).contains(&found.len()), "{}", found.len());
        let taken = found.iter().map(length).sum::<i64>() as f64 / day as f64;
        // 2,000 of 17,000: a deviation is 2.1 % of them.
        assert!((taken / 0.12 - 1.0).abs() < 0.09, "seed {SEED}: {taken}");
        // Each sixth of the day has its part of them.
        for sixth in 0..6 {
            let (from, until) = (day / 6 * sixth, day / 6 * (sixth + 1));
            let within = |slice: &&Range<WallTime>| (from..until).contains(&slice.start.0);
            let part = found.iter().filter(within).count() as f64 / found.len() as f64;
            assert!(
                (part * 6.0 - 1.0).abs() < 0.25,
                "seed {SEED}: {sixth} {part}"
            );
        }
        // A minute on: all but those at the ends are the same; of fewer records some of them.
        let inner = |of: &[Range<WallTime>]| of[10..of.len() - 10].to_vec();
        let (_, later) = of(5 + MINUTE, 125);
        assert!(
            inner(&found)
                .iter()
                .skip(10)
                .all(|slice| later.contains(slice))
        );
        let fewer = Slices {
            share: Chance(60_000),
            ..slices
        };
        let fewer: Vec<_> = fewer.within(window(5, 5 + day)).collect();
        assert!(fewer.len() < found.len() && fewer.iter().all(|slice| found.contains(slice)));
    }

    #[test]
    fn a_limit_is_used_and_chances_stand_still() {
        for (count, most, share) in [
            (44_700, 40_000, 890_000),
            (44_800, 40_000, 890_000),
            (10_000_000, 100_000, 10_000),
            (40_000_000_000, 100_000, 100),
        ] {
            let slices = Slices::of(window(0, 86_400_000_000), count, most);
            assert_eq!(slices.share, Chance(share), "{most} of {count}");
        }
        assert_eq!(
            Slices::of(window(7, 7), 9, 1).within(window(7, 7)).count(),
            0
        );
    }
}
