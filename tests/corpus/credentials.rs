//! Whose key goes where: a client's only where the client said, ours only where the config says.

use super::case::{Case, PASS, Step, Want, case, steps};
use super::judge::family;
use super::world::Setup;

const NONE: Want = Want::Own(401, "no_credential");
const TOKEN: Want = Want::Own(401, "invalid_api_key");

#[rustfmt::skip]
pub(crate) fn cases() -> Vec<Case> {
    vec![
        case("base-url", "GET /raw/v1/files HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer sk-CANARY-CLIENT\r\n\r\n", PASS, "addressed by base URL").sees("authorization", "Bearer sk-CANARY-CLIENT"),
        case("base-url-scheme-untouched", "GET /raw/v1/files HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic Q0FOQVJZ\r\n\r\n", PASS, "verbatim").sees("authorization", "Basic Q0FOQVJZ"),
        case("base-url-none", "GET /raw/v1/files HTTP/1.1\r\nHost: localhost\r\n\r\n", PASS, "the provider's to judge").never_sees("authorization"),
        case("base-url-keyed", "GET /keyed/v1/files HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer sk-CANARY-CLIENT\r\nX-Api-Key: sk-CANARY-CLIENT\r\nApi-Key: sk-CANARY-CLIENT\r\n\r\n", PASS, "the configured key replaces the client's").sees("authorization", "Bearer sk-CANARY-KEYED").never_sees("x-api-key").never_sees("api-key"),
        case("both-to-openai", "GET /raw/v1/files HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer sk-CANARY-CLIENT\r\nX-Api-Key: sk-CANARY-OTHER\r\n\r\n", PASS, "the dialect's one").sees("authorization", "Bearer sk-CANARY-CLIENT").never_sees("x-api-key"),
        case("both-to-anthropic", "GET /claude/v1/files HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer sk-CANARY-OTHER\r\nX-Api-Key: sk-CANARY-CLIENT\r\n\r\n", PASS, "the dialect's one").sees("x-api-key", "sk-CANARY-CLIENT").never_sees("authorization"),
        case("bearer-to-anthropic", "GET /claude/v1/files HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer sk-CANARY-CLIENT\r\n\r\n", PASS, "OAuth tokens come so").sees("authorization", "Bearer sk-CANARY-CLIENT"),
        case("messages-to-anthropic", "POST /claude/v1/messages HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nX-Api-Key: sk-CANARY-CLIENT\r\nContent-Length: {LEN}\r\n\r\n{CHAT}", PASS, "its own endpoint").target("/claude/v1/messages").endpoint("/v1/messages"),
        case("authorization-twice", "GET /raw/v1/files HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer sk-CANARY-CLIENT\r\nAuthorization: Bearer sk-CANARY-OTHER\r\n\r\n", PASS, "one leaves, not two").sees("authorization", "Bearer sk-CANARY-CLIENT"),
        case("google-key-stays", "GET /raw/v1/files HTTP/1.1\r\nHost: localhost\r\nX-Goog-Api-Key: sk-CANARY-CLIENT\r\n\r\n", PASS, "another family's").never_sees("x-goog-api-key").never_sees("authorization"),
        steps("model-prefix", vec![Step::Sized("POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nAuthorization: Bearer sk-CANARY-CLIENT\r\n", "{\"model\":\"raw/m\"}")], vec![PASS], "addressed by provider/model").sees("authorization", "Bearer sk-CANARY-CLIENT").body("{\"model\":\"m\"}"),
        steps("model-home", vec![Step::Sized("POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nAuthorization: Bearer sk-CANARY-CLIENT\r\n", "{\"model\":\"own-1\"}")], vec![PASS], "a bare model's home").target("/own/v1/chat/completions").sees("authorization", "Bearer sk-CANARY-CLIENT"),
        steps("model-home-keyed", vec![Step::Sized("POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nAuthorization: Bearer sk-CANARY-CLIENT\r\n", "{\"model\":\"keyed-1\"}")], vec![PASS], "the configured key").sees("authorization", "Bearer sk-CANARY-KEYED"),
        steps("model-routed", vec![Step::Sized("POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nAuthorization: Bearer sk-CANARY-CLIENT\r\n", "{\"model\":\"routed\"}")], vec![PASS], "design 2: a route without a key of its own is no candidate").target("/keyed/v1/chat/completions").sees("authorization", "Bearer sk-CANARY-KEYED"),
        case("pinned-without-key", "{POST}X-Tollgate-Route: own/m\r\nContent-Length: {LEN}\r\n\r\n{CHAT}", NONE, "a header pins a route, it addresses nobody"),
        case("key-in-the-answer", "GET /keyed/v1/files HTTP/1.1\r\nHost: localhost\r\n\r\n", PASS, "nor does it come back").hides("sk-CANARY").hides("set-cookie"),
        case("token-where-none-is-asked-for", "GET /raw/v1/files HTTP/1.1\r\nHost: localhost\r\nX-Tollgate-Token: x\r\n\r\n", PASS, "ignored").never_sees("x-tollgate-token"),
    ]
}

