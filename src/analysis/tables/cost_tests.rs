//! Tests the cost columns on rows made by hand.

use super::super::routes::tests::{ended, stream};
use super::*;
use crate::record::Origin;

fn row(cost: Result<u64, Option<NoCost>>, billed: Option<u64>) -> Row {
    Row {
        cost: cost.ok().map(PicoDollars),
        no_cost: cost.err().flatten(),
        cost_billed: billed.map(PicoDollars),
        origin: Origin::Live,
        ..stream(100)
    }
}

const DOLLAR: u64 = 1_000_000_000_000;

#[test]
fn nothing_costs_nothing_and_says_so() {
    let empty = CostColumns::default();
    for number in [
        empty.dollars(),
        empty.dollars_per_thousand(),
        empty.dollars_per_success(),
        empty.overhead_cost(),
        empty.overhead_attempts(),
        empty.computed_to_billed(),
        empty.unpriced().fraction(),
    ] {
        assert_eq!(number, None);
    }
}

#[test]
fn costs_are_summed_and_shared() {
    let mut columns = CostColumns::default();
    columns.add(&row(Ok(DOLLAR), None));
    columns.add(&row(Ok(2 * DOLLAR), None));
    columns.add(&Row {
        cost: Some(PicoDollars(DOLLAR)),
        ..ended(Outcome::Truncated, None)
    });
    // A refusal is free, and an exchange all the same.
    columns.add(&Row {
        cost: Some(PicoDollars(0)),
        ..ended(Outcome::RateLimited, None)
    });
    columns.add_lost(Some(PicoDollars(DOLLAR)));
    columns.add_lost(None);
    assert_eq!(columns.dollars(), Some(4.0));
    assert_eq!(columns.dollars_per_thousand(), Some(1_000.0));
    assert_eq!(columns.dollars_per_success(), Some(2.0));
    assert_eq!(columns.overhead_cost(), Some(4.0 / 3.0));
    assert_eq!(columns.overhead_attempts(), Some(1.5));
    assert_eq!(columns.unpriced(), Share::of(0, 4));
}

#[test]
fn unknown_costs_are_in_no_amount_and_counted_by_reason() {
    let mut columns = CostColumns::default();
    columns.add(&row(Ok(DOLLAR), None));
    columns.add(&row(Err(Some(NoCost::NoPrice)), None));
    columns.add(&row(Err(Some(NoCost::NoPrice)), None));
    columns.add(&row(Err(Some(NoCost::UsageUnknown)), None));
    columns.add(&row(Err(None), None));
    // What asked nobody for a model has no cost to be unknown.
    columns.add(&row(Err(Some(NoCost::NoModelCall)), None));
    columns.add(&Row {
        provider: 0,
        ..row(Err(Some(NoCost::NotAsked)), None)
    });
    assert_eq!(columns.dollars_per_thousand(), Some(1_000.0));
    assert_eq!(columns.unpriced(), Share::of(4, 5));
    assert_eq!(columns.unexplained, 1);
    let reasons: Vec<_> = columns.unpriced_by_reason().collect();
    assert_eq!(reasons, [(NoCost::NoPrice, 2), (NoCost::UsageUnknown, 1)]);
    assert_eq!(columns.overhead_cost(), Some(1.0));
}

#[test]
fn computed_is_compared_with_billed_where_both_are_known() {
    let mut columns = CostColumns::default();
    columns.add(&row(Ok(3 * DOLLAR), Some(2 * DOLLAR)));
    columns.add(&row(Ok(DOLLAR), None));
    columns.add(&row(Err(Some(NoCost::PriceUnknown)), Some(5 * DOLLAR)));
    assert_eq!(columns.computed_to_billed(), Some(1.5));
    assert_eq!((columns.both, columns.billed_count), (1, 2));
    assert_eq!(columns.billed, 7 * DOLLAR);
    assert_eq!(columns.dollars(), Some(4.0));
}

#[test]
fn failures_without_a_success_have_no_price_per_success() {
    let mut columns = CostColumns::default();
    columns.add(&Row {
        cost: Some(PicoDollars(DOLLAR)),
        ..ended(Outcome::Truncated, None)
    });
    assert_eq!(columns.dollars_per_success(), None);
    assert_eq!(columns.dollars(), Some(1.0));
}

#[test]
fn sets_are_merged_without_regard_to_order() {
    let rows = [
        row(Ok(DOLLAR), Some(DOLLAR)),
        row(Ok(7), None),
        row(Err(Some(NoCost::PerHour)), None),
        row(Err(None), Some(3)),
        row(Ok(u64::MAX), None),
    ];
    let of = |rows: &[Row]| {
        let mut columns = CostColumns::default();
        rows.iter().for_each(|row| columns.add(row));
        columns
    };
    for at in 0..=rows.len() {
        let (left, right) = rows.split_at(at);
        let mut merged = of(right);
        merged.merge(&of(left));
        assert_eq!(merged, of(&rows), "{at}");
    }
}
