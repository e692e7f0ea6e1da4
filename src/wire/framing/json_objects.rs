//! Cuts a text of JSON objects, in one array or one after another, into these objects as they come.
//!
//! Gemini sends its stream as an array in pieces unless it is asked for events; Ollama sends one
//! object a line. An object is there with its closing brace, whatever may follow.

use std::ops::ControlFlow;

use memchr::{memchr2, memchr3};

/// Why nothing more can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Something stands where only an object may begin.
    NoObject,
}

/// The state between two chunks: of an unfinished object only, and at most its size limit of it.
#[derive(Debug)]
pub struct Splitter {
    held: Vec<u8>,
    object_bytes_max: usize,
    /// The unfinished object is larger than allowed: the rest of it passes unread.
    too_large: bool,
    depth: u32,
    in_string: bool,
    escaped: bool,
    /// Whether the text is an array, and whether that has been closed.
    array: bool,
    closed: bool,
    fault: Option<Fault>,
}

impl Splitter {
    /// A splitter at the beginning of a text, of objects of at most `object_bytes_max` bytes.
    #[must_use]
    pub fn new(object_bytes_max: usize) -> Self {
        Self {
            held: Vec::new(),
            object_bytes_max,
            too_large: false,
            depth: 0,
            in_string: false,
            escaped: false,
            array: false,
            closed: false,
            fault: None,
        }
    }

    /// Takes one chunk and gives each object that it completes to `sink`, until that breaks;
    /// returns how many bytes were taken. Of an object that is larger than is kept `sink` gets
    /// nothing but an empty slice. Objects before a fault are given; after it nothing is.
    ///
    /// # Errors
    ///
    /// The first [`Fault`] of the text, then and ever after.
    pub fn feed(
        &mut self,
        chunk: &[u8],
        mut sink: impl FnMut(&[u8]) -> ControlFlow<()>,
    ) -> Result<usize, Fault> {
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        let fed = self.split(chunk, &mut sink);
        if let Err(fault) = fed {
            self.fault = Some(fault);
            self.held = Vec::new();
        }
        fed
    }

    /// Whether the text is an array.
    #[must_use]
    pub fn is_array(&self) -> bool {
        self.array
    }

    /// Whether the next object of an array may follow here.
    #[must_use]
    pub fn is_open_array(&self) -> bool {
        self.array && !self.closed && self.depth == 0 && self.fault.is_none()
    }

    /// Whether the text may end here: nothing is held of an unfinished object, and an array is
    /// closed.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.depth == 0 && (self.closed || !self.array)
    }

    fn split(
        &mut self,
        chunk: &[u8],
        sink: &mut impl FnMut(&[u8]) -> ControlFlow<()>,
    ) -> Result<usize, Fault> {
        let mut at = 0;
        while let Some(rest) = chunk.get(at..).filter(|rest| !rest.is_empty()) {
            if self.depth == 0 {
                at += self.between(rest)?;
                if self.depth == 0 {
                    return Ok(at);
                }
                // The brace is a part of the object.
                at -= 1;
            }
            let rest = chunk.get(at..).unwrap_or_default();
            let first = usize::from(self.held.is_empty() && !self.too_large);
            let end = self.object_end(rest, first);
            let piece = rest.get(..end.unwrap_or(rest.len())).unwrap_or_default();
            if self.held.len() + piece.len() > self.object_bytes_max {
                self.too_large = true;
                self.held = Vec::new();
            }
            at += piece.len();
            if end.is_none() {
                let kept = if self.too_large { &[][..] } else { piece };
                self.held.extend_from_slice(kept);
                return Ok(at);
            }
            let flow = if std::mem::take(&mut self.too_large) {
                sink(&[])
            } else if self.held.is_empty() {
                sink(piece)
            } else {
                self.held.extend_from_slice(piece);
                let flow = sink(&self.held);
                if self.held.capacity() > KEPT_BYTES_MAX {
                    self.held = Vec::new();
                }
                self.held.clear();
                flow
            };
            if flow.is_break() {
                return Ok(at);
            }
        }
        Ok(at)
    }

    /// Passes over what stands between two objects; returns its length, with the brace that opens
    /// the next one where there is one.
    fn between(&mut self, rest: &[u8]) -> Result<usize, Fault> {
        for (at, byte) in rest.iter().enumerate() {
            match byte {
                b'{' if !self.closed => {
                    self.depth = 1;
                    return Ok(at + 1);
                }
                b'[' if !self.array => self.array = true,
                b']' if self.array && !self.closed => self.closed = true,
                b',' if self.array && !self.closed => {}
                b' ' | b'\t' | b'\r' | b'\n' => {}
                _ => return Err(Fault::NoObject),
            }
        }
        Ok(rest.len())
    }

    /// Offset behind the brace that closes the open object, looked for from `at` on.
    fn object_end(&mut self, rest: &[u8], mut at: usize) -> Option<usize> {
        loop {
            let open = rest.get(at..).filter(|open| !open.is_empty())?;
            if self.escaped {
                self.escaped = false;
                at += 1;
            } else if self.in_string {
                at += memchr2(b'"', b'\\', open)? + 1;
                self.escaped = rest.get(at - 1) == Some(&b'\\');
                self.in_string = self.escaped;
            } else {
                at += memchr3(b'"', b'{', b'}', open)? + 1;
                match rest.get(at - 1) {
                    Some(b'"') => self.in_string = true,
                    Some(b'{') => self.depth = self.depth.saturating_add(1),
                    _ => self.depth -= 1,
                }
                if self.depth == 0 {
                    return Some(at);
                }
            }
        }
    }
}

