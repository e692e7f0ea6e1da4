//! Orders rows: keys whose bytes sort as their meaning does.

use std::ops::Range;

use crate::record::{ExchangeId, Origin, WallTime};

use super::names::NameId;

/// The key of an exchange's rows: its id, whose first bytes are its start.
pub(super) type ExchangeKey = [u8; 16];

/// The key of a roll-up's row.
pub(super) type RollupBytes = [u8; 16];

/// A span of time that roll-ups are made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Grain {
    /// A minute.
    Minute,
    /// An hour.
    Hour,
}

impl Grain {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Minute, Self::Hour];

    /// Its length.
    #[must_use]
    pub const fn seconds(self) -> i64 {
        match self {
            Self::Minute => 60,
            Self::Hour => 3600,
        }
    }

    /// The number of the span that `at` lies in. Dates before 1970 lie in the first.
    pub(super) fn place(self, at: WallTime) -> u32 {
        u32::try_from(at.as_secs().max(0) / self.seconds()).unwrap_or(u32::MAX)
    }
}

/// What a roll-up is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RollupKey {
    /// The version of the definitions that its numbers follow.
    pub definitions: u16,
    /// The number of its minute or hour since 1970.
    pub place: u32,
    /// The provider; none for exchanges that no provider saw.
    pub provider: NameId,
    /// The model's name there.
    pub model: NameId,
    /// Where the exchanges come from.
    pub origin: Origin,
    /// Whether streams were asked for.
    pub stream: bool,
}

impl RollupKey {
    /// When its minute or hour began.
    #[must_use]
    pub fn from(&self, grain: Grain) -> WallTime {
        WallTime::default().plus_secs(i64::from(self.place) * grain.seconds())
    }

    pub(super) fn encode(&self) -> RollupBytes {
        let mut bytes = [0; 16];
        bytes[..2].copy_from_slice(&self.definitions.to_be_bytes());
        bytes[2..6].copy_from_slice(&self.place.to_be_bytes());
        bytes[6..10].copy_from_slice(&self.provider.0.to_be_bytes());
        bytes[10..14].copy_from_slice(&self.model.0.to_be_bytes());
        // Its place in the list of all, which is append-only.
        bytes[14] = self.origin as u8;
        bytes[15] = u8::from(self.stream);
        bytes
    }

    pub(super) fn decode(bytes: &RollupBytes) -> Option<Self> {
        let number = |at: usize| {
            u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
        };
        Some(Self {
            definitions: u16::from_be_bytes([bytes[0], bytes[1]]),
            place: number(2),
            provider: NameId(number(6)),
            model: NameId(number(10)),
            origin: *Origin::ALL.get(usize::from(bytes[14]))?,
            stream: bytes[15] == 1,
        })
    }
}

/// The date that an id carries, which is its exchange's start: rows and roll-ups go by it, so that
/// both are in one order.
pub(super) fn date(id: ExchangeId) -> WallTime {
    let mut millis = [0; 8];
    millis[2..].copy_from_slice(&id.0[..6]);
    let fraction = u32::from(id.0[6] & 0x0f) << 8 | u32::from(id.0[7]);
    let micros = (fraction * 1000).div_ceil(4096);
    WallTime((i64::from_be_bytes(millis) * 1000).saturating_add(i64::from(micros)))
}

/// The exchanges begun within `range`.
pub(super) fn exchanges(range: &Range<WallTime>) -> Range<ExchangeKey> {
    ExchangeId::lower_bound(range.start).0..ExchangeId::lower_bound(range.end).0
}

/// The roll-ups of one version of definitions that begin within `range`.
pub(super) fn rollups(
    definitions: u16,
    grain: Grain,
    range: &Range<WallTime>,
) -> Range<RollupBytes> {
    // The end is rounded up: a span that has begun belongs to the range.
    let seconds = range.end.0.div_euclid(1_000_000) + i64::from(range.end.0 % 1_000_000 > 0);
    let end = seconds.max(0) as u64;
    let end = end.div_ceil(grain.seconds().unsigned_abs());
    let end = u32::try_from(end).unwrap_or(u32::MAX);
    place(definitions, grain.place(range.start)).start..place(definitions, end).start
}

/// The roll-ups of one version of definitions and one minute or hour.
pub(super) fn place(definitions: u16, place: u32) -> Range<RollupBytes> {
    let bound = |both: u64| {
        let mut bytes = [0; 16];
        bytes[..6].copy_from_slice(&both.to_be_bytes()[2..]);
        bytes
    };
    // As one number, so that what follows the last place is the next version.
    let both = u64::from(definitions) << 32 | u64::from(place);
    bound(both)..bound(both + 1)
}

/// The key after `key`, for reading on where a page ended; absent after the last there can be.
pub(super) fn after<const N: usize>(mut key: [u8; N]) -> Option<[u8; N]> {
    for byte in key.iter_mut().rev() {
        let (next, full) = byte.overflowing_add(1);
        *byte = next;
        if !full {
            return Some(key);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_sort_by_version_then_time() {
        let key = |definitions, place, provider| RollupKey {
            definitions,
            place,
            provider: NameId(provider),
            model: NameId(70_000),
            origin: Origin::Bench,
            stream: true,
        };
        let keys = [key(1, 5, 300), key(1, 6, 2), key(1, 256, 1), key(2, 0, 0)];
        for pair in keys.windows(2) {
            assert!(pair[0].encode() < pair[1].encode());
        }
        for key in keys {
            assert_eq!(RollupKey::decode(&key.encode()), Some(key));
        }
    }

    #[test]
    fn an_id_carries_its_microsecond() {
        for micros in (0..2_000).chain([1_795_307_749_123_456, i64::from(u32::MAX) * 999]) {
            let id = ExchangeId::new(WallTime(micros), 7);
            assert_eq!(date(id), WallTime(micros));
        }
    }

    #[test]
    fn the_next_key_is_the_next() {
        assert_eq!(after([0, 255]), Some([1, 0]));
        assert_eq!(after([0, 1]), Some([0, 2]));
        assert_eq!(after([255, 255]), None);
    }

    #[test]
    fn a_span_that_has_begun_belongs_to_the_range() {
        let minute = |second: i64| WallTime::default().plus_secs(second);
        let range = rollups(1, Grain::Minute, &(minute(61)..minute(121)));
        assert_eq!((range.start[5], range.end[5]), (1, 3));
        let range = rollups(1, Grain::Minute, &(minute(60)..minute(120)));
        assert_eq!((range.start[5], range.end[5]), (1, 2));
    }
}
