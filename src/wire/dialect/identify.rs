//! Tells an endpoint's language from its path, and what else stands there: model and stream.

use std::ops::Range;

use crate::record::Language;

/// What a path says, as it stands after the provider's base and without its query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// What is spoken there.
    pub language: Language,
    /// Where the model's name stands in the path, percent-encoded, of languages that have it
    /// there.
    pub model: Option<Range<usize>>,
    /// Whether a stream is asked for, where the path says so and not the body.
    pub stream: Option<bool>,
    /// Whose path it is.
    pub house: House,
}

/// Whose path it is: how the parts around the model are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum House {
    /// The path ends with the name of what is asked: `/chat/completions` from this offset on.
    Plain(usize),
    /// `/{version}/models/{model}:{verb}`, the Gemini API.
    Gemini,
    /// `/{version}/projects/…/publishers/{publisher}/models/{model}:{verb}`, Vertex AI; what is
    /// asked begins at this offset, with `/publishers/`.
    Vertex(usize),
    /// `/model/{model}/{verb}`, Bedrock.
    Bedrock,
    /// `/openai/deployments/{model}/…`, Azure.
    Azure,
    /// `/api/…`, Ollama.
    Ollama,
}

/// The language spoken at `path`. What is not known is [`Language::Plain`].
#[must_use]
pub fn identify(path: &str) -> Language {
    endpoint(path).language
}

/// What `path` says. `/v1` and the like may lead or be missing.
#[must_use]
pub fn endpoint(path: &str) -> Endpoint {
    let path = path.strip_suffix('/').unwrap_or(path);
    google(path)
        .or_else(|| bedrock(path))
        .or_else(|| azure(path))
        .or_else(|| ollama(path))
        .unwrap_or_else(|| plain(path))
}

/// Versions of Google's APIs that are known to exist.
pub const GOOGLE_VERSIONS: [&str; 4] = ["v1beta1", "v1beta", "v1alpha", "v1"];

/// `/{version}/…/{model}:{verb}`.
fn google(path: &str) -> Option<Endpoint> {
    // Nearly every path has none, and each request's is looked at a few times.
    let colon = memchr::memrchr(b':', path.as_bytes())?;
    let (resource, verb) = (path.get(..colon)?, path.get(colon + 1..)?);
    let (language, stream) = match verb {
        "generateContent" => (Language::GeminiGenerate, Some(false)),
        "streamGenerateContent" => (Language::GeminiGenerate, Some(true)),
        "countTokens" => (Language::GeminiCountTokens, None),
        "embedContent" | "batchEmbedContents" => (Language::GeminiEmbed, None),
        "rawPredict" => (Language::AnthropicMessages, Some(false)),
        "streamRawPredict" => (Language::AnthropicMessages, Some(true)),
        _ => return None,
    };
    let raw = language == Language::AnthropicMessages;
    let start = after_version(resource);
    let rest = resource.get(start..)?;
    let mut segments = rest.strip_prefix('/')?.split('/');
    let (house, model) = match (segments.next()?, segments.next()?) {
        ("models", model) if !raw => (House::Gemini, model),
        ("tunedModels", _) if !raw => (House::Gemini, rest.get(1..)?),
        ("publishers", publisher) => {
            let model = published(publisher, &mut segments, raw)?;
            (House::Vertex(start), model)
        }
        ("projects", _) => {
            let ("locations", _) = (segments.next()?, segments.next()?) else {
                return None;
            };
            let model = match (segments.next()?, segments.next()?) {
                ("publishers", publisher) => published(publisher, &mut segments, raw)?,
                ("endpoints", id) if !raw => {
                    let end = id.as_ptr().addr() + id.len() - rest.as_ptr().addr();
                    let start = end.checked_sub(id.len() + "endpoints/".len())?;
                    rest.get(start..end)?
                }
                _ => return None,
            };
            let place = ["/publishers/", "/endpoints/"].into_iter();
            let asked = place.filter_map(|word| rest.find(word)).min()?;
            (House::Vertex(start + asked), model)
        }
        _ => return None,
    };
    if model.is_empty() || (segments.next().is_some() && !model.starts_with("tunedModels/")) {
        return None;
    }
    let counts = raw && model == "count-tokens";
    Some(Endpoint {
        language: if counts {
            Language::AnthropicCountTokens
        } else {
            language
        },
        // The model that is counted for stands in the body.
        model: (!counts).then(|| span(path, model)),
        stream: stream.filter(|_| !counts),
        house,
    })
}

