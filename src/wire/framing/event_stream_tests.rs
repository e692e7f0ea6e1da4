//! Holds the reader of event streams against the writer, against bytes set down by hand, and
//! against every place where a stream may be cut or broken.

use super::*;

/// What a stream reads as: frames as text, then the fault, then whether a frame was left open.
fn split(chunks: &[&[u8]], max: usize) -> (Vec<String>, Option<Fault>, bool) {
    let mut splitter = Splitter::new(max);
    let mut frames = Vec::new();
    let mut fault = None;
    for chunk in chunks {
        let fed = splitter.feed(chunk, |frame| {
            let headers: Vec<_> = frame.headers().collect();
            let payload = String::from_utf8_lossy(frame.payload);
            frames.push(format!("{headers:?} {payload}"));
            ControlFlow::Continue(())
        });
        match fed {
            Ok(taken) => assert_eq!(taken, chunk.len()),
            Err(found) => fault = Some(found),
        }
    }
    (frames, fault, !splitter.is_between_frames())
}

/// Checks that `bytes` read the same however they come, and returns how.
fn in_every_cut(bytes: &[u8], max: usize) -> (Vec<String>, Option<Fault>, bool) {
    let whole = split(&[bytes], max);
    let single: Vec<&[u8]> = bytes.chunks(1).collect();
    assert_eq!(split(&single, max), whole, "byte by byte");
    for at in 0..bytes.len() {
        let (head, tail) = bytes.split_at(at);
        assert_eq!(split(&[head, b"", tail], max), whole, "cut at {at}");
    }
    whole
}

