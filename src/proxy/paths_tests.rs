//! Holds the paths of calls against those that the providers' own SDKs ask for.

use super::*;

/// A base URL of `https://{host}{path}`.
fn base(text: &str) -> BaseUrl {
    let (host, path) = text.split_at(text.find('/').unwrap_or(text.len()));
    BaseUrl {
        https: true,
        host: host.to_owned(),
        port: 443,
        path: path.to_owned(),
        query: None,
    }
}

/// A site of which nothing is known but where it is.
fn at(url: &BaseUrl) -> Site<'_> {
    Site {
        url,
        vertex: is_at_vertex(url),
    }
}

const OPENAI: &str = "api.openai.com/v1";
const GROQ: &str = "api.groq.com/openai/v1";
const ANTHROPIC: &str = "api.anthropic.com";
const GEMINI: &str = "generativelanguage.googleapis.com";
const VERTEX: &str = "eu-aiplatform.googleapis.com/v1/projects/own/locations/eu";
const EXPRESS: &str = "aiplatform.googleapis.com/v1";
const CLAUDE: &str = "h/v1/projects/own/locations/eu/publishers/anthropic/models";
const BEDROCK: &str = "bedrock-runtime.us-east-1.amazonaws.com";
const AZURE: &str = "res.openai.azure.com/openai/v1";
const DEPLOYED: &str = "res.openai.azure.com/openai/deployments/mine";

#[test]
fn a_call_passed_on_keeps_what_the_client_wrote() {
    use Dialect::{Anthropic, Azure, Bedrock, Gemini, OpenAi};
    const ARN: &str = "/model/arn%3aaws%3Abedrock%3A%3A1%3Aprofile%2Fus.m/converse";
    for (dialect, url, path, there) in [
        (
            OpenAi,
            OPENAI,
            "/v1/chat/completions",
            "/v1/chat/completions",
        ),
        (OpenAi, OPENAI, "/chat/completions", "/v1/chat/completions"),
        (OpenAi, OPENAI, "/v1/files/f", "/v1/files/f"),
        (
            OpenAi,
            OPENAI,
            "/openai/v1/chat/completions",
            "/v1/chat/completions",
        ),
        (
            OpenAi,
            OPENAI,
            "/openai/deployments/m/chat/completions",
            "/v1/chat/completions",
        ),
        (
            OpenAi,
            GROQ,
            "/v1/chat/completions",
            "/openai/v1/chat/completions",
        ),
        (
            OpenAi,
            GROQ,
            "/openai/v1/chat/completions",
            "/openai/v1/chat/completions",
        ),
        (OpenAi, GROQ, "/openai/v1/batches", "/openai/v1/batches"),
        (OpenAi, "127.0.0.1/v1", "/api/chat", "/api/chat"),
        (
            OpenAi,
            "127.0.0.1/gate/v1",
            "/api/generate",
            "/gate/api/generate",
        ),
        (OpenAi, "h", "/v1/chat/completions", "/chat/completions"),
        (Anthropic, ANTHROPIC, "/v1/messages", "/v1/messages"),
        (
            Anthropic,
            ANTHROPIC,
            "/messages/count_tokens",
            "/v1/messages/count_tokens",
        ),
        (
            Anthropic,
            ANTHROPIC,
            "/v1/messages/batches",
            "/v1/messages/batches",
        ),
        (Anthropic, ANTHROPIC, "/v1/models", "/v1/models"),
        (
            Anthropic,
            CLAUDE,
            "/v1/projects/x/locations/y/publishers/anthropic/models/m:streamRawPredict",
            "/v1/projects/own/locations/eu/publishers/anthropic/models/m:streamRawPredict",
        ),
        (
            Anthropic,
            CLAUDE,
            "/v1/messages/count_tokens",
            "/v1/projects/own/locations/eu/publishers/anthropic/models/count-tokens:rawPredict",
        ),
        (
            Anthropic,
            ANTHROPIC,
            "/v1/publishers/anthropic/models/m:rawPredict",
            "/v1/messages",
        ),
        (
            Anthropic,
            ANTHROPIC,
            "/v1/publishers/anthropic/models/count-tokens:rawPredict",
            "/v1/messages/count_tokens",
        ),
        (
            Gemini,
            GEMINI,
            "/v1beta/models/g%2D1:streamGenerateContent",
            "/v1beta/models/g%2D1:streamGenerateContent",
        ),
        (
            Gemini,
            GEMINI,
            "/v1alpha/tunedModels/t:generateContent",
            "/v1alpha/tunedModels/t:generateContent",
        ),
        (
            Gemini,
            GEMINI,
            "/models/g:countTokens",
            "/v1beta/models/g:countTokens",
        ),
        (Gemini, GEMINI, "/v1beta/models", "/v1beta/models"),
        (Gemini, GEMINI, "/v1beta/files/f", "/v1beta/files/f"),
        (
            Gemini,
            GEMINI,
            "/v1beta1/projects/p/locations/l/publishers/google/models/g:generateContent",
            "/v1beta/models/g:generateContent",
        ),
        (
            Gemini,
            "gate.example/google/v1",
            "/v1/models/g:generateContent",
            "/google/v1/models/g:generateContent",
        ),
        (
            Gemini,
            VERTEX,
            "/v1beta1/projects/p/locations/l/publishers/google/models/g:generateContent",
            "/v1beta1/projects/own/locations/eu/publishers/google/models/g:generateContent",
        ),
        (
            Gemini,
            VERTEX,
            "/v1beta/models/g:streamGenerateContent",
            "/v1/projects/own/locations/eu/publishers/google/models/g:streamGenerateContent",
        ),
        (
            Gemini,
            VERTEX,
            "/v1/projects/p/locations/l/endpoints/7:generateContent",
            "/v1/projects/own/locations/eu/endpoints/7:generateContent",
        ),
        (
            Gemini,
            VERTEX,
            "/v1/projects/p/locations/l/publishers/anthropic/models/c@1:rawPredict",
            "/v1/projects/own/locations/eu/publishers/anthropic/models/c@1:rawPredict",
        ),
        (
            Gemini,
            EXPRESS,
            "/v1beta1/publishers/google/models/g:generateContent",
            "/v1beta1/publishers/google/models/g:generateContent",
        ),
        (
            Gemini,
            EXPRESS,
            "/v1/projects/p/locations/l/publishers/google/models/g:generateContent",
            "/v1/projects/p/locations/l/publishers/google/models/g:generateContent",
        ),
        (Bedrock, BEDROCK, ARN, ARN),
        (
            Bedrock,
            BEDROCK,
            "/model/us.m-v1:0/invoke",
            "/model/us.m-v1:0/invoke",
        ),
        (
            Bedrock,
            BEDROCK,
            "/guardrail/g/version/1/apply",
            "/guardrail/g/version/1/apply",
        ),
        (
            Azure,
            AZURE,
            "/v1/chat/completions",
            "/openai/v1/chat/completions",
        ),
        (Azure, AZURE, "/openai/v1/responses", "/openai/v1/responses"),
        (
            Azure,
            AZURE,
            "/openai/deployments/m%20m/embeddings",
            "/openai/deployments/m%20m/embeddings",
        ),
        (Azure, AZURE, "/openai/files", "/openai/files"),
        (
            Azure,
            DEPLOYED,
            "/v1/chat/completions",
            "/openai/deployments/mine/chat/completions",
        ),
        (
            Azure,
            DEPLOYED,
            "/openai/deployments/other/chat/completions",
            "/openai/deployments/mine/chat/completions",
        ),
    ] {
        let asked = endpoint(path).model.and_then(|span| decoded(&path[span]));
        let place = passed_at(dialect, at(&base(url)), path, (asked.as_deref(), false));
        assert_eq!(place.path, there, "{path} at {url}");
        assert_eq!(place.query, None);
    }
}

