//! Makes the words of simulated answers from a seed, so that nothing has to be kept.

/// Words that need no escaping in JSON; some are not ASCII, so that splits fall into characters.
const WORDS: [&str; 64] = [
    " the", " of", " and", " a", " to", " in", " is", " was", " it", " for", " on", " as", " with",
    " his", " they", " at", " be", " this", " have", " from", " or", " one", " had", " by", " but",
    " not", " what", " all", " were", " we", " when", " your", " can", " said", " there", " use",
    " an", " each", " which", " she", " do", " how", " their", " if", " river", " stone",
    " morning", " bridge", " letter", " winter", " garden", " window", " journey", " silver",
    " market", " story", " harbour", " naïve", " Zürich", " façade", " 東京", " дом", " ½", " 🙂",
];

/// Appends word `index` of the text that `seed` names; of `bytes` bytes, where given.
pub(super) fn push_word(out: &mut Vec<u8>, seed: u64, index: u32, bytes: Option<usize>) {
    let draw = mix(seed ^ u64::from(index).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let word = WORDS[(draw % WORDS.len() as u64) as usize];
    match bytes {
        None => out.extend_from_slice(word.as_bytes()),
        Some(bytes) => {
            let letter = b'a' + (draw % 26) as u8;
            out.resize(out.len() + bytes, letter);
        }
    }
}

/// A well-mixed number (the finaliser of `SplitMix64`, S. Vigna).
pub(super) const fn mix(seed: u64) -> u64 {
    let seed = (seed ^ (seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let seed = (seed ^ (seed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    seed ^ (seed >> 31)
}
