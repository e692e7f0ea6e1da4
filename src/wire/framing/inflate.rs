//! Undoes compression on a side copy of a body, chunk by chunk and within a size limit.

use std::borrow::Cow;
use std::fmt;
use std::io::{self, Write};

use brotli_decompressor::DecompressorWriter;
use flate2::write::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};

use super::zstd::ZstdDecoder;

/// Why the copy cannot be read on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// The bytes are not what the encoding says, or no encoding known here.
    Undecodable,
    /// The copy grew past its limit.
    TooLarge,
}

/// A decoder that is pushed compressed chunks and hands out what they unfold to.
pub struct Inflate {
    decoder: Decoder,
    decoded: u64,
    bytes_max: u64,
    failed: Option<Failure>,
}

enum Decoder {
    Gzip(MultiGzDecoder<Vec<u8>>),
    /// `deflate` means zlib's format, but some servers send the bare one: the first
    /// bytes tell, held until there are two (the second buffer stays empty).
    Deflate(Vec<u8>, Vec<u8>),
    Zlib(ZlibDecoder<Vec<u8>>),
    Bare(DeflateDecoder<Vec<u8>>),
    Brotli(Box<DecompressorWriter<Vec<u8>>>),
    Zstd(Box<ZstdDecoder>),
    Unknown,
}

/// A whole body in `encoding` as it was before; itself where it is in none.
///
/// # Errors
///
/// Where it is not what the encoding says, or unfolds to more than `bytes_max`.
pub fn decode<'b>(
    encoding: &str,
    bytes: &'b [u8],
    bytes_max: usize,
) -> Result<Cow<'b, [u8]>, Failure> {
    let Some(mut inflate) = Inflate::new(encoding, bytes_max) else {
        return Ok(Cow::Borrowed(bytes));
    };
    let mut out = Vec::new();
    inflate.feed(bytes, |piece| out.extend_from_slice(piece))?;
    Ok(Cow::Owned(out))
}

impl Inflate {
    /// A decoder for a `content-encoding`; none is needed where it is empty or `identity`.
    #[must_use]
    pub fn new(encoding: &str, decoded_bytes_max: usize) -> Option<Self> {
        let mut names = encoding
            .split(',')
            .map(str::trim)
            .filter(|name| !name.is_empty() && !name.eq_ignore_ascii_case("identity"));
        let name = names.next()?.to_ascii_lowercase();
        let decoder = match name.as_str() {
            // Two encodings over each other: nobody does that, and a copy is not worth it.
            _ if names.next().is_some() => Decoder::Unknown,
            "gzip" | "x-gzip" => Decoder::Gzip(MultiGzDecoder::new(Vec::new())),
            "deflate" => Decoder::Deflate(Vec::new(), Vec::new()),
            "br" => Decoder::Brotli(Box::new(DecompressorWriter::new(Vec::new(), STEP_BYTES))),
            "zstd" => Decoder::Zstd(Box::new(ZstdDecoder::new())),
            _ => Decoder::Unknown,
        };
        Some(Self {
            decoder,
            decoded: 0,
            bytes_max: decoded_bytes_max as u64,
            failed: None,
        })
    }

    /// Whether what it unfolds comes later than the bytes that hold it: good for what a body says,
    /// not for when.
    #[must_use]
    pub fn is_late(&self) -> bool {
        matches!(self.decoder, Decoder::Zstd(_))
    }

    /// Pushes a chunk and gives what it unfolds to, in pieces, to `sink`. After a failure nothing
    /// is read any more.
    pub fn feed(&mut self, chunk: &[u8], mut sink: impl FnMut(&[u8])) -> Result<(), Failure> {
        if let Some(failure) = self.failed {
            return Err(failure);
        }
        // Small steps, because a few bytes can unfold to a thousand times as many.
        for step in chunk.chunks(STEP_BYTES) {
            if let Err(failure) = self.step(step, &mut sink) {
                self.failed = Some(failure);
                self.decoder = Decoder::Unknown;
                return Err(failure);
            }
        }
        Ok(())
    }

