//! Tests that nothing is lost on a restart but what time takes.

use super::*;
use crate::record::{ErrorClass, KeyedHash, Name};
use crate::routing::health::{Barred, Event};
use crate::routing::learned::{Ended, Observation};
use crate::routing::route::RouteKey;

const S: u64 = 1_000_000_000;

fn at(seconds: u64) -> Moment {
    Moment(seconds * S)
}

fn date(seconds: i64) -> WallTime {
    WallTime::default().plus_secs(seconds)
}

fn key(provider: &str) -> RouteKey {
    RouteKey::new(provider, Some(Name::from("m")))
}

/// Some hundred seconds of life: `a` is fast, `b` is down, `c` is limited, `d`'s key is wrong.
fn lived() -> (Health, Learned) {
    let (mut health, mut learned) = (Health::default(), Learned::default());
    for n in 0..100 {
        let seen = Observation {
            reasons: false,
            setup: None,
            at: at(n),
            prompt_tokens: 500 + 20 * n,
            first_token: Some(Nanos::from_millis(300 + n)),
            whole: None,
            per_token: Some(Nanos::from_millis(12)),
            output_tokens: Some(80),
            ended: Ended::Well,
        };
        learned.observe(&key("a"), &seen);
        learned.lengths.observe(&"m".into(), Some(KeyedHash(1)), 80);
        learned.answered(&key("a"), &"m-1".into());
    }
    let mut end = |provider: &str, credential, event| {
        let ticket = health.begin(&key(provider), credential, at(100));
        health.end(ticket, event, at(100), 0.5);
    };
    let failed = |class, until| Event::Failed { class, until };
    for _ in 0..5 {
        end("b", None, failed(ErrorClass::Connect, None));
    }
    end(
        "c",
        Some(KeyedHash(3)),
        failed(ErrorClass::RateLimited, Some(at(150))),
    );
    end("d", Some(KeyedHash(4)), failed(ErrorClass::Auth, None));
    (health, learned)
}

#[test]
fn what_was_learned_is_not_lost_on_a_restart() {
    let (health, learned) = lived();
    let text = write(&health, &learned, at(100), date(5_000)).unwrap();
    // Ten seconds later another process, whose clock began anew, reads it.
    let kept = read(&text).unwrap();
    let tunings = (*health.tuning(), *learned.tuning());
    let (now, then) = (at(1), at(110));
    let (new_health, new) = kept.restore(tunings, now, date(5_010));
    let (old, found) = (learned.expect(&key("a"), then), new.expect(&key("a"), now));
    assert!((old.level.mean - found.level.mean).abs() < 1e-9);
    assert!((old.level.variance - found.level.variance).abs() < 1e-6);
    assert!((old.slope - found.slope).abs() < 1e-9);
    let prompt = |of: &Learned| of.routes().next().unwrap().1.typical_prompt();
    assert_eq!(prompt(&learned), prompt(&new));
    assert!(prompt(&new).unwrap() > 2_000);
    assert!((old.success - found.success).abs() < 1e-9);
    assert_eq!(old.samples, found.samples);
    assert_eq!(
        learned.p95(&key("a"), 900, then),
        new.p95(&key("a"), 900, now)
    );
    let length = |learned: &Learned| learned.lengths.expected(&"m".into(), None, None);
    assert!((length(&learned) - length(&new)).abs() < 1e-6);
    for (provider, credential, barred, until) in [
        ("a", None, None, None),
        ("b", None, Some(Barred::Open), Some(21)),
        ("c", Some(KeyedHash(3)), Some(Barred::Cooling), Some(41)),
        ("c", None, None, None),
        (
            "d",
            Some(KeyedHash(4)),
            Some(Barred::CredentialHeld),
            Some(591),
        ),
    ] {
        let view = new_health.view(&key(provider), credential, now).barred;
        assert_eq!(view.map(|(why, _)| why), barred, "{provider}");
        assert_eq!(
            view.and_then(|(_, until)| until),
            until.map(at),
            "{provider}"
        );
    }
    assert_eq!(new_health.at_work(), 0);
    // One that was found to bear one at once gets no herd.
    let limit = |health: &Health, now| health.view(&key("c"), Some(KeyedHash(3)), now).limit;
    assert_eq!(limit(&new_health, now), Some(1));
    assert_eq!(limit(&health, then), Some(1));
    // Who answered before the restart is remembered: another one begins a new epoch.
    let mut new = new;
    let other = || new.answered(&key("a"), &"m-2".into());
    let ended: Vec<_> = std::iter::repeat_with(other).take(3).collect();
    assert_eq!(ended, [None, None, Some("m-1".into())]);
    assert_eq!(new.expect(&key("a"), now).samples, 0);
    assert_eq!(new.p95(&key("a"), 900, now), None);
}

#[test]
fn a_long_stop_makes_beliefs_unsure_and_ends_what_ran_out() {
    let (health, learned) = lived();
    let text = write(&health, &learned, at(100), date(5_000)).unwrap();
    let kept = read(&text).unwrap();
    assert_eq!(kept.age(date(4_000)), Nanos(0), "a date that ran back");
    let tunings = (*health.tuning(), *learned.tuning());
    let (health, learned) = kept.restore(tunings, at(1), date(5_000 + 86_400 * 3));
    let found = learned.expect(&key("a"), at(1));
    assert!((found.level.variance - 1.0).abs() < 1e-9);
    for provider in ["b", "c", "d"] {
        assert!(
            health.view(&key(provider), None, at(1)).is_open(),
            "{provider}"
        );
    }
}

#[test]
fn what_cannot_be_read_is_refused_and_says_why() {
    for (text, why) in [
        ("", "cannot be read"),
        ("{}", "cannot be read"),
        (r#"{"version":2}"#, "version 2"),
        (r#"{"version":1}"#, "cannot be read"),
    ] {
        let fault = read(text).map(|_| ()).unwrap_err();
        assert!(fault.to_string().contains(why), "{text}: {fault}");
    }
}
