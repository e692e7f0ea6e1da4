//! Estimates how many of a stream's tokens came with its first token event, by shares of bytes.

/// The text of token events, counted and not kept.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Share {
    /// Bytes of the first event's text; zero where it has none that can be told.
    first: u64,
    /// Bytes of all events' text.
    bytes: u64,
    /// Events, and those of them whose text can be told.
    events: u64,
    told: u64,
}

impl Share {
    /// Takes one token event whose text has so many bytes.
    pub(super) fn event(&mut self, bytes: u64) {
        if self.events == 0 {
            self.first = bytes;
        }
        self.events += 1;
        self.told += u64::from(bytes > 0);
        self.bytes = self.bytes.saturating_add(bytes);
    }

    /// Tokens of the first event, of `tokens` that were streamed (`n_first`, measurement.md 2.6): as
    /// its text is to all text, at least one, and no more than leave one for each event after it.
    /// One where its text is not known. An event without text that can be told counts as the mean.
    pub(super) fn first_tokens(self, tokens: Option<u64>) -> u32 {
        let (Some(tokens), true) = (tokens, self.first > 0) else {
            return 1;
        };
        let all = u128::from(self.bytes) * u128::from(self.events) / u128::from(self.told.max(1));
        let share = (u128::from(tokens) * u128::from(self.first) + all / 2) / all.max(1);
        let most = tokens.saturating_sub(self.events - 1);
        let tokens = u64::try_from(share).unwrap_or(u64::MAX).min(most).max(1);
        u32::try_from(tokens).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_event_has_its_share_of_the_tokens() {
        for (events, tokens, first) in [
            // Fifty tokens an event.
            (&[200_u64, 200, 200, 200][..], Some(200), 50),
            // A long first word is one token where every event has one.
            (&[9, 3, 3, 3], Some(4), 1),
            // One token more than events: the first may have had two.
            (&[9, 3, 3, 3], Some(5), 2),
            // A short first one of few: at least one.
            (&[1, 400, 400], Some(100), 1),
            // Not told: an object of arguments later on counts as much as the others.
            (&[100, 0, 100, 0], Some(100), 25),
            (&[0, 100, 100], Some(90), 1),
            (&[200, 200], None, 1),
            (&[], Some(5), 1),
            // Fewer tokens than events.
            (&[5, 5, 5], Some(2), 1),
        ] {
            let mut share = Share::default();
            for bytes in events {
                share.event(*bytes);
            }
            assert_eq!(
                share.first_tokens(tokens),
                first,
                "{events:?} of {tokens:?}"
            );
        }
    }
}
