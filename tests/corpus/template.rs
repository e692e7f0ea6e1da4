//! Turns the text of a case into the bytes that are sent.

/// A chat request with a prompt that must not be found anywhere else.
pub(crate) const CHAT: &str =
    r#"{"model":"m","messages":[{"role":"user","content":"CANARY-PROMPT"}]}"#;

/// A chat request's head up to its framing, to the raw upstream.
const POST: &str = "POST /raw/v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n\
    Content-Type: application/json\r\nAuthorization: Bearer sk-CANARY-CLIENT\r\n";

/// What is only known when the test runs.
#[derive(Debug, Clone, Default)]
pub(crate) struct Known {
    /// The port of the data plane.
    pub(crate) port: u16,
    /// A port that nobody may call.
    pub(crate) canary: u16,
    /// The value of the node's `x-tollgate-instance`.
    pub(crate) instance: String,
}

/// Fills in a template: `{POST}` a head, `{CHAT}` a body, `{LEN}` and `{HEX}` its length, `{GOOD}`
/// a whole request, `{port}`, `{canary}`, `{instance}`, `{xFF}` a byte, `{repeat 3 abc}` a text
/// several times. Any other brace stands for itself.
pub(crate) fn expand(template: &str, known: &Known) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(template.len());
    let mut rest = template;
    while let Some(brace) = rest.find('{') {
        bytes.extend_from_slice(&rest.as_bytes()[..brace]);
        rest = &rest[brace..];
        let word = rest.find('}').map(|end| &rest[1..end]);
        if let Some((word, filling)) = word.and_then(|word| Some((word, filling(word, known)?))) {
            bytes.extend_from_slice(&filling);
            rest = &rest[word.len() + 2..];
        } else {
            bytes.push(b'{');
            rest = &rest[1..];
        }
    }
    bytes.extend_from_slice(rest.as_bytes());
    bytes
}

fn filling(word: &str, known: &Known) -> Option<Vec<u8>> {
    let text = match word {
        "POST" => POST.to_owned(),
        "CHAT" => CHAT.to_owned(),
        "LEN" => CHAT.len().to_string(),
        "HEX" => format!("{:x}", CHAT.len()),
        "GOOD" => format!("{POST}Content-Length: {}\r\n\r\n{CHAT}", CHAT.len()),
        "port" => known.port.to_string(),
        "canary" => known.canary.to_string(),
        "instance" => known.instance.clone(),
        _ => {
            if let Some(hex) = word.strip_prefix('x').filter(|hex| hex.len() == 2) {
                return u8::from_str_radix(hex, 16).ok().map(|byte| vec![byte]);
            }
            let (count, text) = word.strip_prefix("repeat ")?.split_once(' ')?;
            text.repeat(count.parse().ok()?)
        }
    };
    Some(text.into_bytes())
}

#[test]
fn templates_are_filled_in() {
    let known = Known {
        port: 7,
        ..Known::default()
    };
    for (template, bytes) in [
        ("a{x00}b{xff}", b"a\x00b\xff".as_slice()),
        ("{repeat 3 ab}{port}", b"ababab7"),
        (r#"{"x":{}}{"#, br#"{"x":{}}{"#),
    ] {
        assert_eq!(expand(template, &known), bytes, "{template}");
    }
}
