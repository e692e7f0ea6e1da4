//! Knows the kinds of values that a config holds, and how each is written.

mod routing;

mod watching;

pub(super) use routing::{DayWord, HoursText, NameText, Number};
pub(super) use watching::{CronText, HookText, ZoneText};

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use schemars::{Schema, SchemaGenerator, json_schema};
use secrecy::{ExposeSecret as _, SecretString};
use toml::Spanned;
use toml::de::DeValue;

use super::address::{UrlFault, base_url, host_name};
use super::quantity;
use super::read::{Reader, Refusal, Setting, Text};
use super::settings::BaseUrl;
use crate::record::{KeyedHash, Name, PicoDollars, WallTime};
use crate::routing::pricing::{self, Rate, Tier, dollars, instant};

impl Setting for bool {
    fn read(value: &Spanned<DeValue<'_>>, reader: &mut Reader<'_>) -> Option<Self> {
        match value.get_ref() {
            DeValue::Boolean(flag) => Some(*flag),
            _ => reader.mistyped(value, "true or false"),
        }
    }

    fn schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "boolean" })
    }
}

/// Counts; the largest one that TOML can write is the limit of what may stand there.
impl Setting for u64 {
    fn read(value: &Spanned<DeValue<'_>>, reader: &mut Reader<'_>) -> Option<Self> {
        let number = match value.get_ref() {
            DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix()).ok(),
            _ => None,
        };
        match number.and_then(|number| Self::try_from(number).ok()) {
            Some(number) => Some(number),
            None => reader.mistyped(value, "a whole number, zero or more"),
        }
    }

    fn schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "integer", "minimum": 0 })
    }
}

/// A share between 0 and 1.
#[derive(Debug, Clone, Copy)]
pub(super) struct Share(pub(super) f64);

impl Setting for Share {
    fn read(value: &Spanned<DeValue<'_>>, reader: &mut Reader<'_>) -> Option<Self> {
        let number: Option<f64> = match value.get_ref() {
            DeValue::Float(number) => number.as_str().parse().ok(),
            DeValue::Integer(number) => number.as_str().parse().ok(),
            _ => None,
        };
        match number {
            Some(number) if (0.0..=1.0).contains(&number) => Some(Self(number)),
            _ => reader.mistyped(value, "a share between 0 and 1, such as 0.02"),
        }
    }

    fn schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "number", "minimum": 0, "maximum": 1 })
    }
}

/// A number as it is written, so that no digit of money passes through a float.
fn written<'v>(value: &'v Spanned<DeValue<'_>>) -> Option<Cow<'v, str>> {
    match value.get_ref() {
        DeValue::Float(number) => Some(Cow::Borrowed(number.as_str())),
        DeValue::Integer(number) if number.radix() == 10 => Some(Cow::Borrowed(number.as_str())),
        DeValue::String(text) => Some(Cow::Borrowed(text)),
        _ => None,
    }
}

/// Declares a setting that is a decimal, written as a number or as a text.
macro_rules! decimal {
    ($(#[$doc:meta])* $name:ident($kind:ty), $read:expr, $expected:literal, $schema:tt) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy)]
        pub(super) struct $name(pub(super) $kind);

        impl Setting for $name {
            fn read(value: &Spanned<DeValue<'_>>, reader: &mut Reader<'_>) -> Option<Self> {
                match written(value).and_then(|text| $read(&text)) {
                    Some(read) => Some(Self(read)),
                    None => reader.mistyped(value, $expected),
                }
            }

            fn schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!($schema)
            }
        }
    };
}

decimal!(
    /// US dollars per million tokens.
    MillionRate(Rate),
    Rate::per_million,
    "US dollars per million tokens, such as 2.50, with six decimals at most",
    { "type": ["number", "string"], "minimum": 0, "examples": [2.5] }
);

decimal!(
    /// US dollars.
    Amount(PicoDollars),
    dollars,
    "US dollars, such as 2.50, zero or more",
    { "type": ["number", "string"], "minimum": 0, "examples": [2.5] }
);

