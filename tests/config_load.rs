//! Loads configs as a user would: none at all, the shipped ones, and bad ones.

#![expect(clippy::unwrap_used, reason = "a helper of a test may fail the test")]

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use tollgate::config::{Loaded, Problems, Severity, Sources, load, template};
use tollgate::routing::pricing::{Asked, Tier, instant};

/// An environment as pairs.
type Env<'a> = &'a [(&'a str, &'a str)];

fn load_with(text: Option<&str>, file: &str, env: Env<'_>) -> Result<Loaded, Problems> {
    let env: BTreeMap<_, _> = env.iter().copied().collect();
    load(&Sources {
        text,
        file,
        env: &|name| env.get(name).map(|value| (*value).to_owned()),
        read_file: &secret_file,
        read_text: &text_file,
        data_dir: PathBuf::from("/data"),
        cores: 2,
    })
}

/// A disk with four files on it.
fn secret_file(path: &Path) -> io::Result<String> {
    match path.file_name().and_then(|name| name.to_str()) {
        Some("tollgate_admin_token" | "good-token") => Ok("0123456789abcdef0123\n".to_owned()),
        Some("openai_api_key") => Ok("sk-from-file\n".to_owned()),
        Some("empty-token") => Ok("\n".to_owned()),
        _ => Err(io::Error::from(io::ErrorKind::NotFound)),
    }
}

/// Files of prices, a good one and a bad one, and those of TLS.
fn text_file(path: &Path) -> io::Result<String> {
    let row = "[[price]]\nproviders = [\"openai\"]\nmodels = [\"gpt-4.1\"]\n";
    match path.file_name().and_then(|name| name.to_str()) {
        Some("good-prices.toml") => Ok(format!(
            "version = \"mine\"\n{row}input = 1.5\noutput = 6\n"
        )),
        Some("bad-prices.toml") => Ok(format!("version = \"mine\"\n{row}input = \"cheap\"\n{row}")),
        Some("fullchain.pem") => Ok("-----BEGIN CERTIFICATE-----\n".to_owned()),
        Some("privkey.pem") => Ok("-----BEGIN EC PRIVATE KEY-----\n".to_owned()),
        _ => Err(io::Error::from(io::ErrorKind::NotFound)),
    }
}

#[test]
fn a_configs_prices_go_before_the_shipped_ones() {
    let of = |text: &str, model: &str| {
        let loaded = load_with(Some(text), "tollgate.toml", &[]).unwrap();
        let prices = &loaded.settings.prices;
        let asked = Asked {
            provider: "openai",
            preset: None,
            model,
            at: instant("2026-11-22").unwrap(),
            tier: Tier::Standard,
        };
        let input = prices.find(&asked).unwrap().prices.input.unwrap();
        (
            input.to_string(),
            prices.version().len() > "2026-11-22".len(),
        )
    };
    let file = "[prices]\nfile = \"good-prices.toml\"\n";
    let row =
        "[[prices.rows]]\nproviders = [\"openai\"]\nmodels = [\"gpt-4.1\"]\ninput = \"1.25\"\n";
    assert_eq!(of("", "gpt-4.1"), ("2".to_owned(), false));
    assert_eq!(of(file, "gpt-4.1"), ("1.50".to_owned(), true));
    assert_eq!(of(file, "gpt-4o"), ("2.50".to_owned(), true));
    assert_eq!(
        of(&format!("{file}{row}"), "gpt-4.1"),
        ("1.25".to_owned(), true)
    );
    // Other prices are other settings: records tell them apart.
    let hash = |text| load_with(Some(text), "t.toml", &[]).unwrap().settings.hash;
    assert_ne!(hash(""), hash(file));
}

