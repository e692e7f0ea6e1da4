//! Reads which scorers are wanted: words of the command line, or a file of TOML.

use std::path::Path as FilePath;
use std::time::Duration;

use serde_json::Value;
use toml::Table;

use super::command::Command;
use super::dataset::{Item, told};
use super::judge::{FACTUALITY, Judge, Style};
use super::template::{Reader, Template};
use crate::active::targets::Target;
use crate::analysis::scoring::{Check, Choices, Path, Pattern, Schema};
use crate::config::duration;

/// A scorer with its name.
#[derive(Debug, Clone)]
pub struct Scorer {
    /// What it is called in results, and by `min_score`.
    pub name: String,
    /// How it scores.
    pub how: How,
}

/// How a scorer scores.
#[derive(Debug, Clone)]
pub enum How {
    /// By the answer and what was expected.
    Check(Check),
    /// By asking a model.
    Judge(Box<Judge>),
    /// By asking a program.
    Command(Command),
}

/// Where scorers get what they are made of.
pub struct Sources<'a> {
    /// The text of a file.
    pub file: &'a dyn Fn(&FilePath) -> Result<String, String>,
    /// The route to a judge: its model, and the provider where one is named.
    pub target: &'a dyn Fn(&str, Option<&str>) -> Result<Target, String>,
}

impl std::fmt::Debug for Sources<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sources")
    }
}

/// Tokens of a judge's answer, at most, unless another number is given.
const JUDGE_TOKENS: u64 = 1_024;
/// Time of a program for one answer, unless another is given.
const COMMAND_TIME: Duration = Duration::from_secs(30);

/// The kinds, with what may stand behind the colon.
const KINDS: &str = "exact, normalised, numeric[:TOLERANCE], regex[:PATTERN], json-schema[:FILE], \
                     json-field:PATH, tool-call, choice, judge:MODEL, command:PROGRAM";

impl Scorer {
    /// The scorer that `word` names: a kind, and behind a colon what it needs.
    pub fn of_word(word: &str, sources: &Sources<'_>) -> Result<Self, String> {
        let (kind, rest) = word
            .split_once(':')
            .map_or((word, None), |(kind, rest)| (kind, Some(rest)));
        let mut table = Table::new();
        let mut put = |key: &str, value: toml::Value| table.insert(key.to_owned(), value);
        put("kind", kind.into());
        let key = match kind {
            "numeric" => "tolerance",
            "regex" => "pattern",
            "json-schema" => "schema",
            "json-field" => "path",
            "judge" => "model",
            "command" => "command",
            _ => "",
        };
        match (kind, rest) {
            (_, None) => {}
            ("numeric", Some(rest)) => {
                let tolerance: f64 = rest
                    .parse()
                    .map_err(|_| format!("--scorer {word}: the tolerance is a number"))?;
                put(key, tolerance.into());
            }
            ("command", Some(rest)) => {
                let words = rest.split_whitespace().map(toml::Value::from);
                put(key, words.collect::<Vec<_>>().into());
            }
            (_, Some(_)) if key.is_empty() => {
                return Err(format!(
                    "--scorer {word}: {kind} takes nothing behind a colon, or is no scorer: {KINDS}"
                ));
            }
            (_, Some(rest)) => {
                put(key, rest.into());
            }
        }
        let how = how(table, FilePath::new(""), sources);
        how.map(|how| Self {
            name: kind.to_owned(),
            how,
        })
        .map_err(|what| format!("--scorer {word}: {what}"))
    }

    /// The scorers of a file: one table each, files that it names beside it.
    pub fn of_file(
        name: &FilePath,
        text: &str,
        sources: &Sources<'_>,
    ) -> Result<Vec<Self>, String> {
        let shown = name.display();
        let tables: Table = text.parse().map_err(|error| format!("{shown}: {error}"))?;
        let folder = name.parent().unwrap_or_else(|| FilePath::new(""));
        let (mut all, mut problems) = (Vec::new(), Vec::new());
        for (name, value) in tables {
            match of_table(&name, value, folder, sources) {
                Ok(how) => all.push(Self { name, how }),
                Err(what) => problems.push(format!("{shown}: [{name}]: {what}")),
            }
        }
        if all.is_empty() && problems.is_empty() {
            return Err(format!("{shown} names no scorer"));
        }
        told(problems).map(|()| all)
    }

