//! Says why a request's body cannot be used, where, and what to do about it.

/// Why a request's body cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestFault {
    /// There is no body.
    #[error("the body is empty; send a JSON object")]
    Empty,
    /// Some bytes are not UTF-8.
    #[error("the body is not valid UTF-8 at byte {at}; send JSON encoded as UTF-8")]
    NotUtf8 {
        /// Offset of the first such byte.
        at: usize,
    },
    /// The body is not JSON.
    #[error("the body is not valid JSON at byte {at}: {what}")]
    NotJson {
        /// Offset at which reading stopped.
        at: usize,
        /// What the parser met.
        what: String,
    },
    /// Something follows the JSON object.
    #[error(
        "the body goes on after its JSON object at byte {at}; send one object and nothing more"
    )]
    TrailingBytes {
        /// Offset of the first byte that is too much.
        at: usize,
    },
    /// The body is JSON, but no object.
    #[error("the body is {found}; send a JSON object")]
    NotAnObject {
        /// What it is.
        found: &'static str,
    },
    /// Arrays and objects are nested too deep.
    #[error("the body is nested deeper than {max} levels at byte {at}; send a flatter one")]
    TooDeep {
        /// Levels allowed.
        max: usize,
        /// Offset of the first bracket too deep.
        at: usize,
    },
    /// A key that decides the route comes twice: two readers could take it in two ways.
    #[error("the key `{key}` comes twice; send it once")]
    Repeated {
        /// The key.
        key: &'static str,
    },
    /// The model is not a string.
    #[error("`model` is not a string; send the model's name")]
    ModelNotText,
    /// The model is a string that cannot name one.
    #[error("`model` {why}; send the model's name as its provider lists it")]
    ModelUnfit {
        /// What is wrong with it.
        why: &'static str,
    },
    /// `stream` is not a boolean.
    #[error("`stream` is neither true nor false; send one of them or leave it out")]
    StreamNotBool,
    /// `stream_options` is not an object.
    #[error("`stream_options` is not an object; send an object or leave it out")]
    StreamOptionsNotObject,
}

impl RequestFault {
    /// The `param` of an error body in `OpenAI`'s shape.
    #[must_use]
    pub const fn param(&self) -> Option<&'static str> {
        match self {
            Self::Repeated { key } => Some(key),
            Self::ModelNotText | Self::ModelUnfit { .. } => Some("model"),
            Self::StreamNotBool => Some("stream"),
            Self::StreamOptionsNotObject => Some("stream_options"),
            _ => None,
        }
    }
}