#[test]
fn without_a_config_keys_are_found_in_the_environment() {
    struct Case {
        env: Env<'static>,
        keyed: &'static [(&'static str, &'static str)],
        default: Option<&'static str>,
        warnings: usize,
    }
    let cases = [
        Case {
            env: &[],
            keyed: &[],
            default: None,
            warnings: 0,
        },
        Case {
            env: &[("OPENAI_API_KEY", "sk-1")],
            keyed: &[("openai", "OPENAI_API_KEY")],
            default: Some("openai"),
            warnings: 0,
        },
        Case {
            env: &[
                ("OPENAI_API_KEY", " "),
                ("HF_TOKEN", "hf_1"),
                ("OPENAI_BASE_URL", "http://127.0.0.1:4100/v1"),
            ],
            keyed: &[("huggingface", "HF_TOKEN")],
            default: Some("huggingface"),
            warnings: 0,
        },
        Case {
            env: &[
                ("GOOGLE_API_KEY", "g"),
                ("GEMINI_API_KEY", "h"),
                ("XAI_API_KEY", "x"),
            ],
            keyed: &[("gemini", "GEMINI_API_KEY"), ("xai", "XAI_API_KEY")],
            default: None,
            warnings: 0,
        },
        Case {
            env: &[
                ("AWS_BEARER_TOKEN_BEDROCK", "b"),
                ("AWS_REGION", "eu-west-1"),
            ],
            keyed: &[("bedrock", "AWS_BEARER_TOKEN_BEDROCK")],
            default: Some("bedrock"),
            warnings: 0,
        },
        // A key without a place is said, not guessed.
        Case {
            env: &[("AWS_BEARER_TOKEN_BEDROCK", "b")],
            keyed: &[],
            default: None,
            warnings: 1,
        },
        Case {
            env: &[("AZURE_OPENAI_API_KEY", "a")],
            keyed: &[],
            default: None,
            warnings: 1,
        },
        // The endpoint names the resource; where keys go is not for a variable to say.
        Case {
            env: &[
                ("AZURE_OPENAI_API_KEY", "a"),
                ("AZURE_OPENAI_ENDPOINT", "https://contoso.openai.azure.com/"),
            ],
            keyed: &[("azure", "AZURE_OPENAI_API_KEY")],
            default: Some("azure"),
            warnings: 0,
        },
        Case {
            env: &[
                ("AZURE_OPENAI_API_KEY", "a"),
                (
                    "AZURE_OPENAI_ENDPOINT",
                    "https://openai.azure.com.evil.example/",
                ),
            ],
            keyed: &[],
            default: None,
            warnings: 1,
        },
        // A region alone is no reason to call AWS.
        Case {
            env: &[("AWS_REGION", "eu-west-1")],
            keyed: &[],
            default: None,
            warnings: 0,
        },
    ];
    for case in cases {
        let loaded = load_with(None, "tollgate.toml", case.env).unwrap();
        let found: Vec<_> = loaded
            .found
            .iter()
            .map(|(name, from)| (name.as_str(), from.as_str()))
            .collect();
        assert_eq!(found, case.keyed, "{:?}", case.env);
        let default = &loaded.settings.server.default_provider;
        assert_eq!(default.as_deref(), case.default, "{:?}", case.env);
        assert_eq!(loaded.warnings.len(), case.warnings, "{:?}", case.env);
        for name in [
            "openai",
            "anthropic",
            "gemini",
            "groq",
            "openrouter",
            "deepseek",
        ] {
            assert!(loaded.settings.provider(name).is_some(), "{name}");
        }
        for name in [
            "vllm",
            "ollama",
            "litellm",
            "vertex",
            "lepton",
            "gemini-openai",
        ] {
            assert!(loaded.settings.provider(name).is_none(), "{name}");
        }
    }
}

#[test]
fn a_bad_key_in_the_environment_is_said_without_showing_it() {
    let problems = load_with(
        None,
        "tollgate.toml",
        &[("OPENAI_API_KEY", "sk-very\nsecret")],
    )
    .unwrap_err();
    assert_eq!(problems.list[0].key_path, "providers.openai.api_key");
    assert_eq!(problems.list[0].line, None);
    assert!(!problems.to_string().contains("secret\""), "{problems}");
    assert!(!problems.to_string().contains("very"), "{problems}");
}

