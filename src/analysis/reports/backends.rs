//! The report `backends`: who served behind each router, how often and how fast.

use std::collections::BTreeMap;

use super::call::{Call, plain_model};
use super::figures::{
    Good, METHOD, Numbers, OBSERVATIONAL, UNKNOWN, by, failures, head, leader, model_cell, nothing,
    numbers, rate, share, to_first_token,
};
use crate::analysis::paper::{Cell, Chart, Column, Head, Paper, Plot, Sheet, Unit};
use crate::analysis::render::paper::number;
use crate::analysis::tables::Share;
use crate::record::ProviderKind;

/// An upstream of a router for a model.
struct Backend<'a> {
    router: String,
    model: String,
    served_by: String,
    calls: Vec<&'a Call>,
    /// Of the calls of the same model at the same router.
    share: Share,
    first_token: Numbers,
    rate: Numbers,
}

const TITLE: &str = "Backends behind routers";

pub(super) fn paper(calls: &[Call], of: Head) -> Paper {
    let mut of = head(of, METHOD);
    // Nobody stands behind a provider of its own models.
    let direct = calls
        .iter()
        .filter(|call| !call.lost && call.kind == ProviderKind::Direct);
    let direct = direct.count() as u64;
    of.taken = of.taken.saturating_sub(direct);
    of.excluded.push(("no_router".to_owned(), direct));
    let routed = calls
        .iter()
        .filter(|call| call.kind == ProviderKind::Router);
    let groups = by(routed, |call| {
        let served_by = call
            .served_by
            .as_ref()
            .map_or(UNKNOWN, |name| name.as_str());
        (
            call.provider.to_string(),
            plain_model(call),
            served_by.to_owned(),
        )
    });
    if groups.is_empty() {
        let why = "No request went through a router in this window: there is nobody behind one.";
        return nothing("backends", TITLE, of, why);
    }
    let mut all: BTreeMap<(String, String), Vec<&Call>> = BTreeMap::new();
    for ((router, model, _), calls) in &groups {
        let all = all.entry((router.clone(), model.clone()));
        all.or_default().extend(calls);
    }
    let named = |call: &Call, served_by: &str| {
        let by = call.served_by.as_ref();
        by.map_or(UNKNOWN, |name| name.as_str()) == served_by
    };
    let backends: Vec<Backend<'_>> = groups
        .into_iter()
        .map(|((router, model, served_by), calls)| Backend {
            share: share(&all[&(router.clone(), model.clone())], |call| {
                named(call, &served_by)
            }),
            first_token: to_first_token(&calls).lacking(&calls, |call| call.no_first_token),
            rate: numbers(&calls, rate).lacking(&calls, |call| call.no_rate),
            router,
            model,
            served_by,
            calls,
        })
        .collect();
    Paper {
        name: "backends",
        version: 1,
        title: TITLE.to_owned(),
        findings: findings(&backends),
        head: of,
        sheets: vec![sheet(&backends)],
        charts: forest(&backends).into_iter().collect(),
        notes: vec![
            OBSERVATIONAL.to_owned(),
            "Who served is what the router's answer says. Failures mostly name nobody: they stand \
             under `not said`, so that a backend's own failures may be fewer than it had."
                .to_owned(),
        ],
    }
}

