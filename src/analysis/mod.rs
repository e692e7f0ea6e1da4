//! Judges answers, judges policies on recorded traffic, arranges and renders reports.

pub mod tables;

pub mod render;
