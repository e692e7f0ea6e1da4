//! Reads a TOML tree into typed shapes, noting every problem instead of stopping at the first.
//!
//! serde stops at the first fault, so the shapes read themselves: `table!` makes a struct, the
//! list of its keys and its JSON Schema out of one declaration.

use std::borrow::Cow;
use std::ops::Range;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::expand::{ExpandError, expand};
use super::problem::{Finding, Findings, Severity, nearest, quoted};

/// A value and where it stands in the text.
#[derive(Debug, Clone)]
pub(super) struct At<T> {
    /// The value.
    pub(super) value: T,
    /// Its bytes in the text.
    pub(super) span: Range<usize>,
}

impl<T: Setting> JsonSchema for At<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        Cow::Borrowed("value")
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::schema(generator)
    }
}

/// What may stand behind a key.
pub(super) trait Setting: Sized {
    /// The value read, or nothing and a problem noted.
    fn read(value: &Spanned<DeValue<'_>>, reader: &mut Reader<'_>) -> Option<Self>;

    /// What an editor is told of it.
    fn schema(generator: &mut SchemaGenerator) -> Schema;
}

/// A setting that is written as a text.
pub(super) trait Text: Sized {
    /// What may stand there, as a message says it.
    const EXPECTED: &'static str;

    /// The value of a text, or a hint.
    fn parse(text: &str) -> Result<Self, Refusal>;

    /// What an editor is told of it.
    fn text_schema() -> Schema {
        json_schema!({ "type": "string" })
    }
}

/// Why a text was refused.
#[derive(Debug, Default)]
pub(super) struct Refusal {
    /// What to do.
    pub(super) hint: Option<String>,
    /// Whether the text holds what no message may show.
    pub(super) secret: bool,
}

impl Refusal {
    /// A refusal that says what to do.
    pub(super) fn hint(text: impl Into<String>) -> Self {
        Self {
            hint: Some(text.into()),
            secret: false,
        }
    }
}

impl<T: Text> Setting for T {
    fn read(value: &Spanned<DeValue<'_>>, reader: &mut Reader<'_>) -> Option<Self> {
        let text = reader.text(value, T::EXPECTED)?;
        match T::parse(&text) {
            Ok(read) => Some(read),
            Err(refusal) => {
                let found = if refusal.secret {
                    reader.findings.hide(value.span());
                    "a text that is not shown".to_owned()
                } else {
                    reader.findings.show(&text, &value.span())
                };
                reader.refuse(value.span(), found, T::EXPECTED, refusal.hint);
                None
            }
        }
    }

    fn schema(_: &mut SchemaGenerator) -> Schema {
        T::text_schema()
    }
}

impl<T: Setting> Setting for Vec<At<T>> {
    fn read(value: &Spanned<DeValue<'_>>, reader: &mut Reader<'_>) -> Option<Self> {
        let DeValue::Array(items) = value.get_ref() else {
            return reader.mistyped(value, "an array");
        };
        let mut list = Vec::new();
        for (index, item) in items.iter().enumerate() {
            let read = reader.within(&format!("[{index}]"), |reader| T::read(item, reader));
            list.extend(read.map(|value| At {
                value,
                span: item.span(),
            }));
        }
        Some(list)
    }

    fn schema(generator: &mut SchemaGenerator) -> Schema {
        let items = T::schema(generator);
        json_schema!({ "type": "array", "items": items })
    }
}

/// A table whose keys the user chooses, in the order of the text.
#[derive(Debug)]
pub(super) struct Entries<T>(pub(super) Vec<(At<String>, At<T>)>);

impl<T> Default for Entries<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Setting> Setting for Entries<T> {
    fn read(value: &Spanned<DeValue<'_>>, reader: &mut Reader<'_>) -> Option<Self> {
        let table = reader.table(value)?;
        let mut entries = Vec::new();
        for (key, value) in table {
            let name = key.get_ref().as_ref();
            let read = reader.within(&key_step(name), |reader| T::read(value, reader));
            let key = At {
                value: name.to_owned(),
                span: key.span(),
            };
            let span = value.span();
            entries.extend(read.map(|value| (key, At { value, span })));
        }
        Some(Self(entries))
    }

