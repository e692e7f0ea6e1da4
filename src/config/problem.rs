//! Says what is wrong with a config: where, what was found, what was expected, and what to do.

use std::fmt::{self, Write as _};
use std::ops::Range;
use std::string::FromUtf8Error;

use serde_json::{Value, json};

/// Whether a problem stops the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The config is refused.
    Error,
    /// The config is taken; the user should still know.
    Warning,
}

impl Severity {
    /// The name used in messages and in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// The line of a config that a problem points to, with what is secret in it left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snippet {
    /// The line as shown.
    pub text: String,
    /// First character pointed to, counted from 1.
    pub column: usize,
    /// Characters pointed to, at least one.
    pub width: usize,
}

/// One thing that is wrong, or that the user should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The key, from the root (`providers.my-vllm.base_url`); empty for a syntax error.
    pub key_path: String,
    /// Line in the file, counted from 1; absent where no line of a file is to blame.
    pub line: Option<usize>,
    /// The line itself.
    pub snippet: Option<Snippet>,
    /// What stands there.
    pub found: String,
    /// What may stand there.
    pub expected: String,
    /// What to do.
    pub hint: Option<String>,
    /// Whether it stops the program.
    pub severity: Severity,
}

impl Problem {
    /// Of a file whose bytes are no text.
    #[must_use]
    pub fn not_utf8(error: &FromUtf8Error) -> Self {
        let (bytes, sound) = (error.as_bytes(), error.utf8_error().valid_up_to());
        let before = String::from_utf8_lossy(&bytes[..sound]);
        let is_wide = bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]);
        let column = before.rsplit('\n').next().unwrap_or_default();
        let column = column.chars().count() + 1;
        let found = if is_wide {
            "UTF-16".to_owned()
        } else {
            format!("the byte 0x{:02x} in column {column}", bytes[sound])
        };
        Self {
            key_path: String::new(),
            line: Some(before.matches('\n').count() + 1),
            snippet: None,
            found,
            expected: "a text in UTF-8".to_owned(),
            hint: Some("save the file as UTF-8".to_owned()),
            severity: Severity::Error,
        }
    }

    /// The problem as text for a terminal; `file` names the config.
    #[must_use]
    pub fn render(&self, file: &str) -> String {
        let mut text = String::from(file);
        if let Some(line) = self.line {
            let _ = write!(text, ":{line}");
            if let Some(snippet) = &self.snippet {
                let _ = write!(text, ":{}", snippet.column);
            }
        }
        let _ = write!(text, ": {}", self.severity.name());
        if !self.key_path.is_empty() {
            let _ = write!(text, ": {}", self.key_path);
        }
        text.push('\n');
        if let (Some(line), Some(snippet)) = (self.line, &self.snippet) {
            let number = line.to_string();
            let gutter = " ".repeat(number.len());
            let indent = " ".repeat(snippet.column.saturating_sub(1));
            let caret = "^".repeat(snippet.width.max(1));
            let _ = writeln!(text, "  {number} | {}", snippet.text);
            let _ = writeln!(text, "  {gutter} | {indent}{caret}");
        }
        let _ = writeln!(text, "  found:    {}", self.found);
        let _ = writeln!(text, "  expected: {}", self.expected);
        if let Some(hint) = &self.hint {
            let _ = writeln!(text, "  hint:     {hint}");
        }
        text
    }

    /// The problem as JSON.
    #[must_use]
    pub fn view(&self) -> Value {
        json!({
            "severity": self.severity.name(),
            "key_path": self.key_path,
            "line": self.line,
            "column": self.snippet.as_ref().map(|snippet| snippet.column),
            "found": self.found,
            "expected": self.expected,
            "hint": self.hint,
        })
    }
}

/// Everything that is wrong with one config, in the order of its lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems {
    /// Name of the config, for messages.
    pub file: String,
    /// At least one error, and the warnings.
    pub list: Vec<Problem>,
}