fn findings(backends: &[Backend<'_>]) -> Vec<String> {
    let mut findings = Vec::new();
    for group in backends.chunk_by(|a, b| (&a.router, &a.model) == (&b.router, &b.model)) {
        let Some(first) = group.first() else { continue };
        let mut told: Vec<&Backend<'_>> = group
            .iter()
            .filter(|backend| backend.served_by != UNKNOWN)
            .collect();
        told.sort_by_key(|backend| std::cmp::Reverse(backend.calls.len()));
        let name = format!("{} of {}", first.model, first.router);
        let Some(most) = told.first() else {
            findings.push(format!("{name}: its answers do not say who served."));
            continue;
        };
        let part = most.share.fraction().unwrap_or(0.0);
        findings.push(format!(
            "{name}: served by {} upstream{}, {} of requests by {}.",
            told.len(),
            if told.len() == 1 { "" } else { "s" },
            number(part, Unit::Share),
            most.served_by
        ));
        let of = |numbers: for<'a> fn(&'a Backend<'_>) -> &'a Numbers| -> Vec<(String, &Numbers)> {
            let each = told.iter();
            each.map(|backend| (backend.served_by.clone(), numbers(backend)))
                .collect()
        };
        findings.extend(leader(
            &format!("{name}, first token"),
            &of(|backend| &backend.first_token),
            Good::Low,
            Unit::Span,
        ));
        findings.extend(leader(
            &format!("{name}, output rate"),
            &of(|backend| &backend.rate),
            Good::High,
            Unit::Rate,
        ));
    }
    findings
}

fn sheet(backends: &[Backend<'_>]) -> Sheet {
    let mut sheet = Sheet::new(
        "backends",
        "Who served",
        vec![
            Column::words("router", "router"),
            Column::words("model", "model"),
            Column::words("served_by", "served by"),
            Column::new("requests", "requests", Unit::Count),
            Column::new("share", "share", Unit::Share),
            Column::new("failed", "failed", Unit::Share),
            Column::new("first_token_p50", "first token p50", Unit::Span),
            Column::new("first_token_p95", "p95", Unit::Span),
            Column::new("output_rate_p50", "tokens/s p50", Unit::Rate),
        ],
    );
    for backend in backends {
        let count = backend.calls.len() as u64;
        sheet.rows.push(vec![
            Cell::text(&backend.router),
            model_cell(&backend.model),
            Cell::text(&backend.served_by),
            Cell::count(count),
            Cell::share(backend.share),
            Cell::share(failures(&backend.calls)),
            backend.first_token.at(0.5),
            backend.first_token.at(0.95),
            backend.rate.at(0.5),
        ]);
    }
    sheet
}

fn forest(backends: &[Backend<'_>]) -> Option<Chart> {
    let bars: Vec<_> = backends
        .iter()
        .filter_map(|backend| {
            let name = format!(
                "{}: {} by {}",
                backend.router, backend.model, backend.served_by
            );
            backend.first_token.bar(name)
        })
        .collect();
    (!bars.is_empty()).then(|| Chart {
        title: "Time to first token by backend: medians with 95 % intervals".to_owned(),
        unit: Unit::Span,
        plot: Plot::Forest { bars, zero: 0.0 },
        note: "Further left is faster. Overlap of two intervals decides nothing: the findings \
               compare by the interval of the difference."
            .to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::reports::tests::{failing, head, made_up, routed};

    #[test]
    fn shares_are_of_the_model_at_the_router_and_the_fast_backend_leads() {
        let mut calls: Vec<Call> = (0..300)
            .map(|n| {
                let jitter = (n % 30) as f64;
                match n % 3 {
                    0 => routed(made_up(n, 200.0 + jitter), Some("Fast")),
                    _ => routed(made_up(n, 600.0 + jitter), Some("Slow")),
                }
            })
            .collect();
        calls.extend((0..20).map(|n| routed(failing(n), None)));
        calls.push(made_up(1, 100.0));
        let paper = paper(&calls, head());
        let rows = &paper.sheets[0].rows;
        assert_eq!(rows.len(), 3, "the direct call has no backend");
        assert_eq!(rows[0][2], Cell::text("Fast"));
        let Cell::Share(share) = rows[0][4] else {
            panic!("no share: {:?}", rows[0][4]);
        };
        assert_eq!((share.part, share.whole), (100, 320));
        assert_eq!(rows[2][2], Cell::text(UNKNOWN));
        assert!(
            paper.findings[0].contains("served by 2 upstreams, 62.5 % of requests by Slow"),
            "{:?}",
            paper.findings
        );
        assert!(
            paper.findings[1].contains("Fast leads"),
            "{:?}",
            paper.findings
        );
    }
}
