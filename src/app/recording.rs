//! Opens the store and leads the street's records to it.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crate::clock::Clock;
use crate::config::settings::Settings;
use crate::edge::store::{Opened, StoreError};
use crate::proxy::settle::Offer;
use crate::recorder::{Recorder, Running};

/// How long a start waits for a store in use: a report that puts a killed writer's store in order
/// holds it for milliseconds, a writer that stops for its last commit, and both for seconds on a
/// machine that has much else to do. A second program is refused after it.
const IN_USE_WAIT: Duration = Duration::from_secs(10);
/// Time between two looks.
const IN_USE_PAUSE: Duration = Duration::from_millis(50);

/// Opens the store and starts its writer, and says what was found there.
pub(super) fn open_store(
    settings: &Settings,
    clock: &Clock,
    print: &dyn Fn(&str),
) -> Result<(Recorder, Running), StoreError> {
    let open = || Recorder::start(&settings.store, clock.clone());
    Ok(told(patiently(clock, print, open)?, print))
}

/// The same, where a store in use stays so: a server that runs has it.
pub(super) fn open_store_at_once(
    settings: &Settings,
    clock: &Clock,
    print: &dyn Fn(&str),
) -> Result<(Recorder, Running), StoreError> {
    let started = Recorder::start(&settings.store, clock.clone())?;
    Ok(told(started, print))
}

fn told(
    (recorder, recording, opened): (Recorder, Running, Opened),
    print: &dyn Fn(&str),
) -> (Recorder, Running) {
    if let Some(aside) = opened.moved_aside {
        print(&format!(
            "the store was damaged: it was moved aside to {} and a new one was begun",
            aside.display()
        ));
    }
    if let Some(found) = opened.replayed.told() {
        print(&found);
    }
    (recorder, recording)
}

/// Tries to open again while another process has the store, for at most [`IN_USE_WAIT`].
fn patiently<T>(
    clock: &Clock,
    print: &dyn Fn(&str),
    mut open: impl FnMut() -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    let began = clock.now();
    let mut said = false;
    loop {
        match open() {
            Err(StoreError::InUse(path))
                if u128::from(clock.now().since(began).0) < IN_USE_WAIT.as_nanos() =>
            {
                if !said {
                    print(&format!(
                        "the store {} is in use: waiting up to {IN_USE_WAIT:?} for it",
                        path.display()
                    ));
                    said = true;
                }
                thread::sleep(IN_USE_PAUSE);
            }
            other => return other,
        }
    }
}

/// What the street hands its records to.
pub(super) fn offer_to(recorder: &Recorder) -> Offer {
    let recorder = recorder.clone();
    Arc::new(move |record| {
        // A full queue is counted by the recorder; nobody waits for room.
        let _ = recorder.offer(record);
    })
}
