//! Judges the text of an answer, which is then forgotten: long enough, to the point, well formed.

use serde_json::Value;

use crate::analysis::reports::bench::Quality;
use crate::workload::prompts::Topic;

/// Judges `text`, an answer about `topic`, that is to have `least` tokens: until they are counted,
/// words stand for them.
#[must_use]
pub fn judged(text: &str, topic: &Topic, json: bool, least: u64) -> Quality {
    let words = text.split_whitespace().count() as u64;
    let lower = text.to_lowercase();
    let on_topic = topic.words.iter().any(|word| lower.contains(word.as_str()));
    let well_formed = if json {
        serde_json::from_str::<Value>(text.trim()).is_ok_and(|value| value.is_object())
    } else {
        text.contains(['.', '!', '?', ':', '\n'])
    };
    Quality {
        long_enough: words >= least,
        on_topic: (!topic.words.is_empty()).then_some(on_topic),
        well_formed,
    }
}

/// The same with the tokens that were counted of the answer.
#[must_use]
pub const fn counted(quality: Quality, tokens: Option<u64>, least: u64) -> Quality {
    match tokens {
        Some(tokens) => Quality {
            long_enough: tokens >= least,
            ..quality
        },
        None => quality,
    }
}

/// The text of a streamed or whole chat answer; empty where it has none.
#[must_use]
pub fn text(body: &[u8]) -> String {
    let body = String::from_utf8_lossy(body);
    if body.trim_start().starts_with('{') {
        let whole: Value = serde_json::from_str(&body).unwrap_or_default();
        let content = &whole["choices"][0]["message"]["content"];
        return content.as_str().unwrap_or_default().to_owned();
    }
    let events = body.lines().filter_map(|line| line.strip_prefix("data:"));
    let pieces = events.filter_map(|data| {
        let event: Value = serde_json::from_str(data.trim()).ok()?;
        let content = event.get("choices")?.get(0)?.get("delta")?.get("content")?;
        content.as_str().map(str::to_owned)
    });
    pieces.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_put_together() {
        for (body, expected) in [
            (
                "data: {\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n\
                 data:{\"choices\":[{\"delta\":{\"content\":\"a \"}}]}\r\n\r\n: ping\n\n\
                 data: {\"choices\":[{\"delta\":{\"content\":\"b\"}}]}\n\n\
                 data: {\"choices\":[],\"usage\":{}}\n\ndata: [DONE]\n\n",
                "a b",
            ),
            (r#"{"choices":[{"message":{"content":"whole"}}]}"#, "whole"),
            (r#"{"error":{}}"#, ""),
            ("", ""),
        ] {
            assert_eq!(text(body.as_bytes()), expected);
        }
    }

    #[test]
    fn answers_are_judged() {
        let topic = Topic {
            name: "t".to_owned(),
            text: String::new(),
            words: vec!["quorum".to_owned()],
        };
        let long = "A Quorum of servers agrees. ".repeat(6);
        for (text, json, long_enough, on_topic, well_formed) in [
            (long.as_str(), false, true, true, true),
            ("no", false, false, false, false),
            (r#"{"summary": "quorum"}"#, true, false, true, true),
            ("Here you are: {}", true, false, false, false),
        ] {
            let found = judged(text, &topic, json, 20);
            let expected = Quality {
                long_enough,
                on_topic: Some(on_topic),
                well_formed,
            };
            assert_eq!(found, expected, "{text}");
            assert!(counted(found, Some(20), 20).long_enough);
            assert!(!counted(found, Some(19), 20).long_enough);
        }
    }
}
