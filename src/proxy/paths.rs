//! Says the path of a call at a provider: of one that is passed on, and of one that is made here.

use crate::config::settings::{BaseUrl, Provider};
use crate::record::{Dialect, Language};
use crate::wire::dialect::identify::{
    Endpoint, GOOGLE_VERSIONS, House, decoded, encoded, endpoint,
};

/// Where a call goes at a provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The path, from the root of the provider's host.
    pub path: String,
    /// What the query has to say beside what the config and the client put into it.
    pub query: Option<&'static str>,
    /// Whether the path names the model, so that the body need not.
    pub names_model: bool,
    /// The member that the body has there in the place of `model`.
    pub instead_of_model: Option<(&'static str, &'static str)>,
    /// Whether the version of Anthropic's API that stands in the body has to stand in a header.
    pub version_in_header: bool,
}

impl Place {
    fn named(path: String) -> Self {
        Self {
            path,
            query: None,
            names_model: true,
            instead_of_model: None,
            version_in_header: false,
        }
    }

    fn unnamed(path: String) -> Self {
        Self {
            names_model: false,
            ..Self::named(path)
        }
    }
}

/// The place at `provider` of a call that came to us at `path` and is passed on in its own
/// language, for `model`, where it has one.
///
/// What the client wrote stands, byte by byte, but for a base that the config gives and for the
/// name of another model. A base URL is what the family's SDK would be given: OpenAI's ends in
/// `/v1` and takes `/chat/completions`; Anthropic's does not and takes `/v1/messages`.
#[must_use]
pub fn passed(provider: &Provider, path: &str, model: Option<&str>, stream: bool) -> Place {
    passed_at(provider.dialect, Site::of(provider), path, (model, stream))
}

/// Where a provider is, and whose API stands there where a dialect has two.
#[derive(Debug, Clone, Copy)]
struct Site<'a> {
    url: &'a BaseUrl,
    /// Whether a provider of Google's is Vertex AI.
    vertex: bool,
}

impl<'a> Site<'a> {
    fn of(provider: &'a Provider) -> Self {
        Self {
            url: &provider.base,
            vertex: is_vertex(provider),
        }
    }
}

fn passed_at(
    dialect: Dialect,
    site: Site<'_>,
    path: &str,
    (model, stream): (Option<&str>, bool),
) -> Place {
    let asked = endpoint(path);
    let base = site.url.path.as_str();
    let there = asked.model.clone().and_then(|span| path.get(span));
    // The client's own spelling of the name, where it is that one.
    let name = || match (model, there) {
        (Some(model), Some(there)) if decoded(there).as_deref() != Some(model) => encoded(model),
        (_, Some(there)) => there.to_owned(),
        (model, None) => encoded(model.unwrap_or_default()),
    };
    // What follows the model in the path.
    let rest = asked.model.as_ref().map_or(path, |span| &path[span.end..]);
    let messages = asked.language == Language::AnthropicMessages;
    let counts = asked.language == Language::AnthropicCountTokens;
    match (dialect, asked.house) {
        (Dialect::Gemini, House::Gemini | House::Vertex(_)) => google(site, path, &asked, model),
        (Dialect::Anthropic, _) if messages && base.ends_with(CLAUDE_AT_VERTEX) => {
            let stream = asked.stream.unwrap_or(stream);
            claude_at_vertex(base, &name(), stream)
        }
        (Dialect::Anthropic, _) if counts && base.ends_with(CLAUDE_AT_VERTEX) => {
            Place::unnamed([base, COUNT_AT_VERTEX].concat())
        }
        (Dialect::Anthropic, _) if messages || counts => anthropic(base, path, &asked),
        (_, House::Bedrock) => Place::named([base, "/model/", &name(), rest].concat()),
        // The base names the deployment, or the path does; to others the model is the body's.
        (Dialect::Azure, House::Azure) if base.contains(DEPLOYMENTS) => {
            Place::named([base, rest].concat())
        }
        (Dialect::Azure, House::Azure) => {
            Place::named([azure_root(base), DEPLOYMENTS, &name(), rest].concat())
        }
        (_, House::Azure) => Place::unnamed([base, rest].concat()),
        (Dialect::OpenAi, House::Ollama) => Place::unnamed([ollama_root(base), path].concat()),
        _ => Place::unnamed(behind(dialect, base, path, &asked)),
    }
}

/// A path behind a base that is not written anew.
fn behind(dialect: Dialect, base: &str, path: &str, asked: &Endpoint) -> String {
    // A path that has the base in it already.
    if !base.is_empty() && base != "/v1" && is_within(path, base) {
        return path.to_owned();
    }
    match (dialect, asked.house) {
        (Dialect::Anthropic | Dialect::Gemini | Dialect::Bedrock, _) => [base, path].concat(),
        (Dialect::Azure, _) if path.starts_with("/openai/") => [azure_root(base), path].concat(),
        (_, House::Plain(start)) if asked.language != Language::Plain => {
            [base, &path[start..]].concat()
        }
        _ => [
            base,
            path.strip_prefix("/v1")
                .filter(|rest| is_path(rest))
                .unwrap_or(path),
        ]
        .concat(),
    }
}

