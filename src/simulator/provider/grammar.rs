//! Reads the overrides that a model's name, a path segment or a header carries.

use crate::record::Nanos;

use super::behaviour::{Behaviour, Delay, Delivery};
use super::fault::Fault;

/// A word of the grammar that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadWord(pub String);

/// The part of a model's name or of a path that is in the grammar: what follows `sim:`, which
/// stands at the beginning or after a `/`.
#[must_use]
pub fn words(text: &str) -> Option<&str> {
    let tail = text
        .strip_prefix("sim:")
        .or_else(|| text.rsplit_once("/sim:").map(|(_, tail)| tail))?;
    Some(tail.split('/').next().unwrap_or(tail))
}

/// Puts the words into a behaviour.
pub fn apply(words: &str, behaviour: &mut Behaviour) -> Result<(), BadWord> {
    let mut rate = None;
    let mut faults = None;
    for word in words.split(':').filter(|word| !word.is_empty()) {
        let bad = || BadWord(word.to_owned());
        let (key, value) = word.split_once('-').ok_or_else(bad)?;
        match key {
            "fault" => faults = Some(fault_list(value).ok_or_else(bad)?),
            "rate" => rate = Some(share(value).ok_or_else(bad)?),
            _ => set(behaviour, key, value).ok_or_else(bad)?,
        }
    }
    if let Some(faults) = faults {
        let each = rate.unwrap_or(1.0) / faults.len() as f64;
        behaviour.faults = faults.into_iter().map(|fault| (fault, each)).collect();
    }
    Ok(())
}

fn set(behaviour: &mut Behaviour, key: &str, value: &str) -> Option<()> {
    match key {
        "ft" => behaviour.first_token = delay(value)?,
        "gap" => behaviour.gap = delay(value)?,
        "hd" => behaviour.head = delay(value)?,
        "n" => behaviour.tokens = value.parse().ok()?,
        "tpe" => behaviour.tokens_per_event = positive(value)?,
        "cb" => behaviour.token_bytes = Some(size(value)?),
        "think" => behaviour.reasoning = Some(value.parse().ok()?),
        "tools" => behaviour.tool_calls = Some(value.parse().ok()?),
        "split" => behaviour.delivery = Delivery::Split(positive(value)? as usize),
        "merge" => behaviour.delivery = Delivery::Merge(positive(value)? as usize),
        "ka" => behaviour.keepalive = Some(span(value).filter(|every| every.0 > 0)?),
        "fr" => behaviour.finish = Some(value.to_owned()),
        "in" => behaviour.usage_input = Some(value.parse().ok()?),
        "out" => behaviour.usage_output = Some(value.parse().ok()?),
        "cached" => behaviour.usage_cached = value.parse().ok()?,
        "at" => behaviour.fault_at = Some(value.parse().ok()?),
        "for" => behaviour.fault_for = Some(delay(value)?),
        "size" => behaviour.fault_size = Some(size(value)?),
        "code" => behaviour.fault_code = Some(status(value)?),
        "ra" => behaviour.retry_after = span(value)?,
        "filter" => {
            behaviour.late_filter = match value {
                "late" => true,
                "inline" => false,
                _ => return None,
            };
        }
        "right" => behaviour.right = share(value)?,
        "seed" => behaviour.seed = Some(value.parse().ok()?),
        _ => return None,
    }
    Some(())
}

fn fault_list(value: &str) -> Option<Vec<Fault>> {
    value.split('+').map(Fault::from_name).collect()
}

fn share(value: &str) -> Option<f64> {
    let share: f64 = value.parse().ok()?;
    (0.0..=1.0).contains(&share).then_some(share)
}

fn positive(value: &str) -> Option<u32> {
    value.parse().ok().filter(|number| *number > 0)
}

fn status(value: &str) -> Option<u16> {
    let code: u16 = value.parse().ok()?;
    (200..=999).contains(&code).then_some(code)
}

/// Bytes: a number with `k` or `m` for the binary thousands.
fn size(value: &str) -> Option<usize> {
    let (number, unit) = match value.as_bytes().last()? {
        b'k' => (&value[..value.len() - 1], 1 << 10),
        b'm' => (&value[..value.len() - 1], 1 << 20),
        _ => (value, 1),
    };
    number.parse::<usize>().ok()?.checked_mul(unit)
}