    fn schema(generator: &mut SchemaGenerator) -> Schema {
        let values = T::schema(generator);
        json_schema!({ "type": "object", "additionalProperties": values })
    }
}

/// Walks a TOML tree, knows where it stands, and notes what is wrong.
pub(super) struct Reader<'a> {
    env: &'a dyn Fn(&str) -> Option<String>,
    path: String,
    /// Whether secrets that are not set are none of the problems.
    pub(super) spares_secrets: bool,
    /// What was wrong so far.
    pub(super) findings: Findings,
}

impl<'a> Reader<'a> {
    /// A reader at the root.
    pub(super) fn new(env: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Self {
            env,
            path: String::new(),
            spares_secrets: false,
            findings: Findings::default(),
        }
    }

    /// Reads one step further down: a key, or `[index]`.
    pub(super) fn within<R>(&mut self, step: &str, read: impl FnOnce(&mut Self) -> R) -> R {
        let length = self.path.len();
        if length > 0 && !step.starts_with('[') {
            self.path.push('.');
        }
        self.path.push_str(step);
        let result = read(self);
        self.path.truncate(length);
        result
    }

    /// The table that a value is.
    pub(super) fn table<'v, 'i>(
        &mut self,
        value: &'v Spanned<DeValue<'i>>,
    ) -> Option<&'v DeTable<'i>> {
        if let DeValue::Table(table) = value.get_ref() {
            return Some(table);
        }
        // Someone may have written a key where its table belongs.
        self.findings.hide(value.span());
        self.mistyped(value, "a table")
    }

    /// The value of one key, where it is given and right.
    pub(super) fn field<T: Setting>(&mut self, table: &DeTable<'_>, key: &str) -> Option<At<T>> {
        let (name, value) = table.get_key_value(key)?;
        let read = self.within(key, |reader| T::read(value, reader))?;
        // A header's table has no line of its own to point to but its key.
        let span = match value.get_ref() {
            DeValue::Table(_) => name.span(),
            _ => value.span(),
        };
        Some(At { value: read, span })
    }

    /// Notes every key that no field has.
    pub(super) fn refuse_unknown(&mut self, table: &DeTable<'_>, known: &[&str]) {
        for (key, value) in table {
            let name = key.get_ref().as_ref();
            if known.contains(&name) {
                continue;
            }
            // An unknown key may well be a misspelt secret. (A header's table spans its own key.)
            let telling = matches!(
                value.get_ref(),
                DeValue::String(_) | DeValue::Array(_) | DeValue::Table(_)
            );
            if telling && value.span().start >= key.span().end {
                self.findings.hide(value.span());
            }
            let meant = nearest(name, known.iter().copied()).or_else(|| {
                let other = OTHER_NAMES.iter().find(|(other, _)| *other == name)?.1;
                known.contains(&other).then_some(other)
            });
            let hint = meant.map(|meant| format!("did you mean `{meant}`?"));
            self.within(&key_step(name), |reader| {
                let expected = format!("one of {}", known.join(", "));
                reader.refuse(key.span(), "an unknown key", expected, hint);
            });
        }
    }

