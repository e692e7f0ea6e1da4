//! Takes every preset through a node before its simulated self, and keeps the README's table of providers true.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

#[expect(
    dead_code,
    unused_imports,
    reason = "the end-to-end tests use all of it"
)]
mod support;

#[path = "presets/calls.rs"]
mod calls;
#[path = "presets/places.rs"]
mod places;
#[path = "presets/table.rs"]
mod table;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io;
use std::io::{BufRead, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};

use tollgate::config::presets::{Preset, UrlKeys, presets};
use tollgate::config::settings::Settings;
use tollgate::config::{self, Sources};
use tollgate::simulator::Simulator;

use places::{API_VERSION, DEPLOYMENT, PLACES, PROJECT, Place, RESOURCE};
use support::Ask;
use support::rig::Rig;

fn preset_of(place: &Place) -> Preset {
    let mut presets = presets().into_iter();
    presets
        .find(|preset| &*preset.name == place.preset)
        .unwrap()
}

/// The settings of `text`, where the environment has `variables`.
fn settings(text: &str, variables: &[(String, String)]) -> Settings {
    let get = |name: &str| {
        let found = variables.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.clone())
    };
    let sources = Sources {
        text: Some(text),
        file: "presets.toml",
        env: &get,
        read_file: &|_| Err(io::Error::other("these tests read no files")),
        read_text: &|path| std::fs::read_to_string(path),
        data_dir: std::env::temp_dir(),
        cores: 1,
    };
    match config::load(&sources) {
        Ok(loaded) => loaded.settings,
        Err(problems) => panic!("{problems}\n{text}"),
    }
}

/// `[providers.<name>]` of a preset, at `base` where one is given.
fn table_of(name: &str, place: &Place, base: Option<&str>, key: Option<&str>) -> String {
    let mut text = format!("[providers.{name}]\npreset = \"{}\"\n", place.preset);
    let takes = |key: &str| base.is_none() && preset_of(place).takes(key);
    let lines = [
        ("region", place.region),
        ("project", takes("project").then_some(PROJECT)),
        ("resource", takes("resource").then_some(RESOURCE)),
        ("deployment", takes("deployment").then_some(DEPLOYMENT)),
        ("api_version", takes("api_version").then_some(API_VERSION)),
        ("base_url", base),
        ("api_key", key),
    ];
    for (key, value) in lines {
        if let Some(value) = value {
            writeln!(text, "{key} = \"{value}\"").unwrap();
        }
    }
    text
}

#[test]
fn every_preset_has_a_place_here_and_every_bedrock_region() {
    let here: BTreeSet<_> = PLACES.iter().map(|place| place.preset).collect();
    for preset in presets() {
        assert!(here.contains(preset.name.as_str()), "{}", preset.name);
    }
    for region in preset_of(PLACES.iter().find(|p| p.preset == "bedrock").unwrap()).regions {
        let tried = |place: &&Place| place.preset == "bedrock" && place.region == Some(&region);
        assert!(PLACES.iter().any(|place| tried(&place)), "{region}");
    }
}

#[test]
fn every_preset_is_where_its_documentation_says_and_finds_its_key() {
    for place in PLACES {
        let (preset, name) = (preset_of(place), place.name());
        let keys = UrlKeys {
            region: place.region.map(str::to_owned),
            project: Some(PROJECT.to_owned()),
            resource: Some(RESOURCE.to_owned()),
            deployment: Some(DEPLOYMENT.to_owned()),
            api_version: Some(API_VERSION.to_owned()),
        };
        if !place.given {
            assert_eq!(preset.url(&keys).as_deref(), Ok(place.base), "{name}");
        }
        // Every variable is taken when it is the only one, and goes to the preset's own host.
        for variable in &preset.variables {
            let base = place.given.then_some(place.base);
            let text = table_of(place.preset, place, base, None);
            let env = [(variable.clone(), "sk-FROM-VARIABLE".to_owned())];
            let settings = settings(&text, &env);
            let provider = &settings.providers[0];
            assert_eq!(provider.base.to_string(), place.base, "{name}");
            let own = preset.trusts(&provider.base.host);
            assert_eq!(provider.has_credential(), own, "{name}: {variable}");
            let source = own.then_some(variable.as_str());
            assert_eq!(provider.credential_from().as_deref(), source, "{name}");
        }
    }
}

