//! Holds what a rule asks of a request.

use crate::record::{KeyedHash, Language, Moment, Name, Nanos, PicoDollars, WallTime};
use crate::routing::catalogue::claims;
use crate::routing::learned::Learned;
use crate::routing::route::RouteKey;

use super::hours::Hours;

/// What rules may ask for, as it is known before a route is chosen.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// The model asked for.
    pub model: Option<&'a str>,
    /// The request's tags.
    pub tags: &'a [Name],
    /// The client's key.
    pub client_key: Option<KeyedHash>,
    /// The path of the endpoint.
    pub endpoint: &'a str,
    /// Its language.
    pub language: Language,
    /// Prompt tokens, estimated.
    pub prompt_tokens: u64,
    /// Whether a stream is asked for.
    pub stream: bool,
    /// Whether the answer must be JSON.
    pub json: bool,
    /// Whether tools are offered.
    pub tools: bool,
    /// The region that the request is for (`x-tollgate-region`), or this installation's own.
    pub region: Option<&'a str>,
    /// The date.
    pub now: WallTime,
    /// What was spent since the month began; absent where it is not known.
    pub spent: Option<PicoDollars>,
    /// What was measured of routes,
    pub learned: &'a Learned,
    /// as of this moment.
    pub at: Moment,
}

impl Facts<'_> {
    /// The measured 95th percentile of a route's time to the first token for such a prompt; of one
    /// that names no model that of the model asked for.
    fn p95(&self, route: &RouteKey) -> Option<Nanos> {
        let p95 = |route: &RouteKey| self.learned.p95(route, self.prompt_tokens, self.at);
        if route.model.is_some() {
            return p95(route);
        }
        p95(&RouteKey::new(
            route.provider.clone(),
            self.model.map(Name::from),
        ))
    }
}

/// A span of numbers, both ends included; an end that is absent is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range<T> {
    /// The lower end.
    pub min: Option<T>,
    /// The upper end.
    pub max: Option<T>,
}

impl<T> Default for Range<T> {
    fn default() -> Self {
        Self {
            min: None,
            max: None,
        }
    }
}

impl<T: PartialOrd> Range<T> {
    /// Whether `value` lies within; an unknown one only where both ends are open.
    #[must_use]
    pub fn holds(&self, value: Option<T>) -> bool {
        let Some(value) = value else {
            return self.min.is_none() && self.max.is_none();
        };
        self.min.as_ref().is_none_or(|min| *min <= value)
            && self.max.as_ref().is_none_or(|max| value <= *max)
    }
}

/// A bound on the measured 95th percentile of a route.
#[derive(Debug, Clone, PartialEq)]
pub struct RouteP95 {
    /// The route.
    pub route: RouteKey,
    /// Between what it must lie. Unknown is not within.
    pub within: Range<Nanos>,
}

/// What a rule asks; what is absent or empty asks nothing. All of it must hold.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Rule {
    /// Model names, or beginnings with a trailing `*`; one of them.
    pub models: Vec<Name>,
    /// Tags; all of them.
    pub tags: Vec<Name>,
    /// Client keys; one of them.
    pub client_keys: Vec<KeyedHash>,
    /// Endpoints' paths, or beginnings with a trailing `*`; one of them.
    pub endpoints: Vec<Name>,
    /// Prompt tokens.
    pub prompt_tokens: Range<u64>,
    /// Whether a stream is asked for.
    pub stream: Option<bool>,
    /// Whether the answer must be JSON.
    pub json: Option<bool>,
    /// Whether tools are offered.
    pub tools: Option<bool>,
    /// Regions; one of them.
    pub regions: Vec<Name>,
    /// Hours of the day; within one of them.
    pub hours: Vec<Hours>,
    /// What was spent since the month began.
    pub spent: Range<PicoDollars>,
    /// What was measured of routes; all of it.
    pub p95: Vec<RouteP95>,
}

impl Rule {
    /// Whether a request is one that the rule is for.
    #[must_use]
    pub fn matches(&self, facts: &Facts<'_>) -> bool {
        let one_of = |patterns: &[Name], text: Option<&str>| {
            patterns.is_empty()
                || text.is_some_and(|text| patterns.iter().any(|pattern| claims(pattern, text)))
        };
        let is = |asked: Option<bool>, found: bool| asked.is_none_or(|asked| asked == found);
        one_of(&self.models, facts.model)
            && self.tags.iter().all(|tag| facts.tags.contains(tag))
            && (self.client_keys.is_empty()
                || facts
                    .client_key
                    .is_some_and(|key| self.client_keys.contains(&key)))
            && one_of(&self.endpoints, Some(facts.endpoint))
            && self.prompt_tokens.holds(Some(facts.prompt_tokens))
            && is(self.stream, facts.stream)
            && is(self.json, facts.json)
            && is(self.tools, facts.tools)
            && one_of(&self.regions, facts.region)
            && (self.hours.is_empty() || self.hours.iter().any(|hours| hours.holds(facts.now)))
            && self.spent.holds(facts.spent)
            && self
                .p95
                .iter()
                .all(|bound| bound.within.holds(facts.p95(&bound.route)))
    }
}

