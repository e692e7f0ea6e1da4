//! Knows which names mean one model: reports compare routes to the same one, whatever each host calls it.

use std::collections::{HashMap, HashSet};

use crate::record::{Name, ProviderKind};
use crate::routing::catalogue::ModelFacts;

use super::call::plain_name;

/// Which names mean one model.
///
/// The catalogue goes first: two names of different models there are never taken for one. A name
/// that it does not know (a deployment, an alias of a router, a model of one's own) is what the
/// config says: routes of one model lead to that model, and models of the config that share a route
/// are one, under the name that the first of these routes has. What neither knows is its own name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SameModel {
    /// In small letters.
    catalogued: HashMap<String, Name>,
    /// By provider, and by the name there in small letters.
    routed: HashMap<Name, HashMap<String, Name>>,
}

/// A model of the config: its name, and each route's provider and name there.
pub type Routed = (Name, Vec<(Name, Name)>);

impl SameModel {
    /// Of a catalogue and the models of a config. `prefixes` are put by a host before names, with a
    /// dot between: the geographies of Bedrock's inference profiles.
    #[must_use]
    pub fn new(catalogue: &[ModelFacts], prefixes: &[&str], routed: &[Routed]) -> Self {
        let mut same = Self::default();
        for facts in catalogue {
            let hosts = facts.at.iter().map(|(_, name)| name);
            for name in std::iter::once(&facts.name).chain(hosts) {
                same.know(name.to_ascii_lowercase(), &facts.name);
                for prefix in prefixes.iter().filter(|_| name.contains('.')) {
                    same.know(
                        format!("{prefix}.{}", name.to_ascii_lowercase()),
                        &facts.name,
                    );
                }
            }
        }
        for model in routed {
            same.route(model);
        }
        same
    }

    /// The first word counts: a host that gives one name to two models says nothing.
    fn know(&mut self, name: String, model: &Name) {
        self.catalogued.entry(name).or_insert_with(|| model.clone());
    }

    fn route(&mut self, (name, routes): &Routed) {
        let there = routes.iter().map(|(_, there)| there.as_str());
        let known: HashSet<&Name> = there
            .chain([name.as_str()])
            .filter_map(|name| self.catalogued(name))
            .collect();
        // Different models under one name: the others' are not guessed at.
        if known.len() > 1 {
            return;
        }
        let told = known.into_iter().next();
        let told_before = || routes.iter().find_map(|route| self.routed_as(route));
        let model = told.or_else(told_before).unwrap_or(name).clone();
        self.join(&model, routes);
        for (provider, there) in routes {
            let names = self.routed.entry(provider.clone()).or_default();
            names
                .entry(there.to_ascii_lowercase())
                .or_insert_with(|| model.clone());
        }
    }

    /// What shares one of these routes is `model` from now on, unless the catalogue knows it.
    fn join(&mut self, model: &Name, routes: &[(Name, Name)]) {
        let shared = routes.iter().filter_map(|route| self.routed_as(route));
        let others: HashSet<Name> = shared
            .filter(|other| *other != model && self.catalogued(other.as_str()).is_none())
            .cloned()
            .collect();
        for known in self.routed.values_mut().flat_map(HashMap::values_mut) {
            if others.contains(&*known) {
                *known = model.clone();
            }
        }
    }

    fn routed_as(&self, (provider, there): &(Name, Name)) -> Option<&Name> {
        self.routed.get(provider)?.get(&there.to_ascii_lowercase())
    }

    fn catalogued(&self, name: &str) -> Option<&Name> {
        let tail = name.rsplit('/').next().unwrap_or(name);
        let known = |name: &str| self.catalogued.get(&name.to_ascii_lowercase());
        known(name).or_else(|| known(tail))
    }

