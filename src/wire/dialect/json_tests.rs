//! Compares the reader with serde's, on cases and on JSON that is made up and broken at random.

use serde::de::IgnoredAny;

use super::*;
use crate::wire::dialect::lenient::{Count, Filled, List, Number, Raw, Text, Truth};

/// Reads every value, of whatever type, to its last leaf.
#[derive(Debug, Default, PartialEq)]
struct Tree(String);

impl<'de> Lenient<'de> for Tree {
    fn text(text: &str) -> Self {
        Self(format!("{text:?}"))
    }
    fn number(number: f64) -> Self {
        // serde may be a last bit off.
        Self(format!("{number:.9e}"))
    }
    fn count(count: u64) -> Self {
        Self(count.to_string())
    }
    fn truth(truth: bool) -> Self {
        Self(truth.to_string())
    }
    fn seq(seq: &mut Elements<'_, 'de>) -> Result<Self, NotJson> {
        let mut all = "[".to_owned();
        while let Some(Self(element)) = seq.next()? {
            all += &element;
            all.push(' ');
        }
        Ok(Self(all + "]"))
    }
    fn map(map: &mut Members<'_, 'de>) -> Result<Self, NotJson> {
        let mut all = "{".to_owned();
        while let Some(key) = map.key()? {
            let Self(value) = map.value()?;
            all += &[&format!("{key:?}:"), &*value, " "].concat();
        }
        Ok(Self(all + "}"))
    }
}

/// The same of serde's tree, which sorts keys and keeps the last of two.
fn of_serde(value: &serde_json::Value) -> String {
    use serde_json::Value;
    match value {
        Value::Null => String::new(),
        Value::Bool(truth) => truth.to_string(),
        Value::Number(number) => match number.as_u64() {
            Some(count) => count.to_string(),
            None => format!("{:.9e}", number.as_f64().unwrap()),
        },
        Value::String(text) => format!("{text:?}"),
        Value::Array(list) => {
            let all: String = list.iter().map(|item| of_serde(item) + " ").collect();
            format!("[{all}]")
        }
        Value::Object(map) => {
            let all: String = map
                .iter()
                .map(|(key, value)| format!("{key:?}:{} ", of_serde(value)))
                .collect();
            format!("{{{all}}}")
        }
    }
}

/// What both readers make of `text` is the same, whether it is read or passed over.
fn compare(text: &str, how: &str) {
    let passed = serde_json::from_str::<IgnoredAny>(text).is_ok();
    let mut json = Json {
        text,
        at: 0,
        levels: LEVELS_MAX,
        deepest: usize::MAX,
    };
    let skipped = json.skip().is_ok() && json.peek().is_none();
    assert_eq!(skipped, passed, "{how}: skipping {text:?}");
    match serde_json::from_str::<serde_json::Value>(text) {
        Ok(value) => {
            let Tree(tree) = read(text).unwrap_or_else(|| panic!("{how}: {text:?}"));
            // Of keys that come twice, serde's tree has one.
            let once = tree.matches(':').count() == of_serde(&value).matches(':').count();
            if once {
                // In the order of no map: the same characters.
                let sorted = |text: &str| {
                    let mut bytes: Vec<u8> = text.bytes().collect();
                    bytes.sort_unstable();
                    bytes
                };
                assert_eq!(sorted(&tree), sorted(&of_serde(&value)), "{how}: {text:?}");
            }
        }
        Err(_) => assert_eq!(read::<Tree>(text), None, "{how}: {text:?}"),
    }
}

#[test]
fn cases_read_as_serde_reads_them() {
    for text in [
        "",
        " ",
        "null",
        " true ",
        "false",
        "nul",
        "truex",
        "tru",
        "1",
        "-1",
        "01",
        "-",
        "-0",
        "1.",
        ".5",
        "1.5e",
        "1e5",
        "1E+5",
        "1e-5",
        "1e999",
        "18446744073709551615",
        "18446744073709551616",
        "-9223372036854775809",
        "1 2",
        "+1",
        "1.5.5",
        "\"\"",
        "\"",
        "\"a\\\"",
        "\"\\u12\"",
        "\"\\u00e9\"",
        "\"\\ud83d\\ude00\"",
        "\"\\ud83d\"",
        "\"\\ude00\"",
        "\"\\x\"",
        "\"a\tb\"",
        "\"a\u{7f}b\"",
        "\"äöü€😀 and so on and on\"",
        "\"1234567\\n\"",
        "\"12345678\\\\\"",
        "\"1234567\"",
        "\"\\ud83d\\n\"",
        "[]",
        "[ ]",
        "[1]",
        "[1,]",
        "[,1]",
        "[1 2]",
        "[1,2",
        "[",
        "]",
        "{}",
        "{ }",
        "{\"a\":1}",
        "{\"a\":1,}",
        "{,}",
        "{\"a\"}",
        "{\"a\" 1}",
        "{a:1}",
        "{1:1}",
        "{\"a\":1 \"b\":2}",
        "{\"a\":}",
        "{\"a\":1",
        "{\"a\\u0062\":[]}",
        "{\"a\":{\"b\":[{\"c\":[[],{}]}]}}",
        "[1}",
        "{\"a\":1]",
        "[]]",
        "{}{}",
        "\u{feff}{}",
        "\u{a0}1",
        "[\"\\ud800\"]",
        "{\"\\ud800\":1}",
    ] {
        compare(text, "a case");
        compare(&format!(" [{text} , 1]\r\n\t"), "a case in an array");
        compare(&format!("{{\"k\":{text}}}"), "a case in an object");
    }
}

