//! Gets the credentials that are no plain keys: from programs and from the clouds' own logins.
//!
//! Whoever sends a request asks the [`Keyring`], which keeps what it got until shortly before it
//! runs out. Nothing here is ever logged but what was tried; a secret is a `SecretString`.

mod material;

mod call;

mod file;

mod command;

mod sign;

mod aws;

mod google;

mod program;

mod federated;

mod entra;

mod keyring;

#[cfg(test)]
mod tests;

pub use file::read_secret;
pub use keyring::Keyring;
pub use material::{CredentialFault, Material, SigningKeys, Token};
pub use sign::{Signed, sign};
