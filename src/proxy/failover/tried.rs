//! Says what one try is given, and how it may go.

use super::loss::Loss;
use super::{Job, Means, Reached, Unreached};
use crate::proxy::candidates::Way;
use crate::proxy::reject::Reject;
use crate::record::{ErrorClass, Moment, Outcome};
use crate::wire::dialect::errors::Verdict;

/// One try at one route.
#[derive(Debug, Clone, Copy)]
pub(super) struct Try<'a> {
    /// What is asked.
    pub(super) job: &'a Job<'a>,
    /// Where.
    pub(super) way: &'a Way,
    /// Its index among the ways.
    pub(super) index: usize,
    /// Whether the usage event is asked for by us.
    pub(super) inject: bool,
    /// Whether a token that was refused may be got anew, and the request sent again.
    pub(super) may_renew: bool,
    /// Where the request goes on where this one is too slow.
    pub(super) elsewhere: Option<&'a Way>,
    /// Where it goes on where the attempt beside this one has been there in vain.
    pub(super) further: Option<&'a Way>,
    /// How long its answer may be held back; absent where no other route is left.
    pub(super) patience: Option<Patience>,
    /// What it works with.
    pub(super) means: Means<'a>,
}

/// How long an attempt may go without a token while another route is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Patience {
    /// When its first token is overdue; absent where no deadline of ours holds.
    pub(super) first_token: Option<Moment>,
    /// When it is committed as it stands; absent where nothing is held.
    pub(super) held: Option<Moment>,
}

impl Patience {
    /// None of the deadlines that another route would set.
    pub(super) const ENDLESS: Self = Self {
        first_token: None,
        held: None,
    };
}

/// How a try went.
#[derive(Debug)]
pub(super) enum Tried {
    /// There is an answer to relay.
    Answered(Box<Reached>),
    /// The provider does not take `stream_options`: once more without.
    WithoutInjection,
    /// The token has run out before its time: once more with another one.
    WithFreshCredential,
    /// Something else may follow.
    Failed(Box<Failure>),
}

/// What another try of the same way is to do otherwise than the first.
#[derive(Debug, Clone, Copy)]
pub(super) struct Manner {
    /// The usage event may be asked for.
    pub(super) injection: bool,
    /// A refused token may be got anew.
    pub(super) renewal: bool,
}

impl Manner {
    /// That of a first try.
    pub(super) const FIRST: Self = Self {
        injection: true,
        renewal: true,
    };
}

/// Whether an error is that of a credential, so that the provider's next one may do.
pub(super) const fn is_of_credential(class: ErrorClass) -> bool {
    matches!(
        class,
        ErrorClass::RateLimited | ErrorClass::Quota | ErrorClass::Auth | ErrorClass::Permission
    )
}

/// A try that failed.
#[derive(Debug)]
pub(super) struct Failure {
    /// What may follow.
    pub(super) verdict: Verdict,
    /// Whether it is the credential that was refused or limited: another one may do.
    pub(super) of_credential: bool,
    /// Whether the provider got the request: then the next try asks for the same work twice.
    pub(super) reached: bool,
    /// Whether the budget's leave for the next try is taken already.
    pub(super) leave: bool,
    /// What the client is told where nothing follows and the provider said nothing.
    pub(super) unreached: Unreached,
    /// The provider's own answer, for the client where nothing follows.
    pub(super) answer: Option<Box<Reached>>,
    /// What is left to write into the attempt's record where something follows.
    pub(super) loss: Loss,
}

impl Failure {
    /// A failure without an answer, whose record is closed.
    pub(super) fn closed(
        verdict: Verdict,
        reached: bool,
        reject: Reject,
        outcome: Outcome,
    ) -> Box<Self> {
        Box::new(Self {
            verdict,
            of_credential: false,
            reached,
            leave: false,
            unreached: Unreached { reject, outcome },
            answer: None,
            loss: Loss::Closed,
        })
    }
}
