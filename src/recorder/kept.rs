//! Writes what is known of the routes into the store, and takes it up again after a restart.

use std::ops::ControlFlow;

use crate::edge::store::{Grain, KeptText, StoreError, StoreReader};
use crate::record::{Moment, Origin, PicoDollars, WallTime};
use crate::routing::budget::keep;
use crate::routing::health::HealthTuning;
use crate::routing::kept;
use crate::routing::learned::LearnedTuning;
use crate::statistics::DEFINITIONS;

use super::addresses::Addresses;
use super::canaries::Canaries;
use super::handle::Recorder;
use super::spending::Spending;
use super::standing::{Board, Standing};

/// Under which names the store keeps them.
const ROUTING: &str = "routing";
const SPENDING: &str = "spending";
const BUDGETS: &str = "budgets";
const CANARIES: &str = "canaries";
const ADDRESSES: &str = "addresses";

/// What is known of the routes as it was kept, as old as it is `now`, a moment and its date.
/// What cannot be read is begun anew, and the log says so.
#[must_use]
pub fn restored(reader: &StoreReader, now: (Moment, WallTime)) -> Standing {
    let standing = Standing::default();
    let found = |name| match reader.kept(name) {
        Ok(KeptText::Found(text)) => Some(text),
        Ok(KeptText::Missing) => None,
        Ok(KeptText::Damaged) => {
            tracing::warn!("what was kept of {name} is damaged; it begins anew");
            None
        }
        Err(error) => {
            tracing::warn!(%error, "what was kept of {name} cannot be read; it begins anew");
            None
        }
    };
    let (routing, spending) = (found(ROUTING), found(SPENDING));
    let (budgets, canaries) = (found(BUDGETS), found(CANARIES));
    let addresses = found(ADDRESSES);
    let scores = reader.scores().unwrap_or_else(|error| {
        tracing::warn!(%error, "scores of routes cannot be read; none is known");
        Vec::new()
    });
    standing.with(|board| {
        scores.into_iter().for_each(|score| board.scores.add(score));
        if let Some(text) = routing {
            restore(board, &text, now);
        }
        if let Some(spending) = spending.as_deref().and_then(Spending::of_text) {
            board.spending = spending;
        }
        if let Some(text) = budgets {
            take_up(board, &text, now);
        }
        if let Some(text) = addresses {
            board.addresses = Addresses::of_text(&text);
        }
        match canaries.as_deref().map(Canaries::of_text) {
            Some(Some(canaries)) => board.canaries = canaries,
            Some(None) => {
                tracing::warn!("what was kept of canaries cannot be read; they begin anew");
            }
            None => {}
        }
    });
    standing
}

fn restore(board: &mut Board, text: &str, (now, wall): (Moment, WallTime)) {
    match kept::read(text) {
        Ok(kept) => {
            let tunings = (HealthTuning::default(), LearnedTuning::default());
            (board.health, board.learned) = kept.restore(tunings, now, wall);
            let seconds = kept.age(wall).as_secs().round();
            tracing::info!("what was known of the routes {seconds} s ago is taken up again");
        }
        Err(fault) => tracing::warn!(%fault, "routing begins anew"),
    }
}

/// What was spent of the budgets stays spent.
fn take_up(board: &mut Board, text: &str, (now, wall): (Moment, WallTime)) {
    let Some(budgets) = keep::read(text, now, wall) else {
        tracing::warn!("what was kept of the budgets cannot be read; they begin anew");
        return;
    };
    let seconds = budgets.age.as_secs().round();
    board.retries = budgets.retries;
    board.hedges = budgets.hedges;
    board.shadows = budgets.shadows;
    tracing::info!("what was left of the budgets {seconds} s ago is taken up again");
}

/// Writes what is known into the store; whether it is there. Blocks until the writer has done it.
pub fn write(recorder: &Recorder, standing: &Standing, now: (Moment, WallTime)) -> bool {
    let (at, wall) = now;
    let (texts, spending, addresses) = standing.with(|board| {
        let routing = kept::write(&board.health, &board.learned, at, wall);
        let lots = (&board.hedges, &board.shadows);
        let budgets = keep::write(&board.retries, lots, at, wall);
        let canaries = board.canaries.text();
        let texts = routing.and_then(|routing| Ok((routing, budgets?, canaries?)));
        (texts, board.spending.text(), board.addresses.text())
    });
    let (routing, budgets, canaries) = match texts {
        Ok(texts) => texts,
        Err(error) => {
            tracing::warn!(%error, "what is known of the routes cannot be written");
            return false;
        }
    };
    let written = recorder.with_store(move |store| {
        store.keep(ROUTING, &routing)?;
        store.keep(BUDGETS, &budgets)?;
        store.keep(CANARIES, &canaries)?;
        store.keep(ADDRESSES, &addresses)?;
        store.keep(SPENDING, &spending)
    });
    match written {
        Some(Ok(())) => true,
        Some(Err(error)) => {
            tracing::warn!(%error, "what is known of the routes was not kept");
            false
        }
        // The store takes nothing now, which is said elsewhere.
        None => false,
    }
}

/// How many probes the roll-ups say were sent since the day of `now` began, UTC, and what they
/// cost. Blocks for as long as reading takes.
pub fn probes(reader: &StoreReader, now: WallTime) -> Result<(u64, PicoDollars), StoreError> {
    let micros = now.0.rem_euclid(86_400_000_000);
    let range = WallTime(now.0 - micros)..now.plus_secs(1);
    let (mut count, mut cost) = (0, PicoDollars(0));
    reader.rollups(DEFINITIONS, Grain::Hour, range, |key, rollup| {
        if key.origin == Origin::Probe {
            count += rollup.exchanges();
            cost.0 = cost.0.saturating_add(rollup.cost);
        }
        ControlFlow::Continue(())
    })?;
    Ok((count, cost))
}

/// What the roll-ups say that the month of `now` has cost. Blocks for as long as reading takes.
pub fn spent(reader: &StoreReader, now: WallTime) -> Result<PicoDollars, StoreError> {
    let (year, month) = now.month();
    let Some(from) = WallTime::of_day(year, month, 1) else {
        return Ok(PicoDollars(0));
    };
    let mut sum = PicoDollars(0);
    let range = from..now.plus_secs(1);
    reader.rollups(DEFINITIONS, Grain::Hour, range, |_, rollup| {
        sum.0 = sum.0.saturating_add(rollup.cost);
        ControlFlow::Continue(())
    })?;
    Ok(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_read_leaves_routing_as_new() {
        let mut board = Board::default();
        let now = (Moment(5), WallTime(7));
        for text in ["", "{}", r#"{"version":99}"#] {
            restore(&mut board, text, now);
            assert_eq!(board.health.routes().count(), 0, "{text}");
        }
    }
}
