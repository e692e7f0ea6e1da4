//! Packs texts that differ from row to row by what they look like: numbers, ids, durations.

use crate::record::WallTime;

use super::super::names::NameTable;
use super::bytes::{Damaged, Read, Reader, Writer};

// The first byte's low three bits say the form; append only.
const RAW: u8 = 0;
const INTEGER: u8 = 1;
const PACKED: u8 = 2;
const HEX: u8 = 3;
const UUID: u8 = 4;
const DATE: u8 = 5;

/// What rate-limit values are made of: digits, times, durations. Half a byte each.
const PACKED_CHARS: &[u8; 16] = b"0123456789.smh-:";

/// The place of each byte among them; [`NOT_PACKED`] where it is none.
static PACKED_CODES: [u8; 256] = packed_codes();

const NOT_PACKED: u8 = 16;

const fn packed_codes() -> [u8; 256] {
    let mut codes = [NOT_PACKED; 256];
    let mut code = 0;
    while code < PACKED_CHARS.len() {
        codes[PACKED_CHARS[code] as usize] = code as u8;
        code += 1;
    }
    codes
}

impl Writer<'_> {
    /// A text of which each is another one.
    pub(in super::super) fn text(&mut self, text: &str) {
        write(self, text);
    }
}

impl<N: NameTable> Reader<'_, N> {
    pub(in super::super) fn text(&mut self) -> Read<String> {
        read(self)
    }
}

/// Writes `text` in the shortest form that reads back to the very same bytes.
pub(in super::super) fn write(w: &mut Writer<'_>, text: &str) {
    let bytes = text.as_bytes();
    if let Some(number) = canonical_integer(text) {
        w.byte(INTEGER | (number as u8 & 31) << 3);
        w.number(number >> 5);
    } else if bytes.len() > 1 && bytes.iter().all(|byte| code(*byte) != NOT_PACKED) {
        head(w, PACKED, bytes.len());
        for pair in bytes.chunks(2) {
            let high = pair.get(1).map_or(0, |byte| code(*byte));
            w.byte(code(pair[0]) | high << 4);
        }
    } else if let Some(packed) = uuid(text) {
        w.byte(UUID);
        w.fixed(&packed);
    } else if let Some(seconds) = date(text) {
        w.byte(DATE);
        w.fixed(&seconds.to_le_bytes());
    } else {
        hex_or_raw(w, bytes);
    }
}

fn code(byte: u8) -> u8 {
    PACKED_CODES[usize::from(byte)]
}

/// Reads what [`write`] wrote.
pub(in super::super) fn read<N: NameTable>(r: &mut Reader<'_, N>) -> Read<String> {
    let first = r.byte()?;
    let length = usize::from(first >> 3);
    match first & 7 {
        INTEGER => Ok((r.number()? << 5 | length as u64).to_string()),
        PACKED => read_packed(r, length),
        UUID => Ok(uuid_text(r.fixed()?)),
        DATE => Ok(date_text(u32::from_le_bytes(r.fixed()?))),
        HEX => {
            let prefix = r.utf8()?.to_owned();
            let digits = read_length(r, length)?;
            let mut text = prefix;
            for _ in 0..digits {
                push_hex(&mut text, r.byte()?);
            }
            Ok(text)
        }
        RAW => {
            let bytes: Vec<u8> = (0..read_length(r, length)?)
                .map(|_| r.byte())
                .collect::<Read<_>>()?;
            String::from_utf8(bytes).map_err(|_| Damaged)
        }
        _ => Err(Damaged),
    }
}

fn read_packed<N: NameTable>(r: &mut Reader<'_, N>, length: usize) -> Read<String> {
    let length = read_length(r, length)?;
    let mut text = String::new();
    for at in (0..length).step_by(2) {
        let byte = r.byte()?;
        text.push(PACKED_CHARS[usize::from(byte & 15)] as char);
        if at + 1 < length {
            text.push(PACKED_CHARS[usize::from(byte >> 4)] as char);
        }
    }
    Ok(text)
}

/// Form and length in one byte where the length is short: 31 stands for a longer one.
fn head(w: &mut Writer<'_>, form: u8, length: usize) {
    w.byte(form | (length.min(31) as u8) << 3);
    if length >= 31 {
        w.number(length as u64 - 31);
    }
}

fn read_length<N: NameTable>(r: &mut Reader<'_, N>, short: usize) -> Read<usize> {
    if short < 31 {
        return Ok(short);
    }
    // Lengths run out of bytes long before they overflow.
    r.narrow::<u32>().map(|more| more as usize + 31)
}

