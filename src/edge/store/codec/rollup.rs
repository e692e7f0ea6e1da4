//! Codes roll-ups: integers only, and only those that are not zero.

use crate::record::Outcome;
use crate::statistics::rollup::{FURTHER, Rollup, SUMS};
use crate::statistics::sketch::Sketch;

use super::super::names::{NameTable, Names, Scope};
use super::bytes::{Damaged, Read, Reader, Writer};
use super::{seal, timing};

/// The version of this coding, in every roll-up's seal.
const ROLLUP: u8 = 3;
/// The one before, without waits that were not waited out, and with fewer further sums.
const SECOND: u8 = 2;
/// The one before that, without further sums.
const FIRST: u8 = 1;

/// Writes the sealed roll-up to `out`.
pub(in super::super) fn encode(key: &[u8], rollup: &Rollup, out: &mut Vec<u8>) {
    seal::open(ROLLUP, out);
    let mut w = Writer {
        out,
        // Roll-ups have no texts: the key has their numbers.
        names: &mut Names::default(),
        scope: Scope::Loose,
    };
    write_sparse(&mut w, &rollup.outcomes);
    write_sparse(&mut w, &rollup.errors);
    write_sparse(&mut w, &rollup.sums());
    for sketch in sketches(rollup) {
        timing::write_bins(&mut w, sketch.bins());
    }
    write_sparse(&mut w, &rollup.further.sums());
    for sketch in [&rollup.waited, &rollup.waited_answer] {
        timing::write_bins(&mut w, sketch.bins());
    }
    seal::close(key, out);
}

/// The roll-up of a sealed value; `None` where the row is damaged.
pub(in super::super) fn decode(key: &[u8], value: &[u8]) -> Option<Rollup> {
    match seal::check(key, value)? {
        (version @ (FIRST | SECOND | ROLLUP), payload) => {
            read(&mut Reader::new(payload, &Names::default()), version).ok()
        }
        _ => None,
    }
}

/// Only how many exchanges a sealed value is of.
pub(in super::super) fn exchanges(key: &[u8], value: &[u8]) -> Option<u64> {
    let (_, payload) = seal::check(key, value)?;
    let outcomes: [u64; Outcome::ALL.len()] =
        read_sparse(&mut Reader::new(payload, &Names::default())).ok()?;
    Some(outcomes.into_iter().fold(0, u64::saturating_add))
}

fn read<N: NameTable>(r: &mut Reader<'_, N>, version: u8) -> Read<Rollup> {
    let mut rollup = Rollup {
        outcomes: read_sparse(r)?,
        errors: read_sparse(r)?,
        ..Rollup::default()
    };
    let sums: [u64; SUMS] = read_sparse(r)?;
    for (sum, value) in rollup.sums_mut().into_iter().zip(sums) {
        *sum = value;
    }
    for sketch in [
        &mut rollup.first_token,
        &mut rollup.first_answer,
        &mut rollup.total,
        &mut rollup.output_rate,
        &mut rollup.own_delay,
    ] {
        *sketch = Sketch::from_bins(timing::read_bins(r)?);
    }
    if version > FIRST {
        let sums: [u64; FURTHER] = read_sparse(r)?;
        for (sum, value) in rollup.further.sums_mut().into_iter().zip(sums) {
            *sum = value;
        }
    }
    if version > SECOND {
        for sketch in [&mut rollup.waited, &mut rollup.waited_answer] {
            *sketch = Sketch::from_bins(timing::read_bins(r)?);
        }
    }
    r.is_empty().then_some(rollup).ok_or(Damaged)
}

const fn sketches(rollup: &Rollup) -> [&Sketch; 5] {
    [
        &rollup.first_token,
        &rollup.first_answer,
        &rollup.total,
        &rollup.output_rate,
        &rollup.own_delay,
    ]
}

/// Which numbers are not zero, then those: further ones may be added at the end.
fn write_sparse(w: &mut Writer<'_>, numbers: &[u64]) {
    let bits = numbers
        .iter()
        .enumerate()
        .fold(0_u64, |bits, (at, number)| {
            bits | u64::from(*number != 0) << at
        });
    w.number(bits);
    for number in numbers.iter().filter(|number| **number != 0) {
        w.number(*number);
    }
}

fn read_sparse<N: NameTable, const LEN: usize>(r: &mut Reader<'_, N>) -> Read<[u64; LEN]> {
    let bits = r.number()?;
    let mut numbers = [0; LEN];
    for at in 0..64 {
        if bits >> at & 1 == 1 {
            *numbers.get_mut(at).ok_or(Damaged)? = r.number()?;
        }
    }
    Ok(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rollup_reads_back() {
        let mut rollup = Rollup::default();
        rollup.outcomes[3] = 7;
        rollup.errors[24] = u64::MAX;
        rollup.cost = 1 << 50;
        rollup.further.told = 7;
        rollup.further.both_billed = 1 << 40;
        for value in [0, 1, 2, 2, 900, u64::MAX] {
            rollup.first_token.insert(value);
            rollup.output_rate.insert(value / 3);
            rollup.waited.insert(value / 7);
        }
        let mut value = Vec::new();
        encode(b"key", &rollup, &mut value);
        assert_eq!(decode(b"key", &value), Some(rollup));
        assert_eq!(decode(b"kez", &value), None);
        assert_eq!(exchanges(b"key", &value), Some(7));
        value[9] ^= 1;
        assert_eq!(decode(b"key", &value), None);
    }
}
