//! Reads JSON text in one pass, and passes over what nobody asks for several times faster than a
//! general reader: most of an answer is text that nobody looks at.
//!
//! Takes what RFC 8259 takes and nothing else. Values that are read may nest 128 deep, those that
//! are passed over as deep as they like.

use std::borrow::Cow;

use super::scan::{Nest, digits, escape, special};

/// The text is not JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NotJson;

/// A place in JSON text.
#[derive(Debug)]
pub(crate) struct Json<'de> {
    text: &'de str,
    at: usize,
    /// Levels that may still be entered.
    levels: u8,
    /// Levels at which nothing may be, not even if it is passed over.
    deepest: usize,
}

/// Levels of values that are read.
const LEVELS_MAX: u8 = 128;

/// The inside of a string, as it stands in the text.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Quoted<'de> {
    /// Between the quotes.
    pub(crate) inside: &'de str,
    /// Whether there are escapes in it.
    pub(crate) escaped: bool,
}

impl<'de> Quoted<'de> {
    /// The text that it stands for.
    pub(crate) fn text(self) -> Result<Cow<'de, str>, NotJson> {
        if !self.escaped {
            return Ok(Cow::Borrowed(self.inside));
        }
        let quoted = format!("\"{}\"", self.inside);
        let text = serde_json::from_str(&quoted).map_err(|_| NotJson)?;
        Ok(Cow::Owned(text))
    }
}

/// A value that can be made of any JSON value. Each method has the default as its answer.
pub(crate) trait Lenient<'de>: Default {
    /// From whatever begins here.
    fn read(json: &mut Json<'de>) -> Result<Self, NotJson> {
        json.any()
    }

    /// From a string as it stands in the text.
    fn quoted(quoted: Quoted<'de>) -> Result<Self, NotJson> {
        Ok(match quoted.text()? {
            Cow::Borrowed(text) => Self::borrowed(text),
            Cow::Owned(text) => Self::text(&text),
        })
    }

    /// From a string with escapes.
    fn text(_: &str) -> Self {
        Self::default()
    }

    /// From a string that can be borrowed.
    fn borrowed(text: &'de str) -> Self {
        Self::text(text)
    }

    /// From a number.
    fn number(_: f64) -> Self {
        Self::default()
    }

    /// From a whole number that is not negative.
    fn count(count: u64) -> Self {
        Self::number(count as f64)
    }

    /// From a boolean.
    fn truth(_: bool) -> Self {
        Self::default()
    }

    /// From an array.
    fn seq(seq: &mut Elements<'_, 'de>) -> Result<Self, NotJson> {
        seq.rest()?;
        Ok(Self::default())
    }

    /// From an object.
    fn map(map: &mut Members<'_, 'de>) -> Result<Self, NotJson> {
        map.rest()?;
        Ok(Self::default())
    }
}

/// A JSON value as it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RawJson<'de>(&'de str);

impl<'de> RawJson<'de> {
    /// A value that is known to be JSON.
    pub(crate) const fn new(text: &'de str) -> Self {
        Self(text)
    }

    /// Its text.
    pub(crate) const fn get(self) -> &'de str {
        self.0
    }
}

/// Reads the one value of a whole text. `None` if that is not JSON.
pub(crate) fn read<'de, T: Lenient<'de>>(text: &'de str) -> Option<T> {
    read_within(text, usize::MAX)
}

/// The same of text that nests at most `deepest` levels.
pub(crate) fn read_within<'de, T: Lenient<'de>>(text: &'de str, deepest: usize) -> Option<T> {
    let mut json = Json {
        text,
        at: 0,
        levels: LEVELS_MAX,
        deepest,
    };
    let value = T::read(&mut json).ok()?;
    (json.peek().is_none()).then_some(value)
}

/// The same of bytes, which have to be UTF-8.
pub(crate) fn read_bytes<'de, T: Lenient<'de>>(bytes: &'de [u8]) -> Option<T> {
    read(std::str::from_utf8(bytes).ok()?)
}

