//! Makes the service of this program one of the HTTP library's, which brings bodies of its own.

use std::pin::Pin;

use http::{HeaderValue, Request, Response, Version, header};
use http_body::Body;
use hyper::body::Incoming;
use hyper::service::Service;

use super::request_body::RequestBody;

/// The service for the HTTP library.
pub(super) struct OfLibrary<S>(pub(super) S);

impl<S: Service<Request<RequestBody>>> Service<Request<Incoming>> for OfLibrary<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn call(&self, request: Request<Incoming>) -> S::Future {
        self.0
            .call(request.map(|body| RequestBody::Library(body.into())))
    }
}

/// A service whose answers to HTTP/1.0, which knows no chunks, say that they end with the
/// connection where they have no length (RFC 9112, 9.3): the library promises to keep it.
pub(super) struct Ending<S>(pub(super) S);

impl<S, B> Service<Request<RequestBody>> for Ending<S>
where
    S: Service<Request<RequestBody>, Response = Response<B>>,
    S::Future: Send + 'static,
    B: Body,
{
    type Response = Response<B>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<B>, S::Error>> + Send>>;

    fn call(&self, request: Request<RequestBody>) -> Self::Future {
        let version = request.version();
        let answer = self.0.call(request);
        Box::pin(async move {
            let mut answer = answer.await?;
            if version == Version::HTTP_10 && answer.body().size_hint().exact().is_none() {
                let close = HeaderValue::from_static("close");
                answer.headers_mut().insert(header::CONNECTION, close);
            }
            Ok(answer)
        })
    }
}
