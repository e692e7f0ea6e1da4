//! Reads an OpenAI chat request for those who say it in languages that share its ideas, but not
//! its shapes: the conversation, the tools, and what form the answer is to have.

mod content;

mod tools;

mod settings;

mod claude;

mod conversation;

pub(super) use claude::{Draw, Standing, Thinking, draw, thinking, thinks};
pub(super) use content::{Data, Marked, Part, Source};
pub(super) use conversation::{Conversation, Spoken, Thought, ToolResult, Turn};
pub(super) use settings::{
    Format, common_hints, effort, kept, labels, max_tokens, nothing_asked, response_format,
    sampling, stops,
};
pub(super) use tools::{Choice, Tool, allow, choice, tools};
