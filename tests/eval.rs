//! Runs `tollgate eval` itself against simulated providers: what it asks, scores, keeps and forgets.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a helper of a test may fail the test"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tollgate::simulator::{AnswerKey, Behaviour, Config, Persona, Quirks, Simulator};

/// What stands in every prompt, in every answer, and in what judges say.
const ASKED: &str = "zanzibar-prompt";
const ANSWERED: &str = "quetzal-answer";
const REASONED: &str = "wombat-reason";

/// Who answers each of 12 questions with a word of its own, and judges by whether it is there.
fn simulator() -> Simulator {
    let mut rows = Vec::new();
    let judged = |choice: &str| json!({"name": "select_choice", "arguments": {"choice": choice, "reasoning": REASONED}});
    for n in 0..12 {
        let right = format!("[Answer handed in]\n{ANSWERED} {n}\n");
        rows.push(json!({"contains": [format!("{ASKED} {n}?"), right], "call": judged("C")}));
    }
    rows.push(json!({"contains": ["[Answer handed in]"], "call": judged("D")}));
    for n in 0..12 {
        let question = format!("{ASKED} {n}?");
        rows.push(json!({"contains": [question], "say": format!("{ANSWERED} {n}")}));
    }
    let lines: String = rows.iter().map(|row| format!("{row}\n")).collect();
    let behaviour = Behaviour {
        key: Some(Arc::new(AnswerKey::of_lines(&lines).unwrap())),
        ..Behaviour::default()
    };
    Simulator::start(Config {
        personas: vec![Persona::new(Quirks::openai(), behaviour)],
        ..Config::default()
    })
    .unwrap()
}

/// A folder with a data set, and a config: `m` by a host that is right and one that is not.
fn stage(simulator: &Simulator, other: &Simulator) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let (one, two) = (simulator.addr(), other.addr());
    // A bare name would lie in the user's data directory.
    let store = folder.path().join("store.redb");
    let store = store.display();
    let text = format!(
        r#"
        store.path = "{store}"
        [providers.good]
        base_url = "http://{one}/v1"
        api_key = "sk-one"
        [providers.bad]
        base_url = "http://{two}/v1"
        api_key = "sk-two"
        [models.m]
        routes = [
            {{ provider = "good", model = "sim:ft-2ms" }},
            {{ provider = "bad", model = "sim:ft-4ms:right-0" }},
        ]
        [models.judge]
        routes = [{{ provider = "good", model = "sim:ft-1ms" }}]
        [[prices.rows]]
        providers = ["good", "bad"]
        models = ["sim*"]
        input = 1
        output = 10
        "#
    );
    fs::write(folder.path().join("tollgate.toml"), text).unwrap();
    let item = |n: usize| {
        let kind = if n.is_multiple_of(2) { "even" } else { "odd" };
        json!({
            "id": format!("item-{n}"),
            "input": {"q": format!("{ASKED} {n}?")},
            "expected": format!("{ANSWERED} {n}"),
            "metadata": {"kind": kind},
        })
    };
    let set: String = (0..12).map(|n| format!("{}\n", item(n))).collect();
    fs::write(folder.path().join("set.jsonl"), set).unwrap();
    fs::write(folder.path().join("ask.txt"), "Say it: {{input.q}}").unwrap();
    let scorers = r#"
        [words]
        kind = "normalised"
        [judged]
        kind = "judge"
        model = "judge"
        max_tokens = 64
        [own]
        kind = "command"
        command = ["sh", "-c", "grep -q quetzal && echo '{\"score\": 0.5, \"rationale\": \"wombat-reason\"}'"]
    "#;
    fs::write(folder.path().join("scorers.toml"), scorers).unwrap();
    folder
}

const USUAL: [&str; 13] = [
    "eval",
    "set.jsonl",
    "--models",
    "m",
    "--prompt",
    "ask.txt",
    "--seed",
    "3",
    "--max-tokens",
    "32",
    "--run",
    "one",
    "--json",
];

