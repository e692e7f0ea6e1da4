//! Holds the shipped defaults, the JSON Schema and the reader together, and throws noise at them.

#![expect(clippy::unwrap_used, reason = "a helper of a test may fail the test")]

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;

use proptest::prelude::*;
use serde_json::Value;

use tollgate::config::presets::presets;
use tollgate::config::{Loaded, Problems, Sources, load, schema, template};

#[test]
fn every_key_stands_in_the_default_config_and_no_other() {
    let full: Value = toml::from_str(&uncommented(template::DEFAULTS)).unwrap();
    let mut written = BTreeSet::new();
    paths_of_value(&full, &mut String::new(), &mut written);
    let schema = schema::schema();
    let mut known = BTreeSet::new();
    paths_of_schema(&schema, &schema, &mut String::new(), &mut known);
    let missing: Vec<_> = known.difference(&written).collect();
    let unknown: Vec<_> = written.difference(&known).collect();
    assert!(
        missing.is_empty(),
        "not in config/default.toml: {missing:?}"
    );
    assert!(
        unknown.is_empty(),
        "in config/default.toml only: {unknown:?}"
    );
    assert!(known.len() > 60, "{known:?}");
}

#[test]
fn what_is_commented_out_would_load() {
    let text = uncommented(template::DEFAULTS)
        .replace("token_file = ", "# ")
        .replace("\nfile = ", "\n# ")
        .replace("[server.tls]", "# ")
        .replace("\ncertificate = ", "\n# ")
        .replace("\nkey = \"privkey", "\n# ")
        .replace("per_hour = ", "# ")
        .replace("api_key_file = ", "# ")
        .replace("api_keys = ", "# ")
        .replace("api_key_command = ", "# ")
        .replace("login = ", "# ")
        .replace("aws_profile = ", "# ")
        .replace("credentials_file = ", "# ");
    let loaded = load_text(&text).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(loaded.settings.providers.len(), 1);
    // The table shows all URL keys at once, and what each policy asks for.
    let warned: Vec<_> = loaded
        .warnings
        .iter()
        .map(|warning| warning.key_path.as_str())
        .collect();
    assert_eq!(
        warned,
        [
            "providers.openai.project",
            "providers.openai.resource",
            "providers.openai.deployment",
            "providers.openai.api_version",
            "providers.openai.inference_profile",
            "providers.openai.api_key_timeout",
            "providers.openai.api_key_lifetime",
            "models.\"gpt-4.1\".policy",
            "models.\"gpt-4.1\".shadow",
            "models.\"gpt-4.1\".dollars_per_second",
            "models.\"gpt-4.1\".anchor",
            "models.\"gpt-4.1\".then",
            "rules[0].by",
            "rules[0].dollars_per_second",
            "rules[0].anchor",
            "rules[0].then",
            "failover.drain_time",
            "failover.drain_bytes",
        ]
    );
}

#[test]
fn every_line_of_the_default_config_says_why() {
    for (index, line) in template::DEFAULTS.lines().enumerate() {
        let bare = line.trim_start_matches("# ");
        let is_key = bare.split_once(" = ").is_some_and(|(key, _)| is_key(key));
        if is_key {
            assert!(
                bare.contains(" # "),
                "config/default.toml:{}: {line}",
                index + 1
            );
        }
    }
}

#[test]
fn the_schema_describes_every_key_and_knows_no_null() {
    let schema = schema::schema();
    let text = schema.to_string();
    assert!(!text.contains("null"), "{text}");
    assert_eq!(schema["title"], "RawConfig");
    let objects = schema["$defs"]
        .as_object()
        .unwrap()
        .values()
        .chain([&schema]);
    for object in objects {
        assert_eq!(object["additionalProperties"], false, "{object}");
        for (key, property) in object["properties"].as_object().unwrap() {
            assert!(property["description"].is_string(), "{key}: {property}");
        }
    }
    let choices = &schema["$defs"]["RawProvider"]["properties"]["dialect"]["enum"];
    assert_eq!(choices[0], "openai");
}

