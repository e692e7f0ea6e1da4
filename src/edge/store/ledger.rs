//! Keeps what the store knows of its own size and of what was trimmed.

use crate::record::WallTime;

use super::codec::seal;
use super::tables::META_LEDGER;

/// The version of this coding.
const LEDGER: u8 = 1;

/// Sums kept with every transaction, so that retention never has to count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Ledger {
    /// Bytes of keys and values of the exchanges kept.
    pub(super) bytes: u64,
    /// Exchanges begun before this may be gone: their roll-ups cannot be checked any more.
    pub(super) trimmed_before: WallTime,
    /// Roll-ups of minutes that began before this may be gone.
    pub(super) minutes_from: WallTime,
    /// Roll-ups of hours that began before this may be gone.
    pub(super) hours_from: WallTime,
}

impl Ledger {
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        seal::open(LEDGER, out);
        for number in [
            self.bytes,
            self.trimmed_before.0 as u64,
            self.minutes_from.0 as u64,
            self.hours_from.0 as u64,
        ] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        seal::close(META_LEDGER.as_bytes(), out);
    }

    pub(super) fn decode(value: &[u8]) -> Option<Self> {
        let (version, payload) = seal::check(META_LEDGER.as_bytes(), value)?;
        let (numbers, rest) = payload.as_chunks::<8>();
        if version != LEDGER || !rest.is_empty() {
            return None;
        }
        let number = |at: usize| numbers.get(at).map(|bytes| u64::from_le_bytes(*bytes));
        let date = |at: usize| Some(WallTime(number(at)? as i64));
        Some(Self {
            bytes: number(0)?,
            trimmed_before: date(1)?,
            minutes_from: date(2)?,
            hours_from: date(3)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ledger_reads_back() {
        let ledger = Ledger {
            bytes: 7,
            trimmed_before: WallTime(-3),
            minutes_from: WallTime(1 << 40),
            hours_from: WallTime(9),
        };
        let mut value = Vec::new();
        ledger.encode(&mut value);
        assert_eq!(Ledger::decode(&value), Some(ledger));
        value[8] ^= 4;
        assert_eq!(Ledger::decode(&value), None);
    }
}
