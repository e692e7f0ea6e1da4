//! Reads JSON without minding surprises: a value of an unexpected type is as good as absent.
//!
//! Providers add, drop and retype fields without notice. A derive would refuse the whole event for
//! one of them, or for a key that comes twice; here the last value of a key stands, and what does
//! not fit is its type's default.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// A value that can be made of any JSON value. Each method has the default as its answer.
pub(crate) trait Lenient<'de>: Default {
    /// From a string with escapes, or out of a buffer that does not live on.
    fn text(_: &str) -> Self {
        Self::default()
    }

    /// From a string that can be borrowed.
    fn borrowed(text: &'de str) -> Self {
        Self::text(text)
    }

    /// From a number.
    fn number(_: f64) -> Self {
        Self::default()
    }

    /// From a whole number that is not negative.
    fn count(count: u64) -> Self {
        Self::number(count as f64)
    }

    /// From a boolean.
    fn truth(_: bool) -> Self {
        Self::default()
    }

    /// From an array.
    fn seq<A: SeqAccess<'de>>(mut seq: A) -> Result<Self, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Self::default())
    }

    /// From an object.
    fn map<A: MapAccess<'de>>(mut map: A) -> Result<Self, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Self::default())
    }
}

/// Reads a [`Lenient`] value; what `deserialize` of such types is made of.
pub(crate) fn any<'de, T: Lenient<'de>, D: Deserializer<'de>>(from: D) -> Result<T, D::Error> {
    from.deserialize_any(Any(PhantomData))
}

struct Any<T>(PhantomData<T>);

impl<'de, T: Lenient<'de>> Visitor<'de> for Any<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_unit<E>(self) -> Result<T, E> {
        Ok(T::default())
    }

    fn visit_bool<E>(self, truth: bool) -> Result<T, E> {
        Ok(T::truth(truth))
    }

    fn visit_u64<E>(self, count: u64) -> Result<T, E> {
        Ok(T::count(count))
    }

    fn visit_i64<E>(self, number: i64) -> Result<T, E> {
        Ok(u64::try_from(number).map_or_else(|_| T::number(number as f64), T::count))
    }

    fn visit_f64<E>(self, number: f64) -> Result<T, E> {
        Ok(T::number(number))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<T, E> {
        Ok(T::borrowed(text))
    }

    fn visit_str<E>(self, text: &str) -> Result<T, E> {
        Ok(T::text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<T, A::Error> {
        T::seq(seq)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        T::map(map)
    }
}

/// Gives types that are [`Lenient`] their `Deserialize`.
macro_rules! lenient_deserialize {
    ($($type:ty),*) => {$(
        impl<'de> serde::de::Deserialize<'de> for $type {
            fn deserialize<D: serde::de::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                $crate::wire::dialect::lenient::any(from)
            }
        }
    )*};
}
pub(crate) use lenient_deserialize;

/// Declares an object of which only the named keys are read.
macro_rules! lenient_object {
    ($(#[$doc:meta])* struct $name:ident { $($field:ident : $type:ty = $key:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Default)]
        struct $name<'de> {
            $($field: $type,)*
            borrowed: std::marker::PhantomData<&'de ()>,
        }

        impl<'de> $crate::wire::dialect::lenient::Lenient<'de> for $name<'de> {
            fn map<A: serde::de::MapAccess<'de>>(mut map: A) -> Result<Self, A::Error> {
                let mut read = Self::default();
                while let Some(key) = map.next_key::<$crate::wire::dialect::lenient::Text<'de>>()? {
                    match key.as_str() {
                        $($key => read.$field = map.next_value()?,)*
                        _ => { map.next_value::<serde::de::IgnoredAny>()?; }
                    }
                }
                Ok(read)
            }
        }
        $crate::wire::dialect::lenient::lenient_deserialize!($name<'de>);
    };
}
pub(crate) use lenient_object;

/// A JSON value as it stands, where it is there and not null.
pub(crate) type Raw<'de> = Option<&'de serde_json::value::RawValue>;

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

impl Lenient<'_> for Filled {
    fn text(text: &str) -> Self {
        Self(!text.is_empty())
    }
}

lenient_deserialize!(Text<'de>, Count, Number, Truth, Filled);

/// Every element of an array; of anything else, none.
#[derive(Debug)]
pub(crate) struct List<T>(pub(crate) Vec<T>);

impl<T> Default for List<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>> Lenient<'de> for List<T> {
    fn seq<A: SeqAccess<'de>>(mut seq: A) -> Result<Self, A::Error> {
        let mut list = Vec::new();
        while let Some(element) = seq.next_element()? {
            list.push(element);
        }
        Ok(Self(list))
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        any(from)
    }
}

/// Reads a raw value as `T`; what cannot be read is the default.
pub(crate) fn reread<'de, T: Deserialize<'de> + Default>(raw: Raw<'de>) -> T {
    raw.and_then(|raw| serde_json::from_str(raw.get()).ok())
        .unwrap_or_default()
}
