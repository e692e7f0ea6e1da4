//! Says what is told to whoever is to be woken: what changed, of which route, by which figures.

use serde_json::{Map, Value, json};

use crate::record::{Name, WallTime};

/// The schema of an alert's JSON.
pub const SCHEMA: &str = "tollgate.alert/1";

/// What is watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Condition {
    /// A route's first token has left its baseline.
    Drift,
    /// A route answers fewer probes than it is to.
    Availability,
    /// A provider lists models that it did not list before.
    NewModels,
}

impl Condition {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::Drift, Self::Availability, Self::NewModels];

    /// The name used in alerts, metrics and what is kept.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Drift => "drift",
            Self::Availability => "availability",
            Self::NewModels => "new_models",
        }
    }

    /// The one of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|of| of.name() == name)
    }
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It holds from now on.
    Raised,
    /// It holds no more.
    Resolved,
    /// It happened, and is over with that.
    Seen,
}

impl Change {
    /// The name used in alerts.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Raised => "raised",
            Self::Resolved => "resolved",
            Self::Seen => "seen",
        }
    }
}

/// One alert: a change of state, told once.
#[derive(Debug, Clone, PartialEq)]
pub struct Alert {
    /// When it was found.
    pub at: WallTime,
    /// What is watched.
    pub condition: Condition,
    /// What became of it.
    pub change: Change,
    /// The provider.
    pub provider: Name,
    /// The model's name there, or all that are new.
    pub models: Vec<Name>,
    /// A sentence for people.
    pub summary: String,
    /// What it was found by, by name.
    pub figures: Vec<(&'static str, Value)>,
}

impl Alert {
    /// The body of the webhook: nothing in it is a secret, a prompt or an answer. `id` tells it
    /// from every other, so that one that is sent twice is known.
    #[must_use]
    pub fn json(&self, id: &str) -> Value {
        let figures = self.figures.iter();
        let figures: Map<String, Value> = figures
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect();
        json!({
            "schema": SCHEMA,
            "id": id,
            "time": self.at.rfc3339(),
            "condition": self.condition.name(),
            "change": self.change.name(),
            "provider": self.provider.as_str(),
            "models": self.models.iter().map(Name::as_str).collect::<Vec<_>>(),
            "summary": self.summary,
            "figures": figures,
            // What chat services show of a message that they know nothing else of.
            "text": format!("tollgate: {}", self.summary),
        })
    }
}
