//! Encodes bodies in every content coding, flushed after every event.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};

use super::fault::Fault;

/// A content coding at work.
pub(super) enum Encoder {
    /// gzip.
    Gzip(GzEncoder<Vec<u8>>),
    /// zlib, which HTTP calls deflate.
    Deflate(ZlibEncoder<Vec<u8>>),
    /// Brotli in stored meta-blocks: there is no encoder among our crates, and none is needed.
    Brotli {
        /// Whether the stream header is written.
        begun: bool,
    },
    /// Zstandard in raw blocks, for the same reason.
    Zstd {
        /// Whether the frame header is written.
        begun: bool,
    },
}

impl Encoder {
    /// The coding that a fault asks for.
    pub(super) fn of(fault: Option<Fault>) -> Option<Self> {
        match fault? {
            Fault::Gzip | Fault::GzipTruncated => {
                Some(Self::Gzip(GzEncoder::new(Vec::new(), Compression::fast())))
            }
            Fault::Deflate => Some(Self::Deflate(ZlibEncoder::new(
                Vec::new(),
                Compression::fast(),
            ))),
            Fault::Brotli => Some(Self::Brotli { begun: false }),
            Fault::Zstd => Some(Self::Zstd { begun: false }),
            _ => None,
        }
    }

    /// The name of the coding that a fault declares.
    pub(super) const fn name(fault: Fault) -> Option<&'static str> {
        match fault {
            Fault::Gzip | Fault::GzipTruncated | Fault::GzipBomb => Some("gzip"),
            Fault::Deflate => Some("deflate"),
            Fault::Brotli => Some("br"),
            Fault::Zstd => Some("zstd"),
            _ => None,
        }
    }

    /// Encodes a piece so that a reader can decode all of it at once.
    pub(super) fn push(&mut self, piece: &[u8]) -> Vec<u8> {
        // Writing to a vector cannot fail.
        match self {
            Self::Gzip(encoder) => {
                let _ = encoder.write_all(piece).and_then(|()| encoder.flush());
                std::mem::take(encoder.get_mut())
            }
            Self::Deflate(encoder) => {
                let _ = encoder.write_all(piece).and_then(|()| encoder.flush());
                std::mem::take(encoder.get_mut())
            }
            Self::Brotli { begun } => brotli_stored(piece, begun),
            Self::Zstd { begun } => zstd_raw(piece, begun, false),
        }
    }

    /// The end of the coding.
    pub(super) fn finish(&mut self) -> Vec<u8> {
        match self {
            Self::Gzip(encoder) => {
                let _ = encoder.try_finish();
                std::mem::take(encoder.get_mut())
            }
            Self::Deflate(encoder) => {
                let _ = encoder.try_finish();
                std::mem::take(encoder.get_mut())
            }
            // ISLAST and ISLASTEMPTY (RFC 7932, 9.2); before the first piece after a header.
            Self::Brotli { begun: true } => vec![0b11],
            Self::Brotli { begun: false } => vec![0b110],
            Self::Zstd { begun } => zstd_raw(&[], begun, true),
        }
    }
}

/// Meta-blocks with ISUNCOMPRESSED set (RFC 7932, 9.2), after the stream header on first use.
fn brotli_stored(piece: &[u8], begun: &mut bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(piece.len() + 8);
    for block in piece.chunks(1 << 16) {
        let length = block.len() as u32 - 1;
        // ISLAST 0, MNIBBLES 0 (four nibbles), MLEN - 1 in 16 bits, ISUNCOMPRESSED 1.
        let mut bits = length << 3 | 1 << 19;
        if !*begun {
            // WBITS 0: a window of 64 KiB; it stands in front.
            bits <<= 1;
            *begun = true;
        }
        out.extend_from_slice(&bits.to_le_bytes()[..3]);
        out.extend_from_slice(block);
    }
    out
}

/// Raw blocks (RFC 8878, 3.1.1.2), after the frame header on first use.
fn zstd_raw(piece: &[u8], begun: &mut bool, last: bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(piece.len() + 16);
    if !*begun {
        // Magic, a descriptor without flags, a window of 1 MiB.
        out.extend_from_slice(&[0x28, 0xb5, 0x2f, 0xfd, 0x00, 10 << 3]);
        *begun = true;
    }
    for block in piece.chunks(1 << 17) {
        let header = (block.len() as u32) << 3;
        out.extend_from_slice(&header.to_le_bytes()[..3]);
        out.extend_from_slice(block);
    }
    if last {
        out.extend_from_slice(&[1, 0, 0]);
    }
    out
}

/// A small gzip body that unfolds to at least `size` zero bytes.
pub(super) fn gzip_bomb(size: usize) -> Vec<u8> {
    // A gzip file may have many members (RFC 1952, 2.2): one is made, and repeated.
    const MEMBER: usize = 16 << 20;
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    let zeros = vec![0; 1 << 16];
    for _ in 0..MEMBER / zeros.len() {
        let _ = encoder.write_all(&zeros);
    }
    let member = encoder.finish().unwrap_or_default();
    member.repeat(size.div_ceil(MEMBER).max(1))
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    fn decode(fault: Fault, body: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        match fault {
            Fault::Gzip => flate2::read::GzDecoder::new(body)
                .read_to_end(&mut out)
                .unwrap(),
            Fault::Deflate => flate2::read::ZlibDecoder::new(body)
                .read_to_end(&mut out)
                .unwrap(),
            Fault::Brotli => brotli_decompressor::Decompressor::new(body, 4096)
                .read_to_end(&mut out)
                .unwrap(),
            _ => ruzstd::decoding::StreamingDecoder::new(body)
                .unwrap()
                .read_to_end(&mut out)
                .unwrap(),
        };
        out
    }

    #[test]
    fn every_coding_can_be_decoded() {
        let large = vec![b'x'; 300_000];
        for fault in [Fault::Gzip, Fault::Deflate, Fault::Brotli, Fault::Zstd] {
            for pieces in [
                &[][..],
                &[&b"data: 1\n\n"[..], b"data: 2\n\n"],
                &[&large, b"end"],
            ] {
                let mut encoder = Encoder::of(Some(fault)).unwrap();
                let mut body: Vec<u8> = Vec::new();
                for piece in pieces {
                    body.extend(encoder.push(piece));
                }
                body.extend(encoder.finish());
                assert_eq!(decode(fault, &body), pieces.concat(), "{}", fault.name());
            }
        }
    }

    #[test]
    fn a_bomb_is_small_until_it_unfolds() {
        let bomb = gzip_bomb(40 << 20);
        assert!(bomb.len() < 100_000, "{}", bomb.len());
        let mut reader = flate2::read::MultiGzDecoder::new(&bomb[..]);
        let unfolded = std::io::copy(&mut reader, &mut std::io::sink()).unwrap();
        assert_eq!(unfolded, 48 << 20);
    }
}