fn command(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tollgate"));
    command
        .current_dir(folder)
        .args(["--config", "tollgate.toml"])
        .args(args);
    command
}

fn tollgate(folder: &Path, args: &[&str]) -> Output {
    command(folder, args).output().unwrap()
}

fn error(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn result(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", error(output)))
}

fn scores_report(folder: &Path) -> Value {
    let output = tollgate(folder, &["report", "scores", "--format", "json"]);
    assert!(output.status.success(), "{}", error(&output));
    result(&output)
}

fn lines(folder: &Path) -> Vec<Value> {
    let text = fs::read_to_string(folder.join("results/one/scores.jsonl")).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// Every file below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let below = |path: PathBuf| {
        if path.is_dir() {
            files(&path)
        } else {
            vec![path]
        }
    };
    entries.flat_map(below).collect()
}

fn holds(text: &[u8], word: &str) -> bool {
    text.windows(word.len())
        .any(|window| window == word.as_bytes())
}

#[test]
fn answers_are_scored_by_each_scorer_and_forgotten() {
    let (simulator, other) = (simulator(), simulator());
    let folder = stage(&simulator, &other);
    let folder = folder.path();
    let wanted = [
        "--scorers",
        "scorers.toml",
        "--trials",
        "2",
        "--group-by",
        "kind",
    ];
    let output = tollgate(folder, &[&USUAL[..], &wanted].concat());
    assert!(output.status.success(), "{}", error(&output));
    let found = result(&output);
    assert_eq!(
        (&found["schema"], &found["end"]),
        (&"tollgate.eval/1".into(), &"complete".into())
    );
    assert_eq!(found["plan"]["seed"], 3);
    let scores: BTreeMap<(String, String), (f64, f64, f64)> = found["scores"]
        .as_array()
        .unwrap()
        .iter()
        .map(|of| {
            let text = |key: &str| of[key].as_str().unwrap().to_owned();
            let number = |key: &str| of[key].as_f64().unwrap();
            assert_eq!(of["items"], 12, "{of}");
            (
                (text("provider"), text("scorer")),
                (number("low"), number("score"), number("high")),
            )
        })
        .collect();
    for (provider, scorer, score) in [
        ("good", "words", 1.0),
        ("good", "judged", 1.0),
        ("good", "own", 0.5),
        ("bad", "words", 0.0),
        ("bad", "judged", 0.0),
        ("bad", "own", 0.5),
    ] {
        let (low, found, high) = scores[&(provider.to_owned(), scorer.to_owned())];
        assert!((found - score).abs() < 1e-9, "{provider} {scorer}: {found}");
        assert!(
            low <= found && found <= high && high - low > 0.05,
            "{low} {found} {high}"
        );
    }
    let all = lines(folder);
    assert_eq!(all.len(), 48);
    for line in &all {
        assert_eq!(line["exchange"]["origin"], "eval");
        assert_eq!(line["exchange"]["active"]["run"], "one");
        let [judge] = &line["judges"].as_array().unwrap()[..] else {
            panic!("{line}")
        };
        assert_eq!(judge["active"]["run"], "one.judge");
        assert_eq!(judge["tags"], json!(["judge"]));
        assert!(["even", "odd"].contains(&line["groups"]["kind"].as_str().unwrap()));
    }
    let of_route = |provider: &str| -> Vec<&Value> {
        let all = all
            .iter()
            .filter(|line| line["exchange"]["attempts"][0]["provider"] == provider);
        all.map(|line| &line["item"]).collect()
    };
    assert_ne!(
        of_route("good"),
        of_route("bad"),
        "each route has an order of its own"
    );
    let report = tollgate(
        folder,
        &["report", "models", "--origin", "eval", "--format", "csv"],
    );
    assert!(String::from_utf8_lossy(&report.stdout).contains("good"));
    // The store tells the same as the run itself did.
    let kept = scores_report(folder);
    let table = |report: &Value, key: &str| report["tables"][key].as_array().unwrap().clone();
    let (mut told, mut own) = (table(&kept, "pairs"), table(&found["report"], "pairs"));
    assert_eq!(told.len(), 3);
    for rows in [&mut told, &mut own] {
        rows.sort_by_key(|row| row["scorer"].to_string());
    }
    for (told, own) in told.iter().zip(&mut own) {
        let mut told = told.clone();
        let basis = told.as_object_mut().unwrap().remove("basis");
        assert_eq!(basis, Some("the same items".into()));
        let set = told.as_object_mut().unwrap().remove("data_set");
        assert_eq!(set.unwrap().as_str().unwrap().len(), 8);
        assert_eq!(told, *own);
    }
    let newest = table(&kept, "scores");
    assert!(newest[0]["duration_p50_ms"].is_number(), "{newest:?}");
    // What was found is drawn, as the report of the store draws it.
    let charts = tollgate(folder, &["bench", "charts", "results", "--out", "charts"]);
    assert!(charts.status.success(), "{}", error(&charts));
    for name in ["one-eval", "one-eval-3", "one-eval-5"] {
        let file = |kind: &str| fs::read(folder.join(format!("charts/{name}.{kind}"))).unwrap();
        assert!(file("svg").starts_with(b"<svg "), "{name}");
        assert!(holds(&file("txt"), "m at good"), "{name}");
    }
    // What was asked, answered and reasoned stands in what the user wrote, and nowhere else.
    let own = ["set.jsonl", "scorers.toml"].map(|name| folder.join(name));
    assert!(files(folder).contains(&folder.join("store.redb")));
    for path in files(folder).iter().filter(|path| !own.contains(path)) {
        let text = fs::read(path).unwrap();
        for word in [ASKED, ANSWERED, REASONED, "sk-one"] {
            let is_config = path.ends_with("tollgate.toml") && word == "sk-one";
            assert!(
                is_config || !holds(&text, word),
                "{word} in {}",
                path.display()
            );
        }
    }
    for text in [&output.stdout, &output.stderr, &report.stdout] {
        assert!(
            ![ASKED, ANSWERED, REASONED]
                .iter()
                .any(|word| holds(text, word))
        );
    }
}

