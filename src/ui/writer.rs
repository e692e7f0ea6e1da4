//! Has the store's writer do something that the page or the API asks for.

use http::StatusCode;

use super::fault::Fault;
use crate::edge::store::StoreError;

/// What `edit` comes to, which may block and is nothing where the store takes nothing now: done
/// away from the runtime's own thread.
pub(super) async fn by_writer<T: Send + 'static>(
    edit: impl FnOnce() -> Option<Result<T, StoreError>> + Send + 'static,
) -> Result<T, Fault> {
    let done = tokio::task::spawn_blocking(edit).await;
    done.ok()
        .flatten()
        .ok_or_else(|| {
            Fault::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "store_unavailable",
                "the store takes nothing now: /health says why",
            )
        })?
        .map_err(Fault::from)
}
