//! Adds to the report `cost` what is to be expected: spend by the day, a projection with its
//! interval, and what routes cost that are paid by the hour.

use std::collections::BTreeMap;
use std::ops::Range;

use super::call::Call;
use super::figures::{ends, spent};
use crate::analysis::paper::{Cell, Chart, Column, Head, Line, Paper, Plot, Sheet, Source, Unit};
use crate::analysis::render::paper::number;
use crate::analysis::render::units::minute;
use crate::analysis::tables::Window;
use crate::record::{Nanos, PicoDollars, WallTime};
use crate::routing::pricing::Hosting;
use crate::statistics::interval::special::student_two_sided;
use crate::statistics::interval::{ALPHA, Estimate, Interval, design_effect};

/// Microseconds of a minute, an hour and a day.
const MINUTE: i64 = 60_000_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
/// Windows up to this long are told by the hour.
const HOURLY: i64 = 3 * DAY;
/// Whole steps that a projection needs.
const STEPS_MIN: usize = 4;
/// The part of the first step, one of so many, that may be before the first request.
const UNSEEN_MAX: i64 = 60;
/// Days of a projection.
const MONTH_DAYS: f64 = 30.0;

/// The end of what can have been seen: of a window that is not over, when the report was made.
fn now(head: &Head) -> WallTime {
    head.window.until.min(head.made)
}

/// What stands where of a sample's part of something the whole is not known.
const SAMPLED: &str = "not of a sample";

/// Of how many records one was read, where not all were.
fn one_in(head: &Head) -> Option<f64> {
    match head.source {
        Source::Sample { share, .. } => Some(share.one_in()),
        Source::Records | Source::Rollups => None,
    }
}

/// What was spent in each whole step of a window.
struct Spend {
    /// Length of a step, and the beginning of each with its sum; steps without any included. Of a
    /// sample each sum is what it came to, over the chance of each of its slices.
    step: i64,
    sums: Vec<(i64, f64)>,
    /// Of how many records one was read, where not all were.
    one_in: Option<f64>,
}

/// What was spent when, and how much each provider was asked.
#[derive(Debug, Default)]
pub(super) struct Outlay {
    /// Beginnings in microseconds with the dollars spent then; of what has no price nothing.
    each: Vec<(i64, f64)>,
    /// When the first request came, with a price or without, at the latest and at the earliest.
    begun: Option<(i64, i64)>,
    /// Requests by provider, and how many there were in its busiest minute, where that is known.
    asked: BTreeMap<String, (u64, Option<u64>)>,
}

impl Outlay {
    /// Of calls.
    pub(super) fn of(calls: &[Call]) -> Self {
        let mut minutes: BTreeMap<&str, BTreeMap<i64, u64>> = BTreeMap::new();
        for call in calls {
            let of = minutes.entry(call.provider.as_str()).or_default();
            *of.entry(call.started.0.div_euclid(MINUTE)).or_default() += 1;
        }
        let asked = minutes.into_iter().map(|(provider, of)| {
            let busiest = of.values().copied().max();
            (provider.to_owned(), (of.values().sum(), busiest))
        });
        Self {
            each: calls
                .iter()
                .filter_map(|call| Some((call.started.0, spent(call)?)))
                .collect(),
            begun: calls
                .iter()
                .map(|call| call.started.0)
                .min()
                .map(|at| (at, at)),
            asked: asked.collect(),
        }
    }

    /// Of roll-ups: adds that of `span`, of `provider`, of `requests` that cost so much. Their
    /// busiest minute is not known where they are of hours, and their first request came at the
    /// end of the span at the latest.
    pub(super) fn add(
        &mut self,
        span: &Range<WallTime>,
        provider: &str,
        requests: u64,
        cost: PicoDollars,
    ) {
        let (latest, earliest) = (span.end.0 - 1, span.start.0);
        let (late, early) = self.begun.unwrap_or((latest, earliest));
        self.begun = Some((late.min(latest), early.min(earliest)));
        self.asked.entry(provider.to_owned()).or_default().0 += requests;
        self.each.push((span.start.0, cost.as_dollars()));
    }
}

