//! Writes dots as a PNG file: eight bits each of red, green and blue.
//!
//! Source: W3C, Portable Network Graphics (Third Edition), sections 5 and 11.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::ZlibEncoder;

use super::canvas::Canvas;

const SIGNATURE: [u8; 8] = [0x89, b'P', b'N', b'G', 0x0d, 0x0a, 0x1a, 0x0a];
/// Bits of a colour, colour type RGB, and the only compression, filter method and no interlacing.
const KIND: [u8; 5] = [8, 2, 0, 0, 0];
/// The filter of a row: each byte less that of the dot before it.
const SUB: u8 = 1;

pub(super) fn write(canvas: &Canvas) -> Vec<u8> {
    let (width, height) = canvas.size();
    let mut rows = ZlibEncoder::new(Vec::new(), Compression::best());
    for row in canvas.rows() {
        let mut line = vec![SUB];
        let mut before = [0; 3];
        for dot in row {
            let pairs = dot.iter().zip(before);
            line.extend(pairs.map(|(now, before): (&u8, u8)| now.wrapping_sub(before)));
            before = *dot;
        }
        // A vector takes everything.
        let _ = rows.write_all(&line);
    }
    let mut head = Vec::new();
    head.extend_from_slice(&(width as u32).to_be_bytes());
    head.extend_from_slice(&(height as u32).to_be_bytes());
    head.extend_from_slice(&KIND);
    let mut file = SIGNATURE.to_vec();
    chunk(&mut file, *b"IHDR", &head);
    chunk(&mut file, *b"IDAT", &rows.finish().unwrap_or_default());
    chunk(&mut file, *b"IEND", &[]);
    file
}

fn chunk(file: &mut Vec<u8>, name: [u8; 4], content: &[u8]) {
    file.extend_from_slice(&(content.len() as u32).to_be_bytes());
    let begin = file.len();
    file.extend_from_slice(&name);
    file.extend_from_slice(content);
    let sum = crc32fast::hash(&file[begin..]);
    file.extend_from_slice(&sum.to_be_bytes());
}
