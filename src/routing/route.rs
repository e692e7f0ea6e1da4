//! Names a route: a provider and the model's name there.

use crate::record::Name;

/// What one way to a model is told apart by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RouteKey {
    /// The provider.
    pub provider: Name,
    /// The model's name there; absent for requests without a model.
    pub model: Option<Name>,
}

impl RouteKey {
    /// The key of a route.
    pub fn new(provider: impl Into<Name>, model: Option<Name>) -> Self {
        Self {
            provider: provider.into(),
            model,
        }
    }
}

impl std::fmt::Display for RouteKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.model {
            Some(model) => write!(f, "{}/{model}", self.provider),
            None => f.write_str(&self.provider),
        }
    }
}
