//! Where a request ends: lengths, codings, chunks and line ends that two readers could take in two
//! ways.

use tollgate::record::Outcome;

use super::case::{Case, LIBRARY_400, PASS, Step, Want, case, steps};
use super::judge::family;
use super::world::Setup;

/// Chunks that cannot be read.
const BROKEN: Want = Want::Own(400, "request_body");
/// The client has gone in the middle: whoever reads on sees this.
const INCOMPLETE: Want = Want::Own(400, "request_incomplete");
const CODING: Want = Want::Own(501, "transfer_coding");

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = lengths();
    cases.extend(codings());
    cases.extend(chunks());
    cases.extend(lines());
    cases
}

#[rustfmt::skip]
fn lengths() -> Vec<Case> {
    vec![
        case("length-exact", "{POST}Content-Length: {LEN}\r\n\r\n{CHAT}", PASS, "RFC 9112 6.2")
            .body("{CHAT}").endpoint("/v1/chat/completions"),
        case("length-lower-case-name", "{POST}content-length: {LEN}\r\n\r\n{CHAT}", PASS, "RFC 9110 5.1: names ignore case"),
        case("length-leading-zeros", "{POST}Content-Length: 000{LEN}\r\n\r\n{CHAT}", PASS, "RFC 9110 8.6: 1*DIGIT"),
        case("length-twice-same", "{POST}Content-Length: {LEN}\r\nContent-Length: {LEN}\r\n\r\n{CHAT}", PASS, "RFC 9112 6.3: one may be kept"),
        case("length-twice-different", "{POST}Content-Length: {LEN}\r\nContent-Length: 5\r\n\r\n{CHAT}", LIBRARY_400, "RFC 9112 6.3"),
        case("length-list-same", "{POST}Content-Length: {LEN}, {LEN}\r\n\r\n{CHAT}", LIBRARY_400, "RFC 9112 6.3: may be refused"),
        case("length-list-different", "{POST}Content-Length: {LEN}, 5\r\n\r\n{CHAT}", LIBRARY_400, "RFC 9112 6.3"),
        case("length-negative", "{POST}Content-Length: -1\r\n\r\n{CHAT}", LIBRARY_400, "RFC 9110 8.6"),
        case("length-plus", "{POST}Content-Length: +{LEN}\r\n\r\n{CHAT}", LIBRARY_400, "RFC 9110 8.6: no sign"),
        case("length-hex", "{POST}Content-Length: 0x{HEX}\r\n\r\n{CHAT}", LIBRARY_400, "RFC 9110 8.6: decimal"),
        case("length-empty", "{POST}Content-Length: \r\n\r\n{CHAT}", LIBRARY_400, "CVE-2023-40225"),
        case("length-overflow", "{POST}Content-Length: 18446744073709551621\r\n\r\n{CHAT}", LIBRARY_400, "CVE-2021-40346"),
        case("length-inner-space", "{POST}Content-Length: {LEN} 5\r\n\r\n{CHAT}", LIBRARY_400, "RFC 9110 8.6"),
        case("length-fraction", "{POST}Content-Length: 5.0\r\n\r\n{CHAT}", LIBRARY_400, "RFC 9110 8.6"),
        case("length-missing", "{POST}\r\n", Want::Own(400, "invalid_request"), "RFC 9112 6.3: no body then").says("the body is empty"),
        case("length-zero", "{POST}Content-Length: 0\r\n\r\n", Want::Own(400, "invalid_request"), "RFC 9112 6.3").says("the body is empty"),
        case("length-and-no-body-on-get", "GET /raw/v1/files HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n", PASS, "RFC 9110 9.3.1").endpoint("/v1/files"),
        case("length-and-body-on-get", "GET /raw/v1/files HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello", PASS, "RFC 9110 9.3.1: framed like any other"),
        steps("length-short-then-a-second-request", vec![Step::Write("{POST}Content-Length: 5\r\n\r\nhelloGET /raw/v1/files HTTP/1.1\r\nHost: localhost\r\n\r\n")],
            vec![Want::Own(400, "invalid_request"), PASS], "RFC 9112 6.2: what follows is the next request, to everybody"),
        steps("length-too-long-then-gone", vec![Step::Write("{POST}Content-Length: 500\r\n\r\n{CHAT}"), Step::Finish], vec![INCOMPLETE], "RFC 9112 8: incomplete")
            .closes().gone(),
        steps("length-too-long-then-gone-streamed", vec![Step::Write("POST /raw/v1/files HTTP/1.1\r\nHost: localhost\r\nContent-Length: 500\r\n\r\nhalf"), Step::Pause(50), Step::Finish], vec![BROKEN], "RFC 9112 8: incomplete")
            .closes().may_reach().gone(),
    ]
}