#[test]
fn the_fingerprint_tells_settings_apart_but_not_their_secrets() {
    let base = "[providers.openai]\napi_key = \"sk-1\"\n";
    let hash = |text: &str| load_text(text).unwrap().settings.hash;
    assert_eq!(
        hash(base),
        hash("[providers.openai]\napi_key = \"sk-2\" # other\n")
    );
    for other in [
        "[providers.openai]\n",
        "[providers.groq]\napi_key = \"sk-1\"\n",
        "[providers.openai]\napi_key = \"sk-1\"\nregion = \"eu\"\n",
        "[providers.openai]\napi_key = \"sk-1\"\n[timeouts]\nconnect = \"6s\"\n",
        "[providers.openai]\napi_key = \"sk-1\"\n[limits]\njson_depth = 64\n",
        "[providers.openai]\napi_key = \"sk-1\"\n[models.m]\nroutes = [{ provider = \"openai\" }]\n",
        "[providers.openai]\napi_key = \"sk-1\"\n[models.m]\nroutes = [{ provider = \"openai\" }]\n[experiments.e]\nmodel = \"m\"\nmode = \"aa\"\na = { provider = \"openai\" }\nb = { provider = \"openai\" }\n",
        "[providers.openai]\napi_key = \"sk-1\"\n[failover]\nattempts = 2\n",
        "[providers.openai]\napi_key = \"sk-1\"\n[probes]\nschedule = \"0 * * * *\"\n",
        "[providers.openai]\napi_key = \"sk-1\"\n[alerts]\nwebhook = \"https://a.example\"\n",
        "[providers.openai]\napi_key = \"sk-1\"\n[alerts]\ndrift = 0.3\n",
        "[providers.openai]\napi_key = \"sk-1\"\n[[rules]]\npolicy = \"cheapest\"\n",
        "[providers.openai]\napi_key = \"sk-1\"\nheaders.x-note = \"a\"\n",
        "[providers.openai]\napi_key = \"sk-1\"\ndiscount = 0.1\n",
        "[providers.openai]\napi_key = \"sk-1\"\nper_hour = 2.5\n",
        "[providers.openai]\napi_key = \"sk-1\"\n[catalogue.m]\nretired = \"2027-01-01\"\n",
        "[providers.openai]\napi_key = \"sk-1\"\n[[prices.rows]]\nproviders = [\"openai\"]\nmodels = [\"*\"]\ninput = 1\n",
    ] {
        assert_ne!(hash(base), hash(other), "{other}");
    }
    assert_eq!(
        hash("[providers.openai]\nheaders.x-my-token = \"a\"\n"),
        hash("[providers.openai]\nheaders.x-my-token = \"b\"\n")
    );
    assert_eq!(
        hash("[providers.openai]\n[alerts]\nwebhook = \"https://a.example/one\"\n"),
        hash("[providers.openai]\n[alerts]\nwebhook = \"https://a.example/two\"\n")
    );
    // The same number on every machine, or records of two releases could not be told together.
    assert_eq!(hash(base), PINNED);
}

/// Changes when a setting is added; then this number is to change, and nothing else.
const PINNED: u64 = 8_344_545_202_607_353_903;

