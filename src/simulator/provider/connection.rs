//! Serves the requests of one connection, one after another.

use std::sync::Arc;

use tokio::sync::watch;

use super::exchange::serve;
use super::request::{RequestHead, Unreadable};
use super::socket::{After, Io, Socket};
use super::stage::Stage;

/// Serves a connection until either side ends it, or the simulator stops while it is idle.
pub(super) async fn converse(stage: Arc<Stage>, io: Io, mut stop: watch::Receiver<bool>) {
    let number = stage.next_connection();
    let mut socket = Socket::new(io, stage.clock.clone(), stage.pacing);
    let mut place = 0;
    loop {
        let next = tokio::select! {
            biased;
            next = RequestHead::read(&mut socket) => next,
            _ = stop.wait_for(|stop| *stop) => return,
        };
        let head = match next {
            Ok(head) => head,
            Err(Unreadable::Gone) => return,
            Err(Unreadable::Malformed) => return refuse(socket, "400 Bad Request").await,
            Err(Unreadable::TooLarge) => {
                return refuse(socket, "431 Request Header Fields Too Large").await;
            }
        };
        match Box::pin(serve(&stage, &mut socket, head, number, place)).await {
            After::Keep => place += 1,
            After::Close => return socket.close().await,
            After::Drop => return,
            After::Reset => return socket.reset(),
            After::HalfClose => {
                socket.shut().await;
                while socket.fill(4096).await.is_ok_and(|read| read > 0) {
                    socket.inbox.clear();
                }
                return;
            }
        }
    }
}

async fn refuse(mut socket: Socket, status: &str) {
    let text = format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
    // Whoever cannot be answered has gone, and nothing is left to do.
    if socket.write_aside(text.as_bytes()).await.is_ok() {
        socket.close().await;
    }
}