    fn step(&mut self, step: &[u8], sink: &mut impl FnMut(&[u8])) -> Result<(), Failure> {
        let held = self.choose(step);
        let step = held.as_deref().unwrap_or(step);
        let out = self.decoder.push(step).map_err(|_| Failure::Undecodable)?;
        self.decoded += out.len() as u64;
        if self.decoded > self.bytes_max {
            return Err(Failure::TooLarge);
        }
        if !out.is_empty() {
            sink(out);
        }
        out.clear();
        if out.capacity() > KEPT_BYTES_MAX {
            *out = Vec::new();
        }
        Ok(())
    }

    /// Decides between the two meanings of `deflate` (RFC 9110, 8.4.1.2) by zlib's header check
    /// (RFC 1950, 2.2), once two bytes are there; returns all bytes held until then.
    fn choose(&mut self, step: &[u8]) -> Option<Vec<u8>> {
        let Decoder::Deflate(held, _) = &mut self.decoder else {
            return None;
        };
        held.extend_from_slice(step);
        let [method, flags, ..] = held[..] else {
            return None;
        };
        let zlib = method & 0x0f == 8 && u16::from_be_bytes([method, flags]).is_multiple_of(31);
        let held = std::mem::take(held);
        self.decoder = if zlib {
            Decoder::Zlib(ZlibDecoder::new(Vec::new()))
        } else {
            Decoder::Bare(DeflateDecoder::new(Vec::new()))
        };
        Some(held)
    }
}

impl Decoder {
    /// Pushes some bytes; what they unfold to is appended to the buffer returned.
    fn push(&mut self, step: &[u8]) -> io::Result<&mut Vec<u8>> {
        match self {
            Self::Gzip(decoder) => {
                decoder.write_all(step)?;
                decoder.flush()?;
                Ok(decoder.get_mut())
            }
            Self::Zlib(decoder) => {
                decoder.write_all(step)?;
                decoder.flush()?;
                Ok(decoder.get_mut())
            }
            Self::Bare(decoder) => {
                decoder.write_all(step)?;
                decoder.flush()?;
                Ok(decoder.get_mut())
            }
            Self::Brotli(decoder) => {
                decoder.write_all(step)?;
                decoder.flush()?;
                Ok(decoder.get_mut())
            }
            Self::Zstd(decoder) => decoder.push(step),
            Self::Deflate(_, nothing) => Ok(nothing),
            Self::Unknown => Err(io::ErrorKind::Unsupported.into()),
        }
    }
}

impl fmt::Debug for Inflate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inflate")
            .field("decoded", &self.decoded)
            .field("failed", &self.failed)
            .finish_non_exhaustive()
    }
}

/// Compressed bytes taken at once.
const STEP_BYTES: usize = 4096;

