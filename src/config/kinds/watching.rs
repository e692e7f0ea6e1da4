//! Knows the kinds of values that probes and alerts are set by.

use schemars::{Schema, SchemaGenerator, json_schema};
use secrecy::SecretString;
use toml::Spanned;
use toml::de::DeValue;

use super::super::address::base_url;
use super::super::read::{Reader, Refusal, Setting, Text};
use super::super::settings::{BaseUrl, WebhookSettings};
use crate::workload::cron::Cron;

/// A schedule in cron's five fields.
#[derive(Debug, Clone)]
pub(in crate::config) struct CronText(pub(in crate::config) Cron);

impl Text for CronText {
    const EXPECTED: &'static str =
        "cron's five fields (minute, hour, day, month, weekday), such as \"*/15 * * * *\"";

    fn parse(text: &str) -> Result<Self, Refusal> {
        let read = Cron::parse(text);
        read.map(Self)
            .map_err(|fault| Refusal::hint(fault.to_string()))
    }
}

/// The zone of a schedule: UTC or an offset.
#[derive(Debug, Clone)]
pub(in crate::config) struct ZoneText(pub(in crate::config) String);

impl Text for ZoneText {
    const EXPECTED: &'static str = "\"UTC\", or an offset such as \"+01:00\"";

    fn parse(text: &str) -> Result<Self, Refusal> {
        let any = Cron::parse("* * * * *").and_then(|cron| cron.in_zone(text));
        match any {
            Ok(_) => Ok(Self(text.to_owned())),
            Err(_) => Err(Refusal::default()),
        }
    }
}

/// The URL of a webhook, which is never shown.
#[derive(Debug, Clone)]
pub(in crate::config) struct HookText(pub(in crate::config) WebhookSettings);

impl Setting for HookText {
    fn read(value: &Spanned<DeValue<'_>>, reader: &mut Reader<'_>) -> Option<Self> {
        const EXPECTED: &str = "an http:// or https:// URL, best as \"${NAME}\"";
        let text = reader.secret(value, EXPECTED, |_| "https://unset.invalid/".to_owned())?;
        let text = text.trim();
        let Ok(base) = base_url(text) else {
            reader.refuse(value.span(), "a text that is no such URL", EXPECTED, None);
            return None;
        };
        let behind = text.split_once("://").map_or("", |(_, behind)| behind);
        let target = behind.find(['/', '?']).map_or("", |at| &behind[at..]);
        let target = match target.strip_prefix('?') {
            Some(query) => format!("/?{query}"),
            None if target.is_empty() => "/".to_owned(),
            None => target.to_owned(),
        };
        Some(Self(WebhookSettings {
            base: BaseUrl {
                path: String::new(),
                query: None,
                ..base
            },
            target: SecretString::from(target),
        }))
    }

    fn schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "examples": ["${TOLLGATE_WEBHOOK}"] })
    }
}