decimal!(
    /// A share that prices are computed with.
    Part(pricing::Share),
    pricing::Share::read,
    "a share between 0 and 1, such as 0.1, with six decimals at most",
    { "type": ["number", "string"], "minimum": 0, "maximum": 1, "examples": [0.1] }
);

/// A margin of an experiment: a span, or a share of what is compared with.
#[derive(Debug, Clone, Copy)]
pub(super) enum MarginText {
    /// A span of time.
    Span(Duration),
    /// A share; of failures, a difference of rates.
    Share(pricing::Share),
}

impl Setting for MarginText {
    fn read(value: &Spanned<DeValue<'_>>, reader: &mut Reader<'_>) -> Option<Self> {
        let read = match value.get_ref() {
            DeValue::String(text) => quantity::duration(text).map(Self::Span),
            _ => written(value)
                .and_then(|text| pricing::Share::read(&text))
                .map(Self::Share),
        };
        read.or_else(|| {
            reader.mistyped(
                value,
                "a duration such as \"20ms\", or a share between 0 and 1, such as 0.03",
            )
        })
    }

    fn schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["number", "string"], "examples": ["20ms", 0.03] })
    }
}

/// A keyed hash, as exports show it.
#[derive(Debug, Clone, Copy)]
pub(super) struct HashText(pub(super) KeyedHash);

impl Text for HashText {
    const EXPECTED: &'static str = "16 hexadecimal digits, as `tollgate export` shows client_key";

    fn parse(text: &str) -> Result<Self, Refusal> {
        let digits = text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let read = u64::from_str_radix(text, 16).ok().filter(|_| digits);
        // Whoever writes the key itself here must not see it in a message.
        let secret = Refusal {
            hint: Some("not the key itself: its hash".to_owned()),
            secret: true,
        };
        read.map(|hash| Self(KeyedHash(hash))).ok_or(secret)
    }
}

/// A version of Anthropic's API.
#[derive(Debug, Clone)]
pub(super) struct VersionText(pub(super) Name);

impl Text for VersionText {
    const EXPECTED: &'static str = "a date such as \"2023-06-01\"";

    fn parse(text: &str) -> Result<Self, Refusal> {
        let fits = text.len() == 10
            && text.bytes().enumerate().all(|(at, byte)| match at {
                4 | 7 => byte == b'-',
                _ => byte.is_ascii_digit(),
            });
        let version = fits.then(|| Self(Name::from(text)));
        version.ok_or_else(Refusal::default)
    }
}

/// What a provider runs its models on.
#[derive(Debug, Clone)]
pub(super) struct HardwareText(pub(super) Name);

impl Text for HardwareText {
    const EXPECTED: &'static str = "a few words such as \"8 x H100\", 64 characters at most";

    fn parse(text: &str) -> Result<Self, Refusal> {
        let fits = !text.trim().is_empty()
            && text.chars().count() <= 64
            && !text.chars().any(char::is_control);
        let hardware = fits.then(|| Self(Name::from(text.trim())));
        hardware.ok_or_else(Refusal::default)
    }
}

/// A date or a minute in UTC.
#[derive(Debug, Clone, Copy)]
pub(super) struct DateText(pub(super) WallTime);

impl Setting for DateText {
    fn read(value: &Spanned<DeValue<'_>>, reader: &mut Reader<'_>) -> Option<Self> {
        const EXPECTED: &str = "a date in UTC such as \"2026-03-13\" or \"2026-08-16T16:00Z\"";
        let text = match value.get_ref() {
            DeValue::Datetime(date) => Some(date.to_string()),
            DeValue::String(text) => Some(text.to_string()),
            _ => None,
        };
        let Some(text) = text else {
            return reader.mistyped(value, EXPECTED);
        };
        let read = instant(&text).map(Self);
        if read.is_none() {
            let found = reader.findings.show(&text, &value.span());
            reader.refuse(value.span(), found, EXPECTED, None);
        }
        read
    }

    fn schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "examples": ["2026-03-13"] })
    }
}

/// How a call is worked on.
#[derive(Debug, Clone, Copy)]
pub(super) struct PriceTier(pub(super) Tier);

impl Text for PriceTier {
    const EXPECTED: &'static str = "standard, batch, flex or priority";

