//! Draws the arm of an exchange: a pure function of names, a seed and a keyed hash.

use std::hash::Hasher as _;

use siphasher::sip::SipHasher24;

use super::definition::{Experiment, Route};
use crate::record::{
    Arm, Assigned, AssignedUnit, Coin, Enrolment, ExchangeId, KeyedHash, Name, NotEnrolled,
    WallTime,
};

/// What is known of an exchange when its routes are ordered.
#[derive(Debug, Clone, Copy)]
pub struct Applicant<'a> {
    /// Its id.
    pub id: ExchangeId,
    /// Date of its first byte.
    pub started: WallTime,
    /// Model asked for.
    pub model: &'a str,
    /// How its routes were found, as the plan's reason says it.
    pub how_found: &'a str,
    /// Whether the client named a policy.
    pub policy_asked: bool,
    /// The conversation.
    pub session: Option<KeyedHash>,
    /// Tags.
    pub tags: &'a [Name],
    /// The client's credential.
    pub client_key: Option<KeyedHash>,
    /// Endpoint.
    pub endpoint: &'a str,
    /// Whether a stream was asked for.
    pub stream: bool,
}

/// The two coins of a unit: whether it takes part, and in which arm. Both are halves of one keyed
/// hash, so that neither says anything of the other, and a larger share keeps everybody's arm.
#[must_use]
pub fn coins(experiment: &Experiment, unit: &[u8]) -> (Coin, Coin) {
    let mut hasher = SipHasher24::new_with_keys(experiment.seed, EXPERIMENTS);
    hasher.write_u64(experiment.name.len() as u64);
    hasher.write(experiment.name.as_bytes());
    hasher.write(unit);
    let both = hasher.finish();
    (Coin((both >> 32) as u32), Coin(both as u32))
}

/// Second half of the key: keeps these hashes apart from any other use.
const EXPERIMENTS: u64 = 0x6578_7065_7269_6d65;

/// The exchange's part in the experiment that runs on its model, and the route of its arm, to be
/// tried first; absent where none runs. `is_candidate` says whether a route may be tried now.
///
/// Both arms must be candidates, or the one that is left would take the other's units.
pub fn enrol<'a>(
    experiments: &'a [Experiment],
    applicant: &Applicant<'_>,
    is_candidate: impl Fn(&Route) -> bool,
) -> Option<(Enrolment, Option<&'a Route>)> {
    let running = |one: &&Experiment| {
        one.model.as_str() == applicant.model && one.bounds.hold(applicant.started)
    };
    let experiment = experiments.iter().find(running)?;
    let part = part(experiment, applicant, is_candidate);
    let route = part.ok().map(|assigned| experiment.route(assigned.arm));
    let enrolment = Enrolment {
        experiment: experiment.name.clone(),
        part,
    };
    Some((enrolment, route))
}

fn part(
    experiment: &Experiment,
    applicant: &Applicant<'_>,
    is_candidate: impl Fn(&Route) -> bool,
) -> Result<Assigned, NotEnrolled> {
    match applicant.how_found {
        "model" => {}
        "pinned" => return Err(NotEnrolled::Pinned),
        _ => return Err(NotEnrolled::Addressed),
    }
    if applicant.policy_asked {
        return Err(NotEnrolled::PolicyAsked);
    }
    eligible(experiment, applicant)?;
    if !experiment.routes.iter().all(is_candidate) {
        return Err(NotEnrolled::ArmUnavailable);
    }
    let (drawn, coin) = match experiment.unit {
        AssignedUnit::Session => {
            let session = applicant.session.ok_or(NotEnrolled::NoSession)?;
            coins(experiment, &session.0.to_le_bytes())
        }
        AssignedUnit::Request => coins(experiment, &applicant.id.0),
    };
    if !below(drawn, experiment.share) {
        return Err(NotEnrolled::NotDrawn);
    }
    let arm = if below(coin, experiment.split) {
        Arm::A
    } else {
        Arm::B
    };
    Ok(Assigned {
        arm,
        coin,
        propensity: experiment.chance(arm),
        unit: experiment.unit,
    })
}

/// Whether a coin fell below a share in millionths, in whole numbers.
fn below(coin: Coin, millionths: u32) -> bool {
    u64::from(coin.0) * 1_000_000 < u64::from(millionths) << 32
}

fn eligible(experiment: &Experiment, applicant: &Applicant<'_>) -> Result<(), NotEnrolled> {
    let asked = &experiment.eligible;
    let tagged = asked.tags.is_empty() || asked.tags.iter().any(|tag| applicant.tags.contains(tag));
    let known = asked.client_keys.is_empty()
        || applicant
            .client_key
            .is_some_and(|key| asked.client_keys.contains(&key));
    let endpoint = asked.endpoints.is_empty()
        || asked
            .endpoints
            .iter()
            .any(|name| name.as_str() == applicant.endpoint);
    let stream = asked.stream.is_none_or(|only| only == applicant.stream);
    for (holds, otherwise) in [
        (tagged, NotEnrolled::Tag),
        (known, NotEnrolled::ClientKey),
        (endpoint, NotEnrolled::Endpoint),
        (stream, NotEnrolled::Stream),
    ] {
        if !holds {
            return Err(otherwise);
        }
    }
    Ok(())
}

#[cfg(test)]
#[path = "assign_tests.rs"]
mod tests;
