//! A provider that is killed under load, while another one lives, costs no client its answer.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tollgate::record::{Mark, Outcome};
use tollgate::simulator::Simulator;
use tollgate::simulator::bare::{ReadEnd, Reading};

use crate::support::rig::simulator;
use crate::support::{Ask, Rig};

/// Clients, each with a request every 200 ms: 200 a second together.
const CLIENTS: usize = 40;
const PERIOD: Duration = Duration::from_millis(200);
const ROUNDS: u32 = 16;
/// The provider dies in the middle of this round.
const DIES: u32 = 6;

#[test]
fn a_provider_killed_under_load_fails_nobody_who_had_no_token_yet() {
    let doomed = Simulator::start(simulator()).unwrap();
    let words = "ft-40ms:gap-10ms:n-12";
    let rig = Rig::configured(&format!(
        "[providers.doomed]\nbase_url = \"{}\"\napi_key = \"{{key}}\"\n\
         [models.m]\nroutes = [{{ provider = \"doomed\", model = \"sim:{words}\" }}, \
         {{ provider = \"oa\", model = \"sim:{words}\" }}]\n",
        doomed.url("/v1")
    ));
    let asked: Mutex<Vec<(Ask, Reading)>> = Mutex::default();
    let dead = AtomicBool::new(false);
    let begin = Instant::now();
    std::thread::scope(|scope| {
        for client in 0..CLIENTS {
            let (asked, rig) = (&asked, &rig);
            scope.spawn(move || {
                for round in 0..ROUNDS {
                    let offset = PERIOD * client as u32 / CLIENTS as u32;
                    let due = begin + PERIOD * round + offset;
                    std::thread::sleep(due.saturating_duration_since(Instant::now()));
                    let ask = Ask::chat("m", !(client + round as usize).is_multiple_of(4)).to("");
                    let reading = rig.send(&ask);
                    asked.lock().unwrap().push((ask, reading));
                }
            });
        }
        let dead = &dead;
        scope.spawn(move || {
            std::thread::sleep(PERIOD * DIES + PERIOD / 2);
            doomed.stop_within(Duration::ZERO);
            dead.store(true, Ordering::Relaxed);
        });
    });
    assert!(dead.load(Ordering::Relaxed));
    let asked = asked.into_inner().unwrap();
    let (mut whole, mut moved, mut told) = (0, 0, 0);
    for (ask, reading) in &asked {
        let record = rig.record(ask);
        let last = record.attempts.last().unwrap();
        let before = record.attempts.len() - 1;
        match record.outcome {
            Outcome::Ok => {
                assert_eq!(reading.status, 200);
                assert_eq!(reading.end, ReadEnd::Complete);
                whole += 1;
                moved += usize::from(before > 0);
            }
            // Only what had its first token already may end otherwise, and is told so.
            outcome => {
                let name = format!("{outcome:?}: {}", reading.text());
                assert!(last.timeline.get(Mark::FirstToken).is_some(), "{name}");
                assert_eq!(last.provider.as_str(), "doomed", "{name}");
                assert!(record.request.stream, "{name}");
                assert!(reading.text().contains("upstream_"), "{name}");
                assert!(!reading.text().contains("[DONE]"), "{name}");
                assert!(last.maybe_billed, "{name}");
                told += 1;
            }
        }
    }
    println!(
        "{} asked: {whole} whole, {moved} of them moved, {told} told in-band",
        asked.len()
    );
    assert_eq!(asked.len(), CLIENTS * ROUNDS as usize);
    assert!(whole + told == asked.len() && moved > 0);
    let late = asked.iter().rev().take(CLIENTS * 4);
    for (ask, _) in late {
        let record = rig.record(ask);
        assert_eq!(record.attempts.len(), 1, "the dead route is left alone");
    }
}
