//! Sends an answer's bytes at their moments: framed, encoded, split, merged, or spoiled.

use crate::record::{Moment, Nanos, WallTime};
use crate::simulator::truth::Carried;

use super::behaviour::{Behaviour, Delivery};
use super::encoding::Encoder;
use super::fault::Fault;
use super::flow::{Act, Ending, Flow};
use super::head::{BodyEnd, Head, chunk_size};
use super::ledger::OpenTruth;
use super::script::{Framing, Script, Then};
use super::socket::{Gone, Socket};

/// The way out for one answer.
pub(super) struct Outlet<'a> {
    pub(super) socket: &'a mut Socket,
    pub(super) truth: &'a OpenTruth,
    /// When the request was complete: all moments count from here.
    pub(super) start: Moment,
    end: BodyEnd,
    fault: Option<Fault>,
    encoder: Option<Encoder>,
    delivery: Delivery,
    drip: Option<Nanos>,
    last_due: Nanos,
    keepalive: Option<(Nanos, &'static [u8])>,
    wire: Vec<u8>,
    pending: Pending,
}

/// Events that wait to be merged into one write.
#[derive(Default)]
struct Pending {
    bytes: Vec<u8>,
    carried: Carried,
    events: usize,
    due: Nanos,
}

impl<'a> Outlet<'a> {
    /// A way out.
    pub(super) fn new(
        socket: &'a mut Socket,
        truth: &'a OpenTruth,
        start: Moment,
        behaviour: &Behaviour,
        comment: Option<&'static [u8]>,
        fault: Option<Fault>,
        drip: Nanos,
    ) -> Self {
        Self {
            socket,
            truth,
            start,
            end: BodyEnd::None,
            fault,
            encoder: Encoder::of(fault),
            delivery: behaviour.delivery,
            drip: (fault == Some(Fault::Drip)).then_some(drip),
            last_due: Nanos(0),
            keepalive: behaviour.keepalive.zip(comment),
            wire: Vec::new(),
            pending: Pending::default(),
        }
    }

    /// Sends the head at its moment.
    pub(super) async fn head(
        &mut self,
        head: &Head,
        due: Nanos,
        now: WallTime,
    ) -> Result<(), Gone> {
        self.end = head.end;
        self.truth.lock().status = Some(head.status);
        let due = self.start.plus(due);
        self.socket.wait(due).await?;
        let bytes = head.bytes(now);
        self.socket
            .write(&bytes, 0, Some(due), Carried::HEAD, self.truth)
            .await
    }

    /// Sends head and body in one write.
    pub(super) async fn at_once(
        &mut self,
        head: &Head,
        body: &[u8],
        due: Nanos,
        now: WallTime,
        carried: Carried,
    ) -> Result<(), Gone> {
        self.end = head.end;
        self.truth.lock().status = Some(head.status);
        let due = self.start.plus(due);
        self.socket.wait(due).await?;
        let mut bytes = head.bytes(now);
        bytes.extend_from_slice(body);
        let carried = Carried::HEAD.and(carried);
        self.socket
            .write(&bytes, body.len(), Some(due), carried, self.truth)
            .await
    }

    /// Goes on after a head that was sent by another outlet.
    pub(super) fn resume(&mut self, end: BodyEnd) {
        self.end = end;
    }

    /// Sends a script as it stands.
    pub(super) async fn play(&mut self, script: &Script) -> Result<(), Gone> {
        let start = self.start;
        let head = script.head_bytes();
        self.socket
            .write(&head, 0, Some(start), Carried::HEAD, self.truth)
            .await?;
        let chunked = script.framing == Framing::Chunked;
        self.end = if chunked {
            BodyEnd::Chunked
        } else {
            BodyEnd::Close
        };
        let mut due = Nanos(0);
        for (delay, piece) in &script.body {
            due = Nanos(due.0.saturating_add(delay.0));
            self.wait(due).await?;
            self.piece(piece, Carried::RAW, Some(due)).await?;
        }
        if script.then == Then::Reset {
            Ok(())
        } else {
            self.finish().await
        }
    }

    /// Sends all events of a flow; says how the body ended.
    pub(super) async fn flow(&mut self, flow: &mut Flow) -> Result<Ending, Gone> {
        let mut event = Vec::with_capacity(512);
        loop {
            event.clear();
            match flow.next(&mut event) {
                Act::Event { due, carried } => self.event(&event, carried, due).await?,
                Act::Raw { due } => {
                    self.wait(due).await?;
                    self.raw(&event, Carried::RAW, Some(due)).await?;
                }
                Act::Wait { due } => self.wait(due).await?,
                Act::End(ending) => {
                    self.flush().await?;
                    if ending == Ending::Complete {
                        self.finish().await?;
                    }
                    return Ok(ending);
                }
            }
        }
    }

