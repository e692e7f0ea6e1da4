//! Says tools in chat, where all are functions, and remembers which of them were none.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::super::fields::{Fields, Left, refusal};
use super::super::shape::Refusal;

/// The name under which the model asks for tools that it does not see.
pub(super) const TOOL_SEARCH: &str = "tool_search";

/// The longest name that chat takes.
const NAME_BYTES_MAX: usize = 64;

/// What a function of chat is at the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Origin {
    /// A function of this name, in a namespace where it is in one.
    Function(String, Option<String>),
    /// A tool whose input is text, of this name.
    Custom(String, Option<String>),
    /// The search for tools.
    Search,
}

/// The functions that the model is offered.
#[derive(Debug, Default)]
pub(super) struct Toolbox {
    functions: Vec<Value>,
    /// Those that are not what they are called, by their names in chat.
    origins: Map<String, Value>,
}

impl Toolbox {
    /// Adds the tool that stands at `path`.
    pub(super) fn add(
        &mut self,
        path: &str,
        tool: Value,
        namespace: Option<&str>,
        left: &mut Left,
    ) -> Result<(), Refusal> {
        let mut tool = Fields::of(path, tool)?;
        let kind = tool.needed_text("type")?;
        match kind.as_str() {
            "function" => self.function(tool, namespace, left),
            "custom" => self.custom(tool, namespace, left),
            "namespace" => {
                let name = tool.needed_text("name")?;
                // Each of its tools says what it does itself.
                tool.hints(&["description"], left);
                let at = tool.at("tools");
                let inner = tool.list("tools")?.unwrap_or_default();
                for (index, inner) in inner.into_iter().enumerate() {
                    self.add(&format!("{at}[{index}]"), inner, Some(&name), left)?;
                }
                tool.finish(left)
            }
            TOOL_SEARCH if tool.look("execution") == Some(&"client".into()) => {
                self.search(tool, left)
            }
            _ => {
                let why = format!("is `{kind}`, a tool that runs at OpenAI and not in chat");
                left.unless_dropped(path, &why)
            }
        }
    }

    fn function(
        &mut self,
        mut tool: Fields,
        namespace: Option<&str>,
        left: &mut Left,
    ) -> Result<(), Refusal> {
        let own = tool.needed_text("name")?;
        let mut function = Map::new();
        let name = flat(&own, namespace);
        function.insert("name".into(), name.clone().into());
        if let Some(description) = tool.text("description")? {
            function.insert("description".into(), description.into());
        }
        let parameters = tool.take("parameters");
        let parameters = parameters.unwrap_or_else(|| json!({"type": "object", "properties": {}}));
        function.insert("parameters".into(), parameters);
        if tool.truth("strict")? == Some(true) {
            function.insert("strict".into(), true.into());
        }
        // The model sees all tools at once.
        tool.hints(&["defer_loading", "output_schema"], left);
        tool.finish(left)?;
        if let Some(namespace) = namespace {
            let origin = json!({"kind": "function", "name": own, "namespace": namespace});
            self.origins.insert(name, origin);
        }
        self.push(function);
        Ok(())
    }

    /// A tool whose input is text becomes a function with one argument of text. A grammar is told
    /// the model in words; nobody holds it to them.
    fn custom(
        &mut self,
        mut tool: Fields,
        namespace: Option<&str>,
        left: &mut Left,
    ) -> Result<(), Refusal> {
        let own = tool.needed_text("name")?;
        let mut description = tool.text("description")?.unwrap_or_default();
        if let Some(mut format) = tool.object("format")? {
            let at = format.at("type");
            if format.needed_text("type")? == "grammar" {
                let syntax = format.text("syntax")?.unwrap_or_default();
                let definition = format.needed_text("definition")?;
                if !description.is_empty() {
                    description.push_str("\n\n");
                }
                let _ = write!(
                    description,
                    "Its input is text that follows this grammar ({syntax}):\n{definition}"
                );
                left.hint(at.trim_end_matches(".type"));
            }
            format.finish(left)?;
        }
        tool.hints(&["defer_loading"], left);
        tool.finish(left)?;
        let name = flat(&own, namespace);
        let origin = json!({"kind": "custom", "name": own, "namespace": namespace});
        self.origins.insert(name.clone(), origin);
        let input = json!({"type": "string", "description": "The whole input, as it is."});
        let function = json!({
            "name": name,
            "description": description,
            "parameters": {
                "type": "object",
                "properties": {"input": input},
                "required": ["input"],
                "additionalProperties": false,
            },
        });
        if let Value::Object(function) = function {
            self.push(function);
        }
        Ok(())
    }