#[test]
fn settings_are_those_of_the_text() {
    let text = r#"
        [server]
        hosts = ["Gate.Example", "[::1]"]
        origins = ["https://App.Example"]
        [store]
        path = "x.redb"
        [timeouts]
        total = "10m"
        [providers.eu]
        preset = "openai"
        region = "eu"
        [providers.claude]
        dialect = "anthropic"
        base_url = "https://claude.example/"
        headers = { X-Note = "n" }
        [providers.braintrust]
        headers = { X-BT-Use-Cache = "auto" }
        [providers.mantle]
        preset = "bedrock"
        dialect = "anthropic"
        base_url = "https://bedrock-mantle.us-east-1.api.aws/anthropic"
    "#;
    let settings = load_text(text).unwrap().settings;
    let shown = format!("{:?} {:?}", settings.server.hosts, settings.server.origins);
    assert_eq!(shown, r#"{"::1", "gate.example"} {"https://app.example"}"#);
    assert_eq!(settings.store.path, PathBuf::from("/data/x.redb"));
    assert_eq!(
        settings.timeouts.total.map(|total| total.as_secs()),
        Some(600)
    );
    let rows: Vec<_> = settings
        .providers
        .iter()
        .map(|provider| {
            format!(
                "{} {} {} {:?} {:?}",
                provider.name,
                provider.base,
                provider.dialect.name(),
                provider.auth,
                provider.headers
            )
        })
        .collect();
    assert_eq!(
        rows,
        [
            "eu https://eu.api.openai.com/v1 openai Bearer []",
            r#"claude https://claude.example anthropic XApiKey [("x-note", "n")]"#,
            r#"braintrust https://api.braintrust.dev/v1/proxy openai Bearer [("x-bt-use-cache", "auto")]"#,
            "mantle https://bedrock-mantle.us-east-1.api.aws/anthropic anthropic Bearer []",
        ]
    );
}

#[test]
fn every_preset_can_be_configured_by_its_name() {
    for preset in presets() {
        let text = format!(
            "[providers.{}]\nregion = \"us\"\nproject = \"p\"\nresource = \"r\"\n\
             deployment = \"d\"\napi_version = \"2024-10-21\"\n{}",
            preset.name,
            if &*preset.name == "lepton" {
                "base_url = \"https://x.lepton.run/api/v1\""
            } else {
                ""
            }
        );
        let loaded = load_text(&text).unwrap_or_else(|problems| panic!("{problems}"));
        let provider = &loaded.settings.providers[0];
        assert_eq!(provider.preset.as_deref(), Some(&*preset.name));
        assert_eq!(provider.usage_place, preset.traits.usage_place);
    }
}

#[test]
fn a_provider_named_by_preset_and_region_says_both() {
    for (name, preset, region, base) in [
        (
            "bedrock-us-east-1",
            "bedrock",
            "us-east-1",
            "https://bedrock-runtime.us-east-1.amazonaws.com",
        ),
        (
            "bedrock-us-west-2",
            "bedrock",
            "us-west-2",
            "https://bedrock-runtime.us-west-2.amazonaws.com",
        ),
        (
            "bedrock-eu-west-1",
            "bedrock",
            "eu-west-1",
            "https://bedrock-runtime.eu-west-1.amazonaws.com",
        ),
        (
            "bedrock-eu-central-1",
            "bedrock",
            "eu-central-1",
            "https://bedrock-runtime.eu-central-1.amazonaws.com",
        ),
        (
            "bedrock-ap-northeast-1",
            "bedrock",
            "ap-northeast-1",
            "https://bedrock-runtime.ap-northeast-1.amazonaws.com",
        ),
        (
            "bedrock-mantle-eu-west-1",
            "bedrock-mantle",
            "eu-west-1",
            "https://bedrock-mantle.eu-west-1.api.aws/openai/v1",
        ),
        (
            "vertex-us-central1",
            "vertex",
            "us-central1",
            "https://us-central1-aiplatform.googleapis.com/v1/projects/p/locations/us-central1",
        ),
        (
            "vertex-europe-west1",
            "vertex",
            "europe-west1",
            "https://europe-west1-aiplatform.googleapis.com/v1/projects/p/locations/europe-west1",
        ),
        (
            "vertex-asia-southeast1",
            "vertex",
            "asia-southeast1",
            "https://asia-southeast1-aiplatform.googleapis.com/v1/projects/p/locations/asia-southeast1",
        ),
        (
            "vertex-australia-southeast1",
            "vertex",
            "australia-southeast1",
            "https://australia-southeast1-aiplatform.googleapis.com/v1/projects/p/locations/australia-southeast1",
        ),
        (
            "vertex-global",
            "vertex",
            "global",
            "https://aiplatform.googleapis.com/v1/projects/p/locations/global",
        ),
        ("openai-eu", "openai", "eu", "https://eu.api.openai.com/v1"),
        (
            "xai-us-east-1",
            "xai",
            "us-east-1",
            "https://us-east-1.api.x.ai/v1",
        ),
        (
            "mistral-eu",
            "mistral",
            "eu",
            "https://api.eu.mistral.ai/v1",
        ),
    ] {
        let project = if preset == "vertex" {
            "project = \"p\"\n"
        } else {
            ""
        };
        let loaded = load_text(&format!("[providers.{name}]\n{project}")).unwrap();
        assert_eq!(loaded.warnings, [], "{name}");
        let provider = &loaded.settings.providers[0];
        assert_eq!(provider.preset.as_deref(), Some(preset), "{name}");
        assert_eq!(provider.region.as_deref(), Some(region), "{name}");
        assert_eq!(provider.base.to_string(), base, "{name}");
    }
    // Its own word goes before its name's, and a region that nobody knows is no region.
    let text = "[providers.bedrock-us-east-1]\nregion = \"eu-west-1\"\n";
    let region = load_text(text).unwrap().settings.providers[0]
        .region
        .clone();
    assert_eq!(region.as_deref(), Some("eu-west-1"));
    assert!(load_text("[providers.bedrock-moon-1]\n").is_err());
}

#[test]
fn bare_claude_ids_get_the_profile_that_the_config_asks_for() {
    let bare = "anthropic.claude-haiku-4-5-20251001-v1:0";
    for (provider, key, there) in [
        ("bedrock-eu-west-1", "", bare.to_owned()),
        (
            "bedrock-eu-west-1",
            "inference_profile = \"geo\"\n",
            format!("eu.{bare}"),
        ),
        (
            "bedrock-ap-northeast-1",
            "inference_profile = \"geo\"\n",
            format!("jp.{bare}"),
        ),
        (
            "bedrock-us-east-1",
            "inference_profile = \"global\"\n",
            format!("global.{bare}"),
        ),
    ] {
        let text = format!(
            "[providers.{provider}]\napi_key = \"k\"\n{key}[models.haiku]\nroutes = [{{ provider = \"{provider}\", \
             model = \"{bare}\" }}]\n"
        );
        let loaded = load_text(&text).unwrap();
        let route = &loaded.settings.models[0].routes[0];
        assert_eq!(route.model.as_deref(), Some(there.as_str()), "{text}");
        assert_eq!(loaded.warnings.is_empty(), !key.is_empty(), "{text}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    /// Whatever the text, it is taken or refused with at least one problem.
    #[test]
    fn no_text_makes_it_panic(text in "[\\PC\n]{0,200}") {
        judged(&text)?;
    }

    /// The same for texts that are nearly right.
    #[test]
    fn no_damage_makes_it_panic(
        cuts in prop::collection::vec((any::<prop::sample::Index>(), 0_usize..12, "[\"'\\[\\]{}=.$#\n é0-9a-z_]{0,4}"), 1..4)
    ) {
        let mut text = uncommented(template::DEFAULTS);
        for (at, length, with) in cuts {
            let start = floor(&text, at.index(text.len()));
            let end = floor(&text, start + length);
            text.replace_range(start..end.max(start), &with);
        }
        judged(&text)?;
    }

    /// The same for every key with any kind of value.
    #[test]
    fn no_value_makes_it_panic(key in any::<prop::sample::Index>(), value in value()) {
        let schema = schema::schema();
        let mut known = BTreeSet::new();
        paths_of_schema(&schema, &schema, &mut String::new(), &mut known);
        let known: Vec<_> = known.into_iter().collect();
        let path = key.get(&known).replace('*', "\"some.name\"").replace("[]", "");
        judged(&format!("{path} = {value}\n"))?;
    }
}

fn value() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        any::<i64>().prop_map(|number| number.to_string()),
        any::<bool>().prop_map(|flag| flag.to_string()),
        any::<f64>()
            .prop_filter("TOML has no sign on nan", |n| n.is_finite())
            .prop_map(|number| format!("{number:?}")),
        "[a-z0-9:/.$\\{\\}\\[\\]@#é -]{0,24}".prop_map(|text| format!("'{text}'")),
        "https?://[a-z0-9.:@\\[\\]]{0,16}(/[a-z?#.]{0,8})?".prop_map(|text| format!("'{text}'")),
        "[0-9]{1,22} ?(ms|s|d|MiB|GB|TiB)".prop_map(|text| format!("'{text}'")),
        Just("1979-05-27T07:32:00Z".to_owned()),
        Just("inf".to_owned()),
    ];
    leaf.prop_recursive(2, 8, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4)
                .prop_map(|items| format!("[{}]", items.join(", "))),
            prop::collection::btree_map("[a-z_]{1,9}", inner, 0..3).prop_map(|entries| {
                let entries: Vec<_> = entries
                    .iter()
                    .map(|(key, value)| format!("{key} = {value}"))
                    .collect();
                format!("{{ {} }}", entries.join(", "))
            }),
        ]
    })
}

