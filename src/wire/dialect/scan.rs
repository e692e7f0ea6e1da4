//! Finds where the parts of JSON text end.

/// Offset of the first byte from `at` on that is no plain part of a string.
pub(super) fn special(bytes: &[u8], mut at: usize) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    // A byte of `word ^ pattern` that is zero, and of `word` that is under 0x20, borrows from its
    // highest bit; borrows reach only bytes above the first such one.
    while let Some(eight) = bytes.get(at..).and_then(<[u8]>::first_chunk::<8>) {
        let word = u64::from_le_bytes(*eight);
        let (quote, slash) = (word ^ (ONES * 0x22), word ^ (ONES * 0x5c));
        let found = (quote.wrapping_sub(ONES) & !quote)
            | (slash.wrapping_sub(ONES) & !slash)
            | (word.wrapping_sub(ONES * 0x20) & !word);
        let found = found & (ONES * 0x80);
        if found != 0 {
            return at + (found.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    while let Some(byte) = bytes.get(at) {
        if matches!(byte, b'"' | b'\\' | 0..0x20) {
            break;
        }
        at += 1;
    }
    at
}

/// Length of what follows a backslash.
pub(super) fn escape(rest: &[u8]) -> Option<usize> {
    match rest.first() {
        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Some(1),
        Some(b'u') => {
            let code = rest.get(1..5)?;
            let whole = code.iter().all(u8::is_ascii_hexdigit);
            whole.then_some(5)
        }
        _ => None,
    }
}

pub(super) fn digits(bytes: &[u8], mut at: usize) -> usize {
    while bytes.get(at).is_some_and(u8::is_ascii_digit) {
        at += 1;
    }
    at
}

/// The kinds of the values that are open, as a stack of bits.
#[derive(Default)]
pub(super) struct Nest {
    bits: u64,
    depth: usize,
    below: Vec<u64>,
}

impl Nest {
    pub(super) fn enter(&mut self, object: bool) {
        if self.depth > 0 && self.depth.is_multiple_of(64) {
            self.below.push(self.bits);
        }
        self.bits = self.bits << 1 | u64::from(object);
        self.depth += 1;
    }

    pub(super) fn depth(&self) -> usize {
        self.depth
    }

    pub(super) fn leave(&mut self) {
        self.depth -= 1;
        self.bits >>= 1;
        if self.depth > 0 && self.depth.is_multiple_of(64) {
            self.bits = self.below.pop().unwrap_or_default();
        }
    }

    /// Whether the innermost open value is an object; `None` where none is open.
    pub(super) fn innermost(&self) -> Option<bool> {
        (self.depth > 0).then_some(self.bits & 1 == 1)
    }
}
