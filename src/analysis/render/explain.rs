//! Tells the story of one exchange as text: its attempts, their moments, and how it ended.

use std::fmt::Write as _;

use crate::record::{AttemptRecord, Decision, Enrolment, ExchangeRecord, Moment};
use crate::statistics::{Figures, Metric, Rate};

use super::units::{NOTHING, dollars, percent_of, plain, rate, span, thousands};

/// The story of `record`.
#[must_use]
pub fn exchange(record: &ExchangeRecord) -> String {
    let mut text = String::new();
    let model = record
        .model
        .as_deref()
        .map_or_else(|| NOTHING.to_owned(), plain);
    let _ = writeln!(
        text,
        "exchange   {}\nstarted    {}\norigin     {}\nendpoint   {} ({})\nmodel      {model}\n\
         outcome    {}{}\npolicy     {} ({})",
        record.id,
        record.started.rfc3339(),
        record.origin.name(),
        plain(&record.endpoint),
        record.language.name(),
        record.outcome.name(),
        record
            .status
            .map_or_else(String::new, |status| format!(", status {status}")),
        plain(&record.policy),
        plain(&record.reason),
    );
    if let Some(decision) = &record.decision {
        text.push_str(&weighed(decision));
    }
    if let Some(enrolment) = &record.experiment {
        let _ = writeln!(text, "experiment {}", part(enrolment));
    }
    let _ = writeln!(text, "tokens     {}", tokens(record));
    let cost = record
        .cost
        .map_or_else(|| "no price".to_owned(), |cost| dollars(cost.as_dollars()));
    let _ = writeln!(text, "cost       {cost}");
    text.push_str(&figures(&Figures::of(record)));
    if record.attempts.is_empty() {
        text.push_str("\nNo provider saw this request.\n");
    }
    for (index, one) in record.attempts.iter().enumerate() {
        let _ = write!(
            text,
            "\nattempt {} of {}\n",
            index + 1,
            record.attempts.len()
        );
        attempt(&mut text, one, record.started_at);
    }
    text
}

/// The routes that could have been taken, and what spoke for each.
fn weighed(decision: &Decision) -> String {
    let mut text = String::from("routes     score, chance of being first\n");
    for route in &decision.routes {
        let model = route.model.as_deref().map(plain).unwrap_or_default();
        let score = route.score.map_or_else(
            || NOTHING.to_owned(),
            |score| format!("{:.6}", score as f64 / 1e6),
        );
        let _ = write!(
            text,
            "           {}/{model}  {score}  {}",
            plain(&route.provider),
            percent_of(f64::from(route.propensity) / 1e6),
        );
        if route.other_model {
            text.push_str("  another model");
        }
        if let Some(why) = &route.left_out {
            let _ = write!(text, "  left out: {}", plain(why));
        }
        text.push('\n');
    }
    if let Some(rule) = decision.rule {
        let _ = writeln!(text, "rule       rules[{rule}]");
    }
    if decision.explored {
        text.push_str("explored   the first route was drawn in order to learn of it\n");
    }
    if let Some(hedge) = decision.hedge {
        let _ = writeln!(
            text,
            "hedge      attempt {} was begun beside a slow one",
            hedge + 1
        );
    }
    text
}

/// The arm and how it was drawn, or why there is none.
fn part(enrolment: &Enrolment) -> String {
    let name = plain(&enrolment.experiment);
    match enrolment.part {
        Ok(assigned) => format!(
            "{name}, arm {} (coin {:.6}, chance {})",
            assigned.arm.name(),
            assigned.coin.as_fraction(),
            f64::from(assigned.propensity) / 1e6,
        ),
        Err(reason) => format!("{name}, no part in it: {}", reason.name()),
    }
}

fn tokens(record: &ExchangeRecord) -> String {
    let usage = &record.tokens.usage;
    if usage.is_unknown() {
        return "unknown".to_owned();
    }
    let counts = [
        ("input", usage.input),
        ("cached", usage.cached_read),
        ("output", usage.output),
        ("reasoning", usage.reasoning),
    ];
    let known = counts
        .into_iter()
        .filter_map(|(name, count)| Some((name, count?)));
    let known: Vec<String> = known
        .map(|(name, count)| format!("{name} {}", thousands(count)))
        .collect();
    let source = record
        .tokens
        .source
        .map_or("unknown source", |source| source.name());
    format!("{} ({source})", known.join(", "))
}