/// A delay in one of its four forms.
fn delay(value: &str) -> Option<Delay> {
    if let Some((low, high)) = value.split_once("..") {
        let (low, high) = (span(low)?, span(high)?);
        return (low <= high).then_some(Delay::Uniform(low, high));
    }
    if let Some((middle, jitter)) = value.split_once('+') {
        let (middle, jitter) = (span(middle)?, span(jitter)?);
        let low = Nanos(middle.0.saturating_sub(jitter.0));
        return Some(Delay::Uniform(low, Nanos(middle.0 + jitter.0)));
    }
    if let Some((median, sigma)) = value.split_once('@') {
        let sigma: f64 = sigma.parse().ok()?;
        let sane = (0.0..=5.0).contains(&sigma);
        return sane.then_some(Delay::LogNormal(span(median)?, sigma));
    }
    span(value).map(Delay::Constant)
}

/// A span of time: a number and a unit; `0` needs none.
fn span(value: &str) -> Option<Nanos> {
    if value == "0" {
        return Some(Nanos(0));
    }
    let unit = value.find(|c: char| c.is_ascii_alphabetic())?;
    let number: f64 = value[..unit].parse().ok()?;
    let nanos = match &value[unit..] {
        "ns" => 1.0,
        "us" => 1e3,
        "ms" => 1e6,
        "s" => 1e9,
        "m" => 6e10,
        "h" => 3.6e12,
        _ => return None,
    };
    // A year is enough, and keeps sums of spans far from overflow.
    let total = number * nanos;
    (0.0..3.2e16)
        .contains(&total)
        .then_some(Nanos(total as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_where_they_survive_a_proxy() {
        for (text, found) in [
            ("sim:n-3", Some("n-3")),
            ("groq/sim:n-3", Some("n-3")),
            ("/a/sim:n-3/v1/chat/completions", Some("n-3")),
            ("gpt-4.1", None),
            ("asim:n-3", None),
        ] {
            assert_eq!(words(text), found, "{text}");
        }
    }

    #[test]
    fn every_key_is_read() {
        let mut read = Behaviour::default();
        let text = "ft-20ms:gap-10ms..30ms:hd-1.5ms+500us:n-64:tpe-2:cb-1k:think-8:tools-2:\
                    split-3:ka-1s:fr-length:in-7:out-8:cached-2:fault-reset_mid:at-12:for-5ms@0.5:\
                    size-2m:code-429:ra-1m:seed-9:filter-late:right-0.5";
        apply(text, &mut read).unwrap();
        let ms = Nanos::from_millis;
        let wanted = Behaviour {
            first_token: Delay::millis(20),
            gap: Delay::Uniform(ms(10), ms(30)),
            head: Delay::Uniform(ms(1), ms(2)),
            tokens: 64,
            tokens_per_event: 2,
            token_bytes: Some(1024),
            reasoning: Some(8),
            tool_calls: Some(2),
            delivery: Delivery::Split(3),
            keepalive: Some(ms(1000)),
            finish: Some("length".into()),
            usage_input: Some(7),
            usage_output: Some(8),
            usage_cached: 2,
            faults: vec![(Fault::ResetMid, 1.0)],
            fault_at: Some(12),
            fault_for: Some(Delay::LogNormal(ms(5), 0.5)),
            fault_size: Some(2 << 20),
            fault_code: Some(429),
            retry_after: ms(60_000),
            seed: Some(9),
            late_filter: true,
            drift: None,
            key: None,
            right: 0.5,
        };
        assert_eq!(read, wanted);
    }

    #[test]
    fn rates_are_shared_by_the_faults_named() {
        let mut read = Behaviour::default();
        apply("rate-0.5:fault-http_500+quota", &mut read).unwrap();
        assert_eq!(read.faults, [(Fault::Http500, 0.25), (Fault::Quota, 0.25)]);
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        for word in [
            "n",
            "n-x",
            "zz-1",
            "fault-none",
            "rate-2",
            "right-2",
            "gap-5",
            "gap-9ms..5ms",
            "tpe-0",
            "code-99",
            "ft--1ms",
            "ka-0",
            "ft-9999999h",
        ] {
            let result = apply(&format!("n-3:{word}"), &mut Behaviour::default());
            assert_eq!(result, Err(BadWord(word.to_owned())));
        }
    }
}
