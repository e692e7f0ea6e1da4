//! Opens the store and leads the street's records to it.

use std::sync::Arc;

use super::fault::AppFault;
use crate::clock::Clock;
use crate::config::settings::Settings;
use crate::proxy::settle::Offer;
use crate::recorder::{Recorder, Running};

/// Opens the store and starts its writer, and says what was found there.
pub(super) fn open_store(
    settings: &Settings,
    clock: &Clock,
    print: &dyn Fn(&str),
) -> Result<(Recorder, Running), AppFault> {
    let (recorder, recording, opened) = Recorder::start(&settings.store, clock.clone())
        .map_err(|error| AppFault::Runtime(error.to_string()))?;
    if let Some(aside) = opened.moved_aside {
        print(&format!(
            "the store was damaged: it was moved aside to {} and a new one was begun",
            aside.display()
        ));
    }
    Ok((recorder, recording))
}

/// What the street hands its records to.
pub(super) fn offer_to(recorder: &Recorder) -> Offer {
    let recorder = recorder.clone();
    Arc::new(move |record| {
        // A full queue is counted by the recorder; nobody waits for room.
        let _ = recorder.offer(record);
    })
}