const KINDS: [(&str, Value<'_>); 10] = [
    ("t", Value::Bool(true)),
    ("f", Value::Bool(false)),
    ("byte", Value::Byte(-2)),
    ("short", Value::Short(-300)),
    ("int", Value::Int(-70_000)),
    ("long", Value::Long(i64::MIN)),
    ("bytes", Value::Bytes(&[0, 255])),
    (":event-type", Value::Text("chunk é")),
    (":date", Value::Timestamp(1_795_000_000_000)),
    ("uuid", Value::Uuid([7; 16])),
];

#[test]
fn what_is_written_is_read_however_it_is_cut() {
    let mut bytes = Vec::new();
    encode(&KINDS, b"{\"a\":1}", &mut bytes).unwrap();
    encode(&[], b"", &mut bytes).unwrap();
    encode_exception("throttlingException", b"{}", &mut bytes).unwrap();
    let (frames, fault, open) = in_every_cut(&bytes, 1 << 20);
    assert_eq!((frames.len(), fault, open), (3, None, false));
    assert_eq!(frames[0], format!("{KINDS:?} {{\"a\":1}}"));
    assert_eq!(frames[1], "[] ");
    let (frames, fault, open) = in_every_cut(&bytes[..bytes.len() - 1], 1 << 20);
    assert_eq!((frames.len(), fault, open), (2, None, true));
}

/// The bytes of a frame without headers or payload, checksums from the published description.
#[test]
fn an_empty_frame_has_the_known_bytes() {
    let mut bytes = Vec::new();
    encode(&[], b"", &mut bytes).unwrap();
    let known = [
        0, 0, 0, 0x10, 0, 0, 0, 0, 0x05, 0xc2, 0x48, 0xeb, 0x7d, 0x98, 0xc8, 0xff,
    ];
    assert_eq!(bytes, known);
}

#[test]
fn a_frame_says_what_it_is() {
    let text = |name, text| (name, Value::Text(text));
    let message = |headers: &[(&str, Value<'_>)]| {
        let mut bytes = Vec::new();
        encode(headers, b"", &mut bytes).unwrap();
        let mut found = String::new();
        let mut splitter = Splitter::new(4096);
        let fed = splitter.feed(&bytes, |frame| {
            found = format!("{:?}", frame.message());
            ControlFlow::Break(())
        });
        assert_eq!(fed, Ok(bytes.len()));
        found
    };
    let event = text(":message-type", "event");
    assert_eq!(
        message(&[text(":event-type", "metadata"), event]),
        r#"Event("metadata")"#
    );
    assert_eq!(
        message(&[text(":event-type", "metadata")]),
        r#"Event("metadata")"#
    );
    assert_eq!(message(&[(":event-type", Value::Int(1))]), r#"Event("")"#);
    let exception = text(":message-type", "exception");
    assert_eq!(
        message(&[exception, text(":exception-type", "x")]),
        r#"Exception("x")"#
    );
    let error = [
        text(":message-type", "error"),
        text(":error-code", "c"),
        text(":error-message", "m"),
    ];
    assert_eq!(message(&error), r#"Error { code: "c", message: "m" }"#);
}

/// A frame with these lengths and these bytes behind them, the checksums right.
fn forged(whole: u32, headers: u32, content: &[u8]) -> Vec<u8> {
    let mut bytes = [whole.to_be_bytes(), headers.to_be_bytes()].concat();
    put_checksum(0, &mut bytes);
    bytes.extend_from_slice(content);
    put_checksum(0, &mut bytes);
    bytes
}

#[test]
fn what_is_no_frame_is_told_and_ends_reading() {
    let mut good = Vec::new();
    encode_event("a", b"{}", &mut good).unwrap();
    let broken = |at: usize| {
        let mut bytes = good.clone();
        bytes[at] ^= 1;
        bytes
    };
    let headers = |bytes: &[u8]| forged(bytes.len() as u32 + 16, bytes.len() as u32, bytes);
    for (bytes, fault) in [
        (broken(0), Fault::PreludeChecksum),
        (broken(5), Fault::PreludeChecksum),
        (broken(11), Fault::PreludeChecksum),
        (broken(20), Fault::Checksum),
        (broken(good.len() - 1), Fault::Checksum),
        (forged(15, 0, b""), Fault::Lengths),
        (forged(16, 1, b"x"), Fault::Lengths),
        (forged(u32::MAX, 0, b""), Fault::Lengths),
        (forged(u32::MAX, u32::MAX - 16, b""), Fault::Lengths),
        (forged(131_089, 131_073, b""), Fault::Lengths),
        (forged(25_165_841, 0, b""), Fault::Lengths),
        (forged(25_165_840, 0, b""), Fault::TooLarge),
        (headers(b"\x01"), Fault::Headers),
        (headers(b"\x01a"), Fault::Headers),
        (headers(b"\x01a\x0a"), Fault::Headers),
        (headers(b"\x01a\x04\0\0\0"), Fault::Headers),
        (headers(b"\x01a\x07\0\x02x"), Fault::Headers),
        (headers(b"\x01a\x07\0\x01\xff"), Fault::Headers),
        (headers(b"\x01\xff\0"), Fault::Headers),
    ] {
        let stream = [good.as_slice(), &bytes, &good].concat();
        let (frames, found, open) = in_every_cut(&stream, 4096);
        assert_eq!((frames.len(), found, open), (1, Some(fault), false));
    }
}

#[test]
fn what_no_frame_can_hold_is_not_written() {
    let long = "n".repeat(256);
    let wide = vec![0; 65_536];
    let large = vec![0; PAYLOAD_BYTES_MAX + 1];
    let many = vec![("h", Value::Bytes(&wide[..65_535])); 3];
    let mut out = b"before".to_vec();
    for (headers, payload, fault) in [
        (
            &[(long.as_str(), Value::Bool(true))][..],
            &b""[..],
            Fault::Headers,
        ),
        (&[("", Value::Bool(true))], b"", Fault::Headers),
        (&[("h", Value::Bytes(&wide))], b"", Fault::Headers),
        (&many, b"", Fault::Lengths),
        (&[], &large, Fault::Lengths),
    ] {
        assert_eq!(encode(headers, payload, &mut out), Err(fault));
        assert_eq!(out, b"before");
    }
    let (frames, fault, _) = split(
        &[&{
            let mut bytes = Vec::new();
            encode(&many[..1], &large[1..], &mut bytes).unwrap();
            bytes
        }],
        usize::MAX,
    );
    assert_eq!((frames.len(), fault), (1, None));
}

#[test]
fn no_bytes_make_the_reader_panic_or_keep_more_than_it_may() {
    for seed in 0..2000 {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut bytes = Vec::new();
        for _ in 0..random.usize(..4) {
            let payload: Vec<u8> = (0..random.usize(..600)).map(|_| random.u8(..)).collect();
            encode(&KINDS[..random.usize(..KINDS.len())], &payload, &mut bytes).unwrap();
        }
        for _ in 0..random.usize(..3) {
            let at = random.usize(..=bytes.len());
            if random.bool() {
                bytes.insert(at, random.u8(..));
            } else if at < bytes.len() {
                bytes[at] ^= 1 << random.u8(..8);
            }
        }
        let mut splitter = Splitter::new(500);
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            let (chunk, after) = rest.split_at(random.usize(1..=rest.len().min(99)));
            let fed = splitter.feed(chunk, |_| ControlFlow::Continue(()));
            assert!(splitter.held.len() <= 500, "seed {seed}");
            assert!(
                fed.is_ok() || splitter.is_between_frames(),
                "seed {seed}: {fed:?}"
            );
            rest = after;
        }
    }
}
