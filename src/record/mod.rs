//! Says what one exchange was and how it went: plain data with units, and nothing that acts.

mod named;

pub mod units;

pub mod ids;

pub mod usage;

pub mod timeline;

pub mod outcome;

pub mod language;

pub mod attempt;

pub mod experiment;

pub mod decision;

pub mod active;

pub mod exchange;

pub mod note;

pub mod score;

pub use active::{Active, Pair};
pub use attempt::{AttemptRecord, Protocol, ProviderKind, RateLimitHeader, ServerTiming};
pub use decision::{Considered, Decision};
pub use exchange::{
    Dialect, ExchangeRecord, NoCost, Origin, OwnDelay, RequestFacts, Session, SessionSource, Tokens,
};
pub use experiment::{Arm, Assigned, AssignedUnit, Coin, Enrolment, NotEnrolled};
pub use ids::{ExchangeId, KeyedHash, TraceId};
pub use language::Language;
pub use note::Note;
pub use outcome::{CancelledBy, End, ErrorClass, FinishReason, Oddity, Outcome};
pub use score::{ItemMeans, RouteScore};
pub use timeline::{Bins, Gaps, Mark, NullReason, Timeline};
pub use units::{Moment, Name, Nanos, PicoDollars, WallTime};
pub use usage::{TokenSource, Usage};