/// Loads a text; what is refused is refused with a message that can be shown.
fn judged(text: &str) -> Result<(), TestCaseError> {
    if let Err(problems) = load_text(text) {
        prop_assert!(!problems.list.is_empty());
        prop_assert!(!problems.to_string().is_empty());
        let lines = text.lines().count().max(1) + 1;
        for problem in &problems.list {
            prop_assert!(problem.line.is_none_or(|line| (1..=lines).contains(&line)));
        }
    }
    Ok(())
}

fn load_text(text: &str) -> Result<Loaded, Problems> {
    load(&Sources {
        text: Some(text),
        file: "tollgate.toml",
        env: &|name| {
            VARIABLES
                .contains(&name)
                .then(|| "0123456789abcdef".to_owned())
        },
        read_file: &|_| Err(io::Error::from(io::ErrorKind::NotFound)),
        read_text: &|path| match path.extension().and_then(|end| end.to_str()) {
            // What a certificate's file and its key's look like.
            Some("pem") => Ok("-----BEGIN CERTIFICATE-----\n-----BEGIN PRIVATE KEY-----".into()),
            _ => std::fs::read_to_string(path),
        },
        data_dir: PathBuf::from("/data"),
        cores: 2,
    })
}

/// What is set in the environment of these tests.
const VARIABLES: &[&str] = &["OPENAI_API_KEY", "TOLLGATE_TOKEN", "TOLLGATE_ADMIN_TOKEN"];

