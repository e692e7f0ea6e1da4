//! Writes reports and records as comma-separated values (RFC 4180).

use crate::analysis::tables::{Figure, Further, RouteReport, RoutesReport, Share, Spread};
use crate::record::{Outcome, TokenSource};
use crate::statistics::DEFINITIONS;

/// The report `routes`: one line per route. Spans are in milliseconds; what is unknown or
/// withheld is empty; what falls among failures is `inf`. Routes that a bounded report leaves out
/// are one line, `(further)`, with how many they are and their exchanges.
#[must_use]
pub fn routes(report: &RoutesReport) -> String {
    let mut lines = Vec::new();
    let mut names = Vec::new();
    for route in &report.routes {
        let columns = columns(report, route);
        if lines.is_empty() {
            lines.push(line(columns.iter().map(|(name, _)| name.as_str())));
        }
        lines.push(line(columns.iter().map(|(_, value)| value.as_str())));
        names = columns;
    }
    if report.further.routes > 0 {
        let fields = names.iter().map(|(name, _)| further(report.further, name));
        let fields: Vec<String> = fields.collect();
        lines.push(line(fields.iter().map(String::as_str)));
    }
    lines.concat()
}

/// What the line of the routes left out says under `column`.
fn further(further: Further, column: &str) -> String {
    match column {
        "provider" => "(further)".to_owned(),
        "model" => format!("({} routes)", further.routes),
        "exchanges" => further.exchanges.to_string(),
        _ => String::new(),
    }
}

/// One line of RFC 4180, its fields safe in spreadsheets: what would be read as a formula gets a
/// leading apostrophe.
pub fn line<'a>(fields: impl Iterator<Item = &'a str>) -> String {
    let mut line = String::new();
    for (index, field) in fields.enumerate() {
        if index > 0 {
            line.push(',');
        }
        push_field(&mut line, field);
    }
    line.push_str("\r\n");
    line
}

fn push_field(line: &mut String, field: &str) {
    let formula = is_formula(field);
    let quoted = formula || field.contains([',', '"', '\r', '\n']);
    if quoted {
        line.push('"');
    }
    if formula {
        line.push('\'');
    }
    for c in field.chars() {
        if c == '"' {
            line.push('"');
        }
        line.push(c);
    }
    if quoted {
        line.push('"');
    }
}

/// Whether a spreadsheet would take `field` for a formula. Negative numbers stay numbers.
fn is_formula(field: &str) -> bool {
    field.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']) && field.parse::<f64>().is_err()
}

type Columns = Vec<(String, String)>;

fn columns(report: &RoutesReport, route: &RouteReport) -> Columns {
    let name = &route.route;
    let head = &report.head;
    let mut columns: Columns = Vec::with_capacity(96);
    let mut put = |name: &str, value: String| columns.push((name.to_owned(), value));
    put("provider", name.provider.clone());
    put("model", name.model.clone().unwrap_or_default());
    put(
        "region",
        name.region.as_deref().unwrap_or_default().to_owned(),
    );
    put("kind", name.kind.map_or("", |kind| kind.name()).to_owned());
    put("from", head.window.from.rfc3339());
    put("until", head.window.until.rfc3339());
    put("origin", head.origin.clone());
    put("definitions", DEFINITIONS.to_string());
    put("exchanges", route.exchanges.to_string());
    put("streams", route.streams.to_string());
    put("attempts", route.attempts.to_string());
    put("failure_rate", fraction(route.failure_rate));
    let ends = route.failure_rate.ends();
    put_ends(&mut put, "failure_rate", ends, 1.0);
    put("attempt_failure_rate", fraction(route.attempt_failure_rate));
    put("rate_limited", fraction(route.rate_limited));
    put("credential_faults", fraction(route.credential_faults));
    put("lost_attempts", route.lost.attempts.to_string());
    for outcome in Outcome::ALL {
        put(
            &format!("outcome_{}", outcome.name()),
            route.outcomes.of(outcome).to_string(),
        );
    }
    for (name, spread, unit) in [
        ("first_token_ms", &route.first_token, 1e6),
        ("first_answer_ms", &route.first_answer, 1e6),
        ("total_ms", &route.total, 1e6),
        ("output_rate", &route.output_rate, 1e3),
        ("own_delay_ms", &route.own_delay, 1e6),
    ] {
        put_spread(&mut put, name, spread, unit);
    }
    for (name, count) in [
        ("untimed", route.untimed),
        ("background", route.background),
        ("cached_answers", route.cached_answers),
        ("pseudo_streams", route.pseudo_streams),
        ("stalled", route.stalled),
        ("reused_connections", route.reused),
    ] {
        put(name, count.to_string());
    }
    put_tokens(&mut put, route);
    columns
}

