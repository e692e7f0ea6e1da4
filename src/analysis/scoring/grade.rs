//! The three ways in which a scorer ends.

/// What an answer is worth.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Grade {
    /// From 0, worthless, to 1.
    Score(f64),
    /// There is nothing to score in it, and why.
    Nothing(&'static str),
}

impl Grade {
    /// All or nothing.
    pub(super) fn of(is_right: bool) -> Self {
        Self::Score(f64::from(u8::from(is_right)))
    }
}

/// Why a scorer could not say anything of an answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ScorerFault(pub String);

/// What became of an answer at one scorer.
#[derive(Debug, Clone, PartialEq)]
pub enum Scored {
    /// A score of 0 to 1.
    Score(f64),
    /// There was nothing to score, and why: it counts as 0.
    Nothing(String),
    /// The scorer failed, and how: it says nothing of the answer.
    Failed(String),
}

impl From<Result<Grade, ScorerFault>> for Scored {
    fn from(result: Result<Grade, ScorerFault>) -> Self {
        match result {
            Ok(Grade::Score(score)) => Self::Score(score),
            Ok(Grade::Nothing(why)) => Self::Nothing(why.to_owned()),
            Err(fault) => Self::Failed(fault.0),
        }
    }
}
