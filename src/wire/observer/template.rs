//! Recognises an event that says what the one before said, but for the text in it.
//!
//! Nearly every event of a stream differs from the last in one string alone: the token's text.
//! Comparing it with the last is several times cheaper than reading it, and as sure: the same
//! bytes outside of strings whose text means nothing are the same JSON with the same meaning.

use std::ops::Range;

use crate::wire::dialect::learned::Signal;

/// Keys whose string values may differ: token text, when it was made, and padding.
const FREE_KEYS: [&[u8]; 15] = [
    b"content",
    b"text",
    b"delta",
    b"thinking",
    b"reasoning",
    b"reasoning_content",
    b"refusal",
    b"arguments",
    b"partial_json",
    b"transcript",
    b"input",
    b"response",
    b"created_at",
    b"obfuscation",
    b"p",
];
/// Those of them whose text was not generated.
const BESIDE_KEYS: [&[u8]; 3] = [b"created_at", b"obfuscation", b"p"];
/// Keys of objects and lists whose text the model did not generate: what it was found in.
const QUOTING_KEYS: [&[u8]; 6] = [
    b"annotations",
    b"url_citation",
    b"citations",
    b"search_results",
    b"groundingMetadata",
    b"logprobs",
];
/// The same where a piece of the answer stands beside it: all that was told so far (Perplexity).
const REPEATING_KEY: &[u8] = b"message";
/// Strings that may differ in one event; more are none of this kind.
const FREE_MAX: usize = 4;
/// Longest event that is kept to compare with.
const BYTES_MAX: usize = 4 * 1024;
/// Events in a row that may fail to match before comparing is given up.
const MISSES_MAX: u8 = 8;

/// The last event that brought tokens and nothing else, if there is one worth comparing with.
#[derive(Debug, Default)]
pub(super) struct Template {
    last: Option<Box<Last>>,
    misses: u8,
}

#[derive(Debug)]
struct Last {
    data: Box<[u8]>,
    /// The insides of the strings that may differ, in order.
    free: Vec<Free>,
    signal: Signal,
}

/// A string that may differ.
#[derive(Debug)]
struct Free {
    /// Where its inside is.
    inside: Range<usize>,
    /// Whether it holds generated text.
    text: bool,
}

impl Template {
    /// What `data` says, if it is the last event with other text, and of how many bytes that is.
    pub(super) fn recognise(&mut self, data: &[u8]) -> Option<(Signal, u64)> {
        let last = self.last.as_ref()?;
        if let Some(text) = matches(last, data) {
            self.misses = 0;
            return Some((last.signal, text));
        }
        self.misses += 1;
        if self.misses >= MISSES_MAX {
            self.last = None;
        }
        None
    }

    /// Keeps an event that was read and brought nothing but tokens.
    pub(super) fn keep(&mut self, data: &[u8], signal: Signal) {
        if self.misses >= MISSES_MAX || data.len() > BYTES_MAX {
            return;
        }
        let free = free_strings(data);
        if free.is_empty() || free.len() > FREE_MAX {
            self.misses += 1;
            return;
        }
        self.last = Some(Box::new(Last {
            data: data.into(),
            free,
            signal,
        }));
    }
}

/// Bytes of the text in `data`, if nothing else differs from the last.
fn matches(last: &Last, data: &[u8]) -> Option<u64> {
    let (mut in_last, mut in_data) = (0, 0);
    let mut text = Text::default();
    for Free {
        inside,
        text: is_text,
    } in &last.free
    {
        let fixed = &last.data[in_last..inside.start];
        let rest = data.get(in_data..)?.strip_prefix(fixed)?;
        let length = string_length(rest).filter(|length| *length > 0)?;
        if *is_text {
            text.add(&rest[..length]);
        }
        in_data = data.len() - rest.len() + length;
        in_last = inside.end;
    }
    (data.get(in_data..)? == &last.data[in_last..]).then_some(text.bytes)
}

/// Counts bytes of generated text. What is told under two names, one after the other, counts once.
#[derive(Default)]
struct Text<'a> {
    bytes: u64,
    last: &'a [u8],
}