#[test]
fn another_model_is_named_where_its_name_stands() {
    use Dialect::{Anthropic, Azure, Bedrock, Gemini, OpenAi};
    let place = |dialect, url, path, model| {
        let place = passed_at(dialect, at(&base(url)), path, (Some(model), false));
        (place.path, place.names_model)
    };
    for (dialect, url, path, model, there, names_model) in [
        (
            OpenAi,
            OPENAI,
            "/v1/chat/completions",
            "b",
            "/v1/chat/completions",
            false,
        ),
        (
            OpenAi,
            OPENAI,
            "/openai/deployments/a/chat/completions",
            "b",
            "/v1/chat/completions",
            false,
        ),
        (
            Gemini,
            GEMINI,
            "/v1/models/a:generateContent",
            "g b",
            "/v1/models/g%20b:generateContent",
            true,
        ),
        (
            Gemini,
            GEMINI,
            "/v1/models/a:generateContent",
            "models/b",
            "/v1/models/b:generateContent",
            true,
        ),
        (
            Gemini,
            GEMINI,
            "/v1/models/a:generateContent",
            "tunedModels/b",
            "/v1/tunedModels/b:generateContent",
            true,
        ),
        (
            Gemini,
            GEMINI,
            "/v1/models/a:generateContent",
            "google/b",
            "/v1/models/b:generateContent",
            true,
        ),
        (
            Gemini,
            VERTEX,
            "/v1beta/models/a:countTokens",
            "b",
            "/v1/projects/own/locations/eu/publishers/google/models/b:countTokens",
            true,
        ),
        (
            Gemini,
            VERTEX,
            "/v1beta/models/a:countTokens",
            "endpoints/7",
            "/v1/projects/own/locations/eu/endpoints/7:countTokens",
            true,
        ),
        (
            Gemini,
            VERTEX,
            "/v1/publishers/google/models/a:countTokens",
            "google/b",
            "/v1/projects/own/locations/eu/publishers/google/models/b:countTokens",
            true,
        ),
        (
            Gemini,
            VERTEX,
            "/v1/publishers/anthropic/models/a:rawPredict",
            "b@1",
            "/v1/projects/own/locations/eu/publishers/anthropic/models/b%401:rawPredict",
            true,
        ),
        (
            Anthropic,
            CLAUDE,
            "/v1/publishers/anthropic/models/a:streamRawPredict",
            "b",
            "/v1/projects/own/locations/eu/publishers/anthropic/models/b:streamRawPredict",
            true,
        ),
        (
            Anthropic,
            ANTHROPIC,
            "/v1/publishers/anthropic/models/a:streamRawPredict",
            "b",
            "/v1/messages",
            false,
        ),
        (
            Bedrock,
            BEDROCK,
            "/model/a/invoke",
            "arn:aws:b:us:1:p/us.m",
            "/model/arn:aws:b:us:1:p%2Fus.m/invoke",
            true,
        ),
        (
            Azure,
            AZURE,
            "/openai/deployments/a/chat/completions",
            "b",
            "/openai/deployments/b/chat/completions",
            true,
        ),
        (
            Azure,
            AZURE,
            "/v1/chat/completions",
            "b",
            "/openai/v1/chat/completions",
            false,
        ),
        (
            Azure,
            DEPLOYED,
            "/v1/chat/completions",
            "b",
            "/openai/deployments/mine/chat/completions",
            false,
        ),
    ] {
        let expected = (there.to_owned(), names_model);
        assert_eq!(
            place(dialect, url, path, model),
            expected,
            "{path} at {url}"
        );
    }
}

