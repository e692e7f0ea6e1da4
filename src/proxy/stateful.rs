//! Keeps a request that refers to what one account holds with that account.

use super::accounts::{Account, Accounts};
use super::candidates::Ways;
use super::intake::Body;
use super::secret::Hasher;
use crate::record::Language;

/// How a request is tied to one of a provider's accounts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Tie {
    /// Not at all.
    Loose,
    /// What it makes is kept by whoever makes it: by the first of the credentials, where that one
    /// can.
    Stores,
    /// What it refers to is held by one: by that which made it where that is known, else by the
    /// first of the credentials.
    Bound(Option<Account>),
}

/// Parts of paths behind which stands what one account holds.
const HELD: [&str; 16] = [
    "responses",
    "conversations",
    "completions",
    "files",
    "uploads",
    "batches",
    "vector_stores",
    "assistants",
    "threads",
    "fine_tuning",
    "fine-tunes",
    "evals",
    "containers",
    "videos",
    "cachedContents",
    "operations",
];

/// How a request with this body, to this path, is tied.
pub(super) fn tie(body: &Body, (path, language): (&str, Language), accounts: &Accounts) -> Tie {
    if let Body::Read(_, reading) = body {
        let before = reading.previous_response_id.as_deref();
        return if reading.bound_to_account {
            Tie::Bound(before.and_then(|id| accounts.of(id)))
        } else if reading.stores {
            Tie::Stores
        } else {
            Tie::Loose
        };
    }
    let mut parts = path.split('/');
    if language != Language::Plain || !parts.any(|part| HELD.contains(&part)) {
        return Tie::Loose;
    }
    Tie::Bound(parts.find_map(|id| accounts.of(id)))
}

/// Leaves of the ways to each provider the one that `tie` asks for.
pub(super) fn keep(found: &mut Ways, tie: &Tie, hasher: &Hasher) {
    let Tie::Bound(account) = tie else { return };
    let made_it = |index: usize| {
        let way = &found.ways[index];
        account.as_ref().is_some_and(|account| {
            way.provider.name == account.provider
                && way.credential.hash(hasher) == account.credential
        })
    };
    let makers: Vec<bool> = (0..found.ways.len()).map(made_it).collect();
    let known = makers.contains(&true);
    let mut makers = makers.into_iter();
    found.ways.retain_mut(|way| {
        let made_it = makers.next().unwrap_or(false);
        let stays = if known { made_it } else { !way.is_spare };
        way.is_spare = false;
        stays
    });
}
