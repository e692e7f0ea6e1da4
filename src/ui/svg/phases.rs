//! Draws the moments of one attempt as bars on the exchange's clock.

use maud::{Markup, html};

use crate::analysis::render::units::span;
use crate::record::{AttemptRecord, ExchangeRecord, Mark, Moment};

/// A part of an attempt: its name, how it looks, and the marks between which it lies; of several
/// beginnings the latest that came counts.
struct Phase {
    name: &'static str,
    look: &'static str,
    from: &'static [Mark],
    to: Mark,
}

#[rustfmt::skip]
const PHASES: &[Phase] = &[
    Phase { name: "request read", look: "client", from: &[Mark::RequestFirstByte], to: Mark::RequestComplete },
    Phase { name: "route chosen", look: "own", from: &[Mark::RequestComplete], to: Mark::RouteChosen },
    Phase { name: "pool", look: "own", from: &[Mark::RouteChosen], to: Mark::PoolWait },
    Phase { name: "DNS", look: "connect", from: &[Mark::PoolWait, Mark::RouteChosen], to: Mark::Dns },
    Phase { name: "TCP", look: "connect", from: &[Mark::Dns, Mark::PoolWait], to: Mark::Connect },
    Phase { name: "TLS", look: "connect", from: &[Mark::Connect, Mark::PoolWait], to: Mark::Tls },
    Phase { name: "send", look: "client", from: &[Mark::SendStart], to: Mark::RequestSent },
    Phase { name: "to headers", look: "wait", from: &[Mark::RequestSent, Mark::SendStart], to: Mark::Headers },
    Phase { name: "to first byte", look: "wait", from: &[Mark::Headers, Mark::RequestSent], to: Mark::FirstByte },
    Phase { name: "to first token", look: "wait", from: &[Mark::FirstByte, Mark::Headers], to: Mark::FirstToken },
    Phase { name: "reasoning", look: "think", from: &[Mark::FirstReasoning], to: Mark::FirstAnswer },
    Phase { name: "answer", look: "answer", from: &[Mark::FirstAnswer, Mark::FirstToken], to: Mark::LastToken },
    Phase { name: "tail", look: "client", from: &[Mark::LastToken, Mark::FirstByte, Mark::Headers], to: Mark::Done },
    Phase { name: "last write", look: "own", from: &[Mark::LastToken, Mark::Done], to: Mark::ClientLastToken },
];

/// The waterfall of `attempt`, on the clock of its exchange.
pub(in crate::ui) fn phases(record: &ExchangeRecord, attempt: &AttemptRecord) -> Markup {
    let zero = record.started_at;
    let whole = record.closed_at.since(zero).0.max(1);
    // So much is drawn of what is too short to be seen.
    let least = whole / 160;
    let bars: Vec<_> = PHASES
        .iter()
        .filter_map(|phase| bar(phase, attempt))
        .collect();
    html! {
        @if bars.is_empty() {
            p.empty { "No moment of this attempt was seen." }
        } @else {
            div.waterfall role="list" {
                @for (phase, from, to) in bars {
                    div.phase role="listitem" {
                        span.phase-name { (phase.name) }
                        svg aria-hidden="true" {
                            rect.track x="0" y="0" width="100%" height="100%" {}
                            rect class=(phase.look) y="2" height="12" rx="2"
                                x=(percent(from.since(zero).0.min(whole - least), whole))
                                width=(percent(to.since(from).0.max(least), whole)) {}
                        }
                        span.phase-time { (span(to.since(from).0 as f64)) }
                    }
                }
            }
        }
    }
}

fn bar<'a>(phase: &'a Phase, attempt: &AttemptRecord) -> Option<(&'a Phase, Moment, Moment)> {
    let timeline = &attempt.timeline;
    let to = timeline.get(phase.to)?;
    let from = phase.from.iter().find_map(|mark| timeline.get(*mark))?;
    (to >= from).then_some((phase, from, to))
}

fn percent(part: u64, whole: u64) -> String {
    format!(
        "{:.3}%",
        (part as f64 / whole as f64 * 100.0).clamp(0.0, 100.0)
    )
}
