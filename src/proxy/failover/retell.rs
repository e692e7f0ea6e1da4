//! Says a whole answer, or an error, of a provider in the client's language.

use bytes::Bytes;
use http::{StatusCode, header};

use super::tried::Try;
use super::{Reached, Retold, Unreached};
use crate::proxy::reject::Reject;
use crate::proxy::tap::Source;
use crate::record::{ErrorClass, Outcome};
use crate::wire::dialect::errors::{Classified, Report, message};
use crate::wire::dialect::headers::read_headers;
use crate::wire::framing::inflate::decode;
use crate::wire::observer::Observation;
use crate::wire::translation::Stamp;

/// Has the whole answer that was read for `reached` told in the client's language, where that is
/// another one; an error where it cannot be.
pub(super) fn whole(
    this: Try<'_>,
    reached: &mut Reached,
    observation: &Observation,
    stamp: &Stamp,
) -> Result<(), Unreached> {
    let Some(said) = this.way.speech.said() else {
        return Ok(());
    };
    if this.job.stream {
        // A stream that is over is told as a stream.
        return Ok(());
    }
    let sent = read(reached);
    let coding = reached.headers.get(header::CONTENT_ENCODING);
    let coding = coding.and_then(|coding| coding.to_str().ok());
    let bytes_max = this.means.settings.limits.decoded_bytes;
    // It was asked for as it is, and came compressed all the same.
    let body = decode(coding.unwrap_or_default(), &sent, bytes_max)
        .map_err(|_| unreached(this, "its answer could not be decompressed"))?;
    match said.translation.answer(&body, &said.back, stamp) {
        Ok(body) => {
            let status = reached.status;
            reached.retold = Some(Retold {
                status,
                body: Bytes::from(body),
            });
            Ok(())
        }
        Err(unreadable) => {
            // An error under the status of a success.
            if let Some(error) = &observation.error {
                let said = message(&body).unwrap_or(unreadable.message);
                tell(this, reached, error, &said, stamp);
                return Ok(());
            }
            let detail = format!("its answer could not be said again: {}", unreadable.message);
            Err(unreached(this, &detail))
        }
    }
}

/// Has an error of the provider's told in the client's language, where that is another one.
pub(super) fn error(
    this: Try<'_>,
    reached: &mut Reached,
    error: &Classified,
    body: &[u8],
    stamp: &Stamp,
) {
    if this.way.speech.said().is_none() {
        return;
    }
    let said = message(body);
    let said = said.unwrap_or_else(|| {
        let (provider, status) = (&this.way.provider.name, reached.status.as_u16());
        format!("provider {provider} answered with status {status} and no message")
    });
    tell(this, reached, error, &said, stamp);
}

fn tell(this: Try<'_>, reached: &mut Reached, error: &Classified, said: &str, stamp: &Stamp) {
    let id = read_headers(&reached.headers).request_id;
    let report = Report {
        // The provider's, since it is the provider who can look for it.
        exchange: id.as_deref().unwrap_or(&stamp.id),
        ..Report::of_provider(error, reached.status.as_u16(), said)
    };
    reached.retold = Some(Retold {
        status: StatusCode::from_u16(report.status).unwrap_or(StatusCode::BAD_GATEWAY),
        body: Bytes::from(report.body(this.job.language)),
    });
}

/// The answer is longer than what may be held, or is a stream where none was asked for.
pub(super) fn no_whole(this: Try<'_>) -> Unreached {
    unreached(
        this,
        "its answer is too long to be said again as a whole, or is a stream",
    )
}

fn unreached(this: Try<'_>, detail: &str) -> Unreached {
    let provider = &this.way.provider.name;
    Unreached {
        reject: Reject::upstream(ErrorClass::ProtocolError, provider, detail, true),
        outcome: Outcome::UpstreamError,
    }
}

/// What was read of the body.
fn read(reached: &Reached) -> Vec<u8> {
    match &reached.source {
        Source::Read(chunks) => {
            let bytes = chunks.iter().flat_map(|chunk| chunk.bytes.iter());
            bytes.copied().collect()
        }
        Source::Incoming(_) => Vec::new(),
    }
}
