//! Judges policies: in simulated worlds where every route's answer is known, in worlds made from
//! recorded residuals, and on what was really explored.
//!
//! A world says for each request what every route would have answered. A player sees of it only
//! what it asked for, when that was over. Regret is of the expected time to the first token against
//! the oracle's, who knows every expectation: noise that no policy can know is in neither.

mod arena;

mod baseline;

mod contender;

mod logged;

mod player;

mod recorded;

mod simulated;

mod snips;

mod trace;

mod tournament;

mod world;

pub use arena::{Score, play};
pub use contender::Contender;
pub use logged::{Logged, Lot, by_lot, routes};
pub use player::{Player, Seen};
pub use recorded::{RecordedFault, Recording};
pub use simulated::{Kind, SimulatedSpec, simulate};
pub use snips::{Refused, Snips, snips};
pub use tournament::{Entrant, Line, Standings, Terms, tournament};
pub use trace::{Sizes, Trace, TraceFault, TraceRow, read_trace};
pub use world::{Answer, Configured, Request, RouteFacts, World};
