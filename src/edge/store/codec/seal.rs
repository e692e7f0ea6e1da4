//! Seals values with a version and a checksum, so that a damaged row is seen and never served.

/// Bytes that a seal takes at the head of a value.
pub(in super::super) const SEAL: usize = 5;

/// Begins a value: room for the seal that [`close`] fills in.
pub(in super::super) fn open(version: u8, value: &mut Vec<u8>) {
    value.clear();
    value.extend_from_slice(&[version, 0, 0, 0, 0]);
}

/// Writes the checksum of `key` and of the value into the value's head. The key is in it so that
/// a row that ended up under another key is seen too.
pub(in super::super) fn close(key: &[u8], value: &mut [u8]) {
    let sum = checksum(key, value);
    value[1..SEAL].copy_from_slice(&sum.to_le_bytes());
}

/// The version and the payload of a value that is as it was written.
pub(in super::super) fn check<'a>(key: &[u8], value: &'a [u8]) -> Option<(u8, &'a [u8])> {
    let (head, payload) = value.split_first_chunk::<SEAL>()?;
    let found = u32::from_le_bytes([head[1], head[2], head[3], head[4]]);
    (found == checksum(key, value)).then_some((head[0], payload))
}

fn checksum(key: &[u8], value: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(key);
    hasher.update(&value[..1]);
    hasher.update(&value[SEAL..]);
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flipped_bit_is_seen() {
        let mut value = Vec::new();
        open(1, &mut value);
        value.extend_from_slice(b"payload");
        close(b"key", &mut value);
        assert_eq!(check(b"key", &value), Some((1, &b"payload"[..])));
        assert_eq!(check(b"kez", &value), None);
        for bit in 0..value.len() * 8 {
            let mut flipped = value.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(check(b"key", &flipped), None, "{bit}");
        }
        for cut in 0..value.len() {
            assert_eq!(check(b"key", &value[..cut]), None, "{cut}");
        }
    }
}