/// The model of a publisher whose language is known.
fn published<'a>(
    publisher: &str,
    segments: &mut std::str::Split<'a, char>,
    raw: bool,
) -> Option<&'a str> {
    let own = if raw { "anthropic" } else { "google" };
    if publisher != own || segments.next()? != "models" {
        return None;
    }
    segments.next()
}

/// Offset behind a version of Google's, or 0.
fn after_version(path: &str) -> usize {
    let first = path
        .strip_prefix('/')
        .and_then(|rest| rest.split('/').next());
    match first {
        Some(first) if GOOGLE_VERSIONS.contains(&first) => first.len() + 1,
        _ => 0,
    }
}

/// `/model/{model}/{verb}`; an id is one segment, but not every client encodes its slashes.
fn bedrock(path: &str) -> Option<Endpoint> {
    let (model, verb) = path.strip_prefix("/model/")?.rsplit_once('/')?;
    let (language, stream) = match verb {
        "converse" => (Language::BedrockConverse, Some(false)),
        "converse-stream" => (Language::BedrockConverse, Some(true)),
        "invoke" => (Language::BedrockInvoke, Some(false)),
        "invoke-with-response-stream" => (Language::BedrockInvoke, Some(true)),
        "count-tokens" => (Language::BedrockCountTokens, None),
        _ => return None,
    };
    (!model.is_empty()).then(|| Endpoint {
        language,
        model: Some(span(path, model)),
        stream,
        house: House::Bedrock,
    })
}

/// `/openai/deployments/{model}/…`.
fn azure(path: &str) -> Option<Endpoint> {
    let rest = path.strip_prefix("/openai/deployments/")?;
    let model = rest.split('/').next().filter(|model| !model.is_empty())?;
    let language = named(&rest[model.len()..]);
    language.is_inference().then(|| Endpoint {
        language,
        model: Some(span(path, model)),
        stream: None,
        house: House::Azure,
    })
}

fn ollama(path: &str) -> Option<Endpoint> {
    matches!(path, "/api/chat" | "/api/generate").then_some(Endpoint {
        language: Language::OllamaNative,
        model: None,
        stream: None,
        house: House::Ollama,
    })
}

fn plain(path: &str) -> Endpoint {
    let prefixes = ["/openai/v1", "/v1"].into_iter();
    let asked = prefixes
        .filter(|prefix| {
            let rest = path.strip_prefix(prefix);
            rest.is_some_and(|rest| rest.starts_with('/'))
        })
        .map(str::len)
        .next()
        .unwrap_or(0);
    Endpoint {
        language: named(&path[asked..]),
        model: None,
        stream: None,
        house: House::Plain(asked),
    }
}

/// The language of an endpoint that is told by its name.
fn named(path: &str) -> Language {
    match path {
        "/chat/completions" => Language::OpenAiChat,
        "/completions" => Language::OpenAiCompletions,
        // `/openresponses` is Opper's name for the same.
        "/responses" | "/openresponses" => Language::OpenAiResponses,
        "/embeddings" => Language::OpenAiEmbeddings,
        "/messages" => Language::AnthropicMessages,
        "/messages/count_tokens" => Language::AnthropicCountTokens,
        "/models" => Language::Models,
        _ if is_one_model(path) => Language::Models,
        _ => Language::Plain,
    }
}

/// `/models/{id}`. Ids may hold slashes; a verb of Google's after a colon makes it a call instead.
fn is_one_model(path: &str) -> bool {
    path.strip_prefix("/models/").is_some_and(|id| {
        let verb = id.rsplit_once(':').map_or("", |(_, verb)| verb);
        !id.is_empty() && !GOOGLE_VERBS.contains(&verb)
    })
}

/// Calls of Google's.
const GOOGLE_VERBS: [&str; 12] = [
    "generateContent",
    "streamGenerateContent",
    "countTokens",
    "embedContent",
    "batchEmbedContents",
    "rawPredict",
    "streamRawPredict",
    "computeTokens",
    "predict",
    "predictLongRunning",
    "batchGenerateContent",
    "asyncBatchEmbedContent",
];

