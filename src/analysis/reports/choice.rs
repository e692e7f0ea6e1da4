//! Which calls a report takes.

use super::call::{Call, plain_model};
use crate::record::{ExchangeRecord, Name, RouteScore};

/// What a report is narrowed to; an empty list narrows nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Choice {
    /// Models, as asked for, as the route calls them, or without the maker's name.
    pub models: Vec<String>,
    /// Providers.
    pub providers: Vec<String>,
    /// Regions.
    pub regions: Vec<String>,
    /// Tags of the request (`x-tollgate-tags`): one of them is enough.
    pub tags: Vec<String>,
    /// Runs of benchmarks, loads, evaluations and probes, of whatever origin.
    pub runs: Vec<String>,
}

impl Choice {
    /// Whether an exchange may be in the report by its tags and its run.
    #[must_use]
    pub fn takes_record(&self, record: &ExchangeRecord) -> bool {
        let run = record.active.as_ref().map(|active| &active.run);
        let tagged =
            self.tags.is_empty() || record.tags.iter().any(|tag| has(&self.tags, Some(tag)));
        tagged && (self.runs.is_empty() || has(&self.runs, run))
    }

    /// Whether `call` is in the report.
    #[must_use]
    pub fn takes(&self, call: &Call) -> bool {
        let model = self.models.is_empty()
            || has(&self.models, call.model.as_ref())
            || has(&self.models, call.asked.as_ref())
            || self.models.contains(&plain_model(call));
        let provider = self.providers.is_empty() || has(&self.providers, Some(&call.provider));
        let region = self.regions.is_empty() || has(&self.regions, call.region.as_ref());
        model && provider && region
    }

    /// Whether an evaluation's score is in the report.
    #[must_use]
    pub fn takes_score(&self, score: &RouteScore) -> bool {
        let model = self.models.is_empty()
            || has(&self.models, Some(&score.model))
            || has(&self.models, Some(&score.there));
        let provider = self.providers.is_empty() || has(&self.providers, Some(&score.provider));
        let run = self.runs.is_empty() || has(&self.runs, Some(&score.run));
        model && provider && run
    }

    /// The choice in words, for the head of the report.
    #[must_use]
    pub fn words(&self) -> Vec<String> {
        let lists = [
            ("models", &self.models),
            ("providers", &self.providers),
            ("regions", &self.regions),
            ("tags", &self.tags),
            ("runs", &self.runs),
        ];
        lists
            .into_iter()
            .filter(|(_, list)| !list.is_empty())
            .map(|(name, list)| format!("{name} {}", list.join(" ")))
            .collect()
    }
}

fn has(list: &[String], name: Option<&Name>) -> bool {
    name.is_some_and(|name| list.iter().any(|one| one == name.as_str()))
}
