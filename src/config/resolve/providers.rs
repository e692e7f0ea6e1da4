//! Resolves the providers: those of the config, or without any those that the environment has
//! keys for.

use std::sync::Arc;

use crate::config::kinds::{Amount, HeaderText, Part};
use crate::config::presets::{Preset, Traits, UrlKeys, patterns};
use crate::config::problem::{nearest, quoted};
use crate::config::raw::RawProvider;
use crate::config::read::{At, Entries, key_step};
use crate::config::settings::{AdminSettings, AuthScheme, BaseUrl, Provider, ServerSettings};
use crate::record::{Dialect, Name};
use crate::routing::pricing::Share;

use super::credentials::{Asked, credential};
use super::endpoint::{check, endpoint};
use super::work::{Span, Work};

/// The providers that a config lists, in its order.
pub(in crate::config) fn configured(
    entries: Entries<RawProvider>,
    listeners: (&ServerSettings, &AdminSettings),
    work: &mut Work<'_>,
) -> Vec<Arc<Provider>> {
    let mut providers = Vec::new();
    for (key, raw) in entries.0 {
        let path = format!("providers.{}", key_step(&key.value));
        check_name(&path, &key, work);
        // What else follows from a preset that does not exist would only be noise.
        if let Ok(preset) = preset_of(&path, &key, raw.value.preset.as_ref(), work) {
            let provider = one(&path, &key, raw.value, preset, listeners, work);
            providers.extend(provider.map(Arc::new));
        }
    }
    providers
}

/// Without a config every preset in the cloud that is at one known place is there, with its key
/// where the environment has one: without a key the clients' own credentials are forwarded.
/// What needs a region or more is there where the environment has its key.
pub(in crate::config) fn found(
    listeners: (&ServerSettings, &AdminSettings),
    work: &mut Work<'_>,
) -> Vec<Arc<Provider>> {
    let mut providers = Vec::new();
    for preset in work.presets.iter().filter(|preset| !preset.local) {
        let fixed = preset.url(&UrlKeys::default()).is_ok();
        let variable = work.first_env(&preset.variables).map(|(name, _)| name);
        if !fixed && variable.is_none() {
            continue;
        }
        let path = format!("providers.{}", preset.name);
        let region = work.first_env(&preset.region_variables);
        if let (false, None, Some(variable)) = (fixed, region, variable) {
            work.warn(
                path,
                None,
                format!("{variable} is set, but not where {} is", preset.name),
                if preset.region_variables.is_empty() {
                    "a config that says where; it is left out".to_owned()
                } else {
                    format!(
                        "{} too; it is left out",
                        preset.region_variables.join(" or ")
                    )
                },
                None,
            );
            continue;
        }
        let key = At {
            value: preset.name.to_string(),
            span: 0..0,
        };
        let raw = RawProvider::default();
        let provider = one(&path, &key, raw, Some(preset), listeners, work);
        providers.extend(provider.map(Arc::new));
    }
    providers
}

fn one(
    path: &str,
    key: &At<String>,
    raw: RawProvider,
    preset: Option<&Preset>,
    listeners: (&ServerSettings, &AdminSettings),
    work: &mut Work<'_>,
) -> Option<Provider> {
    let traits = traits(&raw, preset);
    let place = endpoint(path, Some(key.span.clone()), &raw, preset, work);
    let headers = headers(path, raw.headers, preset, work);
    let place = place?;
    let allow_plain = raw.allow_plain_http.is_some_and(|at| at.value);
    check(path, &place, traits.auth, allow_plain, listeners, work);
    let asked = Asked {
        api_key: raw.api_key,
        api_key_file: raw.api_key_file,
        base_span: place.span.clone(),
    };
    let credential = if traits.auth == AuthScheme::None {
        refuse_idle_key(path, &asked, work);
        None
    } else {
        credential(path, asked, preset, &place.base, work)
    };
    let (key_given, key_source) = credential.map_or((None, None), |credential| {
        (Some(credential.key), Some(credential.source))
    });
    let models = match raw.models {
        Some(given) => patterns(Some(given)),
        None => preset.map_or_else(Vec::new, |preset| preset.models.clone()),
    };
    let discount = discount(path, raw.discount.as_ref(), raw.per_hour.as_ref(), work);
    Some(Provider {
        discount,
        per_hour: raw.per_hour.map(|at| at.value.0),
        name: Name::from(key.value.as_str()),
        preset: preset.map(|preset| preset.name.clone()),
        dialect: traits.dialect,
        kind: traits.kind,
        region: place.region.as_deref().map(Name::from),
        auth: traits.auth,
        key: key_given,
        key_source,
        headers,
        inject_usage: traits.inject_usage,
        http2: traits.http2,
        ca_file: ca_file(path, raw.ca_file.as_ref(), &place.base, work),
        models,
        keepalive: traits.keepalive,
        usage_place: traits.usage_place,
        error_shape: traits.error_shape,
        base: place.base,
    })
}