impl<'de> Json<'de> {
    /// The value that begins here, of whatever type.
    pub(crate) fn any<T: Lenient<'de>>(&mut self) -> Result<T, NotJson> {
        match self.peek().ok_or(NotJson)? {
            b'"' => T::quoted(self.string()?),
            b'{' => self.inside(|json| T::map(&mut Members { json, first: true })),
            b'[' => self.inside(|json| T::seq(&mut Elements { json, first: true })),
            b't' => self.word("true").map(|()| T::truth(true)),
            b'f' => self.word("false").map(|()| T::truth(false)),
            b'n' => self.word("null").map(|()| T::default()),
            _ => {
                let number = self.number()?;
                number_of(number)
            }
        }
    }

    /// Whether what begins here can only be `null`.
    pub(crate) fn is_null(&mut self) -> bool {
        self.peek() == Some(b'n')
    }

    /// The value that begins here as it stands, unread.
    pub(crate) fn raw(&mut self) -> Result<&'de str, NotJson> {
        self.peek();
        let start = self.at;
        self.skip()?;
        self.text.get(start..self.at).ok_or(NotJson)
    }

    /// Passes over the value that begins here.
    pub(crate) fn skip(&mut self) -> Result<(), NotJson> {
        let mut nest = Nest::default();
        let room = self.deepest.saturating_sub(self.depth());
        loop {
            match self.peek().ok_or(NotJson)? {
                b'{' | b'[' if nest.depth() >= room => return Err(NotJson),
                b'"' => drop(self.string()?),
                b'{' => {
                    self.at += 1;
                    if self.peek() != Some(b'}') {
                        nest.enter(true);
                        self.key()?;
                        continue;
                    }
                    self.at += 1;
                }
                b'[' => {
                    self.at += 1;
                    if self.peek() != Some(b']') {
                        nest.enter(false);
                        continue;
                    }
                    self.at += 1;
                }
                b't' => self.word("true")?,
                b'f' => self.word("false")?,
                b'n' => self.word("null")?,
                _ => drop(self.number()?),
            }
            loop {
                let Some(object) = nest.innermost() else {
                    return Ok(());
                };
                let next = self.peek().ok_or(NotJson)?;
                self.at += 1;
                match (next, object) {
                    (b',', true) => {
                        self.key()?;
                        break;
                    }
                    (b',', false) => break,
                    (b'}', true) | (b']', false) => nest.leave(),
                    _ => return Err(NotJson),
                }
            }
        }
    }

    /// Levels that have been entered.
    fn depth(&self) -> usize {
        usize::from(LEVELS_MAX - self.levels)
    }

    /// The next byte that is no blank, not taken.
    #[inline]
    fn peek(&mut self) -> Option<u8> {
        match self.text.as_bytes().get(self.at) {
            // Nearly always: JSON is sent without blanks.
            Some(byte) if *byte > b' ' => Some(*byte),
            _ => self.peek_after_blanks(),
        }
    }

    fn peek_after_blanks(&mut self) -> Option<u8> {
        let bytes = self.text.as_bytes();
        loop {
            match bytes.get(self.at) {
                Some(b' ' | b'\n' | b'\r' | b'\t') => self.at += 1,
                other => return other.copied(),
            }
        }
    }

    fn inside<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, NotJson>,
    ) -> Result<T, NotJson> {
        self.levels = self.levels.checked_sub(1).ok_or(NotJson)?;
        if self.depth() > self.deepest {
            return Err(NotJson);
        }
        self.at += 1;
        let value = read(self)?;
        self.levels += 1;
        Ok(value)
    }

    fn word(&mut self, word: &str) -> Result<(), NotJson> {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        if !rest.starts_with(word.as_bytes()) {
            return Err(NotJson);
        }
        self.at += word.len();
        Ok(())
    }

    /// A key and its colon.
    fn key(&mut self) -> Result<Quoted<'de>, NotJson> {
        if self.peek() != Some(b'"') {
            return Err(NotJson);
        }
        let key = self.string()?;
        if self.peek() != Some(b':') {
            return Err(NotJson);
        }
        self.at += 1;
        Ok(key)
    }

    /// The string whose opening quote is here.
    fn string(&mut self) -> Result<Quoted<'de>, NotJson> {
        let bytes = self.text.as_bytes();
        let start = self.at + 1;
        let mut at = start;
        let mut escaped = false;
        loop {
            at = special(bytes, at);
            match bytes.get(at) {
                Some(b'"') => {
                    self.at = at + 1;
                    let inside = self.text.get(start..at).ok_or(NotJson)?;
                    return Ok(Quoted { inside, escaped });
                }
                Some(b'\\') => {
                    escaped = true;
                    let rest = bytes.get(at + 1..).unwrap_or_default();
                    at += escape(rest).ok_or(NotJson)? + 1;
                }
                _ => return Err(NotJson),
            }
        }
    }

    /// The number that begins here, as it stands.
    fn number(&mut self) -> Result<&'de str, NotJson> {
        let bytes = self.text.as_bytes();
        let start = self.at;
        let mut at = start + usize::from(bytes.get(start) == Some(&b'-'));
        at = match bytes.get(at) {
            Some(b'0') => at + 1,
            Some(b'1'..=b'9') => digits(bytes, at),
            _ => return Err(NotJson),
        };
        if bytes.get(at) == Some(&b'.') {
            let end = digits(bytes, at + 1);
            if end == at + 1 {
                return Err(NotJson);
            }
            at = end;
        }
        if matches!(bytes.get(at), Some(b'e' | b'E')) {
            let from = at + 1 + usize::from(matches!(bytes.get(at + 1), Some(b'+' | b'-')));
            let end = digits(bytes, from);
            if end == from {
                return Err(NotJson);
            }
            at = end;
        }
        self.at = at;
        self.text.get(start..at).ok_or(NotJson)
    }
}

