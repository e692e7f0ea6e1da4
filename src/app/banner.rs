//! Says at the start what was found, where it listens, and how to point clients at it.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;

use crate::config::settings::Settings;
use crate::record::Name;

/// The text printed at the start.
#[must_use]
pub fn banner(
    settings: &Settings,
    found: &[(Name, String)],
    (data, admin): (SocketAddr, SocketAddr),
    store: &str,
) -> String {
    let scheme = if settings.server.tls.is_some() {
        "https"
    } else {
        "http"
    };
    let mut text = format!("tollgate {}\n\n", env!("CARGO_PKG_VERSION"));
    let _ = writeln!(text, "  data plane   {scheme}://{data}/v1");
    let _ = writeln!(text, "  page         http://{admin}/");
    let _ = writeln!(text, "  store        {store}");
    text.push_str(&providers(settings, found));
    let open = settings.server.allow_unauthenticated && settings.server.token.is_none();
    if open && !data.ip().is_loopback() {
        text.push_str("\n  UNAUTHENTICATED: anybody who reaches the data plane can use its keys\n");
    }
    let _ = write!(
        text,
        "\nPoint your client at it (it keeps its own key where no key is configured here):\n\
         \x20 OpenAI SDKs      export OPENAI_BASE_URL={scheme}://{data}/v1\n\
         \x20 Anthropic SDKs   export ANTHROPIC_BASE_URL={scheme}://{data}\n\
         \x20 one provider     {scheme}://{data}/{{provider}}/v1\n\
         \x20 curl             curl {scheme}://{data}/v1/models\n"
    );
    text
}

/// The text printed by the demo.
#[must_use]
pub fn demo(data: SocketAddr, admin: SocketAddr, store: &Path) -> String {
    let store = store.display();
    format!(
        "tollgate {} demo\n\n  EVERYTHING HERE IS SIMULATED: providers, traffic and the last day.\n\n\
         \x20 page         http://{admin}/\n\
         \x20 data plane   http://{data}/v1\n\
         \x20 store        {store}\n\n\
         Reports: tollgate report routes --origin demo --store {store}\n\
         \x20        tollgate report tax --origin demo --store {store}\n\n\
         Try it:  curl -N http://{data}/openai/v1/chat/completions \\\n\
         \x20          -H 'content-type: application/json' \\\n\
         \x20          -d '{{\"model\":\"gpt-4.1\",\"stream\":true,\"messages\":[]}}'\n\n\
         Ctrl-C ends it and removes its store.\n",
        env!("CARGO_PKG_VERSION")
    )
}

fn providers(settings: &Settings, found: &[(Name, String)]) -> String {
    let (with_key, without): (Vec<_>, Vec<_>) = settings
        .providers
        .iter()
        .partition(|provider| provider.has_credential());
    let mut text = String::from("  providers    ");
    if with_key.is_empty() {
        text.push_str("no key found: clients' own keys are forwarded to the provider addressed\n");
    }
    for (index, provider) in with_key.iter().enumerate() {
        let from = found
            .iter()
            .find(|(name, _)| *name == provider.name)
            .map(|(_, variable)| variable.clone())
            .or_else(|| provider.credential_from())
            .unwrap_or_default();
        let indent = if index == 0 { "" } else { "               " };
        let _ = writeln!(
            text,
            "{indent}{:<12} {} (key from {from})",
            provider.name, provider.base
        );
    }
    if !without.is_empty() {
        let names: Vec<_> = without
            .iter()
            .map(|provider| provider.name.as_str())
            .collect();
        let _ = writeln!(text, "  without key  {}", names.join(", "));
    }
    text
}
