//! Asks over a connection that no socket carries, and tells what came back.

use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::io::DuplexStream;

use super::world::Asked;

/// What a client saw.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
    /// Whether the body came to its end.
    pub(crate) whole: bool,
}

impl Answer {
    /// The ids of the answers of which pieces came.
    pub(crate) fn ids(&self) -> Vec<&str> {
        let pieces = self.body.split("\"id\":\"").skip(1);
        let mut ids: Vec<_> = pieces.filter_map(|rest| rest.split('"').next()).collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }
}

/// Asks, and waits for the end of the answer or until the client leaves: then there is none.
pub(crate) async fn ask(pipe: DuplexStream, asked: &Asked, tag: &str) -> Option<Answer> {
    let exchange = exchange(pipe, asked, tag);
    match asked.leaves_ms {
        None => Some(exchange.await),
        Some(millis) => {
            let leaves = tokio::time::timeout(Duration::from_millis(millis), exchange);
            leaves.await.ok()
        }
    }
}

async fn exchange(pipe: DuplexStream, asked: &Asked, tag: &str) -> Answer {
    let body = json!({
        "model": "m", "stream": asked.stream, "max_tokens": asked.max_tokens,
        "messages": [{"role": "user", "content": "how is the weather"}],
    });
    let request = Request::post("/v1/chat/completions")
        .header("host", "localhost")
        .header("content-type", "application/json")
        .header("x-tollgate-tags", tag)
        .body(Full::new(Bytes::from(body.to_string())))
        .unwrap();
    let (mut sender, connection) = http1::handshake(TokioIo::new(pipe)).await.unwrap();
    // Dropped with the client who leaves: the street sees the connection's end.
    let mut driven = tokio::task::JoinSet::new();
    driven.spawn(connection);
    let (head, mut body) = sender.send_request(request).await.unwrap().into_parts();
    let mut read = Vec::new();
    let whole = loop {
        match body.frame().await {
            None => break true,
            Some(Err(_)) => break false,
            Some(Ok(frame)) => read.extend_from_slice(frame.data_ref().unwrap_or(&Bytes::new())),
        }
    };
    Answer {
        status: head.status.as_u16(),
        body: String::from_utf8_lossy(&read).into_owned(),
        whole,
    }
}