#[rustfmt::skip]
fn codings() -> Vec<Case> {
    const CHUNKED: &str = "{POST}Transfer-Encoding: chunked\r\n\r\n{HEX}\r\n{CHAT}\r\n0\r\n\r\n";
    vec![
        case("chunked", CHUNKED, PASS, "RFC 9112 7.1").body("{CHAT}"),
        case("chunked-name-in-any-case", "{POST}tRANSFER-eNCODING: CHUNKED\r\n\r\n{HEX}\r\n{CHAT}\r\n0\r\n\r\n", PASS, "RFC 9112 7: codings ignore case").body("{CHAT}"),
        case("chunked-then-length", "{POST}Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n{HEX}\r\n{CHAT}\r\n0\r\n\r\n", PASS, "RFC 9112 6.3: the coding wins, then close").body("{CHAT}").closes(),
        case("length-then-chunked", "{POST}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n{HEX}\r\n{CHAT}\r\n0\r\n\r\n", PASS, "RFC 9112 6.3; hyper 1.11 #4123").body("{CHAT}").closes(),
        case("length-then-chunked-streamed", "POST /raw/v1/files HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n{HEX}\r\n{CHAT}\r\n0\r\n\r\n", PASS, "the same where the body is not read").body("{CHAT}").closes(),
        case("length-then-chunked-empty-and-a-second-request", "{POST}Content-Length: 40\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /raw/v1/files HTTP/1.1\r\nHost: localhost\r\n\r\n",
            Want::Own(400, "invalid_request"), "RFC 9112 6.1: what follows may be smuggled, so nobody reads it").closes(),
        case("chunked-streamed", "POST /raw/v1/files HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", PASS, "design 3: other paths stream through").body("abc").sees("transfer-encoding", "chunked").never_sees("content-length"),
        case("length-streamed", "POST /raw/v1/files HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabc", PASS, "design 3: other paths stream through").body("abc").sees("content-length", "3").never_sees("transfer-encoding"),
        case("gzip-chunked", "{POST}Transfer-Encoding: gzip, chunked\r\n\r\n{HEX}\r\n{CHAT}\r\n0\r\n\r\n", CODING, "reliability 4.1"),
        case("chunked-gzip", "{POST}Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n", LIBRARY_400, "RFC 9112 6.3: chunked must be last"),
        case("gzip", "{POST}Transfer-Encoding: gzip\r\n\r\n", LIBRARY_400, "RFC 9112 6.3"),
        case("identity", "{POST}Transfer-Encoding: identity\r\nContent-Length: {LEN}\r\n\r\n{CHAT}", LIBRARY_400, "RFC 9112 7: no such coding any more"),
        case("comma-chunked", "{POST}Transfer-Encoding: ,chunked\r\n\r\n{HEX}\r\n{CHAT}\r\n0\r\n\r\n", CODING, "HTTP Garden: read in two ways"),
        case("chunked-comma", "{POST}Transfer-Encoding: chunked,\r\n\r\n{HEX}\r\n{CHAT}\r\n0\r\n\r\n", LIBRARY_400, "HTTP Garden"),
        case("chunked-chunked", "{POST}Transfer-Encoding: chunked, chunked\r\n\r\n{HEX}\r\n{CHAT}\r\n0\r\n\r\n", CODING, "RFC 9112 6.1: not more than once"),
        case("chunked-in-two-headers", "{POST}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n{HEX}\r\n{CHAT}\r\n0\r\n\r\n", CODING, "RFC 9112 6.1"),
        case("identity-then-chunked", "{POST}Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n\r\n{HEX}\r\n{CHAT}\r\n0\r\n\r\n", CODING, "HTTP Garden"),
        case("chunked-then-identity", "{POST}Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n{HEX}\r\n{CHAT}\r\n0\r\n\r\n", LIBRARY_400, "RFC 9112 6.3"),
        case("xchunked", "{POST}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", LIBRARY_400, "PortSwigger: request smuggling"),
        case("chunked-vertical-tab", "{POST}Transfer-Encoding: \u{b}chunked\r\n\r\n0\r\n\r\n", LIBRARY_400, "PortSwigger"),
        case("chunked-quoted", "{POST}Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n", LIBRARY_400, "PortSwigger"),
        case("chunked-parameter", "{POST}Transfer-Encoding: chunked;a=b\r\n\r\n0\r\n\r\n", LIBRARY_400, "RFC 9112 7"),
        case("coding-empty", "{POST}Transfer-Encoding: \r\nContent-Length: {LEN}\r\n\r\n{CHAT}", LIBRARY_400, "HTTP Garden"),
        case("coding-on-a-get", "GET /raw/v1/files HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", PASS, "RFC 9112 6.1"),
        case("coding-and-body-on-a-get", "GET /raw/v1/files HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", PASS, "RFC 9110 9.3.1: means nothing, and is left out").body(""),
        case("coding-on-a-delete", "DELETE /raw/v1/files/f HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", PASS, "RFC 9112 6.1").body("abc"),
        case("coding-underscore", "{POST}Transfer_Encoding: chunked\r\nContent-Length: {LEN}\r\n\r\n{CHAT}", PASS, "another header; a provider's CGI would take it for the real one").body("{CHAT}").never_sees("transfer_encoding"),
        case("chunked-http10", "POST /raw/v1/chat/completions HTTP/1.0\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n{HEX}\r\n{CHAT}\r\n0\r\n\r\n", LIBRARY_400, "RFC 9112 6.1: no such thing in 1.0"),
        case("length-http10", "POST /raw/v1/chat/completions HTTP/1.0\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {LEN}\r\n\r\n{CHAT}", PASS, "RFC 9112 9.3: closes").body("{CHAT}").closes(),
    ]
}

