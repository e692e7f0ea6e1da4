//! The report `cost`: what requests cost, what retries add, and what was computed against billed.

use super::call::Call;
use super::figures::{
    METHOD, NO_CALLS, Numbers, OBSERVATIONAL, Route, by_route, head, model_cell, named, nothing,
    numbers, price, spent,
};
use super::spend::{self, Outlay};
use super::sums::{Routes, Sums};
use crate::analysis::paper::{Bar, Cell, Chart, Column, Head, Paper, Plot, Sheet, Unit};
use crate::analysis::render::paper::number;
use crate::analysis::tables::Share;
use crate::record::{Outcome, PicoDollars};
use crate::statistics::interval::ALPHA;

const TITLE: &str = "Cost";

/// What a route cost.
struct Costs {
    route: Route,
    /// Tries, lost ones included.
    tries: u64,
    /// What each exchange cost.
    each: Numbers,
    /// Exchanges that it answered last.
    exchanges: u64,
    /// Those that ended well.
    well: u64,
    /// Those whose cost is known.
    priced: u64,
    /// Of those, the ones that ended well.
    priced_well: u64,
    /// Their cost, and the part of those that ended well.
    sum: f64,
    sum_well: f64,
    /// What lost tries cost that reported usage.
    sum_lost: f64,
    /// Tries after which another followed.
    lost: u64,
    /// Tries that failed and may be billed all the same.
    maybe_billed: u64,
    /// Exchanges with both costs, and the sums of either.
    both: u64,
    computed: f64,
    billed: f64,
    /// Exchanges with one of them only.
    billed_only: u64,
    computed_only: u64,
}

pub(super) fn paper(calls: &[Call], of: Head) -> Paper {
    let routes: Vec<Costs> = by_route(calls)
        .into_iter()
        .map(|(route, calls)| costs(route, &calls))
        .collect();
    told(&routes, head(of, METHOD), &Outlay::of(calls))
}

/// The same from roll-ups, with what was spent in each of them.
pub(super) fn rolled(routes: &Routes, outlay: &Outlay, of: Head) -> Paper {
    let routes: Vec<Costs> = routes
        .iter()
        .map(|(route, sums)| costs_rolled(route.clone(), sums))
        .collect();
    told(&routes, head(of, METHOD), outlay)
}

fn told(routes: &[Costs], of: Head, outlay: &Outlay) -> Paper {
    if routes.is_empty() {
        return nothing("cost", TITLE, of, NO_CALLS);
    }
    let mut paper = Paper {
        name: "cost",
        version: 1,
        title: TITLE.to_owned(),
        findings: findings(routes),
        head: of,
        sheets: vec![costs_sheet(routes), overhead(routes), reconciled(routes)],
        charts: forest(routes).into_iter().collect(),
        notes: vec![
            OBSERVATIONAL.to_owned(),
            "A cost is what the provider billed where its answer says so, else tokens times the \
             price table. Unknown is not zero: sums and means are of those whose cost is known, \
             and `with a price` says how many that is. Requests that were refused cost nothing, \
             which is no price of a request: they are not among those with a price."
                .to_owned(),
            "Per success is all known cost of the route over its known answers that ended well. \
             A lost try that reported its usage costs its own route, as a failure; of one that did \
             not, nobody here knows what was billed: `may be billed` counts those, and the overhead \
             in money is without them."
                .to_owned(),
        ],
    };
    spend::add(&mut paper, outlay);
    paper
}

fn costs_rolled(route: Route, sums: &Sums) -> Costs {
    let (all, dollars) = (sums.both(), |pico: u64| PicoDollars(pico).as_dollars());
    let further = &all.further;
    Costs {
        route,
        tries: sums.tries(),
        each: Numbers::unkept(),
        exchanges: all.exchanges(),
        well: all.outcome(Outcome::Ok),
        priced: further.spent_count,
        priced_well: further.spent_well_count,
        sum: dollars(further.spent),
        sum_well: dollars(further.spent_well),
        sum_lost: dollars(further.lost_spent),
        lost: all.lost,
        maybe_billed: further.maybe_billed,
        both: further.both,
        computed: dollars(further.both_computed),
        billed: dollars(further.both_billed),
        billed_only: further.billed.saturating_sub(further.both),
        computed_only: further.costed.saturating_sub(further.both),
    }
}

