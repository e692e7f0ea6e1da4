//! Knows the providers that need no describing: `config/providers.toml`, embedded.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::record::{Dialect, Language, Name, ProviderKind};

use super::choices::LoginWord;
use super::kinds::PatternText;
use super::raw::RawPreset;
use super::read::{At, Entries, Reader, Setting};
use super::settings::{AuthScheme, ErrorShape, Keepalive, UsagePlace};

/// What is known of a provider before a config says more.
#[derive(Debug, Clone)]
pub struct Preset {
    /// Its name.
    pub name: Name,
    /// Base URL; `{region}`, `{project}`, `{resource}` and the like stand for those keys.
    pub base_url: Option<String>,
    /// Base URL where a region is given.
    pub region_url: Option<String>,
    /// Base URLs of regions that follow no rule.
    pub region_urls: Vec<(String, String)>,
    /// Regions known to exist.
    pub regions: Vec<String>,
    /// Hosts besides its own that its variables' keys may go to.
    pub key_hosts: Vec<String>,
    /// How it speaks.
    pub traits: Traits,
    /// The languages that it speaks.
    pub speaks: Vec<Language>,
    /// Variables that may hold its credential, in order.
    pub variables: Vec<String>,
    /// The login of its cloud, where no key is given.
    pub login: Option<LoginWord>,
    /// Variables that may hold its region, in order.
    pub region_variables: Vec<String>,
    /// Its region where none is given.
    pub default_region: Option<String>,
    /// Variables that may hold its project, in order.
    pub project_variables: Vec<String>,
    /// Variables that may hold its resource's name, or the address of its endpoint, in order.
    pub resource_variables: Vec<String>,
    /// Model name patterns that are its own.
    pub models: Vec<String>,
    /// Patterns of model names there that take an effort of reasoning.
    pub effort_models: Vec<String>,
    /// Fields of a chat request that it is known to refuse.
    pub refuses: Vec<String>,
    /// Headers on every request, lower-case name and value.
    pub headers: Vec<(String, String)>,
    /// Runs on one's own machine: there only when configured.
    pub local: bool,
    /// Another door to a house that has a preset already: there only when configured.
    pub named_only: bool,
    /// What it runs its models on, where a source says.
    pub hardware: Option<Name>,
    /// Where that is from.
    pub hardware_source: Option<String>,
    /// Where its API is documented.
    pub docs: Option<String>,
    /// What is not certain.
    pub note: Option<String>,
}

/// How a provider speaks, apart from where it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Traits {
    /// Its family.
    pub dialect: Dialect,
    /// Whether it resells.
    pub kind: ProviderKind,
    /// How a credential is put on a request.
    pub auth: AuthScheme,
    /// Whether the usage event is asked for.
    pub inject_usage: bool,
    /// Whether HTTP/2 is offered.
    pub http2: bool,
    /// How it keeps a waiting stream alive.
    pub keepalive: Keepalive,
    /// Where it puts usage.
    pub usage_place: UsagePlace,
    /// The shape of its errors.
    pub error_shape: ErrorShape,
}

impl Traits {
    /// What is likely of a provider of which only the family is known. Nothing is asked of it
    /// that it might refuse.
    #[must_use]
    pub const fn of(dialect: Dialect) -> Self {
        let openai = Self {
            dialect,
            kind: ProviderKind::Direct,
            auth: AuthScheme::Bearer,
            inject_usage: false,
            http2: false,
            keepalive: Keepalive::None,
            usage_place: UsagePlace::OwnChunkOnRequest,
            error_shape: ErrorShape::OpenAi,
        };
        match dialect {
            Dialect::OpenAi => openai,
            Dialect::Anthropic => Self {
                auth: AuthScheme::XApiKey,
                keepalive: Keepalive::PingEvent,
                usage_place: UsagePlace::AnthropicEvents,
                error_shape: ErrorShape::Anthropic,
                ..openai
            },
            Dialect::Gemini => Self {
                auth: AuthScheme::GoogleApiKey,
                error_shape: ErrorShape::GoogleArray,
                ..openai
            },
            Dialect::Bedrock => Self {
                error_shape: ErrorShape::Aws,
                ..openai
            },
            Dialect::Azure => Self {
                auth: AuthScheme::ApiKey,
                ..openai
            },
        }
    }
}

