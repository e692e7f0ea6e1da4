//! Finds where a provider is, and refuses addresses that would betray a key or loop back to us.

use crate::config::address::{base_url, is_own, is_private};
use crate::config::presets::{Preset, UrlKeys};
use crate::config::problem::nearest;
use crate::config::raw::RawProvider;
use crate::config::read::At;
use crate::config::settings::{AdminSettings, AuthScheme, BaseUrl, ServerSettings};

use super::work::{Span, Work};

/// Where a provider is.
#[derive(Debug)]
pub(in crate::config) struct Endpoint {
    pub(in crate::config) base: BaseUrl,
    pub(in crate::config) region: Option<String>,
    /// Where `base_url` stands, where the config gives one.
    pub(in crate::config) span: Span,
}

/// The base URL given, or the one that the preset makes.
pub(in crate::config) fn endpoint(
    path: &str,
    table: Span,
    raw: &RawProvider,
    (preset, named_region): (Option<&Preset>, Option<&str>),
    work: &mut Work<'_>,
) -> Option<Endpoint> {
    let keys = url_keys(path, raw, (preset, named_region), work).ok()?;
    if let Some(at) = &raw.base_url {
        return Some(Endpoint {
            base: at.value.clone(),
            region: keys.region,
            span: Some(at.span.clone()),
        });
    }
    let made = preset.map_or(Err("base_url"), |preset| preset.url(&keys));
    let missing = match made.map(|url| base_url(&url)) {
        Ok(Ok(base)) => {
            return Some(Endpoint {
                base,
                region: keys.region,
                span: None,
            });
        }
        // Each key was checked, so a URL made of them is one.
        Ok(Err(_)) => "base_url",
        Err(key) => key,
    };
    refuse_missing(path, table, missing, preset, work);
    None
}

fn refuse_missing(
    path: &str,
    table: Span,
    missing: &str,
    preset: Option<&Preset>,
    work: &mut Work<'_>,
) {
    let or_set = |what: &str, variables: &[String]| match variables {
        [] => what.to_owned(),
        _ => format!("{what}, or {} in the environment", variables.join(" or ")),
    };
    let (expected, hint) = match (missing, preset) {
        ("base_url", Some(preset)) => {
            let name = &preset.name;
            let expected = format!("the base_url of your own endpoint: {name} has no common one");
            (expected, None)
        }
        ("base_url", None) => {
            let name = path.rsplit('.').next().unwrap_or_default();
            let meant = work.nearest_preset(name);
            let hint = meant.map(|meant| format!("did you mean [providers.{meant}]?"));
            ("a base_url: this is no preset's name".to_owned(), hint)
        }
        ("region", Some(preset)) => {
            let regions = &preset.regions;
            let hint = (!regions.is_empty()).then(|| format!("one of {}", regions.join(", ")));
            (or_set("a region", &preset.region_variables), hint)
        }
        ("project", Some(preset)) => (or_set("a project", &preset.project_variables), None),
        ("resource", Some(preset)) => (
            or_set(
                "a resource, or a whole `base_url`",
                &preset.resource_variables,
            ),
            None,
        ),
        (key, _) => (format!("`{key}`, or a whole `base_url`"), None),
    };
    let path = format!("{path}.{missing}");
    work.refuse(path, table, "nothing", expected, hint);
}

/// The keys that a base URL may be made of, from the config, from the provider's own name, or from
/// the preset's variables.
fn url_keys(
    path: &str,
    raw: &RawProvider,
    (preset, named_region): (Option<&Preset>, Option<&str>),
    work: &mut Work<'_>,
) -> Result<UrlKeys, Refused> {
    let own_url = raw.base_url.is_some();
    let preset_variables = |variables: fn(&Preset) -> &Vec<String>| {
        preset
            .filter(|_| !own_url)
            .map_or(&[][..], |preset| variables(preset))
    };
    // A variable names the region only of a provider that is nowhere without one.
    let nowhere = preset.is_some_and(|preset| preset.base_url.is_none());
    let region_variables = if nowhere {
        preset_variables(|preset| &preset.region_variables)
    } else {
        &[]
    };
    let project_variables = preset_variables(|preset| &preset.project_variables);
    let named_region = named_region.filter(|_| raw.region.is_none());
    let keys = UrlKeys {
        region: match named_region {
            Some(region) => Some(region.to_owned()),
            None => part(path, "region", raw.region.as_ref(), region_variables, work)?
                .or_else(|| preset.filter(|_| !own_url)?.default_region.clone()),
        },
        project: part(
            path,
            "project",
            raw.project.as_ref(),
            project_variables,
            work,
        )?,
        resource: match (&raw.resource, preset.filter(|_| !own_url)) {
            (None, Some(preset)) => resource_of_environment(preset, work),
            (given, _) => part(path, "resource", given.as_ref(), &[], work)?,
        },
        deployment: part(path, "deployment", raw.deployment.as_ref(), &[], work)?,
        api_version: part(path, "api_version", raw.api_version.as_ref(), &[], work)?,
    };
    if let (Some(at), Some(preset)) = (&raw.region, preset) {
        know_region(path, at, preset, work);
    }
    for (key, given) in [
        ("project", &raw.project),
        ("resource", &raw.resource),
        ("deployment", &raw.deployment),
        ("api_version", &raw.api_version),
    ] {
        let idle = own_url || !preset.is_some_and(|preset| preset.takes(key));
        if let (Some(at), true) = (given, idle) {
            let expected = format!("`{key}` only where the preset's base URL has one");
            let found = format!("`{key}`, of which nothing is made");
            let span = Some(at.span.clone());
            let hint = match (key, &at.value) {
                ("api_version", version) if own_url => {
                    format!("end `base_url` with ?api-version={version}")
                }
                _ if own_url => "`base_url` says all of it".to_owned(),
                _ => "leave it out".to_owned(),
            };
            work.warn(format!("{path}.{key}"), span, found, expected, Some(hint));
        }
    }
    Ok(keys)
}

