//! Knows Bedrock's inference profiles: which of them a region has, and how their ids are formed.
//!
//! A profile's id is a model's with a geography before it: `eu.anthropic.claude-…`. Newer Claude
//! models answer by such an id only; a bare one gives a 400.

use crate::routing::catalogue::{ModelFacts, claims};

/// The geographies that profile ids begin with.
pub const GEOGRAPHIES: [&str; 9] = [
    "us", "us-gov", "ca", "eu", "jp", "au", "apac", "sa", "global",
];

/// The geography of a region, by the beginning of its name: that of the profiles which keep a
/// request near it. Absent where none is known.
#[must_use]
pub fn geography(region: &str) -> Option<&'static str> {
    const RULES: [(&str, &str); 11] = [
        ("us-gov-", "us-gov"),
        ("us-", "us"),
        ("ca-", "ca"),
        ("eu-", "eu"),
        ("ap-northeast-1", "jp"),
        ("ap-northeast-3", "jp"),
        ("ap-southeast-2", "au"),
        ("ap-southeast-4", "au"),
        ("ap-southeast-6", "au"),
        ("ap-", "apac"),
        ("sa-", "sa"),
    ];
    RULES
        .iter()
        .find(|(begin, _)| region.starts_with(begin))
        .map(|(_, geography)| *geography)
}

/// Whether a request to a region may name a profile of that geography. `apac` is the older one of
/// the whole of Asia and the Pacific, and Canada has models by the profiles of the US.
#[must_use]
pub fn fits(geography_asked: &str, region: &str) -> bool {
    let own = geography(region);
    geography_asked == "global"
        || own.is_none()
        || own == Some(geography_asked)
        || (geography_asked == "apac" && region.starts_with("ap-"))
        || (geography_asked == "us" && own == Some("ca"))
}

/// The geography that a model's id begins with.
#[must_use]
pub fn geography_of(model: &str) -> Option<&'static str> {
    let (begin, rest) = model.split_once('.')?;
    rest.contains('.')
        .then(|| GEOGRAPHIES.into_iter().find(|known| *known == begin))
        .flatten()
}

/// The geographies by whose profiles a model answers, of what the catalogue calls it: none where it
/// knows of no profile, which says nothing.
#[must_use]
pub fn profiles_of(bare: &str, facts: &ModelFacts) -> Vec<&'static str> {
    let has = |geography: &&str| {
        let id = format!("{geography}.{bare}");
        let mut profiles = facts.aliases.iter().filter(|at| geography_of(at).is_some());
        profiles.any(|alias| claims(alias, &id))
    };
    GEOGRAPHIES.into_iter().filter(has).collect()
}

/// The id of a Claude model by a profile: for `anthropic.claude-…`, and for `claude-…` with
/// `anthropic.` put before it. Absent for what is no bare Claude id, which stays as it is.
#[must_use]
pub fn profile_id(geography: &str, model: &str) -> Option<String> {
    let bare = model.strip_prefix("anthropic.").unwrap_or(model);
    bare.starts_with("claude-")
        .then(|| format!("{geography}.anthropic.{bare}"))
}

/// Whether a bare id is of a Claude model that answers by a profile only: those that are named by
/// size first (`claude-sonnet-4-5`), not by version (`claude-3-haiku`).
#[must_use]
pub fn wants_profile(model: &str) -> bool {
    let bare = model.strip_prefix("anthropic.").unwrap_or(model);
    ["claude-opus-", "claude-sonnet-", "claude-haiku-"]
        .iter()
        .any(|begin| bare.starts_with(begin))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_have_their_profiles() {
        for (region, own, others) in [
            ("us-east-1", Some("us"), ["us", "global"]),
            ("ca-central-1", Some("ca"), ["us", "ca"]),
            ("eu-central-1", Some("eu"), ["eu", "global"]),
            ("ap-northeast-1", Some("jp"), ["jp", "apac"]),
            ("ap-northeast-2", Some("apac"), ["apac", "global"]),
            ("ap-southeast-2", Some("au"), ["au", "apac"]),
            ("us-gov-west-1", Some("us-gov"), ["us-gov", "global"]),
            ("moon-1", None, ["us", "eu"]),
        ] {
            assert_eq!(geography(region), own, "{region}");
            for other in others {
                assert!(fits(other, region), "{other} in {region}");
            }
        }
        for (geography, region) in [
            ("us", "eu-west-1"),
            ("jp", "ap-south-1"),
            ("apac", "us-east-1"),
        ] {
            assert!(!fits(geography, region), "{geography} in {region}");
        }
    }

    #[test]
    fn ids_are_formed_of_bare_claude_ids_only() {
        for (model, formed, wants) in [
            (
                "anthropic.claude-haiku-4-5-20251001-v1:0",
                Some("eu.anthropic.claude-haiku-4-5-20251001-v1:0"),
                true,
            ),
            (
                "claude-sonnet-4-6",
                Some("eu.anthropic.claude-sonnet-4-6"),
                true,
            ),
            (
                "anthropic.claude-3-haiku-20240307-v1:0",
                Some("eu.anthropic.claude-3-haiku-20240307-v1:0"),
                false,
            ),
            ("us.anthropic.claude-sonnet-4-6", None, false),
            ("meta.llama3-1-8b-instruct-v1:0", None, false),
            (
                "arn:aws:bedrock:eu-west-1:1:inference-profile/x",
                None,
                false,
            ),
        ] {
            assert_eq!(profile_id("eu", model).as_deref(), formed, "{model}");
            assert_eq!(wants_profile(model), wants, "{model}");
        }
        for (model, geography) in [
            ("us.anthropic.claude-sonnet-4-6", Some("us")),
            ("global.anthropic.claude-sonnet-4-6", Some("global")),
            ("anthropic.claude-sonnet-4-6", None),
            ("eu.thing", None),
        ] {
            assert_eq!(geography_of(model), geography, "{model}");
        }
    }
}
