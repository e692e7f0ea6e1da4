//! Remembers which account of a provider's made an answer that it keeps, as hashes of ids only.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Mutex, PoisonError};

use crate::record::{KeyedHash, Name};

/// Answers of which it is known who made them: the last ones. An id that is forgotten is as one
/// that was never seen.
const KEPT_MAX: usize = 16_384;

/// Who made an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The provider.
    pub provider: Name,
    /// The credential that it was asked with; absent where there was none.
    pub credential: Option<KeyedHash>,
}

/// The accounts that made the last answers.
#[derive(Debug, Default)]
pub struct Accounts {
    keyed: RandomState,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    of: HashMap<u64, Account>,
    order: VecDeque<u64>,
}

impl Accounts {
    /// The answer `id` was made by `account`.
    pub fn note(&self, id: &str, account: Account) {
        let id = self.keyed.hash_one(id);
        self.with(|known| {
            if known.of.insert(id, account).is_some() {
                return;
            }
            known.order.push_back(id);
            if known.order.len() > KEPT_MAX
                && let Some(oldest) = known.order.pop_front()
            {
                known.of.remove(&oldest);
            }
        });
    }

    /// Who made the answer `id`; absent where nobody knows.
    #[must_use]
    pub fn of(&self, id: &str) -> Option<Account> {
        let id = self.keyed.hash_one(id);
        self.with(|known| known.of.get(&id).cloned())
    }

    fn with<R>(&self, look: impl FnOnce(&mut Known) -> R) -> R {
        look(&mut self.known.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_answers_are_known_and_no_more() {
        let accounts = Accounts::default();
        let by = |number: usize| Account {
            provider: Name::from("p"),
            credential: Some(KeyedHash(number as u64)),
        };
        for number in 0..=KEPT_MAX {
            accounts.note(&format!("resp_{number}"), by(number));
        }
        assert_eq!(accounts.of("resp_0"), None);
        assert_eq!(accounts.of("resp_1"), Some(by(1)));
        accounts.note("resp_1", by(7));
        assert_eq!(accounts.of("resp_1"), Some(by(7)));
        assert_eq!(accounts.with(|known| known.of.len()), KEPT_MAX);
    }
}
