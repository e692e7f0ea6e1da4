//! Names exchanges and traces: UUIDv7 and W3C trace ids, made from time and randomness given.

use std::fmt;
use std::str::FromStr;

use super::units::WallTime;

/// The id of one exchange: a `UUIDv7` (RFC 9562, 5.7), so that ids sort by time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct ExchangeId(pub [u8; 16]);

impl ExchangeId {
    /// Makes an id from the date of the first byte and 74 random bits.
    ///
    /// The 12 bits of `rand_a` carry the microseconds within the millisecond, as RFC 9562 6.2
    /// (method 3) allows, so ids made within one millisecond still sort by time.
    #[must_use]
    pub fn new(at: WallTime, random: u64) -> Self {
        let micros = at.0.max(0) as u64;
        let millis = micros / 1000;
        let fraction = (micros % 1000) * 4096 / 1000;
        let mut bytes = [0; 16];
        bytes[..6].copy_from_slice(&millis.to_be_bytes()[2..]);
        bytes[6] = 0x70 | (fraction >> 8) as u8;
        bytes[7] = fraction as u8;
        bytes[8..].copy_from_slice(&random.to_be_bytes());
        bytes[8] = 0x80 | (bytes[8] & 0x3f);
        Self(bytes)
    }

    /// The smallest id that an exchange begun at or after `at` can have.
    #[must_use]
    pub fn lower_bound(at: WallTime) -> Self {
        let mut id = Self::new(at, 0);
        id.0[8..].fill(0);
        id
    }
}

impl ExchangeId {
    /// The id as text, without an allocation: it stands on every answer.
    #[must_use]
    pub fn text(self) -> IdText {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut text = [b'-'; 36];
        let mut at = 0;
        for (index, byte) in self.0.into_iter().enumerate() {
            if matches!(index, 4 | 6 | 8 | 10) {
                at += 1;
            }
            text[at] = DIGITS[usize::from(byte >> 4)];
            text[at + 1] = DIGITS[usize::from(byte & 15)];
            at += 2;
        }
        IdText(text)
    }
}

/// An exchange id as its 36 characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IdText([u8; 36]);

impl IdText {
    /// The characters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // Hexadecimal digits and hyphens only: never empty.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Display for ExchangeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.text().as_str())
    }
}

impl fmt::Debug for ExchangeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A text that is no exchange id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotAnId;

impl fmt::Display for NotAnId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not an exchange id: expected 32 hexadecimal digits, hyphens allowed")
    }
}

impl std::error::Error for NotAnId {}

impl FromStr for ExchangeId {
    type Err = NotAnId;
    fn from_str(text: &str) -> Result<Self, NotAnId> {
        parse_hex16(text).map(Self).ok_or(NotAnId)
    }
}

/// A W3C trace id (`traceparent`, second field): 16 bytes, not all zero.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceId(pub [u8; 16]);

impl TraceId {
    /// Reads the trace id out of a `traceparent` header (W3C Trace Context, 3.2.2).
    #[must_use]
    pub fn from_traceparent(header: &str) -> Option<Self> {
        let mut fields = header.trim().split('-');
        let version = fields.next()?;
        let id = fields.next()?;
        if version.len() != 2 || version == "ff" || id.len() != 32 {
            return None;
        }
        parse_hex16(id)
            .filter(|bytes| bytes.iter().any(|byte| *byte != 0))
            .map(Self)
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A hash keyed with a secret of this installation: equal inputs are seen to be equal, and
/// nothing else about them can be learned by who holds only the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyedHash(pub u64);

impl fmt::Display for KeyedHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

fn parse_hex16(text: &str) -> Option<[u8; 16]> {
    let mut bytes = [0; 16];
    let mut digits = text.chars().filter(|c| *c != '-');
    for byte in &mut bytes {
        let high = digits.next()?.to_digit(16)?;
        let low = digits.next()?.to_digit(16)?;
        *byte = (high << 4 | low) as u8;
    }
    digits.next().is_none().then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_sort_by_time_and_read_back() {
        let early = ExchangeId::new(WallTime(1_795_307_749_123_001), u64::MAX);
        let late = ExchangeId::new(WallTime(1_795_307_749_123_900), 0);
        assert!(early < late);
        assert_eq!(early.to_string().parse(), Ok(early));
        assert_eq!(&early.to_string()[14..15], "7");
        assert!(ExchangeId::lower_bound(WallTime(1_795_307_749_123_001)) <= early);
        assert_eq!("12".parse::<ExchangeId>(), Err(NotAnId));
    }

    #[test]
    fn traceparent_is_read_or_refused() {
        let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let read = TraceId::from_traceparent(good).map(|id| id.to_string());
        assert_eq!(read.as_deref(), Some("4bf92f3577b34da6a3ce929d0e0e4736"));
        for bad in [
            "",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf9-1-1",
        ] {
            assert_eq!(TraceId::from_traceparent(bad), None, "{bad}");
        }
    }
}