    fn search(&mut self, mut tool: Fields, left: &mut Left) -> Result<(), Refusal> {
        tool.take("execution");
        let mut function = Map::new();
        function.insert("name".into(), TOOL_SEARCH.into());
        if let Some(description) = tool.text("description")? {
            function.insert("description".into(), description.into());
        }
        if let Some(parameters) = tool.take("parameters") {
            function.insert("parameters".into(), parameters);
        }
        tool.finish(left)?;
        let origin = json!({"kind": "search"});
        self.origins.insert(TOOL_SEARCH.into(), origin);
        self.push(function);
        Ok(())
    }

    /// A tool that was found again, or stands in two places, is offered once.
    fn push(&mut self, function: Map<String, Value>) {
        let name = function.get("name");
        let known = self.functions.iter().any(|other| {
            let other = other.get("function").and_then(|other| other.get("name"));
            other == name
        });
        if !known {
            self.functions
                .push(json!({"type": "function", "function": function}));
        }
    }

    /// Says in `chat` what is offered, and which of it may or must be called.
    pub(super) fn say(
        mut self,
        choice: Option<Value>,
        chat: &mut Map<String, Value>,
        left: &mut Left,
    ) -> Result<Map<String, Value>, Refusal> {
        let said = match choice {
            Some(Value::Object(choice)) => {
                self.choice(Fields::of("tool_choice", Value::Object(choice))?, left)?
            }
            Some(Value::String(word)) if word == "auto" => None,
            Some(Value::String(word)) => Some(Value::String(word)),
            Some(_) => return Err(refusal("tool_choice", "must be a word or an object")),
            None => None,
        };
        let offers = !self.functions.is_empty();
        if offers {
            chat.insert("tools".into(), self.functions.into());
        }
        // Without tools chat takes no choice of none of them.
        if let Some(said) = said.filter(|said| offers || *said != "none") {
            chat.insert("tool_choice".into(), said);
        }
        Ok(self.origins)
    }

    fn choice(&mut self, mut choice: Fields, left: &mut Left) -> Result<Option<Value>, Refusal> {
        let kind = choice.needed_text("type")?;
        let said = match kind.as_str() {
            "function" | "custom" => {
                let namespace = choice.text("namespace")?;
                let name = flat(&choice.needed_text("name")?, namespace.as_deref());
                Some(json!({"type": "function", "function": {"name": name}}))
            }
            "allowed_tools" => {
                let mode = choice.text("mode")?.unwrap_or_else(|| "auto".to_owned());
                let mut names = Vec::new();
                for tool in choice.list("tools")?.unwrap_or_default() {
                    let text = |key: &str| tool.get(key).and_then(Value::as_str);
                    names.extend(text("name").map(|name| flat(name, text("namespace"))));
                }
                // Chat providers know no such choice: the others are not offered.
                self.functions.retain(|function| {
                    let name = function.get("function").and_then(|inner| inner.get("name"));
                    let name = name.and_then(Value::as_str).unwrap_or_default();
                    names.iter().any(|allowed| allowed == name)
                });
                (mode != "auto").then(|| mode.into())
            }
            _ => {
                let why = format!("is `{kind}`, a tool that runs at OpenAI and not in chat");
                left.unless_dropped("tool_choice", &why)?;
                return Ok(None);
            }
        };
        choice.finish(left)?;
        Ok(said)
    }
}

/// The name of a tool in chat, which knows no namespaces.
pub(super) fn flat(name: &str, namespace: Option<&str>) -> String {
    let Some(namespace) = namespace.filter(|namespace| !namespace.is_empty()) else {
        return name.to_owned();
    };
    let between = if namespace.ends_with('_') { "" } else { "__" };
    let whole = format!("{namespace}{between}{name}");
    if whole.len() <= NAME_BYTES_MAX {
        return whole;
    }
    // Still told apart from others, and the same each time.
    let sum = crc32fast::hash(whole.as_bytes());
    let end = whole.floor_char_boundary(NAME_BYTES_MAX - 9);
    format!("{}_{sum:08x}", &whole[..end])
}

/// What the function `name` is at the client, by what [`Toolbox::say`] gave.
pub(super) fn origin(origins: &Map<String, Value>, name: &str) -> Origin {
    let found = origins.get(name);
    let text = |key: &str| found?.get(key)?.as_str().map(str::to_owned);
    let own = text("name").unwrap_or_else(|| name.to_owned());
    match text("kind").as_deref() {
        Some("custom") => Origin::Custom(own, text("namespace")),
        Some("search") => Origin::Search,
        _ => Origin::Function(own, text("namespace")),
    }
}
