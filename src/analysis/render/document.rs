//! Lays a report out as tables and notes, for whatever writes text.

use crate::analysis::paper::{Bar, Chart, Plot, Unit};
use crate::analysis::tables::{
    Costs, Exclusion, OutcomeCounts, RouteName, RouteReport, RoutesReport, Share, Spread,
};
use crate::record::TokenSource;
use crate::statistics::DEFINITIONS;
use crate::statistics::sketch::RELATIVE_ERROR;

use super::units::{
    BRIEF, BRIEF_SAID, NOTHING, between, dollars, figure, length, minute, percent, percent_of,
    plain, rate, short, span, thousands, three_digits,
};

/// A report laid out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Document {
    /// What it is.
    pub(super) title: String,
    /// Its tables.
    pub(super) sheets: Vec<Sheet>,
    /// What must be known to read it.
    pub(super) notes: Vec<String>,
}

/// A table whose cells have lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sheet {
    /// What it shows.
    pub(super) title: String,
    /// How many of the first columns name a row: a table too wide is parted, and each part has
    /// them. With none it is squeezed.
    pub(super) names: usize,
    /// Its columns' names.
    pub(super) columns: Vec<&'static str>,
    /// Its rows.
    pub(super) rows: Vec<Vec<Lines>>,
}

/// Characters of a name that are shown; the machine-readable formats have it whole.
const NAME_CHARS_MAX: usize = 60;

/// The lines of a cell.
pub(super) type Lines = Vec<String>;

/// The report `routes` laid out.
pub(super) fn routes(report: &RoutesReport) -> Document {
    let head = &report.head;
    let window = format!(
        "{} to {} ({})",
        minute(head.window.from),
        minute(head.window.until),
        length(head.window.seconds())
    );
    Document {
        title: format!(
            "Routes, {window}, {} traffic, {} exchanges",
            head.origin,
            thousands(report.taken)
        ),
        sheets: vec![timing(report), sureness(report), usage(report)],
        notes: notes(report),
    }
}

fn timing(report: &RoutesReport) -> Sheet {
    Sheet {
        title: "Latency and failures".to_owned(),
        names: 0,
        columns: vec![
            "route",
            "exchanges",
            "failed",
            "",
            "first token",
            "first answer",
            "total",
            "tokens/s",
            "own delay",
        ],
        rows: report.routes.iter().map(timing_row).collect(),
    }
}

fn timing_row(route: &RouteReport) -> Vec<Lines> {
    let quantiles = ["p50", "p95", "p99"].map(str::to_owned).to_vec();
    vec![
        name(&route.route),
        vec![
            thousands(route.exchanges),
            format!("stream {}", short(route.streams)),
            format!("whole {}", short(route.exchanges - route.streams)),
        ],
        failed(route),
        quantiles,
        of_spread(&route.first_token, span),
        of_spread(&route.first_answer, span),
        of_spread(&route.total, span),
        of_spread(&route.output_rate, rate),
        of_spread(&route.own_delay, span),
    ]
}

/// The failure rate of exchanges, and that of all tries where more failed than exchanges did.
fn failed(route: &RouteReport) -> Lines {
    let mut lines = vec![percent(route.failure_rate)];
    if route.lost.failures > 0 {
        lines.push(format!("tries {}", percent(route.attempt_failure_rate)));
    }
    lines.extend([
        format!("limit {}", percent(route.rate_limited)),
        format!("key {}", percent(route.credential_faults)),
        format!("lost {}", short(route.lost.attempts)),
    ]);
    lines
}

fn sureness(report: &RoutesReport) -> Sheet {
    Sheet {
        title: "How sure that is: intervals of 95 %".to_owned(),
        names: 0,
        columns: vec!["route", "failed", "", "first token", "total", "tokens/s"],
        rows: report.routes.iter().map(sureness_row).collect(),
    }
}