/// The languages that are given, or those of a family.
pub(super) fn languages(given: Option<At<Vec<At<Language>>>>, dialect: Dialect) -> Vec<Language> {
    match given {
        Some(given) => given.value.into_iter().map(|at| at.value).collect(),
        None => spoken_by(dialect).to_vec(),
    }
}

/// The languages of a family, the best first.
pub(super) const fn spoken_by(dialect: Dialect) -> &'static [Language] {
    match dialect {
        Dialect::OpenAi => &[
            Language::OpenAiChat,
            Language::OpenAiCompletions,
            Language::OpenAiResponses,
            Language::OpenAiEmbeddings,
            // Of a server of one's own nobody says whether it is one of these.
            Language::OllamaNative,
        ],
        Dialect::Azure => &[
            Language::OpenAiChat,
            Language::OpenAiCompletions,
            Language::OpenAiResponses,
            Language::OpenAiEmbeddings,
        ],
        Dialect::Anthropic => &[Language::AnthropicMessages, Language::AnthropicCountTokens],
        Dialect::Gemini => &[
            Language::GeminiGenerate,
            Language::GeminiCountTokens,
            Language::GeminiEmbed,
        ],
        Dialect::Bedrock => &[
            Language::BedrockConverse,
            Language::BedrockInvoke,
            Language::BedrockCountTokens,
        ],
    }
}

/// The keys that a base URL may be made of.
#[derive(Debug, Clone, Default)]
pub struct UrlKeys {
    /// `{region}`.
    pub region: Option<String>,
    /// `{project}`.
    pub project: Option<String>,
    /// `{resource}`.
    pub resource: Option<String>,
    /// `{deployment}`.
    pub deployment: Option<String>,
    /// `{api_version}`.
    pub api_version: Option<String>,
}

impl Preset {
    /// The base URL that the keys make, or the name of a key that is missing.
    pub fn url(&self, keys: &UrlKeys) -> Result<String, &'static str> {
        let template = match (&keys.region, &self.base_url) {
            (Some(region), base) => self
                .region_urls
                .iter()
                .find(|(name, _)| name == region)
                .map(|(_, url)| url)
                .or(self.region_url.as_ref())
                .or(base.as_ref()),
            (None, Some(base)) => Some(base),
            (None, None) if self.region_url.is_some() => return Err("region"),
            (None, None) => None,
        };
        let mut url = template.ok_or("base_url")?.clone();
        for (key, value) in [
            ("region", &keys.region),
            ("project", &keys.project),
            ("resource", &keys.resource),
            ("deployment", &keys.deployment),
            ("api_version", &keys.api_version),
        ] {
            let place = format!("{{{key}}}");
            if url.contains(&place) {
                url = url.replace(&place, value.as_ref().ok_or(key)?);
            }
        }
        Ok(url)
    }

    /// Whether a region of that name is known to exist.
    #[must_use]
    pub fn knows_region(&self, region: &str) -> bool {
        let exceptions = self.region_urls.iter().map(|(name, _)| name);
        self.regions
            .iter()
            .chain(exceptions)
            .any(|known| known == region)
    }

    /// Whether some base URL of the preset is made with that key.
    #[must_use]
    pub fn takes(&self, key: &str) -> bool {
        let place = format!("{{{key}}}");
        self.templates().any(|template| template.contains(&place))
    }

    /// Whether a key out of the preset's variables may be sent to a host: a config that points
    /// `openai` somewhere else does not thereby send its key there.
    #[must_use]
    pub fn trusts(&self, host: &str) -> bool {
        let own = |template: &str| {
            let rest = template
                .split_once("://")
                .map_or(template, |(_, rest)| rest);
            let authority = rest.split(['/', ':']).next().unwrap_or_default();
            let (Some((front, _)), Some((_, end))) =
                (authority.split_once('{'), authority.rsplit_once('}'))
            else {
                return host == authority;
            };
            // `bedrock-runtime.{region}.amazonaws.com`: whatever stands for the key.
            let between = host.len().checked_sub(front.len() + end.len());
            between.is_some_and(|length| length > 0)
                && host.starts_with(front)
                && host.ends_with(end)
                && !end.is_empty()
        };
        self.templates().any(own)
            || self.key_hosts.iter().any(|known| {
                host.strip_suffix(known.as_str())
                    .is_some_and(|front| front.is_empty() || front.ends_with('.'))
            })
    }

    fn templates(&self) -> impl Iterator<Item = &str> {
        let rules = self.base_url.iter().chain(&self.region_url);
        let exceptions = self.region_urls.iter().map(|(_, url)| url);
        rules.chain(exceptions).map(String::as_str)
    }

    fn from_raw(name: &str, raw: RawPreset) -> Self {
        let dialect = raw.dialect.map_or(Dialect::OpenAi, |at| at.value);
        let usual = Traits::of(dialect);
        let flag = |given: Option<At<bool>>| given.is_some_and(|at| at.value);
        Self {
            name: Name::from(name),
            base_url: raw.base_url.map(|at| at.value),
            region_url: raw.region_url.map(|at| at.value),
            region_urls: pairs(raw.region_urls, |url| url),
            regions: list(raw.regions),
            key_hosts: list(raw.key_hosts),
            traits: Traits {
                dialect,
                kind: raw.kind.map_or(usual.kind, |at| at.value),
                auth: raw.auth.map_or(usual.auth, |at| at.value),
                inject_usage: flag(raw.inject_usage),
                http2: flag(raw.http2),
                keepalive: raw.keepalive.map_or(usual.keepalive, |at| at.value),
                usage_place: raw.usage_place.map_or(usual.usage_place, |at| at.value),
                error_shape: raw.error_shape.map_or(usual.error_shape, |at| at.value),
            },
            speaks: languages(raw.speaks, dialect),
            variables: list(raw.variables),
            login: raw.login.map(|at| at.value),
            region_variables: list(raw.region_variables),
            default_region: raw.default_region.map(|at| at.value),
            project_variables: list(raw.project_variables),
            resource_variables: list(raw.resource_variables),
            models: patterns(raw.models),
            effort_models: patterns(raw.effort_models),
            refuses: list(raw.refuses),
            headers: pairs(raw.headers, |header| header.0),
            local: flag(raw.local),
            named_only: flag(raw.named_only),
            hardware: raw.hardware.map(|at| at.value.0),
            hardware_source: raw.hardware_source.map(|at| at.value),
            docs: raw.docs.map(|at| at.value),
            note: raw.note.map(|at| at.value),
        }
    }
}