#[test]
fn answers_are_kept_where_the_user_wants_them() {
    let (simulator, other) = (simulator(), simulator());
    let folder = stage(&simulator, &other);
    let folder = folder.path();
    let wanted = [
        "--scorers",
        "scorers.toml",
        "--keep-answers",
        "kept",
        "--providers",
        "good",
    ];
    let output = tollgate(folder, &[&USUAL[..], &wanted].concat());
    assert!(output.status.success(), "{}", error(&output));
    let kept = folder.join("kept/one.jsonl");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&kept), mode(&folder.join("kept"))), (0o600, 0o700));
    let text = fs::read_to_string(&kept).unwrap();
    assert_eq!(text.lines().count(), 12);
    for line in text.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let item = line["item"].as_str().unwrap().replace("item-", "");
        assert_eq!(line["answer"], format!("{ANSWERED} {item}"));
        let reasons = ["words", "judged", "own"].map(|scorer| line["rationales"][scorer].clone());
        assert_eq!(reasons, [Value::Null, REASONED.into(), REASONED.into()]);
    }
    for path in files(folder)
        .iter()
        .filter(|path| **path != kept && !path.ends_with("set.jsonl"))
    {
        let text = fs::read(path).unwrap();
        assert!(!holds(&text, ANSWERED), "{}", path.display());
    }
}

