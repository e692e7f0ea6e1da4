//! Reads YAML into the tree that TOML is read into, so that one reader finds every problem of both.

use std::borrow::Cow;
use std::ops::Range;

use granit_parser::{Event, Parser, ScalarStyle};
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

/// Levels of tables and arrays in each other.
const DEPTH_MAX: usize = 32;

/// Why a text is not the YAML that is read here.
#[derive(Debug)]
pub(super) struct YamlFault {
    /// Where in the text.
    pub(super) span: Range<usize>,
    /// What stands there.
    pub(super) found: String,
    /// What may stand there.
    pub(super) expected: String,
}

/// The one document of a text. Tags are not looked at; what refers to another place is refused,
/// because a few lines of it can stand for gigabytes.
pub(super) fn read(text: &str) -> Result<Spanned<DeValue<'_>>, YamlFault> {
    let mut tree = Tree {
        events: Parser::new_from_str(text),
        text,
    };
    let mut root = None;
    loop {
        match tree.next()? {
            (Event::StreamEnd, span) => {
                return Ok(
                    root.unwrap_or_else(|| Spanned::new(span, DeValue::Table(DeTable::new())))
                );
            }
            (Event::StreamStart | Event::DocumentEnd, _) => {}
            (Event::DocumentStart(..), span) if root.is_some() => {
                return Err(fault(span, "a second document", "one document"));
            }
            (Event::DocumentStart(..), _) => {
                let (first, span) = tree.next()?;
                root = Some(tree.node(first, span, 0)?);
            }
            (_, span) => return Err(fault(span, "something between documents", "one document")),
        }
    }
}

fn fault(span: Range<usize>, found: &str, expected: &str) -> YamlFault {
    YamlFault {
        span,
        found: found.to_owned(),
        expected: expected.to_owned(),
    }
}

struct Tree<'a> {
    events: Parser<'a, granit_parser::StrInput<'a>>,
    text: &'a str,
}

impl<'a> Tree<'a> {
    /// The next event and its bytes in the text.
    fn next(&mut self) -> Result<(Event<'a>, Range<usize>), YamlFault> {
        match self.events.next() {
            Some(Ok((event, span))) => {
                let end = self.text.len();
                Ok((event, span.byte_range().unwrap_or(end..end)))
            }
            Some(Err(error)) => {
                let end = self.text.len();
                let at = error.marker().byte_offset().map_or(end, |at| at.min(end));
                Err(fault(at..at, "a text that is not YAML", &error.info()))
            }
            None => {
                let end = self.text.len();
                Err(fault(end..end, "the end", "a whole document"))
            }
        }
    }

    fn node(
        &mut self,
        event: Event<'a>,
        span: Range<usize>,
        depth: usize,
    ) -> Result<Spanned<DeValue<'a>>, YamlFault> {
        if depth > DEPTH_MAX {
            let expected = format!("{DEPTH_MAX} levels at most");
            return Err(fault(span, "values too deep in each other", &expected));
        }
        match event {
            Event::Scalar(text, style, ..) => {
                let source = self.text.get(span.clone());
                Ok(Spanned::new(span, scalar(text, style, source)))
            }
            Event::SequenceStart(..) => {
                let mut items = DeArray::new();
                loop {
                    match self.next()? {
                        (Event::SequenceEnd, _) => break,
                        (event, at) => items.push(self.node(event, at, depth + 1)?),
                    }
                }
                Ok(Spanned::new(span, DeValue::Array(items)))
            }
            Event::MappingStart(..) => {
                let mut entries = DeTable::new();
                loop {
                    let (key, at) = match self.next()? {
                        (Event::MappingEnd, _) => break,
                        (Event::Scalar(key, ..), at) => (key, at),
                        (_, at) => return Err(fault(at, "a key that is no text", "a text")),
                    };
                    let (event, value_at) = self.next()?;
                    let value = self.node(event, value_at, depth + 1)?;
                    let key = Spanned::new(at.clone(), key);
                    if entries.insert(key, value).is_some() {
                        return Err(fault(at, "a key for the second time", "each key once"));
                    }
                }
                Ok(Spanned::new(span, DeValue::Table(entries)))
            }
            Event::Alias(_) => Err(fault(span, "an alias", "the value itself")),
            _ => Err(fault(span, "no value", "a value")),
        }
    }
}

/// A plain scalar is a number or a truth value where TOML would read it as one; everything else is
/// a text.
fn scalar<'a>(text: Cow<'a, str>, style: ScalarStyle, source: Option<&'a str>) -> DeValue<'a> {
    let numeric = |byte: u8| byte.is_ascii_digit() || b"+-.eE_".contains(&byte);
    let source = source.filter(|source| style == ScalarStyle::Plain && *source == text);
    let source = source.filter(|source| {
        matches!(*source, "true" | "false")
            || source.bytes().all(numeric) && source.bytes().any(|byte| byte.is_ascii_digit())
    });
    match source.map(DeValue::parse) {
        Some(Ok(value)) if !matches!(value.get_ref(), DeValue::Datetime(_)) => value.into_inner(),
        _ => DeValue::String(text),
    }
}