/// Larger buffers go back to the allocator after use.
const KEPT_BYTES_MAX: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

    use super::*;

    fn text() -> Vec<u8> {
        (0..4000)
            .flat_map(|n: u32| format!("data: {n} {}\n\n", n * 7919).into_bytes())
            .collect()
    }

    fn encoded(encoding: &str) -> Vec<u8> {
        let text = text();
        match encoding {
            "gzip" => {
                let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
                encoder.write_all(&text).unwrap();
                encoder.finish().unwrap()
            }
            "deflate" => {
                let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
                encoder.write_all(&text).unwrap();
                encoder.finish().unwrap()
            }
            "bare" => {
                let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
                encoder.write_all(&text).unwrap();
                encoder.finish().unwrap()
            }
            "zstd" => ruzstd::encoding::compress_to_vec(
                text.as_slice(),
                ruzstd::encoding::CompressionLevel::Fastest,
            ),
            // Brotli, uncompressed meta-blocks (RFC 7932, 9.2): a window of 16 bits, then each.
            _ => brotli_stored(&text),
        }
    }

    /// A brotli stream of stored blocks: enough to test the plumbing without an encoder.
    fn brotli_stored(text: &[u8]) -> Vec<u8> {
        let mut bits = vec![false]; // WBITS = 16
        let push = |bits: &mut Vec<bool>, value: usize, count: usize| {
            bits.extend((0..count).map(|bit| value >> bit & 1 == 1));
        };
        for block in text.chunks(60_000) {
            push(&mut bits, 0, 1); // not the last
            push(&mut bits, 0, 2); // four nibbles of length
            push(&mut bits, block.len() - 1, 16);
            push(&mut bits, 1, 1); // stored
            bits.resize(bits.len().next_multiple_of(8), false);
            for byte in block {
                push(&mut bits, usize::from(*byte), 8);
            }
        }
        push(&mut bits, 3, 2); // last and empty
        bits.resize(bits.len().next_multiple_of(8), false);
        bits.chunks(8)
            .map(|byte| {
                byte.iter()
                    .rev()
                    .fold(0, |sum, bit| sum << 1 | u8::from(*bit))
            })
            .collect()
    }

    #[test]
    fn every_encoding_unfolds_however_it_comes() {
        for (name, encoding) in [
            ("gzip", "gzip"),
            ("X-GZip", "gzip"),
            ("identity, gzip", "gzip"),
            ("deflate", "deflate"),
            ("deflate", "bare"),
            ("br", "br"),
            ("zstd", "zstd"),
        ] {
            let bytes = encoded(encoding);
            for size in [1, 7, 4096, bytes.len()] {
                let mut inflate = Inflate::new(name, 1 << 20).unwrap();
                let mut out = Vec::new();
                for chunk in bytes.chunks(size) {
                    inflate
                        .feed(chunk, |piece| out.extend_from_slice(piece))
                        .unwrap();
                }
                assert!(out == text(), "{name} {encoding} by {size}");
            }
        }
        assert!(Inflate::new("identity", 1).is_none());
        assert!(Inflate::new("", 1).is_none());
    }

    #[test]
    fn a_gzip_stream_unfolds_as_it_comes() {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        let mut inflate = Inflate::new("gzip", 1 << 20).unwrap();
        for n in 0..20 {
            encoder
                .write_all(format!("data: {n}\n\n").as_bytes())
                .unwrap();
            encoder.flush().unwrap();
            let mut out = Vec::new();
            inflate
                .feed(encoder.get_ref(), |piece| out.extend_from_slice(piece))
                .unwrap();
            encoder.get_mut().clear();
            assert_eq!(out, format!("data: {n}\n\n").as_bytes());
        }
    }

    #[test]
    fn failures_are_told_and_stay() {
        let cases: [(&str, &[u8], usize, Failure); 6] = [
            (
                "gzip",
                b"not gzip at all, not at all",
                1 << 20,
                Failure::Undecodable,
            ),
            (
                "deflate",
                b"\x78\x9c\xff\xff\xff\xff\xff",
                1 << 20,
                Failure::Undecodable,
            ),
            (
                "zstd",
                b"not zstd at all, not at all",
                1 << 20,
                Failure::Undecodable,
            ),
            ("compress", b"x", 1 << 20, Failure::Undecodable),
            ("gzip, br", b"x", 1 << 20, Failure::Undecodable),
            ("gzip", &encoded("gzip"), 1000, Failure::TooLarge),
        ];
        for (name, bytes, max, failure) in cases {
            let mut inflate = Inflate::new(name, max).unwrap();
            assert_eq!(inflate.feed(bytes, |_| ()), Err(failure), "{name}");
            assert_eq!(inflate.feed(b"x", |_| ()), Err(failure), "{name}");
        }
    }

    #[test]
    fn a_bomb_stops_at_the_limit() {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(&vec![0; 50_000_000]).unwrap();
        let bomb = encoder.finish().unwrap();
        let mut inflate = Inflate::new("gzip", 1_000_000).unwrap();
        let mut most = 0;
        let result = inflate.feed(&bomb, |piece| most = most.max(piece.len()));
        assert_eq!(result, Err(Failure::TooLarge));
        assert!(most <= 1_000_000);
    }
}