    fn parse(text: &str) -> Result<Self, Refusal> {
        let named = Tier::ALL.into_iter().find(|tier| tier.name() == text);
        named.map(Self).ok_or_else(Refusal::default)
    }

    fn text_schema() -> Schema {
        json_schema!({ "type": "string", "enum": ["standard", "batch", "flex", "priority"] })
    }
}

/// Bytes, as a number or as a text with a unit.
#[derive(Debug, Clone, Copy)]
pub(super) struct Size(pub(super) u64);

impl Setting for Size {
    fn read(value: &Spanned<DeValue<'_>>, reader: &mut Reader<'_>) -> Option<Self> {
        if let DeValue::Integer(number) = value.get_ref() {
            let bytes = u64::from_str_radix(number.as_str(), number.radix()).ok();
            return match bytes {
                Some(bytes) => Some(Self(bytes)),
                None => reader.mistyped(value, SizeText::EXPECTED),
            };
        }
        SizeText::read(value, reader).map(|text| Self(text.0))
    }

    fn schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": ["string", "integer"],
            "pattern": r"^[0-9_]+ ?([KkMmGgTt][Ii]?)?[Bb]?$|\$\{",
            "minimum": 0,
            "examples": ["32MiB"],
        })
    }
}

struct SizeText(u64);

impl Text for SizeText {
    const EXPECTED: &'static str = "a size such as \"64KiB\", \"32MiB\" or \"2GB\"";

    fn parse(text: &str) -> Result<Self, Refusal> {
        quantity::size(text).map(Self).ok_or_else(|| {
            let unit = text.trim_start_matches(|next: char| next.is_ascii_digit() || next == '_');
            let large = unit.len() < text.len() && quantity::size(&format!("1{unit}")).is_some();
            if large {
                Refusal::hint("it is too large to be counted")
            } else {
                Refusal::default()
            }
        })
    }
}

/// Why a text is no duration: one that is too long to be counted is said to be.
fn too_long(text: &str) -> Refusal {
    let unit = text.trim_start_matches(|next: char| next.is_ascii_digit() || next == '_');
    let long = unit.len() < text.len() && quantity::duration(&format!("1{unit}")).is_some();
    if long {
        Refusal::hint("it is too long; at most 3650d")
    } else {
        Refusal::default()
    }
}

/// Whether a host without a scheme is this machine's or a neighbour's, where nobody has TLS.
fn is_near(text: &str) -> bool {
    let host = text.split(['/', '?']).next().unwrap_or_default();
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    match name.parse::<IpAddr>() {
        Ok(IpAddr::V4(ip)) => ip.is_loopback() || ip.is_private() || ip.is_link_local(),
        Ok(IpAddr::V6(ip)) => ip.is_loopback() || ip.is_unique_local(),
        // A name of one word is one of a network of one's own.
        Err(_) => !name.contains('.') || name.rsplit('.').next() == Some("local"),
    }
}

impl Text for Duration {
    const EXPECTED: &'static str = "a duration such as \"1200ms\", \"5s\", \"10m\" or \"30d\"";

    fn parse(text: &str) -> Result<Self, Refusal> {
        match quantity::duration(text) {
            Some(duration) => Ok(duration),
            None if text == "none" => Err(Refusal::hint("this one cannot be turned off")),
            None => Err(too_long(text)),
        }
    }

    fn text_schema() -> Schema {
        json_schema!({
            "type": "string",
            "pattern": r"^[0-9_]+ ?(us|µs|ms|s|m|min|h|d)$|\$\{",
            "examples": ["5s"],
        })
    }
}

/// A duration that may be `none`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deadline(pub(super) Option<Duration>);

impl Text for Deadline {
    const EXPECTED: &'static str = "\"none\", or a duration such as \"5s\" or \"10m\"";

    fn parse(text: &str) -> Result<Self, Refusal> {
        match text {
            "none" => Ok(Self(None)),
            _ => quantity::duration(text)
                .map(|duration| Self(Some(duration)))
                .ok_or_else(|| too_long(text)),
        }
    }

    fn text_schema() -> Schema {
        json_schema!({
            "type": "string",
            "pattern": r"^(none|[0-9_]+ ?(us|µs|ms|s|m|min|h|d))$|\$\{",
            "examples": ["none", "10m"],
        })
    }
}