    /// Sends one event at its moment.
    pub(super) async fn event(
        &mut self,
        event: &[u8],
        carried: Carried,
        due: Nanos,
    ) -> Result<(), Gone> {
        if let Some(gap) = self.drip {
            return self.drip(event, carried, due, gap).await;
        }
        match self.delivery {
            Delivery::Event | Delivery::Merge(..=1) => {
                self.wait(due).await?;
                self.piece(event, carried, Some(due)).await
            }
            Delivery::Split(pieces) => {
                self.wait(due).await?;
                self.split(event, carried, due, pieces).await
            }
            Delivery::Merge(events) => {
                self.pending.bytes.extend_from_slice(event);
                self.pending.carried = self.pending.carried.and(carried);
                self.pending.events += 1;
                self.pending.due = due;
                if self.pending.events >= events {
                    self.flush().await
                } else {
                    Ok(())
                }
            }
        }
    }

    async fn split(
        &mut self,
        event: &[u8],
        carried: Carried,
        due: Nanos,
        pieces: usize,
    ) -> Result<(), Gone> {
        let size = event.len().div_ceil(pieces.max(1)).max(1);
        let last = event.len().div_ceil(size).saturating_sub(1);
        for (index, piece) in event.chunks(size).enumerate() {
            let carried = if index == last {
                carried
            } else {
                Carried::PART
            };
            // Only the write that completes the event is held to the schedule.
            let due = (index == last).then_some(due);
            self.piece(piece, carried, due).await?;
        }
        Ok(())
    }

    async fn drip(
        &mut self,
        event: &[u8],
        carried: Carried,
        due: Nanos,
        gap: Nanos,
    ) -> Result<(), Gone> {
        for (index, byte) in event.chunks(1).enumerate() {
            let due = due.max(Nanos(self.last_due.0 + gap.0));
            self.last_due = due;
            self.wait(due).await?;
            let carried = if index + 1 == event.len() {
                carried
            } else {
                Carried::PART
            };
            self.piece(byte, carried, Some(due)).await?;
        }
        Ok(())
    }

    /// Sends what was held to be merged.
    async fn flush(&mut self) -> Result<(), Gone> {
        if self.pending.events == 0 {
            return Ok(());
        }
        let pending = std::mem::take(&mut self.pending);
        self.wait(pending.due).await?;
        self.piece(&pending.bytes, pending.carried, Some(pending.due))
            .await
    }

    /// Sends a piece of the body in its framing, now.
    async fn piece(
        &mut self,
        piece: &[u8],
        carried: Carried,
        due: Option<Nanos>,
    ) -> Result<(), Gone> {
        let encoded = self.encoder.as_mut().map(|encoder| encoder.push(piece));
        let piece = encoded.as_deref().unwrap_or(piece);
        let mut wire = std::mem::take(&mut self.wire);
        wire.clear();
        self.frame(piece, &mut wire);
        let due = due.map(|due| self.start.plus(due));
        let sent = self
            .socket
            .write(&wire, piece.len(), due, carried, self.truth)
            .await;
        // A huge event must not stay in memory for the rest of the stream.
        self.wire = if wire.capacity() > 64 << 10 {
            Vec::new()
        } else {
            wire
        };
        sent
    }

    fn frame(&self, piece: &[u8], wire: &mut Vec<u8>) {
        if self.end != BodyEnd::Chunked || self.fault == Some(Fault::Http10) {
            wire.extend_from_slice(piece);
            return;
        }
        let extension = self.fault == Some(Fault::ChunkExtension);
        let size = if self.fault == Some(Fault::TinyChunks) {
            1
        } else {
            piece.len()
        };
        for chunk in piece.chunks(size.max(1)) {
            chunk_size(wire, chunk.len(), extension);
            wire.extend_from_slice(chunk);
            wire.extend_from_slice(b"\r\n");
        }
    }

    /// Sends bytes as they are, now.
    pub(super) async fn raw(
        &mut self,
        bytes: &[u8],
        carried: Carried,
        due: Option<Nanos>,
    ) -> Result<(), Gone> {
        let due = due.map(|due| self.start.plus(due));
        self.socket
            .write(bytes, bytes.len(), due, carried, self.truth)
            .await
    }

    /// Ends coding and framing.
    pub(super) async fn finish(&mut self) -> Result<(), Gone> {
        if self.fault != Some(Fault::GzipTruncated)
            && let Some(mut encoder) = self.encoder.take()
        {
            let rest = encoder.finish();
            if !rest.is_empty() {
                self.piece(&rest, Carried::END, None).await?;
            }
        }
        if self.end != BodyEnd::Chunked || self.fault == Some(Fault::Http10) {
            return Ok(());
        }
        let end: &[u8] = match self.fault {
            Some(Fault::Trailers) => b"0\r\nx-sim-trailer: yes\r\n\r\n",
            _ => b"0\r\n\r\n",
        };
        self.socket
            .write(end, 0, None, Carried::END, self.truth)
            .await
    }

    /// Waits until a moment, and keeps the stream alive meanwhile.
    pub(super) async fn wait(&mut self, due: Nanos) -> Result<(), Gone> {
        let due = self.start.plus(due);
        let Some((every, comment)) = self.keepalive else {
            return self.socket.wait(due).await;
        };
        let mut next = self.socket.now().plus(every);
        while next < due {
            self.socket.wait(next).await?;
            self.piece(comment, Carried::KEEPALIVE, None).await?;
            next = next.plus(every);
        }
        self.socket.wait(due).await
    }
}
