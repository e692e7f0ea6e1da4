//! The report `json-tax`: what asking for JSON costs at the same route.

use super::call::Call;
use super::figures::{NO_CALLS, by_route, failures, head, model_cell, nothing, share};
use super::tax::Metric;
use super::within::{METHOD, findings, forest, sheet, within};
use crate::analysis::paper::{Cell, Column, Head, Paper, Sheet, Unit};

const TITLE: &str = "JSON tax";

pub(super) fn paper(calls: &[Call], of: Head) -> Paper {
    let of = head(of, METHOD);
    if calls.is_empty() {
        return nothing("json-tax", TITLE, of, NO_CALLS);
    }
    let found = within(
        calls,
        &Metric::HEADLINES,
        |call| Some(call.traits.json),
        |call| call.traits.json = false,
    );
    let mut findings = findings("JSON tax", &found);
    if found.is_empty() {
        findings.push(
            "No route had requests both with a JSON response format and without: nothing to \
             compare."
                .to_owned(),
        );
    }
    let mut asked = Sheet::new(
        "asked",
        "Who asked for JSON",
        vec![
            Column::words("model", "model"),
            Column::words("provider", "provider"),
            Column::new("requests", "requests", Unit::Count),
            Column::new("json", "with JSON", Unit::Share),
            Column::new("json_failed", "failed with JSON", Unit::Share),
            Column::new("plain_failed", "failed without", Unit::Share),
        ],
    );
    for (route, calls) in by_route(calls) {
        let of = |json: bool| -> Vec<&Call> {
            let kind = calls.iter().copied();
            kind.filter(|call| call.traits.json == json).collect()
        };
        asked.rows.push(vec![
            model_cell(&route.0),
            Cell::text(&route.1),
            Cell::count(calls.len() as u64),
            Cell::share(share(&calls, |call| call.traits.json)),
            Cell::share(failures(&of(true))),
            Cell::share(failures(&of(false))),
        ]);
    }
    let title = "Time to first token: with a JSON response format less without";
    Paper {
        name: "json-tax",
        version: 1,
        title: TITLE.to_owned(),
        findings,
        head: of,
        sheets: vec![
            sheet("effects", "With a JSON format against without", &found),
            asked,
        ],
        charts: forest(title, &found).into_iter().collect(),
        notes: vec![
            "OBSERVATIONAL: whoever asks for JSON may ask for other things too. Requests are \
             compared only with requests like them at the same route; what was not measured may \
             still differ."
                .to_owned(),
            "JSON is a `response_format` (or its equal) of `json_object` or `json_schema`. \
             Whether the answer was valid JSON is not looked at: answers are not kept."
                .to_owned(),
            "Intervals are of 95 % each, for one look at a window chosen before; `the same at any \
             look` holds however often one looks at a window whose beginning stands. Verdicts are \
             made as one family over all rows (Bonferroni)."
                .to_owned(),
        ],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::paper::{Cell, Unit};
    use crate::analysis::reports::tests::{head, made_up, routed};
    use crate::statistics::compare::Random;

    #[test]
    fn a_known_json_tax_is_recovered_at_the_route_that_has_one() {
        let mut random = Random::new(3);
        let mut calls = Vec::new();
        for n in 0..1_600 {
            let json = n % 5 < 2;
            let noise = 60.0 * random.unit();
            let mut call = made_up(n, 300.0 + noise + if json { 80.0 } else { 0.0 });
            call.traits.json = json;
            calls.push(call);
            calls.push(routed(made_up(n, 300.0 + noise), None));
        }
        let paper = paper(&calls, head());
        assert_eq!(paper.findings.len(), 1, "the router had no JSON");
        let first = &paper.sheets[0].rows[0];
        let Cell::In(Unit::Delta, difference) = &first[8] else {
            panic!("seed 3: {first:?}");
        };
        let Cell::Estimate { value, low, high } = **difference else {
            panic!("seed 3: {first:?}");
        };
        assert!((value - 80e6).abs() < 8e6, "seed 3: {value}");
        assert!(
            low.unwrap() < 80e6 && high.unwrap() > 80e6,
            "seed 3: {first:?}"
        );
        assert_eq!(first[12], Cell::text("different"));
        assert_eq!(paper.charts.len(), 1);
    }
}