#[test]
fn a_run_that_broke_off_goes_on_where_it_was() {
    let (simulator, other) = (simulator(), simulator());
    let folder = stage(&simulator, &other);
    let folder = folder.path();
    let args = [&USUAL[..], &["--scorer", "exact"]].concat();
    let output = tollgate(folder, &args);
    assert!(output.status.success(), "{}", error(&output));
    let whole = result(&output);
    // As after a kill: the last line is cut off.
    let path = folder.join("results/one/scores.jsonl");
    let text = fs::read_to_string(&path).unwrap();
    let cut: usize = text.lines().take(15).map(|line| line.len() + 1).sum();
    fs::write(&path, &text[..cut - 40]).unwrap();
    let before = simulator.request_count() + other.request_count();
    let again = tollgate(folder, &args);
    assert!(again.status.success(), "{}", error(&again));
    let asked = simulator.request_count() + other.request_count() - before;
    assert_eq!(asked, 10, "24 less the 14 that stood there whole");
    assert_eq!(result(&again)["scores"], whole["scores"]);
    let tasks: BTreeSet<u64> = lines(folder)
        .iter()
        .map(|line| line["task"].as_u64().unwrap())
        .collect();
    assert_eq!(tasks, (0..24).collect());
    // Another plan under the same name would mix two runs.
    for (other, key) in [
        (&["--scorer", "normalised"][..], "prompts_sha256"),
        (&["--scorer", "exact", "--trials", "2"], "trials"),
        (&["--scorer", "exact", "--providers", "good"], "routes"),
    ] {
        let output = tollgate(folder, &[&USUAL[..], other].concat());
        assert_eq!(output.status.code(), Some(2));
        let told = error(&output);
        assert!(
            told.contains("holds another run") && told.contains(key),
            "{told}"
        );
    }
}

#[test]
fn ctrl_c_keeps_what_was_measured() {
    let (simulator, other) = (simulator(), simulator());
    let folder = stage(&simulator, &other);
    let folder = folder.path();
    let config = fs::read_to_string(folder.join("tollgate.toml")).unwrap();
    fs::write(
        folder.join("tollgate.toml"),
        config.replace("ft-2ms", "ft-500ms"),
    )
    .unwrap();
    let args = [
        &USUAL[..],
        &[
            "--scorer",
            "exact",
            "--providers",
            "good",
            "--concurrency",
            "1",
        ],
    ]
    .concat();
    let mut running = command(folder, &args);
    let running = running
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    wait_for(|| simulator.request_count() >= 4);
    let id = rustix::process::Pid::from_raw(i32::try_from(running.id()).unwrap()).unwrap();
    rustix::process::kill_process(id, rustix::process::Signal::INT).unwrap();
    let output = running.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", error(&output));
    let kept = lines(folder).len();
    assert!((3..12).contains(&kept), "{kept}");
    assert_eq!(result(&output)["end"], "interrupted");
    assert!(
        error(&output).contains("--run one --seed 3"),
        "{}",
        error(&output)
    );
    let output = tollgate(folder, &args);
    assert!(output.status.success(), "{}", error(&output));
    assert_eq!(lines(folder).len(), 12);
}