/// The name of a resource, or that in the address of its endpoint: where the key may go besides is
/// for the preset to say, not for a variable.
pub(super) fn resource_of_environment(preset: &Preset, work: &Work<'_>) -> Option<String> {
    let (_, value) = work.first_env(&preset.resource_variables)?;
    let name = match base_url(&value) {
        Ok(base) if preset.trusts(&base.host) => base.host.split('.').next()?.to_owned(),
        Ok(_) => return None,
        Err(_) => value,
    };
    is_part("resource", &name).then_some(name)
}

/// A key was given that cannot be part of a URL.
struct Refused;

/// A value that becomes part of a host or path, and so must not end either.
fn part(
    path: &str,
    key: &str,
    given: Option<&At<String>>,
    variables: &[String],
    work: &mut Work<'_>,
) -> Result<Option<String>, Refused> {
    let (value, span, found) = match given {
        Some(at) => (at.value.clone(), Some(at.span.clone()), work.show(at)),
        None => match work.first_env(variables) {
            Some((name, value)) => {
                let found = format!("something else in {name} (its value is not shown)");
                (value, None, found)
            }
            None => return Ok(None),
        },
    };
    if is_part(key, &value) {
        return Ok(Some(value));
    }
    let expected = if key == "deployment" {
        "letters, digits, - _ and ."
    } else {
        "letters, digits, - and _"
    };
    work.refuse(format!("{path}.{key}"), span, found, expected, None);
    Err(Refused)
}

fn know_region(path: &str, at: &At<String>, preset: &Preset, work: &mut Work<'_>) {
    if preset.regions.is_empty() || preset.knows_region(&at.value) {
        return;
    }
    let meant = nearest(&at.value, preset.regions.iter().map(String::as_str));
    work.warn(
        format!("{path}.region"),
        Some(at.span.clone()),
        work.show(at),
        format!("one of the regions known: {}", preset.regions.join(", ")),
        meant.map(|meant| format!("did you mean \"{meant}\"? It is taken as it stands")),
    );
}

fn is_part(key: &str, text: &str) -> bool {
    let dots = key == "deployment" && text != "." && !text.contains("..");
    let fits = |byte: u8| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_') || (dots && byte == b'.')
    };
    (1..=64).contains(&text.len()) && text.bytes().all(fits)
}

/// Refuses an endpoint that is ourselves, or to which a credential would go in plain text.
pub(in crate::config) fn check(
    path: &str,
    endpoint: &Endpoint,
    auth: AuthScheme,
    allow_plain_http: bool,
    (server, admin): (&ServerSettings, &AdminSettings),
    work: &mut Work<'_>,
) {
    let base = &endpoint.base;
    let path = format!("{path}.base_url");
    for (plane, listen, hosts) in [
        ("data", server.listen, &server.hosts),
        ("admin", admin.listen, &admin.hosts),
    ] {
        if is_own(base, listen, hosts.iter()) {
            work.refuse(
                path.as_str(),
                endpoint.span.clone(),
                format!(
                    "{}, which is Tollgate's own {plane} plane ({listen})",
                    base.authority()
                ),
                "another server: a request would run in a circle",
                None,
            );
        }
    }
    // Also without a key of ours: the clients' own credentials take the same way.
    if !base.https && auth != AuthScheme::None && !is_private(&base.host) && !allow_plain_http {
        work.refuse(
            path,
            endpoint.span.clone(),
            format!(
                "http:// to {}, where anyone on the way reads the key",
                base.host
            ),
            "https://, or a host on this machine or a private network",
            "say `auth = \"none\"` if it needs no key, or `allow_plain_http = true` if you mean it",
        );
    }
}
