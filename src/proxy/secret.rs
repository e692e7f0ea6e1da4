//! Hashes what must be recognised and never kept: prompts, session keys, credentials.

use std::fmt;
use std::hash::Hasher as _;

use siphasher::sip::SipHasher24;

use crate::record::KeyedHash;

/// Hashes with a secret of this installation: SipHash-2-4, a keyed pseudo-random function made
/// for short inputs (Aumasson and Bernstein, 2012). Without the secret, equal inputs cannot be
/// guessed by trying.
#[derive(Clone)]
pub struct Hasher {
    keyed: SipHasher24,
}

impl Hasher {
    /// A hasher with this secret: its first 16 bytes count, missing ones are zero.
    #[must_use]
    pub fn new(secret: &[u8]) -> Self {
        let mut key = [0; 16];
        for (to, from) in key.iter_mut().zip(secret) {
            *to = *from;
        }
        Self {
            keyed: SipHasher24::new_with_key(&key),
        }
    }

    /// The keyed hash of `parts`, one after the other. `label` keeps hashes of different kinds
    /// of thing apart.
    #[must_use]
    pub fn hash<'a>(&self, label: &str, parts: impl IntoIterator<Item = &'a [u8]>) -> KeyedHash {
        let mut hasher = self.keyed;
        hasher.write(label.as_bytes());
        for part in parts {
            // The length in front: two parts are never one other part.
            hasher.write_u64(part.len() as u64);
            hasher.write(part);
        }
        KeyedHash(hasher.finish())
    }
}

impl fmt::Debug for Hasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hasher")
    }
}

/// A credential without its scheme, so that one key has one hash in whichever header it comes.
#[must_use]
pub fn bare(value: &[u8]) -> &[u8] {
    let scheme = b"bearer ";
    match value.get(..scheme.len()) {
        Some(start) if start.eq_ignore_ascii_case(scheme) => value[scheme.len()..].trim_ascii(),
        _ => value.trim_ascii(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_depend_on_secret_label_and_parts() {
        let one = Hasher::new(b"0123456789abcdef");
        let other = Hasher::new(b"0123456789abcdeX");
        let hash =
            |hasher: &Hasher, label, parts: &[&[u8]]| hasher.hash(label, parts.iter().copied());
        let all = [
            hash(&one, "prompt", &[b"ab", b"c"]),
            hash(&one, "prompt", &[b"a", b"bc"]),
            hash(&one, "prefix", &[b"ab", b"c"]),
            hash(&other, "prompt", &[b"ab", b"c"]),
        ];
        assert_eq!(all[0], hash(&one, "prompt", &[b"ab", b"c"]));
        for (index, first) in all.iter().enumerate() {
            assert!(all[index + 1..].iter().all(|second| second != first));
        }
    }
}
