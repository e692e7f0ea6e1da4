//! Arranges records into reports: plain rows in, plain numbers out.

pub mod row;

pub mod spread;

pub mod window;

pub mod route;

mod tally;

pub mod routes;

pub use route::{Costs, Lost, OutcomeCounts, RouteName, RouteReport, Share};
pub use routes::{Further, ReportHead, RollupOf, RoutesBuilder, RoutesReport};
pub use row::{Exclusion, Origins, Row, Selection};
pub use spread::{Figure, Spread};
pub use window::Window;
