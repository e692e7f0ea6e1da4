//! Tells settings apart by one number, so that records say which ones were in force.

use std::fmt::Write;

use super::catalogue::OWN_SOURCE;
use super::credentials::CredentialFrom;
use super::presets::spoken_by;
use super::settings::{
    AdminSettings, AlertSettings, Efforts, Limits, Provider, ServerSettings, Settings,
    StoreSettings, Timeouts, Translating,
};
use crate::record::{Dialect, Language};

/// The fingerprint of settings. Secrets are left out: whether there is one counts, not which.
///
/// FNV-1a over one line per value, so that it is the same on every machine and in every build.
pub(super) fn fingerprint(settings: &Settings) -> u64 {
    let mut hash = Fnv(0xcbf2_9ce4_8422_2325);
    // Writing into a hash cannot fail.
    let _ = write_settings(&mut hash, settings);
    hash.0
}

struct Fnv(u64);

impl Write for Fnv {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        for byte in text.bytes() {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        Ok(())
    }
}

/// Each struct is taken apart by name: a field that is added has to be decided on here.
fn write_settings(out: &mut impl Write, settings: &Settings) -> std::fmt::Result {
    let Settings {
        server,
        admin,
        store,
        timeouts,
        limits,
        providers,
        models,
        rules,
        failover,
        probes,
        alerts,
        runs,
        experiments,
        prices,
        catalogue,
        hash: _,
    } = settings;
    write_server(out, server)?;
    write_admin(out, admin)?;
    write_store(out, store)?;
    write_timeouts(out, timeouts)?;
    write_limits(out, limits)?;
    for provider in providers {
        write_provider(out, provider)?;
    }
    // Plain values, every one of which decides where a request goes.
    for model in models {
        writeln!(out, "{model:?}")?;
    }
    for rule in rules {
        writeln!(out, "{rule:?}")?;
    }
    writeln!(out, "{failover:?}")?;
    writeln!(out, "{probes:?}")?;
    write_alerts(out, alerts)?;
    writeln!(out, "{runs:?}")?;
    for experiment in experiments.iter() {
        // Plain values, every one of which decides who is in which arm, or what is asked of them.
        writeln!(out, "{experiment:?}")?;
    }
    // The mark of the user's own rows: the shipped table's version stands in each record beside.
    let own = prices.version().split_once('+').map(|(_, own)| own);
    writeln!(out, "prices {own:?}")?;
    // Shipped entries come with the program's version.
    for model in catalogue.iter().filter(|facts| facts.source == OWN_SOURCE) {
        writeln!(out, "{model:?}")?;
    }
    Ok(())
}

fn write_alerts(out: &mut impl Write, alerts: &AlertSettings) -> std::fmt::Result {
    let AlertSettings {
        webhook,
        drift,
        availability,
        new_models,
    } = alerts;
    // The URL may be as good as a password.
    let webhook = webhook.is_some();
    writeln!(
        out,
        "alerts {webhook} {drift} {availability} {new_models:?}"
    )
}

fn write_server(out: &mut impl Write, server: &ServerSettings) -> std::fmt::Result {
    let ServerSettings {
        listen,
        hosts,
        origins,
        default_provider,
        tls,
        token,
        allow_unauthenticated,
        workers,
    } = server;
    writeln!(
        out,
        "server {listen} {hosts:?} {origins:?} {default_provider:?}"
    )?;
    if let Some(tls) = tls {
        writeln!(out, "tls {}", tls.certificate.display())?;
        writeln!(out, "tls {}", tls.key.display())?;
    }
    writeln!(out, "{} {allow_unauthenticated} {workers}", token.is_some())
}

fn write_admin(out: &mut impl Write, admin: &AdminSettings) -> std::fmt::Result {
    let AdminSettings {
        listen,
        hosts,
        token,
        allow_unauthenticated,
    } = admin;
    let token = token.is_some();
    writeln!(
        out,
        "admin {listen} {hosts:?} {token} {allow_unauthenticated}"
    )
}

fn write_store(out: &mut impl Write, store: &StoreSettings) -> std::fmt::Result {
    let StoreSettings {
        path,
        cache_bytes,
        keep_records,
        keep_bytes,
        keep_minutes,
        keep_hours,
        queue_max,
    } = store;
    writeln!(out, "store {}", path.display())?;
    writeln!(out, "store {cache_bytes} {keep_bytes} {queue_max}")?;
    for age in [keep_records, keep_minutes, keep_hours] {
        writeln!(out, "keep {}", age.as_nanos())?;
    }
    Ok(())
}

