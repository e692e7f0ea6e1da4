//! Groups numbers that came near each other in time, by spans that their own extent chooses.

use std::collections::BTreeMap;

use super::order::{counted_cluster_effect, evenly_many, scored_cluster_effect};
use crate::record::WallTime;

/// Groups at most: from so many on their own spread is known well enough, and fewer would tell
/// less of it (Schmeiser, "Batch size effects in the analysis of simulation output", 1982).
pub const MOST: usize = 24;
/// Spans are an hour halved so often, and doubled until the groups are few: whole hours are some of
/// them, and numbers that came at moments of their own begin alone.
const HALVINGS: u32 = 20;
const HOUR: i128 = 3_600_000_000;
/// Fewest hours, of one size, that tell how hours differ. Two full hours that begin at no full hour
/// are as many as 2.67, three are three at least, and those of the same rate by chance little less.
const HOURS_MIN: f64 = 2.75;

/// What a group holds.
pub trait Pool: Default {
    /// Adds a group that is of later dates.
    fn pool(&mut self, later: Self);
}

/// How many are at or below some number, and how many in all.
impl Pool for (u64, u64) {
    fn pool(&mut self, later: Self) {
        self.0 += later.0;
        self.1 += later.1;
    }
}

/// The sum of some numbers' scores, and how many they are.
impl Pool for (f64, u64) {
    fn pool(&mut self, later: Self) {
        self.0 += later.0;
        self.1 += later.1;
    }
}

/// Groups of what came within one span of time, [`MOST`] at most: as more come, all spans are
/// doubled. Neither the window that was asked for nor the full hour decides them.
#[derive(Debug, Clone)]
pub struct Nearby<T> {
    /// How often the finest span was doubled.
    doubled: u32,
    groups: BTreeMap<i64, T>,
}

impl<T> Default for Nearby<T> {
    fn default() -> Self {
        Self {
            doubled: 0,
            groups: BTreeMap::new(),
        }
    }
}

impl<T: Pool> Nearby<T> {
    /// The group of what came at that date.
    pub fn at(&mut self, date: WallTime) -> &mut T {
        let finest = (i128::from(date.0) << HALVINGS).div_euclid(HOUR);
        // Below 2^63 for every date: the finest span is longer than 2^11 microseconds.
        self.slot(finest as i64, 0)
    }

    /// Adds the groups of `other`.
    pub fn merge(&mut self, other: Self) {
        for (key, group) in other.groups {
            self.slot(key, other.doubled).pool(group);
        }
    }

    /// The groups in the order of time.
    pub fn groups(&self) -> impl Iterator<Item = &T> {
        self.groups.values()
    }

    /// The same spans with what `of` makes of each group, in the order of time.
    pub fn counted(&self, mut of: impl FnMut(&T) -> (u64, u64)) -> Nearby<(u64, u64)> {
        let groups = self.groups.iter();
        Nearby {
            doubled: self.doubled,
            groups: groups.map(|(key, group)| (*key, of(group))).collect(),
        }
    }

    fn slot(&mut self, key: i64, doubled: u32) -> &mut T {
        while self.doubled < doubled {
            self.double();
        }
        let at = |own: u32| key >> (own - doubled);
        while self.groups.len() >= MOST && !self.groups.contains_key(&at(self.doubled)) {
            self.double();
        }
        self.groups.entry(at(self.doubled)).or_default()
    }

    fn double(&mut self) {
        self.doubled += 1;
        for (key, group) in std::mem::take(&mut self.groups) {
            self.groups.entry(key >> 1).or_default().pool(group);
        }
    }
}

impl Nearby<(u64, u64)> {
    /// How many numbers say what one independent one would: by the spans, and where these are
    /// shorter than an hour, by the hours too, whichever is more. A day's load is of hours: the
    /// quarters of one are alike, and taken as independent they make intervals too narrow. With
    /// clusters as large as what is alike, their own spread and Student's factor, intervals of few
    /// of them hold what they say (Bester, Conley and Hansen, Journal of Econometrics 165, 2011).
    #[must_use]
    pub fn effect(&self) -> f64 {
        let spans: Vec<(u64, u64)> = self.groups().copied().collect();
        let effect = counted_cluster_effect(&spans);
        self.hours()
            .filter(|hours| tell_hours(hours))
            .map_or(effect, |hours| effect.max(counted_cluster_effect(&hours)))
    }

