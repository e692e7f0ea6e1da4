//! Plays providers with stamped timing and faults, and tells Tollgate's own measuring error.