#[test]
fn a_call_made_here_has_the_providers_own_path() {
    use Language::{
        AnthropicCountTokens, AnthropicMessages, BedrockConverse, BedrockInvoke, GeminiGenerate,
        OllamaNative, OpenAiChat, OpenAiResponses,
    };
    for (url, language, model, stream, there) in [
        (OPENAI, OpenAiChat, "m", true, "/v1/chat/completions"),
        (AZURE, OpenAiResponses, "m", true, "/openai/v1/responses"),
        (
            DEPLOYED,
            OpenAiChat,
            "m",
            true,
            "/openai/deployments/mine/chat/completions",
        ),
        (ANTHROPIC, AnthropicMessages, "m", true, "/v1/messages"),
        (
            CLAUDE,
            AnthropicMessages,
            "m",
            true,
            "/v1/projects/own/locations/eu/publishers/anthropic/models/m:streamRawPredict",
        ),
        (
            CLAUDE,
            AnthropicMessages,
            "m",
            false,
            "/v1/projects/own/locations/eu/publishers/anthropic/models/m:rawPredict",
        ),
        (
            CLAUDE,
            AnthropicCountTokens,
            "m",
            false,
            "/v1/projects/own/locations/eu/publishers/anthropic/models/count-tokens:rawPredict",
        ),
        (
            GEMINI,
            GeminiGenerate,
            "g",
            false,
            "/v1beta/models/g:generateContent",
        ),
        (
            GEMINI,
            GeminiGenerate,
            "models/g",
            true,
            "/v1beta/models/g:streamGenerateContent?alt=sse",
        ),
        (
            VERTEX,
            GeminiGenerate,
            "g",
            true,
            "/v1/projects/own/locations/eu/publishers/google/models/g:streamGenerateContent?alt=sse",
        ),
        (
            EXPRESS,
            GeminiGenerate,
            "g",
            false,
            "/v1/publishers/google/models/g:generateContent",
        ),
        (
            BEDROCK,
            BedrockConverse,
            "us.m-v1:0",
            true,
            "/model/us.m-v1:0/converse-stream",
        ),
        (BEDROCK, BedrockInvoke, "a/b", false, "/model/a%2Fb/invoke"),
        ("127.0.0.1/v1", OllamaNative, "m", true, "/api/chat"),
    ] {
        let place = spoken_at(at(&base(url)), language, model, stream);
        let query = place.query.map(|query| ["?", query].concat());
        assert_eq!([place.path, query.unwrap_or_default()].concat(), there);
    }
}

#[test]
fn claude_at_vertex_is_asked_for_a_stream_by_its_path() {
    for (path, stream, verb) in [
        ("/v1/messages", true, "streamRawPredict"),
        ("/v1/messages", false, "rawPredict"),
        ("/messages", true, "streamRawPredict"),
    ] {
        let place = passed_at(
            Dialect::Anthropic,
            at(&base(CLAUDE)),
            path,
            (Some("m"), stream),
        );
        let there = format!("/v1/projects/own/locations/eu/publishers/anthropic/models/m:{verb}");
        assert_eq!(place.path, there, "{path}");
        let (key, _) = place.instead_of_model.unwrap();
        assert_eq!(
            (place.names_model, key),
            (true, "anthropic_version"),
            "{path}"
        );
    }
    let place = passed_at(
        Dialect::Anthropic,
        at(&base(ANTHROPIC)),
        "/v1/messages",
        (Some("m"), true),
    );
    assert_eq!((place.names_model, place.instead_of_model), (false, None));
}
