//! `kubectl tracebloc` and `helm tracebloc`: see the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    kubectl_tracebloc::run(std::env::args_os())
}