fn costs(route: Route, calls: &[&Call]) -> Costs {
    let only = |billed: bool| {
        let of = |call: &&&Call| {
            !call.lost && call.billed.is_some() == billed && call.cost.is_some() != billed
        };
        calls.iter().filter(of).count() as u64
    };
    let mut costs = Costs {
        route,
        tries: calls.len() as u64,
        each: numbers(calls, price),
        exchanges: 0,
        well: 0,
        priced: 0,
        priced_well: 0,
        sum: 0.0,
        sum_well: 0.0,
        sum_lost: 0.0,
        lost: 0,
        maybe_billed: 0,
        both: 0,
        computed: 0.0,
        billed: 0.0,
        billed_only: only(true),
        computed_only: only(false),
    };
    for call in calls {
        let well = !call.lost && call.outcome == Outcome::Ok;
        costs.maybe_billed += u64::from(call.maybe_billed && (call.lost || !well));
        if call.lost {
            costs.lost += 1;
            costs.sum_lost += spent(call).unwrap_or(0.0);
            continue;
        }
        costs.exchanges += 1;
        costs.well += u64::from(well);
        if let Some(cost) = spent(call) {
            costs.priced += 1;
            costs.sum += cost;
            if well {
                costs.priced_well += 1;
                costs.sum_well += cost;
            }
        }
        if let (Some(computed), Some(billed)) = (call.cost, call.billed) {
            costs.both += 1;
            costs.computed += computed;
            costs.billed += billed;
        }
    }
    costs
}

impl Costs {
    /// All that is known to have been spent there.
    fn all(&self) -> f64 {
        self.sum + self.sum_lost
    }

    /// The same, where anything is known.
    fn known(&self) -> Option<f64> {
        (self.priced > 0 || self.sum_lost > 0.0).then(|| self.all())
    }

    fn per_success(&self) -> Option<f64> {
        (self.priced_well > 0).then(|| self.all() / self.priced_well as f64)
    }
}

fn findings(routes: &[Costs]) -> Vec<String> {
    let sum: f64 = routes.iter().map(Costs::all).sum();
    let priced: u64 = routes.iter().map(|costs| costs.priced).sum();
    let all: u64 = routes.iter().map(|costs| costs.exchanges).sum();
    let share = |part: u64, whole: u64| {
        number(
            Share::of(part, whole).fraction().unwrap_or(0.0),
            Unit::Share,
        )
    };
    let mut findings = Vec::new();
    if priced == 0 {
        findings.push(format!(
            "No cost is known of {} exchanges: no price matches their models, and no answer says \
             what it was billed.",
            number(all as f64, Unit::Count)
        ));
    } else {
        findings.push(format!(
            "{} for {} exchanges with a price ({} of all): {} per 1,000.",
            number(sum, Unit::Dollars),
            number(priced as f64, Unit::Count),
            share(priced, all),
            number(sum / priced as f64 * 1e3, Unit::Dollars)
        ));
    }
    let most = routes
        .iter()
        .filter(|costs| costs.all() > 0.0)
        .max_by(|a, b| a.all().total_cmp(&b.all()));
    if let Some(most) = most.filter(|_| routes.len() > 1) {
        findings.push(format!(
            "Most was spent on {}: {} of the known cost.",
            named(&most.route),
            number(most.all() / sum, Unit::Share)
        ));
    }
    let (both, computed, billed) = routes.iter().fold((0, 0.0, 0.0), |sums, costs| {
        (
            sums.0 + costs.both,
            sums.1 + costs.computed,
            sums.2 + costs.billed,
        )
    });
    if both > 0 && computed > 0.0 {
        findings.push(format!(
            "Billed against computed, of {} exchanges with both: {} to {} ({}).",
            number(both as f64, Unit::Count),
            number(billed, Unit::Dollars),
            number(computed, Unit::Dollars),
            number(billed / computed, Unit::Times)
        ));
    }
    let without = routes
        .iter()
        .filter(|costs| costs.priced == 0 && costs.exchanges > 0);
    let names: Vec<String> = without.map(|costs| named(&costs.route)).collect();
    if priced > 0 && !names.is_empty() {
        findings.push(format!("Without any price: {}.", names.join(", ")));
    }
    findings
}