/// Adds it to `paper`, which is of `outlay`.
pub(super) fn add(paper: &mut Paper, outlay: &Outlay) {
    let head = &paper.head;
    let spend = Spend::of(outlay, head);
    let hosted = hosting(outlay, head);
    let projected = spend.projected(MONTH_DAYS * DAY as f64);
    if let Ok(found) = &projected {
        paper.findings.push(format!(
            "At this pace 30 days come to {} {} (prediction, 95 %, from {}{} {}s).",
            number(found.value, Unit::Dollars),
            ends(found.interval, Unit::Dollars),
            if spend.one_in.is_some() {
                "a sample of "
            } else {
                ""
            },
            spend.sums.len(),
            spend.word(),
        ));
    }
    paper.sheets.push(spend.sheet(outlay, head));
    if !hosted.rows.is_empty() {
        paper.sheets.push(hosted);
    }
    paper.charts.extend(spend.chart());
    paper.notes.push(format!(
        "A projection takes the {}s of this window as draws of those to come: their mean times \
         how many there will be, and an interval that holds what they will sum to (Student's t, \
         widened by the design effect of their order in time). It knows no growth, no weekend that \
         the window did not see, and no price to come.",
        spend.word()
    ));
    if let Some(one_in) = spend.one_in {
        paper.notes.push(format!(
            "Spend by the {}, and what is projected, is of the whole window: what the sample came \
             to, times {}. How far that may be off is in the interval, for the {}s that were \
             drawn more or less of differ by it.",
            spend.word(),
            number(one_in, Unit::Number),
            spend.word()
        ));
    }
}

impl Spend {
    fn of(outlay: &Outlay, head: &Head) -> Self {
        let window = Window {
            until: now(head),
            ..head.window
        };
        let step = if window.until.0 - window.from.0 <= HOURLY {
            HOUR
        } else {
            DAY
        };
        // Steps that the window cuts would seem cheap.
        let first = window.from.0.div_euclid(step) + i64::from(window.from.0.rem_euclid(step) > 0);
        let after = window.until.0.div_euclid(step);
        // What was before the first request is not known to have been idle: of its own step only a
        // part may have been seen.
        let begun = outlay.begun.map(|(begun, _)| {
            let seen_whole = begun.rem_euclid(step) <= step / UNSEEN_MAX;
            begun.div_euclid(step) + i64::from(!seen_whole)
        });
        let first = begun.map_or(after, |begun| first.max(begun));
        let mut sums: BTreeMap<i64, f64> = (first..after).map(|at| (at, 0.0)).collect();
        for (at, cost) in &outlay.each {
            if let Some(sum) = sums.get_mut(&at.div_euclid(step)) {
                *sum += cost;
            }
        }
        let one_in = one_in(head);
        let whole = |(at, sum): (i64, f64)| (at * step, sum * one_in.unwrap_or(1.0));
        Self {
            step,
            sums: sums.into_iter().map(whole).collect(),
            one_in,
        }
    }

