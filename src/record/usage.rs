//! Counts the tokens of one exchange, each unknown until it is known.

/// Token counts, normalised so that one word means one thing whatever the provider calls it.
///
/// `None` is unknown, which is not zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// All prompt tokens: cache reads, cache writes and tool-use prompt tokens included.
    pub input: Option<u64>,
    /// The part of `input` read from the provider's prompt cache.
    pub cached_read: Option<u64>,
    /// The part of `input` written to the provider's prompt cache.
    pub cache_write: Option<u64>,
    /// The part of `cache_write` that is kept for an hour and not for minutes, and costs more.
    pub cache_write_1h: Option<u64>,
    /// All generated tokens, hidden reasoning included.
    pub output: Option<u64>,
    /// The part of `output` that is reasoning.
    pub reasoning: Option<u64>,
    /// Audio tokens, input and output together.
    pub audio: Option<u64>,
}

impl Usage {
    /// Whether nothing at all is known.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        *self == Self::default()
    }

    /// These counts, whose `input` leaves out what was read from the cache and written to it, in
    /// the one meaning.
    #[must_use]
    pub fn with_cache_inside(self) -> Self {
        let cache = [self.cached_read, self.cache_write].into_iter().flatten();
        let cache = cache.fold(0, u64::saturating_add);
        Self {
            input: self.input.map(|input| input.saturating_add(cache)),
            ..self
        }
    }

    /// Takes over what `later` knows. What it does not know erases nothing.
    pub fn merge(&mut self, later: Self) {
        self.input = later.input.or(self.input);
        self.cached_read = later.cached_read.or(self.cached_read);
        self.cache_write = later.cache_write.or(self.cache_write);
        self.cache_write_1h = later.cache_write_1h.or(self.cache_write_1h);
        self.output = later.output.or(self.output);
        self.reasoning = later.reasoning.or(self.reasoning);
        self.audio = later.audio.or(self.audio);
    }
}

/// Where the token counts of an exchange come from, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TokenSource {
    /// The provider's own usage object, sent of itself or because the client asked.
    Usage,
    /// The provider's usage object, sent because Tollgate asked.
    UsageInjected,
    /// Counted with the model's own vocabulary.
    TokenizerExact,
    /// Counted with another model's vocabulary.
    TokenizerProxy,
    /// Estimated from content bytes with a ratio learned on this model.
    BytesCalibrated,
    /// The number of token events: a lower bound.
    Chunks,
}

impl TokenSource {
    /// Every source, best first.
    pub const ALL: [Self; 6] = [
        Self::Usage,
        Self::UsageInjected,
        Self::TokenizerExact,
        Self::TokenizerProxy,
        Self::BytesCalibrated,
        Self::Chunks,
    ];

    /// The name used in exports, metrics and on the page.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Usage => "usage",
            Self::UsageInjected => "usage_injected",
            Self::TokenizerExact => "tokenizer_exact",
            Self::TokenizerProxy => "tokenizer_proxy",
            Self::BytesCalibrated => "bytes_calibrated",
            Self::Chunks => "chunks",
        }
    }
}
