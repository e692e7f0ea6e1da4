//! Live experiments: the coin that is recorded is the arm that is served, and who has no part.

use std::collections::BTreeMap;

use tollgate::record::{Arm, Enrolment, ExchangeRecord, NotEnrolled};

use crate::support::{Ask, Rig, ports};

/// Two routes that tell each other by the model they are asked for, one of them dead in `broken`.
fn rig() -> Rig {
    let dead = ports::dead();
    Rig::configured(&format!(
        r#"
        [providers.dead]
        base_url = "http://{dead}/v1"
        api_key = "sk-CANARY-DEAD"
        [providers.keyless]
        base_url = "http://{{sim}}/keyless/v1"
        [models.m]
        routes = [
            {{ provider = "oa", model = "sim:n-2" }}, {{ provider = "inj", model = "sim:n-3" }},
            {{ provider = "oa", model = "sim:n-4" }},
        ]
        [models.broken]
        routes = [{{ provider = "oa", model = "sim:n-3" }}, {{ provider = "dead" }}]
        [models.unkeyed]
        routes = [{{ provider = "oa", model = "sim:n-3" }}, {{ provider = "keyless" }}]
        [experiments.tax]
        model = "m"
        a = {{ provider = "inj" }}
        b = {{ provider = "oa", model = "sim:n-4" }}
        share = 0.8
        eligible = {{ endpoints = ["/v1/chat/completions"] }}
        [experiments.broken]
        model = "broken"
        a = {{ provider = "oa" }}
        b = {{ provider = "dead" }}
        share = 1
        [experiments.unkeyed]
        model = "unkeyed"
        a = {{ provider = "oa" }}
        b = {{ provider = "keyless" }}
        share = 1
        "#
    ))
}

fn served(record: &ExchangeRecord) -> Option<&str> {
    record.attempts.last()?.model.as_deref()
}

fn first(record: &ExchangeRecord) -> Option<&str> {
    record.attempts.first()?.model.as_deref()
}

#[test]
fn the_recorded_arm_is_the_route_that_serves_and_a_session_stays_in_it() {
    let rig = rig();
    let mut arms: BTreeMap<String, Enrolment> = BTreeMap::new();
    let mut counts = [0; 3];
    for turn in 0..2 {
        for session in 0..40 {
            let session = format!("s{session}");
            let ask = Ask::chat("m", turn == 0)
                .to("")
                .header("x-tollgate-session", &session);
            let (reading, record, truth) = rig.exchange(&ask);
            let enrolment = record.experiment.clone().unwrap();
            assert_eq!(enrolment.experiment.as_str(), "tax");
            let label = enrolment.label();
            assert_eq!(reading.header("x-tollgate-experiment"), label.as_deref());
            let (model, place) = match enrolment.part {
                Ok(assigned) => {
                    // A fair coin: arm A below the half.
                    let expected = if assigned.coin.as_fraction() < 0.5 {
                        Arm::A
                    } else {
                        Arm::B
                    };
                    assert_eq!(assigned.arm, expected);
                    assert_eq!(assigned.propensity, 500_000);
                    assert_eq!(record.reason.as_str(), "experiment");
                    // What chose among the routes is the coin, and no policy.
                    let decision = record.decision.as_ref().unwrap();
                    let chances = decision.routes.iter().map(|of| of.propensity);
                    assert_eq!(chances.collect::<Vec<_>>(), [0, 500_000, 500_000]);
                    (["sim:n-3", "sim:n-4"][expected as usize], expected as usize)
                }
                // The others follow the policy.
                Err(reason) => {
                    assert_eq!(reason, NotEnrolled::NotDrawn);
                    ("sim:n-2", 2)
                }
            };
            assert_eq!(served(&record), Some(model), "{session}");
            assert_eq!(truth.model.as_deref(), Some(model), "{session}");
            counts[place] += 1;
            if let Some(before) = arms.insert(session.clone(), enrolment.clone()) {
                assert_eq!(before, enrolment, "{session} changed its arm");
            }
        }
    }
    assert!(counts.iter().all(|count| *count >= 4), "{counts:?}");
}

#[test]
fn without_a_session_header_the_conversation_itself_is_the_unit() {
    let rig = rig();
    let ask = || Ask::chat("m", false).to("");
    let (one, two) = (rig.exchange(&ask()).1, rig.exchange(&ask()).1);
    assert_ne!(one.id, two.id);
    assert!(one.session.is_some());
    assert_eq!(one.experiment, two.experiment);
}

#[test]
fn pins_and_base_urls_win_and_the_record_says_so() {
    let rig = rig();
    let pinned = Ask::chat("m", false)
        .to("")
        .header("x-tollgate-route", "inj");
    let addressed = Ask::chat("m", false);
    let policy = Ask::chat("m", false)
        .to("")
        .header("x-tollgate-policy", "ordered");
    let unkeyed = Ask::chat("unkeyed", false).to("");
    for (ask, reason, model) in [
        (pinned, NotEnrolled::Pinned, "sim:n-3"),
        (addressed, NotEnrolled::Addressed, "m"),
        (policy, NotEnrolled::PolicyAsked, "sim:n-2"),
        (unkeyed, NotEnrolled::ArmUnavailable, "sim:n-3"),
    ] {
        let (reading, record, _) = rig.exchange(&ask);
        let part = record.experiment.as_ref().map(|enrolment| enrolment.part);
        assert_eq!(part, Some(Err(reason)));
        assert_eq!(reading.header("x-tollgate-experiment"), None);
        assert_eq!(first(&record), Some(model), "{reason:?}");
    }
    // Where no experiment is about the model there is nothing to say.
    let (_, record, _) = rig.exchange(&Ask::chat("sim:n-3", false));
    assert_eq!(record.experiment, None);
}

#[test]
fn who_fails_over_stays_in_the_assigned_arm() {
    let rig = rig();
    let mut moved = 0;
    for session in 0..12 {
        // A route whose breaker opened is no candidate, and its experiment pauses.
        rig.forget();
        let ask = Ask::chat("broken", false)
            .to("")
            .header("x-tollgate-session", &format!("s{session}"));
        let (reading, record, _) = rig.exchange(&ask);
        assert_eq!(reading.status, 200);
        let (_, assigned) = record.experiment.as_ref().unwrap().assigned().unwrap();
        assert_eq!(served(&record), Some("sim:n-3"));
        let attempts = [1, 2][assigned.arm as usize];
        assert_eq!(record.attempts.len(), attempts);
        if assigned.arm == Arm::B {
            moved += 1;
            assert_eq!(record.attempts[0].provider.as_str(), "dead");
            assert_eq!(
                reading.header("x-tollgate-experiment"),
                Some("broken/b"),
                "assigned, not served"
            );
        }
    }
    assert!((1..12).contains(&moved), "{moved}");
}
