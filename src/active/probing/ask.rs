//! Writes the request of a probe: OpenAI chat, which the street says in the language of the route.

use bytes::Bytes;
use http::{HeaderName, HeaderValue};
use serde_json::json;

use crate::active::targets::Target;
use crate::active::traffic::Asked;
use crate::proxy::ours::{FRESH, Mark};
use crate::record::{Active, Name, Origin};

/// About 200 tokens, the same for every route and every probe but for what it begins with: a
/// prompt cache would answer faster than the route does.
const PROMPT: &str = "This is a short measurement of how soon an answer begins. A harbour town \
    keeps a list of the ships that came in during the week: on Monday two barges with timber and a \
    ferry, on Tuesday a tanker that waited for the tide, on Wednesday nobody because of the storm, \
    on Thursday three fishing boats and a pilot, on Friday the barges again, now with sand. The \
    harbour master writes for each of them the hour of arrival, the berth, the cargo, the draught, \
    and who signed for it. At the end of the week the list is read aloud, corrected where somebody \
    remembers better, and put into a drawer with the lists of all the weeks before it. Nobody has \
    ever asked for one of them, but the drawer is dry, the ink is good, and the harbour master \
    likes to know that it could be done. How many kinds of ships does this text name? Answer with \
    a number and nothing else.";

/// Tokens of the prompt, generously: what a probe costs is told beforehand by them.
pub const PROMPT_TOKENS: u64 = 260;

/// One probe.
#[derive(Debug, Clone, Copy)]
pub(super) struct Probe<'a> {
    /// The route.
    pub(super) target: &'a Target,
    /// What it is part of.
    pub(super) run: &'a str,
    /// Its round in that.
    pub(super) round: u32,
    /// Its place in the round.
    pub(super) trial: u32,
    /// Tokens of the answer, at most.
    pub(super) max_tokens: u64,
    /// Whether it opens a connection.
    pub(super) fresh: bool,
    /// Which worker takes it.
    pub(super) worker: usize,
}

impl Probe<'_> {
    /// The request.
    pub(super) fn asked(&self) -> Asked {
        let target = self.target;
        let nonce = fastrand::u64(..);
        let messages = json!([{ "role": "user", "content": format!("{nonce:016x} {PROMPT}") }]);
        let mut body = json!({
            "model": target.route.model.as_deref(),
            "stream": true,
            "messages": messages,
        });
        body[target.limit_field()] = self.max_tokens.into();
        if target.asks_usage {
            body["stream_options"] = json!({ "include_usage": true });
        }
        let fresh = (
            HeaderName::from_static(FRESH),
            HeaderValue::from_static("1"),
        );
        Asked {
            mark: Mark {
                origin: Origin::Probe,
                active: Active {
                    run: Name::from(self.run),
                    round: self.round,
                    trial: self.trial,
                    ..Active::default()
                },
            },
            route: Some(target.route.clone()),
            path: "/v1/chat/completions",
            tags: Vec::new(),
            headers: self.fresh.then_some(fresh).into_iter().collect(),
            body: Bytes::from(body.to_string()),
            worker: self.worker,
        }
    }
}
