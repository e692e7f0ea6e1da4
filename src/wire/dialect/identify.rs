//! Tells an endpoint's language from its path.

use crate::record::Language;

/// The language spoken at `path`, as it stands after the provider's base and without its query;
/// `/v1` may lead or be missing. What is not known is [`Language::Plain`].
#[must_use]
pub fn identify(path: &str) -> Language {
    let path = path.strip_suffix('/').unwrap_or(path);
    let path = without_prefix(path);
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

/// Cuts off what may stand before an endpoint: `/v1`, and Azure's `/openai/v1` and
/// `/openai/deployments/{name}`.
fn without_prefix(path: &str) -> &str {
    let path = match path.strip_prefix("/openai") {
        Some(rest) if rest.starts_with("/v1/") => rest,
        Some(rest) => match rest.strip_prefix("/deployments/") {
            Some(rest) => rest.find('/').map_or(path, |slash| &rest[slash..]),
            None => path,
        },
        None => path,
    };
    match path.strip_prefix("/v1") {
        Some(rest) if rest.starts_with('/') => rest,
        _ => path,
    }
}

/// `/models/{id}`. Ids may hold slashes; a Gemini verb after a colon makes it a call instead.
fn is_one_model(path: &str) -> bool {
    path.strip_prefix("/models/").is_some_and(|id| {
        let verb = id.rsplit_once(':').map_or("", |(_, verb)| verb);
        !id.is_empty() && !GEMINI_VERBS.contains(&verb)
    })
}

const GEMINI_VERBS: [&str; 6] = [
    "generateContent",
    "streamGenerateContent",
    "countTokens",
    "embedContent",
    "batchEmbedContents",
    "predict",
];

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
            (
                "/openai/deployments/gpt/chat/completions",
                Language::OpenAiChat,
            ),
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
            (
                "/v1/models/gemini-2.5-flash:generateContent",
                Language::Plain,
            ),
            ("/v1/models/", Language::Models),
            ("/v1/audio/speech", Language::Plain),
            ("/v1/files", Language::Plain),
            ("/v1x/chat/completions", Language::Plain),
            ("/v1", Language::Plain),
            ("/", Language::Plain),
            ("", Language::Plain),
            ("/openai/deployments/gpt", Language::Plain),
        ] {
            assert_eq!(identify(path), language, "{path}");
        }
    }
}
