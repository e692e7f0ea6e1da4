//! Checks that coins are fair, keep to their units, and know nothing of other experiments.

use super::*;
use crate::routing::experiment::{Bounds, Eligible, Metric, Mode, Question, Stop};
use crate::statistics::compare::sample_ratio_p;

fn experiment(name: &str) -> Experiment {
    let route = |provider: &str| Route {
        provider: provider.into(),
        model: "m".into(),
    };
    Experiment {
        name: name.into(),
        model: "m".into(),
        routes: [route("one"), route("two")],
        mode: Mode::Ab,
        share: 1_000_000,
        split: 500_000,
        seed: 1,
        unit: AssignedUnit::Session,
        bounds: Bounds::default(),
        eligible: Eligible::default(),
        question: Question {
            metric: Metric::FirstToken,
            less_is_better: true,
            margin: Metric::FirstToken.margin(),
            alpha: 0.05,
            power: 0.8,
            stop: Stop::Sequential,
        },
    }
}

fn applicant(session: u64) -> Applicant<'static> {
    Applicant {
        id: ExchangeId([7; 16]),
        started: WallTime(1_000),
        model: "m",
        how_found: "model",
        policy_asked: false,
        session: Some(KeyedHash(session)),
        tags: &[],
        client_key: None,
        endpoint: "/v1/chat/completions",
        stream: true,
    }
}

fn arm(experiment: &Experiment, session: u64) -> Result<Arm, NotEnrolled> {
    let all = std::slice::from_ref(experiment);
    let (enrolment, route) = enrol(all, &applicant(session), |_| true).unwrap();
    let arm = enrolment.part.map(|assigned| assigned.arm);
    assert_eq!(route, arm.ok().map(|arm| experiment.route(arm)));
    arm
}

#[test]
fn arms_have_their_shares() {
    for (share, split) in [
        (1_000_000, 500_000),
        (100_000, 500_000),
        (1_000_000, 100_000),
        (300_000, 900_000),
    ] {
        for seed in [1, 2, 77] {
            let experiment = Experiment {
                share,
                split,
                seed,
                ..experiment("tax")
            };
            let mut counts = [0_u64; 3];
            for session in 0..60_000 {
                let place = match arm(&experiment, session) {
                    Ok(arm) => arm as usize,
                    Err(reason) => {
                        assert_eq!(reason, NotEnrolled::NotDrawn);
                        2
                    }
                };
                counts[place] += 1;
            }
            let (share, split) = (f64::from(share) / 1e6, f64::from(split) / 1e6);
            let shares = [share * split, share * (1.0 - split), 1.0 - share];
            let kinds = if shares[2] > 0.0 { 3 } else { 2 };
            let p = sample_ratio_p(&counts[..kinds], &shares[..kinds]).unwrap();
            assert!(p > 1e-4, "{share} {split} seed {seed}: {counts:?}, p {p}");
        }
    }
}

#[test]
fn a_session_stays_in_its_arm_while_the_share_grows() {
    let with = |share| Experiment {
        share,
        ..experiment("tax")
    };
    let mut drawn = 0;
    for session in 0..2_000 {
        let small = arm(&with(100_000), session);
        assert_eq!(small, arm(&with(100_000), session));
        if small.is_ok() {
            drawn += 1;
            assert_eq!(small, arm(&with(400_000), session));
        }
    }
    assert!((150..250).contains(&drawn), "{drawn} of 2000 at 10 %");
}

#[test]
fn experiments_throw_apart() {
    let plain = experiment("one");
    for (what, other) in [
        ("another name", experiment("two")),
        ("a longer name", experiment("one2")),
        (
            "another seed",
            Experiment {
                seed: 2,
                ..experiment("one")
            },
        ),
    ] {
        // Both arms of the one with both arms of the other: four fair cells.
        let mut counts = [0_u64; 4];
        for session in 0..40_000 {
            let place = |experiment| arm(experiment, session).unwrap() as usize;
            counts[2 * place(&plain) + place(&other)] += 1;
        }
        let p = sample_ratio_p(&counts, &[1.0; 4]).unwrap();
        assert!(p > 1e-4, "{what}: {counts:?}, p {p}");
    }
}