impl Problems {
    /// Everything as JSON.
    #[must_use]
    pub fn view(&self) -> Value {
        json!({
            "file": self.file,
            "problems": self.list.iter().map(Problem::view).collect::<Vec<_>>(),
        })
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.list.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            f.write_str(&problem.render(&self.file))?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

/// A problem before its line is known.
#[derive(Debug)]
pub(super) struct Finding {
    pub(super) key_path: String,
    pub(super) span: Option<Range<usize>>,
    pub(super) found: String,
    pub(super) expected: String,
    pub(super) hint: Option<String>,
    pub(super) severity: Severity,
}

/// Collects problems while a config is read.
#[derive(Debug, Default)]
pub(super) struct Findings {
    list: Vec<Finding>,
    secrets: Vec<Range<usize>>,
    expanded: Vec<Range<usize>>,
}

impl Findings {
    /// Adds a problem. The first one at a key is the cause, and the others follow from it.
    pub(super) fn push(&mut self, finding: Finding) {
        let known = |other: &Finding| {
            other.key_path == finding.key_path && other.severity == Severity::Error
        };
        if finding.severity == Severity::Warning || !self.list.iter().any(known) {
            self.list.push(finding);
        }
    }

    /// Whether nothing was found.
    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Whether something below that path is wrong already.
    pub(super) fn has_under(&self, path: &str) -> bool {
        self.list.iter().any(|finding| {
            let below = finding.key_path.strip_prefix(path);
            below.is_some_and(|rest| rest.starts_with('.'))
        })
    }

    /// Whether something at that path or below it is wrong already.
    pub(super) fn has_at(&self, path: &str) -> bool {
        self.list.iter().any(|finding| finding.key_path == path) || self.has_under(path)
    }

    /// Marks bytes of the text that no message may show.
    pub(super) fn hide(&mut self, span: Range<usize>) {
        self.secrets.push(span);
    }

    /// Marks a value that came out of the environment: it may be a secret in the wrong place.
    pub(super) fn note_expanded(&mut self, span: Range<usize>) {
        self.expanded.push(span);
    }

    /// A text as a message may show it.
    pub(super) fn show(&self, text: &str, span: &Range<usize>) -> String {
        if self.expanded.contains(span) {
            "a value from the environment that is not shown".to_owned()
        } else {
            quoted(text)
        }
    }

    /// The problems with their lines, in the order of the text.
    pub(super) fn locate(mut self, text: &str) -> Vec<Problem> {
        // Stable: problems without a line keep their order, behind those that have one.
        self.list
            .sort_by_key(|finding| finding.span.as_ref().map_or(usize::MAX, |span| span.start));
        let lines = Lines {
            text,
            secrets: &self.secrets,
        };
        self.list
            .iter()
            .map(|finding| lines.place(finding))
            .collect()
    }
}

struct Lines<'a> {
    text: &'a str,
    secrets: &'a [Range<usize>],
}

impl Lines<'_> {
    fn place(&self, finding: &Finding) -> Problem {
        let place = finding.span.as_ref().map(|span| self.snippet(span));
        Problem {
            key_path: finding.key_path.clone(),
            line: place.as_ref().map(|(line, _)| *line),
            snippet: place.map(|(_, snippet)| snippet),
            found: finding.found.clone(),
            expected: finding.expected.clone(),
            hint: finding.hint.clone(),
            severity: finding.severity,
        }
    }

    fn snippet(&self, span: &Range<usize>) -> (usize, Snippet) {
        let start = floor(self.text, span.start);
        let before = &self.text[..start];
        let line = before.matches('\n').count() + 1;
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let line_end = self.text[start..]
            .find('\n')
            .map_or(self.text.len(), |at| start + at);
        let end = floor(self.text, span.end).clamp(start, line_end);
        let lead = self.masked(line_start..start);
        let pointed = self.masked(start..end);
        let rest = self.masked(end..line_end);
        let snippet = Snippet {
            column: lead.chars().count() + 1,
            width: pointed.trim_end().chars().count().max(1),
            text: format!("{lead}{pointed}{rest}").trim_end().to_owned(),
        };
        (line, snippet)
    }

    /// The bytes of a range, each run of secret ones shown as `***`; tabs are shown as spaces so
    /// that the caret stands where it should.
    fn masked(&self, range: Range<usize>) -> String {
        let mut shown = String::new();
        let mut hiding = false;
        for (at, character) in self.text[range.clone()].char_indices() {
            let at = range.start + at;
            let secret = self.secrets.iter().any(|secret| secret.contains(&at));
            if secret && !hiding {
                shown.push_str("***");
            } else if !secret {
                shown.push(if character.is_control() {
                    ' '
                } else {
                    character
                });
            }
            hiding = secret;
        }
        shown
    }
}