fn sureness_row(route: &RouteReport) -> Vec<Lines> {
    let failed = route.failure_rate;
    let ends = failed.ends();
    vec![
        name(&route.route),
        vec![
            between(ends, percent_of),
            format!(
                "of {}{}",
                thousands(failed.whole),
                if failed.is_of_few_hours() { BRIEF } else { "" }
            ),
        ],
        ["p50", "p95", "p99", "n"].map(str::to_owned).to_vec(),
        ends_of(&route.first_token, span),
        ends_of(&route.total, span),
        ends_of(&route.output_rate, rate),
    ]
}

/// Why no exchange has a price, in words.
fn unpriced(costs: &Costs) -> String {
    costs.why_none().unwrap_or_default().replace('_', " ")
}

fn ends_of(spread: &Spread, write: fn(f64) -> String) -> Lines {
    let ends = [spread.p50_ends, spread.p95_ends, spread.p99_ends];
    let mut lines = ends.map(|ends| between(ends, write)).to_vec();
    let brief = if spread.few_hours && spread.count() > 0 {
        BRIEF
    } else {
        ""
    };
    lines.push(format!("{}{brief}", thousands(spread.count())));
    lines
}

/// The medians with their intervals, drawn for whoever reads HTML.
pub(super) fn charts(report: &RoutesReport) -> Vec<Chart> {
    let kinds: [(&str, Unit, f64, Medians); 3] = [
        ("Time to first token", Unit::Span, 1.0, |route| {
            &route.first_token
        }),
        ("Total", Unit::Span, 1.0, |route| &route.total),
        // Rates are kept in thousandths.
        ("Tokens/s", Unit::Rate, 1e-3, |route| &route.output_rate),
    ];
    let chart = |(name, unit, scale, of): (&str, Unit, f64, Medians)| {
        let bar = |route: &RouteReport| {
            let spread = of(route);
            Some(Bar {
                name: plain(&route.route.text()),
                value: spread.p50.value()? * scale,
                interval: spread
                    .p50_ends
                    .filter(|(_, high)| high.is_finite())
                    .map(|(low, high)| (low * scale, high * scale)),
            })
        };
        let bars: Vec<Bar> = report
            .routes
            .iter()
            .filter_map(bar)
            .take(ROUTES_DRAWN)
            .collect();
        (!bars.is_empty()).then(|| Chart {
            title: format!("{name}, p50 with 95 % intervals"),
            unit,
            plot: Plot::Forest { bars, zero: 0.0 },
            note: "The busiest routes, in the order of their requests. Failures count as \
                   infinitely long in times; routes saw different requests."
                .to_owned(),
        })
    };
    kinds.into_iter().filter_map(chart).collect()
}

/// The numbers of a route that are drawn.
type Medians = fn(&RouteReport) -> &Spread;

/// Routes drawn at most.
const ROUTES_DRAWN: usize = 20;

fn of_spread(spread: &Spread, write: fn(f64) -> String) -> Lines {
    [spread.p50, spread.p95, spread.p99]
        .map(|quantile| figure(quantile, write))
        .to_vec()
}

fn usage(report: &RoutesReport) -> Sheet {
    Sheet {
        title: "Tokens, cost and steadiness".to_owned(),
        names: 0,
        columns: vec![
            "route",
            "input",
            "output",
            "counted by",
            "cost",
            "each",
            "steadiness",
        ],
        rows: report.routes.iter().map(usage_row).collect(),
    }
}