/// Where `part`, a slice of `path`, stands in it.
fn span(path: &str, part: &str) -> Range<usize> {
    let start = part.as_ptr().addr().saturating_sub(path.as_ptr().addr());
    start..start + part.len()
}

/// The text that a percent-encoded part of a path stands for. `None` where that is no UTF-8.
#[must_use]
pub fn decoded(part: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(part.len());
    let mut rest = part.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        if *byte == b'%' {
            let (code, after) = after.split_first_chunk::<2>()?;
            let code = std::str::from_utf8(code).ok()?;
            let whole = code.bytes().all(|byte| byte.is_ascii_hexdigit());
            bytes.push(u8::from_str_radix(code, 16).ok().filter(|_| whole)?);
            rest = after;
        } else {
            bytes.push(*byte);
        }
    }
    String::from_utf8(bytes).ok()
}

/// `text` as one segment of a path: everything encoded that is neither unreserved (RFC 3986) nor
/// a colon, which model names have and signers keep.
#[must_use]
pub fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~:".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            for half in [byte >> 4, byte & 15] {
                let digit = char::from_digit(u32::from(half), 16).unwrap_or('0');
                out.push(digit.to_ascii_uppercase());
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_name_their_language() {
        for (path, language) in [
            ("/v1/chat/completions", Language::OpenAiChat),
            ("/chat/completions", Language::OpenAiChat),
            ("/v1/chat/completions/", Language::OpenAiChat),
            ("/openai/v1/chat/completions", Language::OpenAiChat),
            ("/v1/chat/completions/chatcmpl-1", Language::Plain),
            ("/v1/completions", Language::OpenAiCompletions),
            ("/completions", Language::OpenAiCompletions),
            ("/v1/responses", Language::OpenAiResponses),
            ("/v1/responses/resp_1", Language::Plain),
            ("/v1/responses/resp_1/cancel", Language::Plain),
            ("/openresponses", Language::OpenAiResponses),
            ("/v1/embeddings", Language::OpenAiEmbeddings),
            ("/v1/messages", Language::AnthropicMessages),
            ("/messages", Language::AnthropicMessages),
            ("/v1/messages/count_tokens", Language::AnthropicCountTokens),
            ("/v1/messages/batches", Language::Plain),
            ("/v1/models", Language::Models),
            ("/models", Language::Models),
            ("/v1/models/gpt-4.1", Language::Models),
            (
                "/v1/models/meta-llama/Llama-3.1-8B:cerebras",
                Language::Models,
            ),
            ("/v1/models/imagen:predict", Language::Plain),
            ("/v1/models/", Language::Models),
            ("/v1/audio/speech", Language::Plain),
            ("/v1/files", Language::Plain),
            ("/v1x/chat/completions", Language::Plain),
            ("/v1", Language::Plain),
            ("/", Language::Plain),
            ("", Language::Plain),
            ("/openai/deployments/gpt", Language::Plain),
            ("/openai/deployments//chat/completions", Language::Plain),
            ("/openai/deployments/gpt/audio/speech", Language::Plain),
            ("/api/chat", Language::OllamaNative),
            ("/api/generate", Language::OllamaNative),
            ("/api/tags", Language::Plain),
            ("/v2/models/m:generateContent", Language::Plain),
            ("/v1beta/models/:generateContent", Language::Plain),
            ("/v1beta/models/a/b:generateContent", Language::Plain),
            ("/v1/models/m:rawPredict", Language::Plain),
            (
                "/v1/projects/p/locations/l/publishers/meta/models/m:rawPredict",
                Language::Plain,
            ),
            (
                "/v1/projects/p/locations/l/publishers/google/models/m:rawPredict",
                Language::Plain,
            ),
            (
                "/v1/projects/p/locations/l/publishers/google/models/m/x:countTokens",
                Language::Plain,
            ),
            (
                "/v1/projects/p/locations/l/publishers/anthropic/models/count-tokens:rawPredict",
                Language::AnthropicCountTokens,
            ),
            ("/model//converse", Language::Plain),
            ("/model/m", Language::Plain),
            ("/model/m/async-invoke", Language::Plain),
        ] {
            let endpoint = endpoint(path);
            assert_eq!(endpoint.language, language, "{path}");
            assert_eq!((endpoint.model, endpoint.stream), (None, None), "{path}");
        }
    }

    #[test]
    fn a_path_says_model_and_stream() {
        use Language::{
            AnthropicMessages, BedrockConverse, BedrockCountTokens, BedrockInvoke,
            GeminiCountTokens, GeminiEmbed, GeminiGenerate, OpenAiChat,
        };
        const VERTEX: &str = "/v1/projects/p-1/locations/eu/publishers";
        let vertex = |rest: &str| [VERTEX, rest].concat();
        for (path, language, model, stream) in [
            (
                "/v1beta/models/gemini-2.5-flash:generateContent".to_owned(),
                GeminiGenerate,
                "gemini-2.5-flash",
                Some(false),
            ),
            (
                "/v1/models/g:streamGenerateContent".to_owned(),
                GeminiGenerate,
                "g",
                Some(true),
            ),
            (
                "/models/g:generateContent".to_owned(),
                GeminiGenerate,
                "g",
                Some(false),
            ),
            (
                "/v1alpha/models/g:countTokens".to_owned(),
                GeminiCountTokens,
                "g",
                None,
            ),
            (
                "/v1beta/models/g:batchEmbedContents".to_owned(),
                GeminiEmbed,
                "g",
                None,
            ),
            (
                "/v1beta/tunedModels/mine-1:generateContent".to_owned(),
                GeminiGenerate,
                "tunedModels/mine-1",
                Some(false),
            ),
            (
                "/v1beta1/publishers/google/models/g:generateContent".to_owned(),
                GeminiGenerate,
                "g",
                Some(false),
            ),
            (
                vertex("/google/models/gemini-2.5-pro:streamGenerateContent"),
                GeminiGenerate,
                "gemini-2.5-pro",
                Some(true),
            ),
            (
                vertex("/anthropic/models/claude-sonnet-4-6@20260301:streamRawPredict"),
                AnthropicMessages,
                "claude-sonnet-4-6@20260301",
                Some(true),
            ),
            (
                vertex("/anthropic/models/claude-haiku-4-5:rawPredict"),
                AnthropicMessages,
                "claude-haiku-4-5",
                Some(false),
            ),
            (
                "/v1/projects/p/locations/l/endpoints/77:generateContent".to_owned(),
                GeminiGenerate,
                "endpoints/77",
                Some(false),
            ),
            (
                "/model/eu.anthropic.claude-haiku-4-5-20251001-v1:0/converse".to_owned(),
                BedrockConverse,
                "eu.anthropic.claude-haiku-4-5-20251001-v1:0",
                Some(false),
            ),
            (
                "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Ainference-profile%2Fus.m/converse-stream"
                    .to_owned(),
                BedrockConverse,
                "arn:aws:bedrock:us-east-1:1:inference-profile/us.m",
                Some(true),
            ),
            (
                "/model/arn:aws:bedrock:us-east-1:1:inference-profile/us.m/invoke".to_owned(),
                BedrockInvoke,
                "arn:aws:bedrock:us-east-1:1:inference-profile/us.m",
                Some(false),
            ),
            (
                "/model/m/invoke-with-response-stream/".to_owned(),
                BedrockInvoke,
                "m",
                Some(true),
            ),
            (
                "/model/m/count-tokens".to_owned(),
                BedrockCountTokens,
                "m",
                None,
            ),
            (
                "/openai/deployments/my%20gpt/chat/completions".to_owned(),
                OpenAiChat,
                "my gpt",
                None,
            ),
        ] {
            let endpoint = endpoint(&path);
            assert_eq!(
                (endpoint.language, endpoint.stream),
                (language, stream),
                "{path}"
            );
            let found = endpoint.model.and_then(|span| decoded(&path[span]));
            assert_eq!(found.as_deref(), Some(model), "{path}");
        }
    }

    #[test]
    fn segments_are_coded_there_and_back() {
        for (text, coded) in [
            ("gpt-4.1_x~", "gpt-4.1_x~"),
            ("us.m-v1:0", "us.m-v1:0"),
            ("a/b c@d+é%", "a%2Fb%20c%40d%2B%C3%A9%25"),
        ] {
            assert_eq!(encoded(text), coded);
            assert_eq!(decoded(coded).as_deref(), Some(text));
        }
        assert_eq!(decoded("a%3ab").as_deref(), Some("a:b"));
        for broken in ["%", "%4", "%4x", "%+4", "%ff"] {
            assert_eq!(decoded(broken), None, "{broken}");
        }
    }
}
