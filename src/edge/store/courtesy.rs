//! Lets the traffic go first where a long read would take its processor.

/// The lowest priority that a thread can have (setpriority(2)).
const LAST: i32 = 19;

/// Gives the calling thread the lowest priority, for as long as it lives. On Linux a priority is
/// a thread's own; where that cannot be had, reading goes on as it did.
pub fn let_traffic_go_first() {
    let _ = rustix::process::setpriority_process(None, LAST);
}
