//! Sends the answers that are told by their status: what a provider refuses, or fails at.

use std::borrow::Cow;

use crate::record::{Language, Nanos};
use crate::simulator::truth::Carried;

use super::behaviour::Behaviour;
use super::errors::{Problem, retry_headers};
use super::exchange::{Exchange, Part};
use super::fault::Fault;
use super::head::{BodyEnd, Head};
use super::manner::Manner;
use super::socket::{After, Gone};

impl Exchange<'_> {
    /// Answers with a status, if that is what the fault asks for.
    pub(super) async fn answer_status(&mut self, part: &Part) -> Option<After> {
        let fault = part.fault?;
        let behaviour = &part.behaviour;
        let code = behaviour.fault_code;
        let manner = self.manner();
        let due = part.timing.head;
        let (status, content_type, body): (u16, _, Cow<'_, [u8]>) = match fault {
            Fault::HttpHtml => (code.unwrap_or(502), Some("text/html"), HTML.into()),
            Fault::HtmlIn200 => (200, Some("text/html"), HTML.into()),
            Fault::HttpEmpty => (code.unwrap_or(500), None, b"".into()),
            Fault::HttpLarge => {
                let size = behaviour.fault_size.unwrap_or(5_000_000);
                (
                    code.unwrap_or(500),
                    Some("application/json"),
                    large_error(size).into(),
                )
            }
            Fault::Redirect => (code.unwrap_or(302), None, b"".into()),
            _ => {
                let problem = self.problem_of(fault, behaviour)?;
                let json = self.problem_json(&problem);
                let status = if fault == Fault::ErrorIn200 {
                    200
                } else {
                    problem.status
                };
                (status, Some("application/json"), json.into_bytes().into())
            }
        };
        let mut head = self.good_head("", BodyEnd::Length(body.len()), behaviour, None);
        head.status = status;
        head.content_type = content_type;
        if let Some(problem) = self.problem_of(fault, behaviour) {
            problem.headers(manner.shape, &mut head.headers);
        }
        if !manner.native {
            retry_headers(fault, behaviour.retry_after, self.now, &mut head.headers);
        }
        if fault == Fault::Redirect {
            let location = "http://127.0.0.1:9/elsewhere".to_owned();
            head.headers.push(("location".into(), location));
        }
        Some(
            self.send_status(head, &body, due, behaviour)
                .await
                .unwrap_or(After::Drop),
        )
    }

    /// The failure that a fault stands for here, in the words of whom it is played by.
    fn problem_of(&self, fault: Fault, behaviour: &Behaviour) -> Option<Problem> {
        let gemini = self.address.endpoint.language() == Language::GeminiGenerate;
        if gemini && fault == Fault::ContentFilter {
            return None;
        }
        let wait = (fault != Fault::RateLimitBare).then_some(behaviour.retry_after);
        let problem = Problem::of_fault(fault, behaviour)?;
        Some(problem.in_words_of(&self.manner(), wait))
    }

    async fn send_status(
        &mut self,
        head: Head,
        body: &[u8],
        due: Nanos,
        behaviour: &Behaviour,
    ) -> Result<After, Gone> {
        let now = self.now;
        let body = if self.head.method == "HEAD" {
            &[]
        } else {
            body
        };
        let mut outlet = self.outlet(behaviour, None);
        outlet
            .at_once(&head, body, due, now, Carried::ERROR)
            .await?;
        Ok(if head.keep { After::Keep } else { After::Close })
    }

    /// Answers a problem at once, and closes: the body may not have been read.
    pub(super) async fn fail(&mut self, problem: &Problem) -> After {
        let problem = problem.clone().in_words_of(&self.manner(), None);
        let body = self.problem_json(&problem);
        let behaviour = Behaviour::default();
        let end = BodyEnd::Length(body.len());
        let mut head = self.good_head("application/json", end, &behaviour, None);
        head.status = problem.status;
        let complete = self.truth.lock().received_at.is_some();
        head.keep = head.keep && complete;
        problem.headers(self.manner().shape, &mut head.headers);
        let sent = self
            .send_status(head, body.as_bytes(), Nanos(0), &behaviour)
            .await;
        sent.unwrap_or(After::Drop)
    }

    pub(super) async fn answer_early(&mut self, behaviour: &Behaviour) -> After {
        self.truth.lock().fault = Some(Fault::EarlyResponse.name());
        let problem = Problem::of_fault(Fault::EarlyResponse, behaviour);
        self.fail(&problem.unwrap_or_else(|| Problem::of_status(413)))
            .await
    }

    fn problem_json(&self, problem: &Problem) -> String {
        problem.json(&self.manner(), &self.tail).to_string()
    }

    /// In whose words errors are told here.
    pub(super) fn manner(&self) -> Manner {
        Manner::of(&self.address, &self.persona.quirks)
    }
}

const HTML: &[u8] = b"<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n\
<center><h1>502 Bad Gateway</h1></center>\r\n<hr><center>simulator</center>\r\n</body>\r\n</html>\r\n";

fn large_error(size: usize) -> Vec<u8> {
    let mut body =
        br#"{"error":{"type":"server_error","param":null,"code":"large","message":""#.to_vec();
    body.resize(size.max(body.len() + 3) - 3, b'e');
    body.extend_from_slice(b"\"}}");
    body
}