fn is_within(path: &str, base: &str) -> bool {
    path.strip_prefix(base).is_some_and(is_path)
}

fn is_path(rest: &str) -> bool {
    rest.is_empty() || rest.starts_with('/')
}

/// The place at `provider` of a call in `language` that is made here, for `model`.
#[must_use]
pub fn spoken(provider: &Provider, language: Language, model: &str, stream: bool) -> Place {
    spoken_at(Site::of(provider), language, model, stream)
}

fn spoken_at(site: Site<'_>, language: Language, model: &str, stream: bool) -> Place {
    let base = site.url.path.as_str();
    let google = |verb: &str| {
        let resource = google_resource(site, model);
        Place::named([&google_base(site, ""), "/", &resource, ":", verb].concat())
    };
    let bedrock = |verb: &str| Place::named([base, "/model/", &encoded(model), "/", verb].concat());
    let plain = |name: &str| Place::unnamed([base, name].concat());
    match language {
        Language::GeminiGenerate if stream => Place {
            query: Some("alt=sse"),
            ..google("streamGenerateContent")
        },
        Language::GeminiGenerate => google("generateContent"),
        Language::GeminiCountTokens => google("countTokens"),
        Language::GeminiEmbed => google("embedContent"),
        Language::BedrockConverse if stream => bedrock("converse-stream"),
        Language::BedrockConverse => bedrock("converse"),
        Language::BedrockInvoke if stream => bedrock("invoke-with-response-stream"),
        Language::BedrockInvoke => bedrock("invoke"),
        Language::BedrockCountTokens => bedrock("count-tokens"),
        Language::AnthropicMessages if base.ends_with(CLAUDE_AT_VERTEX) => {
            claude_at_vertex(base, &encoded(model), stream)
        }
        Language::AnthropicCountTokens if base.ends_with(CLAUDE_AT_VERTEX) => {
            plain(COUNT_AT_VERTEX)
        }
        Language::AnthropicMessages => plain("/v1/messages"),
        Language::AnthropicCountTokens => plain("/v1/messages/count_tokens"),
        Language::OllamaNative => Place::unnamed([ollama_root(base), "/api/chat"].concat()),
        Language::OpenAiCompletions => plain("/completions"),
        Language::OpenAiResponses => plain("/responses"),
        Language::OpenAiEmbeddings => plain("/embeddings"),
        Language::Models => plain("/models"),
        Language::OpenAiChat | Language::Plain => plain("/chat/completions"),
    }
}

/// The path at `provider` of its list of models.
#[must_use]
pub fn list(provider: &Provider) -> String {
    let asked = match provider.dialect {
        Dialect::Gemini => "/v1beta/models",
        // A server that speaks nothing but Ollama's own language.
        _ if provider.speaks == [Language::OllamaNative] => "/api/tags",
        _ => "/v1/models",
    };
    passed(provider, asked, None, false).path
}

/// What the base of a Vertex AI that is configured for Claude ends with.
const CLAUDE_AT_VERTEX: &str = "/publishers/anthropic/models";
const COUNT_AT_VERTEX: &str = "/count-tokens:rawPredict";
const DEPLOYMENTS: &str = "/openai/deployments/";

/// Vertex AI has Claude's model in the path, and the version of its API in the body.
fn claude_at_vertex(base: &str, model: &str, stream: bool) -> Place {
    let verb = if stream {
        "streamRawPredict"
    } else {
        "rawPredict"
    };
    Place {
        instead_of_model: Some(("anthropic_version", "vertex-2023-10-16")),
        ..Place::named([base, "/", model, ":", verb].concat())
    }
}

/// Anthropic's own paths, however they are asked for: an SDK pointed at us without `/v1` still
/// means its endpoint, and what came for Vertex AI means the same.
fn anthropic(base: &str, path: &str, asked: &Endpoint) -> Place {
    let name = match (asked.language, asked.house) {
        (_, House::Plain(start)) => &path[start..],
        (Language::AnthropicCountTokens, _) => "/messages/count_tokens",
        _ => "/messages",
    };
    Place {
        version_in_header: matches!(asked.house, House::Vertex(_)),
        ..Place::unnamed([base, "/v1", name].concat())
    }
}

/// Azure's resource, of which a base may name one part or another.
fn azure_root(base: &str) -> &str {
    let end = base.find("/openai").unwrap_or(base.len());
    &base[..end]
}

