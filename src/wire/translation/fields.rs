//! Takes the fields of a client's request one by one, and says what becomes of those left over.

use serde_json::{Map, Value};

use super::shape::{Asked, Refusal};
use crate::record::Language;

/// What of a request has no place in the provider's language.
#[derive(Debug)]
pub(super) struct Left {
    provider: Language,
    drop_params: bool,
    dropped: Vec<String>,
}

impl Left {
    /// Nothing yet, of `asked`.
    pub(super) fn new(asked: &Asked<'_>, provider: Language) -> Self {
        Self {
            provider,
            drop_params: asked.terms.drop_params,
            dropped: Vec::new(),
        }
    }

    /// Leaves a field out and says so, whatever the terms: it asks for nothing that an answer
    /// would miss (a hint, a label, a choice of price).
    pub(super) fn hint(&mut self, field: impl Into<String>) {
        self.dropped.push(field.into());
    }

    /// Leaves a field out where the terms allow it. `why` is the end of a sentence that begins
    /// with the field: `has no place in …`.
    pub(super) fn unless_dropped(
        &mut self,
        field: impl Into<String>,
        why: &str,
    ) -> Result<(), Refusal> {
        let field = field.into();
        if self.drop_params {
            self.dropped.push(field);
            return Ok(());
        }
        let message = format!(
            "`{field}` {why}; leave it out, or set `drop_params = true` on the provider to have \
             it dropped"
        );
        Err(Refusal { field, message })
    }

    /// The same of a field that the language has no word for.
    pub(super) fn no_place(&mut self, field: impl Into<String>) -> Result<(), Refusal> {
        let why = format!("has no place in {}", self.provider.name());
        self.unless_dropped(field, &why)
    }

    /// The fields left out, each once.
    pub(super) fn dropped(mut self) -> Vec<String> {
        self.dropped.sort_unstable();
        self.dropped.dedup();
        self.dropped
    }
}

/// An object of a request, whose members are taken one by one.
#[derive(Debug)]
pub(super) struct Fields {
    /// Where it stands, with a point behind it; empty for the body itself.
    path: String,
    map: Map<String, Value>,
}

impl Fields {
    /// Those of a whole body.
    pub(super) fn of_body(body: &[u8]) -> Result<Self, Refusal> {
        let read: Result<Map<String, Value>, _> = serde_json::from_slice(body);
        let map = read.map_err(|error| Refusal {
            field: String::new(),
            message: format!("the body is not a JSON object: {error}"),
        })?;
        let path = String::new();
        Ok(Self { path, map })
    }

    /// Those of the object `value`, which stands at `path`.
    pub(super) fn of(path: &str, value: Value) -> Result<Self, Refusal> {
        match value {
            Value::Object(map) => {
                let path = format!("{path}.");
                Ok(Self { path, map })
            }
            other => Err(wrong(path, "an object", &other)),
        }
    }

    /// Where a member stands.
    pub(super) fn at(&self, key: &str) -> String {
        format!("{}{key}", self.path)
    }

    /// Looks at a member without taking it; `null` is as good as absent.
    pub(super) fn look(&self, key: &str) -> Option<&Value> {
        self.map.get(key).filter(|value| !value.is_null())
    }

    /// Takes a member; `null` is as good as absent.
    pub(super) fn take(&mut self, key: &str) -> Option<Value> {
        self.map.shift_remove(key).filter(|value| !value.is_null())
    }

    /// Takes a string.
    pub(super) fn text(&mut self, key: &str) -> Result<Option<String>, Refusal> {
        match self.take(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(wrong(&self.at(key), "a string", &other)),
        }
    }

    /// Takes a string that must be there.
    pub(super) fn needed_text(&mut self, key: &str) -> Result<String, Refusal> {
        let found = self.text(key)?;
        found.ok_or_else(|| missing(&self.at(key)))
    }

    /// Takes a whole number that is not negative.
    pub(super) fn count(&mut self, key: &str) -> Result<Option<u64>, Refusal> {
        match self.take(key) {
            None => Ok(None),
            Some(value) => match value.as_u64() {
                Some(count) => Ok(Some(count)),
                None => Err(wrong(&self.at(key), "a whole number", &value)),
            },
        }
    }

    /// Takes a number.
    pub(super) fn number(&mut self, key: &str) -> Result<Option<f64>, Refusal> {
        match self.take(key) {
            None => Ok(None),
            Some(value) => match value.as_f64() {
                Some(number) => Ok(Some(number)),
                None => Err(wrong(&self.at(key), "a number", &value)),
            },
        }
    }

    /// Takes a boolean.
    pub(super) fn truth(&mut self, key: &str) -> Result<Option<bool>, Refusal> {
        match self.take(key) {
            None => Ok(None),
            Some(Value::Bool(truth)) => Ok(Some(truth)),
            Some(other) => Err(wrong(&self.at(key), "true or false", &other)),
        }
    }

    /// Takes an array.
    pub(super) fn list(&mut self, key: &str) -> Result<Option<Vec<Value>>, Refusal> {
        match self.take(key) {
            None => Ok(None),
            Some(Value::Array(list)) => Ok(Some(list)),
            Some(other) => Err(wrong(&self.at(key), "an array", &other)),
        }
    }

    /// Takes an object.
    pub(super) fn object(&mut self, key: &str) -> Result<Option<Self>, Refusal> {
        let path = self.at(key);
        self.take(key)
            .map(|value| Self::of(&path, value))
            .transpose()
    }

    /// Takes a member whose value asks for nothing, and leaves it where it asks for something.
    pub(super) fn skip_if(&mut self, key: &str, says_nothing: impl FnOnce(&Value) -> bool) {
        if self.map.get(key).is_some_and(says_nothing) {
            self.map.shift_remove(key);
        }
    }

    /// Takes members that are hints, and says of those that are there that they are left out.
    pub(super) fn hints(&mut self, keys: &[&str], left: &mut Left) {
        for key in keys {
            if self.take(key).is_some() {
                left.hint(self.at(key));
            }
        }
    }

    /// Whether nothing is left.
    pub(super) fn is_empty(&self) -> bool {
        self.map.is_empty()
    }

    /// Everything has been taken that has a place: what is left has none.
    pub(super) fn finish(self, left: &mut Left) -> Result<(), Refusal> {
        let Self { path, map } = self;
        for (key, value) in map {
            if !value.is_null() {
                left.no_place(format!("{path}{key}"))?;
            }
        }
        Ok(())
    }
}

/// The refusal of a field that is not what it must be.
pub(super) fn wrong(field: &str, expected: &str, found: &Value) -> Refusal {
    let found = match found {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    };
    refusal(field, &format!("is {found}; send {expected}"))
}

/// The refusal of a field that is not there.
pub(super) fn missing(field: &str) -> Refusal {
    refusal(field, "is missing; the provider's language needs it")
}

/// A refusal whose message begins with the field.
pub(super) fn refusal(field: &str, why: &str) -> Refusal {
    Refusal {
        field: field.to_owned(),
        message: format!("`{field}` {why}"),
    }
}