    /// Whether they are of so few hours that nothing tells how hours differ: what [`Self::effect`]
    /// says is of these hours alone.
    #[must_use]
    pub fn is_of_few_hours(&self) -> bool {
        self.hours().is_some_and(|hours| !tell_hours(&hours))
    }
}

impl Nearby<(f64, u64)> {
    /// How many scored numbers say what one independent one would, by hours, or by the spans where
    /// these are longer; `single` is the sum of the squares of all scores. Absent where they are of
    /// so few hours that nothing tells how hours differ.
    #[must_use]
    pub fn scored_effect(&self, single: f64) -> Option<f64> {
        let Some(hours) = self.hours() else {
            let spans: Vec<(f64, u64)> = self.groups().copied().collect();
            return Some(scored_cluster_effect(&spans, single));
        };
        tell_hours(&hours).then(|| scored_cluster_effect(&hours, single))
    }
}

/// Whether so many hours tell how hours differ.
fn tell_hours<T>(hours: &[(T, u64)]) -> bool {
    evenly_many(hours.iter().map(|(_, size)| *size)) >= HOURS_MIN
}

impl<T: Pool + Copy> Nearby<T> {
    /// The groups of each hour as one, where spans are shorter.
    fn hours(&self) -> Option<Vec<T>> {
        let halved = HALVINGS.checked_sub(self.doubled).filter(|by| *by > 0)?;
        let mut hours: BTreeMap<i64, T> = BTreeMap::new();
        for (key, group) in &self.groups {
            hours.entry(key >> halved).or_default().pool(*group);
        }
        Some(hours.into_values().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::compare::Random;
    use crate::statistics::interval::{ALPHA, order_ci_deff, wilson, wilson_deff};
    use crate::statistics::quantile::Sample;

    const HOURS: i64 = 3_600_000_000;

    #[test]
    fn spans_are_of_the_extent_and_not_of_the_clock() {
        for (dates, sizes) in [
            (vec![5_000, 17_000, 99_000], vec![1, 1, 1]),
            // A day by the minute: by the hour.
            (
                (0..1_440).map(|minute| minute * HOURS / 60).collect(),
                vec![60; 24],
            ),
            // Half a minute, over the full hour or not.
            ((0..24).map(|n| n * 1_000_000).collect(), vec![1; 24]),
            (
                (0..24)
                    .map(|n| HOURS - 12_000_000 + n * 1_000_000)
                    .collect(),
                vec![1; 24],
            ),
            (vec![-HOURS; 50], vec![50]),
        ] {
            let mut found = Nearby::<(u64, u64)>::default();
            let mut backward = Nearby::<(u64, u64)>::default();
            for date in &dates {
                found.at(WallTime(*date)).pool((0, 1));
            }
            for date in dates.iter().rev() {
                backward.at(WallTime(*date)).pool((0, 1));
            }
            let counts = |of: &Nearby<(u64, u64)>| -> Vec<u64> {
                of.groups().map(|(_, count)| *count).collect()
            };
            assert_eq!(counts(&found), sizes);
            assert_eq!(counts(&backward), sizes);
            let mut both = found.clone();
            both.merge(backward);
            let twice: Vec<u64> = sizes.iter().map(|count| 2 * count).collect();
            assert_eq!(counts(&both), twice);
        }
    }

    /// Intervals hold the truth where hours differ, and are little wider where nothing is alike,
    /// wherever the clock stood: seeds 0 to 200.
    #[test]
    fn intervals_hold_the_truth_and_are_not_wide_for_nothing() {
        let normal = |random: &mut Random| (0..12).map(|_| random.unit()).sum::<f64>() - 6.0;
        let worlds = 200;
        for (level, hours, each, from) in [
            (0.1, 24, 60, 0),
            (0.1, 96, 15, 0),
            (0.0, 24, 40, 0),
            // A quarter of an hour, half of it behind the full hour.
            (0.0, 1, 800, HOURS * 7 / 8),
        ] {
            let (mut held, mut effects) = (0, Vec::new());
            for seed in 0..worlds {
                let mut random = Random::new(seed);
                let mut times = Vec::new();
                for hour in 0..hours {
                    let own = level * normal(&mut random);
                    let span = if hours == 1 { HOURS / 4 } else { HOURS };
                    for n in 0..each {
                        let date = from + hour * HOURS + n * span / each;
                        times.push((WallTime(date), own + 0.2 * normal(&mut random)));
                    }
                }
                let mut sorted: Vec<f64> = times.iter().map(|(_, number)| *number).collect();
                sorted.sort_unstable_by(f64::total_cmp);
                let sample = Sample::new(&sorted, 0);
                let middle = sample.quantile(0.5).unwrap();
                let mut nearby = Nearby::<(u64, u64)>::default();
                for (date, number) in times {
                    nearby.at(date).pool((u64::from(number <= middle), 1));
                }
                let effect = nearby.effect();
                effects.push(effect);
                let found = order_ci_deff(sample, 0.5, ALPHA, effect).bounds();
                held += u64::from(found.contains(0.0));
            }
            let rate = wilson(held, worlds, ALPHA).unwrap();
            assert!(rate.interval.high >= 0.95, "{level} {hours}: {held}");
            effects.sort_unstable_by(f64::total_cmp);
            // Of a design effect of 1.3 an interval is 14 % wider.
            assert!(level > 0.0 || effects[100] < 1.3, "{effects:?}");
        }
    }

    /// Hours whose levels differ, in windows of three hours to two days, wherever they begin: an
    /// interval holds the truth as often as it says. Of spans alone that was so in 68 % of the
    /// worlds of three hours and of four, and in 86 % of those of six. Seeds 0 to 400.
    #[test]
    fn few_hours_that_differ_are_held() {
        let normal = |random: &mut Random| (0..12).map(|_| random.unit()).sum::<f64>() - 6.0;
        let worlds = 400;
        for hours in [3, 4, 6, 12, 18, 24, 48] {
            let mut held = [0, 0];
            for seed in 0..worlds {
                let mut random = Random::new(seed);
                // The window begins within an hour, and ends within one.
                let begins = (random.unit() * HOURS as f64) as i64;
                let mut own = 0.0;
                let mut times = Vec::new();
                for n in 0..hours * 40 {
                    let date = begins + n * HOURS / 40;
                    if n == 0 || date / HOURS != (date - HOURS / 40) / HOURS {
                        own = 0.3 * normal(&mut random);
                    }
                    times.push((WallTime(date), own + 0.2 * normal(&mut random)));
                }
                let mut sorted: Vec<f64> = times.iter().map(|(_, number)| *number).collect();
                sorted.sort_unstable_by(f64::total_cmp);
                let sample = Sample::new(&sorted, 0);
                let middle = sample.quantile(0.5).unwrap();
                let [mut nearby, mut above] = <[Nearby<(u64, u64)>; 2]>::default();
                for (date, number) in times {
                    nearby.at(date).pool((u64::from(number <= middle), 1));
                    above.at(date).pool((u64::from(number > 0.0), 1));
                }
                assert!(!nearby.is_of_few_hours(), "{hours} {seed}");
                let found = order_ci_deff(sample, 0.5, ALPHA, nearby.effect()).bounds();
                held[0] += u64::from(found.contains(0.0));
                // A share of one half, of the same hours.
                let (part, all) = above
                    .groups()
                    .fold((0, 0), |(part, all), group| (part + group.0, all + group.1));
                let share = wilson_deff(part, all, above.effect(), ALPHA).unwrap();
                held[1] += u64::from(share.interval.contains(0.5));
            }
            for held in held {
                let rate = wilson(held, worlds, ALPHA).unwrap();
                assert!(
                    rate.interval.high >= 0.95,
                    "{hours} hours: {held} of {worlds}"
                );
            }
        }
    }

    /// One hour and two tell nothing of hours, wherever they begin, and say so; three do.
    #[test]
    fn one_hour_and_two_are_few() {
        for (minutes, begins, few) in [
            (15, 0, true),
            (15, 55, true),
            (60, 30, true),
            (120, 0, true),
            (120, 30, true),
            (180, 0, false),
            (180, 30, false),
            (24 * 60, 30, false),
        ] {
            let mut nearby = Nearby::<(u64, u64)>::default();
            for n in 0..minutes * 4 {
                let date = begins * HOURS / 60 + n * HOURS / 240;
                nearby.at(WallTime(date)).pool((n as u64 % 2, 1));
            }
            assert_eq!(nearby.is_of_few_hours(), few, "{minutes} from {begins}");
            if few {
                assert!(nearby.effect() < 1.5);
            }
        }
    }
}