fn wait_for(is: impl Fn() -> bool) {
    for _ in 0..3_000 {
        if is() {
            return;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("it never came to it");
}

#[test]
fn what_is_wrong_is_told_before_anything_is_asked() {
    let (simulator, other) = (simulator(), simulator());
    let folder = stage(&simulator, &other);
    let folder = folder.path();
    for (name, text) in [
        ("empty.jsonl", "\n\n"),
        ("malformed.jsonl", "{\"input\": \"a\"}\n{\"input\": \n"),
        (
            "no-q.jsonl",
            "{\"input\": {\"q\": \"a\"}, \"expected\": \"b\"}\n{\"input\": {\"p\": \"a\"}}\n",
        ),
        ("bad.txt", "one\n{{question}}"),
        ("bad.toml", "[x]\nkind = \"no-such\""),
        ("bad.json", "{}"),
    ] {
        fs::write(folder.join(name), text).unwrap();
    }
    fs::write(folder.join("taken"), "a file").unwrap();
    let exact = ["--scorer", "exact"];
    for (set, args, message) in [
        ("empty.jsonl", &exact[..], "empty.jsonl holds no item"),
        ("malformed.jsonl", &exact, "malformed.jsonl line 2: no JSON"),
        ("none.jsonl", &exact, "cannot read none.jsonl"),
        (
            "no-q.jsonl",
            &exact,
            "no-q.jsonl line 2: no `input.q`, which line 1 of the prompt asks for",
        ),
        ("set.jsonl", &[], "name who scores"),
        (
            "set.jsonl",
            &["--scorer", "command:/nonexistent/scorer --all"],
            "/nonexistent/scorer is no program that may be run",
        ),
        (
            "set.jsonl",
            &["--scorer", "command:no-such-program-anywhere"],
            "is no program that may be run",
        ),
        (
            "set.jsonl",
            &["--scorer", "exactly"],
            "`exactly` is no scorer",
        ),
        ("set.jsonl", &["--scorer", "tool-call"], "expected a call"),
        (
            "set.jsonl",
            &["--scorer", "exact", "--scorer", "exact"],
            "two scorers are called exact",
        ),
        (
            "set.jsonl",
            &["--scorers", "bad.toml"],
            "bad.toml: [x]: `no-such` is no scorer",
        ),
        (
            "set.jsonl",
            &["--scorer", "judge:nobody"],
            "no provider here serves nobody",
        ),
        (
            "set.jsonl",
            &["--scorer", "exact", "--system", "bad.txt"],
            "bad.txt line 2: `{{question}}` is no field",
        ),
        (
            "set.jsonl",
            &["--scorer", "exact", "--tools", "bad.json"],
            "bad.json: expected a list",
        ),
        (
            "set.jsonl",
            &["--scorer", "exact", "--group-by", "size"],
            "--group-by size: no item",
        ),
        (
            "set.jsonl",
            &["--scorer", "exact", "--providers", "none"],
            "no provider is called none",
        ),
        (
            "set.jsonl",
            &["--scorer", "exact", "--max-cost", "0.0001"],
            "over --max-cost",
        ),
        (
            "set.jsonl",
            &["--scorer", "exact", "--out", "taken"],
            "cannot use taken/one",
        ),
        (
            "set.jsonl",
            &["--scorer", "exact", "--keep-answers", "taken"],
            "cannot use taken",
        ),
    ] {
        let mut usual = USUAL;
        usual[1] = set;
        let output = tollgate(folder, &[&usual[..], args].concat());
        let told = error(&output);
        assert_eq!(output.status.code(), Some(2), "{set} {args:?}: {told}");
        assert!(told.contains(message), "{set} {args:?}: {told}");
        assert!(!told.contains(ANSWERED), "{told}");
    }
    let output = tollgate(folder, &[&USUAL[..], &exact, &["--dry-run"]].concat());
    assert!(
        output.status.success() && error(&output).contains("at most $"),
        "{}",
        error(&output)
    );
    assert_eq!(simulator.request_count() + other.request_count(), 0);
}

#[test]
fn scorers_that_fail_say_nothing_of_answers() {
    let (simulator, other) = (simulator(), simulator());
    let folder = stage(&simulator, &other);
    let folder = folder.path();
    let scorers = r#"
        [right]
        kind = "exact"
        [exits]
        kind = "command"
        command = ["sh", "-c", "exit 4"]
        [crashes]
        kind = "command"
        command = ["sh", "-c", "kill -SEGV $$"]
        [rubbish]
        kind = "command"
        command = ["cat"]
        [hangs]
        kind = "command"
        command = ["sh", "-c", "sleep 300 & wait"]
        timeout = "200ms"
        [silent_judge]
        kind = "judge"
        model = "judge"
        choices = { yes = 1, no = 0 }
        max_tokens = 16
    "#;
    fs::write(folder.join("failing.toml"), scorers).unwrap();
    let args = [
        &USUAL[..],
        &["--scorers", "failing.toml", "--providers", "good"],
    ]
    .concat();
    let output = tollgate(folder, &args);
    assert!(output.status.success(), "{}", error(&output));
    let all = lines(folder);
    assert_eq!(all.len(), 12);
    for line in &all {
        let scores = line["scores"].as_array().unwrap();
        assert_eq!(scores[0]["score"], 1.0, "one failing scorer harms no other");
        for (scored, message) in scores[1..].iter().zip([
            "exit status: 4",
            "signal: 11",
            "no number `score`",
            "longer than 200ms",
            "made no choice",
        ]) {
            assert_eq!(
                (&scored["score"], &scored["nothing"]),
                (&Value::Null, &Value::Null)
            );
            let told = scored["error"].as_str().unwrap();
            assert!(told.contains(message), "{scored}");
            assert!(!told.contains(ANSWERED), "{told}");
        }
    }
    let found = result(&output);
    let scorers: Vec<_> = found["scores"]
        .as_array()
        .unwrap()
        .iter()
        .map(|of| &of["scorer"])
        .collect();
    assert_eq!(scorers, ["right"], "who always failed has given no score");
    let args = [
        &USUAL[..10],
        &["--run", "unscored", "--scorer", "command:false"],
    ]
    .concat();
    let output = tollgate(folder, &args);
    assert_eq!(
        output.status.code(),
        Some(1),
        "a run without a score is no success"
    );
    let told = error(&output);
    assert!(
        told.contains("no answer could be scored: scorer command"),
        "{told}"
    );
}

#[test]
fn a_route_gains_nothing_by_answers_that_are_empty() {
    let (simulator, other) = (simulator(), simulator());
    let folder = stage(&simulator, &other);
    let folder = folder.path();
    let config = fs::read_to_string(folder.join("tollgate.toml")).unwrap();
    let empty = "sim:ft-4ms:fault-empty_answer+empty_stream+done_only:rate-0.5";
    let config = config.replace("sim:ft-4ms:right-0", empty);
    fs::write(folder.join("tollgate.toml"), config).unwrap();
    let args = [&USUAL[..], &["--scorer", "exact", "--trials", "4"]].concat();
    let output = tollgate(folder, &args);
    assert!(output.status.success(), "{}", error(&output));
    let (empty, said): (Vec<Value>, Vec<Value>) = lines(folder)
        .into_iter()
        .filter(|line| line["exchange"]["attempts"][0]["provider"] == "bad")
        .partition(|line| line["exchange"]["outcome"] == "empty");
    assert!(!empty.is_empty() && !said.is_empty());
    assert_eq!(empty.len() + said.len(), 48);
    for line in &empty {
        assert_eq!(line["scores"][0]["nothing"], "an empty answer", "{line}");
    }
    assert!(said.iter().all(|line| line["scores"][0]["score"] == 1.0));
    let found = result(&output);
    let scores = found["scores"].as_array().unwrap();
    let value = |provider: &str| {
        let of = scores.iter().find(|of| of["provider"] == provider).unwrap();
        assert_eq!(of["items"], 12, "{of}");
        of["score"].as_f64().unwrap()
    };
    assert!((value("good") - 1.0).abs() < 1e-9);
    let expected = said.len() as f64 / 48.0;
    assert!(
        (value("bad") - expected).abs() < 1e-9,
        "{} {expected}",
        value("bad")
    );
}

#[test]
fn a_route_that_dies_fails_and_the_others_go_on() {
    let (simulator, other) = (simulator(), simulator());
    let folder = stage(&simulator, &other);
    let folder = folder.path();
    let config = fs::read_to_string(folder.join("tollgate.toml")).unwrap();
    fs::write(
        folder.join("tollgate.toml"),
        config.replace("ft-4ms", "ft-60ms"),
    )
    .unwrap();
    let args = [&USUAL[..], &["--scorer", "exact", "--trials", "4"]].concat();
    let mut running = command(folder, &args);
    let running = running
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    wait_for(|| other.request_count() >= 8);
    drop(other);
    let output = running.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", error(&output));
    let (good, bad): (Vec<Value>, Vec<Value>) = lines(folder)
        .into_iter()
        .partition(|line| line["exchange"]["attempts"][0]["provider"] == "good");
    assert_eq!(
        (good.len(), bad.len()),
        (48, 48),
        "nothing measured is lost"
    );
    assert!(good.iter().all(|line| line["scores"][0]["score"] == 1.0));
    let dead = bad
        .iter()
        .filter(|line| line["exchange"]["outcome"] != "ok");
    let dead: Vec<_> = dead.collect();
    assert!((36..48).contains(&dead.len()), "{}", dead.len());
    assert!(
        dead.iter()
            .all(|line| line["scores"].as_array().unwrap().is_empty())
    );
}

#[test]
fn a_full_disk_ends_the_run_and_loses_nothing_that_was_measured() {
    let (simulator, other) = (simulator(), simulator());
    let folder = stage(&simulator, &other);
    let folder = folder.path();
    fs::create_dir_all(folder.join("results/one")).unwrap();
    symlink("/dev/full", folder.join("results/one/scores.jsonl")).unwrap();
    let output = tollgate(folder, &[&USUAL[..], &["--scorer", "exact"]].concat());
    assert_eq!(output.status.code(), Some(3), "{}", error(&output));
    let told = error(&output);
    assert!(told.contains("cannot write what was measured"), "{told}");
    let found = result(&output);
    assert_eq!(found["end"], "unwritten");
    assert_eq!(
        found["scores"].as_array().unwrap().len(),
        1,
        "what came first is in the report"
    );
    let report = tollgate(
        folder,
        &["report", "models", "--origin", "eval", "--format", "csv"],
    );
    let text = String::from_utf8_lossy(&report.stdout).into_owned();
    assert!(
        text.contains("good") || text.contains("bad"),
        "the store has its record: {text}"
    );
    // With room again the same command begins anew.
    fs::remove_file(folder.join("results/one/scores.jsonl")).unwrap();
    let output = tollgate(folder, &[&USUAL[..], &["--scorer", "exact"]].concat());
    assert!(output.status.success(), "{}", error(&output));
    assert_eq!(lines(folder).len(), 24);
}

#[test]
fn the_report_is_written_in_every_format() {
    let (simulator, other) = (simulator(), simulator());
    let folder = stage(&simulator, &other);
    let folder = folder.path();
    let args: Vec<&str> = USUAL[..12]
        .iter()
        .copied()
        .chain(["--scorer", "exact", "--group-by", "kind"])
        .collect();
    for (format, begins) in [
        ("table", "Evaluation"),
        ("markdown", "# "),
        ("json", "{"),
        ("csv", ""),
        ("html", "<!"),
    ] {
        let output = tollgate(folder, &[&args[..], &["--format", format]].concat());
        assert!(output.status.success(), "{}", error(&output));
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(
            text.to_lowercase().starts_with(&begins.to_lowercase()),
            "{format}: {text}"
        );
        for word in ["good", "bad", "even", "odd", "exact"] {
            assert!(text.contains(word), "{format} {word}: {text}");
        }
    }
    assert_eq!(
        simulator.request_count() + other.request_count(),
        24,
        "what stands is not asked again"
    );
}

#[test]
fn the_shipped_example_runs_over_the_simulator() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/eval");
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    for path in files(&examples) {
        fs::copy(&path, folder.join(path.file_name().unwrap())).unwrap();
    }
    let key = fs::read_to_string(folder.join("answers.jsonl")).unwrap();
    let behaviour = Behaviour {
        key: Some(Arc::new(AnswerKey::of_lines(&key).unwrap())),
        ..Behaviour::default()
    };
    let simulator = Simulator::start(Config {
        personas: vec![Persona::new(Quirks::openai(), behaviour)],
        ..Config::default()
    })
    .unwrap();
    let config = fs::read_to_string(folder.join("tollgate.toml")).unwrap();
    let address = simulator.addr().to_string();
    let store = folder.join("eval.redb").display().to_string();
    let config = config
        .replace("127.0.0.1:4200", &address)
        .replace("eval.redb", &store);
    fs::write(folder.join("tollgate.toml"), config).unwrap();
    for (args, scorers) in [
        (
            &[
                "reading.jsonl",
                "--prompt",
                "ask.txt",
                "--scorers",
                "scorers.toml",
                "--max-tokens",
                "64",
            ][..],
            &["same_words", "factuality"][..],
        ),
        (
            &[
                "factuality.jsonl",
                "--prompt",
                "factuality.txt",
                "--scorer",
                "choice",
            ],
            &["choice"],
        ),
    ] {
        let usual = [
            "--models",
            "tiny-8b",
            "--providers",
            "southern",
            "--seed",
            "1",
            "--json",
        ];
        let output = tollgate(folder, &[&["eval"], args, &usual].concat());
        assert!(output.status.success(), "{}", error(&output));
        let found = result(&output);
        let all = found["scores"].as_array().unwrap();
        let names: Vec<_> = all
            .iter()
            .map(|of| of["scorer"].as_str().unwrap())
            .collect();
        assert_eq!(names, scorers);
        for of in all {
            assert_eq!(of["items"], 44, "{of}");
            // That model is told to be right 55 times of 100; other choices may be near the right one.
            let (score, low) = (of["score"].as_f64().unwrap(), of["low"].as_f64().unwrap());
            assert!((0.3..0.95).contains(&score) && low < score, "{of}");
        }
    }
}

/// A running server, ended with the test.
struct Server(std::process::Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn routes_must_be_shown_to_reach_min_score() {
    let (simulator, other) = (simulator(), simulator());
    let folder = stage(&simulator, &other);
    let folder = folder.path();
    let config = fs::read_to_string(folder.join("tollgate.toml")).unwrap();
    // One port after the other is free for a moment after it was bound.
    let [data, admin] =
        [0, 0].map(|port| std::net::TcpListener::bind(("127.0.0.1", port)).unwrap());
    let [data, admin] = [data, admin].map(|listener| listener.local_addr().unwrap());
    let asks = "[models.m]\n        min_score = { scorer = \"exact\", at_least = 0.5 }";
    let head = format!("server.listen = \"{data}\"\nadmin.listen = \"{admin}\"\n");
    let body = config.replace("[models.m]", asks);
    fs::write(folder.join("tollgate.toml"), head + &body).unwrap();
    let mut serve = command(folder, &["serve"]);
    let _server = Server(
        serve
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap(),
    );
    wait_for(|| std::net::TcpStream::connect(admin).is_ok());
    let left_out = || -> Vec<Value> {
        let output = tollgate(folder, &["routes", "--model", "m", "--json"]);
        let all = result(&output);
        let routes = all["models"][0]["routes"].as_array().unwrap().clone();
        routes
            .iter()
            .map(|route| route["left_out"].clone())
            .collect()
    };
    assert_eq!(left_out(), ["score_unknown", "score_unknown"]);
    // Beside the server, which has the store: it is handed the scores.
    let output = tollgate(folder, &[&USUAL[..], &["--scorer", "exact"]].concat());
    assert!(output.status.success(), "{}", error(&output));
    assert!(
        !error(&output).contains("unknown to `min_score`"),
        "{}",
        error(&output)
    );
    assert_eq!(left_out(), [Value::Null, "min_score".into()]);
    let kept = scores_report(folder).to_string();
    assert!(kept.contains("the same items"), "{kept}");
    // Nor does a request say otherwise.
    let output = tollgate(folder, &["routes", "--model", "m"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        text.contains("its score is not shown to reach min_score"),
        "{text}"
    );
    // A run that asks less is sure of less, and the newest one counts.
    let set = fs::read_to_string(folder.join("set.jsonl")).unwrap();
    let few: String = set
        .lines()
        .take(2)
        .map(|line| format!("{line}\n"))
        .collect();
    fs::write(folder.join("set.jsonl"), few).unwrap();
    let mut again = USUAL;
    again[11] = "two";
    let output = tollgate(folder, &[&again[..], &["--scorer", "exact"]].concat());
    assert!(output.status.success(), "{}", error(&output));
    assert_eq!(
        left_out(),
        ["min_score", "min_score"],
        "2 of 2 do not show a half"
    );
}