/// The share that the provider takes off: of prices per token, and not of all of them.
fn discount(
    path: &str,
    given: Option<&At<Part>>,
    per_hour: Option<&At<Amount>>,
    work: &mut Work<'_>,
) -> Option<Share> {
    let at = given?;
    let path = format!("{path}.discount");
    let span = Some(at.span.clone());
    if per_hour.is_some() {
        let expected = "`discount` or `per_hour`, not both";
        let hint = "write the hourly price as you pay it";
        work.refuse(path, span, "a discount on a price per hour", expected, hint);
        return None;
    }
    if at.value.0 == Share::WHOLE {
        let expected = "a share under 1, such as 0.1 for ten percent off";
        let hint = "a provider that costs nothing has rows with the price 0 in [prices]";
        work.refuse(path, span, "a discount of the whole price", expected, hint);
        return None;
    }
    Some(at.value.0)
}

/// How the provider speaks: the config's word, then the preset's, then its family's.
fn traits(raw: &RawProvider, preset: Option<&Preset>) -> Traits {
    let given = raw.dialect.as_ref().map(|at| at.value);
    // A preset's manners are those of its family: another family brings its own. What takes the
    // key stays the same house.
    let usual = match (preset, given) {
        (Some(preset), None) => preset.traits,
        (Some(preset), Some(dialect)) if dialect == preset.traits.dialect => preset.traits,
        (Some(preset), Some(dialect)) => Traits {
            kind: preset.traits.kind,
            auth: preset.traits.auth,
            ..Traits::of(dialect)
        },
        (None, dialect) => Traits::of(dialect.unwrap_or(Dialect::OpenAi)),
    };
    Traits {
        kind: raw.kind.as_ref().map_or(usual.kind, |at| at.value),
        auth: raw.auth.as_ref().map_or(usual.auth, |at| at.value),
        inject_usage: raw
            .inject_usage
            .as_ref()
            .map_or(usual.inject_usage, |at| at.value),
        http2: raw.http2.as_ref().map_or(usual.http2, |at| at.value),
        ..usual
    }
}

fn check_name(path: &str, key: &At<String>, work: &mut Work<'_>) {
    let name = key.value.as_str();
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let fits = (1..=64).contains(&name.len())
        && name.bytes().next().is_some_and(plain)
        && name
            .bytes()
            .all(|byte| plain(byte) || b"-_.".contains(&byte));
    if !fits {
        let made: String = name
            .to_lowercase()
            .chars()
            .map(|character| {
                if character.is_ascii_alphanumeric() {
                    character
                } else {
                    '-'
                }
            })
            .take(64)
            .collect();
        let made = made.trim_matches('-');
        let hint = (!made.is_empty()).then(|| format!("such as [providers.{made}]"));
        work.refuse(
            path,
            Some(key.span.clone()),
            quoted(name),
            "a name for URLs: lower-case letters, digits, - _ . and at most 64 of them",
            hint,
        );
    } else if RESERVED.contains(&name) {
        work.refuse(
            path,
            Some(key.span.clone()),
            quoted(name),
            "a name that no API path begins with: requests go to /<name>/v1/…",
            format!("such as [providers.my-{name}]"),
        );
    }
}

