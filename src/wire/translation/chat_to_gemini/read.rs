//! Reads a `GenerateContentResponse`, whole or as the event of a stream, without copying its texts.

use serde_json::{Value, json};

use crate::record::{FinishReason, Usage};
use crate::wire::dialect::finish::googles;
use crate::wire::dialect::finish::is_reason;
use crate::wire::dialect::gemini_generate::{UsageObject, is_block_reason};
use crate::wire::dialect::lenient::{
    Count, Few, Inside, List, Maybe, Number, Raw, Text, Truth, lenient_object, reread,
};

lenient_object! {
    /// A response.
    pub(super) struct Response {
        candidates: Few<Candidate<'de>> = "candidates",
        feedback: Feedback<'de> = "promptFeedback",
        usage: Maybe<UsageObject<'de>> = "usageMetadata",
        model: Text<'de> = "modelVersion",
        id: Text<'de> = "responseId",
        error: Raw<'de> = "error",
    }
}

lenient_object! {
    /// Why a prompt was not answered.
    pub(super) struct Feedback {
        block_reason: Text<'de> = "blockReason",
    }
}

lenient_object! {
    /// One answer, or the next piece of it.
    pub(super) struct Candidate {
        index: Count = "index",
        content: Content<'de> = "content",
        finish: Text<'de> = "finishReason",
        message: Text<'de> = "finishMessage",
        logprobs: Raw<'de> = "logprobsResult",
    }
}

lenient_object! {
    struct Content {
        parts: Few<Part<'de>> = "parts",
    }
}

lenient_object! {
    /// A piece of an answer.
    pub(super) struct Part {
        text: Inside<'de> = "text",
        thought: Truth = "thought",
        signature: Text<'de> = "thoughtSignature",
        call: Maybe<Call<'de>> = "functionCall",
        data: Maybe<Blob<'de>> = "inlineData",
    }
}

lenient_object! {
    /// A call of a function.
    pub(super) struct Call {
        id: Text<'de> = "id",
        name: Text<'de> = "name",
        args: Raw<'de> = "args",
    }
}

lenient_object! {
    struct Blob {
        mime: Text<'de> = "mimeType",
        data: Text<'de> = "data",
    }
}

impl<'de> Response<'de> {
    /// The candidates.
    pub(super) fn candidates(&self) -> &[Candidate<'de>] {
        self.candidates.as_slice()
    }

    /// Whether the prompt was blocked, and nothing was answered.
    pub(super) fn is_blocked(&self) -> bool {
        is_block_reason(self.feedback.block_reason.as_str()) && self.candidates().is_empty()
    }

    /// The error that stands in place of a response.
    pub(super) fn error(&self) -> Raw<'de> {
        self.error
    }

    /// What Google calls the response; empty where it does not.
    pub(super) fn id(&self) -> &str {
        self.id.as_str()
    }

    /// The model that answered; empty where it is not said.
    pub(super) fn model(&self) -> &str {
        self.model.as_str()
    }

    /// The tokens used so far; absent where the response does not say.
    pub(super) fn usage(&self) -> Option<Usage> {
        let usage = self.usage.0.as_ref()?;
        Some(usage.normalised(self.is_blocked()))
    }

    /// The service tier by OpenAI's names, where the response says one.
    pub(super) fn tier(&self) -> Option<&'static str> {
        match self.usage.0.as_ref()?.traffic() {
            "ON_DEMAND" => Some("default"),
            "ON_DEMAND_PRIORITY" => Some("priority"),
            "ON_DEMAND_FLEX" => Some("flex"),
            _ => None,
        }
    }
}

/// Why a candidate ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Finish {
    /// In a way that OpenAI knows.
    As(FinishReason),
    /// By a fault of the model's: what it made is no answer.
    Fault,
}

impl<'de> Candidate<'de> {
    /// Which of the choices it is.
    pub(super) fn index(&self) -> u64 {
        self.index.0.unwrap_or(0)
    }

    /// Its parts.
    pub(super) fn parts(&self) -> &[Part<'de>] {
        self.content.parts.as_slice()
    }