#[rustfmt::skip]
fn chunks() -> Vec<Case> {
    vec![
        case("chunks-many", "{POST}Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n9\r\n\"model\":\"\r\n3\r\nm\"}\r\n0\r\n\r\n", PASS, "RFC 9112 7.1").body("{\"model\":\"m\"}"),
        case("chunk-size-zeros", "{POST}Transfer-Encoding: chunked\r\n\r\n0000{HEX}\r\n{CHAT}\r\n0000\r\n\r\n", PASS, "RFC 9112 7.1: 1*HEXDIG").body("{CHAT}"),
        case("chunk-extension", "{POST}Transfer-Encoding: chunked\r\n\r\n{HEX};a=b;c=\"d\"\r\n{CHAT}\r\n0;x\r\n\r\n", PASS, "RFC 9112 7.1.1: ignored, and not passed on").body("{CHAT}"),
        case("chunk-extension-nul", "{POST}Transfer-Encoding: chunked\r\n\r\n{HEX};a={x00}\r\n{CHAT}\r\n0\r\n\r\n", PASS, "hyper does not look into extensions; they end here").body("{CHAT}").lenient(),
        case("chunk-extension-bare-lf", "{POST}Transfer-Encoding: chunked\r\n\r\n{HEX};a\nb\r\n{CHAT}\r\n0\r\n\r\n", BROKEN, "HTTP Garden: terminator confusion"),
        case("chunk-extension-20-kb", "{POST}Transfer-Encoding: chunked\r\n\r\n{HEX};{repeat 20000 a}\r\n{CHAT}\r\n0\r\n\r\n", BROKEN, "hyper: 16 KiB of extensions"),
        case("chunk-extensions-endless", "{POST}Transfer-Encoding: chunked\r\n\r\n{repeat 3000 1;aaaaaaaaaaaa\r\n \r\n}0\r\n\r\n", BROKEN, "hyper: 16 KiB of extensions over all chunks"),
        case("chunk-size-hex-prefix", "{POST}Transfer-Encoding: chunked\r\n\r\n0x{HEX}\r\n{CHAT}\r\n0\r\n\r\n", BROKEN, "RFC 9112 7.1"),
        case("chunk-size-plus", "{POST}Transfer-Encoding: chunked\r\n\r\n+{HEX}\r\n{CHAT}\r\n0\r\n\r\n", BROKEN, "RFC 9112 7.1"),
        case("chunk-size-negative", "{POST}Transfer-Encoding: chunked\r\n\r\n-1\r\n{CHAT}\r\n0\r\n\r\n", BROKEN, "RFC 9112 7.1"),
        case("chunk-size-empty", "{POST}Transfer-Encoding: chunked\r\n\r\n\r\n{CHAT}\r\n0\r\n\r\n", BROKEN, "RFC 9112 7.1"),
        case("chunk-size-overflow", "{POST}Transfer-Encoding: chunked\r\n\r\n10000000000000005\r\n{CHAT}\r\n0\r\n\r\n", BROKEN, "RFC 9112 7.1: must not overflow"),
        case("chunk-size-overflow-to-fit", "{POST}Transfer-Encoding: chunked\r\n\r\n1000000000000000000000{HEX}\r\n{CHAT}\r\n0\r\n\r\n", BROKEN, "RFC 9112 7.1"),
        case("chunk-size-underscore", "{POST}Transfer-Encoding: chunked\r\n\r\n1_0\r\n{CHAT}\r\n0\r\n\r\n", BROKEN, "HTTP Garden"),
        case("chunk-size-bare-lf", "{POST}Transfer-Encoding: chunked\r\n\r\n{HEX}\n{CHAT}\r\n0\r\n\r\n", BROKEN, "RFC 9112 2.2 is for heads only"),
        case("chunk-size-bare-cr", "{POST}Transfer-Encoding: chunked\r\n\r\n{HEX}\r{CHAT}\r\n0\r\n\r\n", BROKEN, "RFC 9112 2.2"),
        case("chunk-size-garbage", "{POST}Transfer-Encoding: chunked\r\n\r\n{HEX} x\r\n{CHAT}\r\n0\r\n\r\n", BROKEN, "nginx takes it"),
        case("chunk-size-too-small", "{POST}Transfer-Encoding: chunked\r\n\r\n5\r\n{CHAT}\r\n0\r\n\r\n", BROKEN, "RFC 9112 7.1: CRLF is due"),
        case("chunk-data-without-crlf", "{POST}Transfer-Encoding: chunked\r\n\r\n{HEX}\r\n{CHAT}0\r\n\r\n", BROKEN, "RFC 9112 7.1"),
        case("chunk-data-bare-lf", "{POST}Transfer-Encoding: chunked\r\n\r\n{HEX}\r\n{CHAT}\n0\r\n\r\n", BROKEN, "RFC 9112 7.1"),
        case("chunk-broken-streamed", "POST /raw/v1/files HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcX\r\n0\r\n\r\n", BROKEN, "the client's fault, not the provider's: 400, no 502")
            .records(&[(Outcome::ClientGone, "base_url")]).may_reach(),
        steps("chunks-cut-short", vec![Step::Write("{POST}Transfer-Encoding: chunked\r\n\r\n{HEX}\r\n{CHAT}\r\n"), Step::Finish], vec![INCOMPLETE], "RFC 9112 8").closes().gone(),
        case("trailers", "{POST}Transfer-Encoding: chunked\r\nTrailer: x-sum\r\n\r\n{HEX}\r\n{CHAT}\r\n0\r\nx-sum: 1\r\n\r\n", PASS, "RFC 9110 6.5.1: may be dropped").body("{CHAT}").never_sees("trailer").never_sees("x-sum"),
        case("trailers-that-frame", "{POST}Transfer-Encoding: chunked\r\n\r\n{HEX}\r\n{CHAT}\r\n0\r\nContent-Length: 5\r\nHost: evil.test\r\n\r\n", PASS, "RFC 9110 6.5.1: never merged").body("{CHAT}"),
        case("trailers-streamed", "POST /raw/v1/files HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nTrailer: authorization\r\n\r\n3\r\nabc\r\n0\r\nauthorization: Bearer x\r\n\r\n", PASS, "RFC 9110 6.5.1").body("abc").never_sees("authorization"),
        case("trailers-100-kb", "{POST}Transfer-Encoding: chunked\r\n\r\n{HEX}\r\n{CHAT}\r\n0\r\nx: {repeat 100000 a}\r\n\r\n", BROKEN, "limits.header_bytes is for trailers too"),
    ]
}

