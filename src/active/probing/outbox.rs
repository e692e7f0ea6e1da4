//! Holds alerts until they are delivered: a webhook that is down loses none and holds nobody up.

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Alerts that wait at most; where there are more the oldest go, and are counted.
const WAITING_MAX: usize = 1_000;
/// The first pause after a failure, doubled with each up to the longest.
const PAUSE: Duration = Duration::from_secs(5);
const PAUSE_MAX: Duration = Duration::from_mins(5);

/// Alerts on their way, as the bodies that are sent.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Outbox {
    waiting: VecDeque<String>,
    delivered: u64,
    dropped: u64,
    /// Failures in a row.
    #[serde(skip)]
    failures: u32,
}

impl Outbox {
    /// Puts an alert behind the others.
    pub fn put(&mut self, body: String) {
        if self.waiting.len() >= WAITING_MAX {
            self.waiting.pop_front();
            self.dropped += 1;
        }
        self.waiting.push_back(body);
    }

    /// The one that is to be sent next.
    #[must_use]
    pub fn next(&self) -> Option<&str> {
        self.waiting.front().map(String::as_str)
    }

    /// `body` was taken.
    pub fn delivered(&mut self, body: &str) {
        self.failures = 0;
        // Meanwhile it may have made room for others.
        if self.next() == Some(body) {
            self.waiting.pop_front();
            self.delivered += 1;
        }
    }

    /// The one that was sent was not taken: how long to wait before it is sent again.
    pub fn failed(&mut self) -> Duration {
        let pause = PAUSE.saturating_mul(1 << self.failures.min(10));
        self.failures = self.failures.saturating_add(1);
        pause.min(PAUSE_MAX)
    }

    /// Nobody is told any more: what waits is forgotten.
    pub fn clear(&mut self) {
        self.waiting.clear();
    }

    /// How many wait, were delivered, and made room for others.
    #[must_use]
    pub fn counts(&self) -> (u64, u64, u64) {
        (self.waiting.len() as u64, self.delivered, self.dropped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_taken_is_sent_again_in_its_order() {
        let mut outbox = Outbox::default();
        outbox.put("a".to_owned());
        outbox.put("b".to_owned());
        let pauses: Vec<u64> = (0..9).map(|_| outbox.failed().as_secs()).collect();
        assert_eq!(pauses, [5, 10, 20, 40, 80, 160, 300, 300, 300]);
        assert_eq!(outbox.next(), Some("a"));
        let text = serde_json::to_string(&outbox).unwrap();
        let mut outbox: Outbox = serde_json::from_str(&text).unwrap();
        outbox.delivered("a");
        assert_eq!(outbox.failed().as_secs(), 5);
        assert_eq!(outbox.next(), Some("b"));
        outbox.delivered("a");
        assert_eq!(outbox.counts(), (1, 1, 0), "b was not taken yet");
    }

    #[test]
    fn of_too_many_the_oldest_go_and_are_counted() {
        let mut outbox = Outbox::default();
        (0..1_003).for_each(|n| outbox.put(n.to_string()));
        assert_eq!((outbox.next(), outbox.counts()), (Some("3"), (1_000, 0, 3)));
    }
}
