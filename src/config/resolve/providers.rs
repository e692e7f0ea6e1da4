//! Resolves the providers: those of the config, or without any those that the environment has
//! keys for.

use std::sync::Arc;

use crate::config::choices::ProfileWord;
use crate::config::kinds::{Amount, HeaderText, Part};
use crate::config::presets::{Preset, Traits, UrlKeys, languages, patterns};
use crate::config::problem::{nearest, quoted};
use crate::config::profiles::{GEOGRAPHIES, fits, geography};
use crate::config::raw::RawProvider;
use crate::config::read::{At, Entries, key_step};
use crate::config::settings::{
    AdminSettings, AuthScheme, BaseUrl, Efforts, Provider, ServerSettings, Translating,
};
use crate::record::{Dialect, Name};
use crate::routing::pricing::Share;

use super::credentials::{self, Asked, credentials};
use super::endpoint::{Endpoint, check, endpoint, resource_of_environment};
use super::logins::{self, Where};
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
        if let Ok((preset, region)) = preset_of(&path, &key, raw.value.preset.as_ref(), work) {
            let from = (preset, region, true);
            let provider = one(&path, &key, raw.value, from, listeners, work);
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
    let anywhere = |preset: &&Preset| !preset.local && !preset.named_only;
    for preset in work.presets.iter().filter(anywhere) {
        let fixed = preset.url(&UrlKeys::default()).is_ok();
        let variable = work.first_env(&preset.variables).map(|(name, _)| name);
        let login = logins::evidence(preset, work);
        if !fixed && variable.is_none() && login.is_none() {
            continue;
        }
        let path = format!("providers.{}", preset.name);
        let missing = if fixed {
            None
        } else {
            missing_place(preset, work)
        };
        let unknown = missing.is_some();
        if let (Some(missing), Some(variable)) = (missing, variable) {
            work.warn(
                path,
                None,
                format!("{variable} is set, but not where {} is", preset.name),
                format!("{missing}; it is left out"),
                None,
            );
            continue;
        }
        // A cloud's login serves other programs too: without a place it is nothing to speak of.
        if unknown {
            continue;
        }
        let key = At {
            value: preset.name.to_string(),
            span: 0..0,
        };
        let raw = RawProvider::default();
        let from = (Some(preset), None, false);
        let provider = one(&path, &key, raw, from, listeners, work);
        providers.extend(provider.map(Arc::new));
    }
    providers
}

/// What the environment does not say of a place that is needed, in words.
fn missing_place(preset: &Preset, work: &Work<'_>) -> Option<String> {
    let lacks =
        |key: &str, variables: &[String]| preset.takes(key) && work.first_env(variables).is_none();
    let set = |variables: &[String]| match variables {
        [] => "a config that says where".to_owned(),
        _ => format!("{} too", variables.join(" or ")),
    };
    if preset.base_url.is_none() && preset.region_url.is_none() {
        return Some(set(&[]));
    }
    let no_resource = preset.takes("resource") && resource_of_environment(preset, work).is_none();
    (no_resource.then(|| set(&preset.resource_variables)))
        .or_else(|| {
            lacks("region", &preset.region_variables).then(|| set(&preset.region_variables))
        })
        .or_else(|| {
            lacks("project", &preset.project_variables).then(|| set(&preset.project_variables))
        })
}

fn one(
    path: &str,
    key: &At<String>,
    mut raw: RawProvider,
    (preset, named_region, is_configured): (Option<&Preset>, Option<&str>, bool),
    listeners: (&ServerSettings, &AdminSettings),
    work: &mut Work<'_>,
) -> Option<Provider> {
    let traits = traits(&raw, preset);
    let table = Some(key.span.clone());
    let place = endpoint(path, table, &raw, (preset, named_region), work);
    let profile = profile(path, &raw, traits.dialect, place.as_ref(), work);
    let asked = Asked::of(&mut raw);
    let headers = headers(path, raw.headers, preset, work);
    let place = place?;
    let allow_plain = raw.allow_plain_http.is_some_and(|at| at.value);
    check(path, &place, traits.auth, allow_plain, listeners, work);
    let credentials = if traits.auth == AuthScheme::None {
        credentials::refuse(path, &asked, work);
        Vec::new()
    } else {
        let of = Where {
            base: &place.base,
            span: place.span.clone(),
            region: place.region.as_deref(),
            is_configured,
        };
        credentials(path, asked, preset, &of, work)
    };
    let models = match raw.models {
        Some(given) => patterns(Some(given)),
        None => preset.map_or_else(Vec::new, |preset| preset.models.clone()),
    };
    let own = preset.filter(|preset| preset.traits.dialect == traits.dialect);
    let speaks = match (&raw.speaks, own) {
        (None, Some(preset)) => preset.speaks.clone(),
        _ => languages(raw.speaks, traits.dialect),
    };
    let usual = Translating::default();
    let translating = Translating {
        drop_params: raw.drop_params.is_some_and(|at| at.value),
        merge_system: raw.merge_system.is_some_and(|at| at.value),
        pass_urls: raw.pass_urls.is_some_and(|at| at.value),
        max_tokens: raw.max_tokens_default.map(|at| at.value),
        anthropic_version: raw
            .anthropic_version
            .map_or(usual.anthropic_version, |at| at.value.0),
        efforts: match raw.effort_models {
            Some(given) => Efforts::Only(patterns(Some(given))),
            None => preset.map_or(usual.efforts, |preset| {
                Efforts::Also(preset.effort_models.clone())
            }),
        },
        refused: refused(own, raw.inject_usage.as_ref().map(|at| at.value)),
    };
    let discount = discount(path, raw.discount.as_ref(), raw.per_hour.as_ref(), work);
    Some(Provider {
        discount,
        per_hour: raw.per_hour.map(|at| at.value.0),
        hardware: raw
            .hardware
            .map(|at| at.value.0)
            .or_else(|| preset?.hardware.clone()),
        name: Name::from(key.value.as_str()),
        preset: preset.map(|preset| preset.name.clone()),
        dialect: traits.dialect,
        kind: traits.kind,
        region: place.region.as_deref().map(Name::from),
        profile,
        auth: traits.auth,
        credentials: credentials.into_iter().map(Arc::new).collect(),
        headers,
        inject_usage: traits.inject_usage,
        http2: traits.http2,
        ca_file: ca_file(path, raw.ca_file.as_ref(), &place.base, work),
        models,
        keepalive: traits.keepalive,
        usage_place: traits.usage_place,
        error_shape: traits.error_shape,
        speaks,
        translating,
        local: preset.is_some_and(|preset| preset.local),
        base: place.base,
    })
}