#[rustfmt::skip]
fn lines() -> Vec<Case> {
    vec![
        case("obs-fold", "{POST}X-Fold: a\r\n b\r\nContent-Length: {LEN}\r\n\r\n{CHAT}", LIBRARY_400, "RFC 9112 5.2"),
        case("obs-fold-coding", "{POST}Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n", LIBRARY_400, "RFC 9112 5.2"),
        case("obs-fold-first-header", "POST /raw/v1/chat/completions HTTP/1.1\r\n Host: localhost\r\n\r\n", LIBRARY_400, "RFC 9112 2.2"),
        case("bare-lf", "POST /raw/v1/chat/completions HTTP/1.1\nHost: localhost\nContent-Type: application/json\nContent-Length: {LEN}\n\n{CHAT}", PASS, "RFC 9112 2.2: a reader may take LF; what leaves has CRLF").body("{CHAT}").lenient(),
        case("bare-cr-in-value", "{POST}X-A: b\rTransfer-Encoding: chunked\r\nContent-Length: {LEN}\r\n\r\n{CHAT}", LIBRARY_400, "RFC 9112 2.2"),
        case("bare-cr-line-end", "{POST}X-A: b\rContent-Length: {LEN}\r\n\r\n{CHAT}", LIBRARY_400, "RFC 9112 2.2"),
        case("empty-lines-first", "\r\n\r\n{GOOD}", PASS, "RFC 9112 2.2: should be ignored").body("{CHAT}"),
        case("space-before-request", " {GOOD}", LIBRARY_400, "RFC 9112 3"),
        case("garbage-before-request", "{x16}{x03}{x01}{x00}{xa5}{x01}\r\n\r\n", LIBRARY_400, "a TLS hello to a plain port"),
        case("request-line-two-spaces", "POST  /raw/v1/files HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n", LIBRARY_400, "RFC 9112 3"),
        case("request-line-space-in-target", "GET /raw/v1/a b HTTP/1.1\r\nHost: localhost\r\n\r\n", LIBRARY_400, "RFC 9112 3.2"),
        case("request-line-tab", "GET\t/raw/v1/files\tHTTP/1.1\r\nHost: localhost\r\n\r\n", LIBRARY_400, "RFC 9112 3"),
    ]
}

#[test]
fn requests_end_where_everybody_thinks_they_do() {
    family(Setup::default(), &cases());
}
