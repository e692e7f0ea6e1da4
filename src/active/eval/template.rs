//! Fills prompts: `{{input}}`, `{{input.question}}`, `{{metadata.topic}}` stand for an item's own.

use serde_json::Value;

use super::dataset::Item;
use crate::analysis::scoring::Path;

/// A prompt with fields to be filled.
#[derive(Debug, Clone, PartialEq)]
pub struct Template(Vec<Piece>);

#[derive(Debug, Clone, PartialEq)]
enum Piece {
    Text(String),
    Field(Field),
}

#[derive(Debug, Clone, PartialEq)]
struct Field {
    /// The line of the template, from 1.
    line: usize,
    /// As it is written.
    text: String,
    root: Root,
    path: Option<Path>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Root {
    Input,
    Metadata,
    Expected,
    Answer,
}

/// Whose prompt it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reader {
    /// The model that is judged: it is not told what is expected.
    Examinee,
    /// The judge, who has `{{expected}}` and `{{answer}}` too.
    Judge,
}

impl Template {
    /// Reads a template; an error names the line and the field.
    pub fn read(text: &str, reader: Reader) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let (mut rest, mut line) = (text, 1);
        while let Some((before, after)) = rest.split_once("{{") {
            line += before.matches('\n').count();
            pieces.push(Piece::Text(before.to_owned()));
            let closed = after.split_once("}}");
            let (inner, behind) =
                closed.ok_or_else(|| format!("line {line}: `{{{{` without `}}}}`"))?;
            pieces.push(Piece::Field(field(line, inner.trim(), reader)?));
            line += inner.matches('\n').count();
            rest = behind;
        }
        pieces.push(Piece::Text(rest.to_owned()));
        Ok(Self(pieces))
    }

    /// Whether anything of an item stands in it.
    #[must_use]
    pub fn has_fields(&self) -> bool {
        self.0.iter().any(|piece| matches!(piece, Piece::Field(_)))
    }

    /// The prompt for an item, and for a judge the answer to it. An error names the field that the
    /// item does not have, and the line of the template that asks for it.
    pub fn fill(&self, item: &Item, answer: &str) -> Result<String, String> {
        let mut filled = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => filled.push_str(text),
                Piece::Field(field) => {
                    let value = field.of(item, answer).ok_or_else(|| {
                        format!(
                            "no `{}`, which line {} of the prompt asks for",
                            field.text, field.line
                        )
                    })?;
                    filled.push_str(&value);
                }
            }
        }
        Ok(filled)
    }
}

impl Field {
    fn of(&self, item: &Item, answer: &str) -> Option<String> {
        let whole = match self.root {
            Root::Answer => return Some(answer.to_owned()),
            Root::Input => item.input.clone(),
            Root::Expected => item.expected.clone()?,
            Root::Metadata => Value::Object(item.metadata.clone()),
        };
        let found = match &self.path {
            Some(path) => path.find(&whole)?,
            None => &whole,
        };
        Some(match found {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        })
    }
}

fn field(line: usize, text: &str, reader: Reader) -> Result<Field, String> {
    let (name, rest) = text.split_at(text.find(['.', '[']).unwrap_or(text.len()));
    let root = match (name, reader) {
        ("input", _) => Root::Input,
        ("metadata", _) => Root::Metadata,
        ("expected", Reader::Judge) => Root::Expected,
        ("answer", Reader::Judge) => Root::Answer,
        ("expected", Reader::Examinee) => {
            return Err(format!(
                "line {line}: `{{{{expected}}}}` is what the answer is held against: who is asked is not told it"
            ));
        }
        _ => {
            let known = match reader {
                Reader::Examinee => "input, input.NAME, metadata.NAME",
                Reader::Judge => "input, input.NAME, metadata.NAME, expected, answer",
            };
            return Err(format!(
                "line {line}: `{{{{{text}}}}}` is no field: there is {known}"
            ));
        }
    };
    let rest = rest.strip_prefix('.').unwrap_or(rest);
    let path = if rest.is_empty() {
        None
    } else {
        let read = Path::read(rest).map_err(|what| format!("line {line}: {what}"))?;
        Some(read)
    };
    if root == Root::Metadata && path.is_none() {
        return Err(format!(
            "line {line}: `{{{{metadata}}}}` needs the name of a field"
        ));
    }
    Ok(Field {
        line,
        text: text.to_owned(),
        root,
        path,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::active::eval::dataset::read;

    fn item() -> Item {
        let line = r#"{"input": {"q": "why?", "n": [1, {"m": 2}]}, "expected": "so", "metadata": {"k": true}}"#;
        read("set", line).unwrap().remove(0)
    }

    #[test]
    fn fields_are_filled() {
        for (text, expected) in [
            ("Q: {{input.q}}", "Q: why?"),
            ("{{ input.n[1].m }}{{metadata.k}}!", "2true!"),
            ("{{input.n}}", "[1,{\"m\":2}]"),
            ("no field {here} }}", "no field {here} }}"),
        ] {
            let template = Template::read(text, Reader::Examinee).unwrap();
            assert_eq!(
                template.fill(&item(), "").as_deref(),
                Ok(expected),
                "{text}"
            );
        }
        let judge = Template::read("{{answer}} / {{expected}}", Reader::Judge).unwrap();
        assert_eq!(
            judge.fill(&item(), "{{input}}").as_deref(),
            Ok("{{input}} / so")
        );
        assert!(judge.has_fields());
    }

    #[test]
    fn unknown_fields_are_told_with_line_and_name() {
        for (text, message) in [
            ("a\nb {{question}}", "line 2: `{{question}}` is no field"),
            ("a {{input", "line 1: `{{` without"),
            ("{{expected}}", "who is asked is not told"),
            ("{{answer}}", "is no field"),
            ("\n\n{{metadata}}", "line 3: `{{metadata}}` needs"),
            ("{{input.a..b}}", "line 1: "),
        ] {
            let error = Template::read(text, Reader::Examinee).unwrap_err();
            assert!(error.contains(message), "{text}: {error}");
        }
        let template = Template::read("x\n{{metadata.topic}}", Reader::Examinee).unwrap();
        let error = template.fill(&item(), "").unwrap_err();
        assert_eq!(
            error,
            "no `metadata.topic`, which line 2 of the prompt asks for"
        );
    }
}
