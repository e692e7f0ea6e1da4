//! Plays an LLM provider on raw sockets, so that every byte, write, reset and half-close is ours.
//!
//! # Behaviour of one request
//!
//! A request is answered as its persona (chosen by path prefix) and its model (chosen by name)
//! are configured. Both can be overridden for one request, by what survives a proxy:
//!
//! * the model's name: `sim:ft-20ms:gap-5ms:n-64:fault-reset_mid:at-12` (what stands before the
//!   last `/` in front of `sim` is ignored, so `provider/sim:…` works too);
//! * a path segment of the same form: `/sim:fault-early_response/v1/chat/completions`, for what
//!   must be known before the body is read;
//! * the header `x-sim`, of the same form.
//!
//! The words are parted by `:`; a word is a key, `-`, and a value. Only `[A-Za-z0-9._:/@+-]` is
//! used. A delay is a constant `20ms`, uniform `10ms..30ms`, jittered `20ms+5ms` (± 5 ms) or
//! log-normal `20ms@0.5` (median and sigma); units `ns us ms s m h`. What cannot be read is
//! answered with a 400 that names the word.
//!
//! | key | value | meaning |
//! |---|---|---|
//! | `ft` | delay | first token after the request is complete |
//! | `gap` | delay | between two token events |
//! | `n` | count | answer tokens (pieces) of each choice |
//! | `tpe` | count | tokens per event |
//! | `cb` | bytes | length of each token's text; words of their own length by default |
//! | `hd` | delay | response head and role event after the request is complete |
//! | `think` | count | reasoning tokens before the answer |
//! | `tools` | count | tool calls, if the request offers tools |
//! | `split` | count | writes per event |
//! | `merge` | count | events per write |
//! | `ka` | delay | keep-alive interval while waiting, in the persona's manner |
//! | `fr` | word | finish reason |
//! | `in`, `out`, `cached` | count | usage numbers instead of the right ones |
//! | `fault` | names joined by `+` | one of them is played |
//! | `rate` | 0 to 1 | how often a fault is played; 1 by default |
//! | `at` | index | token event at which a fault strikes; drawn if absent |
//! | `for` | delay | length of a stall, pause of a drip, wait before a late close |
//! | `size` | bytes | size of a large body, line, header, or bomb |
//! | `code` | status | status of `http_status`, `redirect`, `early_response` |
//! | `ra` | delay | Retry-After of the rate limits |
//! | `right` | 0 to 1 | how often what the answer key says is said, and not that of another prompt; 1 by default |
//! | `seed` | number | seed of this request's draws |
//! | `filter` | `late` | Azure's verdicts come in chunks of their own, after the text |
//!
//! A model whose name contains `missing` is not found, one whose name contains `reason` reasons,
//! and a prompt that says "use the tool" has the tools that it offers called. Whoever sends the
//! results is told something about them.
//!
//! # Truth
//!
//! `GET /truth/{id}` tells what really happened: `id` is the request's `x-sim-id`, or any id in its
//! answer (`chatcmpl-sim-4100-7`, and `req_sim-4100-7` in the header that names the request).
//! Moments are nanoseconds of `CLOCK_MONOTONIC`, comparable between processes of one machine.
//! `GET /truth` lists the ids kept, `GET /health` says that the simulator is at work.
//!
//! What cannot be generated can be played byte for byte: see [`Script`].

pub mod fault;

pub mod behaviour;

pub mod grammar;

pub mod quirks;

pub mod script;

mod lexicon;

mod tools;

mod key;

mod base64;

mod check;

mod asked;

mod answer;

mod head;

mod headers;

mod manner;

mod errors;

mod encoding;

mod voice;

mod wrapping;

mod timing;

mod flow;

mod strike;

mod signature;

mod auth;

mod endpoints;

mod plain;

mod ledger;

mod stage;

mod socket;

mod request;

mod transmit;

mod pages;

mod exchange;

mod reply;

mod refusal;

mod connection;

pub mod server;

pub use behaviour::{Behaviour, Delay, Delivery, Drift, Incident};
pub use fault::Fault;
pub use key::AnswerKey;
pub use quirks::{AwsKeys, Quirks, RateHeaders, ReasoningField};
pub use script::{Framing, Script, Then};
pub use server::{Config, Simulator};
pub use stage::{Pacing, Persona};