    const fn word(&self) -> &'static str {
        if self.step == HOUR { "hour" } else { "day" }
    }

    /// What `span` microseconds to come will cost: `k m ± t s √(deff (k + k²/n))` for `k` steps.
    fn projected(&self, span: f64) -> Result<Estimate, String> {
        let count = self.sums.len();
        if count < STEPS_MIN {
            return Err(format!(
                "needs {STEPS_MIN} whole {}s, has {count}",
                self.word()
            ));
        }
        let values: Vec<f64> = self.sums.iter().map(|(_, sum)| *sum).collect();
        let n = count as f64;
        let mean = values.iter().sum::<f64>() / n;
        if mean <= 0.0 {
            return Err("no price".to_owned());
        }
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        let deviation = (squares / (n - 1.0)).sqrt();
        let steps = span / self.step as f64;
        let spread = (design_effect(&values) * (steps + steps * steps / n)).sqrt();
        let reach = student_quantile(n - 1.0) * deviation * spread;
        Ok(Estimate {
            value: steps * mean,
            interval: Interval {
                low: (steps * mean - reach).max(0.0),
                high: steps * mean + reach,
            },
        })
    }

    fn sheet(&self, outlay: &Outlay, head: &Head) -> Sheet {
        let mut sheet = Sheet::new(
            "projection",
            "Actual against projected spend",
            vec![
                Column::words("span", "span"),
                Column::new("actual", "spent so far", Unit::Dollars),
                Column::new("rest", "to come", Unit::Dollars),
                Column::new("projected", "projected", Unit::Dollars),
            ],
        );
        let cell = |found: &Result<Estimate, String>| match found {
            Ok(found) => Cell::estimate(found),
            Err(why) => Cell::absent(why),
        };
        let month = self.projected(MONTH_DAYS * DAY as f64);
        sheet.rows.push(vec![
            Cell::text("30 days at this pace"),
            Cell::absent(""),
            cell(&month),
            cell(&month),
        ]);
        let (begun, end) = month_of(now(head));
        let since = outlay.each.iter().filter(|(at, _)| *at >= begun.0);
        let actual: f64 = since.map(|(_, cost)| cost).sum();
        let unseen = match self.one_in {
            Some(_) => Some(SAMPLED),
            None if head.window.from > begun => Some("the window begins after the month did"),
            None => None,
        };
        let rest = self.projected((end.0 - now(head).0).max(0) as f64);
        let whole = rest.clone().map(|rest| Estimate {
            value: rest.value + actual,
            interval: Interval {
                low: rest.interval.low + actual,
                high: rest.interval.high + actual,
            },
        });
        let whole = match unseen {
            None => whole,
            Some(SAMPLED) => Err(SAMPLED.to_owned()),
            Some(why) => Err(format!("{why}: choose a longer --since")),
        };
        sheet.rows.push(vec![
            Cell::text(format!("month to {}", minute(end))),
            unseen.map_or(Cell::Value(actual), Cell::absent),
            cell(&rest),
            cell(&whole),
        ]);
        sheet
    }

    fn chart(&self) -> Option<Chart> {
        let (first, last) = (self.sums.first()?.0, self.sums.last()?.0);
        if self.sums.len() < 2 || self.sums.iter().all(|(_, sum)| *sum <= 0.0) {
            return None;
        }
        let x = (first as f64, (last + self.step) as f64);
        let middle = |at: i64| (at + self.step / 2) as f64;
        let label = |part: i64| minute(WallTime(first + (last + self.step - first) / 4 * part));
        Some(Chart {
            title: format!("Spend by the {}", self.word()),
            unit: Unit::Dollars,
            plot: Plot::Lines {
                lines: vec![Line {
                    name: "spent".to_owned(),
                    points: self
                        .sums
                        .iter()
                        .map(|(at, sum)| (middle(*at), Some(*sum)))
                        .collect(),
                    band: Vec::new(),
                }],
                labels: (0..=4).map(|part| label(part)[5..16].to_owned()).collect(),
                x,
                marks: Vec::new(),
            },
            note: format!(
                "Known cost of the requests begun in each; what has no price is not in it.{}",
                if self.one_in.is_some() {
                    " Of a sample, times what makes it the whole."
                } else {
                    ""
                }
            ),
        })
    }
}

/// The beginnings of the month of `at` and of the next.
fn month_of(at: WallTime) -> (WallTime, WallTime) {
    let text = WallTime(at.0 - 1).rfc3339();
    let part = |range: Range<usize>| text[range].parse::<i64>().unwrap_or(1);
    let (year, month) = (part(0..4), part(5..7));
    let (next_year, next) = if month == 12 {
        (year + 1, 1)
    } else {
        (year, month + 1)
    };
    let of = |year, month| WallTime::of_day(year, month, 1).unwrap_or(at);
    (of(year, month), of(next_year, next))
}

