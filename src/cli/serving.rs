//! Has the program that holds the store do what would write to it.

use std::path::Path;

use super::admin::Admin;
use super::stored::{Stop, StoreArgs};
use crate::edge::store::{Store, StoreError};

/// Takes something out of the store by `take`, or has the program that holds the store take away
/// what is at `path` of its admin plane; returns whether it was there.
pub(super) fn remove(
    store: &StoreArgs,
    config: Option<&Path>,
    path: &str,
    take: impl FnOnce(&mut Store) -> Result<bool, StoreError>,
) -> Result<bool, Stop> {
    match store.open_to_write(config) {
        Ok(mut open) => Ok(take(&mut open)?),
        Err(busy @ Stop::Store(StoreError::InUse(_))) => {
            match serving(store, config, busy, "DELETE", path, "") {
                Err(Stop::Nothing(_)) => Ok(false),
                other => other.map(|_| true),
            }
        }
        Err(stop) => Err(stop),
    }
}

/// Sends a request to the admin plane of the program that holds the store. `busy` is said where it
/// cannot be asked.
pub(super) fn serving(
    store: &StoreArgs,
    config: Option<&Path>,
    busy: Stop,
    method: &str,
    path: &str,
    body: &str,
) -> Result<String, Stop> {
    let Some(settings) = store.settings(config)? else {
        return Err(busy);
    };
    let admin = Admin::of(&settings);
    let address = admin.address;
    let answer = admin.ask(method, path, body).map_err(|error| {
        Stop::Runtime(format!(
            "another program has the store, and {address} (`admin.listen`) does not answer: {error}"
        ))
    })?;
    match answer.status {
        200..=299 => Ok(answer.body),
        404 => Err(Stop::Nothing(answer.body)),
        409 => Err(Stop::Usage(answer.body)),
        status => Err(Stop::Runtime(format!(
            "{address} answers {status}: {}",
            admin.refusal(status).unwrap_or(&answer.body)
        ))),
    }
}
