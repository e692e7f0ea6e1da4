//! Sleeps until there is something to do.

use std::thread;
use std::time::Duration;

use crate::clock::Clock;
use crate::record::Nanos;

/// Sleeps for `span`, or until it is `enough`; whoever makes it so wakes the thread.
pub(super) fn sleep(clock: &Clock, span: Duration, enough: impl Fn() -> bool) {
    let until = clock.now().plus(nanos(span));
    while !enough() {
        let before = clock.now();
        let left = until.since(before);
        if left == Nanos(0) {
            return;
        }
        thread::park_timeout(Duration::from_nanos(left.0));
        if clock.now() == before {
            // A clock turned by hand: it would never be over.
            return;
        }
    }
}

/// A span as the clock counts it.
pub(super) fn nanos(span: Duration) -> Nanos {
    Nanos(u64::try_from(span.as_nanos()).unwrap_or(u64::MAX))
}
