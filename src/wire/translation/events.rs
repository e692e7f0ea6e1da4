//! Cuts a provider's stream into events for those who say it again.

use std::ops::ControlFlow;

use crate::wire::framing::sse::Splitter;

/// The largest event that is read; a longer one ends the translation.
const EVENT_BYTES_MAX: usize = 32 * 1024 * 1024;

/// The events of a stream of server-sent events.
#[derive(Debug)]
pub(super) struct Events(Splitter);

impl Default for Events {
    fn default() -> Self {
        Self(Splitter::new(EVENT_BYTES_MAX))
    }
}

impl Events {
    /// Takes bytes, cut anywhere, and gives the data of each event that they complete to `sink`,
    /// until that breaks: what follows is passed over. The data of an event that is too large is
    /// empty, which no translation can read: there it ends.
    pub(super) fn feed(&mut self, bytes: &[u8], mut sink: impl FnMut(&[u8]) -> ControlFlow<()>) {
        self.0.feed(bytes, |event| sink(event.data));
    }

    /// The event that the end of the stream left without its blank line. Servers forget it, so an
    /// event that is whole but for that is one.
    pub(super) fn end(&mut self, mut sink: impl FnMut(&[u8]) -> ControlFlow<()>) {
        if let Some(event) = self.0.finish() {
            let _ = sink(event.data);
        }
    }

    /// What came that is no event: Gemini may say an error so.
    pub(super) fn raw(&self) -> &[u8] {
        self.0.raw()
    }
}