/// Buffers larger than this go back to the allocator after use.
const KEPT_BYTES_MAX: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    /// The objects of `chunks`, each before a bar; then the fault, or whether the text is whole.
    fn split(chunks: &[&[u8]], max: usize) -> (String, Result<bool, Fault>) {
        let mut splitter = Splitter::new(max);
        let mut out = String::new();
        let mut fault = None;
        for chunk in chunks {
            let fed = splitter.feed(chunk, |object| {
                out.push_str(if object.is_empty() { "?" } else { "" });
                out.push_str(&String::from_utf8_lossy(object));
                out.push('|');
                ControlFlow::Continue(())
            });
            match fed {
                Ok(taken) => assert_eq!(taken, chunk.len()),
                Err(found) => fault = Some(found),
            }
        }
        (out, fault.map_or(Ok(splitter.is_whole()), Err))
    }

    #[test]
    fn objects_are_the_same_however_the_bytes_come() {
        for (text, objects, end) in [
            ("", "", Ok(true)),
            ("{}", "{}|", Ok(true)),
            (
                "{\"a\":1}\n{\"b\":{\"c\":2}}\n",
                "{\"a\":1}|{\"b\":{\"c\":2}}|",
                Ok(true),
            ),
            (
                "[{\"a\":[1,{}]}\n,\r\n{\"b\":2}\n]\n",
                "{\"a\":[1,{}]}|{\"b\":2}|",
                Ok(true),
            ),
            ("[{\"a\":1},{\"b\"", "{\"a\":1}|", Ok(false)),
            ("[{\"a\":1}", "{\"a\":1}|", Ok(false)),
            (" [ ] ", "", Ok(true)),
            (
                r#"{"a":"}{\"\\"}{"b":"\\\""}"#,
                r#"{"a":"}{\"\\"}|{"b":"\\\""}|"#,
                Ok(true),
            ),
            ("{\"é\":\"→}\"}", "{\"é\":\"→}\"}|", Ok(true)),
            ("{} x {}", "{}|", Err(Fault::NoObject)),
            ("[{}] {}", "{}|", Err(Fault::NoObject)),
            ("[{}]]", "{}|", Err(Fault::NoObject)),
            ("{},{}", "{}|", Err(Fault::NoObject)),
            ("[[{}]]", "", Err(Fault::NoObject)),
            (
                "{\"a\":1} {\"0123456789\":{\"a\":\"0123456789012}5\"}} {\"b\":2}",
                "{\"a\":1}|?|{\"b\":2}|",
                Ok(true),
            ),
            (
                "[{\"a\":1},{\"0123456789\":\"012345678901}5\"",
                "{\"a\":1}|",
                Ok(false),
            ),
        ] {
            let bytes = text.as_bytes();
            let whole = split(&[bytes], 30);
            assert_eq!((whole.0.as_str(), whole.1), (objects, end), "{text}");
            let single: Vec<&[u8]> = bytes.chunks(1).collect();
            assert_eq!(split(&single, 30), whole, "byte by byte: {text}");
            for at in 0..bytes.len() {
                let (head, tail) = bytes.split_at(at);
                assert_eq!(split(&[head, b"", tail], 30), whole, "cut at {at}: {text}");
            }
        }
    }

    #[test]
    fn a_break_leaves_the_rest() {
        let mut splitter = Splitter::new(100);
        let fed = splitter.feed(b"{}\n{}\n", |_| ControlFlow::Break(()));
        assert_eq!(fed, Ok(2));
    }
}
