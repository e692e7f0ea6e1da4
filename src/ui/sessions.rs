//! Knows who may see the page: by the token itself, or by a session that the token opened.

use std::fmt::Write as _;
use std::sync::{Mutex, MutexGuard, PoisonError};

use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom as _, SystemRandom};
use secrecy::{ExposeSecret as _, SecretString};

use crate::record::{Moment, Nanos};

/// The cookie's name. Browsers share cookies among the ports of one host: the data plane never
/// looks at it.
pub(super) const COOKIE: &str = "tollgate_session";

/// How long a session lasts.
pub(super) const LIFETIME: Nanos = Nanos::from_millis(12 * 3_600_000);

/// Sessions open at once; the oldest goes.
const SESSIONS_MAX: usize = 64;
/// Wrong tokens taken within [`FAILURE_SPAN`] before all are refused for a while.
const FAILURES_MAX: u32 = 20;
const FAILURE_SPAN: Nanos = Nanos::from_millis(60_000);

type Hash = [u8; 32];

/// The sessions of this run: they end with it.
#[derive(Debug, Default)]
pub(super) struct Sessions(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    open: Vec<(Hash, Moment)>,
    failures: u32,
    failures_since: Moment,
}

/// Whether a token is right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Right,
    Wrong,
    /// Too many were wrong lately: it was not looked at.
    TooMany,
}

impl Sessions {
    /// Compares the token sent with the one wanted.
    pub(super) fn check(&self, sent: &str, wanted: &SecretString, now: Moment) -> Verdict {
        let mut inner = self.inner();
        if now.since(inner.failures_since) > FAILURE_SPAN {
            inner.failures = 0;
            inner.failures_since = now;
        }
        if inner.failures >= FAILURES_MAX {
            return Verdict::TooMany;
        }
        // Hashes are compared: how long that takes says nothing about the token.
        if hash(sent) == hash(wanted.expose_secret()) {
            return Verdict::Right;
        }
        inner.failures += 1;
        Verdict::Wrong
    }

    /// Opens a session, and gives the value of its cookie; none where chance has run dry.
    pub(super) fn open(&self, now: Moment) -> Option<String> {
        let mut random = [0; 32];
        SystemRandom::new().fill(&mut random).ok()?;
        let value = random.iter().fold(String::new(), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        });
        let mut inner = self.inner();
        inner.open.retain(|(_, ends)| *ends > now);
        if inner.open.len() >= SESSIONS_MAX {
            inner.open.remove(0);
        }
        inner.open.push((hash(&value), now.plus(LIFETIME)));
        Some(value)
    }

    /// Whether the cookie's value is that of an open session.
    pub(super) fn knows(&self, value: &str, now: Moment) -> bool {
        let sought = hash(value);
        let inner = self.inner();
        inner
            .open
            .iter()
            .any(|(hash, ends)| *hash == sought && *ends > now)
    }

    /// Ends a session.
    pub(super) fn close(&self, value: &str) {
        let sought = hash(value);
        self.inner().open.retain(|(hash, _)| *hash != sought);
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn hash(text: &str) -> Hash {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, text.as_bytes()).as_ref());
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_ends_by_time_and_by_word() {
        let sessions = Sessions::default();
        let now = Moment(5);
        let value = sessions.open(now).unwrap();
        assert!(sessions.knows(&value, now.plus(Nanos(1))));
        assert!(!sessions.knows("other", now));
        assert!(!sessions.knows(&value, now.plus(LIFETIME)));
        sessions.close(&value);
        assert!(!sessions.knows(&value, now));
    }

    #[test]
    fn wrong_tokens_are_counted_and_then_none_is_taken() {
        let sessions = Sessions::default();
        let wanted = SecretString::from("right");
        let now = Moment(100_000_000_000);
        for _ in 0..FAILURES_MAX {
            assert_eq!(sessions.check("wrong", &wanted, now), Verdict::Wrong);
        }
        assert_eq!(sessions.check("right", &wanted, now), Verdict::TooMany);
        let later = now.plus(Nanos(FAILURE_SPAN.0 + 1));
        assert_eq!(sessions.check("right", &wanted, later), Verdict::Right);
    }
}
