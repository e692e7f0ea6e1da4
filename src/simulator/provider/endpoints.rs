//! Knows the endpoints by their paths, and what else a path says: model, stream, place.

use crate::record::Language;

/// What a request's target says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Address {
    /// What is asked for.
    pub(super) endpoint: Endpoint,
    /// The model, where the path names it.
    pub(super) model: Option<String>,
    /// Whether the path asks for a stream.
    pub(super) stream: bool,
    /// Whether the stream is to be one JSON array: Gemini's without `alt=sse`.
    pub(super) array: bool,
    /// Whether a prompt is completed, and no conversation: Ollama's `/api/generate`.
    pub(super) completes: bool,
    /// The cloud that the path belongs to.
    pub(super) cloud: Cloud,
    /// The part of the path before the model: words of the grammar are looked for there.
    pub(super) before_model: usize,
}

/// Whose path it is, where the same language is spoken by more than one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cloud {
    /// Nobody else's than the language's.
    None,
    /// Google's Vertex: `/projects/…` or `/publishers/…`.
    Vertex,
    /// Azure's deployments.
    Azure,
}

impl Address {
    /// Reads a target: path and query.
    pub(super) fn of(target: &str) -> Self {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let path = path.trim_end_matches('/');
        let found = Self::of_google(path, query).or_else(|| Self::of_aws(path));
        found.or_else(|| Self::of_azure(path)).unwrap_or_else(|| {
            let endpoint = Endpoint::of(path);
            let vertex = endpoint == Endpoint::Location;
            Self {
                endpoint,
                model: None,
                stream: false,
                array: false,
                completes: path.ends_with("/api/generate"),
                cloud: if vertex { Cloud::Vertex } else { Cloud::None },
                before_model: path.len(),
            }
        })
    }

    fn of_google(path: &str, query: &str) -> Option<Self> {
        let (at, rest) = after(path, "/models/").or_else(|| after(path, "/endpoints/"))?;
        let (model, method) = rest.rsplit_once(':')?;
        let gemini = Endpoint::Generate(Language::GeminiGenerate);
        let claude = Endpoint::Generate(Language::AnthropicMessages);
        let (endpoint, stream) = match method {
            "generateContent" => (gemini, false),
            "streamGenerateContent" => (gemini, true),
            "countTokens" => (Endpoint::CountTokens(Language::GeminiGenerate), false),
            "embedContent" => (Endpoint::GeminiEmbeddings { many: false }, false),
            "batchEmbedContents" => (Endpoint::GeminiEmbeddings { many: true }, false),
            "rawPredict" => (claude, false),
            "streamRawPredict" => (claude, true),
            _ => return None,
        };
        let vertex = path.contains("/projects/") || path.contains("/publishers/");
        Some(Self {
            array: stream && !query.split('&').any(|pair| pair == "alt=sse"),
            endpoint,
            model: Some(decoded(model)),
            stream,
            completes: false,
            cloud: if vertex { Cloud::Vertex } else { Cloud::None },
            before_model: at,
        })
    }

    fn of_aws(path: &str) -> Option<Self> {
        let (at, rest) = after(path, "/model/")?;
        let (model, action) = rest.rsplit_once('/')?;
        let (endpoint, stream) = match action {
            "converse" => (Endpoint::Generate(Language::BedrockConverse), false),
            "converse-stream" => (Endpoint::Generate(Language::BedrockConverse), true),
            "invoke" => (Endpoint::Generate(Language::BedrockInvoke), false),
            "invoke-with-response-stream" => (Endpoint::Generate(Language::BedrockInvoke), true),
            "count-tokens" => (Endpoint::CountTokens(Language::BedrockConverse), false),
            _ => return None,
        };
        Some(Self {
            endpoint,
            model: Some(decoded(model)),
            stream,
            array: false,
            completes: false,
            cloud: Cloud::None,
            before_model: at,
        })
    }

    fn of_azure(path: &str) -> Option<Self> {
        let (at, rest) = after(path, "/deployments/")?;
        let (model, _) = rest.split_once('/')?;
        Some(Self {
            endpoint: Endpoint::of(path),
            model: Some(decoded(model)),
            stream: false,
            array: false,
            completes: false,
            cloud: Cloud::Azure,
            before_model: at,
        })
    }
}

