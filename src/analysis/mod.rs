//! Arranges and renders reports.