/// Seconds since 1970 of a date like `2026-11-22T00:35:49Z`, as reset headers have them.
fn date(text: &str) -> Option<u32> {
    let part = |range: std::ops::Range<usize>| text.get(range)?.parse::<i64>().ok();
    if text.len() != 20 || !text.ends_with('Z') {
        return None;
    }
    let (year, month, day) = (part(0..4)?, part(5..7)?, part(8..10)?);
    // Source: H. Hinnant, "chrono-compatible low-level date algorithms", `days_from_civil`.
    let (y, m) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let of_era = y.rem_euclid(400);
    let of_year = of_era * 365 + of_era / 4 - of_era / 100 + (153 * m + 2) / 5 + day - 1;
    let days = y.div_euclid(400) * 146_097 + of_year - 719_468;
    let seconds = days * 86_400 + part(11..13)? * 3600 + part(14..16)? * 60 + part(17..19)?;
    // Whatever was not quite a date does not come back as the same text.
    u32::try_from(seconds)
        .ok()
        .filter(|seconds| date_text(*seconds) == text)
}

fn date_text(seconds: u32) -> String {
    let mut text = WallTime(i64::from(seconds) * 1_000_000).rfc3339();
    text.truncate(19);
    text.push('Z');
    text
}

fn canonical_integer(text: &str) -> Option<u64> {
    let plain = !text.starts_with('0') || text == "0";
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    (plain && digits).then(|| text.parse().ok()).flatten()
}

/// Ids are a short prefix and hexadecimal digits: `req_8f…`, `chatcmpl-…`.
fn hex_or_raw(w: &mut Writer<'_>, bytes: &[u8]) {
    let digits = bytes
        .iter()
        .rev()
        .take_while(|byte| hex(**byte).is_some())
        .count()
        & !1;
    let (prefix, tail) = bytes.split_at(bytes.len() - digits);
    // A hexadecimal digit is one byte of any text: the cut never splits a character.
    if digits < 8 {
        head(w, RAW, bytes.len());
        w.fixed(bytes);
        return;
    }
    w.byte(HEX | ((digits / 2).min(31) as u8) << 3);
    w.bytes(prefix);
    if digits / 2 >= 31 {
        w.number(digits as u64 / 2 - 31);
    }
    for pair in tail.chunks(2) {
        let digit = |at: usize| pair.get(at).copied().and_then(hex).unwrap_or(0);
        w.byte(digit(0) << 4 | digit(1));
    }
}

fn uuid(text: &str) -> Option<[u8; 16]> {
    let bytes = text.as_bytes();
    if bytes.len() != 36 {
        return None;
    }
    let mut packed = [0; 16];
    let mut place = 0;
    for (at, byte) in bytes.iter().enumerate() {
        if matches!(at, 8 | 13 | 18 | 23) {
            if *byte != b'-' {
                return None;
            }
            continue;
        }
        packed[place / 2] |= hex(*byte)? << (4 * (1 - place % 2));
        place += 1;
    }
    Some(packed)
}

fn uuid_text(packed: [u8; 16]) -> String {
    let mut text = String::with_capacity(36);
    for (at, byte) in packed.into_iter().enumerate() {
        if matches!(at, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        push_hex(&mut text, byte);
    }
    text
}

/// Lower case only: what is packed must read back to the very same bytes.
const fn hex(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    }
}

fn push_hex(text: &mut String, byte: u8) {
    for digit in [byte >> 4, byte & 15] {
        text.push(char::from_digit(u32::from(digit), 16).unwrap_or('0'));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edge::store::names::{Names, Scope};

    fn packed(text: &str) -> Vec<u8> {
        let (mut out, mut names) = (Vec::new(), Names::default());
        let mut w = Writer {
            out: &mut out,
            names: &mut names,
            scope: Scope::Core,
        };
        write(&mut w, text);
        out
    }

    #[test]
    fn texts_read_back_and_are_short() {
        let long = "a".repeat(100);
        for (text, longest) in [
            ("", 1),
            ("0", 2),
            ("59999", 4),
            ("007", 3),
            ("18446744073709551615", 11),
            ("18446744073709551616", 11),
            ("6m0s", 3),
            ("7m12.5s", 5),
            ("req_0123456789abcdef0123456789abcdef", 22),
            ("chatcmpl-DEADBEEF", 18),
            ("8f3b2c1d-0000-4abc-9def-0123456789ab", 17),
            ("8F3b2c1d-0000-4abc-9def-0123456789ab", 38),
            ("2026-11-22T00:35:49Z", 5),
            ("2024-02-29T23:59:59Z", 5),
            ("2023-02-29T23:59:59Z", 21),
            ("2026-11-22T00:35:60Z", 21),
            ("2226-11-22T00:35:49Z", 21),
            ("2026-11-22t00:35:49Z", 21),
            ("żółć", 9),
            ("żdeadbeef", 8),
            (&long, 53),
        ] {
            let bytes = packed(text);
            assert!(bytes.len() <= longest, "{text}: {}", bytes.len());
            let names = Names::default();
            let mut r = Reader::new(&bytes, &names);
            assert_eq!(read(&mut r).as_deref(), Ok(text));
            assert!(r.is_empty(), "{text}");
            for cut in 0..bytes.len() {
                // Whatever is missing, reading ends.
                let _ = read(&mut Reader::new(&bytes[..cut], &names));
            }
        }
    }
}