/// A node before the simulated preset, which speaks below the preset's own path only.
fn stage(place: &Place) -> Rig {
    let preset = preset_of(place);
    let simulator = Simulator::start(calls::playing(&preset, place)).unwrap();
    let base = format!(
        "http://{}{}{}",
        simulator.addr(),
        place.path(),
        place.query()
    );
    let right = table_of(place.preset, place, Some(&base), Some(calls::KEY));
    let wrong = table_of("wrong", place, Some(&base), Some("sk-CANARY-WRONG"));
    Rig::of(simulator, settings(&format!("{right}{wrong}"), &[]))
}

#[test]
fn every_preset_is_called_read_and_recorded_right_and_the_readme_says_so() {
    let seen: Vec<_> = std::thread::scope(|scope| {
        let tried = PLACES.iter().map(|place| {
            scope.spawn(move || {
                let rig = stage(place);
                (place, calls::all(&rig, &preset_of(place), place))
            })
        });
        let tried: Vec<_> = tried.collect();
        tried
            .into_iter()
            .map(|tried| tried.join().unwrap())
            .collect()
    });
    table::check(&presets(), &seen);
}

/// Reads one request off a bare socket, and refuses it.
fn overhear(listener: &TcpListener) -> String {
    let mut stream = listener.accept().unwrap().0;
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let (mut head, mut length) = (String::new(), 0);
    while !head.ends_with("\r\n\r\n") {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        if let Some(value) = line.strip_prefix("content-length: ") {
            length = value.trim().parse().unwrap();
        }
        head.push_str(&line);
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let answer = b"HTTP/1.1 500 No\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    stream.write_all(answer).unwrap();
    head
}

#[test]
fn nothing_but_the_configured_credential_and_the_presets_headers_is_added() {
    for preset in presets() {
        let place = PLACES.iter().find(|place| *preset.name == *place.preset);
        let place = place.unwrap();
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let address = listener.local_addr().unwrap();
        let base = format!("http://{address}{}", place.path());
        let text = table_of(place.preset, place, Some(&base), Some(calls::KEY));
        let rig = Rig::of(
            Simulator::start(tollgate::simulator::Config::default()).unwrap(),
            settings(&text, &[]),
        );
        let ask =
            calls::foreign(calls::chat_of(&preset, "any", false).to(&format!("/{}", place.preset)));
        let head = std::thread::scope(|scope| {
            let heard = scope.spawn(|| overhear(&listener));
            rig.send(&ask);
            heard.join().unwrap()
        });
        let name = place.preset;
        assert!(head.contains(&format!("host: {address}\r\n")), "{head}");
        let (scheme, header) = match preset.traits.auth.header().unwrap() {
            "authorization" => ("Bearer ", "authorization"),
            other => ("", other),
        };
        let line = format!("{header}: {scheme}{}\r\n", calls::KEY);
        assert_eq!(head.matches(&line).count(), 1, "{name}: {head}");
        for secret in [calls::FOREIGN, "x-tollgate-tags", "cookie"] {
            assert!(!head.contains(secret), "{name}: {secret} in {head}");
        }
        for (header, value) in &preset.headers {
            assert!(
                head.contains(&format!("{header}: {value}\r\n")),
                "{name}: {head}"
            );
        }
    }
}

/// A request that the caller sends as this preset's client would.
pub(crate) fn to(ask: Ask, place: &Place) -> Ask {
    ask.to(&format!("/{}", place.preset))
}
