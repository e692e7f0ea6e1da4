//! Finds the highest load at which a service level holds: says which load to try next, or why the
//! search is over.
//!
//! The load doubles from the first one until it is missed; a miss counts when it was found twice
//! (two of three where the findings differ). Then the space between the highest load that held and
//! the lowest that did not is halved until the two are within the resolution. What would be the
//! answer is tried again: the highest of many findings is the luckiest too.

/// How a search goes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rule {
    /// The load that is tried first.
    pub start: f64,
    /// No load over it is tried.
    pub max: f64,
    /// The search is over when the lowest load that missed is over the highest that held by this
    /// share of it, or less.
    pub resolution: f64,
    /// Loads are whole: users.
    pub whole: bool,
}

/// What a load at a service level came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finding {
    /// The level was shown to hold.
    Held,
    /// It was not.
    Missed,
    /// The generator was too late to say.
    Void,
}

/// A load that was tried.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tried {
    /// The load.
    pub load: f64,
    /// What it came to.
    pub finding: Finding,
}

/// What follows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Next {
    /// Try this load.
    Try(f64),
    /// The search is over.
    Over(Over),
}

/// Why a search is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Over {
    /// The highest load that holds lies between two that were tried, as near as asked for.
    Found,
    /// The largest load allowed held: more may hold too.
    AtMax,
    /// The level did not hold at the smallest load that is tried.
    Nowhere,
    /// The generator cannot keep its schedule: what held is a lower bound.
    Generator,
}

impl Over {
    /// The name used in results.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Found => "found",
            Self::AtMax => "at_max",
            Self::Nowhere => "nowhere",
            Self::Generator => "generator",
        }
    }

    /// What that means, in words, where a load held or none did.
    #[must_use]
    pub const fn says(self, any_held: bool) -> &'static str {
        match (self, any_held) {
            (Self::Found, _) => "the next load that was tried missed it twice",
            (Self::AtMax, _) => "the largest load allowed held: more may hold too (--max)",
            (Self::Nowhere, _) => "the smallest load that was tried missed it twice",
            (Self::Generator, true) => {
                "this machine could not keep the schedule of the next load: a lower bound"
            }
            // Nothing was found out of the route, and nothing bounds what it bears.
            (Self::Generator, false) => {
                "this machine could not keep the schedule of the load, and no load was shown to hold"
            }
        }
    }
}

/// Misses that count as one.
const MISSES: usize = 2;
/// How often the answer must hold, and how often it is tried at most.
const HOLDS: usize = 2;
const TRIES: usize = 3;
/// The smallest load that is tried, as a share of the first.
const FLOOR: f64 = 1.0 / 64.0;

/// What follows on what was tried, in the order in which it was tried.
#[must_use]
pub fn next(rule: &Rule, tried: &[Tried]) -> Next {
    let start = rule.first();
    let Some(last) = tried.last() else {
        return Next::Try(start);
    };
    match judged(tried, last.load) {
        None => return Next::Try(last.load),
        Some(Finding::Void) => return Next::Over(Over::Generator),
        Some(Finding::Held | Finding::Missed) => {}
    }
    let missed = lowest_missed(tried);
    match (highest_held(tried), missed) {
        (Some(held), None) if held >= rule.max => confirmed(tried, held, Over::AtMax),
        (Some(held), None) => Next::Try((held * 2.0).min(rule.max)),
        (None, Some(missed)) => {
            let half = rule.settle(missed / 2.0);
            if half < start * FLOOR || half >= missed {
                Next::Over(Over::Nowhere)
            } else {
                Next::Try(half)
            }
        }
        (Some(held), Some(missed)) => {
            let middle = rule.settle(f64::midpoint(held, missed));
            let near = missed <= held * (1.0 + rule.resolution);
            if near || middle <= held || middle >= missed {
                confirmed(tried, held, Over::Found)
            } else {
                Next::Try(middle)
            }
        }
        (None, None) => Next::Try(start),
    }
}

/// The loads of the searches that are over soonest: of a route that bears nothing, one that bears
/// the first load alone, and one that bears all.
#[must_use]
pub fn soonest(rule: &Rule) -> [Vec<f64>; 3] {
    [0.0, rule.first(), rule.max].map(|capacity| {
        let mut tried: Vec<Tried> = Vec::new();
        while let Next::Try(load) = next(rule, &tried) {
            let finding = if load <= capacity {
                Finding::Held
            } else {
                Finding::Missed
            };
            tried.push(Tried { load, finding });
        }
        tried.iter().map(|of| of.load).collect()
    })
}

