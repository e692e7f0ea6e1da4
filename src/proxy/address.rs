//! Splits a request's path into the provider it names and the path there.

use std::ops::Range;

use crate::config::settings::Settings;
use crate::record::{Language, Name};
use crate::wire::dialect::identify::{Endpoint, House, endpoint};

/// Where a request's path points, before its model is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address<'a> {
    /// The provider that the base URL named (`/{provider}/v1/…`).
    pub provider: Option<&'a str>,
    /// The path without the provider: `/v1/…`.
    pub path: &'a str,
}

impl Address<'_> {
    /// The data plane's own root: nobody is addressed.
    #[must_use]
    pub const fn root() -> Self {
        Self {
            provider: None,
            path: "/v1",
        }
    }
}

/// What may stand before the name of a resource, the longest first.
const PREFIXES: [&str; 9] = [
    "/openai/v1",
    "/api/v1",
    "/v1beta",
    "/v1alpha",
    "/v1",
    "/v2",
    "/openai",
    "/api",
    "",
];

/// Resources of the providers' APIs that are recorded by name.
const RESOURCES: [&str; 56] = [
    "agents",
    "assistants",
    "audio",
    "batches",
    "cachedContents",
    "chat",
    "classify",
    "complete",
    "completions",
    "containers",
    "conversations",
    "credits",
    "detokenize",
    "embed",
    "embeddings",
    "endpoints",
    "evals",
    "files",
    "fim",
    "fine-tunes",
    "fine_tuning",
    "fine-tuning",
    "generate",
    "generation",
    "health",
    "images",
    "infill",
    "jobs",
    "key",
    "keys",
    "messages",
    "models",
    "moderations",
    "ocr",
    "openresponses",
    "organization",
    "organizations",
    "pooling",
    "predictions",
    "props",
    "ps",
    "rankings",
    "realtime",
    "rerank",
    "responses",
    "score",
    "show",
    "skills",
    "slots",
    "tags",
    "threads",
    "tokenize",
    "uploads",
    "vector_stores",
    "version",
    "videos",
];

/// The endpoint of every path that is none of the known ones.
const OTHER: &str = "other";

impl Address<'_> {
    /// The endpoint for the record: what the path asks for, and nothing that a client made up. The
    /// names are those of a fixed list (a model in the path stands as `*`, ids are cut off, the
    /// rest is `other`), because each new one takes a number in the store for good, and because
    /// an unknown path may hold what nobody wants kept.
    #[must_use]
    pub fn endpoint(&self, language: Language) -> Name {
        let path = self.path.strip_suffix('/').unwrap_or(self.path);
        if language.is_inference() {
            return match endpoint(path) {
                Endpoint {
                    house: House::Plain(_) | House::Ollama,
                    ..
                } => Name::from(path),
                named => Name::from(without_names(path, named.model)),
            };
        }
        PREFIXES
            .iter()
            .find_map(|prefix| {
                let rest = path.strip_prefix(prefix)?.strip_prefix('/')?;
                let resource = rest.split(['/', ':']).next()?;
                RESOURCES
                    .contains(&resource)
                    .then(|| Name::from(format!("{prefix}/{resource}").as_str()))
            })
            .unwrap_or_else(|| Name::from(OTHER))
    }
}

/// The path of an inference endpoint with `*` for the model, and for the project and the place that
/// it names. What is left are words that identifying it has compared.
fn without_names(path: &str, model: Option<Range<usize>>) -> String {
    let model = model.unwrap_or(path.len()..path.len());
    let mut named = path[..model.start].to_owned();
    if !model.is_empty() {
        // What kind of thing it is may be a part of its name.
        let kind = path[model.clone()].split_once('/').map(|(kind, _)| kind);
        if let Some(kind @ ("tunedModels" | "endpoints")) = kind {
            named.extend([kind, "/"]);
        }
        named.push('*');
    }
    named.push_str(&path[model.end..]);
    let mut before = "";
    let segments = named.split('/').map(|segment| {
        let is_name = matches!(before, "projects" | "locations");
        before = segment;
        if is_name { "*" } else { segment }
    });
    segments.collect::<Vec<_>>().join("/")
}

