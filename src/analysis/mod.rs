//! Judges answers, judges policies on recorded traffic, arranges and renders reports.

pub mod scoring;

pub mod replay;

pub mod watch;

pub mod tables;

pub mod paper;

pub mod render;

pub mod reports;
