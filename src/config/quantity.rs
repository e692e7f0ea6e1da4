//! Reads durations and sizes as people write them.

use std::time::Duration;

/// The duration of a text such as `1200ms`, `5s`, `10m`, `12h` or `30d`.
pub fn duration(text: &str) -> Option<Duration> {
    let (number, unit) = split(text)?;
    let nanos = number.checked_mul(match unit {
        "us" | "µs" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" | "min" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        "d" => 86_400_000_000_000,
        _ => return None,
    })?;
    Some(Duration::from_nanos(nanos))
}

/// The bytes of a text such as `64KiB`, `32MiB`, `2GB` or `4096`.
pub(super) fn size(text: &str) -> Option<u64> {
    let (number, unit) = split(text)?;
    number.checked_mul(match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "kb" => 1_000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        "tb" => 1_000_000_000_000,
        "kib" => 1 << 10,
        "mib" => 1 << 20,
        "gib" => 1 << 30,
        "tib" => 1 << 40,
        _ => return None,
    })
}

/// A duration as a config writes it, in the largest unit that loses nothing.
pub(super) fn show_duration(duration: Duration) -> String {
    let nanos = duration.as_nanos();
    if nanos == 0 {
        return "0s".to_owned();
    }
    for (unit, size) in [
        ("d", 86_400_000_000_000),
        ("h", 3_600_000_000_000),
        ("m", 60_000_000_000),
        ("s", 1_000_000_000),
        ("ms", 1_000_000),
    ] {
        if nanos.is_multiple_of(size) {
            return format!("{}{unit}", nanos / size);
        }
    }
    format!("{}us", nanos / 1_000)
}

fn split(text: &str) -> Option<(u64, &str)> {
    let text = text.trim();
    let end = text
        .find(|character: char| !character.is_ascii_digit() && character != '_')
        .unwrap_or(text.len());
    let number = text[..end].replace('_', "").parse().ok()?;
    Some((number, text[end..].trim_start()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_and_shown() {
        for (text, millis, shown) in [
            ("1200ms", Some(1_200), "1200ms"),
            ("5s", Some(5_000), "5s"),
            ("10m", Some(600_000), "10m"),
            ("60 s", Some(60_000), "1m"),
            ("12h", Some(43_200_000), "12h"),
            ("30d", Some(2_592_000_000), "30d"),
            ("0s", Some(0), "0s"),
            ("5", None, ""),
            ("", None, ""),
            ("s", None, ""),
            ("1.5s", None, ""),
            ("-5s", None, ""),
            ("5 weeks", None, ""),
            ("99999999999999999999s", None, ""),
            ("99999999999999d", None, ""),
        ] {
            let read = duration(text);
            assert_eq!(read, millis.map(Duration::from_millis), "{text}");
            if let Some(read) = read {
                assert_eq!(show_duration(read), shown, "{text}");
            }
        }
    }

    #[test]
    fn sizes_are_read() {
        for (text, bytes) in [
            ("32MiB", Some(33_554_432)),
            ("2GB", Some(2_000_000_000)),
            ("64 kib", Some(65_536)),
            ("1_000", Some(1_000)),
            ("7B", Some(7)),
            ("1TiB", Some(1_099_511_627_776)),
            ("32M", None),
            ("MiB", None),
            ("1.5GB", None),
            ("99999999999TB", None),
        ] {
            assert_eq!(size(text), bytes, "{text}");
        }
    }
}
