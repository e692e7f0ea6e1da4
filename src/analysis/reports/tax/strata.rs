//! Puts calls of two routes side by side where they are alike.

use std::collections::{BTreeMap, HashMap};

use super::hours::Hours;
use super::placed::Likes;
use crate::analysis::reports::call::{Call, Traits};
use crate::record::WallTime;
use crate::statistics::compare::{Stratum, overlap_weight, resistant_slope};
use crate::statistics::interval::numbered_cluster_effect;
use crate::statistics::quantile::{Sample, sorted};

/// Fewest calls of each route in a group that is compared (measurement 9).
const CALLS_MIN: usize = 10;

/// Calls of both routes that are alike, as one number each.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) route: Vec<f64>,
    pub(super) route_failures: usize,
    pub(super) reference: Vec<f64>,
    pub(super) reference_failures: usize,
    /// Mean of the logarithm of the prompt tokens and mean of the hour, of either route.
    pub(super) means: [[f64; 2]; 2],
}

/// The groups in which both routes have enough calls, and how much of their traffic is in them.
#[derive(Debug)]
pub(super) struct Groups {
    pub(super) list: Vec<Group>,
    /// Calls with the number, of the route and of the reference: in the groups, and in all.
    pub(super) inside: [usize; 2],
    pub(super) all: [usize; 2],
    /// How many calls of either say what one independent one would.
    pub(super) effects: [f64; 2],
    /// How much larger the variance of the difference is than that: by hours in which the routes
    /// differ as they do not in the next.
    pub(super) beyond: f64,
    /// Whether they are of so few hours that nothing tells how the difference changes from one to
    /// the next.
    pub(super) few_hours: bool,
    /// Spread of the covariates of all calls, for standardising.
    deviations: [f64; 2],
}

impl Group {
    pub(super) const fn count(&self) -> [usize; 2] {
        [
            self.route.len() + self.route_failures,
            self.reference.len() + self.reference_failures,
        ]
    }

    pub(super) fn stratum(&self) -> Stratum<'_> {
        let [route, reference] = self.count();
        Stratum {
            a: Sample::new(&self.route, self.route_failures),
            b: Sample::new(&self.reference, self.reference_failures),
            weight: overlap_weight(route, reference),
        }
    }
}

/// The logarithm of the prompt tokens, and the hour of the day.
fn covariates(call: &Call) -> [f64; 2] {
    let tokens = call.size.unwrap_or(0) as f64;
    let hour = call.started.0.rem_euclid(86_400_000_000) as f64 / 3.6e9;
    [tokens.max(1.0).ln(), hour]
}

/// Calls of a route and of its reference, those that are alike beside one another: found once, and
/// compared in as many numbers as they have.
#[derive(Debug)]
pub(super) struct Alike {
    /// In the order of their traits; either arm by prompt size, calls of one size as they came.
    cells: Vec<[Vec<Placed>; 2]>,
    /// The same by what is known before a route is taken alone: failures have nothing else.
    before: Vec<[Vec<Placed>; 2]>,
    /// Conversations and minutes that there are, of either arm.
    clusters: [[usize; 2]; 2],
}

/// A call with what it is compared by.
#[derive(Debug, Clone, Copy)]
struct Placed {
    /// Which of its arm it is.
    at: usize,
    covariates: [f64; 2],
    clusters: [usize; 2],
    started: WallTime,
}

/// One number of each call of an arm, where it has it: calls are large and far apart, and each of
/// their numbers is asked for many times.
pub(super) type Column = Vec<Option<f64>>;

/// A call's number, with the logarithm of its prompt tokens and its hour, and what it may be alike
/// in: its conversation (itself where it has none) and its minute, each counted in its arm; and its
/// date.
type Numbered = (f64, [f64; 2], [usize; 2], WallTime);

