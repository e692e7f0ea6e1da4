//! Gives each event or body to the reader of its language.

use std::borrow::Cow;

use serde::de::IgnoredAny;

use super::learned::{Learned, Signal};
use super::{
    anthropic_messages, bedrock_converse, bedrock_invoke, gemini_generate, ollama_native,
    openai_chat, openai_completions, openai_embeddings, openai_responses,
};
use crate::record::{Dialect, Language};

/// How the answers of a language are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// Events, or one JSON object.
    Generated,
    /// One JSON object.
    Whole,
    /// Not read: only its bytes are timed.
    Opaque,
}

/// How answers in `language` are read.
pub(crate) fn form(language: Language) -> Form {
    match language {
        Language::OpenAiChat
        | Language::OpenAiCompletions
        | Language::OpenAiResponses
        | Language::AnthropicMessages
        | Language::GeminiGenerate
        | Language::BedrockConverse
        | Language::BedrockInvoke
        | Language::OllamaNative => Form::Generated,
        Language::OpenAiEmbeddings => Form::Whole,
        Language::AnthropicCountTokens
        | Language::GeminiCountTokens
        | Language::GeminiEmbed
        | Language::BedrockCountTokens
        | Language::Models
        | Language::Plain => Form::Opaque,
    }
}

/// Whether a stream in `language` ends with `[DONE]` rather than with an event of its own.
pub(crate) fn ends_with_done(language: Language) -> bool {
    matches!(language, Language::OpenAiChat | Language::OpenAiCompletions)
}

/// Whether a stream in `language` ends with its body: nothing in it is its terminator.
pub(crate) fn ends_with_body(language: Language) -> bool {
    language == Language::GeminiGenerate
}

/// Whether events in `language` tell their counts as they go, so that many of them do.
pub(crate) fn counts_as_it_goes(language: Language) -> bool {
    matches!(
        language,
        Language::AnthropicMessages | Language::GeminiGenerate | Language::BedrockInvoke
    )
}

/// Whether answers in `language` are those of any model, each in a language of its own.
pub(crate) fn is_handed_on(language: Language) -> bool {
    language == Language::BedrockInvoke
}

/// Whether no stream in `language` is one of server-sent events.
pub(crate) fn has_no_events(language: Language) -> bool {
    matches!(
        language,
        Language::BedrockConverse | Language::BedrockInvoke | Language::OllamaNative
    )
}

/// How a stream is cut that is no server-sent events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cut {
    /// Frames of Amazon's.
    Frames,
    /// Objects in an array, or one after another.
    Objects,
}

/// How a stream in `language` is cut whose first byte is this one; `None` where it has events.
pub(crate) fn cut(language: Language, first: u8) -> Option<Cut> {
    match (language, first) {
        (Language::BedrockConverse | Language::BedrockInvoke, b'{' | b'[') => None,
        (Language::BedrockConverse | Language::BedrockInvoke, _) => Some(Cut::Frames),
        (Language::GeminiGenerate, b'[') | (Language::OllamaNative, b'{') => Some(Cut::Objects),
        _ => None,
    }
}

/// Reads the payload of a frame that is an event named `kind`. `None` if it is not JSON.
pub(crate) fn learn_frame(
    dialect: Dialect,
    language: Language,
    kind: &str,
    data: &[u8],
    learned: &mut Learned,
) -> Option<Signal> {
    let mut read = |data: &[u8]| match language {
        Language::BedrockInvoke => bedrock_invoke::learn_event(dialect, kind, data, learned),
        _ => bedrock_converse::learn_event(kind, data, learned),
    };
    read(data).or_else(|| read(mended(data)?.as_bytes()))
}

/// Reads one event. `None` if it is not JSON.
pub(crate) fn learn_event(
    dialect: Dialect,
    language: Language,
    data: &[u8],
    learned: &mut Learned,
) -> Option<Signal> {
    let read = match language {
        Language::OpenAiResponses => openai_responses::learn_event,
        Language::AnthropicMessages => anthropic_messages::learn_event,
        Language::GeminiGenerate => gemini_generate::learn,
        Language::OllamaNative => ollama_native::learn,
        Language::OpenAiCompletions => openai_completions::learn,
        _ => openai_chat::learn,
    };
    read(dialect, data, learned).or_else(|| read(dialect, mended(data)?.as_bytes(), learned))
}

