//! Says in which language a request goes to a provider, and translates it where that is not the
//! client's own.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Map, Value};

use super::paths;
use super::reject::Reject;
use crate::config::settings::{Efforts, Provider, RouteSettings};
use crate::record::{Dialect, ExchangeRecord, Language, Name};
use crate::routing::catalogue::{ModelFacts, claims, facts_of};
use crate::wire::dialect::identify::{House, endpoint};
use crate::wire::dialect::request::{self, Edits, RequestReading};
use crate::wire::translation::{Asked, Back, Refusal, Stamp, Terms, Translation, manners};

/// How a request is said to a provider.
#[derive(Debug, Clone, Default)]
pub enum Speech {
    /// In the client's own language: its bytes pass.
    #[default]
    Own,
    /// In another one.
    Translated(Arc<Said>),
    /// Not at all.
    Unsayable(Arc<Unsayable>),
}

/// A request in a provider's language.
#[derive(Debug)]
pub struct Said {
    /// Which languages these are.
    pub translation: Translation,
    /// The body.
    pub body: Bytes,
    /// What of it routing would know, of chat only: usage may have to be asked for in it.
    pub reading: Option<Box<RequestReading>>,
    /// The fields left out, by their paths.
    pub dropped: Vec<String>,
    /// What the way back needs.
    pub back: Back,
}

impl Said {
    /// The body, of chat with or without the usage event asked for.
    #[must_use]
    pub fn body_with(&self, usage: bool) -> Bytes {
        let Some(reading) = &self.reading else {
            return self.body.clone();
        };
        if !usage && reading.include_usage == Some(true) {
            // Seldom: of a provider that refuses to be asked.
            return without(&self.body, "stream_options");
        }
        let edits = Edits {
            model: None,
            include_usage: usage && reading.include_usage.is_none(),
            ..Edits::default()
        };
        request::edit(&self.body, reading, &edits)
    }
}

/// A body without one of its members.
fn without(body: &Bytes, key: &str) -> Bytes {
    let Ok(mut members) = serde_json::from_slice::<Map<String, Value>>(body) else {
        return body.clone();
    };
    members.shift_remove(key);
    Bytes::from(Value::Object(members).to_string())
}

/// Why a request cannot be said to a provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unsayable {
    /// The provider does not speak the client's language, and none that it can be said in.
    Unspoken {
        /// The client's.
        asked: Language,
        /// The provider's.
        spoken: Vec<Language>,
    },
    /// A field of the request has no place in the provider's language.
    Refused(Language, Refusal),
}

impl Unsayable {
    /// The word for it in decisions.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Unspoken { .. } => "language",
            Self::Refused(..) => "field_not_carried",
        }
    }

    /// What the client is told where no other route can carry the request.
    #[must_use]
    pub fn reject(&self, provider: &str) -> Reject {
        let status = http::StatusCode::BAD_REQUEST;
        match self {
            Self::Unspoken { asked, spoken } => {
                let spoken: Vec<&str> = spoken.iter().map(|language| language.name()).collect();
                let message = format!(
                    "provider {provider} does not speak {}, and this cannot be said in what it \
                     speaks ({}); ask another provider, or list it in `speaks` if it does",
                    asked.name(),
                    spoken.join(", ")
                );
                Reject::new(status, "language_not_spoken", message)
            }
            Self::Refused(language, refusal) => {
                let message = format!(
                    "provider {provider} speaks {}: {}",
                    language.name(),
                    refusal.message
                );
                let field = Some(refusal.field.as_str()).filter(|field| !field.is_empty());
                Reject {
                    param: field.map(Name::from),
                    ..Reject::new(status, "field_not_carried", message)
                }
            }
        }
    }
}

/// A request to be said.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The client's language.
    pub language: Language,
    /// The path, without a provider.
    pub path: &'a str,
    /// The client's body, whole; where only the path asks for a stream, it says so too.
    pub body: &'a [u8],
    /// Whether a stream is asked for.
    pub stream: bool,
    /// How deep a body may be nested.
    pub depth_max: usize,
    /// What is known of models.
    pub catalogue: &'a [ModelFacts],
}

/// The body of a request as it is translated.
#[must_use]
pub fn body_of(body: &Bytes, reading: &RequestReading) -> Bytes {
    let edits = Edits {
        stream: true,
        ..Edits::default()
    };
    request::edit(body, reading, &edits)
}

impl Speech {
    /// The language spoken with the provider, where the client's is `own`.
    #[must_use]
    pub fn language(&self, own: Language) -> Language {
        match self {
            Self::Translated(said) => said.translation.provider,
            _ => own,
        }
    }