/// The nearest character boundary at or below `at`.
fn floor(text: &str, at: usize) -> usize {
    (0..=at.min(text.len()))
        .rev()
        .find(|&index| text.is_char_boundary(index))
        .unwrap_or(0)
}

/// A text in quotes, cut after 80 characters, control characters made visible.
pub(super) fn quoted(text: &str) -> String {
    let mut shown = String::from("\"");
    for character in text.chars().take(SHOWN_MAX) {
        if character.is_control() || character == '"' {
            let _ = write!(shown, "{}", character.escape_default());
        } else {
            shown.push(character);
        }
    }
    if text.chars().nth(SHOWN_MAX).is_some() {
        shown.push('…');
    }
    shown.push('"');
    shown
}

/// The name among `known` that `wrong` was most likely meant to be.
pub(super) fn nearest<'a>(
    wrong: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let wrong = wrong.to_lowercase();
    let allowed = (wrong.chars().count() / 3).max(1);
    known
        .into_iter()
        .map(|name| (distance(&wrong, &name.to_lowercase()), name))
        .filter(|&(steps, _)| steps <= allowed)
        .min_by_key(|&(steps, _)| steps)
        .map(|(_, name)| name)
}

/// Edits (insert, delete, replace, swap of neighbours) between two words.
fn distance(left: &str, right: &str) -> usize {
    let left: Vec<char> = left.chars().take(MAX_WORD).collect();
    let right: Vec<char> = right.chars().take(MAX_WORD).collect();
    let mut rows: Vec<Vec<usize>> = vec![(0..=right.len()).collect()];
    for i in 1..=left.len() {
        let mut row = vec![i];
        for j in 1..=right.len() {
            let cost = usize::from(left[i - 1] != right[j - 1]);
            let mut best = (rows[i - 1][j] + 1)
                .min(row[j - 1] + 1)
                .min(rows[i - 1][j - 1] + cost);
            if i > 1 && j > 1 && left[i - 1] == right[j - 2] && left[i - 2] == right[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[left.len()][right.len()]
}

const SHOWN_MAX: usize = 80;

/// Longer words are compared by their beginnings: a config is not to cost a second.
const MAX_WORD: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_the_one_meant() {
        let known = ["base_url", "api_key", "listen", "region"];
        for (wrong, meant) in [
            ("base_ulr", Some("base_url")),
            ("baseurl", Some("base_url")),
            ("Listen", Some("listen")),
            ("api-key", Some("api_key")),
            ("regoin", Some("region")),
            ("colour", None),
            ("", None),
        ] {
            assert_eq!(nearest(wrong, known), meant, "{wrong}");
        }
    }

    #[test]
    fn a_secret_is_shown_in_no_line() {
        let text = "a = 1\napi_key = \"sk-very-secret\" # é\nb = 2";
        let mut findings = Findings::default();
        findings.hide(17..31);
        findings.push(finding("api_key", 6..13));
        findings.push(finding("b", 42..43));
        let shown: Vec<_> = findings
            .locate(text)
            .into_iter()
            .map(|problem| problem.render("t.toml"))
            .collect();
        assert!(
            shown[0].starts_with("t.toml:2:1: error: api_key\n"),
            "{}",
            shown[0]
        );
        assert!(
            shown[0].contains("2 | api_key = \"***\" # é\n"),
            "{}",
            shown[0]
        );
        assert!(shown[0].contains("  | ^^^^^^^\n"), "{}", shown[0]);
        assert!(shown[1].starts_with("t.toml:3:"), "{}", shown[1]);
    }

    #[test]
    fn spans_outside_the_text_are_shown_at_its_end() {
        for span in [0..0, 3..900, 900..901] {
            let mut findings = Findings::default();
            findings.push(finding("x", span));
            assert_eq!(findings.locate("é\nb").len(), 1);
        }
    }

    fn finding(key_path: &str, span: Range<usize>) -> Finding {
        Finding {
            key_path: key_path.to_owned(),
            span: Some(span),
            found: "this".to_owned(),
            expected: "that".to_owned(),
            hint: None,
            severity: Severity::Error,
        }
    }
}
