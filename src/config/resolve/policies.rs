//! Resolves how routes are ordered: the policy's name, and what it needs beside it.

use std::ops::Range;

use crate::config::choices::PolicyWord;
use crate::config::kinds::Number;
use crate::config::raw_routing::RawSlo;
use crate::config::read::At;
use crate::config::routes::Slo;
use crate::record::Nanos;
use crate::routing::policy::{Anchor, By, Policy};

use super::work::Work;

/// The keys of one policy.
#[derive(Debug)]
pub(in crate::config) struct Keys<'a> {
    pub(in crate::config) policy: Option<&'a At<PolicyWord>>,
    pub(in crate::config) by: Option<&'a At<By>>,
    pub(in crate::config) dollars_per_second: Option<&'a At<Number>>,
    pub(in crate::config) anchor: Option<&'a At<Anchor>>,
    pub(in crate::config) then: Option<&'a At<PolicyWord>>,
}

/// How surely `cheapest_within_slo` keeps to a 95th percentile.
const PROBABILITY: f64 = 0.95;

/// The policy of the table at `path`; absent where none is named.
pub(in crate::config) fn policy(
    path: &str,
    keys: &Keys<'_>,
    slo: Slo,
    work: &mut Work<'_>,
) -> Option<Policy> {
    let word = keys.policy.map(|at| at.value);
    let named = [word, keys.then.map(|at| at.value)];
    let needs = |needed: PolicyWord| named.contains(&Some(needed));
    let mut unused = |key: &str, span: Option<&Range<usize>>, needed: PolicyWord, name: &str| {
        if let Some(span) = span.filter(|_| !needs(needed)) {
            let hint = format!("set policy = \"{name}\", or leave `{key}` out");
            let expected = format!("it beside policy = \"{name}\" only");
            let found = "a key that this policy does not ask for";
            let path = format!("{path}.{key}");
            work.warn(path, Some(span.clone()), found, expected, hint.as_str());
        }
    };
    let by = keys.by.map(|at| &at.span);
    unused("by", by, PolicyWord::Fastest, "fastest");
    let dollars = keys.dollars_per_second.map(|at| &at.span);
    unused(
        "dollars_per_second",
        dollars,
        PolicyWord::Balanced,
        "balanced",
    );
    let anchor = keys.anchor.map(|at| &at.span);
    unused("anchor", anchor, PolicyWord::Sticky, "sticky");
    let then = keys.then.map(|at| &at.span);
    unused("then", then, PolicyWord::Sticky, "sticky");
    let at = keys.policy?;
    simple(path, at, keys, slo, work).or_else(|| {
        let inner = match keys.then {
            None => Policy::default(),
            Some(then) => simple(path, then, keys, slo, work).unwrap_or_else(|| {
                let expected = "another policy for `sticky` to lean on";
                let found = "\"sticky\" itself";
                work.refuse(
                    format!("{path}.then"),
                    Some(then.span.clone()),
                    found,
                    expected,
                    None,
                );
                Policy::default()
            }),
        };
        Some(Policy::Sticky {
            anchor: keys.anchor.map_or_else(Anchor::default, |at| at.value),
            then: Box::new(inner),
        })
    })
}

/// A policy that leans on no other; absent for `sticky`.
fn simple(
    path: &str,
    at: &At<PolicyWord>,
    keys: &Keys<'_>,
    slo: Slo,
    work: &mut Work<'_>,
) -> Option<Policy> {
    let mut missing = |key: &str, expected: &str, hint: &str| {
        let span = Some(at.span.clone());
        work.refuse(format!("{path}.{key}"), span, "nothing", expected, hint);
    };
    Some(match at.value {
        PolicyWord::Ordered => Policy::Ordered,
        PolicyWord::Weighted => Policy::Weighted,
        PolicyWord::Fastest => Policy::Fastest(keys.by.map_or_else(By::default, |at| at.value)),
        PolicyWord::Cheapest => Policy::Cheapest,
        PolicyWord::CheapestWithinSlo => {
            let Some(limit) = slo.first_token_p95 else {
                let expected = "the time to the first token that is to be kept";
                let hint = "slo = { first_token_p95 = \"1200ms\" }; in a rule without the braces";
                missing("slo.first_token_p95", expected, hint);
                return Some(Policy::Cheapest);
            };
            Policy::CheapestWithinSlo {
                first_token: Nanos(u64::try_from(limit.as_nanos()).unwrap_or(u64::MAX)),
                probability: PROBABILITY,
            }
        }
        PolicyWord::Balanced => {
            let Some(dollars) = keys.dollars_per_second else {
                let expected = "what a second of waiting is worth, in US dollars";
                missing("dollars_per_second", expected, "dollars_per_second = 0.001");
                return Some(Policy::Ordered);
            };
            Policy::Balanced {
                dollars_per_second: dollars.value.0,
            }
        }
        PolicyWord::LeastBusy => Policy::LeastBusy,
        PolicyWord::Shared => Policy::Shared,
        PolicyWord::Sticky => return None,
    })
}

/// What a model, or a rule, is to hold.
pub(in crate::config) fn slo(raw: Option<At<RawSlo>>) -> Slo {
    let raw = raw.map(|at| at.value).unwrap_or_default();
    Slo {
        first_token_p95: raw.first_token_p95.map(|at| at.value),
        error_rate: raw.error_rate.map(|at| at.value.0),
    }
}