#[test]
fn json_made_up_and_broken_reads_as_serde_reads_it() {
    let seed = fastrand::u64(..);
    let mut rng = fastrand::Rng::with_seed(seed);
    for round in 0..1000 {
        let mut text = String::new();
        make(&mut rng, &mut text, 0);
        compare(&text, &format!("seed {seed}, round {round}"));
        let broken = broken(&mut rng, &text);
        compare(&broken, &format!("seed {seed}, round {round}, broken"));
    }
}

fn make(rng: &mut fastrand::Rng, out: &mut String, depth: u32) {
    let kinds = if depth > 5 { 6 } else { 8 };
    match rng.u32(0..kinds) {
        0 => out.push_str(["null", "true", "false"][rng.usize(0..3)]),
        1 => out.push_str(&rng.u64(..).to_string()),
        2 => out.push_str(&(rng.f64() * 1e6 - 5e5).to_string()),
        3 => out.push_str(["0", "-0.0", "1e3", "-7", "2.5E-3"][rng.usize(0..5)]),
        4 | 5 => string(rng, out),
        6 => {
            out.push('[');
            for at in 0..rng.u32(0..4) {
                out.push_str(if at > 0 {
                    [",", " ,\n"][rng.usize(0..2)]
                } else {
                    ""
                });
                make(rng, out, depth + 1);
            }
            out.push(']');
        }
        _ => {
            out.push('{');
            for at in 0..rng.u32(0..4) {
                out.push_str(if at > 0 {
                    [",", ",\t"][rng.usize(0..2)]
                } else {
                    ""
                });
                string(rng, out);
                out.push_str([":", " : "][rng.usize(0..2)]);
                make(rng, out, depth + 1);
            }
            out.push('}');
        }
    }
}

fn string(rng: &mut fastrand::Rng, out: &mut String) {
    out.push('"');
    for _ in 0..rng.u32(0..20) {
        let part = [
            "a", "Z", "0", " ", "é", "€", "😀", "\\n", "\\\"", "\\\\", "\\u00e9", ":", "{", "]",
        ];
        out.push_str(part[rng.usize(0..part.len())]);
    }
    out.push('"');
}

/// `text` with a byte taken out, put in, or changed; cut where that splits a character.
fn broken(rng: &mut fastrand::Rng, text: &str) -> String {
    let mut bytes = text.as_bytes().to_vec();
    let at = rng.usize(0..=bytes.len());
    let with = *rng.choice(b"{}[]\",:\\0e-. \n\x01tu").unwrap();
    match rng.u32(0..3) {
        0 => bytes.insert(at, with),
        1 if at < bytes.len() => drop(bytes.remove(at)),
        _ if at < bytes.len() => bytes[at] = with,
        _ => bytes.truncate(at / 2),
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[test]
fn depth_is_bounded_where_values_are_read_and_only_there() {
    let nested = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
    assert!(read::<Tree>(&nested(128)).is_some());
    assert!(read::<Tree>(&nested(129)).is_none());
    for levels in [63, 64, 65, 128, 129, 1_000_000] {
        let text = nested(levels);
        assert!(read::<Raw<'_>>(&text).flatten().is_some(), "{levels}");
        assert!(read::<Raw<'_>>(&text[1..]).is_none(), "{levels}");
        let mixed = "[{\"a\":".repeat(levels) + "1" + &"}]".repeat(levels);
        assert!(read::<Count>(&mixed).is_some(), "{levels}");
        let wrong = mixed.replacen("}]", "]}", 1);
        assert!(read::<Count>(&wrong).is_none(), "{levels}");
    }
}

#[test]
fn text_may_be_no_deeper_than_asked_for() {
    for (text, levels) in [
        ("1", 0),
        ("[]", 1),
        ("{}", 1),
        ("[1,[]]", 2),
        (r#"{"a":{"b":[{}]},"c":[[[]]]}"#, 4),
        (r#"{"a":"[[[["}"#, 1),
    ] {
        for deepest in 0..6 {
            let may = deepest >= levels;
            assert_eq!(read_within::<Tree>(text, deepest).is_some(), may, "{text}");
            let passed = read_within::<Raw<'_>>(text, deepest);
            assert_eq!(passed.is_some(), may, "{text}, passed over");
            let outer = format!("[{text}]");
            let in_list = read_within::<List<Count>>(&outer, deepest + 1);
            assert_eq!(in_list.is_some(), may, "{outer}");
        }
    }
}

#[test]
fn values_of_a_type_nobody_expects_are_as_good_as_absent() {
    for text in [
        "null",
        "\"x\"",
        "\"\"",
        "7",
        "-7",
        "1.5",
        "true",
        "[1]",
        "{\"a\":1}",
    ] {
        assert_eq!(
            read::<Text<'_>>(text).unwrap().as_str(),
            ["", "x"][usize::from(text == "\"x\"")]
        );
        assert_eq!(read::<Count>(text).unwrap().0, (text == "7").then_some(7));
        assert_eq!(
            read::<Truth>(text).unwrap().0,
            (text == "true").then_some(true)
        );
        assert_eq!(read::<Filled>(text).unwrap().0, text == "\"x\"");
        assert_eq!(
            read::<List<Count>>(text).unwrap().0.len(),
            usize::from(text == "[1]")
        );
        let number = text.parse::<f64>().ok();
        assert_eq!(read::<Number>(text).unwrap().0, number, "{text}");
    }
}
