//! Writes what is left of the budgets as text to be kept over a restart, and reads it again.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use serde_json::Error;

use super::hedge::HedgeBudget;
use super::retry::RetryBudget;
use crate::record::{Moment, Name, Nanos, PicoDollars, WallTime};

/// The version of the text.
const VERSION: u32 = 1;

/// The budgets of hedges or of shadows, by model.
pub type ByModel = HashMap<Name, HedgeBudget>;

/// The budgets as they were kept, as old as they are.
#[derive(Debug, Default)]
pub struct Budgets {
    /// Attempts beyond the first.
    pub retries: RetryBudget,
    /// Second requests beside slow ones.
    pub hedges: ByModel,
    /// Copies sent to other routes.
    pub shadows: ByModel,
    /// How old what was kept is.
    pub age: Nanos,
}

#[derive(Debug, Serialize, Deserialize)]
struct Shape {
    version: u32,
    /// Microseconds since 1970.
    at: i64,
    /// Slots of the last minute: how long ago in milliseconds, requests, retries.
    retries: Vec<(u64, u32, u32)>,
    hedges: Vec<BudgetShape>,
    shadows: Vec<BudgetShape>,
}

/// Model, what may still be sent, how old its day is in milliseconds, pico-dollars spent in it.
type BudgetShape = (String, f64, u64, u64);

/// The text of the budgets as of `now`, which is the date `at`.
pub fn write(
    retries: &RetryBudget,
    (hedges, shadows): (&ByModel, &ByModel),
    now: Moment,
    at: WallTime,
) -> Result<String, Error> {
    let list = |budgets: &ByModel| {
        let mut list: Vec<BudgetShape> = budgets
            .iter()
            .map(|(model, budget)| {
                let (tokens, since, spent) = budget.parts();
                let age = now.since(since).0 / 1_000_000;
                (model.as_str().to_owned(), tokens, age, spent.0)
            })
            .collect();
        list.sort_by(|one, other| one.0.cmp(&other.0));
        list
    };
    serde_json::to_string(&Shape {
        version: VERSION,
        at: at.0,
        retries: retries.slots(now),
        hedges: list(hedges),
        shadows: list(shadows),
    })
}

/// Reads such a text at `now`, which is the date `at`; absent where it is of no version known.
#[must_use]
pub fn read(text: &str, now: Moment, at: WallTime) -> Option<Budgets> {
    let shape: Shape = serde_json::from_str(text).ok()?;
    if shape.version != VERSION {
        return None;
    }
    // A date that ran back makes nothing younger.
    let age = Nanos((at.0.saturating_sub(shape.at)).max(0) as u64 * 1_000);
    let list = |shapes: &[BudgetShape]| {
        let budget = |(model, tokens, day_ms, spent): &BudgetShape| {
            let day = day_ms.saturating_mul(1_000_000).saturating_add(age.0);
            // A day that began before this run's clock did ends a little later for that.
            let since = Moment(now.0.saturating_sub(day));
            let budget = HedgeBudget::of_parts(*tokens, since, PicoDollars(*spent))?;
            Some((model.as_str().into(), budget))
        };
        shapes.iter().filter_map(budget).collect()
    };
    Some(Budgets {
        retries: RetryBudget::of_slots(&shape.retries, age, now),
        hedges: list(&shape.hedges),
        shadows: list(&shape.shadows),
        age,
    })
}

#[cfg(test)]
mod tests {
    use super::super::{HedgeTerms, RetryTerms};
    use super::*;

    const SECOND: u64 = 1_000_000_000;
    const CENT: Option<PicoDollars> = Some(PicoDollars(10_000_000_000));

    fn date(seconds: i64) -> WallTime {
        WallTime(seconds * 1_000_000)
    }

    #[test]
    fn a_restart_gives_nothing_back_that_was_spent() {
        let now = Moment(200_000 * SECOND);
        let retry = RetryTerms {
            share: 0.2,
            always: 3,
        };
        let mut retries = RetryBudget::default();
        (0..100).for_each(|_| retries.request(now));
        assert!((0..15).all(|_| retries.take(&retry, now)));
        let terms = HedgeTerms {
            cost_max: PicoDollars(20_000_000_000),
            ..HedgeTerms::default()
        };
        let mut hedge = HedgeBudget::default();
        (0..200).for_each(|_| hedge.request(&terms));
        assert!(hedge.take(&terms, CENT, CENT, now).is_some());
        let hedges: ByModel = [("m".into(), hedge)].into();
        let text = write(&retries, (&hedges, &ByModel::new()), now, date(1_000)).unwrap();
        // Another run, whose clock began later, 20 s after.
        let later = Moment(100_000 * SECOND);
        let mut found = read(&text, later, date(1_020)).unwrap();
        assert_eq!(found.age, Nanos(20 * SECOND));
        assert_eq!(found.retries.left(&retry, later), 5);
        let budget = found.hedges.get_mut(&Name::from("m")).unwrap();
        let taken = [(); 2].map(|()| budget.take(&terms, CENT, CENT, later).is_some());
        assert_eq!(taken, [true, false], "one cent is left, and no further one");
        assert!(found.shadows.is_empty());
        // A minute later retries are forgotten, a day later the money.
        let found = read(&text, later, date(1_061)).unwrap();
        assert_eq!(found.retries.left(&retry, later), 3);
        let mut found = read(&text, later, date(1_000 + 86_400)).unwrap();
        let budget = found.hedges.get_mut(&Name::from("m")).unwrap();
        let taken = [(); 2].map(|()| budget.take(&terms, CENT, CENT, later).is_some());
        assert_eq!(taken, [true, true]);
    }

    #[test]
    fn what_cannot_be_read_is_no_budget() {
        let now = Moment(5 * SECOND);
        for text in ["", "{}", r#"{"version":9}"#] {
            assert!(read(text, now, date(0)).is_none(), "{text}");
        }
        let text = r#"{"version":1,"at":0,"retries":[[1,4294967295,4294967295]],
            "hedges":[["m",1e999,0,0]],"shadows":[["m",-1.0,0,0]]}"#;
        assert!(read(text, now, date(0)).is_none(), "no number");
        let text = r#"{"version":1,"at":0,"retries":[[99999999999999,1,1]],
            "hedges":[],"shadows":[["m",-1.0,0,0]]}"#;
        let found = read(text, now, date(0)).unwrap();
        assert!(found.shadows.is_empty() && found.retries == RetryBudget::default());
    }
}