fn write_timeouts(out: &mut impl Write, timeouts: &Timeouts) -> std::fmt::Result {
    let Timeouts {
        connect,
        first_token,
        silence,
        total,
        request_headers,
        request_body,
        client_write,
        client_idle,
        pool_idle,
        drain,
    } = timeouts;
    for deadline in [
        connect,
        first_token,
        silence,
        request_headers,
        request_body,
        client_write,
        client_idle,
        pool_idle,
        drain,
    ] {
        writeln!(out, "timeout {}", deadline.as_nanos())?;
    }
    writeln!(out, "total {:?}", total.map(|total| total.as_nanos()))
}

fn write_limits(out: &mut impl Write, limits: &Limits) -> std::fmt::Result {
    let Limits {
        request_body_bytes,
        json_depth,
        header_bytes,
        headers,
        connections,
        in_flight,
        event_bytes,
        decoded_bytes,
        connections_per_provider,
    } = limits;
    writeln!(
        out,
        "limits {request_body_bytes} {json_depth} {header_bytes} {headers}"
    )?;
    writeln!(
        out,
        "limits {connections} {in_flight} {event_bytes} {decoded_bytes}"
    )?;
    writeln!(out, "limits {connections_per_provider}")
}

fn write_provider(out: &mut impl Write, provider: &Provider) -> std::fmt::Result {
    let Provider {
        name,
        preset,
        dialect,
        kind,
        base,
        region,
        profile,
        auth,
        credentials,
        headers,
        inject_usage,
        http2,
        ca_file,
        models,
        keepalive,
        usage_place,
        error_shape,
        speaks,
        translating,
        discount,
        per_hour,
        // The preset says it.
        local: _,
        // Said in reports, and changes no request.
        hardware: _,
    } = provider;
    writeln!(
        out,
        "provider {name:?} {preset:?} {} {}",
        dialect.name(),
        kind.name()
    )?;
    writeln!(
        out,
        "{:?} {region:?} {:?} {:?}",
        base.to_string(),
        auth.header(),
        provider.credential_from()
    )?;
    for source in credentials {
        if let Some(identity) = source.from.identity() {
            writeln!(out, "{identity}")?;
        }
        if let CredentialFrom::Command(command) = &source.from {
            writeln!(out, "{:?} {:?}", command.timeout, command.lifetime)?;
        }
    }
    writeln!(
        out,
        "{} {inject_usage} {http2} {ca_file:?} {models:?}",
        provider.has_credential()
    )?;
    writeln!(out, "{keepalive:?} {usage_place:?} {error_shape:?}")?;
    writeln!(out, "{discount:?} {per_hour:?}")?;
    write_speech(out, *dialect, speaks, translating)?;
    if let Some(profile) = profile {
        writeln!(out, "profile {profile}")?;
    }
    for (name, value) in headers {
        // A header of a user's own may carry a credential of a scheme that we do not know.
        let shown = if is_harmless(name) {
            value.as_str()
        } else {
            ""
        };
        writeln!(out, "header {name:?} {shown:?}")?;
    }
    Ok(())
}

fn write_speech(
    out: &mut impl Write,
    dialect: Dialect,
    speaks: &[Language],
    translating: &Translating,
) -> std::fmt::Result {
    let Translating {
        drop_params,
        merge_system,
        pass_urls,
        max_tokens,
        anthropic_version,
        efforts,
        refused,
    } = translating;
    // Only what differs, so that the fingerprints of before there were translations stay.
    if speaks != spoken_by(dialect) {
        let speaks: Vec<&str> = speaks.iter().map(|language| language.name()).collect();
        writeln!(out, "speaks {}", speaks.join(" "))?;
    }
    let usual = Translating {
        efforts: efforts.clone(),
        // By the preset, or by `inject_usage`, which is in it already.
        refused: refused.clone(),
        ..Translating::default()
    };
    // What is known of a preset comes with the program's version.
    if let Efforts::Only(models) = efforts {
        writeln!(out, "efforts {models:?}")?;
    }
    if *translating != usual {
        writeln!(
            out,
            "translating {drop_params} {merge_system} {pass_urls} {max_tokens:?} {anthropic_version:?}"
        )?;
    }
    Ok(())
}

fn is_harmless(name: &str) -> bool {
    ![
        "key",
        "token",
        "secret",
        "auth",
        "cookie",
        "password",
        "signature",
        "credential",
    ]
    .iter()
    .any(|word| name.contains(word))
}
