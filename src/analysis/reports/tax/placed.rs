//! Places failures among the answers that they would have been.

use std::collections::BTreeMap;

use crate::analysis::reports::call::{Call, Traits};

/// Traits with how many calls have them, in order.
type Counts = BTreeMap<Traits, usize>;

/// What the calls of either arm were like of which everything is known, by what was known of them
/// before.
#[derive(Debug)]
pub(super) struct Likes([BTreeMap<Traits, Counts>; 2]);

impl Likes {
    /// Of the calls of both arms.
    pub(super) fn of(arms: [&[&Call]; 2]) -> Self {
        Self(arms.map(|calls| {
            let mut likes: BTreeMap<Traits, Counts> = BTreeMap::new();
            for call in calls.iter().filter(|call| is_known(call)) {
                let like = likes.entry(call.traits.known_before()).or_default();
                *like.entry(call.traits.clone()).or_default() += 1;
            }
            likes
        }))
    }

    /// Where the calls of `arm` have their places, asked in the order of time.
    pub(super) const fn places(&self, arm: usize) -> Places<'_> {
        Places {
            likes: self,
            arm,
            placed: BTreeMap::new(),
        }
    }
}

/// Whether both are known that only an answer tells: how much of the prompt was read from a cache,
/// and whether the connection was there. An answer whose provider counts no cache reads none.
const fn is_known(call: &Call) -> bool {
    let answered = !matches!(call.failed, Some(true));
    answered || (call.connected && call.cached_read.is_some())
}

/// Places of the calls of one arm.
#[derive(Debug)]
pub(super) struct Places<'a> {
    likes: &'a Likes,
    arm: usize,
    /// Failures placed so far among each of the counts.
    placed: BTreeMap<(Traits, Option<bool>), BTreeMap<Traits, usize>>,
}

impl Places<'_> {
    /// The traits of `call`. A failure of which they are not known is placed among the answers of
    /// its arm that are like it in what was known before, evenly by how many they are; where there
    /// is none, among those of the other arm.
    pub(super) fn of(&mut self, call: &Call) -> Traits {
        if is_known(call) {
            return call.traits.clone();
        }
        let before = call.traits.known_before();
        let arms = [self.arm, 1 - self.arm];
        // Where the request went out, it is known of the connection how it was.
        let reused = call.connected.then_some(call.traits.reused);
        let counts = arms
            .iter()
            .filter_map(|arm| self.likes.0[*arm].get(&before))
            .find_map(|counts| {
                let fits = |of: &Traits| reused.is_none_or(|reused| of.reused == reused);
                let fitting = counts.iter().filter(|(of, _)| fits(of));
                let fitting: Vec<(&Traits, usize)> = fitting.map(|(of, n)| (of, *n)).collect();
                (!fitting.is_empty()).then_some(fitting)
            });
        let Some(counts) = counts else {
            return call.traits.clone();
        };
        let placed = self.placed.entry((before, reused)).or_default();
        // The place that has got least of what is its part.
        let due = |(of, count): &&(&Traits, usize)| {
            let had = placed.get(*of).copied().unwrap_or(0);
            (had + 1) as f64 / *count as f64
        };
        let next = counts.iter().min_by(|one, other| {
            let [one, other] = [due(one), due(other)];
            one.total_cmp(&other)
        });
        let next = next.map_or_else(|| call.traits.clone(), |(of, _)| (*of).clone());
        *placed.entry(next.clone()).or_default() += 1;
        next
    }
}
