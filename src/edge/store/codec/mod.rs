//! Lays out values on disk: what they are sealed with, and the coding of each kind.

pub(super) mod bytes;

pub(super) mod seal;

pub(super) mod listed;

pub(super) mod text;

pub(super) mod timing;

pub(super) mod attempt;

mod active;

mod decision;

pub(super) mod exchange;

pub(super) mod rollup;