/// What follows the last such piece of a path, and where that begins.
fn after<'a>(path: &'a str, piece: &str) -> Option<(usize, &'a str)> {
    let at = path.rfind(piece)? + piece.len();
    Some((at, &path[at..]))
}

/// A segment with its percent codes undone.
fn decoded(segment: &str) -> String {
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment.as_bytes();
    while let [first, tail @ ..] = rest {
        let code = tail.get(..2).filter(|_| *first == b'%');
        let code = code.and_then(|code| std::str::from_utf8(code).ok());
        match code.and_then(|code| u8::from_str_radix(code, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            None => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// What a path asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Endpoint {
    /// A language that generates tokens.
    Generate(Language),
    /// Embeddings.
    Embeddings,
    /// A token count in a language.
    CountTokens(Language),
    /// Gemini's embeddings: one, or many.
    GeminiEmbeddings {
        /// Whether it is many.
        many: bool,
    },
    /// The model list.
    Models,
    /// The model list in Google's manner.
    GeminiModels,
    /// What runs asynchronously at Bedrock.
    AsyncInvokes,
    /// A location of Vertex AI.
    Location,
    /// The model list in Ollama's manner.
    OllamaModels,
    /// Ollama's version.
    OllamaVersion,
    /// One model.
    Model(String),
    /// Sound out of text: binary, in pieces.
    Speech,
    /// Text out of sound, by multipart.
    Transcriptions,
    /// Images out of text.
    Images,
    /// File upload and list.
    Files,
    /// Batches.
    Batches,
    /// Moderations.
    Moderations,
    /// Rerank.
    Rerank,
    /// No such path.
    Unknown,
}

impl Endpoint {
    /// The endpoint of a path, whatever prefix stands before it.
    pub(super) fn of(path: &str) -> Self {
        let mut segments = path.trim_end_matches('/').rsplit('/');
        let last = segments.next().unwrap_or("");
        let before = segments.next().unwrap_or("");
        match (before, last) {
            ("api", "chat" | "generate") => Self::Generate(Language::OllamaNative),
            ("api", "tags" | "ps") => Self::OllamaModels,
            ("api", "version") => Self::OllamaVersion,
            ("chat", "completions") => Self::Generate(Language::OpenAiChat),
            (_, "completions") => Self::Generate(Language::OpenAiCompletions),
            (_, "responses") => Self::Generate(Language::OpenAiResponses),
            (_, "messages") => Self::Generate(Language::AnthropicMessages),
            ("messages", "count_tokens") => Self::CountTokens(Language::AnthropicMessages),
            (_, "embeddings") => Self::Embeddings,
            ("v1beta" | "google", "models") => Self::GeminiModels,
            (_, "models") => Self::Models,
            ("audio", "speech") => Self::Speech,
            ("audio", "transcriptions" | "translations") => Self::Transcriptions,
            ("images", "generations" | "edits" | "variations") => Self::Images,
            (_, "files") => Self::Files,
            (_, "batches") => Self::Batches,
            (_, "moderations") => Self::Moderations,
            (_, "rerank") => Self::Rerank,
            (_, "async-invoke") => Self::AsyncInvokes,
            ("locations", _) => Self::Location,
            _ => path
                .split_once("/models/")
                .map_or(Self::Unknown, |(_, id)| Self::Model(id.to_owned())),
        }
    }

    /// The language that it speaks.
    pub(super) const fn language(&self) -> Language {
        match self {
            Self::Embeddings => Language::OpenAiEmbeddings,
            Self::CountTokens(Language::AnthropicMessages) => Language::AnthropicCountTokens,
            Self::Generate(language) | Self::CountTokens(language) => *language,
            Self::GeminiEmbeddings { .. } | Self::GeminiModels | Self::Location => {
                Language::GeminiGenerate
            }
            Self::AsyncInvokes => Language::BedrockConverse,
            Self::Models | Self::Model(_) => Language::Models,
            _ => Language::Plain,
        }
    }

    /// Whether its body is JSON that is to be read.
    pub(super) const fn reads_json(&self) -> bool {
        !matches!(self, Self::Files | Self::Transcriptions | Self::Unknown)
    }

    /// What its ids begin with.
    pub(super) const fn id_prefix(&self) -> &'static str {
        match self {
            Self::Generate(Language::OpenAiChat) => "chatcmpl-sim-",
            Self::Generate(Language::OpenAiCompletions) => "cmpl-sim-",
            Self::Generate(Language::OpenAiResponses) => "resp_sim-",
            Self::Generate(Language::AnthropicMessages) => "msg_sim-",
            Self::Generate(Language::GeminiGenerate) => "sim-",
            _ => "req_sim-",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_known_behind_any_prefix() {
        let chat = Endpoint::Generate(Language::OpenAiChat);
        for (path, endpoint) in [
            ("/v1/chat/completions", chat.clone()),
            ("/openai/deployments/x/chat/completions", chat.clone()),
            ("/v1beta/openai/chat/completions/", chat),
            (
                "/inference/v1/completions",
                Endpoint::Generate(Language::OpenAiCompletions),
            ),
            (
                "/api/v1/responses",
                Endpoint::Generate(Language::OpenAiResponses),
            ),
            (
                "/v1/messages",
                Endpoint::Generate(Language::AnthropicMessages),
            ),
            (
                "/v1/messages/count_tokens",
                Endpoint::CountTokens(Language::AnthropicMessages),
            ),
            ("/v1/models", Endpoint::Models),
            ("/gemini/v1beta/openai/models", Endpoint::Models),
            ("/gemini/v1beta/models", Endpoint::GeminiModels),
            ("/v1/models/a/b", Endpoint::Model("a/b".into())),
            ("/v1/audio/speech", Endpoint::Speech),
            ("/api/chat", Endpoint::Generate(Language::OllamaNative)),
            ("/ollama/api/tags", Endpoint::OllamaModels),
            ("/async-invoke", Endpoint::AsyncInvokes),
            ("/v1/projects/p/locations/eu", Endpoint::Location),
            ("/v1/nothing", Endpoint::Unknown),
        ] {
            assert_eq!(Endpoint::of(path), endpoint, "{path}");
        }
    }

    #[test]
    fn what_else_a_path_says_is_read() {
        let gemini = Endpoint::Generate(Language::GeminiGenerate);
        let claude = Endpoint::Generate(Language::AnthropicMessages);
        let converse = Endpoint::Generate(Language::BedrockConverse);
        let chat = Endpoint::Generate(Language::OpenAiChat);
        let vertex = "/v1/projects/p/locations/global/publishers";
        for (target, endpoint, model, stream, array) in [
            (
                "/v1beta/models/sim:n-6:generateContent",
                &gemini,
                "sim:n-6",
                false,
                false,
            ),
            (
                "/v1/models/g:streamGenerateContent?alt=sse",
                &gemini,
                "g",
                true,
                false,
            ),
            (
                "/v1/models/g:streamGenerateContent?key=k",
                &gemini,
                "g",
                true,
                true,
            ),
            (
                &format!("{vertex}/google/models/g:generateContent"),
                &gemini,
                "g",
                false,
                false,
            ),
            (
                &format!("{vertex}/anthropic/models/claude-x@1:streamRawPredict"),
                &claude,
                "claude-x@1",
                true,
                true,
            ),
            (
                "/bedrock/model/us.x%3A0/converse-stream",
                &converse,
                "us.x:0",
                true,
                false,
            ),
            (
                "/model/arn:aws:x/y/converse",
                &converse,
                "arn:aws:x/y",
                false,
                false,
            ),
            (
                "/openai/deployments/d/chat/completions?api-version=1",
                &chat,
                "d",
                false,
                false,
            ),
        ] {
            let read = Address::of(target);
            assert_eq!(
                (
                    &read.endpoint,
                    read.model.as_deref(),
                    read.stream,
                    read.array
                ),
                (endpoint, Some(model), stream, array),
                "{target}"
            );
            assert!(target[..read.before_model].ends_with('/'), "{target}");
        }
        let other = Address::of("/v1/models/a:b");
        assert_eq!(
            (other.endpoint, other.model),
            (Endpoint::Model("a:b".into()), None)
        );
    }
}
