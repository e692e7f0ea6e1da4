//! Puts the pieces of tool calls in order: a stream of chat may send those of several calls in
//! turns, told apart by their index, and no other language can.
//!
//! One call is said as it comes. The next one begins when that one's arguments are whole JSON, or
//! the answer is over; until then its pieces are kept.

use super::chat_pieces::{Call, unescaped};
use super::chat_voice::Voice;

/// What is kept of calls that wait for their turn.
const WAITING_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Calls of one answer.
const CALLS_MAX: usize = 1024;

/// The calls of an answer so far.
#[derive(Debug, Default)]
pub(super) struct Calls {
    all: Vec<Current>,
    /// The one whose turn it is; those before it have been said.
    turn: usize,
    /// Bytes kept of those that wait.
    waiting: usize,
    /// Those before this one were broken off by something else that was said.
    interrupted: usize,
}

/// A call.
#[derive(Debug)]
struct Current {
    index: Option<u64>,
    id: String,
    name: String,
    begun: bool,
    /// Arguments that wait: the inside of a JSON string.
    held: String,
    whole: Whole,
}

/// Why pieces cannot be put in order, for people to read.
#[derive(Debug)]
pub(super) struct Mixed(pub(super) &'static str);

impl Calls {
    /// Whether a tool was called.
    pub(super) fn any(&self) -> bool {
        self.all.iter().any(|call| !call.name.is_empty())
    }

    /// Takes a piece of a call, and says what may be said by now.
    pub(super) fn piece<V: Voice>(
        &mut self,
        piece: &Call<'_>,
        voice: &mut V,
        out: &mut Vec<u8>,
    ) -> Result<(), Mixed> {
        let (name, arguments) = (piece.name(), piece.arguments());
        let at = match self.find(piece) {
            Some(at) => at,
            None => self.begin(piece)?,
        };
        let interrupted = at < self.interrupted;
        let Some(call) = self.all.get_mut(at) else {
            return Ok(());
        };
        if call.name.is_empty() {
            name.clone_into(&mut call.name);
        }
        if !arguments.is_empty() {
            if call.name.is_empty() {
                return Err(Mixed("the provider calls a tool without a name"));
            }
            if interrupted {
                return Err(Mixed("the provider mixes a tool call with other content"));
            }
            if at < self.turn {
                return Err(Mixed("the provider mixes the pieces of several tool calls"));
            }
            call.whole.feed(&arguments);
            if call.begun {
                voice.arguments(out, &arguments);
            } else {
                call.held.push_str(&arguments);
                self.waiting += arguments.len();
            }
        }
        self.say(voice, out, false);
        if self.waiting > WAITING_BYTES_MAX {
            return Err(Mixed(
                "the provider mixes more of several tool calls than is kept",
            ));
        }
        Ok(())
    }

    /// Which call a piece is of, if it is one that began before. Some give every call the same
    /// index, whole and with an id of its own; whole answers have none at all.
    fn find(&self, piece: &Call<'_>) -> Option<usize> {
        let (id, name) = (piece.id.as_str(), piece.name());
        let at = match piece.index.0 {
            Some(_) => self
                .all
                .iter()
                .rposition(|call| call.index == piece.index.0)?,
            None => self.all.len().checked_sub(1).filter(|_| name.is_empty())?,
        };
        let other = !name.is_empty() && !id.is_empty() && id != self.all.get(at)?.id;
        (!other).then_some(at)
    }

    /// Notes a call that begins with this piece; returns its place.
    fn begin(&mut self, piece: &Call<'_>) -> Result<usize, Mixed> {
        if self.all.len() >= CALLS_MAX {
            return Err(Mixed("the provider calls more tools than are kept"));
        }
        self.all.push(Current {
            index: piece.index.0,
            id: piece.id.as_str().to_owned(),
            name: String::new(),
            begun: false,
            held: String::new(),
            whole: Whole::default(),
        });
        Ok(self.all.len() - 1)
    }

    /// Something other than a call is said: what waits is said before it, and no more may come.
    pub(super) fn interrupt<V: Voice>(&mut self, voice: &mut V, out: &mut Vec<u8>) {
        self.say_rest(voice, out);
        self.interrupted = self.all.len();
    }

    /// Says all calls that were not said yet, as they stand.
    pub(super) fn say_rest<V: Voice>(&mut self, voice: &mut V, out: &mut Vec<u8>) {
        self.say(voice, out, true);
    }

    /// Says what waits, up to the first call that is not whole; all of it where no more will come.
    fn say<V: Voice>(&mut self, voice: &mut V, out: &mut Vec<u8>, all: bool) {
        let count = self.all.len();
        while let Some(call) = self.all.get_mut(self.turn) {
            if !call.begun && !call.name.is_empty() {
                call.begun = true;
                voice.call(out, &call.id, &call.name);
            }
            if call.begun && !call.held.is_empty() {
                let held = std::mem::take(&mut call.held);
                self.waiting -= held.len();
                voice.arguments(out, &held);
            }
            let last = self.turn + 1 == count;
            if !all && (last || !call.begun || !call.whole.is_whole()) {
                break;
            }
            self.turn += 1;
        }
    }
}

/// Whether the arguments so far are a whole JSON object.
#[derive(Debug, Default)]
struct Whole {
    depth: usize,
    within: bool,
    escaped: bool,
    closed: bool,
}

impl Whole {
    /// Takes the inside of a JSON string.
    fn feed(&mut self, inside: &str) {
        for byte in unescaped(inside).bytes() {
            if self.within {
                self.within = self.escaped || byte != b'"';
                self.escaped = !self.escaped && byte == b'\\';
                continue;
            }
            match byte {
                b'"' => self.within = true,
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' => {
                    self.depth = self.depth.saturating_sub(1);
                    self.closed |= self.depth == 0;
                }
                _ => {}
            }
        }
    }

    const fn is_whole(&self) -> bool {
        self.closed && self.depth == 0 && !self.within
    }
}