fn usage_row(route: &RouteReport) -> Vec<Lines> {
    let tokens = &route.tokens;
    let known = route.exchanges > tokens.unknown;
    let count = |sum: u64| {
        if known {
            short(sum)
        } else {
            NOTHING.to_owned()
        }
    };
    let costs = &route.costs;
    let mut cost = vec![costs.dollars().map_or_else(|| unpriced(costs), dollars)];
    if costs.priced > 0 && costs.priced < route.exchanges {
        cost.push(format!(
            "of {} priced",
            percent(Share::of(costs.priced, route.exchanges))
        ));
    }
    if let Some(billed) = costs.billed_dollars() {
        cost.push(format!("billed {}", dollars(billed)));
    }
    vec![
        name(&route.route),
        vec![
            count(tokens.input),
            format!("cached {}", count(tokens.cached_read)),
        ],
        vec![
            count(tokens.output),
            format!("reasoning {}", count(tokens.reasoning)),
        ],
        sources(route),
        cost,
        vec![
            costs
                .dollars_each()
                .map_or_else(|| NOTHING.to_owned(), dollars),
        ],
        steadiness(route),
    ]
}

/// Of streams by their first token, of whole answers by their total.
fn steadiness(route: &RouteReport) -> Lines {
    let spread = if route.streams > 0 {
        &route.first_token
    } else {
        &route.total
    };
    vec![
        format!("IQR/p50 {}", figure(spread.iqr_over_median, three_digits)),
        format!("p95/p50 {}", figure(spread.p95_over_p50, three_digits)),
    ]
}

fn sources(route: &RouteReport) -> Lines {
    let Some(sources) = route.token_sources else {
        return vec!["not in roll-ups".to_owned()];
    };
    let counts = TokenSource::ALL.into_iter().zip(sources);
    let known = counts
        .filter(|(_, count)| *count > 0)
        .map(|(source, count)| {
            format!(
                "{} {}",
                source.name(),
                percent(Share::of(count, route.exchanges))
            )
        });
    let unknown = route.exchanges.saturating_sub(sources.iter().sum());
    let unknown =
        (unknown > 0).then(|| format!("unknown {}", percent(Share::of(unknown, route.exchanges))));
    known.chain(unknown).collect()
}

fn name(route: &RouteName) -> Lines {
    let mut lines = vec![clipped(&route.provider)];
    lines.extend(route.model.as_deref().map(clipped));
    let kind = route.kind.map(|kind| kind.name().to_owned());
    let region = route.region.as_deref().map(plain);
    let known: Vec<String> = kind.into_iter().chain(region).collect();
    if !known.is_empty() {
        lines.push(known.join(", "));
    }
    lines
}

/// A name that is safe to show, and no longer than a row can bear.
fn clipped(name: &str) -> String {
    let name = plain(name);
    match name.char_indices().nth(NAME_CHARS_MAX) {
        None => name,
        Some((end, _)) => format!("{}…", &name[..end]),
    }
}