impl Alike {
    pub(super) fn new(route: &[&Call], reference: &[&Call]) -> Self {
        let likes = Likes::of([route, reference]);
        let mut cells: BTreeMap<Traits, [Vec<Placed>; 2]> = BTreeMap::new();
        let mut before: BTreeMap<Traits, [Vec<Placed>; 2]> = BTreeMap::new();
        let mut clusters = [[0; 2]; 2];
        for (arm, calls) in [route, reference].into_iter().enumerate() {
            let mut known: [HashMap<u64, usize>; 2] = Default::default();
            let mut places = likes.places(arm);
            for (at, call) in calls.iter().enumerate() {
                let of = cluster_keys(call);
                let mut number = |at: usize| {
                    let next = known[at].len();
                    *known[at].entry(of[at]).or_insert(next)
                };
                let placed = Placed {
                    at,
                    covariates: covariates(call),
                    clusters: [number(0), number(1)],
                    started: call.started,
                };
                cells.entry(places.of(call)).or_default()[arm].push(placed);
                let known = call.traits.known_before();
                before.entry(known).or_default()[arm].push(placed);
            }
            clusters[arm] = [known[0].len(), known[1].len()];
        }
        let [cells, before] = [cells, before].map(|cells| {
            let mut cells: Vec<_> = cells.into_values().collect();
            for arm in cells.iter_mut().flatten() {
                // The resistant line asks for this order, of every number anew.
                arm.sort_by(|one, other| one.covariates[0].total_cmp(&other.covariates[0]));
            }
            cells
        });
        Self {
            cells,
            before,
            clusters,
        }
    }

    /// Groups the calls that have a number in `columns`, which are the arms' own. Those of times and
    /// rates are what the calls would have had with prompts of one size ([`level`]); `failures` are
    /// alike in what was known before the route was taken, for what only an answer tells says who
    /// failed.
    pub(super) fn groups(&self, columns: &[Column; 2], failures: bool) -> Groups {
        let levelled = !failures;
        let cells = if failures { &self.before } else { &self.cells };
        let (mut all, mut inside) = ([0, 0], [0, 0]);
        let mut everything = Vec::new();
        let mut groups = Vec::new();
        let mut below: [Vec<([usize; 2], bool)>; 2] = Default::default();
        let mut hours = Hours::default();
        for cell in cells {
            let arms = [0, 1].map(|arm: usize| numbered(&cell[arm], &columns[arm]));
            for (all, arm) in all.iter_mut().zip(&arms) {
                *all += arm.len();
                everything.extend(arm.iter().map(|call| call.1));
            }
            if arms.iter().any(|arm| arm.len() < CALLS_MIN) {
                continue;
            }
            let means = [0, 1].map(|arm: usize| [0, 1].map(|at| mean(&arms[arm], at)));
            let arms = if levelled { level(arms) } else { arms };
            let group = group(&arms, means);
            let samples = [group.stratum().a, group.stratum().b];
            for (arm, calls) in arms.iter().enumerate() {
                inside[arm] += calls.len();
                let middle = samples[arm].quantile(0.5).unwrap_or(f64::INFINITY);
                let is_below = |value: f64| {
                    if levelled {
                        value <= middle
                    } else {
                        value > 0.0
                    }
                };
                below[arm].extend(calls.iter().map(|call| (call.2, is_below(call.0))));
            }
            let dated = arms.map(|calls| -> Vec<(WallTime, f64)> {
                calls.iter().map(|call| (call.3, call.0)).collect()
            });
            hours.add(&group.stratum(), [&dated[0], &dated[1]], failures);
            groups.push(group);
        }
        let effects = [0, 1].map(|arm: usize| effect(&below[arm], self.clusters[arm], levelled));
        let beyond = hours.beyond(effects);
        Groups {
            list: groups,
            inside,
            all,
            effects,
            beyond: beyond.unwrap_or(1.0),
            few_hours: beyond.is_none(),
            deviations: [0, 1].map(|at| deviation(&everything, at)),
        }
    }
}

fn numbered(arm: &[Placed], column: &Column) -> Vec<Numbered> {
    let number = |placed: &Placed| {
        let number = column[placed.at]?;
        Some((number, placed.covariates, placed.clusters, placed.started))
    };
    arm.iter().filter_map(number).collect()
}

