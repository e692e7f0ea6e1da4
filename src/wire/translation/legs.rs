//! Finds the pair for two languages, and goes through OpenAI chat in two legs where there is none.

use super::opening::opened;
use super::shape::{Asked, Ended, Kept, Pair, Refusal, Restream, Sent, Stamp, Unreadable};
use super::{
    chat_to_converse, chat_to_gemini, chat_to_messages, messages_to_chat, responses_to_chat,
};
use crate::record::Language;
use crate::wire::framing::sse::BYTE_ORDER_MARK;

/// The pairs that have a room of their own: the client's language, the provider's, the pair.
const PAIRS: &[(Language, Language, Pair)] = &[
    (HUB, Language::AnthropicMessages, chat_to_messages::PAIR),
    (HUB, Language::GeminiGenerate, chat_to_gemini::PAIR),
    (HUB, Language::BedrockConverse, chat_to_converse::PAIR),
    (Language::AnthropicMessages, HUB, messages_to_chat::PAIR),
    (Language::OpenAiResponses, HUB, responses_to_chat::PAIR),
];

/// The language through which the others are said.
const HUB: Language = Language::OpenAiChat;

/// How one language is said in another.
#[derive(Debug, Clone, Copy)]
pub struct Translation {
    /// The client's language.
    pub client: Language,
    /// The provider's.
    pub provider: Language,
    /// From the client's, and on to it.
    first: Pair,
    /// From the hub to the provider's; absent where one leg does it.
    second: Option<Pair>,
}

/// A request in the provider's language, and what its answer needs.
#[derive(Debug, Clone, PartialEq)]
pub struct Translated {
    /// The body.
    pub body: Vec<u8>,
    /// The fields left out, by their paths in the client's body; those that only the second leg
    /// had no place for by their paths in the hub's, which is said in front of them.
    pub dropped: Vec<String>,
    /// What the way back needs.
    pub back: Back,
}

/// What the way back needs to know of the request, of each leg.
#[derive(Debug, Clone, PartialEq)]
pub struct Back {
    first: Kept,
    second: Option<Kept>,
}

impl Translation {
    /// How `client` is said in `provider`; absent where nobody knows.
    #[must_use]
    pub fn between(client: Language, provider: Language) -> Option<Self> {
        among(PAIRS, client, provider)
    }

    /// Says a request in the provider's language.
    pub fn request(&self, asked: &Asked<'_>) -> Result<Translated, Refusal> {
        let Sent {
            body,
            mut dropped,
            kept,
        } = (self.first.request)(asked)?;
        let Some(second) = self.second else {
            let back = Back {
                first: kept,
                second: None,
            };
            return Ok(Translated {
                body,
                dropped,
                back,
            });
        };
        let asked = Asked {
            body: &body,
            ..*asked
        };
        let sent = (second.request)(&asked).map_err(|refusal| Refusal {
            message: format!("{} (as said in {})", refusal.message, HUB.name()),
            ..refusal
        })?;
        let hubs = sent.dropped.into_iter();
        dropped.extend(hubs.map(|field| format!("{}:{field}", HUB.name())));
        Ok(Translated {
            body: sent.body,
            dropped,
            back: Back {
                first: kept,
                second: Some(sent.kept),
            },
        })
    }

    /// Says a whole answer, of a status below 300, in the client's language.
    pub fn answer(&self, body: &[u8], back: &Back, stamp: &Stamp) -> Result<Vec<u8>, Unreadable> {
        let body = body.strip_prefix(BYTE_ORDER_MARK).unwrap_or(body);
        match (&self.second, &back.second) {
            (Some(second), Some(kept)) => {
                let between = (second.answer)(body, kept, stamp)?;
                (self.first.answer)(&between, &back.first, stamp)
            }
            _ => (self.first.answer)(body, &back.first, stamp),
        }
    }

    /// Says a stream in the client's language; a whole answer that comes instead as one, too.
    #[must_use]
    pub fn stream(&self, back: &Back, stamp: &Stamp) -> Box<dyn Restream> {
        let first = (self.first.stream)(&back.first, stamp);
        let stream: Box<dyn Restream> = match (&self.second, &back.second) {
            (Some(second), Some(kept)) => Box::new(Piped {
                second: (second.stream)(kept, stamp),
                first,
                between: Vec::new(),
            }),
            _ => first,
        };
        opened(stream, self.provider)
    }
}

fn among(
    pairs: &[(Language, Language, Pair)],
    client: Language,
    provider: Language,
) -> Option<Translation> {
    let find = |from: Language, to: Language| {
        let found = pairs.iter().find(|(a, b, _)| (*a, *b) == (from, to));
        found.map(|(_, _, pair)| *pair)
    };
    let (first, second) = match find(client, provider) {
        Some(pair) => (pair, None),
        None => (find(client, HUB)?, Some(find(HUB, provider)?)),
    };
    Some(Translation {
        client,
        provider,
        first,
        second,
    })
}

/// A stream that is said twice: in the hub's language, and out of it in the client's.
#[derive(Debug)]
struct Piped {
    second: Box<dyn Restream>,
    first: Box<dyn Restream>,
    between: Vec<u8>,
}

impl Restream for Piped {
    fn feed(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        self.second.feed(bytes, &mut self.between);
        self.first.feed(&self.between, out);
        self.between.clear();
    }

