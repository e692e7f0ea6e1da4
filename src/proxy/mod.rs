//! Takes one request through the street.