/// The end of a search whose answer is `load`, once that has held often enough.
fn confirmed(tried: &[Tried], load: f64, over: Over) -> Next {
    let same = || tried.iter().filter(|of| of.load.total_cmp(&load).is_eq());
    let held = same().filter(|of| of.finding == Finding::Held).count();
    if held < HOLDS && same().count() < TRIES {
        Next::Try(load)
    } else {
        Next::Over(over)
    }
}

/// The highest load that held; absent where none did.
#[must_use]
pub fn highest_held(tried: &[Tried]) -> Option<f64> {
    of_finding(tried, Finding::Held).max_by(f64::total_cmp)
}

/// The lowest load that missed; absent where none did.
#[must_use]
pub fn lowest_missed(tried: &[Tried]) -> Option<f64> {
    of_finding(tried, Finding::Missed).min_by(f64::total_cmp)
}

fn of_finding(tried: &[Tried], finding: Finding) -> impl Iterator<Item = f64> {
    let loads = tried.iter().map(|of| of.load);
    loads.filter(move |load| judged(tried, *load) == Some(finding))
}

/// What the tries of one load come to; absent while another is needed.
fn judged(tried: &[Tried], load: f64) -> Option<Finding> {
    let count = |finding: Finding| {
        let same = |of: &&Tried| of.load.total_cmp(&load).is_eq() && of.finding == finding;
        tried.iter().filter(same).count()
    };
    let (held, missed) = (count(Finding::Held), count(Finding::Missed));
    if missed >= MISSES {
        Some(Finding::Missed)
    } else if held > missed {
        Some(Finding::Held)
    } else {
        (count(Finding::Void) >= MISSES).then_some(Finding::Void)
    }
}

impl Rule {
    /// The load that is tried first, as it can be asked for.
    #[must_use]
    pub fn first(&self) -> f64 {
        self.settle(self.start.min(self.max))
    }

