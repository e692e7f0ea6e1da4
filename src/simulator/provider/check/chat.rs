//! Objects to what `OpenAI`'s chat completions object to in the turns and the tools of a request.
//!
//! Unknown fields are taken: whoever copies the API has fields of its own.

use serde_json::Value;

use super::turns::Objection;

/// What is wrong with a request.
pub(super) fn request(body: &Value) -> Option<Objection> {
    turns(body).or_else(|| tools(body))
}

fn turns(body: &Value) -> Option<Objection> {
    let messages = body.get("messages")?.as_array()?;
    let mut open: Vec<&str> = Vec::new();
    for (place, message) in messages.iter().enumerate() {
        let Some(role) = message["role"].as_str() else {
            return Some(Objection::new(format!(
                "Missing required parameter: 'messages[{place}].role'."
            )));
        };
        match role {
            "tool" => {
                let id = message["tool_call_id"].as_str().unwrap_or("");
                let Some(found) = open.iter().position(|open| *open == id) else {
                    return Some(Objection::new(
                        "Invalid parameter: messages with role 'tool' must be a response to a \
                         preceeding message with 'tool_calls'.",
                    ));
                };
                open.remove(found);
            }
            "system" | "developer" | "user" | "assistant" | "function" => {
                if !open.is_empty() {
                    return Some(unanswered(&open));
                }
            }
            _ => {
                return Some(Objection::new(format!(
                    "Invalid value: '{role}'. Supported values are: 'system', 'assistant', 'user', \
                     'function', 'tool', and 'developer'."
                )));
            }
        }
        if let Some(objection) = content(message, place, role) {
            return Some(objection);
        }
        let calls = message["tool_calls"].as_array();
        for call in calls.into_iter().flatten() {
            let (id, arguments) = (call["id"].as_str(), &call["function"]["arguments"]);
            let Some(id) = id else {
                return Some(Objection::new(format!(
                    "Missing required parameter: 'messages[{place}].tool_calls[0].id'."
                )));
            };
            if call.get("function").is_some() && !arguments.is_string() {
                return Some(Objection::new(format!(
                    "Invalid type for 'messages[{place}].tool_calls[0].function.arguments': \
                     expected a string."
                )));
            }
            open.push(id);
        }
    }
    (!open.is_empty()).then(|| unanswered(&open))
}

fn unanswered(open: &[&str]) -> Objection {
    Objection::new(format!(
        "An assistant message with 'tool_calls' must be followed by tool messages responding to \
         each 'tool_call_id'. The following tool_call_ids did not have response messages: {}",
        open.join(", ")
    ))
}

fn content(message: &Value, place: usize, role: &str) -> Option<Objection> {
    let known: &[&str] = match role {
        "user" => &["text", "image_url", "input_audio", "file"],
        "assistant" => &["text", "refusal", "thinking"],
        _ => &["text"],
    };
    let calls = message.get("tool_calls").is_some() || message.get("function_call").is_some();
    if message.get("content").is_none_or(Value::is_null) {
        let may_be_null = role == "assistant" && (calls || message.get("audio").is_some());
        return (!may_be_null && role != "assistant").then(|| {
            Objection::new(format!(
                "Invalid value for 'content': expected a string, got null. (messages[{place}])"
            ))
        });
    }
    let parts = message["content"].as_array()?;
    let odd = parts.iter().enumerate().find(|(_, part)| {
        let kind = part["type"].as_str().unwrap_or("");
        !known.contains(&kind)
    });
    odd.map(|(index, part)| {
        Objection::new(format!(
            "Invalid value: {}. Supported values are: {}. (messages[{place}].content[{index}].type)",
            part["type"],
            known.join(", ")
        ))
    })
}

fn tools(body: &Value) -> Option<Objection> {
    let tools = body.get("tools")?.as_array()?;
    for (place, tool) in tools.iter().enumerate() {
        let name = match tool["type"].as_str() {
            Some("function") => tool["function"]["name"].as_str(),
            Some("custom") => tool["custom"]["name"].as_str(),
            _ => {
                return Some(Objection::new(format!(
                    "Invalid value for 'tools[{place}].type': supported values are 'function' and \
                     'custom'."
                )));
            }
        };
        let plain = name.is_some_and(|name| {
            let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
            !name.is_empty() && name.len() <= 64 && name.bytes().all(fits)
        });
        if !plain {
            return Some(Objection::new(format!(
                "Invalid 'tools[{place}].function.name': string does not match pattern. Expected a \
                 string that matches the pattern '^[a-zA-Z0-9_-]+$'."
            )));
        }
    }
    None
}