    /// The text that a value is, with its variables put in.
    pub(super) fn text<'v>(
        &mut self,
        value: &'v Spanned<DeValue<'_>>,
        expected: &str,
    ) -> Option<Cow<'v, str>> {
        let DeValue::String(raw) = value.get_ref() else {
            return self.mistyped(value, expected);
        };
        let raw: &'v str = raw;
        let (found, expected, hint) = match expand(raw, self.env) {
            Ok(text) => {
                if text != raw {
                    self.findings.note_expanded(value.span());
                }
                return Some(text);
            }
            Err(ExpandError::Missing(name)) => (
                format!("${{{name}}}, which is not set"),
                format!("the variable {name} in the environment or in .env"),
                format!("set it, or give a default: ${{{name}:-…}}"),
            ),
            Err(ExpandError::Unclosed) => (
                "a ${ that is never closed".to_owned(),
                "${NAME} or ${NAME:-default}".to_owned(),
                "write $$ for a dollar sign".to_owned(),
            ),
            // What stands in the braces may be the secret itself.
            Err(ExpandError::BadName) => (
                "a ${…} that holds something else than a name".to_owned(),
                "${NAME} or ${NAME:-default}".to_owned(),
                "a variable's name has letters, digits and _ only".to_owned(),
            ),
            Err(ExpandError::LoneDollar) => (
                "a $ on its own".to_owned(),
                "${NAME} or ${NAME:-default}".to_owned(),
                "write $$ for a dollar sign".to_owned(),
            ),
        };
        self.refuse(value.span(), found, expected, Some(hint));
        None
    }

    /// The secret that a value is, with its variables put in, and never shown. Where secrets are
    /// spared, one whose variable is not set is what `stand_in` makes of the variable's name.
    pub(super) fn secret<'v>(
        &mut self,
        value: &'v Spanned<DeValue<'_>>,
        expected: &str,
        stand_in: impl Fn(&str) -> String,
    ) -> Option<Cow<'v, str>> {
        self.findings.hide(value.span());
        if self.spares_secrets
            && let DeValue::String(raw) = value.get_ref()
            && let Err(ExpandError::Missing(name)) = expand(raw, self.env)
        {
            return Some(Cow::Owned(stand_in(&name)));
        }
        self.text(value, expected)
    }

    /// Notes a value of the wrong type.
    pub(super) fn mistyped<R>(
        &mut self,
        value: &Spanned<DeValue<'_>>,
        expected: &str,
    ) -> Option<R> {
        let found = describe(value.get_ref());
        self.refuse(value.span(), found, expected, None);
        None
    }

    /// Notes a problem at the place where the reader stands.
    pub(super) fn refuse(
        &mut self,
        span: Range<usize>,
        found: impl Into<String>,
        expected: impl Into<String>,
        hint: Option<String>,
    ) {
        self.findings.push(Finding {
            key_path: self.path.clone(),
            span: Some(span),
            found: found.into(),
            expected: expected.into(),
            hint,
            severity: Severity::Error,
        });
    }
}

/// What a value is, in words; a text in the wrong place may be a secret and is not repeated.
fn describe(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(_) => "a text".to_owned(),
        DeValue::Integer(number) => format!("the integer {number}"),
        DeValue::Float(number) => format!("the number {number}"),
        DeValue::Boolean(value) => value.to_string(),
        DeValue::Datetime(_) => "a date".to_owned(),
        DeValue::Array(_) => "an array".to_owned(),
        DeValue::Table(_) => "a table".to_owned(),
    }
}

/// A key as a path shows it: in quotes where it could be misread.
pub(super) fn key_step(key: &str) -> String {
    let bare = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if !key.is_empty() && key.bytes().all(bare) {
        key.to_owned()
    } else {
        quoted(key)
    }
}

/// What other programs call our keys.
const OTHER_NAMES: &[(&str, &str)] = &[
    ("url", "base_url"),
    ("endpoint", "base_url"),
    ("api_base", "base_url"),
    ("key", "api_key"),
    ("apikey", "api_key"),
    ("bind", "listen"),
    ("address", "listen"),
    ("host", "listen"),
    ("port", "listen"),
    ("type", "preset"),
    ("cors", "origins"),
    ("targets", "routes"),
    ("strategy", "policy"),
    ("auth_token", "token"),
    ("cert", "certificate"),
    ("timeout", "timeouts"),
    ("retention", "keep_records"),
];

/// Declares a table of the config: the struct, how it is read, and its JSON Schema.
macro_rules! table {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $kind:ty,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Default, schemars::JsonSchema)]
        #[schemars(deny_unknown_fields)]
        pub(super) struct $name {
            $($(#[$field_doc])* pub(super) $field: Option<$crate::config::read::At<$kind>>,)*
        }

        impl $crate::config::read::Setting for $name {
            fn read(
                value: &toml::Spanned<toml::de::DeValue<'_>>,
                reader: &mut $crate::config::read::Reader<'_>,
            ) -> Option<Self> {
                let table = reader.table(value)?;
                reader.refuse_unknown(table, &[$(stringify!($field)),*]);
                Some(Self { $($field: reader.field(table, stringify!($field)),)* })
            }

            fn schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
                generator.subschema_for::<Self>()
            }
        }
    };
}

pub(super) use table;