impl<'a> Text<'a> {
    fn add(&mut self, inside: &'a [u8]) {
        if self.last != inside {
            self.bytes += inside.len() as u64;
            self.last = inside;
        }
    }
}

/// Bytes of the generated text in an event known to be JSON, as they stand in it; zero where there is
/// none in a string of its own.
pub(super) fn text_bytes(data: &[u8]) -> u64 {
    let mut text = Text::default();
    let mut at = 0;
    while let Some(quote) = memchr::memchr(b'"', &data[at..]) {
        let start = at + quote + 1;
        let Some(length) = inside_length(&data[start..]) else {
            break;
        };
        at = start + length + 1;
        let key = &data[start..start + length];
        let blanks = data[at..]
            .iter()
            .take_while(|byte| matches!(byte, b':' | b' '));
        let value = at + blanks.count();
        if value > at && is_quoting(key, data) {
            at = value + nested_length(&data[value..]);
            continue;
        }
        if value == at || data.get(value) != Some(&b'"') {
            continue;
        }
        let Some(length) = inside_length(&data[value + 1..]) else {
            break;
        };
        if FREE_KEYS.contains(&key) && !BESIDE_KEYS.contains(&key) {
            text.add(&data[value + 1..value + 1 + length]);
        }
        at = value + length + 2;
    }
    text.bytes
}

/// Whether what stands under `key` in the event `data` repeats or quotes what others said.
fn is_quoting(key: &[u8], data: &[u8]) -> bool {
    QUOTING_KEYS.contains(&key)
        || key == REPEATING_KEY && memchr::memmem::find(data, b"\"delta\"").is_some()
}

/// The length of the object or list that `bytes` begin with; zero where they begin with neither, all
/// where it has no end.
fn nested_length(bytes: &[u8]) -> usize {
    if !matches!(bytes.first(), Some(b'{' | b'[')) {
        return 0;
    }
    let (mut depth, mut at) = (0_usize, 0);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth -= 1,
            b'"' => match inside_length(&bytes[at + 1..]) {
                Some(length) => at += length + 1,
                None => return bytes.len(),
            },
            _ => {}
        }
        at += 1;
        if depth == 0 {
            return at;
        }
    }
    bytes.len()
}

/// The length of a string's inside, whatever escapes it has.
fn inside_length(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        at += memchr::memchr2(b'"', b'\\', bytes.get(at..)?)?;
        if bytes[at] == b'"' {
            return Some(at);
        }
        at += 2;
    }
}

/// The length of a string's inside, up to its closing quote. `None` where that takes a real
/// reader: escapes by number, control characters, no end.
fn string_length(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        match *bytes.get(at)? {
            b'"' => return Some(at),
            b'\\' => match bytes.get(at + 1)? {
                b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => at += 2,
                _ => return None,
            },
            0..0x20 => return None,
            _ => at += 1,
        }
    }
}