fn sheet(
    key: &'static str,
    title: &str,
    columns: Vec<Column>,
    routes: &[Costs],
    cells: impl Fn(&Costs) -> Vec<Cell>,
) -> Sheet {
    let names = [
        Column::words("model", "model"),
        Column::words("provider", "provider"),
    ];
    let mut sheet = Sheet::new(key, title, names.into_iter().chain(columns).collect());
    for costs in routes {
        let names = [model_cell(&costs.route.0), Cell::text(&costs.route.1)];
        sheet
            .rows
            .push(names.into_iter().chain(cells(costs)).collect());
    }
    sheet
}

fn costs_sheet(routes: &[Costs]) -> Sheet {
    let columns = vec![
        Column::new("exchanges", "exchanges", Unit::Count),
        Column::new("priced", "with a price", Unit::Share),
        Column::new("cost_sum", "cost", Unit::Dollars),
        Column::new("cost", "each (mean)", Unit::Dollars),
        Column::new("cost_p50", "each p50", Unit::Dollars),
        Column::new("cost_per_1000", "per 1,000", Unit::Dollars),
        Column::new("cost_per_success", "per success", Unit::Dollars),
    ];
    sheet("cost", "Cost", columns, routes, |costs| {
        let known = |value: Option<f64>| Cell::maybe(value, "no price");
        let each = (costs.priced > 0).then(|| costs.sum / costs.priced as f64);
        vec![
            Cell::count(costs.exchanges),
            Cell::share(Share::of(costs.priced, costs.exchanges)),
            known(costs.known()),
            known(each),
            costs.each.at(0.5),
            known(each.map(|each| each * 1e3)),
            known(costs.per_success()),
        ]
    })
}

fn overhead(routes: &[Costs]) -> Sheet {
    let columns = vec![
        Column::new("successes", "ended well", Unit::Count),
        Column::new("tries_per_success", "tries per success", Unit::Times),
        Column::new("lost", "lost tries", Unit::Count),
        Column::new("maybe_billed", "failed, may be billed", Unit::Count),
        Column::new("cost_of_failures", "cost of failures", Unit::Dollars),
        Column::new("overhead", "overhead in money", Unit::Times),
    ];
    sheet(
        "overhead",
        "Overhead of failures and retries",
        columns,
        routes,
        |costs| {
            let per_success = (costs.well > 0).then(|| costs.tries as f64 / costs.well as f64);
            let factor = (costs.sum_well > 0.0).then(|| costs.all() / costs.sum_well);
            vec![
                Cell::count(costs.well),
                Cell::maybe(per_success, "none ended well"),
                Cell::count(costs.lost),
                Cell::count(costs.maybe_billed),
                Cell::maybe(costs.known().map(|all| all - costs.sum_well), "no price"),
                Cell::maybe(factor, "no price"),
            ]
        },
    )
}

