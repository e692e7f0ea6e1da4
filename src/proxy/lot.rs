//! Puts an exchange into the experiment on its model: its arm's route goes first.

use http::HeaderMap;

use super::candidates::Ways;
use super::names::POLICY;
use crate::config::settings::Settings;
use crate::record::{Arm, Decision, ExchangeRecord};
use crate::routing::experiment::{Applicant, Experiment, Route, enrol};
use crate::routing::plan::Plan;

/// Why the arm's route is first.
const REASON: &str = "experiment";

/// Draws the arm of `draft` where an experiment runs on its model, notes it in the record, and
/// puts the arm's route before the others of `plan`, whose order stays: the exchange may still
/// move on, and its record says both the arm and who served.
pub(super) fn draw(
    draft: &mut ExchangeRecord,
    settings: &Settings,
    headers: &HeaderMap,
    found: &Ways,
    plan: &mut Plan,
) {
    let Some(model) = draft.model.as_deref() else {
        return;
    };
    if settings.experiments.is_empty() {
        return;
    }
    // The place of a route among the steps: what routing left out is no candidate.
    let step_of = |route: &Route, steps: &[usize]| {
        steps.iter().position(|index| {
            let way = &found.ways[*index];
            way.provider.name == route.provider && way.model.as_ref() == Some(&route.model)
        })
    };
    let applicant = Applicant {
        id: draft.id,
        started: draft.started,
        model,
        how_found: found.how,
        policy_asked: headers.contains_key(&POLICY),
        session: draft.session.map(|session| session.hash),
        tags: &draft.tags,
        client_key: draft.client_key,
        endpoint: &draft.endpoint,
        stream: draft.request.stream,
    };
    let drawn = enrol(&settings.experiments, &applicant, |route| {
        step_of(route, &plan.steps).is_some()
    });
    let Some((enrolment, route)) = drawn else {
        return;
    };
    let step = route.and_then(|route| Some((route, step_of(route, &plan.steps)?)));
    if let Some((route, step)) = step {
        // With the provider's other credentials for it, which follow.
        let is_of = |index: &&usize| step_of(route, std::slice::from_ref(*index)).is_some();
        let spares = plan.steps[step + 1..].iter().take_while(is_of).count();
        plan.steps[..=step + spares].rotate_right(1 + spares);
        plan.reason = REASON;
        let mut all = settings.experiments.iter();
        let experiment = all.find(|one| one.name == enrolment.experiment);
        if let (Some(decision), Some(experiment)) = (&mut draft.decision, experiment) {
            by_coin(decision, experiment);
        }
    }
    draft.experiment = Some(enrolment);
}

/// The coin chose in the policy's place, so its chances are what the record says: whoever weighs
/// recorded routes by them would be wrong with the policy's, or divide by zero.
fn by_coin(decision: &mut Decision, experiment: &Experiment) {
    decision.explored = false;
    for of in &mut decision.routes {
        let is_of = |arm: &Arm| {
            let route = experiment.route(*arm);
            // What stands in for another model is no arm.
            !of.other_model
                && of.provider == route.provider
                && of.model.as_ref() == Some(&route.model)
        };
        // Both arms are one route where the experiment is an A/A.
        let arms = [Arm::A, Arm::B].into_iter().filter(is_of);
        of.propensity = arms.map(|arm| experiment.chance(arm)).sum();
    }
}
