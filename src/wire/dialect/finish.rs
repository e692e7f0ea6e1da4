//! Reads why a model stopped, in whichever provider's words.

use crate::record::{ErrorClass, FinishReason};

/// Whether `word` says why a model stopped: the default of an enumeration says nothing, nor does
/// the name of nothing that some servers write between quotes (`KoboldCpp` and its kin).
pub(crate) fn is_reason(word: &str) -> bool {
    let names_nothing = ["", "null", "none"]
        .iter()
        .any(|nothing| word.eq_ignore_ascii_case(nothing));
    !names_nothing && !word.ends_with("_UNSPECIFIED")
}

/// Anthropic's word, and of those who sell its models: one of the request's stop sequences ended it.
pub(crate) const STOP_SEQUENCE: &str = "stop_sequence";

/// A finish reason in `OpenAI`'s words; those that report a failure are [`FinishReason::Error`].
/// `called`: a tool was, of which Google's word says nothing.
///
/// One table for all, since whoever sells another's model hands on the words of its maker: Google's
/// `OpenAI` endpoint does, and routers and copies of Anthropic's do. Only Gemini's words are a table
/// of their own, in capitals.
pub(crate) fn finish_reason(word: &str, called: bool) -> FinishReason {
    match word {
        "stop" => FinishReason::Stop,
        "length" => FinishReason::Length,
        "tool_calls" => FinishReason::ToolCalls,
        "function_call" => FinishReason::FunctionCall,
        "content_filter" => FinishReason::ContentFilter,
        _ => handed_on(word, called),
    }
}

fn handed_on(word: &str, called: bool) -> FinishReason {
    // Google's endpoint: the filter, and behind it the word of its own language.
    if let Some((filter, _)) = word.split_once(": ") {
        return match filter {
            "content_filter" => FinishReason::ContentFilter,
            "function_call_filter" => FinishReason::Error,
            _ => FinishReason::Other,
        };
    }
    let reason = googles(word, called);
    if reason != FinishReason::Other {
        return reason;
    }
    match word.to_ascii_lowercase().as_str() {
        // Together; TGI; Jurassic; Anthropic; Cohere; Titan.
        // `pause_turn`: a long turn of the provider's tools, to be sent back as it is.
        "stop" | "eos" | "eos_token" | "endoftext" | "stop_sequence" | "end_turn"
        | "pause_turn" | "complete" | "finish" | "finished" => FinishReason::Stop,
        // Mistral, older; Anthropic; MiniMax; Cohere.
        "length"
        | "model_length"
        | "max_tokens"
        | "model_context_window_exceeded"
        | "max_output"
        | "error_limit" => FinishReason::Length,
        "tool_calls" | "tool_call" | "tool_use" => FinishReason::ToolCalls,
        "function_call" => FinishReason::FunctionCall,
        // Anthropic; Bedrock; Z.ai; Cohere; Google in small letters.
        "content_filter"
        | "refusal"
        | "content_filtered"
        | "guardrail_intervened"
        | "sensitive"
        | "error_toxic"
        | "safety"
        | "recitation"
        | "blocklist"
        | "prohibited_content"
        | "spii" => FinishReason::ContentFilter,
        // OpenRouter and Mistral; DeepSeek; vLLM and SGLang; Z.ai; Bedrock.
        "error"
        | "insufficient_system_resource"
        | "abort"
        | "network_error"
        | "malformed_function_call"
        | "malformed_model_output"
        | "malformed_tool_use" => FinishReason::Error,
        _ => FinishReason::Other,
    }
}

/// A finish reason of Gemini's in `OpenAI`'s words; those that report a fault of the model's are
/// [`FinishReason::Error`].
pub(crate) fn googles(word: &str, called: bool) -> FinishReason {
    match word {
        // Calls end with it too.
        "STOP" if called => FinishReason::ToolCalls,
        "STOP" => FinishReason::Stop,
        "MAX_TOKENS" | "CONTINUATION" => FinishReason::Length,
        "SAFETY" | "RECITATION" | "LANGUAGE" | "BLOCKLIST" | "PROHIBITED_CONTENT" | "SPII"
        | "MODEL_ARMOR" => FinishReason::ContentFilter,
        _ if word.starts_with("IMAGE_") && word != "IMAGE_OTHER" => FinishReason::ContentFilter,
        "MALFORMED_FUNCTION_CALL"
        | "UNEXPECTED_TOOL_CALL"
        | "TOO_MANY_TOOL_CALLS"
        | "MALFORMED_RESPONSE"
        | "MISSING_THOUGHT_SIGNATURE" => FinishReason::Error,
        _ => FinishReason::Other,
    }
}

/// What kind of failure a finish reason reports that is one.
pub(crate) fn fault_class(word: &str) -> ErrorClass {
    match word {
        // DeepSeek has no capacity left.
        "insufficient_system_resource" => ErrorClass::Overloaded,
        // Gemini: the request should have given back what the model had thought.
        "MISSING_THOUGHT_SIGNATURE" => ErrorClass::BadRequest,
        _ => ErrorClass::ServerError,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_all_makers_are_read() {
        use FinishReason::{ContentFilter, Error, FunctionCall, Length, Other, Stop, ToolCalls};
        for (word, called, reason) in [
            ("stop", false, Some(Stop)),
            // Where OpenAI's own word is said, it stands.
            ("stop", true, Some(Stop)),
            ("length", false, Some(Length)),
            ("tool_calls", true, Some(ToolCalls)),
            ("function_call", true, Some(FunctionCall)),
            ("content_filter", false, Some(ContentFilter)),
            // Nothing, in words.
            ("", false, None),
            ("null", false, None),
            ("None", false, None),
            ("FINISH_REASON_UNSPECIFIED", false, None),
            // Google's, through its OpenAI endpoint.
            ("STOP", false, Some(Stop)),
            ("STOP", true, Some(ToolCalls)),
            ("MAX_TOKENS", false, Some(Length)),
            ("SAFETY", false, Some(ContentFilter)),
            ("IMAGE_SAFETY", false, Some(ContentFilter)),
            ("MALFORMED_FUNCTION_CALL", false, Some(Error)),
            (
                "content_filter: PROHIBITED_CONTENT",
                false,
                Some(ContentFilter),
            ),
            (
                "function_call_filter: MALFORMED_FUNCTION_CALL",
                false,
                Some(Error),
            ),
            ("another_filter: X", false, Some(Other)),
            // Others', through routers and copies.
            ("eos", false, Some(Stop)),
            ("eos_token", false, Some(Stop)),
            ("end_turn", false, Some(Stop)),
            ("COMPLETE", false, Some(Stop)),
            ("FINISH", false, Some(Stop)),
            ("pause_turn", false, Some(Stop)),
            ("max_tokens", false, Some(Length)),
            ("model_context_window_exceeded", false, Some(Length)),
            ("tool_use", true, Some(ToolCalls)),
            ("TOOL_CALL", true, Some(ToolCalls)),
            ("refusal", false, Some(ContentFilter)),
            ("guardrail_intervened", false, Some(ContentFilter)),
            ("sensitive", false, Some(ContentFilter)),
            ("error", false, Some(Error)),
            ("ERROR", false, Some(Error)),
            ("network_error", false, Some(Error)),
            ("malformed_tool_use", false, Some(Error)),
            ("whatever may come", false, Some(Other)),
        ] {
            let read = is_reason(word).then(|| finish_reason(word, called));
            assert_eq!(read, reason, "{word}");
        }
    }
}