/// The default config with everything in force that is commented out.
fn uncommented(text: &str) -> String {
    let line = |line: &str| {
        let bare = line.strip_prefix("# ").unwrap_or(line);
        let is_header = bare.starts_with('[');
        let is_entry = bare.split_once(" = ").is_some_and(|(key, _)| is_key(key));
        let kept = if is_header || is_entry { bare } else { line };
        format!("{kept}\n")
    };
    text.lines().map(line).collect()
}

fn is_key(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

/// Key paths with `*` for names that users choose and `[]` for lists of tables.
fn paths_of_value(value: &Value, path: &mut String, paths: &mut BTreeSet<String>) {
    match value {
        Value::Object(entries) => {
            let free = ["providers", "models", "experiments", "catalogue"].contains(&path.as_str())
                || path.ends_with("headers")
                || (path.starts_with("catalogue.") && path.rsplit('.').next() == Some("at"));
            for (key, value) in entries {
                let key = if free { "*" } else { key };
                step(path, key, |path| paths_of_value(value, path, paths));
            }
        }
        Value::Array(items) if items.iter().any(Value::is_object) => {
            for item in items {
                let length = path.len();
                path.push_str("[]");
                paths_of_value(item, path, paths);
                path.truncate(length);
            }
        }
        _ => {
            paths.insert(path.clone());
        }
    }
}

fn paths_of_schema(root: &Value, schema: &Value, path: &mut String, paths: &mut BTreeSet<String>) {
    let schema = match schema["$ref"].as_str() {
        Some(reference) => root.pointer(reference.trim_start_matches('#')).unwrap(),
        None => schema,
    };
    if let Some(properties) = schema["properties"].as_object() {
        for (key, property) in properties {
            step(path, key, |path| {
                paths_of_schema(root, property, path, paths);
            });
        }
    } else if schema["additionalProperties"].is_object() {
        step(path, "*", |path| {
            paths_of_schema(root, &schema["additionalProperties"], path, paths);
        });
    } else if schema["items"]["$ref"].is_string() {
        let length = path.len();
        path.push_str("[]");
        paths_of_schema(root, &schema["items"], path, paths);
        path.truncate(length);
    } else {
        paths.insert(path.clone());
    }
}

fn step(path: &mut String, key: &str, walk: impl FnOnce(&mut String)) {
    let length = path.len();
    if length > 0 {
        path.push('.');
    }
    path.push_str(key);
    walk(path);
    path.truncate(length);
}

fn floor(text: &str, at: usize) -> usize {
    (0..=at.min(text.len()))
        .rev()
        .find(|&index| text.is_char_boundary(index))
        .unwrap()
}
