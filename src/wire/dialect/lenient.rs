//! Reads JSON without minding surprises: a value of an unexpected type is as good as absent.
//!
//! Providers add, drop and retype fields without notice. A derive would refuse the whole event for
//! one of them, or for a key that comes twice; here the last value of a key stands, and what does
//! not fit is its type's default.

use std::borrow::Cow;

use super::json::{Elements, Json, Lenient, NotJson, Quoted, RawJson, read};

/// Declares an object of which only the named keys are read.
macro_rules! lenient_object {
    ($(#[$doc:meta])* $see:vis struct $name:ident {
        $($seen:vis $field:ident : $type:ty = $key:literal,)*
    }) => {
        $(#[$doc])*
        #[derive(Debug, Default)]
        $see struct $name<'de> {
            $($seen $field: $type,)*
            borrowed: std::marker::PhantomData<&'de ()>,
        }

        impl<'de> $crate::wire::dialect::json::Lenient<'de> for $name<'de> {
            fn map(
                map: &mut $crate::wire::dialect::json::Members<'_, 'de>,
            ) -> Result<Self, $crate::wire::dialect::json::NotJson> {
                let mut read = Self::default();
                while let Some(key) = map.key()? {
                    match &*key {
                        $($key => read.$field = map.value()?,)*
                        _ => map.skip()?,
                    }
                }
                Ok(read)
            }
        }
    };
}
pub(crate) use lenient_object;

/// A JSON value as it stands, where it is there and not null.
pub(crate) type Raw<'de> = Option<RawJson<'de>>;

impl<'de> Lenient<'de> for Raw<'de> {
    fn read(json: &mut Json<'de>) -> Result<Self, NotJson> {
        let text = json.raw()?;
        Ok((text != "null").then_some(RawJson::new(text)))
    }
}

/// A string; of anything else, nothing.
#[derive(Debug, Default, Clone)]
pub(crate) struct Text<'de>(pub(crate) Option<Cow<'de, str>>);

impl Text<'_> {
    /// The text, empty where there was none.
    pub(crate) fn as_str(&self) -> &str {
        self.0.as_deref().unwrap_or_default()
    }
}

impl<'de> Lenient<'de> for Text<'de> {
    fn text(text: &str) -> Self {
        Self(Some(Cow::Owned(text.to_owned())))
    }

    fn borrowed(text: &'de str) -> Self {
        Self(Some(Cow::Borrowed(text)))
    }
}

/// The inside of a string as it stands in the JSON text; empty where there is none.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Inside<'de>(Option<Quoted<'de>>);

impl<'de> Lenient<'de> for Inside<'de> {
    fn quoted(quoted: Quoted<'de>) -> Result<Self, NotJson> {
        Ok(Self(Some(quoted)))
    }
}

impl<'de> Inside<'de> {
    /// As it stands: between quotes it is JSON again.
    pub(crate) fn raw(self) -> &'de str {
        self.0.map_or("", |quoted| quoted.inside)
    }

    /// The text that it stands for. Halves of characters, which no text can hold, are replaced.
    pub(crate) fn text(self) -> String {
        let Some(quoted) = self.0 else {
            return String::new();
        };
        match quoted.text() {
            Ok(text) => text.into_owned(),
            Err(NotJson) => char::REPLACEMENT_CHARACTER.to_string(),
        }
    }

    /// How many characters it stands for.
    pub(crate) fn characters(self) -> u64 {
        let plain = self.0.filter(|quoted| !quoted.escaped);
        let count = plain.map_or_else(
            || self.text().chars().count(),
            |quoted| quoted.inside.chars().count(),
        );
        count as u64
    }
}

/// A whole number that is not negative, written as a number or as a string of one.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Count(pub(crate) Option<u64>);

impl Lenient<'_> for Count {
    fn count(count: u64) -> Self {
        Self(Some(count))
    }

    fn number(number: f64) -> Self {
        // 2^53: beyond it a float is no count any more.
        let whole = (0.0..=9_007_199_254_740_992.0).contains(&number) && number.fract() == 0.0;
        Self(whole.then_some(number as u64))
    }

    fn text(text: &str) -> Self {
        Self(text.trim().parse().ok())
    }
}