/// The conversation and the minute of a call.
fn cluster_keys(call: &Call) -> [u64; 2] {
    let (half, _) = call.trace.as_chunks::<8>();
    let own = half
        .iter()
        .fold(0, |all, part| all ^ u64::from_le_bytes(*part));
    let session = call.session.map_or(own, |session| session.0);
    [
        session,
        call.started.0.div_euclid(60_000_000).unsigned_abs(),
    ]
}

/// How many calls of an arm say what one independent one would: of conversations and of minutes
/// the larger effect, each number scored against the median of its group, a failure (of what is
/// not `levelled`) against the rate of the arm.
fn effect(below: &[([usize; 2], bool)], clusters: [usize; 2], levelled: bool) -> f64 {
    let hits = below.iter().filter(|(_, is)| *is).count();
    let p = if levelled {
        0.5
    } else {
        hits as f64 / below.len().max(1) as f64
    };
    let by = |at: usize| {
        let scored = below.iter().map(|(of, is)| (of[at], *is));
        numbered_cluster_effect(scored, clusters[at], p)
    };
    by(0).max(by(1))
}

fn mean(arm: &[Numbered], at: usize) -> f64 {
    arm.iter().map(|call| call.1[at]).sum::<f64>() / arm.len().max(1) as f64
}

/// Takes out of a group's numbers what the size of the prompt makes of them, which within a power
/// of two still differs between the routes: of each route apart, the resistant line of the
/// logarithm of the number on that of the prompt tokens, moved to the mean size of both. Numbers
/// of which one is not positive stay as they are, and so do failures.
fn level(arms: [Vec<Numbered>; 2]) -> [Vec<Numbered>; 2] {
    let all = || arms.iter().flatten();
    if all().any(|call| call.0 <= 0.0) {
        return arms;
    }
    let common = all().map(|call| call.1[0]).sum::<f64>() / all().count().max(1) as f64;
    arms.map(|arm| {
        let points: Vec<(f64, f64)> = arm
            .iter()
            .filter(|call| call.0.is_finite())
            .map(|call| (call.1[0], call.0.ln()))
            .collect();
        let slope = resistant_slope(&points).unwrap_or(0.0);
        arm.into_iter()
            .map(|(value, at, of, date)| (value * (-slope * (at[0] - common)).exp(), at, of, date))
            .collect()
    })
}

fn group(arms: &[Vec<Numbered>; 2], means: [[f64; 2]; 2]) -> Group {
    let [route, reference] = [0, 1].map(|arm: usize| sorted(arms[arm].iter().map(|call| call.0)));
    Group {
        route: route.0,
        route_failures: route.1,
        reference: reference.0,
        reference_failures: reference.1,
        means,
    }
}

/// Prompts of one size differ by the rounding of their mean only. And traffic of some minutes has no
/// day and night: a difference is held against an hour there, not against those minutes.
const DEVIATIONS_MIN: [f64; 2] = [1e-9, 1.0];

fn deviation(values: &[[f64; 2]], at: usize) -> f64 {
    let count = values.len().max(1) as f64;
    let mean = values.iter().map(|value| value[at]).sum::<f64>() / count;
    let squares: f64 = values.iter().map(|value| (value[at] - mean).powi(2)).sum();
    (squares / count).sqrt()
}

impl Groups {
    /// The share of each route's calls that lie in groups of both.
    pub(super) fn overlap(&self) -> [f64; 2] {
        [0, 1].map(|arm: usize| self.inside[arm] as f64 / self.all[arm].max(1) as f64)
    }

    /// What is left of the difference in prompt size and in hour after weighting, in standard
    /// deviations, which are [`DEVIATIONS_MIN`] at least.
    pub(super) fn imbalance(&self) -> [f64; 2] {
        let whole: f64 = self.list.iter().map(|group| group.stratum().weight).sum();
        [0, 1].map(|at: usize| {
            let difference: f64 = self
                .list
                .iter()
                .map(|group| group.stratum().weight * (group.means[0][at] - group.means[1][at]))
                .sum();
            let deviation = self.deviations[at].max(DEVIATIONS_MIN[at]);
            if whole > 0.0 {
                difference / whole / deviation
            } else {
                0.0
            }
        })
    }
}
