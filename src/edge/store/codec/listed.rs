//! Numbers the values of enums by their place in `ALL`, which is append-only.

use crate::record::{
    Arm, AssignedUnit, CancelledBy, End, ErrorClass, FinishReason, Language, NoCost, NotEnrolled,
    NullReason, Oddity, Origin, Outcome, SessionSource, TokenSource,
};

/// An enum whose values are stored by their place.
pub(in super::super) trait Listed: Copy {
    /// Its place in `ALL`.
    fn place(self) -> u8;
    /// The value at a place.
    fn at(place: u8) -> Option<Self>;
}

macro_rules! listed {
    ($($name:ty),* $(,)?) => {$(
        impl Listed for $name {
            fn place(self) -> u8 {
                self as u8
            }
            fn at(place: u8) -> Option<Self> {
                Self::ALL.get(usize::from(place)).copied()
            }
        }
    )*

        #[cfg(test)]
        mod tests {
            use super::*;

            #[test]
            fn every_value_stands_at_its_place() {
                $(for value in <$name>::ALL.iter().copied() {
                    assert_eq!(<$name>::at(value.place()), Some(value));
                })*
            }
        }
    };
}

listed!(
    Arm,
    AssignedUnit,
    CancelledBy,
    End,
    ErrorClass,
    FinishReason,
    Language,
    NoCost,
    NotEnrolled,
    NullReason,
    Oddity,
    Origin,
    Outcome,
    SessionSource,
    TokenSource,
);