/// A finite number, written as a number or as a string of one.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Number(pub(crate) Option<f64>);

impl Lenient<'_> for Number {
    fn number(number: f64) -> Self {
        Self(Some(number))
    }

    fn text(text: &str) -> Self {
        Self(
            text.trim()
                .parse()
                .ok()
                .filter(|number: &f64| number.is_finite()),
        )
    }
}

/// A boolean.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Truth(pub(crate) Option<bool>);

impl Lenient<'_> for Truth {
    fn truth(truth: bool) -> Self {
        Self(Some(truth))
    }
}

/// Whether a string is there and not empty.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Filled(pub(crate) bool);

impl<'de> Lenient<'de> for Filled {
    fn quoted(quoted: Quoted<'de>) -> Result<Self, NotJson> {
        Ok(Self(!quoted.inside.is_empty()))
    }
}

/// Whether there is anything in a list.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Entries(pub(crate) bool);

impl<'de> Lenient<'de> for Entries {
    fn seq(seq: &mut Elements<'_, 'de>) -> Result<Self, NotJson> {
        let mut any = false;
        while let Some(entry) = seq.next::<Raw<'de>>()? {
            any |= entry.is_some();
        }
        Ok(Self(any))
    }
}

/// A value where it is there and not null.
#[derive(Debug)]
pub(crate) struct Maybe<T>(pub(crate) Option<T>);

impl<T> Default for Maybe<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<'de, T: Lenient<'de>> Lenient<'de> for Maybe<T> {
    fn read(json: &mut Json<'de>) -> Result<Self, NotJson> {
        let is_null = json.is_null();
        let value = T::read(json)?;
        Ok(Self((!is_null).then_some(value)))
    }
}

/// A value that is large and seldom there, apart.
impl<'de, T: Lenient<'de>> Lenient<'de> for Box<T> {
    fn read(json: &mut Json<'de>) -> Result<Self, NotJson> {
        T::read(json).map(Self::new)
    }
}

/// Every element of an array; of anything else, none.
#[derive(Debug)]
pub(crate) struct List<T>(pub(crate) Vec<T>);

impl<T> Default for List<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Lenient<'de>> Lenient<'de> for List<T> {
    fn seq(seq: &mut Elements<'_, 'de>) -> Result<Self, NotJson> {
        let mut list = Vec::new();
        while let Some(element) = seq.next()? {
            list.push(element);
        }
        Ok(Self(list))
    }
}

/// The same where nearly always there is one element, or none: that takes no allocation.
#[derive(Debug, Default)]
pub(crate) enum Few<T> {
    /// Nothing.
    #[default]
    None,
    /// One element.
    One(T),
    /// Several.
    Many(Vec<T>),
}

impl<T> Few<T> {
    /// Adds an element behind the others.
    pub(crate) fn push(&mut self, element: T) {
        *self = match std::mem::take(self) {
            Self::None => Self::One(element),
            Self::One(first) => Self::Many(vec![first, element]),
            Self::Many(mut all) => {
                all.push(element);
                Self::Many(all)
            }
        };
    }

    /// The elements.
    pub(crate) fn as_slice(&self) -> &[T] {
        match self {
            Self::None => &[],
            Self::One(one) => std::slice::from_ref(one),
            Self::Many(many) => many,
        }
    }
}

impl<'de, T: Lenient<'de>> Lenient<'de> for Few<T> {
    fn seq(seq: &mut Elements<'_, 'de>) -> Result<Self, NotJson> {
        let mut few = Self::None;
        while let Some(element) = seq.next()? {
            few.push(element);
        }
        Ok(few)
    }
}

/// Reads a raw value as `T`; what cannot be read is the default.
pub(crate) fn reread<'de, T: Lenient<'de>>(raw: Raw<'de>) -> T {
    raw.and_then(|raw| read(raw.get())).unwrap_or_default()
}