fn figures(figures: &Figures) -> String {
    let time = |metric: Metric| match metric {
        Ok(nanos) => span(nanos.0 as f64),
        Err(reason) => format!("{NOTHING} ({})", reason.name()),
    };
    let speed = |metric: Metric<Rate>| match metric {
        Ok(found) => format!("{} tokens/s", rate(found.0 as f64)),
        Err(reason) => format!("{NOTHING} ({})", reason.name()),
    };
    let own = figures
        .own_delay
        .map_or_else(|| NOTHING.to_owned(), |own| span(own.0 as f64));
    let mut text = String::new();
    for (name, value) in [
        ("first token", time(figures.first_token)),
        ("first answer", time(figures.first_answer)),
        ("total", time(figures.total)),
        ("output rate", speed(figures.output_rate)),
        ("own delay", own),
    ] {
        let _ = writeln!(text, "{name:<12} {value}");
    }
    text
}

fn attempt(text: &mut String, attempt: &AttemptRecord, zero: Moment) {
    let optional = |value: Option<&str>| value.map_or_else(|| NOTHING.to_owned(), plain);
    let route = format!(
        "{}/{}",
        plain(&attempt.provider),
        optional(attempt.model.as_deref())
    );
    let connection = if attempt.reused { "reused" } else { "new" };
    let _ = writeln!(
        text,
        "  route      {route} ({}, {}, {connection} connection)",
        attempt.kind.name(),
        attempt.protocol.name(),
    );
    let _ = writeln!(
        text,
        "  answered   {}, end {}, error {}",
        attempt.status.map_or_else(
            || "no status".to_owned(),
            |status| format!("status {status}")
        ),
        attempt.end.map_or(NOTHING, |end| end.name()),
        attempt.error_class.map_or(NOTHING, |class| class.name()),
    );
    for (name, value) in [
        ("served by", attempt.served_by.as_deref()),
        ("as model", attempt.model_answered.as_deref()),
        ("request id", attempt.upstream_request_id.as_deref()),
        ("error code", attempt.error_code.as_deref()),
    ] {
        if let Some(value) = value {
            let _ = writeln!(text, "  {name:<10} {}", plain(value));
        }
    }
    if let Some(language) = attempt.language {
        let _ = writeln!(text, "  translated into {}", language.name());
    }
    if !attempt.dropped.is_empty() {
        let fields: Vec<_> = attempt.dropped.iter().map(|field| plain(field)).collect();
        let _ = writeln!(text, "  left out   {}", fields.join(", "));
    }
    if let Some(gaps) = &attempt.gaps {
        let _ = writeln!(
            text,
            "  gaps       {} token events in {} reads, longest {}, {} stalls{}",
            gaps.token_events,
            gaps.token_reads,
            span(gaps.longest.0 as f64),
            gaps.stalls,
            if gaps.pseudo_stream {
                ", sent in one burst"
            } else {
                ""
            },
        );
    }
    if !attempt.oddities.is_empty() {
        let names: Vec<_> = attempt
            .oddities
            .iter()
            .map(|oddity| oddity.name())
            .collect();
        let _ = writeln!(text, "  odd        {}", names.join(", "));
    }
    timeline(text, attempt, zero);
}

/// The marks in the order in which they came, each with the time since the one before.
fn timeline(text: &mut String, attempt: &AttemptRecord, zero: Moment) {
    let mut marks: Vec<_> = attempt.timeline.iter().collect();
    marks.sort_by_key(|(_, at)| *at);
    let mut before = zero;
    for (mark, at) in marks {
        let since = span(at.since(zero).0 as f64);
        let step = span(at.since(before).0 as f64);
        let _ = writeln!(text, "  {:<18} {since:>10}  +{step}", mark.name());
        before = at;
    }
}
