//! The `tollgate` program.

/// Records are made on one thread and let go of on another, which the system's allocator pays for
/// with locks: a sixth of the processor time of a short call.
#[cfg(feature = "jemalloc")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> std::process::ExitCode {
    tollgate::cli::run()
}
