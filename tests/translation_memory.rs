//! Holds that saying a stream again takes no more from the heap the longer the stream is.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use allocation_counter::{AllocationInfo, measure};
use tollgate::record::Language;
use tollgate::wire::translation::Ended;

#[path = "support/streams.rs"]
mod streams;

/// What saying a stream of `tokens` takes from the heap. The buffer that the client's bytes go to
/// is the street's own, and taken before.
fn taken(client: Language, provider: Language, tokens: usize) -> AllocationInfo {
    let (translation, back) = streams::way(client, provider);
    let pieces = streams::stream(provider, tokens);
    let mut out = Vec::with_capacity(1 << 20);
    measure(|| {
        let mut stream = translation.stream(&back, &streams::stamp());
        for piece in &pieces {
            out.clear();
            stream.feed(piece, &mut out);
        }
        out.clear();
        assert_eq!(stream.end(&mut out), Ended::Whole);
    })
}

#[test]
fn a_longer_stream_takes_no_more_from_the_heap() {
    for (client, provider) in streams::WAYS {
        let way = format!("{} to {}", client.name(), provider.name());
        let [short, long] = [64, 6_464].map(|tokens| taken(client, provider, tokens));
        let more = long.count_total - short.count_total;
        if client == Language::OpenAiResponses {
            // Its last event repeats the answer: the text is kept, in buffers that double.
            assert!(more < 40, "{way}: {more} allocations more");
            let text = 6_464 * " token".len() as u64;
            assert!(long.bytes_max < 32 * 1024 + 8 * text, "{way}: {long:?}");
            continue;
        }
        assert_eq!(more, 0, "{way}: {short:?} {long:?}");
        assert_eq!(short.bytes_max, long.bytes_max, "{way}");
        assert!(long.bytes_max < 16 * 1024, "{way}: {long:?}");
    }
}
