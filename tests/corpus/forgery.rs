//! Requests that try to choose where they, or our keys, go.

use super::case::{Case, PASS, Step, Want, case, json, steps};
use super::judge::family;
use super::world::Setup;

/// A chat by model name alone.
const CHAT: &str = "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n\
    Content-Type: application/json\r\nAuthorization: Bearer sk-CANARY-CLIENT\r\n";

fn by_model(name: &'static str, body: &'static str, want: Want, note: &'static str) -> Case {
    steps(name, vec![Step::Sized(CHAT, body)], vec![want], note)
}

#[rustfmt::skip]
pub(crate) fn cases() -> Vec<Case> {
    vec![
        json("body-base-url", "{\"model\":\"m\",\"base_url\":\"http://127.0.0.1:{canary}/v1\"}", PASS, "CVE-2024-6587").target("/raw/v1/chat/completions"),
        json("body-api-base", "{\"model\":\"m\",\"api_base\":\"http://127.0.0.1:{canary}\",\"custom_llm_provider\":\"openai\"}", PASS, "CVE-2024-6587"),
        json("body-api-key", "{\"model\":\"m\",\"api_key\":\"sk-x\",\"headers\":{\"Authorization\":\"x\"},\"extra_headers\":{\"x\":\"y\"}}", PASS, "LiteLLM").sees("authorization", "Bearer sk-CANARY-CLIENT"),
        json("body-user-config", "{\"model\":\"m\",\"user_config\":{\"model_list\":[{\"api_base\":\"http://127.0.0.1:{canary}\"}]},\"fallbacks\":[\"keyed/m\"]}", PASS, "LiteLLM").target("/raw/v1/chat/completions"),
        json("body-image-url", "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":{\"url\":\"http://127.0.0.1:{canary}/a.png\"}}]}]}", PASS, "not ours to fetch"),
        by_model("keyed-base-url", "{\"model\":\"keyed/m\",\"base_url\":\"http://127.0.0.1:{canary}/v1\",\"api_base\":\"http://127.0.0.1:{canary}\"}", PASS, "CVE-2024-6587: with a key of ours").target("/keyed/v1/chat/completions"),
        by_model("model-is-a-url", "{\"model\":\"http://127.0.0.1:{canary}/v1\"}", Want::Own(404, "model_not_found"), "a name is a name").says("providers: sim, raw"),
        by_model("model-is-a-path", "{\"model\":\"keyed//127.0.0.1:{canary}/m\"}", PASS, "a name is a name").target("/keyed/v1/chat/completions").body("{\"model\":\"/127.0.0.1:{canary}/m\"}"),
        by_model("model-unknown", "{\"model\":\"nobodys\"}", Want::Own(404, "model_not_found"), "design 2: 404 lists what there is").says("providers: sim, raw, claude, keyed, own; models: routed").says("\"param\":\"model\""),
        by_model("model-none", "{\"messages\":[]}", Want::Own(404, "no_provider"), "design 2"),
        by_model("model-provider-unknown", "{\"model\":\"evil/m\"}", Want::Own(404, "model_not_found"), "design 2"),
        by_model("model-provider-alone", "{\"model\":\"keyed/\"}", Want::Own(404, "model_not_found"), "no model is named"),
        case("query-base-url", "POST /raw/v1/chat/completions?base_url=http://127.0.0.1:{canary}&api_key=x HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {LEN}\r\n\r\n{CHAT}", PASS, "a query is the provider's"),
        case("header-base-url", "{POST}X-Base-Url: http://127.0.0.1:{canary}\r\nX-Api-Base: http://127.0.0.1:{canary}\r\nX-Portkey-Custom-Host: http://127.0.0.1:{canary}\r\nHelicone-Target-Url: http://127.0.0.1:{canary}\r\nContent-Length: {LEN}\r\n\r\n{CHAT}", PASS, "headers of other gateways").target("/raw/v1/chat/completions"),
        case("header-rewrite", "{POST}X-Original-URL: /keyed/v1/files\r\nX-Rewrite-URL: /keyed/v1/files\r\nContent-Length: {LEN}\r\n\r\n{CHAT}", PASS, "headers of other servers").target("/raw/v1/chat/completions"),
        case("route-unknown", "{POST}X-Tollgate-Route: evil/m\r\nContent-Length: {LEN}\r\n\r\n{CHAT}", Want::Own(400, "unknown_route"), "design 2").says("providers: sim"),
        case("route-is-a-url", "{POST}X-Tollgate-Route: http://127.0.0.1:{canary}/v1\r\nContent-Length: {LEN}\r\n\r\n{CHAT}", Want::Own(400, "unknown_route"), "a name is a name"),
        case("route-keyed", "{POST}X-Tollgate-Route: keyed\r\nContent-Length: {LEN}\r\n\r\n{CHAT}", PASS, "design 2").target("/keyed/v1/chat/completions").sees("authorization", "Bearer sk-CANARY-KEYED"),
        case("route-high-bytes", "{POST}X-Tollgate-Route: {xff}\r\nContent-Length: {LEN}\r\n\r\n{CHAT}", Want::Own(400, "unknown_route"), "no name"),
        case("policy-unknown", "{POST}X-Tollgate-Policy: evil\r\nContent-Length: {LEN}\r\n\r\n{CHAT}", Want::Own(400, "unknown_policy"), "design 2"),
        case("path-without-provider", "GET /v1/files HTTP/1.1\r\nHost: localhost\r\n\r\n", Want::Own(404, "no_provider"), "design 2: 404 lists what there is").says("providers: sim"),
        case("host-header-target", "GET /raw/v1/files HTTP/1.1\r\nHost: 127.0.0.1:{canary}\r\n\r\n", PASS, "another port of ours chooses nothing").target("/raw/v1/files"),
    ]
}

#[test]
fn only_the_config_says_where_requests_go() {
    family(Setup::default(), &cases());
}