    /// What is said where it is not the client's own bytes.
    #[must_use]
    pub fn said(&self) -> Option<&Arc<Said>> {
        match self {
            Self::Translated(said) => Some(said),
            _ => None,
        }
    }

    /// Why nothing can be said.
    #[must_use]
    pub fn unsayable(&self) -> Option<&Unsayable> {
        match self {
            Self::Unsayable(why) => Some(why),
            _ => None,
        }
    }

    /// How `request` is said to `provider`, where the model is called `model`; `route` is what the
    /// config says of that way.
    #[must_use]
    pub fn of(
        request: Request<'_>,
        provider: &Provider,
        route: Option<&RouteSettings>,
        model: &str,
    ) -> Self {
        let language = request.language;
        if !language.is_inference()
            || provider.speaks.contains(&language)
            || is_claude_there(request, provider)
        {
            return Self::Own;
        }
        let mut spoken = provider.speaks.iter();
        let Some(translation) = spoken.find_map(|there| Translation::between(language, *there))
        else {
            let spoken = provider.speaks.clone();
            let asked = language;
            return Self::Unsayable(Arc::new(Unsayable::Unspoken { asked, spoken }));
        };
        if model.is_empty() {
            let field = "model".to_owned();
            let message =
                "`model` is missing; a request that is translated must name one".to_owned();
            let refusal = Refusal { field, message };
            let there = translation.provider;
            return Self::Unsayable(Arc::new(Unsayable::Refused(there, refusal)));
        }
        match said(request, provider, route, model, translation) {
            Ok(said) => Self::Translated(Arc::new(said)),
            Err(refusal) => {
                let there = translation.provider;
                Self::Unsayable(Arc::new(Unsayable::Refused(there, refusal)))
            }
        }
    }
}

/// Whether a call is one to Claude at Vertex AI, in Vertex's own path, and the provider is the Vertex
/// that has Gemini: the same server, by the same login.
fn is_claude_there(request: Request<'_>, provider: &Provider) -> bool {
    matches!(
        request.language,
        Language::AnthropicMessages | Language::AnthropicCountTokens
    ) && provider.dialect == Dialect::Gemini
        && paths::is_vertex(provider)
        && matches!(endpoint(request.path).house, House::Vertex(_))
}

fn said(
    request: Request<'_>,
    provider: &Provider,
    route: Option<&RouteSettings>,
    model: &str,
    translation: Translation,
) -> Result<Said, Refusal> {
    let there = translation.provider;
    let languages = (request.language, there);
    let terms = terms((provider, route), model, languages, request.catalogue);
    let translated = translation.request(&Asked {
        body: request.body,
        model,
        terms: &terms,
    })?;
    let mut body = translated.body;
    let place = paths::spoken(provider, there, model, request.stream);
    if let Some(member) = place.instead_of_model {
        body = instead_of_model(body, member);
    }
    let body = Bytes::from(body);
    let reading = (there == Language::OpenAiChat)
        .then(|| request::read(there, &body, request.depth_max).ok())
        .flatten();
    Ok(Said {
        translation,
        body,
        reading: reading.map(Box::new),
        dropped: translated.dropped,
        back: translated.back,
    })
}

/// What an answer in the client's language must have and the provider's may not.
#[must_use]
pub fn stamp_of(draft: &ExchangeRecord) -> Stamp {
    Stamp {
        id: draft.id.text().as_str().to_owned(),
        created: draft.started.0.div_euclid(1_000_000),
    }
}

/// A body of our own with another member in the place of `model`.
fn instead_of_model(body: Vec<u8>, (key, value): (&str, &str)) -> Vec<u8> {
    let Ok(mut members) = serde_json::from_slice::<Map<String, Value>>(&body) else {
        return body;
    };
    members.shift_remove("model");
    members.insert(key.to_owned(), value.into());
    Value::Object(members).to_string().into_bytes()
}