/// Every preset, in the order of the file.
#[must_use]
pub fn presets() -> Vec<Preset> {
    read(PROVIDERS).0
}

/// The embedded file.
pub const PROVIDERS: &str = include_str!("../../config/providers.toml");

/// The presets of a text, and how many problems there were; a test holds them at none.
fn read(text: &str) -> (Vec<Preset>, usize) {
    let Ok(root) = DeTable::parse(text) else {
        return (Vec::new(), 1);
    };
    let span = root.span();
    let root = Spanned::new(span, DeValue::Table(root.into_inner()));
    let no_env = |_: &str| None;
    let mut reader = Reader::new(&no_env);
    let entries = Entries::<RawPreset>::read(&root, &mut reader).unwrap_or_default();
    let problems = reader.findings.locate(text);
    let presets = entries
        .0
        .into_iter()
        .map(|(name, raw)| Preset::from_raw(&name.value, raw.value))
        .collect();
    (presets, problems.len())
}

fn list(given: Option<At<Vec<At<String>>>>) -> Vec<String> {
    given
        .into_iter()
        .flat_map(|at| at.value)
        .map(|at| at.value)
        .collect()
}

/// The patterns of a `models` key.
pub(super) fn patterns(given: Option<At<Vec<At<PatternText>>>>) -> Vec<String> {
    given
        .into_iter()
        .flat_map(|at| at.value)
        .map(|at| at.value.0)
        .collect()
}

