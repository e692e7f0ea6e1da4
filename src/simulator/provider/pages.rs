//! Shows what the simulator knows about its own exchanges: truths, their index, its health.

use super::head::{BodyEnd, Head};
use super::request::RequestHead;
use super::socket::{After, Socket};
use super::stage::Stage;

/// Pages about the simulator itself: no truths are kept about them.
pub(super) fn own_page(stage: &Stage, path: &str) -> Option<(u16, String)> {
    match path {
        "/truth" => Some((200, stage.ledger.index())),
        "/health" => Some((200, "{\"status\":\"ok\"}".to_owned())),
        _ => {
            let truth = stage.ledger.find(path.strip_prefix("/truth/")?);
            let json = truth.map(|truth| (200, truth.json().to_string()));
            Some(json.unwrap_or((404, "{\"error\":\"no such truth\"}".to_owned())))
        }
    }
}

pub(super) async fn show(
    stage: &Stage,
    socket: &mut Socket,
    head: &RequestHead,
    page: &(u16, String),
) -> After {
    let answer = Head {
        status: page.0,
        content_type: Some("application/json"),
        headers: Vec::new(),
        end: BodyEnd::Length(page.1.len()),
        keep: head.keeps(),
        fault: None,
        size: None,
    };
    let mut bytes = answer.bytes(stage.clock.wall());
    bytes.extend_from_slice(page.1.as_bytes());
    match socket.write_aside(&bytes).await {
        Ok(()) if answer.keep => After::Keep,
        Ok(()) => After::Close,
        Err(_) => After::Drop,
    }
}
