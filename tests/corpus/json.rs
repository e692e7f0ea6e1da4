//! Bodies of inference requests: what is no JSON, what has two meanings, and what is too deep.

use super::case::{Case, PASS, Want, json};
use super::judge::family;
use super::world::Setup;

const BAD: Want = Want::Own(400, "invalid_request");

#[rustfmt::skip]
pub(crate) fn cases() -> Vec<Case> {
    let mut cases = grammar();
    cases.extend(meaning());
    cases
}

#[rustfmt::skip]
fn grammar() -> Vec<Case> {
    vec![
        json("plain", "{CHAT}", PASS, "passes verbatim").body("{CHAT}"),
        json("spaced", " \r\n\t{CHAT}\n ", PASS, "RFC 8259 2: passes verbatim").body(" \r\n\t{CHAT}\n "),
        json("not-json", "hello", BAD, "RFC 8259"),
        json("cut-short", "{\"model\":\"m\",\"messages\":[", BAD, "RFC 8259"),
        json("array", "[{\"model\":\"m\"}]", BAD, "an object is due").says("an array"),
        json("string", "\"CANARY\"", BAD, "an object is due"),
        json("number", "1", BAD, "an object is due"),
        json("null", "null", BAD, "an object is due"),
        json("blanks", " \n ", BAD, "an object is due"),
        json("trailing-object", "{CHAT}{CHAT}", BAD, "two readers, two requests"),
        json("trailing-comma", "{\"model\":\"m\",}", BAD, "RFC 8259 4"),
        json("trailing-bytes", "{CHAT}x", BAD, "RFC 8259 2"),
        json("trailing-nul", "{CHAT}{x00}", BAD, "RFC 8259 2"),
        json("comment", "{\"model\":\"m\" /* CANARY */}", BAD, "RFC 8259"),
        json("single-quotes", "{'model':'m'}", BAD, "RFC 8259 7"),
        json("byte-order-mark", "{xef}{xbb}{xbf}{CHAT}", BAD, "RFC 8259 8.1: must not be added"),
        json("utf-16", "{xff}{xfe}{x7b}{x00}{x7d}{x00}", BAD, "RFC 8259 8.1"),
        json("utf-8-broken", "{\"model\":\"m\",\"a\":\"{xff}{xfe}\"}", BAD, "RFC 8259 8.1").says("utf-8"),
        json("utf-8-overlong", "{\"model\":\"m\",\"a\":\"{xc0}{xaf}\"}", BAD, "RFC 3629 3"),
        json("utf-8-surrogate", "{\"model\":\"m\",\"a\":\"{xed}{xa0}{x80}\"}", BAD, "RFC 3629 3"),
        json("lone-surrogate-in-prompt", "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"\\ud800\"}]}", PASS, "RFC 8259 8.2: the provider's to judge").body("{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"\\ud800\"}]}"),
        json("lone-surrogate-in-model", "{\"model\":\"\\ud800\"}", BAD, "no name"),
        json("lone-surrogate-in-key", "{\"model\":\"m\",\"\\udfff\":1}", BAD, "RFC 8259 8.2: no reader agrees on it"),
        json("control-in-string", "{\"model\":\"m\",\"a\":\"x\ny\"}", BAD, "RFC 8259 7"),
        json("escape-unknown", "{\"model\":\"m\",\"a\":\"\\x\"}", BAD, "RFC 8259 7"),
        json("number-huge", "{\"model\":\"m\",\"temperature\":1e999}", PASS, "RFC 8259 6: the provider's to judge"),
        json("number-tiny", "{\"model\":\"m\",\"temperature\":-1e-999999,\"seed\":123456789012345678901234567890}", PASS, "RFC 8259 6"),
        json("number-n", "{\"model\":\"m\",\"n\":1e999,\"max_tokens\":-5}", PASS, "RFC 8259 6"),
        json("number-nan", "{\"model\":\"m\",\"temperature\":NaN}", BAD, "RFC 8259 6"),
        json("number-leading-zero", "{\"model\":\"m\",\"n\":01}", BAD, "RFC 8259 6"),
        json("number-plus", "{\"model\":\"m\",\"n\":+1}", BAD, "RFC 8259 6"),
        json("depth-128", "{\"model\":\"m\",\"a\":{repeat 127 [}{repeat 127 ]}}", PASS, "limits.json_depth"),
        json("depth-129", "{\"model\":\"m\",\"a\":{repeat 128 [}{repeat 128 ]}}", BAD, "limits.json_depth").says("128 levels"),
        json("depth-objects", "{\"model\":\"m\",\"a\":{repeat 200 {\"a\":}1{repeat 200 \u{7d}}}", BAD, "limits.json_depth"),
        json("depth-open-only", "{\"model\":\"m\",\"a\":{repeat 100000 [}", BAD, "no recursion"),
        json("brackets-10-mb", "{repeat 10000000 [}", BAD, "reliability 1.1: no amplification"),
        json("brackets-10-mb-inside", "{\"a\":{repeat 10000000 [}", BAD, "reliability 1.1"),
        json("brackets-in-a-string", "{\"model\":\"m\",\"a\":\"{repeat 10000 [}\"}", PASS, "text is no structure"),
        json("keys-100000", "{\"model\":\"m\"{repeat 100000 ,\"a\":1}}", PASS, "only three keys must be single"),
    ]
}