/// The fields of a chat request that are not said to a provider: those that its preset is known to
/// refuse, and what asks for usage, as the config has it.
fn refused(preset: Option<&Preset>, inject_usage: Option<bool>) -> Vec<String> {
    const ASKING: &str = "stream_options";
    let mut fields = preset.map_or_else(Vec::new, |preset| preset.refuses.clone());
    if let Some(asks) = inject_usage {
        fields.retain(|field| field != ASKING);
        if !asks {
            fields.push(ASKING.to_owned());
        }
    }
    fields
}

/// The geography of the profiles by which bare Claude ids are asked for.
fn profile(
    path: &str,
    raw: &RawProvider,
    dialect: Dialect,
    place: Option<&Endpoint>,
    work: &mut Work<'_>,
) -> Option<&'static str> {
    let at = raw.inference_profile.as_ref()?;
    let (path, span) = (format!("{path}.inference_profile"), Some(at.span.clone()));
    let region = place.and_then(|place| place.region.as_deref());
    if dialect != Dialect::Bedrock {
        let found = "a profile where no Bedrock is";
        let expected = "`inference_profile` only where the dialect is bedrock";
        work.warn(path, span, found, expected, None);
        return None;
    }
    match (at.value, region) {
        (ProfileWord::Geo, Some(region)) => {
            let own = geography(region);
            if own.is_none() {
                let found = format!("geo, in {}", quoted(region));
                let expected = "the profile's own word: of that region none is known";
                work.refuse(path, span, found, expected, GEOGRAPHIES.join(", "));
            }
            own
        }
        (ProfileWord::Geo, None) => {
            // Without a region there is no provider either, which is said elsewhere.
            let expected = "a `region` beside it, or the profile's own word";
            work.refuse(path, span, "geo, without a region", expected, None);
            None
        }
        (ProfileWord::Named(word), region) => {
            if let Some(region) = region.filter(|region| !fits(word, region)) {
                let own = geography(region).unwrap_or("global");
                let found = format!("{word}, which {region} does not have");
                let hint = format!("inference_profile = \"{own}\", or \"global\"");
                work.warn(path, span, found, "a profile of the region", hint);
            }
            Some(word)
        }
    }
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

/// The preset that the config names, or the provider's own name; and the region that the own name
/// says: `bedrock-eu-west-1` is the preset `bedrock` in a region that it knows.
fn preset_of<'p, 'k>(
    path: &str,
    key: &'k At<String>,
    given: Option<&At<String>>,
    work: &mut Work<'p>,
) -> Result<(Option<&'p Preset>, Option<&'k str>), NoSuchPreset> {
    let presets = work.presets;
    let named = |name: &str| presets.iter().find(|preset| &*preset.name == name);
    let region_of = |preset: &Preset| {
        let rest = key.value.strip_prefix(preset.name.as_str())?;
        let region = rest.strip_prefix('-')?;
        preset.knows_region(region).then_some(region)
    };
    let Some(at) = given else {
        if let Some(preset) = named(&key.value) {
            return Ok((Some(preset), None));
        }
        let mut regional = presets.iter().map(|preset| (preset, region_of(preset)));
        return Ok(match regional.find(|(_, region)| region.is_some()) {
            Some((preset, region)) => (Some(preset), region),
            None => (None, None),
        });
    };
    if let Some(preset) = named(&at.value) {
        return Ok((Some(preset), region_of(preset)));
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
