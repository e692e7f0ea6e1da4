//! Names the languages that endpoints speak.

use super::named::named;

named! {
    /// An endpoint's language: what the bytes of its request and response mean.
    Language {
        /// OpenAI chat completions.
        OpenAiChat = "openai-chat",
        /// OpenAI's older completions.
        OpenAiCompletions = "openai-completions",
        /// OpenAI responses.
        OpenAiResponses = "openai-responses",
        /// OpenAI embeddings.
        OpenAiEmbeddings = "openai-embeddings",
        /// Anthropic messages.
        AnthropicMessages = "anthropic-messages",
        /// Anthropic's token count.
        AnthropicCountTokens = "anthropic-count-tokens",
        /// Gemini `generateContent`.
        GeminiGenerate = "gemini-generate",
        /// Bedrock Converse.
        BedrockConverse = "bedrock-converse",
        /// Bedrock `InvokeModel`.
        BedrockInvoke = "bedrock-invoke",
        /// A model list.
        Models = "models",
        /// Any other path: passed through, timed as a whole.
        Plain = "plain",
        /// Ollama's own chat and completion.
        OllamaNative = "ollama-native",
        /// Gemini `countTokens`.
        GeminiCountTokens = "gemini-count-tokens",
        /// Gemini `embedContent` and `batchEmbedContents`.
        GeminiEmbed = "gemini-embed",
        /// Bedrock's token count.
        BedrockCountTokens = "bedrock-count-tokens",
    }
}

impl Language {
    /// Whether the endpoint runs a model on a JSON body that intake reads.
    #[must_use]
    pub const fn is_inference(self) -> bool {
        !matches!(self, Self::Models | Self::Plain)
    }

    /// Whether answers consist of generated tokens.
    #[must_use]
    pub const fn generates(self) -> bool {
        self.is_inference()
            && !self.counts_tokens()
            && !matches!(self, Self::OpenAiEmbeddings | Self::GeminiEmbed)
    }

    /// Whether it is one of Bedrock's own.
    #[must_use]
    pub const fn is_bedrock(self) -> bool {
        matches!(
            self,
            Self::BedrockConverse | Self::BedrockInvoke | Self::BedrockCountTokens
        )
    }

    /// Whether the endpoint counts the tokens of a request, which runs no model.
    #[must_use]
    pub const fn counts_tokens(self) -> bool {
        matches!(
            self,
            Self::AnthropicCountTokens | Self::GeminiCountTokens | Self::BedrockCountTokens
        )
    }
}