/// The root of an Ollama, whose base is that of its copy of OpenAI's API.
fn ollama_root(base: &str) -> &str {
    base.strip_suffix("/v1").unwrap_or(base)
}

/// Whether a provider of Google's is Vertex AI: its preset says so, its base names a project, or its
/// host says so (express mode, which has none).
#[must_use]
pub fn is_vertex(provider: &Provider) -> bool {
    let named = provider.preset.as_deref();
    named.is_some_and(|name| name.starts_with("vertex")) || is_at_vertex(&provider.base)
}

fn is_at_vertex(url: &BaseUrl) -> bool {
    let host = url.host.split('.').next().unwrap_or_default();
    url.path.contains("/projects/") || host == "aiplatform" || host.ends_with("-aiplatform")
}

/// A call in Google's shape: the client's version of the API and what is asked. Project and
/// location are the config's where it has them, since they are what the route is.
fn google(site: Site<'_>, path: &str, asked: &Endpoint, model: Option<&str>) -> Place {
    let there = asked.model.clone().unwrap_or_default();
    let (own, verb) = (&path[there.clone()], &path[there.end..]);
    let version = version_of(path);
    let behind = if version.is_empty() {
        0
    } else {
        version.len() + 1
    };
    let same = model.is_none_or(|model| decoded(own).as_deref() == Some(model));
    let Site { url, vertex } = site;
    let project = match asked.house {
        House::Vertex(start) if vertex && !url.path.contains("/projects/") => &path[behind..start],
        _ => "",
    };
    let resource = match asked.house {
        House::Vertex(start) if same && vertex => path[start + 1..there.end].to_owned(),
        House::Gemini if same && !vertex => path[behind + 1..there.end].to_owned(),
        _ => google_resource(site, model.unwrap_or(&decoded(own).unwrap_or_default())),
    };
    // A bare name is Google's own, unless the call is one to Claude.
    let resource = match resource.strip_prefix("publishers/google/") {
        Some(rest) if asked.language == Language::AnthropicMessages => {
            ["publishers/anthropic/", rest].concat()
        }
        _ => resource,
    };
    Place::named([&google_base(site, version), project, "/", &resource, verb].concat())
}

/// The version of Google's API that a path begins with; empty where it does not.
fn version_of(path: &str) -> &'static str {
    let begins = |version: &&str| {
        let rest = path
            .strip_prefix('/')
            .and_then(|rest| rest.strip_prefix(*version));
        rest.is_some_and(is_path)
    };
    GOOGLE_VERSIONS.into_iter().find(begins).unwrap_or_default()
}

/// The base of a provider of Google's, with the version of its API: the client's, where it is one
/// that the provider has.
fn google_base(site: Site<'_>, version: &str) -> String {
    let base = site.url.path.as_str();
    // What stands before the version is a gateway's.
    let at = base.match_indices('/').map(|(at, _)| at);
    let at = at.map(|at| (at, version_of(&base[at..])));
    let found = at.into_iter().find(|(_, version)| !version.is_empty());
    let (before, own) = found.map_or((base.len(), ""), |(at, own)| (at, own));
    let after = &base[(before + 1 + own.len()).min(base.len())..];
    let vertex = site.vertex;
    let usual = match (own, vertex) {
        ("", true) => "v1",
        ("", false) => "v1beta",
        (own, _) => own,
    };
    // Vertex AI and the Gemini API have names of their own for what is new.
    let version = match (version, vertex) {
        ("" | "v1beta" | "v1alpha", true) | ("" | "v1beta1", false) => usual,
        (version, _) => version,
    };
    [&base[..before], "/", version, after].concat()
}

/// The path of a model at a provider of Google's, behind version and project. Names may say whose
/// they are: `models/…`, `tunedModels/…`, `publishers/…/models/…`, `endpoints/…`, `google/…`.
fn google_resource(Site { vertex, .. }: Site<'_>, model: &str) -> String {
    let (kind, rest) = model.split_once('/').unwrap_or(("", model));
    match kind {
        "tunedModels" | "endpoints" => [kind, "/", &encoded(rest)].concat(),
        "publishers" if vertex => {
            let parts: Vec<String> = model.split('/').map(encoded).collect();
            parts.join("/")
        }
        "models" if !vertex => ["models/", &encoded(rest)].concat(),
        "models" => ["publishers/google/models/", &encoded(rest)].concat(),
        "" if vertex => ["publishers/google/models/", &encoded(model)].concat(),
        publisher if vertex => [
            "publishers/",
            &encoded(publisher),
            "/models/",
            &encoded(rest),
        ]
        .concat(),
        _ => {
            let name = model.rsplit('/').next().unwrap_or(model);
            ["models/", &encoded(name)].concat()
        }
    }
}

#[cfg(test)]
#[path = "paths_tests.rs"]
mod tests;