fn preset_of<'p>(
    path: &str,
    key: &At<String>,
    given: Option<&At<String>>,
    work: &mut Work<'p>,
) -> Result<Option<&'p Preset>, NoSuchPreset> {
    let presets = work.presets;
    let named = |name: &str| presets.iter().find(|preset| &*preset.name == name);
    let Some(at) = given else {
        return Ok(named(&key.value));
    };
    if let Some(preset) = named(&at.value) {
        return Ok(Some(preset));
    }
    let names: Vec<&str> = presets.iter().map(|preset| preset.name.as_str()).collect();
    let meant = nearest(&at.value, names.iter().copied());
    work.refuse(
        format!("{path}.preset"),
        Some(at.span.clone()),
        work.show(at),
        format!("one of {}", names.join(", ")),
        meant.map(|meant| format!("did you mean \"{meant}\"?")),
    );
    Err(NoSuchPreset)
}

struct NoSuchPreset;

fn headers(
    path: &str,
    given: Option<At<Entries<HeaderText>>>,
    preset: Option<&Preset>,
    work: &mut Work<'_>,
) -> Vec<(String, String)> {
    let mut headers = preset.map_or_else(Vec::new, |preset| preset.headers.clone());
    for (key, value) in given.into_iter().flat_map(|at| at.value.0) {
        let name = key.value.to_ascii_lowercase();
        let path = format!("{path}.headers.{}", key_step(&key.value));
        let span = Some(key.span);
        let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        if name.is_empty() || !name.bytes().all(token) {
            work.refuse(path, span, quoted(&name), "a header's name", None);
        } else if CREDENTIAL_HEADERS.contains(&name.as_str()) {
            let hint = "use `api_key`, and `auth` for the header it goes into";
            work.refuse(path, span, "a credential header", "any other header", hint);
        } else if OWN_HEADERS.contains(&name.as_str()) || name.starts_with("x-tollgate-") {
            let found = "a header that Tollgate itself decides on";
            work.refuse(path, span, found, "any other header", None);
        } else {
            headers.retain(|(known, _)| *known != name);
            headers.push((name, value.value.0));
        }
    }
    headers
}

fn refuse_idle_key(path: &str, asked: &Asked, work: &mut Work<'_>) {
    let key = asked.api_key.as_ref().map(|at| ("api_key", &at.span));
    let file = asked
        .api_key_file
        .as_ref()
        .map(|at| ("api_key_file", &at.span));
    for (name, span) in key.into_iter().chain(file) {
        let expected = "no credential, or another `auth`";
        let span = Some(span.clone());
        work.refuse(
            format!("{path}.{name}"),
            span,
            "a key with auth = \"none\"",
            expected,
            None,
        );
    }
}

fn ca_file(
    path: &str,
    given: Option<&At<std::path::PathBuf>>,
    base: &BaseUrl,
    work: &mut Work<'_>,
) -> Option<std::path::PathBuf> {
    let at = given?;
    if !base.https {
        let span: Span = Some(at.span.clone());
        let expected = "https:// in base_url";
        work.refuse(
            format!("{path}.ca_file"),
            span,
            "a root certificate for http://",
            expected,
            None,
        );
    }
    Some(work.beside(&at.value))
}

/// First segments of the paths that clients call without naming a provider.
const RESERVED: &[&str] = &[
    "v1",
    "v1beta",
    "v1alpha",
    "v2",
    "v3",
    "api",
    "audio",
    "batches",
    "chat",
    "completions",
    "embeddings",
    "engines",
    "files",
    "fine_tuning",
    "health",
    "healthz",
    "images",
    "livez",
    "messages",
    "metrics",
    "model",
    "models",
    "moderations",
    "readyz",
    "realtime",
    "rerank",
    "responses",
    "tollgate",
    "uploads",
    "vector_stores",
];

const CREDENTIAL_HEADERS: &[&str] = &["authorization", "x-api-key", "api-key", "x-goog-api-key"];

/// Hop-by-hop and framing headers, and those that proxies answer for.
const OWN_HEADERS: &[&str] = &[
    "accept-encoding",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "cookie",
    "expect",
    "forwarded",
    "host",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
];
