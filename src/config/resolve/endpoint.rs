//! Finds where a provider is, and refuses addresses that would betray a key or loop back to us.

use crate::config::address::{base_url, is_own, is_private};
use crate::config::presets::{Preset, UrlKeys};
use crate::config::problem::nearest;
use crate::config::raw::RawProvider;
use crate::config::read::At;
use crate::config::settings::{AdminSettings, AuthScheme, BaseUrl, ServerSettings};

use super::work::{Hint, Span, Work};

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
    preset: Option<&Preset>,
    work: &mut Work<'_>,
) -> Option<Endpoint> {
    let keys = url_keys(path, raw, preset, work)?;
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
    let (expected, hint) = match (missing, preset) {
        ("base_url", Some(preset)) => (
            format!(
                "the base_url of your own endpoint: {} has no common one",
                preset.name
            ),
            Hint::default(),
        ),
        ("base_url", None) => {
            let name = path.rsplit('.').next().unwrap_or_default();
            let meant = work.nearest_preset(name);
            let hint = meant.map(|meant| format!("did you mean [providers.{meant}]?"));
            let expected = "a base_url: this is no preset's name".to_owned();
            (expected, Hint::from(hint))
        }
        (key, Some(preset)) if key == "region" => {
            let variables = &preset.region_variables;
            let hint = (!preset.regions.is_empty())
                .then(|| format!("one of {}", preset.regions.join(", ")));
            let or = if variables.is_empty() {
                String::new()
            } else {
                format!(", or {} in the environment", variables.join(" or "))
            };
            (format!("a region{or}"), Hint::from(hint))
        }
        (key, Some(preset)) if key == "project" && !preset.project_variables.is_empty() => {
            let variables = preset.project_variables.join(" or ");
            (
                format!("a project, or {variables} in the environment"),
                Hint::default(),
            )
        }
        (key, _) => (format!("`{key}`, or a whole `base_url`"), Hint::default()),
    };
    work.refuse(
        format!("{path}.{missing}"),
        table,
        "nothing",
        expected,
        hint,
    );
}

/// `region`, `project` and `resource`, from the config or the preset's variables.
fn url_keys(
    path: &str,
    raw: &RawProvider,
    preset: Option<&Preset>,
    work: &mut Work<'_>,
) -> Option<UrlKeys> {
    let own_url = raw.base_url.is_some();
    // A variable names the region only of a provider that is nowhere without one.
    let from_env = |names: &[String], needed: bool, work: &Work<'_>| {
        (needed && !own_url)
            .then(|| work.first_env(names))
            .flatten()
    };
    let needs_region = preset.is_some_and(|preset| preset.base_url.is_none());
    let no_names = Vec::new();
    let region_names = preset.map_or(&no_names, |preset| &preset.region_variables);
    let project_names = preset.map_or(&no_names, |preset| &preset.project_variables);
    let region = match &raw.region {
        Some(at) => {
            let region = part(path, "region", at, work)?;
            know_region(path, at, preset, work);
            region
        }
        None => env_part(
            path,
            "region",
            from_env(region_names, needs_region, work),
            work,
        )?,
    };
    let project = match &raw.project {
        Some(at) => part(path, "project", at, work)?,
        None => env_part(path, "project", from_env(project_names, true, work), work)?,
    };
    let resource = match &raw.resource {
        Some(at) => part(path, "resource", at, work)?,
        None => None,
    };
    for (key, given) in [("project", &raw.project), ("resource", &raw.resource)] {
        let idle = own_url || !preset.is_some_and(|preset| preset.takes(key));
        if let (Some(at), true) = (given, idle) {
            work.warn(
                format!("{path}.{key}"),
                Some(at.span.clone()),
                format!("a {key} that nothing is made of"),
                format!("`{key}` only where the preset's base URL has one"),
                None,
            );
        }
    }
    Some(UrlKeys {
        region,
        project,
        resource,
    })
}

fn know_region(path: &str, at: &At<String>, preset: Option<&Preset>, work: &mut Work<'_>) {
    let Some(preset) = preset.filter(|preset| !preset.regions.is_empty()) else {
        return;
    };
    if preset.regions.contains(&at.value) {
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

/// A value that becomes part of a host or path, and so must not end either.
fn part(path: &str, key: &str, at: &At<String>, work: &mut Work<'_>) -> Option<Option<String>> {
    if is_part(&at.value) {
        return Some(Some(at.value.clone()));
    }
    let expected = "letters, digits, - and _";
    work.refuse(
        format!("{path}.{key}"),
        Some(at.span.clone()),
        work.show(at),
        expected,
        None,
    );
    None
}

fn env_part(
    path: &str,
    key: &str,
    found: Option<(String, String)>,
    work: &mut Work<'_>,
) -> Option<Option<String>> {
    match found {
        Some((_, value)) if is_part(&value) => Some(Some(value)),
        Some((name, _)) => {
            let found = format!("something else in {name} (its value is not shown)");
            let expected = "letters, digits, - and _";
            work.refuse(format!("{path}.{key}"), None, found, expected, None);
            None
        }
        None => Some(None),
    }
}

fn is_part(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
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
