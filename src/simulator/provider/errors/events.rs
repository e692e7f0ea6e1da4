//! Words errors that come within a stream.

use std::io::Write as _;

use serde_json::json;

use crate::config::settings::ErrorShape;
use crate::wire::framing::event_stream::encode_exception;

use super::super::answer::Answer;
use super::Problem;

/// Appends an error event in the shape of the answer's endpoint.
pub(in super::super) fn error_event(answer: &Answer, out: &mut Vec<u8>) {
    let manner = &answer.manner;
    let usual = if manner.shape == ErrorShape::Anthropic {
        529
    } else {
        500
    };
    let problem = Problem::of_status(answer.error_status.unwrap_or(usual));
    let body = problem.in_words_of(manner, None).json(manner, &answer.tail);
    // Writing to a vector cannot fail.
    let _ = match manner.shape {
        ErrorShape::Anthropic => write!(out, "event: error\ndata: {body}\n\n"),
        ErrorShape::OpenRouter => {
            let chunk = json!({
                "id": format!("chatcmpl-sim-{}", answer.tail),
                "object": "chat.completion.chunk",
                "created": answer.created,
                "model": answer.model,
                "provider": "Simulator",
                "choices": [{"index": 0, "delta": {"content": ""}, "finish_reason": "error"}],
                "error": {
                    "code": 502,
                    "message": "Provider disconnected unexpectedly",
                    "metadata": {"error_type": "provider_unavailable"},
                },
            });
            write!(out, "data: {chunk}\n\n")
        }
        // An item of the array that the stream is; elsewhere an event with the object.
        ErrorShape::Text if manner.native => writeln!(out, "{body}"),
        ErrorShape::GoogleArray if answer.array => write!(out, "{body}"),
        ErrorShape::GoogleArray if manner.native => write!(out, "data: {body}\r\n\r\n"),
        ErrorShape::GoogleArray => write!(out, "data: {}\n\n", body[0]),
        ErrorShape::Flat => {
            write!(
                out,
                "data: {}\n\n",
                json!({"error": body, "status_code": 500})
            )
        }
        _ => write!(out, "data: {body}\n\n"),
    };
}

/// Appends the frame by which Bedrock ends a stream that failed.
pub(in super::super) fn exception_frame(answer: &Answer, out: &mut Vec<u8>) {
    let (kind, body) = match answer.error_status.unwrap_or(500) {
        400 => (
            "validationException",
            json!({"message": "The model returned an error."}),
        ),
        429 => (
            "throttlingException",
            json!({"message": "Too many tokens, please wait before trying again."}),
        ),
        503 | 529 => (
            "serviceUnavailableException",
            json!({"message": "Service unavailable"}),
        ),
        _ => (
            "modelStreamErrorException",
            json!({
                "message": "The system encountered an unexpected error during processing.",
                "originalStatusCode": 500,
                "originalMessage": "internal error",
            }),
        ),
    };
    // Its payload is short, so that there is always a frame for it.
    let _ = encode_exception(kind, body.to_string().as_bytes(), out);
}

/// Appends an error event of the responses API.
pub(in super::super) fn responses_error_event(answer: &Answer, sequence: u32, out: &mut Vec<u8>) {
    let problem = Problem::of_status(500);
    let body = json!({
        "type": "error",
        "code": problem.code,
        "message": problem.message,
        "param": null,
        "sequence_number": sequence,
    });
    let _ = (write!(out, "event: error\ndata: {body}\n\n"), &answer.tail);
}
