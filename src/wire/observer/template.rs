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
    free: Vec<Range<usize>>,
    signal: Signal,
}

impl Template {
    /// What `data` says, if it is the last event with other text.
    pub(super) fn recognise(&mut self, data: &[u8]) -> Option<Signal> {
        let last = self.last.as_ref()?;
        if matches(last, data) {
            self.misses = 0;
            return Some(last.signal);
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

fn matches(last: &Last, data: &[u8]) -> bool {
    let (mut in_last, mut in_data) = (0, 0);
    for free in &last.free {
        let fixed = &last.data[in_last..free.start];
        let Some(rest) = data
            .get(in_data..)
            .and_then(|rest| rest.strip_prefix(fixed))
        else {
            return false;
        };
        let Some(length) = string_length(rest).filter(|length| *length > 0) else {
            return false;
        };
        in_data = data.len() - rest.len() + length;
        in_last = free.end;
    }
    data.get(in_data..) == Some(&last.data[in_last..])
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
fn free_strings(data: &[u8]) -> Vec<Range<usize>> {
    let mut free = Vec::new();
    let mut at = 0;
    while let Some(quote) = memchr::memchr(b'"', &data[at..]) {
        let start = at + quote + 1;
        let Some(length) = string_length(&data[start..]) else {
            return Vec::new();
        };
        at = start + length + 1;
        let key = &data[start..start + length];
        let is_value = data.get(at) == Some(&b':') && data.get(at + 1) == Some(&b'"');
        if !is_value || !FREE_KEYS.contains(&key) {
            continue;
        }
        let inside = at + 2;
        let Some(length) = string_length(&data[inside..]) else {
            return Vec::new();
        };
        if length > 0 {
            free.push(inside..inside + length);
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
