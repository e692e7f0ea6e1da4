//! Cuts response bytes into events, undoes compression on a side copy, and filters what we asked for.