    /// Whether every item can be scored; an error lists those that cannot.
    pub fn fits(&self, set: &str, items: &[Item]) -> Result<(), String> {
        let problems = items.iter().filter_map(|item| {
            let found = match &self.how {
                How::Check(check) => check.fits(item.expected.as_ref()),
                How::Judge(judge) => judge.prompt.fill(item, "").map(drop),
                How::Command(_) => Ok(()),
            };
            let what = found.err()?;
            Some(format!(
                "{set} line {}: {what} (scorer {})",
                item.line, self.name
            ))
        });
        told(problems.collect())
    }

    /// What it is, for the result: never a prompt.
    #[must_use]
    pub fn described(&self) -> Value {
        let kind = match &self.how {
            How::Check(check) => check.name(),
            How::Judge(_) => "judge",
            How::Command(_) => "command",
        };
        let judge = match &self.how {
            How::Judge(judge) => serde_json::json!({
                "model": judge.target.model.as_str(),
                "route": judge.target.route.to_string(),
                "choices": judge.choices.scores.iter()
                    .map(|(name, score)| (name.clone(), (*score).into()))
                    .collect::<serde_json::Map<String, Value>>(),
            }),
            _ => Value::Null,
        };
        serde_json::json!({ "name": self.name, "kind": kind, "judge": judge })
    }
}

/// How the scorer `name` of a file scores.
fn of_table(
    name: &str,
    value: toml::Value,
    folder: &FilePath,
    sources: &Sources<'_>,
) -> Result<How, String> {
    if !is_name(name) {
        return Err("a name has letters, digits, _ and - only".to_owned());
    }
    let toml::Value::Table(table) = value else {
        return Err("expected a table with `kind`".to_owned());
    };
    how(table, folder, sources)
}

fn is_name(name: &str) -> bool {
    let sound = |c: char| c.is_ascii_alphanumeric() || "_-".contains(c);
    (1..=64).contains(&name.len()) && name.chars().all(sound)
}

/// Takes keys out of a table, so that those that nobody takes are told.
struct Keys(Table);

