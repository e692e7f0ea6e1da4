//! A request on its way to a provider: method, target, headers, and a body that may be written
//! again or not.

use std::sync::Arc;

use crate::edge::server::RequestBody;
use bytes::Bytes;
use http::{HeaderMap, Method, Request, Uri};
use http_body::Body as _;

use super::body::{Upload, UpstreamBody};

/// A request on its way to a provider.
#[derive(Debug)]
pub struct Outgoing {
    /// Method.
    pub method: Method,
    /// Path and query there.
    pub target: Uri,
    /// Headers, `Host` and credentials included.
    pub headers: HeaderMap,
    /// Body.
    pub body: OutgoingBody,
}

/// The body of a request on its way to a provider.
#[derive(Debug)]
pub enum OutgoingBody {
    /// In memory: can be written again.
    Whole(Bytes),
    /// Streamed once from the client.
    Streamed(RequestBody, Arc<Upload>),
    /// Streamed, and taken by a connection.
    Taken,
}

impl Outgoing {
    /// Leaves out a body of unknown length behind GET and HEAD: it means nothing there (RFC 9110,
    /// 9.3.1), and a provider that does not look for it would read it as the next request.
    pub(super) fn leave_out_meaningless(&mut self) {
        let bodiless = matches!(self.method, Method::GET | Method::HEAD);
        if let OutgoingBody::Streamed(incoming, _) = &self.body
            && bodiless
            && incoming.size_hint().exact().is_none()
        {
            self.body = OutgoingBody::Whole(Bytes::new());
        }
    }

    /// Whether it can be sent, still or again.
    pub(super) const fn is_there(&self) -> bool {
        !matches!(self.body, OutgoingBody::Taken)
    }

    /// The same as a message of hyper's. An upload goes over into it.
    pub(super) fn take_message(&mut self) -> Request<UpstreamBody> {
        let body = match self.body.take_upload() {
            Some((body, _)) => body,
            None => UpstreamBody::whole(self.body.whole().unwrap_or_default()),
        };
        let mut request = Request::new(body);
        request.method_mut().clone_from(&self.method);
        request.uri_mut().clone_from(&self.target);
        request.headers_mut().clone_from(&self.headers);
        request
    }
}

impl OutgoingBody {
    /// What of it is in memory; absent where it is streamed.
    pub(super) fn whole(&self) -> Option<Bytes> {
        match self {
            Self::Whole(bytes) => Some(bytes.clone()),
            Self::Streamed(..) | Self::Taken => None,
        }
    }

    /// Takes what is streamed, with its length where it was announced.
    pub(super) fn take_upload(&mut self) -> Option<(UpstreamBody, Option<u64>)> {
        if !matches!(self, Self::Streamed(..)) {
            return None;
        }
        match std::mem::replace(self, Self::Taken) {
            Self::Streamed(incoming, upload) => {
                let length = incoming.size_hint().exact();
                Some((UpstreamBody::Streamed(incoming, upload), length))
            }
            _ => None,
        }
    }

    /// Puts back what a connection took and did not send.
    pub(super) fn put_back(&mut self, body: UpstreamBody) {
        if let UpstreamBody::Streamed(incoming, upload) = body {
            *self = Self::Streamed(incoming, upload);
        }
    }
}
