//! Names the headers by which each provider tells who answered, and what.

use crate::record::Language;

use super::endpoints::Cloud;
use super::exchange::Exchange;
use super::quirks::RateHeaders;

impl Exchange<'_> {
    /// The headers of every answer that do not hang on its kind.
    pub(super) fn named_headers(&self) -> Vec<(String, String)> {
        let id = format!("req_sim-{}", self.tail);
        let style = self.persona.quirks.rate_headers;
        let mut headers = Vec::with_capacity(12);
        let mut put = |name: &str, value: &str| headers.push((name.to_owned(), value.to_owned()));
        match self.address.endpoint.language() {
            Language::BedrockConverse | Language::BedrockInvoke => put("x-amzn-requestid", &id),
            Language::GeminiGenerate => {
                put("x-request-id", &id);
                put("server-timing", "gfet4t7; dur=7");
            }
            _ if style == RateHeaders::Anthropic => put("request-id", &id),
            _ => put("x-request-id", &id),
        }
        let azure = self.address.cloud == Cloud::Azure || &*self.persona.quirks.owner == "azure";
        if azure {
            put("apim-request-id", &id);
            put("x-ms-region", "Sweden Central");
            put("azureml-model-session", "sim");
        } else if style == RateHeaders::Durations && !self.manner().native {
            put("openai-processing-ms", "7");
            put("openai-version", "2020-10-01");
        }
        headers
    }
}
