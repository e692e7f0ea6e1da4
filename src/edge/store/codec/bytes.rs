//! Writes and reads numbers in as few bytes as they need.

use crate::record::{KeyedHash, Name};

use super::super::names::{NameId, NameTable, Names, Scope};

/// What a reader found where a value should have been: the row is damaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct Damaged;

/// A result of reading.
pub(in super::super) type Read<T> = Result<T, Damaged>;

/// Appends to a value.
pub(in super::super) struct Writer<'a> {
    /// The value so far.
    pub(in super::super) out: &'a mut Vec<u8>,
    /// Where texts become numbers.
    pub(in super::super) names: &'a mut Names,
    /// How freely texts may become numbers.
    pub(in super::super) scope: Scope,
}

impl Writer<'_> {
    pub(in super::super) fn byte(&mut self, byte: u8) {
        self.out.push(byte);
    }

    /// Seven bits a byte, the lowest first (LEB128).
    pub(in super::super) fn number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.out.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.out.push(number as u8);
    }

    /// A difference: small ones of either sign are short.
    pub(in super::super) fn signed(&mut self, number: i64) {
        self.number(((number << 1) ^ (number >> 63)) as u64);
    }

    pub(in super::super) fn fixed(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    /// Bytes after their length.
    pub(in super::super) fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.out.extend_from_slice(bytes);
    }

    /// A text that comes again and again: its number, or the text where numbers are spent.
    pub(in super::super) fn name(&mut self, name: &str) {
        match self.names.id(name, self.scope) {
            Some(id) => self.number(u64::from(id.0)),
            None => self.spelled(name),
        }
    }

    /// Which of the optional values there are: some shapes come again and again.
    pub(in super::super) fn shape(&mut self, bits: u64) {
        match self.names.shape(bits) {
            Some(id) => self.number(u64::from(id.0)),
            None => self.spelled(&format!("{bits:x}")),
        }
    }

    /// A hash of which there are few: it is named like a text.
    pub(in super::super) fn hash(&mut self, hash: KeyedHash) {
        match self.names.hash(hash, self.scope) {
            Some(id) => self.number(u64::from(id.0)),
            None => self.spelled(&hash.to_string()),
        }
    }

    /// A text that has no number.
    fn spelled(&mut self, text: &str) {
        self.number(0);
        self.bytes(text.as_bytes());
    }

    /// A list after its length.
    pub(in super::super) fn list<T>(&mut self, items: &[T], mut each: impl FnMut(&mut Self, &T)) {
        self.number(items.len() as u64);
        for item in items {
            each(self, item);
        }
    }
}

/// Reads a value from its front. Never trusts a length further than there are bytes.
pub(in super::super) struct Reader<'a, N> {
    rest: &'a [u8],
    names: &'a N,
}

impl<'a, N: NameTable> Reader<'a, N> {
    pub(in super::super) const fn new(rest: &'a [u8], names: &'a N) -> Self {
        Self { rest, names }
    }

    pub(in super::super) const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(in super::super) fn byte(&mut self) -> Read<u8> {
        let (first, rest) = self.rest.split_first().ok_or(Damaged)?;
        self.rest = rest;
        Ok(*first)
    }

    pub(in super::super) fn number(&mut self) -> Read<u64> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(Damaged)
    }

    /// A number of a narrower type.
    pub(in super::super) fn narrow<T: TryFrom<u64>>(&mut self) -> Read<T> {
        T::try_from(self.number()?).map_err(|_| Damaged)
    }

    pub(in super::super) fn signed(&mut self) -> Read<i64> {
        let number = self.number()?;
        Ok((number >> 1) as i64 ^ -((number & 1) as i64))
    }

    pub(in super::super) fn fixed<const N2: usize>(&mut self) -> Read<[u8; N2]> {
        let (first, rest) = self.rest.split_first_chunk().ok_or(Damaged)?;
        self.rest = rest;
        Ok(*first)
    }

    pub(in super::super) fn bytes(&mut self) -> Read<&'a [u8]> {
        let length = self.narrow()?;
        let (first, rest) = self.rest.split_at_checked(length).ok_or(Damaged)?;
        self.rest = rest;
        Ok(first)
    }

    pub(in super::super) fn utf8(&mut self) -> Read<&'a str> {
        std::str::from_utf8(self.bytes()?).map_err(|_| Damaged)
    }

    pub(in super::super) fn name(&mut self) -> Read<Name> {
        match self.narrow()? {
            0 => Ok(self.utf8()?.into()),
            id => self.names.name(NameId(id)).ok_or(Damaged),
        }
    }

    pub(in super::super) fn shape(&mut self) -> Read<u64> {
        u64::from_str_radix(&self.name()?, 16).map_err(|_| Damaged)
    }

    pub(in super::super) fn list<T>(
        &mut self,
        mut each: impl FnMut(&mut Self) -> Read<T>,
    ) -> Read<Vec<T>> {
        let length: usize = self.narrow()?;
        // An item takes a byte at least: a longer list is damage, not a reason to allocate.
        if length > self.rest.len() {
            return Err(Damaged);
        }
        (0..length).map(|_| each(self)).collect()
    }
}

/// Gathers which optional values there are, so that an absent one costs a bit.
#[derive(Default)]
pub(in super::super) struct Presence {
    bits: u64,
    next: u32,
}

impl Presence {
    /// Of bits read: [`Self::take`] gives them back in the order of [`Self::put`].
    pub(in super::super) const fn of(bits: u64) -> Self {
        Self { bits, next: 0 }
    }

    pub(in super::super) const fn put(mut self, present: bool) -> Self {
        debug_assert!(self.next < 64, "more optional values than bits");
        self.bits |= (present as u64) << self.next;
        self.next += 1;
        self
    }

    pub(in super::super) const fn take(&mut self) -> bool {
        let present = self.bits >> self.next & 1 == 1;
        self.next += 1;
        present
    }

    pub(in super::super) const fn bits(&self) -> u64 {
        self.bits
    }
}