impl Text for SocketAddr {
    const EXPECTED: &'static str = "an address and a port, such as \"127.0.0.1:4100\"";

    fn parse(text: &str) -> Result<Self, Refusal> {
        let port = text.rsplit(':').next().unwrap_or_default();
        text.parse().map_err(|_| {
            // A name may mean several addresses, and which one answers is then a matter of luck.
            if text.starts_with("localhost:") {
                Refusal::hint(format!("write \"127.0.0.1:{port}\" or \"[::1]:{port}\""))
            } else if text.starts_with(':') || text.starts_with("*:") {
                Refusal::hint(format!(
                    "write \"127.0.0.1:{port}\", or \"0.0.0.0:{port}\" for all"
                ))
            } else {
                Refusal::default()
            }
        })
    }
}

impl Text for BaseUrl {
    const EXPECTED: &'static str =
        "an http:// or https:// URL such as \"http://127.0.0.1:8000/v1\"";

    fn parse(text: &str) -> Result<Self, Refusal> {
        base_url(text).map_err(|fault| match fault {
            UrlFault::Scheme
                if !text.contains("://") && base_url(&format!("https://{text}")).is_ok() =>
            {
                let scheme = if is_near(text) { "http" } else { "https" };
                Refusal::hint(format!("write \"{scheme}://{text}\""))
            }
            UrlFault::Scheme => Refusal::default(),
            UrlFault::Credentials => Refusal {
                hint: Some("a credential belongs into `api_key`, not into the URL".to_owned()),
                secret: true,
            },
            UrlFault::Fragment => Refusal::hint("leave out what follows the #"),
            UrlFault::Host => Refusal::hint(
                "the host must be a name in ASCII, four numbers, or an IPv6 address in brackets",
            ),
            UrlFault::Port => Refusal::hint("the port must be a number from 1 to 65535"),
            UrlFault::Character => {
                Refusal::hint("percent-encode what is not a plain URL character")
            }
            UrlFault::Dots => Refusal::hint("write the path without `.` and `..`"),
        })
    }

    fn text_schema() -> Schema {
        json_schema!({ "type": "string", "pattern": r"^[Hh][Tt][Tt][Pp][Ss]?://|\$\{" })
    }
}

impl Text for String {
    const EXPECTED: &'static str = "a text";

    fn parse(text: &str) -> Result<Self, Refusal> {
        Ok(text.to_owned())
    }
}

impl Text for PathBuf {
    const EXPECTED: &'static str = "the path of a file";

    fn parse(text: &str) -> Result<Self, Refusal> {
        match text {
            "" => Err(Refusal::default()),
            _ if text.starts_with('~') => {
                Err(Refusal::hint("`~` is not expanded here: write ${HOME}"))
            }
            _ if text.contains('\0') => Err(Refusal::default()),
            _ => Ok(Self::from(text)),
        }
    }
}

/// How every secret begins that stands for one that is not there.
const STAND_IN: &str = "not-set-where-this-was-read-";

/// What stands for a secret that is not there, where none is needed: as long as one should be, and
/// another one for every `place`.
pub(super) fn stand_in(place: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    let place: String = place.chars().map(plain).collect();
    format!("{STAND_IN}{place}")
}

/// Whether a secret only stands for one that was not there where the config was read.
#[must_use]
pub fn is_stand_in(secret: &SecretString) -> bool {
    secret.expose_secret().starts_with(STAND_IN)
}

/// A credential or token: never shown, never part of a message.
#[derive(Debug, Clone)]
pub(super) struct Secret(pub(super) SecretString);

impl Setting for Secret {
    fn read(value: &Spanned<DeValue<'_>>, reader: &mut Reader<'_>) -> Option<Self> {
        let text = reader.secret(value, "a text, best as \"${NAME}\"", stand_in)?;
        Some(Self(SecretString::from(text.trim().to_owned())))
    }

    fn schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "examples": ["${OPENAI_API_KEY}"] })
    }
}

/// The value of a header that is put on requests. It may hold a credential, so it is not shown.
#[derive(Debug, Clone)]
pub(super) struct HeaderText(pub(super) String);