#[rustfmt::skip]
fn meaning() -> Vec<Case> {
    vec![
        json("model-twice", "{\"model\":\"m\",\"model\":\"n\"}", BAD, "LiteLLM: one checked, another used").says("\"param\":\"model\""),
        json("model-twice-same", "{\"model\":\"m\",\"model\":\"m\"}", BAD, "one is enough"),
        json("model-twice-escaped", "{\"model\":\"m\",\"mod\\u0065l\":\"n\"}", BAD, "the same key to every reader"),
        json("stream-twice", "{\"model\":\"m\",\"stream\":true,\"stream\":false}", BAD, "two readers, two answers").says("\"param\":\"stream\""),
        json("stream-options-twice", "{\"model\":\"m\",\"stream\":true,\"stream_options\":{},\"stream_options\":{\"include_usage\":true}}", BAD, "two readers, two answers").says("stream_options"),
        json("model-twice-inside", "{\"model\":\"m\",\"metadata\":{\"model\":\"a\",\"model\":\"b\"}}", PASS, "only the top level decides"),
        json("model-upper-case", "{\"model\":\"m\",\"Model\":\"n\",\"MODEL\":\"o\"}", PASS, "other keys; the provider's to judge"),
        json("model-number", "{\"model\":7}", BAD, "a name is due").says("\"param\":\"model\""),
        json("model-array", "{\"model\":[\"m\"]}", BAD, "a name is due"),
        json("model-null", "{\"model\":null}", BAD, "a name is due"),
        json("model-empty", "{\"model\":\"\"}", BAD, "a name is due"),
        json("model-256", "{\"model\":\"{repeat 256 a}\"}", PASS, "the longest name"),
        json("model-257", "{\"model\":\"{repeat 257 a}\"}", BAD, "longer than the longest name"),
        json("model-dots", "{\"model\":\"../../admin\"}", BAD, "names end up in paths"),
        json("model-nul", "{\"model\":\"m\\u0000\"}", BAD, "reliability 4.1: charset"),
        json("model-line-end", "{\"model\":\"m\\r\\nX: y\"}", BAD, "reliability E10"),
        json("model-ansi", "{\"model\":\"\\u001b[31mCANARY\"}", BAD, "reliability E10"),
        json("model-markup", "{\"model\":\"<img src=x onerror=alert(1)>\"}", BAD, "reliability 3.9"),
        json("model-formula", "{\"model\":\"=cmd|' /C calc'!A0\"}", BAD, "reliability 3.9"),
        json("model-bidi", "{\"model\":\"a\\u202eb\"}", BAD, "reliability 3.9"),
        json("model-1-mb", "{\"model\":\"{repeat 1000000 a}\"}", BAD, "reliability 3.9"),
        json("model-proto", "{\"model\":\"__proto__\"}", PASS, "a name like any other"),
        json("model-missing", "{\"messages\":[]}", PASS, "addressed by base URL: the provider's to judge"),
        json("stream-text", "{\"model\":\"m\",\"stream\":\"true\"}", BAD, "neither true nor false").says("\"param\":\"stream\""),
        json("stream-number", "{\"model\":\"m\",\"stream\":1}", BAD, "neither true nor false"),
        json("stream-null", "{\"model\":\"m\",\"stream\":null}", PASS, "OpenAI's own description allows it"),
        json("stream-options-text", "{\"model\":\"m\",\"stream\":true,\"stream_options\":\"x\"}", BAD, "an object is due"),
        json("messages-odd", "{\"model\":\"m\",\"messages\":{\"a\":[null,1,\"x\"]},\"tools\":7,\"n\":\"many\"}", PASS, "what is not ours to know passes"),
    ]
}

#[test]
fn bodies_have_one_meaning() {
    family(Setup::default(), &cases());
}
