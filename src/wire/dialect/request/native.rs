//! Counts what the bodies of Gemini, Bedrock and Ollama hold, where they have words of their own.

use super::facts::{Counter, Place, clip, short};
use super::reading::Top;
use crate::record::Name;
use crate::wire::dialect::json::RawJson;
use crate::wire::dialect::lenient::{Count, List, Raw, Text, lenient_object, reread};

lenient_object! {
    /// A turn of Gemini's, or its system instruction.
    struct Content {
        role: Text<'de> = "role",
        parts: Raw<'de> = "parts",
    }
}

lenient_object! {
    /// A part of a turn.
    struct Part {
        text: Raw<'de> = "text",
        data: Media<'de> = "inlineData",
        data_snake: Media<'de> = "inline_data",
        file: Media<'de> = "fileData",
        file_snake: Media<'de> = "file_data",
        call: Raw<'de> = "functionCall",
        result: Raw<'de> = "functionResponse",
    }
}

lenient_object! {
    /// What a piece of media is.
    struct Media {
        kind: Text<'de> = "mimeType",
        kind_snake: Text<'de> = "mime_type",
    }
}

lenient_object! {
    /// A tool of Gemini's, or Converse's list of them.
    struct Offered {
        functions: List<Raw<'de>> = "functionDeclarations",
        functions_snake: List<Raw<'de>> = "function_declarations",
        tools: Raw<'de> = "tools",
    }
}

lenient_object! {
    /// What is asked of the generation: Gemini's, Converse's and Ollama's.
    struct Config {
        max: Count = "maxOutputTokens",
        max_snake: Count = "max_output_tokens",
        max_tokens: Count = "maxTokens",
        max_new_tokens: Count = "max_new_tokens",
        num_predict: Count = "num_predict",
        candidates: Count = "candidateCount",
        media: Text<'de> = "responseMimeType",
        schema: Raw<'de> = "responseSchema",
        json_schema: Raw<'de> = "responseJsonSchema",
        thinking: Thinking<'de> = "thinkingConfig",
    }
}

lenient_object! {
    /// How much is to be thought.
    struct Thinking {
        level: Text<'de> = "thinkingLevel",
        budget: Raw<'de> = "thinkingBudget",
        kind: Text<'de> = "type",
    }
}

lenient_object! {
    /// What Converse hands on to the model as it stands.
    struct Additional {
        thinking: Thinking<'de> = "thinking",
        reasoning: Thinking<'de> = "reasoning_config",
        effort: Text<'de> = "reasoning_effort",
    }
}

lenient_object! {
    /// What Converse says of the output.
    struct Output {
        effort: Text<'de> = "effort",
        format: Thinking<'de> = "textFormat",
    }
}

lenient_object! {
    /// A message of Converse's or of Ollama's.
    struct Message {
        role: Text<'de> = "role",
        content: Raw<'de> = "content",
        calls: Raw<'de> = "tool_calls",
        images: List<Raw<'de>> = "images",
    }
}

lenient_object! {
    /// A block of a message.
    struct Block {
        text: Raw<'de> = "text",
        image: Raw<'de> = "image",
        document: Raw<'de> = "document",
        audio: Raw<'de> = "audio",
        call: Raw<'de> = "toolUse",
        result: ToolResult<'de> = "toolResult",
    }
}

lenient_object! {
    /// What a tool gave back.
    struct ToolResult {
        id: Text<'de> = "toolUseId",
        content: Raw<'de> = "content",
    }
}