/// The t of which `α` lies beyond ± it, by halving.
fn student_quantile(freedom: f64) -> f64 {
    let (mut low, mut high) = (0.0, 1e3);
    for _ in 0..80 {
        let middle = f64::midpoint(low, high);
        if student_two_sided(middle, freedom) > ALPHA {
            low = middle;
        } else {
            high = middle;
        }
    }
    high
}

/// What routes that are paid by the hour cost each request, as used and at full use.
fn hosting(outlay: &Outlay, head: &Head) -> Sheet {
    let mut sheet = Sheet::new(
        "hosting",
        "Paid by the hour",
        vec![
            Column::words("provider", "provider"),
            Column::new("per_hour", "an hour", Unit::Dollars),
            Column::new("requests", "requests", Unit::Count),
            Column::new("busiest_minute", "in the busiest minute", Unit::Count),
            Column::new("cost_sum", "cost since the first request", Unit::Dollars),
            Column::new("cost_observed", "each as used", Unit::Dollars),
            Column::new("cost_at_full_use", "each at full use", Unit::Dollars),
        ],
    );
    // What was before the first request is not known to have been idle, or to have been at all.
    let from = outlay.begun.map_or(head.window.from.0, |(_, begun)| begun);
    let from = from.max(head.window.from.0);
    let span = (now(head).0 - from).max(0).unsigned_abs();
    // Of minutes a sample has parts, and of requests some.
    let untold = match head.source {
        Source::Sample { .. } => Some(SAMPLED),
        Source::Records | Source::Rollups => None,
    };
    for (provider, per_hour) in &head.hosted {
        let asked = outlay.asked.get(provider.as_str()).copied();
        // Nobody who asked nothing was busy.
        let (requests, busiest) = asked.unwrap_or((0, Some(0)));
        let seen = Hosting {
            per_hour: *per_hour,
            span: Nanos(span.saturating_mul(1_000)),
            requests,
            busiest_minute: busiest.unwrap_or(0),
        };
        let each = |cost: Option<PicoDollars>| {
            untold.map_or_else(
                || Cell::maybe(cost.map(PicoDollars::as_dollars), "no request"),
                Cell::absent,
            )
        };
        let no_minute = untold.or(busiest.is_none().then_some("not in roll-ups"));
        let of_minute = |cell: Cell| no_minute.map_or(cell, Cell::absent);
        sheet.rows.push(vec![
            Cell::text(provider.as_str()),
            Cell::Value(per_hour.as_dollars()),
            Cell::count(seen.requests),
            of_minute(Cell::count(seen.busiest_minute)),
            Cell::Value(seen.total().as_dollars()),
            each(seen.observed()),
            of_minute(each(seen.at_full_use())),
        ]);
    }
    sheet
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::paper::Chance;
    use crate::analysis::reports::Listed;
    use crate::analysis::reports::figures::nothing;
    use crate::analysis::reports::tests::{head, made_up};
    use crate::record::Name;

    /// A request every minute of a day, 60 an hour at a tenth of a cent.
    fn day() -> Vec<Call> {
        let call = |n: usize| Call {
            started: WallTime(n as i64 * MINUTE),
            ..made_up(n, 300.0)
        };
        (0..24 * 60).map(call).collect()
    }

    fn sheet<'a>(paper: &'a Paper, key: &str) -> &'a Sheet {
        paper.sheets.iter().find(|sheet| sheet.key == key).unwrap()
    }

    #[test]
    fn an_even_pace_is_projected_without_doubt_and_an_uneven_one_with_some() {
        let paper = Listed::Cost.paper(&day(), head());
        let even = &sheet(&paper, "projection").rows[0][3];
        let Cell::Estimate { value, low, high } = even else {
            panic!("{even:?}");
        };
        // Six cents an hour for 720 hours.
        assert!((value - 43.2).abs() < 1e-6, "{value}");
        assert!((high.unwrap() - low.unwrap()).abs() < 1e-6);
        let uneven: Vec<Call> = day()
            .into_iter()
            .map(|call| Call {
                cost: Some(if call.started.0.div_euclid(HOUR) % 2 == 0 {
                    0.002
                } else {
                    0.0
                }),
                ..call
            })
            .collect();
        let paper = Listed::Cost.paper(&uneven, head());
        let Cell::Estimate { value, low, high } = &sheet(&paper, "projection").rows[0][3] else {
            panic!("an estimate");
        };
        assert!((value - 43.2).abs() < 1e-6, "{value}");
        assert!(
            low.unwrap() < 40.0 && high.unwrap() > 46.0,
            "{low:?} {high:?}"
        );
        assert!(
            paper
                .findings
                .iter()
                .any(|finding| finding.contains("30 days come to $43.2")),
            "{:?}",
            paper.findings
        );
    }

    #[test]
    fn an_hour_of_which_a_part_was_seen_is_none_and_neither_is_one_to_come() {
        let projection = |calls: &[Call], of: Head| {
            let paper = Listed::Cost.paper(calls, of);
            let rows = &sheet(&paper, "projection").rows;
            (rows[0][3].number().unwrap(), rows[1][0].clone())
        };
        let whole = projection(&day(), head());
        // The first request at ten to one: six cents an hour all the same.
        let late = projection(&day()[50..], head());
        assert!((late.0 - 43.2).abs() < 1e-6, "{late:?}");
        // Up to the end of next month, of which only a day has been.
        let mut of = head();
        of.window.until = WallTime(40 * DAY);
        assert_eq!(projection(&day(), of), whole);
    }

    #[test]
    fn a_sample_is_projected_as_the_whole_that_it_is_of() {
        let mut of = head();
        of.source = Source::Sample {
            share: Chance(250_000),
            slices: 360,
            seed: 1,
        };
        of.hosted = vec![(Name::from("openai"), PicoDollars(6_000_000_000_000))];
        // Slices of a minute, of which each fourth is drawn, an hour more or less of them.
        let mut drawn = crate::statistics::compare::Random::new(7);
        let calls: Vec<Call> = day().into_iter().filter(|_| drawn.below(4) == 0).collect();
        let paper = Listed::Cost.paper(&calls, of);
        let rows = &sheet(&paper, "projection").rows;
        let Cell::Estimate { low, high, .. } = rows[0][3] else {
            panic!("{:?}", rows[0][3]);
        };
        // Of the whole it is $43.20, of the sample a fourth.
        assert!(
            low.unwrap() < 43.2 && high.unwrap() > 43.2 && low.unwrap() > 25.0,
            "seed 7: {low:?} {high:?}"
        );
        assert!(
            paper
                .findings
                .iter()
                .any(|said| said.contains("from a sample of 24 hours")),
            "{:?}",
            paper.findings
        );
        let unknown = Cell::absent("not of a sample");
        assert_eq!((&rows[1][1], &rows[1][3]), (&unknown, &unknown));
        let hosted = &sheet(&paper, "hosting").rows[0];
        assert_eq!([&hosted[3], &hosted[5], &hosted[6]], [&unknown; 3]);
        let Plot::Lines { lines, .. } = &paper.charts.last().unwrap().plot else {
            panic!("lines");
        };
        let drawn: f64 = lines[0].points.iter().filter_map(|(_, sum)| *sum).sum();
        assert!((drawn - 1.44).abs() < 0.15, "{drawn}");
    }

    #[test]
    fn an_hour_is_of_the_time_that_was_seen() {
        // Six hours of requests in a window of a day: nobody knows of the eighteen before.
        let late: Vec<Call> = day().split_off(18 * 60);
        let mut of = head();
        of.hosted = vec![(Name::from("openai"), PicoDollars(6_000_000_000_000))];
        let paper = Listed::Cost.paper(&late, of);
        let hosted = &sheet(&paper, "hosting").rows[0];
        assert!(
            (hosted[4].number().unwrap() - 36.0).abs() < 1e-9,
            "{hosted:?}"
        );
        assert!(
            (hosted[5].number().unwrap() - 0.1).abs() < 1e-9,
            "{hosted:?}"
        );
    }

    #[test]
    fn a_month_that_was_not_seen_whole_is_not_told() {
        let mut of = head();
        of.window.from = WallTime(HOUR);
        let paper = Listed::Cost.paper(&day(), of);
        let row = &sheet(&paper, "projection").rows[1];
        assert_eq!(row[0], Cell::text("month to 1970-02-01 00:00 UTC"));
        assert!(matches!(&row[3], Cell::Absent(why) if why.contains("begins after the month")));
        let whole = Listed::Cost.paper(&day(), head());
        let row = &sheet(&whole, "projection").rows[1];
        assert!((row[1].number().unwrap() - 1.44).abs() < 1e-9);
        // A day is spent, thirty are to come.
        assert!((row[3].number().unwrap() - 1.44 * 31.0).abs() < 1e-6);
    }

    #[test]
    fn an_hour_is_shared_by_the_requests_that_came() {
        let mut of = head();
        of.hosted = vec![
            (Name::from("openai"), PicoDollars(6_000_000_000_000)),
            (Name::from("idle"), PicoDollars(1_000_000_000_000)),
        ];
        let paper = Listed::Cost.paper(&day(), of);
        let rows = &sheet(&paper, "hosting").rows;
        // 144 dollars for 1,440 requests, and at one a minute the same.
        assert!((rows[0][5].number().unwrap() - 0.1).abs() < 1e-9);
        assert!((rows[0][6].number().unwrap() - 0.1).abs() < 1e-9);
        assert_eq!(rows[1][5], Cell::absent("no request"));
        assert!((rows[1][4].number().unwrap() - 24.0).abs() < 1e-9);
    }

    #[test]
    fn roll_ups_are_projected_as_their_records_are() {
        let calls = day();
        let mut rolled = Outlay::default();
        for hour in calls.chunks(60) {
            let cost = PicoDollars(60 * 1_000_000_000);
            let from = hour[0].started;
            rolled.add(&(from..WallTime(from.0 + HOUR)), "openai", 60, cost);
        }
        let [of_records, of_rollups] = [Outlay::of(&calls), rolled].map(|outlay| {
            let mut of = head();
            of.hosted = vec![(Name::from("openai"), PicoDollars(6_000_000_000_000))];
            let mut paper = nothing("cost", "Cost", of, "");
            paper.findings.clear();
            add(&mut paper, &outlay);
            paper
        });
        let rows = |paper: &Paper, key| sheet(paper, key).rows.clone();
        for (one, other) in [0, 1].into_iter().flat_map(|row: usize| {
            let of = |paper: &Paper| rows(paper, "projection")[row].clone();
            of(&of_records).into_iter().zip(of(&of_rollups))
        }) {
            match (one.number(), other.number()) {
                (Some(one), Some(other)) => assert!((one - other).abs() < 1e-9, "{one} {other}"),
                _ => assert_eq!(one, other),
            }
        }
        // When in its hour the first request came is not in roll-ups.
        let said = |paper: &Paper| paper.findings[0].clone();
        assert!(
            said(&of_records).ends_with("95 %, from 24 hours)."),
            "{}",
            said(&of_records)
        );
        assert!(
            said(&of_rollups).ends_with("95 %, from 23 hours)."),
            "{}",
            said(&of_rollups)
        );
        assert_eq!(of_records.charts.len(), of_rollups.charts.len());
        let hosted = &rows(&of_rollups, "hosting")[0];
        assert_eq!(hosted[2], Cell::count(1_440));
        assert_eq!(hosted[3], Cell::absent("not in roll-ups"));
        assert!((hosted[5].number().unwrap() - 0.1).abs() < 1e-9);
        assert_eq!(hosted[6], Cell::absent("not in roll-ups"));
    }

    #[test]
    fn the_quantile_of_student_is_his() {
        for (freedom, expected) in [(3.0, 3.182_446), (23.0, 2.068_658), (1e6, 1.959_966)] {
            assert!(
                (student_quantile(freedom) - expected).abs() < 1e-5,
                "{freedom}"
            );
        }
    }
}