    /// A load as it can be asked for: whole users, or a rate of three digits.
    fn settle(&self, load: f64) -> f64 {
        if self.whole {
            return load.floor().max(1.0);
        }
        let scale = 10_f64.powf(load.log10().floor() - 2.0);
        (load / scale).round() * scale
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rates(start: f64, max: f64) -> Rule {
        Rule {
            start,
            max,
            resolution: 0.1,
            whole: false,
        }
    }

    /// Searches where every load up to `true_capacity` holds.
    fn search(rule: &Rule, capacity: f64) -> (Vec<f64>, Over) {
        let mut tried: Vec<Tried> = Vec::new();
        loop {
            match next(rule, &tried) {
                Next::Over(why) => return (tried.iter().map(|of| of.load).collect(), why),
                Next::Try(load) => tried.push(Tried {
                    load,
                    finding: if load <= capacity {
                        Finding::Held
                    } else {
                        Finding::Missed
                    },
                }),
            }
            assert!(tried.len() < 100, "it does not end: {tried:?}");
        }
    }

    #[test]
    fn loads_double_until_they_miss_twice_and_are_halved_then() {
        for (rule, capacity, loads, why) in [
            (
                rates(10.0, 1000.0),
                50.0,
                &[
                    10.0, 20.0, 40.0, 80.0, 80.0, 60.0, 60.0, 50.0, 55.0, 55.0, 50.0,
                ][..],
                Over::Found,
            ),
            (
                rates(10.0, 35.0),
                50.0,
                &[10.0, 20.0, 35.0, 35.0],
                Over::AtMax,
            ),
            (rates(50.0, 35.0), 50.0, &[35.0, 35.0], Over::AtMax),
            (
                rates(8.0, 35.0),
                0.0,
                &[
                    8.0, 8.0, 4.0, 4.0, 2.0, 2.0, 1.0, 1.0, 0.5, 0.5, 0.25, 0.25, 0.125, 0.125,
                ],
                Over::Nowhere,
            ),
            (
                Rule {
                    whole: true,
                    ..rates(4.0, 64.0)
                },
                10.0,
                &[4.0, 8.0, 16.0, 16.0, 12.0, 12.0, 10.0, 11.0, 11.0, 10.0],
                Over::Found,
            ),
            (
                Rule {
                    whole: true,
                    ..rates(1.0, 64.0)
                },
                0.0,
                &[1.0, 1.0],
                Over::Nowhere,
            ),
        ] {
            assert_eq!(search(&rule, capacity), (loads.to_vec(), why), "{rule:?}");
        }
    }

    #[test]
    fn the_soonest_ends_are_known_beforehand() {
        let [nothing, first, all] = soonest(&rates(8.0, 35.0));
        assert_eq!((nothing.len(), all.len()), (14, 5), "{nothing:?} {all:?}");
        assert_eq!(first[..3], [8.0, 16.0, 16.0]);
    }

    #[test]
    fn every_search_ends_within_its_resolution() {
        for capacity in [0.3, 1.0, 7.7, 33.3, 512.0, 900.0] {
            let rule = rates(5.0, 100_000.0);
            let (loads, why) = search(&rule, capacity);
            assert_eq!(why, Over::Found, "{capacity}");
            let held = loads.iter().copied().filter(|load| *load <= capacity);
            let held = held.fold(0.0, f64::max);
            assert!(held > capacity / 1.12, "{capacity}: {held}");
        }
    }

    #[test]
    fn only_a_load_that_held_is_a_bound() {
        assert!(Over::Generator.says(true).contains("a lower bound"));
        let nothing = Over::Generator.says(false);
        assert!(!nothing.contains("bound") && nothing.contains("could not keep"));
        // What is announced and what is tried first are the same.
        for (rule, first) in [(rates(50.0, 35.0), 35.0), (rates(2.0, 35.0), 2.0)] {
            assert_eq!(next(&rule, &[]), Next::Try(first));
            assert!((rule.first() - first).abs() < 1e-9);
        }
    }

    #[test]
    fn one_miss_is_none_and_a_late_generator_ends_it() {
        use Finding::{Held, Missed, Void};
        for (findings, expected) in [
            (&[Missed][..], Next::Try(10.0)),
            (&[Missed, Held], Next::Try(10.0)),
            (&[Missed, Held, Held], Next::Try(20.0)),
            (&[Missed, Held, Missed], Next::Try(5.0)),
            (&[Void], Next::Try(10.0)),
            (&[Void, Held], Next::Try(20.0)),
            (&[Void, Void], Next::Over(Over::Generator)),
        ] {
            let tried: Vec<Tried> = findings
                .iter()
                .map(|finding| Tried {
                    load: 10.0,
                    finding: *finding,
                })
                .collect();
            assert_eq!(next(&rates(10.0, 100.0), &tried), expected, "{findings:?}");
        }
    }

    #[test]
    fn the_answer_must_hold_twice() {
        use Finding::{Held, Missed, Void};
        let before = [(10.0, Held), (11.0, Missed), (11.0, Missed)];
        for (again, expected) in [
            (&[][..], Next::Try(10.0)),
            (&[Held], Next::Over(Over::Found)),
            (&[Missed], Next::Try(10.0)),
            (&[Missed, Held], Next::Over(Over::Found)),
            // Once more by chance: the search goes on below.
            (&[Missed, Missed], Next::Try(5.0)),
            (&[Void], Next::Try(10.0)),
            (&[Void, Void], Next::Over(Over::Found)),
        ] {
            let again = again.iter().map(|finding| (10.0, *finding));
            let tried: Vec<Tried> = before
                .into_iter()
                .chain(again)
                .map(|(load, finding)| Tried { load, finding })
                .collect();
            assert_eq!(next(&rates(10.0, 100.0), &tried), expected, "{tried:?}");
        }
    }

    #[test]
    fn what_held_and_what_missed_are_told() {
        let tried =
            [(4.0, 0), (8.0, 0), (16.0, 1), (16.0, 1), (12.0, 1)].map(|(load, missed)| Tried {
                load,
                finding: if missed == 1 {
                    Finding::Missed
                } else {
                    Finding::Held
                },
            });
        assert_eq!(highest_held(&tried), Some(8.0));
        assert_eq!(lowest_missed(&tried), Some(16.0));
        assert_eq!((highest_held(&[]), lowest_missed(&[])), (None, None));
    }
}
