//! Knows requests of our own making: what each is part of is announced before it is sent.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::record::{Active, Origin};

/// What a request of our own is recorded as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// Where it is said to come from.
    pub origin: Origin,
    /// What it is part of.
    pub active: Active,
}

/// Requests that were announced and have not come yet.
#[derive(Debug, Default)]
pub struct Announced {
    next: AtomicU64,
    waiting: Mutex<HashMap<u64, Mark>>,
}

/// Takes an announcement back when it is dropped: a request that never came leaves nothing.
#[derive(Debug)]
pub struct Announcement {
    list: Arc<Announced>,
    number: u64,
}

impl Announced {
    /// Announces a request; it is found by the number of what is given back.
    #[must_use]
    pub fn announce(self: &Arc<Self>, mark: Mark) -> Announcement {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        self.with(|waiting| waiting.insert(number, mark));
        Announcement {
            list: Arc::clone(self),
            number,
        }
    }

    /// What was announced by this number; once.
    pub(super) fn take(&self, number: u64) -> Option<Mark> {
        self.with(|waiting| waiting.remove(&number))
    }

    fn with<R>(&self, look: impl FnOnce(&mut HashMap<u64, Mark>) -> R) -> R {
        look(&mut self.waiting.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Announcement {
    /// The number that the request carries in [`HEADER`].
    #[must_use]
    pub const fn number(&self) -> u64 {
        self.number
    }
}

impl Drop for Announcement {
    fn drop(&mut self) {
        let _ = self.list.take(self.number);
    }
}

/// The header with the number. It is read on connections of our own only, and, as every
/// `x-tollgate-` header, sent to no provider.
pub const HEADER: &str = "x-tollgate-announced";

/// The header of a request that is to open a connection to the provider, whatever is pooled.
pub const FRESH: &str = "x-tollgate-fresh";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_found_once_and_what_never_came_is_forgotten() {
        let list = Arc::new(Announced::default());
        let mark = Mark {
            origin: Origin::Probe,
            active: Active::default(),
        };
        let (one, other) = (list.announce(mark.clone()), list.announce(mark.clone()));
        assert_ne!(one.number(), other.number());
        assert_eq!(list.take(one.number()), Some(mark));
        assert_eq!(list.take(one.number()), None);
        let number = other.number();
        drop(other);
        assert_eq!(list.take(number), None);
    }
}