impl Setting for HeaderText {
    fn read(value: &Spanned<DeValue<'_>>, reader: &mut Reader<'_>) -> Option<Self> {
        const EXPECTED: &str = "a header's value: printable ASCII";
        let text = reader.secret(value, EXPECTED, stand_in)?;
        if text
            .bytes()
            .all(|byte| byte == b' ' || byte.is_ascii_graphic())
        {
            return Some(Self(text.trim().to_owned()));
        }
        reader.refuse(
            value.span(),
            "a text that no header can carry",
            EXPECTED,
            None,
        );
        None
    }

    fn schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string" })
    }
}

/// A Host name without port, lower case.
#[derive(Debug, Clone)]
pub(super) struct HostText(pub(super) String);

impl Text for HostText {
    const EXPECTED: &'static str = "a host name or address without scheme and port";

    fn parse(text: &str) -> Result<Self, Refusal> {
        let bare = text.trim_start_matches('[').trim_end_matches(']');
        if let Ok(address) = bare.parse::<std::net::Ipv6Addr>() {
            return Ok(Self(address.to_string()));
        }
        if let Some(host) = host_name(text) {
            return Ok(Self(host));
        }
        let meant = base_url(text).or_else(|_| base_url(&format!("http://{text}")));
        Err(match meant {
            Ok(base) => Refusal::hint(format!("write \"{}\"", base.host)),
            // A wildcard would let a rebound name through, which is what the list is for.
            Err(_) if text.contains('*') => Refusal::hint("name each host: there is no wildcard"),
            Err(_) => Refusal::default(),
        })
    }
}

/// The origin of a browser or desktop app, lower case.
#[derive(Debug, Clone)]
pub(super) struct OriginText(pub(super) String);

impl Text for OriginText {
    const EXPECTED: &'static str =
        "an origin such as \"https://app.example\" or \"tauri://localhost\"";

    fn parse(text: &str) -> Result<Self, Refusal> {
        let lower = text.to_ascii_lowercase();
        if lower == "null" || lower.contains('*') {
            return Err(Refusal::hint(
                "any page of any site can claim that one: name each origin",
            ));
        }
        let Some((scheme, rest)) = lower.split_once("://") else {
            return Err(Refusal::default());
        };
        let named = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
        let authority = base_url(&format!("http://{rest}"));
        match authority {
            Ok(base) if !base.path.is_empty() || base.query.is_some() || rest.ends_with('/') => {
                let origin = rest.split(['/', '?']).next().unwrap_or_default();
                Err(Refusal::hint(format!("write \"{scheme}://{origin}\"")))
            }
            Ok(_) if !scheme.is_empty() && scheme.bytes().all(named) => Ok(Self(lower)),
            _ => Err(Refusal::default()),
        }
    }
}

/// A model's name, as requests give it.
#[derive(Debug, Clone)]
pub(super) struct ModelText(pub(super) String);

impl Text for ModelText {
    const EXPECTED: &'static str = "a model's name: letters, digits and . _ : / @ + -";

    fn parse(text: &str) -> Result<Self, Refusal> {
        if is_model(text) {
            Ok(Self(text.to_owned()))
        } else {
            Err(Refusal::default())
        }
    }
}

/// A model's name, or the beginning of one with a trailing `*`.
#[derive(Debug, Clone)]
pub(super) struct PatternText(pub(super) String);

impl Text for PatternText {
    const EXPECTED: &'static str = "a model's name, or a beginning such as \"gpt-*\"";

    fn parse(text: &str) -> Result<Self, Refusal> {
        let begin = text.strip_suffix('*').unwrap_or(text);
        if text == "*" || is_model(begin) {
            return Ok(Self(text.to_owned()));
        }
        Err(if begin.contains('*') {
            Refusal::hint("`*` may stand at the end only")
        } else {
            Refusal::default()
        })
    }
}

/// Whether a text can be a model's name: what the data plane itself accepts.
pub(super) fn is_model(text: &str) -> bool {
    (1..=256).contains(&text.len())
        && !text.contains("..")
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"._:/@+-".contains(&byte))
}