fn reconciled(routes: &[Costs]) -> Sheet {
    let columns = vec![
        Column::new("both", "with both", Unit::Count),
        Column::new("computed", "computed", Unit::Dollars),
        Column::new("billed", "billed", Unit::Dollars),
        Column::new("billed_over_computed", "billed / computed", Unit::Times),
        Column::new("billed_only", "billed only", Unit::Count),
        Column::new("computed_only", "computed only", Unit::Count),
    ];
    sheet(
        "reconciled",
        "Computed against billed",
        columns,
        routes,
        |costs| {
            let known =
                |value: f64| Cell::maybe((costs.both > 0).then_some(value), "none has both");
            let ratio = (costs.computed > 0.0).then(|| costs.billed / costs.computed);
            vec![
                Cell::count(costs.both),
                known(costs.computed),
                known(costs.billed),
                Cell::maybe(ratio, "none has both"),
                Cell::count(costs.billed_only),
                Cell::count(costs.computed_only),
            ]
        },
    )
}

fn forest(routes: &[Costs]) -> Option<Chart> {
    let bars: Vec<Bar> = routes
        .iter()
        .filter_map(|costs| {
            let found = costs.each.estimate(0.5, ALPHA).ok()?;
            let interval = found.interval;
            Some(Bar {
                name: named(&costs.route),
                value: found.value * 1e3,
                interval: interval
                    .is_finite()
                    .then_some((interval.low * 1e3, interval.high * 1e3)),
            })
        })
        .collect();
    (!bars.is_empty()).then(|| Chart {
        title: "Cost of 1,000 requests like the median one, with 95 % intervals".to_owned(),
        unit: Unit::Dollars,
        plot: Plot::Forest { bars, zero: 0.0 },
        note: "Further left is cheaper; requests differ in size from row to row.".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::reports::tests::{failing, head, made_up};

    #[test]
    fn overhead_and_reconciliation_are_of_what_is_known() {
        let mut calls: Vec<Call> = (0..8).map(|n| made_up(n, 300.0)).collect();
        calls[0].billed = Some(0.0012);
        calls[1].cost = None;
        calls.push(Call {
            cost: Some(0.001),
            ..failing(8)
        });
        calls.push(Call {
            lost: true,
            maybe_billed: true,
            ..failing(9)
        });
        let paper = paper(&calls, head());
        let cost = &paper.sheets[0].rows[0];
        assert_eq!(cost[2], Cell::count(9));
        assert_eq!(cost[3], Cell::share(Share::of(8, 9)));
        let near = |cell: &Cell, value: f64| {
            let found = cell.number().unwrap();
            assert!((found - value).abs() < 1e-9, "{found} {value}");
        };
        near(&cost[4], 0.0082);
        near(&cost[8], 0.0082 / 7.0);
        let overhead = &paper.sheets[1].rows[0];
        near(&overhead[3], 10.0 / 8.0);
        assert_eq!(overhead[4], Cell::count(1));
        assert_eq!(overhead[5], Cell::count(1));
        near(&overhead[7], 0.0082 / 0.0072);
        let both = &paper.sheets[2].rows[0];
        assert_eq!(both[2], Cell::count(1));
        near(&both[5], 1.2);
        assert_eq!(both[7], Cell::count(7));
        assert!(
            paper.findings[0].ends_with(" per 1,000."),
            "{:?}",
            paper.findings
        );
    }

    /// What a lost try cost is spent at its own route, and no price of the one that answered.
    #[test]
    fn a_lost_try_costs_its_own_route() {
        let mut calls: Vec<Call> = (0..10).map(|n| made_up(n, 300.0)).collect();
        calls.push(Call {
            lost: true,
            cost: Some(0.002),
            ..failing(10)
        });
        let paper = paper(&calls, head());
        let near = |cell: &Cell, value: f64| {
            let found = cell.number().unwrap();
            assert!((found - value).abs() < 1e-9, "{found} {value}");
        };
        let cost = &paper.sheets[0].rows[0];
        assert_eq!(cost[3], Cell::share(Share::of(10, 10)));
        near(&cost[4], 0.012);
        near(&cost[5], 0.001);
        near(&cost[8], 0.0012);
        let overhead = &paper.sheets[1].rows[0];
        near(&overhead[6], 0.002);
        near(&overhead[7], 1.2);
        assert_eq!(paper.sheets[2].rows[0][7], Cell::count(10));
    }
}
