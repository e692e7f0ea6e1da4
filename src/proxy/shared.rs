//! Holds what all workers of the street share.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use arc_swap::ArcSwap;
use dashmap::DashSet;
use http::HeaderValue;

use super::candidates::Way;
use super::intake::Body;
use super::models::ModelLists;
use super::ours::Announced;
use super::quotes::Quotes;
use super::secret::Hasher;
use super::settle::Settler;
use crate::clock::Clock;
use crate::config::settings::Settings;
use crate::edge::credentials::Keyring;
use crate::record::{Language, Name, Origin};

/// What all workers share.
#[derive(Debug)]
pub struct Shared {
    /// The settings in force, swapped as a whole.
    pub settings: ArcSwap<Settings>,
    /// Where exchanges end.
    pub settler: Arc<Settler>,
    /// The clock.
    pub clock: Clock,
    /// Hashes what must not be kept.
    pub hasher: Hasher,
    /// This run's own mark, against loops.
    pub instance: HeaderValue,
    /// Where records are said to come from.
    pub origin: Origin,
    /// What routes cost.
    pub quotes: Quotes,
    /// Credentials that were got by a cloud's login or a program.
    pub keyring: Arc<Keyring>,
    /// Model lists of the providers.
    pub models: ModelLists,
    /// Requests of our own that are about to come.
    pub announced: Arc<Announced>,
    /// (provider, model) that refused `stream_options`.
    pub refuses_injection: DashSet<(Name, Name)>,
}

impl Shared {
    /// Exchanges begun and settled since the start.
    #[must_use]
    pub fn counts(&self) -> (u64, u64) {
        let settler = &self.settler;
        (
            settler.accepted.load(Ordering::Relaxed),
            settler.settled.load(Ordering::Relaxed),
        )
    }

    /// Whether the usage event is to be asked for on this way. Where a request is translated there
    /// is no usage in a client's language without it: there it is asked for wherever it is not known
    /// to be refused.
    pub(super) fn may_inject(&self, way: &Way, language: Language, body: &Body) -> bool {
        let said = way.speech.said();
        let reading = match (body, said) {
            (_, Some(said)) => said.reading.as_deref(),
            (Body::Read(_, reading), None) => Some(&**reading),
            _ => None,
        };
        let Some(reading) = reading else { return false };
        let language = way.speech.language(language);
        let takes = matches!(language, Language::OpenAiChat | Language::OpenAiCompletions);
        takes
            && reading.stream
            && match said {
                // In a translated request nobody but us asks for it.
                Some(_) => reading.include_usage == Some(true),
                None => reading.include_usage.is_none() && way.provider.inject_usage,
            }
            && (self.refuses_injection.is_empty()
                || !self.refuses_injection.contains(&memo_key(way)))
    }

    pub(super) fn forget_injection(&self, way: &Way) {
        self.never_inject(way, "it refuses stream_options");
    }

    /// Remembers that usage is not to be asked for at this route.
    pub(super) fn never_inject(&self, way: &Way, why: &'static str) {
        if self.refuses_injection.insert(memo_key(way)) {
            tracing::info!(
                provider = %way.provider.name,
                why,
                "usage is not asked for there any more"
            );
        }
    }
}

fn memo_key(way: &Way) -> (Name, Name) {
    (
        way.provider.name.clone(),
        way.model.clone().unwrap_or_default(),
    )
}