impl Keys {
    fn text(&mut self, key: &str) -> Result<Option<String>, String> {
        match self.0.remove(key) {
            None => Ok(None),
            Some(toml::Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(format!("`{key}` must be a text")),
        }
    }

    fn number(&mut self, key: &str) -> Result<Option<f64>, String> {
        let number = self.0.remove(key).map(|value| number_of(&value));
        number
            .map(|number| number.ok_or_else(|| format!("`{key}` must be a number")))
            .transpose()
    }
}

fn number_of(value: &toml::Value) -> Option<f64> {
    let whole = value.as_integer().map(|number| number as f64);
    value
        .as_float()
        .or(whole)
        .filter(|number| number.is_finite())
}

fn how(table: Table, folder: &FilePath, sources: &Sources<'_>) -> Result<How, String> {
    let mut keys = Keys(table);
    let kind = keys.text("kind")?.ok_or("it has no `kind`")?;
    let read = |name: &str| (sources.file)(&folder.join(name));
    let how = match kind.as_str() {
        "exact" => How::Check(Check::Exact),
        "normalised" => How::Check(Check::Normalised),
        "numeric" => {
            let tolerance = keys.number("tolerance")?;
            if tolerance.is_some_and(|tolerance| tolerance < 0.0) {
                return Err("`tolerance` must not be negative".to_owned());
            }
            How::Check(Check::Numeric(tolerance))
        }
        "regex" => {
            let pattern = keys.text("pattern")?;
            How::Check(Check::Pattern(
                pattern.map(|text| Pattern::read(&text)).transpose()?,
            ))
        }
        "json-schema" => How::Check(Check::Schema(match keys.text("schema")? {
            None => None,
            Some(name) => {
                let text = read(&name)?;
                let schema =
                    serde_json::from_str(&text).map_err(|error| format!("{name}: {error}"))?;
                Some(Schema::read(&schema).map_err(|what| format!("{name}: {what}"))?)
            }
        })),
        "json-field" => {
            let path = keys
                .text("path")?
                .ok_or("it needs `path`, such as order.lines[0].price")?;
            How::Check(Check::Field(Path::read(&path)?))
        }
        "tool-call" => How::Check(Check::Calls),
        "choice" => How::Check(Check::Choice(choices(&mut keys)?)),
        "judge" => How::Judge(Box::new(judge(&mut keys, &read, sources)?)),
        "command" => How::Command(command(&mut keys)?),
        other => return Err(format!("`{other}` is no scorer: {KINDS}")),
    };
    if let Some(key) = keys.0.keys().next() {
        return Err(format!("{kind} has no `{key}`"));
    }
    Ok(how)
}

fn choices(keys: &mut Keys) -> Result<Choices, String> {
    let usual = Choices::default();
    let scores = match keys.0.remove("choices") {
        None => usual.scores,
        Some(toml::Value::Table(table)) if table.len() > 1 => {
            let score = |(name, value): (String, toml::Value)| {
                let score = number_of(&value).filter(|score| (0.0..=1.0).contains(score));
                score
                    .map(|score| (name.clone(), score))
                    .ok_or_else(|| format!("the choice `{name}` must be worth 0 to 1"))
            };
            table.into_iter().map(score).collect::<Result<_, _>>()?
        }
        Some(_) => {
            return Err("`choices` must be two or more, such as { yes = 1, no = 0 }".to_owned());
        }
    };
    Ok(Choices {
        tool: keys.text("tool")?.unwrap_or(usual.tool),
        field: keys.text("field")?.unwrap_or(usual.field),
        scores,
    })
}

fn judge(
    keys: &mut Keys,
    read: &dyn Fn(&str) -> Result<String, String>,
    sources: &Sources<'_>,
) -> Result<Judge, String> {
    let model = keys.text("model")?.ok_or("a judge needs `model`")?;
    let provider = keys.text("provider")?;
    let prompt = match keys.text("prompt")? {
        None => FACTUALITY.to_owned(),
        Some(name) => read(&name)?,
    };
    let style = match keys.text("style")?.as_deref() {
        None | Some("tool") => Style::Tool,
        Some("text") => Style::Text,
        Some(_) => return Err("`style` must be \"tool\" or \"text\"".to_owned()),
    };
    let max_tokens = keys
        .number("max_tokens")?
        .map_or(JUDGE_TOKENS, |number| number as u64);
    Ok(Judge {
        target: (sources.target)(&model, provider.as_deref())?,
        prompt: Template::read(&prompt, Reader::Judge)?,
        style,
        choices: choices(keys)?,
        max_tokens: max_tokens.max(1),
    })
}

fn command(keys: &mut Keys) -> Result<Command, String> {
    let words = match keys.0.remove("command") {
        Some(toml::Value::Array(words)) => {
            let words = words
                .into_iter()
                .map(|word| word.as_str().map(str::to_owned));
            words.collect::<Option<Vec<_>>>()
        }
        _ => None,
    };
    let words = words
        .filter(|words| !words.is_empty())
        .ok_or("it needs `command`, such as [\"python3\", \"score.py\"]")?;
    let timeout = match keys.text("timeout")? {
        None => COMMAND_TIME,
        Some(text) => duration(&text).ok_or("`timeout` must be a duration such as 10s")?,
    };
    Ok(Command { words, timeout })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Name;
    use crate::routing::route::RouteKey;

    fn with<R>(look: impl FnOnce(&Sources<'_>) -> R) -> R {
        let file = |path: &FilePath| match path.to_str() {
            Some("dir/schema.json" | "schema.json") => Ok("{\"type\": \"object\"}".to_owned()),
            Some("dir/judge.txt") => Ok("{{answer}} {{expected}}".to_owned()),
            _ => Err(format!("cannot read {}", path.display())),
        };
        let target = |model: &str, provider: Option<&str>| {
            if model == "nobody" {
                return Err("no provider here serves nobody".to_owned());
            }
            Ok(Target {
                model: Name::from(model),
                route: RouteKey::new(provider.unwrap_or("p"), Some(Name::from(model))),
                is_router: false,
                region: None,
                completion_limit: false,
                asks_usage: false,
            })
        };
        look(&Sources {
            file: &file,
            target: &target,
        })
    }

    #[test]
    fn words_name_scorers() {
        with(|sources| {
            for (word, kind) in [
                ("exact", "exact"),
                ("normalised", "normalised"),
                ("numeric", "numeric"),
                ("numeric:0.5", "numeric"),
                ("regex", "regex"),
                ("regex:a:b", "regex"),
                ("json-schema:schema.json", "json-schema"),
                ("json-field:a[0]", "json-field"),
                ("tool-call", "tool-call"),
                ("choice", "choice"),
                ("judge:m", "judge"),
                ("command:python3 score.py", "command"),
            ] {
                let scorer = Scorer::of_word(word, sources).unwrap();
                assert_eq!(
                    (scorer.name.as_str(), &scorer.described()["kind"]),
                    (kind, &kind.into())
                );
            }
            for (word, message) in [
                ("exacct", "no scorer"),
                ("exact:1", "nothing behind a colon"),
                ("numeric:x", "the tolerance is a number"),
                ("numeric:-1", "negative"),
                ("regex:(", "no regular expression"),
                ("json-schema:none", "cannot read none"),
                ("json-field", "needs `path`"),
                ("judge", "needs `model`"),
                ("judge:nobody", "no provider here serves nobody"),
                ("command", "needs `command`"),
                ("command:", "needs `command`"),
            ] {
                let error = Scorer::of_word(word, sources).unwrap_err();
                assert!(error.contains(message), "{word}: {error}");
            }
        });
    }

    #[test]
    fn files_name_scorers_with_all_that_they_need() {
        let text = "[fact]\nkind = \"judge\"\nmodel = \"m\"\nprovider = \"q\"\nprompt = \"judge.txt\"\n\
                    style = \"text\"\nchoices = { yes = 1, half = 0.5, no = 0 }\ntool = \"decide\"\n\
                    [own]\nkind = \"command\"\ncommand = [\"./score\", \"-x\"]\ntimeout = \"5s\"\n";
        with(|sources| {
            let all = Scorer::of_file(FilePath::new("dir/scorers.toml"), text, sources).unwrap();
            let [fact, own] = &all[..] else {
                panic!("{all:?}")
            };
            let How::Judge(judge) = &fact.how else {
                panic!("{fact:?}")
            };
            assert_eq!(judge.target.route.to_string(), "q/m");
            assert_eq!(
                (judge.style, judge.choices.tool.as_str()),
                (Style::Text, "decide")
            );
            let names: Vec<_> = judge
                .choices
                .scores
                .iter()
                .map(|(name, _)| name.as_str())
                .collect();
            assert_eq!(names, ["yes", "half", "no"]);
            let How::Command(command) = &own.how else {
                panic!("{own:?}")
            };
            assert_eq!(command.timeout, Duration::from_secs(5));
            for (text, message) in [
                ("", "names no scorer"),
                ("a = 1", "[a]: expected a table"),
                ("[a]\nkind = ", "TOML parse error at line 2"),
                ("[\"a b\"]\nkind = \"exact\"", "a name has letters"),
                ("[a]\ntolerance = 1", "it has no `kind`"),
                (
                    "[a]\nkind = \"exact\"\npattern = \"x\"",
                    "[a]: exact has no `pattern`",
                ),
                (
                    "[a]\nkind = \"choice\"\nchoices = { a = 2, b = 0 }",
                    "worth 0 to 1",
                ),
                ("[a]\nkind = \"choice\"\nchoices = {}", "two or more"),
                (
                    "[a]\nkind = \"judge\"\nmodel = \"m\"\nprompt = \"none\"",
                    "cannot read dir/none",
                ),
                (
                    "[a]\nkind = \"judge\"\nmodel = \"m\"\nstyle = \"x\"",
                    "`style`",
                ),
                (
                    "[a]\nkind = \"command\"\ncommand = \"x\"",
                    "needs `command`",
                ),
                (
                    "[a]\nkind = \"command\"\ncommand = [\"x\"]\ntimeout = \"5\"",
                    "a duration",
                ),
            ] {
                let path = FilePath::new("dir/scorers.toml");
                let error = Scorer::of_file(path, text, sources).unwrap_err();
                assert!(error.contains(message), "{text}: {error}");
            }
            let three = "[a]\nkind = \"regx\"\n[b]\nkind = \"numeric\"\ntolerance = \"x\"\n\
                         [c]\nkind = \"exact\"\nfoo = 1";
            let error = Scorer::of_file(FilePath::new("s"), three, sources).unwrap_err();
            for table in ["[a]", "[b]", "[c]"] {
                assert!(error.contains(table), "all are told at once: {error}");
            }
        });
    }
}
