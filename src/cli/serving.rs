//! Has the program that holds the store do what would write to it.

use std::path::Path;

use secrecy::ExposeSecret as _;

use super::admin::{Admin, reachable};
use super::stored::{Stop, StoreArgs};

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
    let admin = Admin {
        address: reachable(settings.admin.listen),
        token: settings
            .admin
            .token
            .as_ref()
            .map(|token| token.expose_secret().to_owned()),
    };
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
            answer.body
        ))),
    }
}