/// The insides of the non-empty string values of free keys, in an event known to be JSON.
fn free_strings(data: &[u8]) -> Vec<Free> {
    let mut free = Vec::new();
    let mut at = 0;
    // Where what quotes others ends.
    let mut quoted = 0;
    while let Some(quote) = memchr::memchr(b'"', &data[at..]) {
        let start = at + quote + 1;
        let Some(length) = string_length(&data[start..]) else {
            return Vec::new();
        };
        at = start + length + 1;
        let key = &data[start..start + length];
        if data.get(at) == Some(&b':') && is_quoting(key, data) {
            quoted = quoted.max(at + 1 + nested_length(&data[at + 1..]));
        }
        let is_value = data.get(at) == Some(&b':') && data.get(at + 1) == Some(&b'"');
        if !is_value || !FREE_KEYS.contains(&key) {
            continue;
        }
        let inside = at + 2;
        let Some(length) = string_length(&data[inside..]) else {
            return Vec::new();
        };
        if length > 0 {
            free.push(Free {
                inside: inside..inside + length,
                text: !BESIDE_KEYS.contains(&key) && inside >= quoted,
            });
        }
        at = inside + length + 1;
    }
    free
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_text_may_differ() {
        let read =
            br#"{"id":"a","choices":[{"delta":{"content":" first"},"finish":null}],"p":"xx"}"#;
        let mut template = Template::default();
        template.keep(read, Signal::default());
        for (data, same) in [
            (&br#"{"id":"a","choices":[{"delta":{"content":" other"},"finish":null}],"p":"x"}"#[..], true),
            (br#"{"id":"a","choices":[{"delta":{"content":"a \"b\"\n"},"finish":null}],"p":"x"}"#, true),
            (br#"{"id":"a","choices":[{"delta":{"content":""},"finish":null}],"p":"x"}"#, false),
            (br#"{"id":"b","choices":[{"delta":{"content":"x"},"finish":null}],"p":"x"}"#, false),
            (br#"{"id":"a","choices":[{"delta":{"content":"x"},"finish":"stop"}],"p":"x"}"#, false),
            (br#"{"id":"a","choices":[{"delta":{"content":"x"},"finish":null}],"p":"x"} "#, false),
            (br#"{"id":"a","choices":[{"delta":{"content":"x"},"finish":null}],"p":"x"#, false),
            (b"{\"id\":\"a\",\"choices\":[{\"delta\":{\"content\":\"x\ny\"},\"finish\":null}],\"p\":\"x\"}", false),
            (br#"{"id":"a","choices":[{"delta":{"content":"\u00e9"},"finish":null}],"p":"x"}"#, false),
        ] {
            assert_eq!(template.recognise(data).is_some(), same, "{}", String::from_utf8_lossy(data));
        }
    }

    #[test]
    fn text_has_the_same_bytes_compared_and_read() {
        for (first, data, bytes) in [
            (
                r#"{"delta":{"content":"one"},"p":"xx"}"#,
                r#"{"delta":{"content":"a\nbc"},"p":"xxxxxx"}"#,
                5,
            ),
            // Under two names, one text.
            (
                r#"{"reasoning":"x","details":[{"text":"x"}]}"#,
                r#"{"reasoning":"why","details":[{"text":"why"}]}"#,
                3,
            ),
            // All so far beside the piece, and what it was found in.
            (
                r#"{"choices":[{"message":{"content":"so far]"},"delta":{"content":"x"}}]}"#,
                r#"{"choices":[{"message":{"content":"so far}, x"},"delta":{"content":"yz"}}]}"#,
                2,
            ),
            (
                r#"{"delta":{"content":"x","annotations":[{"url_citation":{"content":"a long page"}}]}}"#,
                r#"{"delta":{"content":"yz","annotations":[{"url_citation":{"content":"another"}}]}}"#,
                2,
            ),
            (
                r#"{"model":"m","message":{"content":"x"}}"#,
                r#"{"model":"m","message":{"content":"yz"}}"#,
                2,
            ),
            (
                r#"{"parts":[{"text":"x"},{"text":"y"}]}"#,
                r#"{"parts":[{"text":"one"},{"text":"two"}]}"#,
                6,
            ),
        ] {
            let mut template = Template::default();
            template.keep(first.as_bytes(), Signal::default());
            let compared = template.recognise(data.as_bytes());
            assert_eq!(compared.map(|(_, text)| text), Some(bytes), "{data}");
            assert_eq!(text_bytes(data.as_bytes()), bytes, "{data}");
        }
        for (data, bytes) in [
            (
                r#"{"id": "text", "content": "\u00e9\"", "created_at":"2026"}"#,
                8,
            ),
            (r#"{"functionCall":{"name":"f","args":{"n":1}}}"#, 0),
            (r#"{"text":"broken"#, 0),
            (r#"{"citations":[{"content":"broken"#, 0),
            (r#"{"citations": {"content":"a"}, "text": "ab"}"#, 2),
            ("\"text\":", 0),
        ] {
            assert_eq!(text_bytes(data.as_bytes()), bytes, "{data}");
        }
    }

    #[test]
    fn comparing_is_given_up_where_it_never_matches() {
        let mut template = Template::default();
        for number in 0..20 {
            let data = format!(r#"{{"n":{number},"text":"x"}}"#);
            assert!(template.recognise(data.as_bytes()).is_none());
            template.keep(data.as_bytes(), Signal::default());
        }
        assert!(template.last.is_none());
    }
}