/// Reads a whole body. `None` if it is not JSON.
pub(crate) fn learn_whole(
    dialect: Dialect,
    language: Language,
    data: &[u8],
    learned: &mut Learned,
) -> Option<Signal> {
    let read = match language {
        Language::OpenAiResponses => openai_responses::learn_whole,
        Language::AnthropicMessages => anthropic_messages::learn_whole,
        Language::GeminiGenerate => gemini_generate::learn,
        Language::BedrockConverse => bedrock_converse::learn_whole,
        Language::BedrockInvoke => bedrock_invoke::learn_whole,
        Language::OllamaNative => ollama_native::learn,
        Language::OpenAiEmbeddings => openai_embeddings::learn,
        Language::OpenAiCompletions => openai_completions::learn,
        _ => openai_chat::learn,
    };
    read(dialect, data, learned).or_else(|| read(dialect, mended(data)?.as_bytes(), learned))
}

/// JSON whose strings hold what no text may: halves of a surrogate pair, which some providers cut
/// between two deltas, or bytes that are not UTF-8; or numbers that JSON does not have and Python
/// writes. They are replaced in a copy. `None` if that is not what is wrong.
pub(crate) fn mended(data: &[u8]) -> Option<Cow<'_, str>> {
    let is_json = |data: &[u8]| serde_json::from_slice::<IgnoredAny>(data).is_ok();
    let mut text = if is_json(data) {
        String::from_utf8_lossy(data)
    } else {
        let finite = without_infinities(data)?;
        if !is_json(&finite) {
            return None;
        }
        Cow::Owned(String::from_utf8_lossy(&finite).into_owned())
    };
    let mut from = 0;
    while let Some(found) = text.get(from..).and_then(|rest| rest.find('\\')) {
        let at = from + found;
        let surrogate = matches!(
            *text.as_bytes().get(at..at + 4).unwrap_or_default(),
            [
                _,
                b'u',
                b'd' | b'D',
                b'8'..=b'9' | b'a'..=b'f' | b'A'..=b'F',
            ]
        );
        if surrogate && text.is_char_boundary(at + 6) {
            text.to_mut().replace_range(at..at + 6, "\\ufffd");
        }
        // What is escaped is one byte, or begins with one.
        from = at + 2;
    }
    Some(text)
}

/// A copy with `null` for each number that is none or infinite; `None` where there is none of them.
fn without_infinities(data: &[u8]) -> Option<Vec<u8>> {
    const WORDS: [&[u8]; 3] = [b"-Infinity", b"Infinity", b"NaN"];
    let (mut out, mut rest, mut found) = (Vec::with_capacity(data.len()), data, false);
    let (mut quoted, mut escaped) = (false, false);
    while let Some((byte, behind)) = rest.split_first() {
        let word = WORDS.iter().find(|word| rest.starts_with(word));
        if let Some(word) = word.filter(|_| !quoted) {
            out.extend_from_slice(b"null");
            rest = &rest[word.len()..];
            found = true;
            continue;
        }
        quoted ^= *byte == b'"' && !escaped;
        escaped = quoted && *byte == b'\\' && !escaped;
        out.push(*byte);
        rest = behind;
    }
    found.then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_surrogates_and_bad_bytes_do_not_stop_reading() {
        for (data, mended_text) in [
            (&br#"{"a":"\ud83d"}"#[..], Some(r#"{"a":"\ufffd"}"#)),
            (
                br#"{"a":"\\ud83d\uDE00x"}"#,
                Some(r#"{"a":"\\ud83d\ufffdx"}"#),
            ),
            (b"{\"a\":\"\xff\"}", Some("{\"a\":\"\u{fffd}\"}")),
            (br#"{"a":"#, None),
            (b"{not json}", None),
            (
                br#"{"a":[NaN,-Infinity, Infinity],"b":"NaN \" -Infinity\\","c":NaN}"#,
                Some(r#"{"a":[null,null, null],"b":"NaN \" -Infinity\\","c":null}"#),
            ),
            (b"{NaN:1}", None),
        ] {
            assert_eq!(mended(data).as_deref(), mended_text);
        }
        let mut learned = Learned::default();
        let data = br#"{"choices":[{"delta":{"content":"\ud83d"}}]}"#;
        let signal = learn_event(Dialect::OpenAi, Language::OpenAiChat, data, &mut learned);
        assert!(!signal.unwrap().kinds.is_empty());
    }
}