/// The place of the first of `rules` that matches.
pub fn first<'a>(rules: impl IntoIterator<Item = &'a Rule>, facts: &Facts<'_>) -> Option<usize> {
    rules.into_iter().position(|rule| rule.matches(facts))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::routing::learned::{Ended, Observation};

    fn facts<'a>(learned: &'a Learned, tags: &'a [Name]) -> Facts<'a> {
        Facts {
            model: Some("gpt-4.1-mini"),
            tags,
            client_key: Some(KeyedHash(7)),
            endpoint: "/v1/chat/completions",
            language: Language::OpenAiChat,
            prompt_tokens: 3_000,
            stream: true,
            json: false,
            tools: true,
            region: Some("ap-southeast-2"),
            now: WallTime::of_day(2026, 11, 22).unwrap().plus_secs(3_600),
            spent: Some(PicoDollars(900_000_000_000_000)),
            learned,
            at: Moment(1),
        }
    }

    /// Twenty first tokens of a route, all alike.
    fn measured(provider: &str, millis: u64) -> Learned {
        let mut learned = Learned::default();
        let seen = Observation {
            reasons: false,
            setup: None,
            at: Moment(1),
            prompt_tokens: 3_000,
            first_token: Some(Nanos::from_millis(millis)),
            whole: None,
            per_token: None,
            output_tokens: None,
            ended: Ended::Well,
        };
        for _ in 0..20 {
            let route = RouteKey::new(provider, Some(Name::from("gpt-4.1-mini")));
            learned.observe(&route, &seen);
        }
        learned
    }

    fn range<T>(min: Option<T>, max: Option<T>) -> Range<T> {
        Range { min, max }
    }

    #[test]
    fn each_question_of_a_rule_is_asked() {
        let fast = measured("openai", 800);
        let tags = [Name::from("team-a"), Name::from("prod")];
        let facts = facts(&fast, &tags);
        let rule = Rule::default;
        let names = |names: &[&str]| names.iter().copied().map(Name::from).collect::<Vec<_>>();
        let at_night = Hours {
            from: 0,
            until: 360,
            days: [true; 7],
        };
        let p95 = |max| RouteP95 {
            route: RouteKey::new("openai", None),
            within: range(None, Some(Nanos::from_millis(max))),
        };
        for (rule, matches) in [
            (rule(), true),
            (
                Rule {
                    models: names(&["gpt-4.1*"]),
                    ..rule()
                },
                true,
            ),
            (
                Rule {
                    models: names(&["gpt-4.1"]),
                    ..rule()
                },
                false,
            ),
            (
                Rule {
                    tags: names(&["prod"]),
                    ..rule()
                },
                true,
            ),
            (
                Rule {
                    tags: names(&["prod", "team-b"]),
                    ..rule()
                },
                false,
            ),
            (
                Rule {
                    client_keys: vec![KeyedHash(7)],
                    ..rule()
                },
                true,
            ),
            (
                Rule {
                    client_keys: vec![KeyedHash(8)],
                    ..rule()
                },
                false,
            ),
            (
                Rule {
                    endpoints: names(&["/v1/chat/*"]),
                    ..rule()
                },
                true,
            ),
            (
                Rule {
                    endpoints: names(&["/v1/embeddings"]),
                    ..rule()
                },
                false,
            ),
            (
                Rule {
                    prompt_tokens: range(Some(3_000), None),
                    ..rule()
                },
                true,
            ),
            (
                Rule {
                    prompt_tokens: range(None, Some(2_999)),
                    ..rule()
                },
                false,
            ),
            (
                Rule {
                    stream: Some(true),
                    ..rule()
                },
                true,
            ),
            (
                Rule {
                    json: Some(true),
                    ..rule()
                },
                false,
            ),
            (
                Rule {
                    tools: Some(false),
                    ..rule()
                },
                false,
            ),
            (
                Rule {
                    regions: names(&["ap-southeast-2"]),
                    ..rule()
                },
                true,
            ),
            (
                Rule {
                    regions: names(&["eu-west-1"]),
                    ..rule()
                },
                false,
            ),
            (
                Rule {
                    hours: vec![at_night],
                    ..rule()
                },
                true,
            ),
            (
                Rule {
                    spent: range(None, Some(PicoDollars(1_000_000_000_000_000))),
                    ..rule()
                },
                true,
            ),
            (
                Rule {
                    spent: range(None, Some(PicoDollars(1))),
                    ..rule()
                },
                false,
            ),
            (
                Rule {
                    p95: vec![p95(1_000)],
                    ..rule()
                },
                true,
            ),
            (
                Rule {
                    p95: vec![p95(500)],
                    ..rule()
                },
                false,
            ),
        ] {
            assert_eq!(rule.matches(&facts), matches, "{rule:?}");
        }
    }

    #[test]
    fn the_first_rule_that_matches_wins_and_what_is_not_measured_is_not_fast() {
        // "If the latency SLA is under 1 s and the region is ap-southeast-2, …; else if under 5 s
        // and the budget is below $1,000 a month, …"
        let within = |max| RouteP95 {
            route: RouteKey::new("near", None),
            within: range(None, Some(Nanos::from_millis(max))),
        };
        let rules = [
            Rule {
                p95: vec![within(1_000)],
                regions: vec!["ap-southeast-2".into()],
                ..Rule::default()
            },
            Rule {
                p95: vec![within(5_000)],
                spent: range(None, Some(PicoDollars(1_000_000_000_000_000))),
                ..Rule::default()
            },
            Rule::default(),
        ];
        for (millis, place) in [(800, 0), (3_000, 1), (9_000, 2)] {
            let learned = measured("near", millis);
            assert_eq!(
                first(&rules, &facts(&learned, &[])),
                Some(place),
                "{millis}"
            );
        }
        let nothing = Learned::default();
        assert_eq!(first(&rules, &facts(&nothing, &[])), Some(2));
    }
}