fn pairs<T>(given: Option<At<Entries<T>>>, text: impl Fn(T) -> String) -> Vec<(String, String)> {
    given
        .into_iter()
        .flat_map(|at| at.value.0)
        .map(|(key, value)| (key.value, text(value.value)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::address::{base_url, is_loopback};
    use super::*;

    #[test]
    fn the_embedded_file_has_no_problem() {
        let (presets, problems) = read(PROVIDERS);
        assert_eq!(problems, 0);
        let names: Vec<_> = presets.iter().map(|preset| preset.name.as_str()).collect();
        assert_eq!(
            names,
            [
                "openai",
                "azure",
                "azure-deployment",
                "azure-anthropic",
                "anthropic",
                "gemini",
                "gemini-openai",
                "vertex",
                "vertex-express",
                "vertex-openai",
                "vertex-anthropic",
                "bedrock",
                "bedrock-openai",
                "bedrock-mantle",
                "bedrock-mantle-anthropic",
                "groq",
                "together",
                "fireworks",
                "cerebras",
                "lepton",
                "mistral",
                "deepseek",
                "xai",
                "openrouter",
                "opper",
                "huggingface",
                "braintrust",
                "vllm",
                "llamacpp",
                "ollama",
                "ollama-native",
                "sglang",
                "tgi",
                "litellm",
            ]
        );
    }

    #[test]
    fn hardware_is_said_with_its_source() {
        for preset in presets() {
            assert_eq!(
                preset.hardware.is_some(),
                preset.hardware_source.is_some(),
                "{}",
                preset.name
            );
        }
    }

    #[test]
    fn every_preset_makes_base_urls() {
        for preset in presets() {
            let regions = preset
                .regions
                .iter()
                .chain(preset.region_urls.iter().map(|(name, _)| name));
            for region in regions.map(Some).chain([None, Some(&"x-y-1".to_owned())]) {
                let keys = UrlKeys {
                    region: region.cloned(),
                    project: Some("p-1".to_owned()),
                    resource: Some("res".to_owned()),
                    deployment: Some("gpt-4.1".to_owned()),
                    api_version: Some("2024-10-21".to_owned()),
                };
                let Ok(url) = preset.url(&keys) else {
                    let house = preset.name.split('-').next();
                    let needs = ["lepton", "vertex", "bedrock"].map(Some);
                    assert!(needs.contains(&house), "{}", preset.name);
                    continue;
                };
                let base = base_url(&url).unwrap();
                assert!(
                    base.https || preset.local && is_loopback(&base.host),
                    "{url}"
                );
                assert!(preset.trusts(&base.host), "{url}");
                assert!(!preset.trusts("evil.example"), "{url}");
            }
            assert!(preset.docs.is_some(), "{}", preset.name);
        }
    }

    #[test]
    fn base_urls_follow_the_region() {
        for (name, region, expected) in [
            ("openai", None, Ok("https://api.openai.com/v1")),
            ("openai", Some("eu"), Ok("https://eu.api.openai.com/v1")),
            ("bedrock", None, Err("region")),
            (
                "bedrock",
                Some("eu-west-1"),
                Ok("https://bedrock-runtime.eu-west-1.amazonaws.com"),
            ),
            (
                "bedrock-openai",
                Some("eu-west-1"),
                Ok("https://bedrock-runtime.eu-west-1.amazonaws.com/openai/v1"),
            ),
            ("vertex", Some("global"), Err("project")),
            ("azure", None, Err("resource")),
            ("azure-deployment", None, Err("resource")),
            ("lepton", None, Err("base_url")),
            ("groq", Some("eu"), Ok("https://api.groq.com/openai/v1")),
        ] {
            let preset = presets()
                .into_iter()
                .find(|preset| &*preset.name == name)
                .unwrap();
            let keys = UrlKeys {
                region: region.map(str::to_owned),
                ..UrlKeys::default()
            };
            assert_eq!(
                preset.url(&keys).as_deref(),
                expected.as_ref().map(|url| *url),
                "{name}"
            );
        }
    }

    #[test]
    fn keys_go_to_their_own_hosts_only() {
        for (name, host, trusted) in [
            ("openai", "api.openai.com", true),
            ("openai", "eu.api.openai.com", true),
            ("openai", "api.openai.com.evil.example", false),
            ("openai", "127.0.0.1", false),
            ("azure", "r.openai.azure.com", true),
            ("azure", "r.services.ai.azure.com", true),
            ("azure", "openai.azure.com.evil.example", false),
            ("bedrock", "bedrock-runtime.eu-west-1.amazonaws.com", true),
            ("bedrock", "mine.s3.amazonaws.com", false),
            ("together", "api.together.xyz", true),
            ("together", "notapi.together.xyz", false),
        ] {
            let preset = presets()
                .into_iter()
                .find(|preset| &*preset.name == name)
                .unwrap();
            assert_eq!(preset.trusts(host), trusted, "{name} {host}");
        }
    }
}