fn notes(report: &RoutesReport) -> Vec<String> {
    let head = &report.head;
    let mut notes = Vec::new();
    if report.routes.is_empty() {
        notes.push("No exchange in this window reached a provider.".to_owned());
    }
    if let Some((first, last)) = report.span {
        notes.push(format!(
            "Exchanges from {} to {}.",
            minute(first),
            minute(last)
        ));
    }
    if report.further.routes > 0 {
        notes.push(format!(
            "{} further routes, of {} exchanges together, are left out here: `tollgate report \
             routes` has them all.",
            thousands(report.further.routes),
            thousands(report.further.exchanges)
        ));
    }
    let excluded = Exclusion::ALL.into_iter().zip(report.excluded);
    let excluded = listed(excluded.map(|(reason, count)| (reason.name(), count)));
    if let Some(excluded) = excluded {
        notes.push(format!(
            "Not in this report, of {} looked at: {excluded}.",
            thousands(report.scanned)
        ));
    }
    if let Some(unrouted) = outcomes(&report.unrouted) {
        notes.push(format!("Reached no provider: {unrouted}."));
    }
    for route in &report.routes {
        notes.extend(route_note(route));
    }
    if head.damaged > 0 {
        notes.push(format!(
            "{} damaged rows are missing: `tollgate db verify`.",
            head.damaged
        ));
    }
    if head.rolled {
        notes.push(format!(
            "From roll-ups of minutes and hours: counts and sums are exact, quantiles within ±{} \
             of the number itself. Why numbers are missing is not in roll-ups.",
            percent_of(RELATIVE_ERROR)
        ));
    }
    if head.lost_unread > 0 {
        notes.push(format!(
            "Lost attempts of {} further exchanges are not counted: choose a shorter window.",
            thousands(head.lost_unread)
        ));
    }
    notes.push(
        "Observational: routes saw different requests at different times. Failures count as \
         infinitely long (∞). `41 of 368` means that the quantile needs 368 numbers and has 41. \
         `failed` is of exchanges that ended well or by the route's fault; `limit` and `key` are \
         of all attempts; `lost` are attempts after which another route was tried; `tries` is the \
         rate with those of them that failed, which the quantiles have too, and which `report \
         models` calls failed."
            .to_owned(),
    );
    notes.push(
        "Intervals of quantiles are of two order statistics, exact, 95 %, of as many numbers as are \
         independent (those that came near each other, within a 24th of the whole or more, or within an hour, \
         may be alike: design effect, with Student's factor for few hours); those of rates Wilson's, of as many in the same way. Both are \
         for one look at a window chosen before. p50 needs 6 numbers, p95 72, p99 368; n is with \
         failures. No draws are made."
            .to_owned(),
    );
    let brief = |route: &RouteReport| {
        let spreads = [&route.first_token, &route.total, &route.output_rate];
        let brief = spreads.iter().any(|of| of.few_hours && of.count() > 0);
        brief || route.failure_rate.is_of_few_hours()
    };
    if report.routes.iter().any(brief) {
        notes.push(BRIEF_SAID.to_owned());
    }
    let configs: Vec<String> = head.configs.iter().map(ToString::to_string).collect();
    notes.push(format!(
        "Definitions {DEFINITIONS}, tollgate {}, made {}, config of the first and last exchange: {}.",
        env!("CARGO_PKG_VERSION"),
        minute(head.made),
        if configs.is_empty() { NOTHING.to_owned() } else { configs.join(", ") }
    ));
    notes
}

/// What is missing from a route's numbers, and what else it was seen doing.
fn route_note(route: &RouteReport) -> Option<String> {
    let missing = |what: &str, spread: &Spread| {
        let reasons = listed(
            spread
                .missing()
                .map(|(reason, count)| (reason.name(), count)),
        );
        reasons.map(|reasons| format!("no {what} of {reasons}"))
    };
    let left_out = [
        ("background", route.background),
        ("cached answers", route.cached_answers),
        ("untimed", route.untimed),
        ("sent in one burst", route.pseudo_streams),
        ("stalled", route.stalled),
    ];
    let parts: Vec<String> = [
        (route.first_token.cut > 0).then(|| {
            format!(
                "first token not waited out of {} (the client left, or a hedge was sooner: at least \
                 as long as the wait, by Kaplan and Meier)",
                thousands(route.first_token.cut)
            )
        }),
        (route.total.cut > 0).then(|| {
            format!(
                "total not waited out of {}, likewise",
                thousands(route.total.cut)
            )
        }),
        missing("first token", &route.first_token),
        missing("output rate", &route.output_rate),
        listed(left_out),
    ]
    .into_iter()
    .flatten()
    .collect();
    (!parts.is_empty()).then(|| format!("{}: {}.", clipped(&route.route.text()), parts.join("; ")))
}

fn outcomes(counts: &OutcomeCounts) -> Option<String> {
    listed(
        counts
            .iter()
            .map(|(outcome, count)| (outcome.name(), count)),
    )
}

fn listed<'a>(counts: impl IntoIterator<Item = (&'a str, u64)>) -> Option<String> {
    let known = counts.into_iter().filter(|(_, count)| *count > 0);
    let parts: Vec<String> = known
        .map(|(name, count)| format!("{name} {}", thousands(count)))
        .collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}
