//! Hashes what must be recognised and never kept: prompts, session keys, credentials.

use std::fmt;

use ring::hmac;

use crate::record::KeyedHash;

/// Hashes with a secret of this installation (HMAC-SHA-256, first 64 bits).
#[derive(Clone)]
pub struct Hasher(hmac::Key);

impl Hasher {
    /// A hasher with this secret.
    #[must_use]
    pub fn new(secret: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, secret))
    }

    /// The keyed hash of `parts`, one after the other. `label` keeps hashes of different kinds
    /// of thing apart.
    #[must_use]
    pub fn hash<'a>(&self, label: &str, parts: impl IntoIterator<Item = &'a [u8]>) -> KeyedHash {
        let mut context = hmac::Context::with_key(&self.0);
        context.update(label.as_bytes());
        for part in parts {
            context.update(&[0]);
            context.update(part);
        }
        let tag = context.sign();
        let mut first = [0; 8];
        first.copy_from_slice(&tag.as_ref()[..8]);
        KeyedHash(u64::from_be_bytes(first))
    }
}

impl fmt::Debug for Hasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hasher")
    }
}
