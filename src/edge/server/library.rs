//! Makes the service of this program one of the HTTP library's, which brings bodies of its own.

use http::Request;
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
