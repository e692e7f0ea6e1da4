//! Says what a player is: it chooses a route, and is told how that went when it is over.

use crate::record::Moment;

use super::world::{Answer, Request};

/// How a choice went.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Seen {
    /// When it is over.
    pub at: Moment,
    /// Which request it was.
    pub request: Request,
    /// The route chosen.
    pub route: usize,
    /// What it answered.
    pub answer: Answer,
}

/// Who chooses routes.
pub trait Player {
    /// The route for the request of the given number.
    fn choose(&mut self, number: usize, request: &Request) -> usize;

    /// A choice of before is over.
    fn see(&mut self, seen: &Seen);
}