#[test]
fn the_default_config_changes_nothing() {
    for env in [
        &[][..],
        &[("OPENAI_API_KEY", "sk-1"), ("AWS_REGION", "eu-west-1")][..],
    ] {
        let without = load_with(None, "tollgate.toml", env).unwrap();
        let with = load_with(Some(template::DEFAULTS), "tollgate.toml", env).unwrap();
        assert_eq!(
            format!("{:#?}", with.settings),
            format!("{:#?}", without.settings)
        );
        assert_eq!(with.settings.hash, without.settings.hash);
        assert_eq!(with.warnings, []);
    }
}

#[test]
fn every_example_loads() {
    let env: &[_] = &[
        ("OPENAI_API_KEY", "sk-1"),
        ("OPENROUTER_API_KEY", "sk-2"),
        ("ANTHROPIC_API_KEY", "sk-3"),
        ("TOGETHER_API_KEY", "sk-4"),
        ("AZURE_SWEDEN_KEY", "a"),
        ("AZURE_US_KEY", "b"),
        ("AWS_BEARER_TOKEN_BEDROCK", "c"),
        ("TOLLGATE_TOKEN", "0123456789abcdef"),
    ];
    let mut count = 0;
    for path in toml_files(&root().join("config/examples")) {
        let text = fs::read_to_string(&path).unwrap();
        let loaded = load_with(Some(&text), "tollgate.toml", env)
            .unwrap_or_else(|problems| panic!("{}:\n{problems}", path.display()));
        assert_eq!(loaded.warnings, [], "{}", path.display());
        assert!(!loaded.settings.providers.is_empty());
        count += 1;
    }
    assert!(count >= 5);
}

#[test]
fn bad_configs_get_the_message_expected() {
    let update = std::env::var_os("UPDATE").is_some();
    let folder = root().join("tests/fixtures/config/bad");
    let files = toml_files(&folder);
    assert!(files.len() >= 30, "{}", files.len());
    let mut wrong = Vec::new();
    for path in files {
        let text = fs::read_to_string(&path).unwrap();
        let name = path.file_name().unwrap().to_str().unwrap();
        let env = &[
            ("SECRET", "sk-very-secret"),
            ("BAD_URL", "no url, sk-very-secret"),
            ("OPENAI_API_KEY", "sk-very-secret"),
        ];
        let shown = match load_with(Some(&text), name, env) {
            Err(problems) => problems.to_string(),
            Ok(loaded) => loaded
                .warnings
                .iter()
                .map(|warning| warning.render(name))
                .collect::<Vec<_>>()
                .join("\n"),
        };
        assert!(
            !shown.contains("very-secret"),
            "{name} shows a secret:\n{shown}"
        );
        let golden = path.with_extension("txt");
        if update {
            fs::write(&golden, &shown).unwrap();
        } else if fs::read_to_string(&golden).ok().as_deref() != Some(&shown) {
            wrong.push(format!("--- {name}\n{shown}"));
        }
    }
    assert!(
        wrong.is_empty(),
        "not as expected (UPDATE=1 rewrites):\n{}",
        wrong.join("\n")
    );
}

#[test]
fn problems_stand_in_the_order_of_their_lines() {
    let text =
        "[timeouts]\nconnect = 5\n[server]\nlisten = \"x\"\nlistn = 1\n[store]\ncache = \"big\"\n";
    let problems = load_with(Some(text), "t.toml", &[]).unwrap_err();
    let lines: Vec<_> = problems.list.iter().map(|problem| problem.line).collect();
    assert_eq!(lines, [Some(2), Some(4), Some(5), Some(7)]);
    assert!(
        problems
            .list
            .iter()
            .all(|problem| problem.severity == Severity::Error)
    );
    let view = problems.view();
    assert_eq!(view["file"], "t.toml");
    assert_eq!(view["problems"][2]["key_path"], "server.listn");
    assert_eq!(view["problems"][2]["hint"], "did you mean `listen`?");
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn toml_files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "toml")
        })
        .collect();
    files.sort();
    files
}
