//! Shares the price of an hour among the requests of a route that is paid by the hour.

use crate::record::{Nanos, PicoDollars};

/// What a route that is paid by the hour did in a span of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hosting {
    /// The price of an hour.
    pub per_hour: PicoDollars,
    /// The span that is paid for, idle time included.
    pub span: Nanos,
    /// Requests in it.
    pub requests: u64,
    /// The most requests in any minute of it: what full use is taken to be.
    pub busiest_minute: u64,
}

impl Hosting {
    /// What the whole span costs, to the nearest pico-dollar.
    #[must_use]
    pub fn total(&self) -> PicoDollars {
        PicoDollars(share(self.per_hour, self.span, 1).unwrap_or(0))
    }

    /// What a request costs when the whole span is shared among those that came; nothing where
    /// none came.
    #[must_use]
    pub fn observed(&self) -> Option<PicoDollars> {
        share(self.per_hour, self.span, self.requests).map(PicoDollars)
    }

    /// What a request would cost if every minute were as the busiest one: the least it can cost by
    /// what was seen, and no promise that the machine bears that for an hour.
    #[must_use]
    pub fn at_full_use(&self) -> Option<PicoDollars> {
        share(self.per_hour, MINUTE, self.busiest_minute).map(PicoDollars)
    }
}

const MINUTE: Nanos = Nanos::from_millis(60_000);
const HOUR: u128 = 3_600_000_000_000;

/// The price of `span` shared by `requests`, to the nearest pico-dollar, halves upward.
fn share(per_hour: PicoDollars, span: Nanos, requests: u64) -> Option<u64> {
    let divisor = HOUR * u128::from(requests);
    let price = u128::from(per_hour.0) * u128::from(span.0);
    let nearest = (price + divisor / 2).checked_div(divisor)?;
    u64::try_from(nearest).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hour_is_shared_by_its_requests() {
        // 27 dollars an hour, two hours, 540 requests: a dime each.
        let seen = Hosting {
            per_hour: PicoDollars(27_000_000_000_000),
            span: Nanos::from_millis(7_200_000),
            requests: 540,
            busiest_minute: 45,
        };
        assert_eq!(seen.total(), PicoDollars(54_000_000_000_000));
        assert_eq!(seen.observed(), Some(PicoDollars(100_000_000_000)));
        // 45 a minute are 2,700 an hour: a cent each.
        assert_eq!(seen.at_full_use(), Some(PicoDollars(10_000_000_000)));
        let idle = Hosting {
            requests: 0,
            busiest_minute: 0,
            ..seen
        };
        assert_eq!((idle.observed(), idle.at_full_use()), (None, None));
        assert_eq!(idle.total(), seen.total());
    }

    #[test]
    fn a_share_is_rounded_to_the_nearest() {
        let seen = Hosting {
            per_hour: PicoDollars(5),
            span: Nanos::from_millis(3_600_000),
            requests: 2,
            busiest_minute: 0,
        };
        assert_eq!(seen.observed(), Some(PicoDollars(3)));
    }
}