#[test]
fn the_two_coins_of_a_unit_are_independent() {
    let experiment = experiment("tax");
    let mut counts = [0_u64; 4];
    for session in 0..40_000_u64 {
        let (drawn, coin) = coins(&experiment, &session.to_le_bytes());
        let half = |coin: Coin| usize::from(coin.0 >= 1 << 31);
        counts[2 * half(drawn) + half(coin)] += 1;
    }
    let p = sample_ratio_p(&counts, &[1.0; 4]).unwrap();
    assert!(p > 1e-4, "{counts:?}, p {p}");
}

type Change<'a> = &'a dyn Fn(&mut Applicant<'_>);

#[test]
fn who_has_no_part_is_told_why() {
    let narrow = Experiment {
        eligible: Eligible {
            tags: vec!["agent".into()],
            client_keys: vec![KeyedHash(5)],
            endpoints: vec!["/v1/chat/completions".into()],
            stream: Some(true),
        },
        ..experiment("tax")
    };
    let tags: [Name; 2] = ["chat".into(), "agent".into()];
    let fits = Applicant {
        tags: &tags,
        client_key: Some(KeyedHash(5)),
        ..applicant(3)
    };
    let outside = |change: &dyn Fn(&mut Applicant<'_>)| {
        let mut changed = fits;
        change(&mut changed);
        let all = std::slice::from_ref(&narrow);
        enrol(all, &changed, |_| true).map(|(enrolment, _)| enrolment.part.err())
    };
    let cases: [(Option<Option<NotEnrolled>>, Change<'_>); 10] = [
        (Some(None), &|_| {}),
        (Some(Some(NotEnrolled::Pinned)), &|it| {
            it.how_found = "pinned";
        }),
        (Some(Some(NotEnrolled::Addressed)), &|it| {
            it.how_found = "base_url";
        }),
        (Some(Some(NotEnrolled::PolicyAsked)), &|it| {
            it.policy_asked = true;
        }),
        (Some(Some(NotEnrolled::Tag)), &|it| it.tags = &[]),
        (Some(Some(NotEnrolled::ClientKey)), &|it| {
            it.client_key = None;
        }),
        (Some(Some(NotEnrolled::Endpoint)), &|it| {
            it.endpoint = "/v1/responses";
        }),
        (Some(Some(NotEnrolled::Stream)), &|it| it.stream = false),
        (Some(Some(NotEnrolled::NoSession)), &|it| {
            it.session = None;
        }),
        (None, &|it| it.model = "other"),
    ];
    for (index, (expected, change)) in cases.into_iter().enumerate() {
        assert_eq!(outside(change), expected, "case {index}");
    }
    // One arm that cannot be taken keeps everybody out, of either arm.
    for provider in ["one", "two"] {
        let all = std::slice::from_ref(&narrow);
        let (enrolment, _) = enrol(all, &fits, |route| &*route.provider == provider).unwrap();
        assert_eq!(enrolment.part, Err(NotEnrolled::ArmUnavailable));
    }
}

#[test]
fn it_runs_from_its_start_up_to_its_end_and_requests_throw_on_their_own() {
    let at = |start, end| Bounds {
        start: Some(WallTime(start)),
        end: Some(WallTime(end)),
    };
    let bounded = Experiment {
        bounds: at(1_000, 1_001),
        unit: AssignedUnit::Request,
        ..experiment("tax")
    };
    for (started, runs) in [(999, false), (1_000, true), (1_001, false)] {
        let asked = Applicant {
            started: WallTime(started),
            session: None,
            ..applicant(0)
        };
        let all = std::slice::from_ref(&bounded);
        assert_eq!(enrol(all, &asked, |_| true).is_some(), runs, "{started}");
    }
    let (open, never) = (Bounds::default(), at(5, 5));
    for (one, other, meet) in [
        (at(1, 5), at(5, 9), false),
        (at(1, 6), at(5, 9), true),
        (open, at(5, 9), true),
        (open, open, true),
        (at(6, 9), never, false),
    ] {
        assert_eq!((one.meet(&other), other.meet(&one)), (meet, meet));
    }
}
