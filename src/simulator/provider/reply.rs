//! Sends good answers, and lets the faults of streams and of whole bodies strike.

use std::borrow::Cow;

use serde_json::Value;

use crate::record::Nanos;
use crate::simulator::truth::Carried;

use super::answer::{Answer, Making, Pace};
use super::asked::Asked;
use super::behaviour::Behaviour;
use super::encoding::{Encoder, gzip_bomb};
use super::endpoints::Endpoint;
use super::errors::rate_headers;
use super::exchange::{Exchange, Part};
use super::fault::Fault;
use super::flow::{Act, Ending, Flow};
use super::head::{BodyEnd, Head};
use super::plain::{Facts, plain_json};
use super::socket::{After, Gone};
use super::transmit::Outlet;
use super::voice::voice;
use super::wrapping::Wrapping;

impl Exchange<'_> {
    /// Answers with one of the kinds of answer.
    pub(super) async fn answer(&mut self, asked: &Asked, part: Part, length: u64) -> After {
        if let Some(after) = self.answer_status(&part).await {
            return after;
        }
        let after = match self.address.endpoint.clone() {
            Endpoint::Generate(language) => {
                let making = Making {
                    language,
                    address: &self.address,
                    tail: self.tail.clone(),
                    created: self.now.as_secs(),
                    behaviour: &part.behaviour,
                    quirks: &self.persona.quirks,
                    fault: part.fault,
                    seed: part.seed,
                };
                let answer = Answer::new(asked, making);
                self.truth.lock().tokens = answer.tokens();
                if asked.stream {
                    self.answer_stream(answer, part).await
                } else {
                    self.answer_whole(answer, part).await
                }
            }
            Endpoint::Speech => self.answer_speech(part).await,
            _ => self.answer_plain(asked, part, length).await,
        };
        after.unwrap_or(After::Drop)
    }

    async fn answer_stream(&mut self, answer: Answer, part: Part) -> Result<After, Gone> {
        let fault = part.fault;
        let head_due = part.timing.head;
        let content_type = self.wrapping().content_type();
        let mut flow = Flow::new(answer, &part.behaviour, part.timing);
        if let Some(Fault::LengthShort | Fault::LengthLong | Fault::TwoLengths) = fault {
            let mut body = Vec::new();
            while let Act::Event { .. } = flow.next(&mut body) {}
            return self
                .send_body(content_type, &body, head_due, &part.behaviour, fault)
                .await;
        }
        let close = matches!(
            fault,
            Some(Fault::CloseDelimited | Fault::CloseDelimitedNoDone | Fault::Http10)
        );
        let end = if close {
            BodyEnd::Close
        } else {
            BodyEnd::Chunked
        };
        let head = self.good_head(content_type, end, &part.behaviour, fault);
        let now = self.now;
        let mut outlet = self.outlet(&part.behaviour, fault);
        outlet.head(&head, head_due, now).await?;
        if let Some(after) = after_headers(fault) {
            return Ok(after);
        }
        Ok(match outlet.flow(&mut flow).await? {
            Ending::Reset => After::Reset,
            Ending::Cut => After::Close,
            Ending::Complete => self.after(&part.behaviour, fault, head.keep).await,
        })
    }

    async fn answer_whole(&mut self, mut answer: Answer, part: Part) -> Result<After, Gone> {
        let mut timing = part.timing;
        let strokes = answer.strokes().min(1 << 20);
        // A whole answer is ready when the last token of its stream would be.
        let gaps = (1..strokes).fold(0_u64, |sum, _| sum.saturating_add(timing.gap().0));
        let due = Nanos(timing.first.0.saturating_add(gaps));
        answer.pace = Pace {
            first: timing.first,
            last: due,
        };
        let body = voice(answer.language).whole(&answer);
        self.send_body("application/json", &body, due, &part.behaviour, part.fault)
            .await
    }

    async fn answer_plain(
        &mut self,
        asked: &Asked,
        part: Part,
        length: u64,
    ) -> Result<After, Gone> {
        let models = self.persona.model_ids();
        let facts = Facts {
            asked,
            quirks: &self.persona.quirks,
            tail: &self.tail,
            created: self.now.as_secs(),
            seed: part.seed,
            body_bytes: length,
            models: &models,
        };
        let json = plain_json(&self.address.endpoint, &facts).unwrap_or(Value::Null);
        let due = part.timing.first;
        let body = json.to_string();
        self.send_body(
            "application/json",
            body.as_bytes(),
            due,
            &part.behaviour,
            part.fault,
        )
        .await
    }

    /// Binary sound in as many pieces as there are tokens.
    async fn answer_speech(&mut self, part: Part) -> Result<After, Gone> {
        let behaviour = &part.behaviour;
        let mut timing = part.timing;
        let head = self.good_head("audio/mpeg", BodyEnd::Chunked, behaviour, part.fault);
        let now = self.now;
        let size = behaviour.token_bytes.unwrap_or(1024);
        let mut outlet = self.outlet(behaviour, part.fault);
        outlet.head(&head, timing.head, now).await?;
        let mut due = timing.first;
        for token in 0..behaviour.tokens {
            let mut piece = vec![0xff, 0xfb];
            piece.resize(size.max(2), (token % 251) as u8);
            outlet.event(&piece, Carried::tokens(token, 1), due).await?;
            due = Nanos(due.0 + timing.gap().0);
        }
        outlet.finish().await?;
        Ok(self.after(behaviour, part.fault, head.keep).await)
    }

    /// Sends a body whose length is known, and lets the faults of such bodies strike.
    async fn send_body(
        &mut self,
        content_type: &'static str,
        body: &[u8],
        due: Nanos,
        behaviour: &Behaviour,
        fault: Option<Fault>,
    ) -> Result<After, Gone> {
        let body = encode(body, behaviour, fault);
        let end = match fault {
            Some(Fault::CloseDelimited | Fault::CloseDelimitedNoDone | Fault::Http10) => {
                BodyEnd::Close
            }
            Some(fault) if by_chunks(fault) => BodyEnd::Chunked,
            _ => BodyEnd::Length(body.len()),
        };
        let head = self.good_head(content_type, end, behaviour, fault);
        let now = self.now;
        let stall = self.length(behaviour, 1_000_000_000);
        let no_body = self.head.method == "HEAD";
        let mut outlet = self.outlet(behaviour, fault);
        let half = body.len() / 2;
        let halves = match fault {
            Some(Fault::ResetMid) => Some(After::Reset),
            Some(Fault::CloseMid | Fault::PartialEvent | Fault::EndMid) => Some(After::Close),
            Some(Fault::StallMid) => None,
            Some(Fault::ResetAfterHeaders | Fault::CloseAfterHeaders) => {
                outlet.head(&head, due, now).await?;
                return Ok(after_headers(fault).unwrap_or(After::Close));
            }
            Some(fault) if by_chunks(fault) || fault == Fault::Drip => {
                outlet.head(&head, due, now).await?;
                return self.send_pieces(&body, due, behaviour, fault, head).await;
            }
            _ => {
                let body: &[u8] = if no_body { &[] } else { &body };
                let carried = Carried::WHOLE.and(Carried::DONE);
                outlet.at_once(&head, body, due, now, carried).await?;
                let keep = head.keep && fault != Some(Fault::LengthLong);
                return Ok(self.after(behaviour, fault, keep).await);
            }
        };
        outlet
            .at_once(&head, &body[..half], due, now, Carried::PART)
            .await?;
        if let Some(after) = halves {
            return Ok(after);
        }
        let due = Nanos(due.0 + stall.0);
        outlet.wait(due).await?;
        let carried = Carried::WHOLE.and(Carried::DONE);
        outlet.raw(&body[half..], carried, Some(due)).await?;
        Ok(self.after(behaviour, fault, head.keep).await)
    }

    /// Sends a body of known length piece by piece, after its head.
    async fn send_pieces(
        &mut self,
        body: &[u8],
        due: Nanos,
        behaviour: &Behaviour,
        fault: Fault,
        head: Head,
    ) -> Result<After, Gone> {
        let mut outlet = self.outlet(behaviour, Some(fault));
        outlet.resume(head.end);
        let (first, rest) = body.split_at(body.len() / 2);
        outlet.event(first, Carried::PART, due).await?;
        let spoilt: Option<&[u8]> = match fault {
            Fault::ChunkBadHex => Some(b"xyz\r\n{"),
            Fault::ChunkOverflow => Some(b"fffffffffffffffffff\r\n{"),
            Fault::ChunkNoCrLf => Some(b"1\r\n{1\r\n}"),
            _ => None,
        };
        if let Some(spoilt) = spoilt {
            outlet.raw(spoilt, Carried::RAW, None).await?;
            return Ok(After::Close);
        }
        outlet
            .event(rest, Carried::WHOLE.and(Carried::DONE), due)
            .await?;
        outlet.finish().await?;
        Ok(self.after(behaviour, Some(fault), head.keep).await)
    }

    /// The head of a good answer.
    pub(super) fn good_head(
        &self,
        content_type: &'static str,
        end: BodyEnd,
        behaviour: &Behaviour,
        fault: Option<Fault>,
    ) -> Head {
        let mut headers = self.named_headers();
        if !self.manner().native {
            let limited = matches!(
                fault,
                Some(Fault::RateLimit | Fault::RateLimitDate | Fault::RateLimitMillis)
            );
            let (style, wait) = (self.persona.quirks.rate_headers, behaviour.retry_after);
            rate_headers(style, limited, wait, self.now, &mut headers);
        }
        if let Some(coding) = fault.and_then(Encoder::name) {
            headers.push(("content-encoding".into(), coding.into()));
        }
        let ends = end == BodyEnd::Close || fault == Some(Fault::Http10);
        Head {
            status: 200,
            content_type: Some(content_type),
            headers,
            end,
            keep: self.head.keeps() && !ends,
            fault,
            size: behaviour.fault_size,
        }
    }

    /// How the events of a stream at this endpoint are parted.
    fn wrapping(&self) -> Wrapping {
        Wrapping::of(self.address.endpoint.language(), self.address.array)
    }

    pub(super) fn outlet(&mut self, behaviour: &Behaviour, fault: Option<Fault>) -> Outlet<'_> {
        let drip = self.length(behaviour, 1_000_000);
        let comment = self.wrapping().comment(self.persona.quirks.keepalive);
        Outlet::new(
            self.socket,
            &self.truth,
            self.start,
            behaviour,
            comment,
            fault,
            drip,
        )
    }

    /// What becomes of the connection after a complete answer.
    pub(super) async fn after(
        &mut self,
        behaviour: &Behaviour,
        fault: Option<Fault>,
        keep: bool,
    ) -> After {
        match fault {
            Some(Fault::CloseAfterAnswer | Fault::ResetAfterAnswer) => {
                let due = self.socket.now().plus(self.length(behaviour, 0));
                if self.socket.wait(due).await.is_err() {
                    return After::Drop;
                }
                if fault == Some(Fault::ResetAfterAnswer) {
                    After::Reset
                } else {
                    After::Close
                }
            }
            Some(Fault::HalfClose) => After::HalfClose,
            Some(Fault::LengthLong | Fault::FakeUpgrade | Fault::BadStatusLine) => After::Close,
            _ if keep => After::Keep,
            _ => After::Close,
        }
    }
}

/// Faults for which a whole body goes out in chunks.
const fn by_chunks(fault: Fault) -> bool {
    matches!(
        fault,
        Fault::TinyChunks
            | Fault::ChunkBadHex
            | Fault::ChunkOverflow
            | Fault::ChunkNoCrLf
            | Fault::ChunkExtension
            | Fault::Trailers
            | Fault::LengthAndChunked
    )
}

const fn after_headers(fault: Option<Fault>) -> Option<After> {
    match fault {
        Some(Fault::ResetAfterHeaders) => Some(After::Reset),
        Some(Fault::CloseAfterHeaders) => Some(After::Close),
        _ => None,
    }
}

/// The body in the coding that the fault asks for.
fn encode<'a>(body: &'a [u8], behaviour: &Behaviour, fault: Option<Fault>) -> Cow<'a, [u8]> {
    if fault == Some(Fault::GzipBomb) {
        return gzip_bomb(behaviour.fault_size.unwrap_or(1 << 30)).into();
    }
    let Some(mut encoder) = Encoder::of(fault) else {
        return body.into();
    };
    let mut encoded = encoder.push(body);
    if fault != Some(Fault::GzipTruncated) {
        encoded.extend(encoder.finish());
    }
    encoded.into()
}
