//! The report `canary`: whether a route drawn by a small weight is worse than the others.

use std::collections::BTreeMap;

use super::Report;
use super::call::Call;
use super::figures::nothing;
use crate::analysis::paper::{Cell, Column, Head, Paper, Sheet, Unit};
use crate::analysis::render::paper::number;
use crate::analysis::tables::Share;
use crate::record::{ExchangeRecord, Name, WallTime};
use crate::routing::canary::{Judged, Seen, Watch, Worse};
use crate::routing::route::RouteKey;

/// The report at work.
#[derive(Debug, Default)]
pub struct Canaries(BTreeMap<Name, Model>);

/// One model whose routes were drawn by weight.
#[derive(Debug)]
struct Model {
    canary: RouteKey,
    watch: Watch,
    /// When the canary was first found worse.
    found: Option<(WallTime, Worse)>,
    /// Chances that the canary had: the least and the largest.
    chances: (f64, f64),
}

const METHOD: &str = "The canary of a model is the route that had the least chance in the first \
    exchange of the window whose route was drawn by weight. Each exchange counts by the chance with \
    which its route was drawn (augmented inverse propensities), so that weights which grow while \
    the hours change do not bias; intervals are the asymptotic confidence sequence of that mean \
    (arXiv 2103.06476), of failures the wider of it and the beta-binomial mixture (arXiv \
    1906.09712), 97.5 % each: they hold however often one looks, from 30 numbers of either side on.";

impl Report for Canaries {
    fn take(&mut self, record: &ExchangeRecord, _: Vec<Call>) {
        let Some(model) = &record.model else { return };
        if !self.0.contains_key(model) {
            let Some(canary) = least(record) else { return };
            let new = Model {
                canary,
                watch: Watch::default(),
                found: None,
                chances: (1.0, 0.0),
            };
            self.0.insert(model.clone(), new);
        }
        let Some(of) = self.0.get_mut(model) else {
            return;
        };
        let Some(seen) = Seen::of(record, &of.canary, &[]) else {
            return;
        };
        of.watch.add(&seen);
        let (least, most) = of.chances;
        of.chances = (least.min(seen.chance), most.max(seen.chance));
        // Only the canary's own exchanges can show it worse for the first time.
        if seen.on_canary && of.found.is_none() {
            let worse = of.watch.judged().worse;
            of.found = worse.map(|worse| (record.started, worse));
        }
    }

    fn paper(&self, head: Head) -> Paper {
        let head = Head {
            method: METHOD,
            ..head
        };
        if self.0.is_empty() {
            let why = "No exchange of this window had its route drawn by weight among several: a \
                       model needs policy = \"weighted\" and two routes.";
            return nothing("canary", "Canary", head, why);
        }
        let judged: Vec<(&Name, &Model, Judged)> = self
            .0
            .iter()
            .map(|(name, model)| (name, model, model.watch.judged()))
            .collect();
        Paper {
            name: "canary",
            version: 1,
            title: "Canary".to_owned(),
            findings: judged
                .iter()
                .map(|(name, model, judged)| finding(name, model, judged))
                .collect(),
            sheets: vec![sheet(&judged)],
            charts: Vec::new(),
            notes: vec![
                "RANDOMISED: weights drew the route of each request, so a difference is the effect \
                 of the route. A failure is the drawn route's own, also where another one served \
                 the request after it. First tokens are of streams; one that nobody waited for, because \
                 the client left or a request begun beside it was first, counts as what was waited: \
                 the least that it can be. Whether those failed is not known."
                    .to_owned(),
                "Worse means: surely more failures by half a point, or a first token surely later \
                 by 3 %. A canary that is no worse is called so with a chance of 5 % at most, over \
                 all looks."
                    .to_owned(),
            ],
            head,
        }
    }
}

/// The route with the least chance among those that were drawn from.
fn least(record: &ExchangeRecord) -> Option<RouteKey> {
    let decision = record.decision.as_ref()?;
    let drawn = decision
        .routes
        .iter()
        .filter(|of| of.propensity > 0 && !of.other_model);
    if &*record.reason != "drawn_by_weight" || drawn.clone().count() < 2 {
        return None;
    }
    let least = drawn.min_by_key(|of| of.propensity)?;
    Some(RouteKey::new(least.provider.clone(), least.model.clone()))
}

fn finding(name: &Name, model: &Model, judged: &Judged) -> String {
    let [own, others] = judged
        .requests
        .map(|count| number(count as f64, Unit::Count));
    let said = match (model.found, judged.failures) {
        (Some((at, worse)), _) => {
            let at = at.rfc3339();
            let at = at.get(..16).unwrap_or_default().replace('T', " ");
            format!("is worse: {}, found {at}", worse.words())
        }
        (None, Some(_)) => "is not seen to be worse".to_owned(),
        (None, None) => "has too few exchanges yet".to_owned(),
    };
    format!(
        "{name}, canary {} (RANDOMISED, {own} exchanges beside {others}): {said}.",
        model.canary
    )
}

fn sheet(judged: &[(&Name, &Model, Judged)]) -> Sheet {
    let mut sheet = Sheet::new(
        "canaries",
        "Canary against the other routes of its model",
        vec![
            Column::words("model", "model"),
            Column::words("canary", "canary"),
            Column::new("requests", "requests", Unit::Count),
            Column::new("others", "others", Unit::Count),
            Column::new("chance_least", "least chance", Unit::Share),
            Column::new("chance_most", "largest chance", Unit::Share),
            Column::new("failed", "failed", Unit::Share),
            Column::new("others_failed", "others failed", Unit::Share),
            Column::new("failures_more", "failures, more", Unit::Points),
            Column::new("first_token", "first token, over others", Unit::Times),
            Column::new("not_awaited", "not waited for", Unit::Share),
            Column::new("others_not_awaited", "others not waited for", Unit::Share),
            Column::words("verdict", "verdict"),
        ],
    );
    for (name, model, judged) in judged {
        let rate = |at: usize| {
            let all = judged.ended[at];
            let failed = judged.failure_rates[at].unwrap_or(0.0) * all as f64;
            Cell::share(Share::of(failed.round() as u64, all))
        };
        let cut = |at: usize| Cell::share(Share::of(judged.cut[at], judged.first_tokens[at]));
        let few = || Cell::absent("needs 30 of either");
        sheet.rows.push(vec![
            Cell::text(name.as_str()),
            Cell::text(model.canary.to_string()),
            Cell::count(judged.requests[0]),
            Cell::count(judged.requests[1]),
            Cell::Value(model.chances.0),
            Cell::Value(model.chances.1),
            rate(0),
            rate(1),
            judged.failures.as_ref().map_or_else(few, Cell::estimate),
            judged.first_token.as_ref().map_or_else(few, Cell::estimate),
            cut(0),
            cut(1),
            Cell::text(match model.found {
                Some((_, worse)) => worse.words(),
                None if judged.failures.is_some() => "not seen to be worse",
                None => "too few yet",
            }),
        ]);
    }
    sheet
}