/// What may be done: the route's word, then the provider's, then what the model's name tells.
fn terms(
    (provider, route): (&Provider, Option<&RouteSettings>),
    model: &str,
    (own, there): (Language, Language),
    catalogue: &[ModelFacts],
) -> Terms {
    let manners = manners(model);
    let said = &provider.translating;
    let on_route = route.map(|route| route.translating).unwrap_or_default();
    // Claude Code and Codex instruct in the middle by themselves, and nobody who runs them can have
    // it done otherwise. Chat has a place for that.
    let merges = matches!(own, Language::AnthropicMessages | Language::OpenAiResponses)
        && there != Language::OpenAiChat;
    Terms {
        drop_params: on_route.drop_params.unwrap_or(said.drop_params),
        merge_system: on_route.merge_system.unwrap_or(said.merge_system || merges),
        pass_urls: said.pass_urls,
        max_tokens: on_route
            .max_tokens
            .or(said.max_tokens)
            .unwrap_or(manners.max_tokens),
        takes_sampling: manners.takes_sampling
            && said.anthropic_version.as_str() < WITHOUT_SAMPLING,
        thinks_by_budget: manners.thinks_by_budget,
        takes_effort: takes_effort(provider, model, catalogue),
        takes_labels: paths::is_vertex(provider),
        takes_tier: !paths::is_vertex(provider),
        takes_top_k: there != Language::OpenAiChat,
        limits_completion: provider.dialect == Dialect::Azure
            || provider.preset.as_deref() == Some("openai"),
        refused: said.refused.clone(),
    }
}

/// Whether a model takes an effort of reasoning: the config's word for the provider, then what is
/// known of the provider, then of the model, then what the model's name tells.
fn takes_effort(provider: &Provider, model: &str, catalogue: &[ModelFacts]) -> bool {
    let among = |patterns: &[String]| patterns.iter().any(|pattern| claims(pattern, model));
    match &provider.translating.efforts {
        Efforts::Only(patterns) => among(patterns),
        Efforts::Also(patterns) if among(patterns) => true,
        Efforts::Also(_) => facts_of(model, catalogue)
            .and_then(|facts| facts.takes_effort)
            .unwrap_or_else(|| manners(model).takes_effort),
    }
}

/// The version of Anthropic's API from which on it takes no sampling settings. Versions are dates.
const WITHOUT_SAMPLING: &str = "2026-10-21";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::catalogue::catalogue;
    use crate::config::settings::BaseUrl;

    #[test]
    fn what_agents_say_in_the_middle_is_joined_where_it_has_no_place() {
        use Language::{
            AnthropicMessages, BedrockConverse, GeminiGenerate, OpenAiChat, OpenAiResponses,
        };
        let base = BaseUrl {
            https: true,
            host: "a.example".to_owned(),
            port: 443,
            path: String::new(),
            query: None,
        };
        let provider = Provider::at("p", base);
        for (own, there, merged) in [
            (AnthropicMessages, GeminiGenerate, true),
            (AnthropicMessages, BedrockConverse, true),
            (AnthropicMessages, OpenAiChat, false),
            (OpenAiResponses, AnthropicMessages, true),
            (OpenAiResponses, OpenAiChat, false),
            (OpenAiChat, GeminiGenerate, false),
        ] {
            let terms = terms((&provider, None), "m", (own, there), &[]);
            assert_eq!(terms.merge_system, merged, "{own:?} {there:?}");
        }
    }

    #[test]
    fn who_takes_an_effort_is_said_by_the_nearest_that_knows() {
        let list = |patterns: &[&str]| patterns.iter().map(|name| (*name).to_owned()).collect();
        let (also, only) = (
            |patterns| Efforts::Also(list(patterns)),
            |patterns| Efforts::Only(list(patterns)),
        );
        let mut own = catalogue()[0].clone();
        own.name = Name::from("house-model");
        own.takes_effort = Some(true);
        let mut muted = own.clone();
        muted.name = Name::from("gpt-5-muted");
        muted.takes_effort = Some(false);
        let known = [own, muted];
        for (efforts, model, expected) in [
            (also(&[]), "gpt-5.1", true),
            (also(&[]), "qwen3-32b", false),
            (also(&["qwen3*"]), "qwen3-32b", true),
            (also(&["qwen3*"]), "gpt-5.1", true),
            (also(&[]), "house-model", true),
            (also(&[]), "gpt-5-muted", false),
            (also(&["gpt-5*"]), "gpt-5-muted", true),
            (only(&["qwen3*"]), "qwen3-32b", true),
            (only(&["qwen3*"]), "gpt-5.1", false),
            (only(&[]), "house-model", false),
        ] {
            let base = BaseUrl {
                https: true,
                host: "a.example".to_owned(),
                port: 443,
                path: String::new(),
                query: None,
            };
            let mut provider = Provider::at("p", base);
            provider.translating.efforts = efforts.clone();
            let languages = (Language::OpenAiChat, Language::OpenAiChat);
            let terms = terms((&provider, None), model, languages, &known);
            assert_eq!(terms.takes_effort, expected, "{efforts:?} {model}");
        }
    }
}
