//! Puts on a request what has to be got first: a token, or a signature over its last bytes.

use std::sync::Arc;

use secrecy::ExposeSecret as _;

use super::candidates::Way;
use crate::clock::Clock;
use crate::config::credentials::{AwsLogin, CredentialFrom};
use crate::edge::credentials::{CredentialFault, Keyring, Material, Signed, SigningKeys, sign};
use crate::edge::upstream::{Outgoing, OutgoingBody};

/// Gets the credential of a way that is no plain key, and puts it on `outgoing`, whose bytes must
/// be the last ones. Returns what was got; nothing where nothing had to be.
pub async fn authorise(
    way: &Way,
    outgoing: &mut Outgoing,
    keyring: &Arc<Keyring>,
    clock: &Clock,
) -> Result<Option<Arc<Material>>, CredentialFault> {
    let Some(from) = way.credential.to_get() else {
        return Ok(None);
    };
    let material = keyring.get(from).await?;
    match (&*material, from) {
        (Material::Token(token), _) => token.put(way.provider.auth, &mut outgoing.headers),
        (Material::Keys(keys), CredentialFrom::Aws(login)) => {
            put_signature(way, outgoing, (login, keys), clock)?;
        }
        (Material::Keys(_), _) => return Err(fault("access keys where nothing is signed")),
    }
    Ok(Some(material))
}

fn put_signature(
    way: &Way,
    outgoing: &mut Outgoing,
    (login, keys): (&AwsLogin, &SigningKeys),
    clock: &Clock,
) -> Result<(), CredentialFault> {
    let body = match &outgoing.body {
        OutgoingBody::Whole(bytes) => bytes.clone(),
        OutgoingBody::Streamed(..) | OutgoingBody::Taken => {
            return Err(fault("a body that is not whole cannot be signed"));
        }
    };
    let target = outgoing.target.path_and_query();
    let request = Signed {
        method: &outgoing.method,
        authority: &way.provider.base.authority(),
        target: target.map_or("/", |target| target.as_str()),
        body: &body,
        region: &login.region,
        service: login.service,
    };
    sign(&request, keys, &mut outgoing.headers, clock.wall())
        .map_err(|error| fault(&format!("the request cannot be signed: {error}")))
}

fn fault(message: &str) -> CredentialFault {
    CredentialFault {
        message: message.to_owned(),
        is_passing: false,
    }
}

/// Whether two ways send the same credential.
#[must_use]
pub fn same_credential(one: &Way, other: &Way) -> bool {
    let key = |way: &Way| match way.credential.source().map(|source| &source.from) {
        Some(CredentialFrom::Key(key)) => Ok(key.expose_secret().to_owned()),
        Some(from) => Err(from.identity()),
        None => Err(None),
    };
    key(one) == key(other)
}
