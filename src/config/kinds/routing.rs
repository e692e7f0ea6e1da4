//! Knows the kinds of values that routes and rules hold.

use schemars::{Schema, SchemaGenerator, json_schema};
use toml::Spanned;
use toml::de::DeValue;

use super::super::problem::nearest;
use super::super::read::{Reader, Refusal, Setting, Text};
use crate::record::Name;

/// A number, zero or more.
#[derive(Debug, Clone, Copy)]
pub(in crate::config) struct Number(pub(in crate::config) f64);

impl Setting for Number {
    fn read(value: &Spanned<DeValue<'_>>, reader: &mut Reader<'_>) -> Option<Self> {
        let number: Option<f64> = match value.get_ref() {
            DeValue::Float(number) => number.as_str().parse().ok(),
            DeValue::Integer(number) => number.as_str().parse().ok(),
            _ => None,
        };
        match number {
            Some(number) if (0.0..=1e9).contains(&number) => Some(Self(number)),
            _ => reader.mistyped(value, "a number, zero or more"),
        }
    }

    fn schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "number", "minimum": 0 })
    }
}

/// A name of something that records show: a region, a tag.
#[derive(Debug, Clone)]
pub(in crate::config) struct NameText(pub(in crate::config) Name);

impl Text for NameText {
    const EXPECTED: &'static str = "a name of at most 64 printable characters without spaces";

    fn parse(text: &str) -> Result<Self, Refusal> {
        let fits =
            (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        fits.then(|| Self(Name::from(text)))
            .ok_or_else(Refusal::default)
    }
}

/// Hours of the day: minutes from and until.
#[derive(Debug, Clone, Copy)]
pub(in crate::config) struct HoursText(pub(in crate::config) u16, pub(in crate::config) u16);

impl Text for HoursText {
    const EXPECTED: &'static str =
        "hours in UTC such as \"09:00-17:00\"; \"22:00-06:00\" goes over midnight";

    fn parse(text: &str) -> Result<Self, Refusal> {
        let minute = |text: &str| {
            let (hours, minutes) = text.trim().split_once(':')?;
            let (hours, minutes): (u16, u16) = (hours.parse().ok()?, minutes.parse().ok()?);
            let fits = minutes < 60 && (hours < 24 || (hours == 24 && minutes == 0));
            fits.then_some(hours * 60 + minutes)
        };
        let (from, until) = text.split_once('-').ok_or_else(Refusal::default)?;
        match (minute(from), minute(until)) {
            (Some(from), Some(until)) if from != until => Ok(Self(from, until)),
            _ => Err(Refusal::default()),
        }
    }
}

/// A day of the week, Monday is 0.
#[derive(Debug, Clone, Copy)]
pub(in crate::config) struct DayWord(pub(in crate::config) usize);

const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

impl Text for DayWord {
    const EXPECTED: &'static str = "mon, tue, wed, thu, fri, sat or sun";

    fn parse(text: &str) -> Result<Self, Refusal> {
        let day = DAYS.iter().position(|day| *day == text);
        day.map(Self).ok_or_else(|| {
            nearest(text, DAYS).map_or_else(Refusal::default, |meant| {
                Refusal::hint(format!("did you mean \"{meant}\"?"))
            })
        })
    }

    fn text_schema() -> Schema {
        json_schema!({ "type": "string", "enum": DAYS })
    }
}
