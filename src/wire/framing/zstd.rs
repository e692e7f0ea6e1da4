//! Decodes pushed zstd frames (RFC 8878) block by block.

use std::io;

use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

/// A zstd decoder that is pushed bytes as they come.
///
/// The decoder underneath gives out only what lies outside its window until the frame is over, so
/// what it unfolds is whole but late: [`super::inflate::Inflate::is_late`].
pub(super) struct ZstdDecoder {
    decoder: FrameDecoder,
    /// Bytes of an unfinished header or block: at most one block, 128 KiB.
    held: Vec<u8>,
    out: Vec<u8>,
    frame: Option<Frame>,
}

/// What the header of the current frame says.
#[derive(Clone, Copy)]
struct Frame {
    checksum: bool,
}

impl ZstdDecoder {
    pub(super) fn new() -> Self {
        Self {
            decoder: FrameDecoder::new(),
            held: Vec::new(),
            out: Vec::new(),
            frame: None,
        }
    }

    /// Pushes some bytes; what they unfold to is appended to the buffer returned.
    pub(super) fn push(&mut self, step: &[u8]) -> io::Result<&mut Vec<u8>> {
        self.held.extend_from_slice(step);
        let mut at = 0;
        while let Some(taken) = self.advance(at)? {
            at += taken;
        }
        self.held.drain(..at);
        Ok(&mut self.out)
    }

    /// Takes the next header or block, where it is whole; returns its length.
    fn advance(&mut self, at: usize) -> io::Result<Option<usize>> {
        let rest = &self.held[at..];
        let Some(frame) = self.frame else {
            let Some((length, frame)) = header(rest) else {
                return Ok(None);
            };
            let Some(bytes) = rest.get(..length) else {
                return Ok(None);
            };
            self.decoder.init(bytes).map_err(io::Error::other)?;
            self.frame = Some(frame);
            return Ok(Some(length));
        };
        let [a, b, c, ..] = *rest else {
            return Ok(None);
        };
        let block = u32::from_le_bytes([a, b, c, 0]);
        let (last, kind, size) = (block & 1 == 1, block >> 1 & 3, (block >> 3) as usize);
        if size > BLOCK_BYTES_MAX {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let content = if kind == RUN_LENGTH { 1 } else { size };
        let length = 3 + content + if last && frame.checksum { 4 } else { 0 };
        let Some(mut bytes) = rest.get(..length) else {
            return Ok(None);
        };
        self.decoder
            .decode_blocks(&mut bytes, BlockDecodingStrategy::UptoBlocks(1))
            .map_err(io::Error::other)?;
        self.decoder.collect_to_writer(&mut self.out)?;
        if last {
            self.frame = None;
        }
        Ok(Some(length))
    }
}

/// Length of a frame's header and what it says, once its descriptor is there (RFC 8878, 3.1.1.1).
/// Magic numbers are checked by the decoder.
fn header(bytes: &[u8]) -> Option<(usize, Frame)> {
    let descriptor = *bytes.get(4)?;
    let single_segment = descriptor >> 5 & 1 == 1;
    let dictionary = [0, 1, 2, 4][usize::from(descriptor & 3)];
    let content_size = match descriptor >> 6 {
        0 => usize::from(single_segment),
        power => 1 << power,
    };
    let checksum = descriptor >> 2 & 1 == 1;
    let length = 5 + usize::from(!single_segment) + dictionary + content_size;
    Some((length, Frame { checksum }))
}

const RUN_LENGTH: u32 = 1;
const BLOCK_BYTES_MAX: usize = 128 * 1024;