    /// Why it ended, in Google's words; empty where it did not.
    pub(super) fn reason(&self) -> &str {
        Some(self.finish.as_str())
            .filter(|word| is_reason(word))
            .unwrap_or_default()
    }

    /// What Google says of it to people.
    pub(super) fn message(&self) -> &str {
        self.message.as_str()
    }

    /// Why it ended, where it did. `called`: it called functions, of which the reason says nothing.
    pub(super) fn finish(&self, called: bool) -> Option<Finish> {
        let reason = match self.reason() {
            "" => return None,
            reason => googles(reason, called),
        };
        Some(match reason {
            FinishReason::Error => Finish::Fault,
            // Something other than the model ended it (`OTHER`, `NO_IMAGE`, and whatever may
            // come), and a filter is all that OpenAI has for this.
            FinishReason::Other => Finish::As(FinishReason::ContentFilter),
            reason => Finish::As(reason),
        })
    }

    /// The probabilities of its tokens, in OpenAI's shape.
    pub(super) fn logprobs(&self) -> Option<Value> {
        let result: LogprobsResult<'_> = reread(Some(self.logprobs?));
        let top = result.top.0.into_iter().map(Some);
        let top = top.chain(std::iter::repeat_with(|| None));
        let tokens = result.chosen.0.iter().zip(top).map(|(token, top)| {
            let mut said = token.said();
            let others = top.unwrap_or_default().candidates.0;
            said["top_logprobs"] = others.iter().map(Token::said).collect();
            said
        });
        Some(json!({"content": tokens.collect::<Vec<_>>(), "refusal": null}))
    }
}

lenient_object! {
    struct LogprobsResult {
        chosen: List<Token<'de>> = "chosenCandidates",
        top: List<Top<'de>> = "topCandidates",
    }
}

lenient_object! {
    struct Top {
        candidates: List<Token<'de>> = "candidates",
    }
}

lenient_object! {
    struct Token {
        text: Text<'de> = "token",
        probability: Number = "logProbability",
    }
}

impl Token<'_> {
    fn said(&self) -> Value {
        // −9999 stands for minus infinity at OpenAI.
        let logprob = self.probability.0.unwrap_or(-9999.0);
        json!({"token": self.text.as_str(), "logprob": logprob, "bytes": null})
    }
}

/// What a part is.
#[derive(Debug)]
pub(super) enum Kind<'a, 'de> {
    /// Visible text.
    Text(Inside<'de>),
    /// Thoughts, as far as they are shown.
    Thought(Inside<'de>),
    /// A call of a function.
    Call(&'a Call<'de>),
    /// An image, or other bytes, as a `data:` URL.
    Data(String),
    /// Sound, in base 64.
    Sound(&'a str),
}

impl<'de> Part<'de> {
    /// What it is.
    pub(super) fn kind(&self) -> Kind<'_, 'de> {
        if let Some(call) = &self.call.0 {
            Kind::Call(call)
        } else if let Some(blob) = &self.data.0 {
            let (mime, data) = (blob.mime.as_str(), blob.data.as_str());
            if mime.starts_with("audio/") {
                Kind::Sound(data)
            } else {
                Kind::Data(format!("data:{mime};base64,{data}"))
            }
        } else if self.thought.0 == Some(true) {
            Kind::Thought(self.text)
        } else {
            Kind::Text(self.text)
        }
    }

    /// Its signature; absent where it has none.
    pub(super) fn signature(&self) -> Option<&str> {
        Some(self.signature.as_str()).filter(|signature| !signature.is_empty())
    }
}

impl Call<'_> {
    /// Its id; absent where Google gave none.
    pub(super) fn id(&self) -> Option<&str> {
        Some(self.id.as_str()).filter(|id| !id.is_empty())
    }

    /// The function's name.
    pub(super) fn name(&self) -> &str {
        self.name.as_str()
    }

    /// Its arguments: a JSON object.
    pub(super) fn args(&self) -> &str {
        self.args.map_or("{}", |args| args.get())
    }
}
