//! Knows what the bytes of each endpoint's requests, responses, headers and errors mean.

mod scan;

pub(crate) mod json;

pub(crate) mod lenient;

pub mod identify;

pub mod errors;

pub mod headers;

pub(crate) mod learned;

pub(crate) mod openai_usage;

pub(crate) mod finish;

pub(crate) mod openai_chat;

mod openai_completions;

mod openai_responses;

mod openai_embeddings;

mod anthropic_messages;

pub(crate) mod gemini_generate;

pub(crate) mod bedrock_converse;

mod bedrock_invoke;

mod ollama_native;

pub(crate) mod language;

pub mod request;
