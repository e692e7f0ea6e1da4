//! Names the reports that need nothing but calls.

use super::call::Call;
use super::figures::not_waited_out;
use super::gather::Report;
use super::{backends, cache, consistency, cost, errors, json_tax, length, models, regions, trend};
use crate::analysis::paper::{Head, Paper};
use crate::record::ExchangeRecord;

/// A report that needs nothing but calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listed {
    /// Every model at every provider.
    Models,
    /// Every model in every region.
    Regions,
    /// Who serves behind routers.
    Backends,
    /// How steady every route is.
    Consistency,
    /// What went wrong.
    Errors,
    /// Rate against output length.
    Length,
    /// Prompt caches and identical requests.
    Cache,
    /// What JSON costs at the same route.
    JsonTax,
    /// Percentiles over time.
    Trend,
    /// What it cost.
    Cost,
}

impl Listed {
    /// Every one.
    pub const ALL: [Self; 10] = [
        Self::Models,
        Self::Regions,
        Self::Backends,
        Self::Consistency,
        Self::Errors,
        Self::Length,
        Self::Cache,
        Self::JsonTax,
        Self::Trend,
        Self::Cost,
    ];

    /// Its name, as it is asked for.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Models => "models",
            Self::Regions => "regions",
            Self::Backends => "backends",
            Self::Consistency => "consistency",
            Self::Errors => "errors",
            Self::Length => "length",
            Self::Cache => "cache",
            Self::JsonTax => "json-tax",
            Self::Trend => "trend",
            Self::Cost => "cost",
        }
    }

    /// The report of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|listed| listed.name() == name)
    }

    /// What was found in `calls`; `head` has everything but the method and the seed.
    #[must_use]
    pub fn paper(self, calls: &[Call], head: Head) -> Paper {
        let mut paper = match self {
            Self::Models => models::paper(calls, head),
            Self::Regions => regions::paper(calls, head),
            Self::Backends => backends::paper(calls, head),
            Self::Consistency => consistency::paper(calls, head),
            Self::Errors => errors::paper(calls, head),
            Self::Length => length::paper(calls, head),
            Self::Cache => cache::paper(calls, head),
            Self::JsonTax => json_tax::paper(calls, head),
            Self::Trend => trend::paper(calls, head),
            Self::Cost => cost::paper(calls, head),
        };
        if self.tells_first_tokens() {
            paper.notes.extend(not_waited_out(calls));
        }
        paper
    }

    /// Whether it tells times to first token.
    pub(super) const fn tells_first_tokens(self) -> bool {
        matches!(
            self,
            Self::Models
                | Self::Regions
                | Self::Backends
                | Self::Consistency
                | Self::Cache
                | Self::Trend
        )
    }
}

/// A listed report at work.
#[derive(Debug)]
pub struct Calls {
    listed: Listed,
    calls: Vec<Call>,
}

impl Calls {
    /// Nothing yet.
    #[must_use]
    pub const fn new(listed: Listed) -> Self {
        Self {
            listed,
            calls: Vec::new(),
        }
    }

    /// The calls taken so far.
    #[must_use]
    pub fn calls(&self) -> &[Call] {
        &self.calls
    }
}

impl Report for Calls {
    fn take(&mut self, _: &ExchangeRecord, calls: Vec<Call>) {
        self.calls.extend(calls);
    }

    fn paper(&self, head: Head) -> Paper {
        self.listed.paper(&self.calls, head)
    }
}