    /// The model that `there` is at a provider of that kind.
    #[must_use]
    pub fn of(&self, provider: &str, kind: ProviderKind, there: &str) -> Name {
        let small = there.to_ascii_lowercase();
        let bare = plain_name(kind, there);
        let catalogued = [&small, &bare]
            .into_iter()
            .find_map(|name| self.catalogued.get(name));
        let routed = || self.routed.get(provider)?.get(&small);
        catalogued
            .or_else(routed)
            .cloned()
            .unwrap_or_else(|| Name::from(bare))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ProviderKind::{Direct, Router};

    fn facts(name: &str, at: &[(&str, &str)]) -> ModelFacts {
        ModelFacts {
            name: name.into(),
            aliases: Vec::new(),
            family: "f".into(),
            rung: None,
            released: None,
            retired: None,
            context_length: None,
            output_max: None,
            at: at
                .iter()
                .map(|(host, name)| (Name::from(*host), Name::from(*name)))
                .collect(),
            docs: None,
            takes_effort: None,
            source: String::new(),
        }
    }

    fn routed(name: &str, routes: &[(&str, &str)]) -> Routed {
        let routes = routes
            .iter()
            .map(|(provider, there)| (Name::from(*provider), Name::from(*there)));
        (name.into(), routes.collect())
    }

    #[test]
    fn one_model_has_one_name_whatever_hosts_call_it() {
        let catalogue = [
            facts(
                "llama-3.1-8b",
                &[
                    ("groq", "llama-3.1-8b-instant"),
                    ("together", "meta-llama/Meta-Llama-3.1-8B-Instruct-Turbo"),
                ],
            ),
            facts(
                "claude-sonnet-4-6",
                &[
                    ("bedrock", "anthropic.claude-sonnet-4-6"),
                    ("openrouter", "anthropic/claude-sonnet-4.6"),
                ],
            ),
            facts("gpt-4.1", &[("openrouter", "openai/gpt-4.1")]),
        ];
        let config = [
            routed(
                "prod",
                &[
                    ("openai", "gpt-4.1"),
                    ("azure", "our-deployment"),
                    ("litellm", "prod-alias"),
                ],
            ),
            routed("local", &[("vllm", "Qwen-A"), ("sglang", "qwen-b")]),
            // Models that share a route are one, also where a later one joins two.
            routed("night", &[("box", "qwen-c"), ("shop", "q")]),
            routed("day", &[("box2", "qwen-c"), ("shop2", "q")]),
            routed("both", &[("shop", "Q"), ("box2", "qwen-c")]),
            // Two models under one name: a mixture, of which nothing is concluded.
            routed(
                "best",
                &[
                    ("openai", "gpt-4.1"),
                    ("bedrock", "anthropic.claude-sonnet-4-6"),
                    ("mine", "own"),
                ],
            ),
        ];
        let same = SameModel::new(&catalogue, &["us", "eu"], &config);
        for (provider, kind, there, wanted) in [
            ("groq", Direct, "llama-3.1-8b-instant", "llama-3.1-8b"),
            (
                "together",
                Direct,
                "meta-llama/Meta-Llama-3.1-8B-Instruct-Turbo",
                "llama-3.1-8b",
            ),
            (
                "bedrock-eu",
                Direct,
                "eu.anthropic.claude-sonnet-4-6",
                "claude-sonnet-4-6",
            ),
            (
                "openrouter",
                Router,
                "anthropic/claude-sonnet-4.6",
                "claude-sonnet-4-6",
            ),
            (
                "openrouter",
                Router,
                "anthropic/claude-sonnet-4-6",
                "claude-sonnet-4-6",
            ),
            ("openrouter", Router, "openai/GPT-4.1", "gpt-4.1"),
            ("azure", Direct, "our-deployment", "gpt-4.1"),
            ("litellm", Router, "prod-alias", "gpt-4.1"),
            // The same name elsewhere is not what the config speaks of.
            ("other", Direct, "our-deployment", "our-deployment"),
            ("vllm", Direct, "Qwen-A", "local"),
            ("sglang", Direct, "qwen-b", "local"),
            ("box2", Direct, "qwen-c", "night"),
            ("box", Direct, "qwen-c", "night"),
            ("shop2", Direct, "q", "night"),
            ("mine", Direct, "own", "own"),
            // A dated version is a version of its own.
            ("openai", Direct, "gpt-4.1-2025-04-14", "gpt-4.1-2025-04-14"),
            ("hub", Direct, "some/thing", "some/thing"),
            ("hub", Router, "some/thing", "thing"),
        ] {
            assert_eq!(
                same.of(provider, kind, there).as_str(),
                wanted,
                "{provider} {there}"
            );
        }
    }
}