fn put_spread(put: &mut impl FnMut(&str, String), name: &str, spread: &Spread, unit: f64) {
    put(&format!("{name}_n"), spread.seen.to_string());
    put(&format!("{name}_failures"), spread.failures.to_string());
    put(&format!("{name}_not_waited_out"), spread.cut.to_string());
    put(
        &format!("{name}_design_effect"),
        format!("{:.6}", spread.effect),
    );
    for (quantile, figure, ends) in [
        ("p50", spread.p50, spread.p50_ends),
        ("p95", spread.p95, spread.p95_ends),
        ("p99", spread.p99, spread.p99_ends),
    ] {
        let name = format!("{name}_{quantile}");
        put(&name, number(figure.map(|value| value / unit)));
        put_ends(put, &name, ends, unit);
    }
    put(
        &format!("{name}_iqr_over_p50"),
        number(spread.iqr_over_median),
    );
    put(&format!("{name}_p95_over_p50"), number(spread.p95_over_p50));
    let missing: Vec<String> = spread
        .missing()
        .map(|(reason, count)| format!("{} {count}", reason.name()))
        .collect();
    put(&format!("{name}_missing"), missing.join("; "));
}

/// The ends of an interval: empty where there is none.
fn put_ends(put: &mut impl FnMut(&str, String), name: &str, ends: Option<(f64, f64)>, unit: f64) {
    let (low, high) = ends.map_or((None, None), |(low, high)| (Some(low), Some(high)));
    for (which, end) in [("low", low), ("high", high)] {
        let end = end.map_or_else(String::new, |end| format!("{:.6}", end / unit));
        put(&format!("{name}_{which}"), end);
    }
}

fn put_tokens(put: &mut impl FnMut(&str, String), route: &RouteReport) {
    let tokens = &route.tokens;
    let known = route.exchanges > tokens.unknown;
    for (name, sum) in [
        ("tokens_input", tokens.input),
        ("tokens_cached_read", tokens.cached_read),
        ("tokens_cache_write", tokens.cache_write),
        ("tokens_output", tokens.output),
        ("tokens_reasoning", tokens.reasoning),
    ] {
        put(
            name,
            if known {
                sum.to_string()
            } else {
                String::new()
            },
        );
    }
    put("tokens_unknown", tokens.unknown.to_string());
    for source in TokenSource::ALL {
        let count = route.token_sources.map(|counts| counts[source as usize]);
        let count = count.map_or_else(String::new, |count| count.to_string());
        put(&format!("tokens_by_{}", source.name()), count);
    }
    let money = |dollars: Option<f64>| dollars.map_or_else(String::new, |sum| format!("{sum:.12}"));
    put("cost_usd", money(route.costs.dollars()));
    put("priced", route.costs.priced.to_string());
    put("billed_usd", money(route.costs.billed_dollars()));
}

fn fraction(share: Share) -> String {
    share
        .fraction()
        .map_or_else(String::new, |fraction| format!("{fraction:.6}"))
}

fn number(figure: Figure) -> String {
    match figure {
        Figure::Value(value) => format!("{value:.6}"),
        Figure::AmongFailures => "inf".to_owned(),
        Figure::NotWaitedOut => "not_waited_out".to_owned(),
        Figure::TooFew { .. } => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_quoted_and_never_formulas() {
        for (field, expected) in [
            ("plain", "plain"),
            ("a,b", "\"a,b\""),
            ("say \"hi\"", "\"say \"\"hi\"\"\""),
            ("two\nlines", "\"two\nlines\""),
            ("=cmd|' /C calc'!A0", "\"'=cmd|' /C calc'!A0\""),
            ("+1+1", "\"'+1+1\""),
            ("@SUM(A1)", "\"'@SUM(A1)\""),
            ("-2+3", "\"'-2+3\""),
            ("-2.5", "-2.5"),
            ("\tx", "\"'\tx\""),
            ("", ""),
        ] {
            assert_eq!(line([field].into_iter()), format!("{expected}\r\n"));
        }
    }
}