fn number_of<'de, T: Lenient<'de>>(number: &str) -> Result<T, NotJson> {
    if let Ok(count) = number.parse() {
        return Ok(T::count(count));
    }
    let float: f64 = number.parse().map_err(|_| NotJson)?;
    if float.is_finite() {
        Ok(T::number(float))
    } else {
        Err(NotJson)
    }
}

/// The members of an object: to be asked for keys until there are none.
#[derive(Debug)]
pub(crate) struct Members<'j, 'de> {
    json: &'j mut Json<'de>,
    first: bool,
}

impl<'de> Members<'_, 'de> {
    /// The next key; its value must be taken, or skipped.
    pub(crate) fn key(&mut self) -> Result<Option<Cow<'de, str>>, NotJson> {
        if !more(self.json, &mut self.first, b'}')? {
            return Ok(None);
        }
        self.json.key()?.text().map(Some)
    }

    /// The value of the key just read.
    pub(crate) fn value<T: Lenient<'de>>(&mut self) -> Result<T, NotJson> {
        T::read(self.json)
    }

    /// The value of the key just read as it stands, `null` too.
    pub(crate) fn raw(&mut self) -> Result<RawJson<'de>, NotJson> {
        self.json.raw().map(RawJson::new)
    }

    /// Passes over the value of the key just read.
    pub(crate) fn skip(&mut self) -> Result<(), NotJson> {
        self.json.skip()
    }

    /// Passes over all members that are left.
    pub(crate) fn rest(&mut self) -> Result<(), NotJson> {
        while more(self.json, &mut self.first, b'}')? {
            self.json.key()?;
            self.json.skip()?;
        }
        Ok(())
    }
}

/// The elements of an array: to be asked for until there are none.
#[derive(Debug)]
pub(crate) struct Elements<'j, 'de> {
    json: &'j mut Json<'de>,
    first: bool,
}

impl<'de> Elements<'_, 'de> {
    /// The next element.
    pub(crate) fn next<T: Lenient<'de>>(&mut self) -> Result<Option<T>, NotJson> {
        if !more(self.json, &mut self.first, b']')? {
            return Ok(None);
        }
        T::read(self.json).map(Some)
    }

    /// Passes over all elements that are left.
    pub(crate) fn rest(&mut self) -> Result<(), NotJson> {
        while more(self.json, &mut self.first, b']')? {
            self.json.skip()?;
        }
        Ok(())
    }
}

/// Whether another item comes before `end`; takes the comma, or the end.
fn more(json: &mut Json<'_>, first: &mut bool, end: u8) -> Result<bool, NotJson> {
    let next = json.peek().ok_or(NotJson)?;
    let first = std::mem::replace(first, false);
    if next == end {
        json.at += 1;
        return Ok(false);
    }
    if !first {
        if next != b',' {
            return Err(NotJson);
        }
        json.at += 1;
        if json.peek() == Some(end) {
            return Err(NotJson);
        }
    }
    Ok(true)
}

#[cfg(test)]
#[path = "json_tests.rs"]
mod tests;