/// Splits `/{provider}/v1/…`; any other path is taken whole.
#[must_use]
pub fn split<'a>(path: &'a str, settings: &Settings) -> Address<'a> {
    let rest = path.trim_start_matches('/');
    let first = rest.split('/').next().unwrap_or_default();
    match settings.provider(first) {
        Some(_) if !first.is_empty() => {
            let after = &path[path.len() - rest.len() + first.len()..];
            let after = if after.is_empty() { "/" } else { after };
            Address {
                provider: Some(first),
                path: after,
            }
        }
        _ => Address {
            provider: None,
            path,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_are_those_of_a_fixed_list() {
        let name = |path, language| {
            let provider = None;
            Address { provider, path }.endpoint(language).to_string()
        };
        for (path, endpoint) in [
            ("/v1/files", "/v1/files"),
            ("/v1/files/", "/v1/files"),
            ("/v1/files/file-1/content", "/v1/files"),
            ("/openai/v1/batches", "/openai/v1/batches"),
            ("/v1beta/models/gemini:generateContent", "/v1beta/models"),
            ("/api/tags", "/api/tags"),
            ("/health", "/health"),
            ("/", "other"),
            ("", "other"),
            ("/v1", "other"),
            ("/v1/filesystem", "other"),
            ("/v1//files", "other"),
            ("/sk-secret/files", "other"),
        ] {
            assert_eq!(name(path, Language::Plain), endpoint, "{path}");
        }
        for (path, endpoint) in [
            ("/v1/chat/completions", "/v1/chat/completions"),
            ("/chat/completions/", "/chat/completions"),
            (
                "/openai/deployments/mine/chat/completions",
                "/openai/deployments/*/chat/completions",
            ),
        ] {
            assert_eq!(name(path, Language::OpenAiChat), endpoint, "{path}");
        }
        for (path, endpoint) in [
            (
                "/v1beta/models/gemini-2.5-flash:generateContent",
                "/v1beta/models/*:generateContent",
            ),
            (
                "/v1beta/tunedModels/mine:generateContent",
                "/v1beta/tunedModels/*:generateContent",
            ),
            (
                "/v1/projects/secret/locations/eu/publishers/google/models/g:countTokens",
                "/v1/projects/*/locations/*/publishers/google/models/*:countTokens",
            ),
            (
                "/v1/projects/secret/locations/eu/endpoints/7:generateContent",
                "/v1/projects/*/locations/*/endpoints/*:generateContent",
            ),
            ("/model/arn%3Aaws%2Fx/converse/", "/model/*/converse"),
            ("/api/chat", "/api/chat"),
        ] {
            let language = crate::wire::dialect::identify::identify(path);
            assert!(language.is_inference(), "{path}");
            assert_eq!(name(path, language), endpoint, "{path}");
        }
    }

    #[test]
    fn a_client_cannot_make_names_without_end() {
        let names: std::collections::HashSet<_> = (0..20_000)
            .map(|number| {
                let path = match number % 7 {
                    0 => format!("/v1/x{number}"),
                    1 => format!("/x{number}/files"),
                    2 => format!("/v1/files/{number}"),
                    3 => format!("/v1/models/{number}:generateContent"),
                    4 => format!("/model/{number}/{number}/invoke"),
                    5 => format!(
                        "/v1/projects/{number}/locations/{number}/publishers/google/models/\
                         {number}:generateContent"
                    ),
                    _ => format!("/openai/deployments/{number}/chat/completions"),
                };
                let language = crate::wire::dialect::identify::identify(&path);
                let address = Address {
                    provider: None,
                    path: &path,
                };
                address.endpoint(language)
            })
            .collect();
        assert!(names.len() <= 6, "{names:?}");
    }
}