impl<'a> Counter<'a, '_> {
    /// A body of Gemini's, of whichever of its calls.
    pub(super) fn gemini(&mut self, top: &Top<'a>) {
        let config: Config<'_> = reread(top.generationConfig.or(top.generation_config));
        self.generation(&config);
        let facts = &mut self.reading.facts;
        facts.reasoning_effort = effort(&config.thinking);
        facts.response_format = match config.media.as_str() {
            "" | "text/plain" => None,
            _ if config.schema.or(config.json_schema).is_some() => Some(Name::from("json_schema")),
            _ => Some(Name::from("json_object")),
        };
        if let Some(tools) = top.tools {
            let tools = reread::<List<Offered<'_>>>(Some(tools)).0;
            let count: usize = tools
                .iter()
                .map(|tool| (tool.functions.0.len() + tool.functions_snake.0.len()).max(1))
                .sum();
            facts.tools = Some(clip(count as u64));
        }
        // A cache is one account's.
        self.reading.bound_to_account |= [top.cachedContent, top.cached_content]
            .into_iter()
            .flatten()
            .any(|raw| raw.get() != "null");
        self.turn(top.systemInstruction.or(top.system_instruction), true);
        let turns = reread::<List<Raw<'a>>>(top.contents).0;
        if top.contents.is_some() {
            self.reading.facts.messages = Some(clip(turns.len() as u64));
        }
        for turn in turns {
            self.turn(turn, false);
        }
        self.turn(top.content, false);
        // Of several texts to be embedded.
        for request in reread::<List<Embed<'a>>>(top.requests).0 {
            self.turn(request.content, false);
        }
    }

    /// A turn of Gemini's; one without a role is the user's.
    fn turn(&mut self, raw: Raw<'a>, system: bool) {
        let Some(raw) = raw.filter(|raw| raw.get() != "null") else {
            return;
        };
        let content: Content<'a> = reread(Some(raw));
        let user = !system && matches!(content.role.as_str(), "" | "user");
        let place = self.place(system, user);
        let parts = reread::<List<Part<'a>>>(content.parts).0;
        let mut results_only = !parts.is_empty();
        for part in &parts {
            results_only &= part.result.is_some();
            for media in [&part.data, &part.data_snake, &part.file, &part.file_snake] {
                self.media(media);
            }
            if let Some(text) = part.text {
                self.text(text, place);
            }
            for raw in [part.call, part.result].into_iter().flatten() {
                self.text_bytes += raw.get().len() as u64;
            }
        }
        self.close_turn(user && !results_only);
    }

    fn media(&mut self, media: &Media<'_>) {
        let facts = &mut self.reading.facts;
        let kinds = [media.kind.as_str(), media.kind_snake.as_str()];
        for kind in kinds.into_iter().filter(|kind| !kind.is_empty()) {
            match kind.split('/').next() {
                Some("image" | "video") => facts.image = true,
                Some("audio") => facts.audio = true,
                _ => facts.document = true,
            }
        }
    }

    /// A body of Converse's, or one of a model at Bedrock that has its words.
    pub(super) fn converse(&mut self, top: &Top<'a>) {
        self.generation(&reread(top.inferenceConfig));
        let additional: Additional<'_> = reread(top.additionalModelRequestFields);
        let output: Output<'_> = reread(top.outputConfig);
        let facts = &mut self.reading.facts;
        let kinds = [&additional.thinking, &additional.reasoning];
        let said = [&output.effort, &additional.effort].into_iter();
        let said = said.chain(kinds.map(|thinking| &thinking.kind));
        let mut said = said.filter_map(|text| short(text, 16));
        facts.reasoning_effort = said.next().or(facts.reasoning_effort.take());
        let format = short(&output.format.kind, 24);
        facts.response_format = format.or(facts.response_format.take());
        if let Some(raw) = top.toolConfig {
            let tools = reread::<Offered<'a>>(Some(raw)).tools;
            let count = reread::<List<Raw<'_>>>(tools).0.len();
            facts.tools = Some(clip(count as u64));
            self.text_bytes += raw.get().len() as u64;
            self.fix(raw);
        }
        self.system(top.system);
        for message in self.all_messages(top.messages) {
            self.converse_message(&message);
        }
    }

    fn converse_message(&mut self, message: &Message<'a>) {
        let user = message.role.as_str() == "user";
        let place = self.place(false, user);
        let blocks = reread::<List<Block<'a>>>(message.content).0;
        let mut results_only = !blocks.is_empty();
        for block in &blocks {
            let is_result = block.result.content.is_some() || !block.result.id.as_str().is_empty();
            results_only &= is_result;
            self.block(block, place);
            for inner in reread::<List<Block<'a>>>(block.result.content).0 {
                self.block(&inner, Place::Later);
            }
        }
        self.close_turn(user && !results_only);
    }

    fn block(&mut self, block: &Block<'a>, place: Place) {
        let facts = &mut self.reading.facts;
        facts.image |= block.image.is_some();
        facts.document |= block.document.is_some();
        facts.audio |= block.audio.is_some();
        if let Some(text) = block.text {
            self.text(text, place);
        }
        if let Some(call) = block.call {
            self.text_bytes += call.get().len() as u64;
        }
    }

    /// A body for Bedrock to hand on: in the words of Claude or of Nova, or a prompt.
    pub(super) fn invoke(&mut self, top: &Top<'a>) {
        let config: Config<'_> = reread(top.inferenceConfig);
        self.generation(&config);
        let facts = &mut self.reading.facts;
        let max = reread::<Count>(top.max_gen_len).0;
        facts.max_tokens = facts.max_tokens.or(max);
        self.system(top.system);
        self.messages(top.messages);
        for prompt in [top.prompt, top.inputText].into_iter().flatten() {
            self.text(prompt, Place::Opening);
        }
    }

    /// A body of Ollama's own.
    pub(super) fn ollama(&mut self, top: &Top<'a>) {
        self.generation(&reread(top.options));
        let facts = &mut self.reading.facts;
        facts.reasoning_effort = match top.think.map(RawJson::get) {
            Some("true") => Some(Name::from("enabled")),
            Some("false") => Some(Name::from("none")),
            _ => short(&reread(top.think), 16),
        };
        facts.response_format = match top.format.map(RawJson::get) {
            Some("\"json\"") => Some(Name::from("json_object")),
            Some(schema) if schema.starts_with('{') => Some(Name::from("json_schema")),
            _ => None,
        };
        facts.image |= !reread::<List<Raw<'_>>>(top.images).0.is_empty();
        self.system(top.system);
        if let Some(prompt) = top.prompt {
            self.text(prompt, Place::Opening);
            self.close_turn(true);
        }
        for message in self.all_messages(top.messages) {
            let (user, system) = (
                message.role.as_str() == "user",
                message.role.as_str() == "system",
            );
            let place = self.place(system, user);
            self.reading.facts.image |= !message.images.0.is_empty();
            if let Some(content) = message.content {
                self.text(content, place);
            }
            if let Some(calls) = message.calls {
                self.text_bytes += calls.get().len() as u64;
            }
            self.close_turn(user);
        }
        // Asked for nothing, it takes the model into memory, or out of it: that is no answer's time.
        let nothing = self.reading.facts.messages.unwrap_or(0) == 0 && self.text_bytes == 0;
        self.reading.facts.background |= nothing && !self.reading.facts.image;
    }

    fn all_messages(&mut self, raw: Raw<'a>) -> Vec<Message<'a>> {
        let messages = reread::<List<Message<'a>>>(raw).0;
        if raw.is_some() {
            self.reading.facts.messages = Some(clip(messages.len() as u64));
        }
        messages
    }

    fn generation(&mut self, config: &Config<'_>) {
        let facts = &mut self.reading.facts;
        let limits = [
            config.max,
            config.max_snake,
            config.max_tokens,
            config.max_new_tokens,
            config.num_predict,
        ];
        let limit = limits.into_iter().find_map(|limit| limit.0);
        facts.max_tokens = limit.or(facts.max_tokens);
        facts.choices = config.candidates.0.map(clip).or(facts.choices);
    }

    /// Ends a message; one that a person said begins a turn.
    fn close_turn(&mut self, said: bool) {
        if said {
            self.prefix_closed = true;
            self.reading.turn = self.reading.turn.saturating_add(1);
        }
    }
}

lenient_object! {
    /// One text of several that are to be embedded.
    struct Embed {
        content: Raw<'de> = "content",
    }
}

/// How much Gemini is to think: its level, or whether it has a budget at all.
fn effort(thinking: &Thinking<'_>) -> Option<Name> {
    let level = thinking.level.as_str().to_ascii_lowercase();
    if !level.is_empty() && level.len() <= 16 {
        return Some(Name::from(level));
    }
    thinking.budget.map(|budget| {
        Name::from(if budget.get() == "0" {
            "none"
        } else {
            "enabled"
        })
    })
}