    fn end(&mut self, out: &mut Vec<u8>) -> Ended {
        let ended = self.second.end(&mut self.between);
        self.first.feed(&self.between, out);
        self.between.clear();
        let after = self.first.end(out);
        // What was broken or failed before the hub is so behind it.
        if ended == Ended::Whole { after } else { ended }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::ErrorClass;
    use crate::wire::dialect::errors::Classified;
    use crate::wire::translation::Terms;

    /// A pair that puts its mark around whatever it says.
    macro_rules! marked {
        ($mark:literal) => {
            Pair {
                request: |asked| {
                    if asked.body.ends_with(concat!("no-", $mark).as_bytes()) {
                        return Err(Refusal {
                            field: "f".to_owned(),
                            message: "`f` is no good".to_owned(),
                        });
                    }
                    Ok(Sent {
                        body: [$mark.as_bytes(), asked.body].concat(),
                        dropped: vec![concat!("of-", $mark).to_owned()],
                        kept: Kept {
                            model: asked.model.to_owned(),
                            ..Kept::default()
                        },
                    })
                },
                answer: |body, _, _| Ok([body, $mark.as_bytes()].concat()),
                stream: |_, _| Box::new(Marked($mark, false)),
            }
        };
    }

    #[derive(Debug)]
    struct Marked(&'static str, bool);

    impl Restream for Marked {
        fn feed(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
            for byte in bytes {
                out.push(*byte);
                out.extend_from_slice(self.0.as_bytes());
                self.1 |= *byte == b'!';
            }
        }

        fn end(&mut self, out: &mut Vec<u8>) -> Ended {
            if self.1 {
                out.push(b'!');
                return Ended::Whole;
            }
            if self.0 == "b" {
                return Ended::Failed(Box::new(Classified::bare(ErrorClass::Quota)));
            }
            Ended::Broken
        }
    }

    const MARKED: &[(Language, Language, Pair)] = &[
        (Language::OpenAiResponses, HUB, marked!("a")),
        (HUB, Language::AnthropicMessages, marked!("b")),
        (
            Language::AnthropicMessages,
            Language::GeminiGenerate,
            marked!("c"),
        ),
    ];

    fn asked(body: &[u8]) -> Result<Translated, Refusal> {
        let terms = Terms {
            drop_params: false,
            merge_system: false,
            max_tokens: 1,
            takes_sampling: true,
            thinks_by_budget: false,
            takes_effort: true,
            takes_labels: true,
            takes_tier: true,
            takes_top_k: true,
            limits_completion: true,
            pass_urls: false,
            refused: Vec::new(),
        };
        let translation = among(
            MARKED,
            Language::OpenAiResponses,
            Language::AnthropicMessages,
        );
        translation.unwrap().request(&Asked {
            body,
            model: "m",
            terms: &terms,
        })
    }

    #[test]
    fn a_pair_of_its_own_goes_before_two_legs_and_no_way_is_none() {
        let legs = |client, provider| {
            let found = among(MARKED, client, provider);
            found.map(|found| 1 + usize::from(found.second.is_some()))
        };
        assert_eq!(legs(HUB, Language::AnthropicMessages), Some(1));
        let messages = Language::AnthropicMessages;
        assert_eq!(legs(Language::OpenAiResponses, messages), Some(2));
        assert_eq!(legs(messages, Language::GeminiGenerate), Some(1));
        assert_eq!(
            legs(Language::OpenAiResponses, Language::GeminiGenerate),
            None
        );
        assert_eq!(legs(messages, HUB), None);
    }

    #[test]
    fn a_request_goes_through_both_legs() {
        let translated = asked(b"x").unwrap();
        assert_eq!(translated.body, b"bax");
        assert_eq!(translated.dropped, ["of-a", "openai-chat:of-b"]);
        assert_eq!(translated.back.first.model, "m");
        assert_eq!(translated.back.second.unwrap().model, "m");
        let refusal = asked(b"no-a").unwrap_err();
        assert_eq!(refusal.message, "`f` is no good");
        let refusal = asked(b"no-b").unwrap_err();
        assert_eq!(refusal.message, "`f` is no good (as said in openai-chat)");
    }

    #[test]
    fn an_answer_and_a_stream_come_back_through_both_legs() {
        let client = Language::OpenAiResponses;
        let translation = among(MARKED, client, Language::AnthropicMessages).unwrap();
        let back = asked(b"x").unwrap().back;
        let stamp = Stamp::default();
        assert_eq!(translation.answer(b"x", &back, &stamp).unwrap(), b"xba");
        let marked = "\u{feff}x".as_bytes();
        assert_eq!(translation.answer(marked, &back, &stamp).unwrap(), b"xba");
        let said = |bytes: &[u8]| {
            let mut stream = translation.stream(&back, &stamp);
            let mut out = Vec::new();
            stream.feed(bytes, &mut out);
            let ended = stream.end(&mut out);
            (String::from_utf8(out).unwrap(), ended)
        };
        assert_eq!(said(b"x!"), ("xaba!aba!a!".to_owned(), Ended::Whole));
        let (text, ended) = said(b"x");
        assert_eq!(text, "xaba");
        assert!(matches!(ended, Ended::Failed(_)));
    }
}