/// With a token of our own.
#[rustfmt::skip]
pub(crate) fn token_cases() -> Vec<Case> {
    vec![
        case("none", "GET /raw/v1/files HTTP/1.1\r\nHost: localhost\r\n\r\n", TOKEN, "server.token"),
        case("wrong", "GET /raw/v1/files HTTP/1.1\r\nHost: localhost\r\nX-Tollgate-Token: CANARY-token-of-the-corpuS\r\n\r\n", TOKEN, "server.token"),
        case("prefix", "GET /raw/v1/files HTTP/1.1\r\nHost: localhost\r\nX-Tollgate-Token: CANARY-token\r\n\r\n", TOKEN, "server.token"),
        case("longer", "GET /raw/v1/files HTTP/1.1\r\nHost: localhost\r\nX-Tollgate-Token: CANARY-token-of-the-corpus2\r\n\r\n", TOKEN, "server.token"),
        case("empty", "GET /raw/v1/files HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer \r\n\r\n", TOKEN, "server.token"),
        case("in-the-query", "GET /raw/v1/files?token=CANARY-token-of-the-corpus HTTP/1.1\r\nHost: localhost\r\n\r\n", TOKEN, "queries end up in logs"),
        case("in-a-cookie", "GET /raw/v1/files HTTP/1.1\r\nHost: localhost\r\nCookie: x-tollgate-token=CANARY-token-of-the-corpus\r\n\r\n", TOKEN, "browsers send cookies for everybody"),
        case("unknown-path-says-nothing", "GET /nowhere HTTP/1.1\r\nHost: localhost\r\n\r\n", TOKEN, "strangers learn no names").hides("providers"),
        case("bad-json-says-nothing", "{POST}Content-Length: 1\r\n\r\nx", TOKEN, "strangers come before bodies"),
        case("own-header", "GET /raw/v1/files HTTP/1.1\r\nHost: localhost\r\nX-Tollgate-Token: CANARY-token-of-the-corpus\r\nAuthorization: Bearer sk-CANARY-CLIENT\r\n\r\n", PASS, "server.token; the client's key goes on").sees("authorization", "Bearer sk-CANARY-CLIENT").never_sees("x-tollgate-token"),
        case("as-api-key", "GET /keyed/v1/files HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer CANARY-token-of-the-corpus\r\n\r\n", PASS, "server.token").sees("authorization", "Bearer sk-CANARY-KEYED"),
        case("as-api-key-lower-case-scheme", "GET /keyed/v1/files HTTP/1.1\r\nHost: localhost\r\nAuthorization: bearer  CANARY-token-of-the-corpus\r\n\r\n", PASS, "RFC 9110 11.1: schemes ignore case"),
        case("as-x-api-key", "GET /keyed/v1/files HTTP/1.1\r\nHost: localhost\r\nX-Api-Key: CANARY-token-of-the-corpus\r\n\r\n", PASS, "server.token"),
        case("as-api-key-to-a-provider-without-one", "GET /raw/v1/files HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer CANARY-token-of-the-corpus\r\n\r\n", PASS, "our token is no provider's key").never_sees("authorization"),
        case("as-bearer-with-a-key-beside-it", "GET /claude/v1/files HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer CANARY-token-of-the-corpus\r\nX-Api-Key: sk-CANARY-CLIENT\r\n\r\n", PASS, "our token is no provider's key").never_sees("authorization").sees("x-api-key", "sk-CANARY-CLIENT"),
        case("as-x-api-key-with-a-bearer-beside-it", "GET /claude/v1/files HTTP/1.1\r\nHost: localhost\r\nX-Api-Key: CANARY-token-of-the-corpus\r\nAuthorization: Bearer sk-CANARY-CLIENT\r\n\r\n", PASS, "our token is no provider's key").never_sees("x-api-key").sees("authorization", "Bearer sk-CANARY-CLIENT"),
        case("evil-host-first", "GET /raw/v1/files HTTP/1.1\r\nHost: evil.test\r\nX-Tollgate-Token: CANARY-token-of-the-corpus\r\n\r\n", Want::Own(421, "host_not_allowed"), "a token does not make a page ours"),
        case("preflight", "OPTIONS /raw/v1/files HTTP/1.1\r\nHost: localhost\r\nOrigin: https://app.test\r\nAccess-Control-Request-Method: GET\r\n\r\n", Want::Made(204), "Fetch 4.8: preflights carry no credential").records(&[]),
        case("options-is-no-preflight", "OPTIONS /raw/v1/files HTTP/1.1\r\nHost: localhost\r\nAccess-Control-Request-Method: GET\r\n\r\n", TOKEN, "without an origin it is a request like any other"),
    ]
}

#[test]
fn keys_go_where_they_belong() {
    family(Setup::default(), &cases());
}

#[test]
fn a_token_is_asked_for_and_stays_here() {
    let setup = Setup {
        server: "token = \"CANARY-token-of-the-corpus\"",
        ..Setup::default()
    };
    family(setup, &token_cases());
}
