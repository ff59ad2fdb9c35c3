//! The one background runtime of the bed.
//!
//! Tests are plain functions; what must be asynchronous (the admission webhook, requests to the API server) runs here, and
//! callers block.

use std::sync::OnceLock;

use tokio::runtime::{Builder, Runtime};

static RUNTIME: OnceLock<Runtime> = OnceLock::new();

/// The background runtime, started at the first call.
///
/// The cryptography that TLS uses is chosen here as well: every TLS connection of the bed comes after this call.
///
/// # Panics
/// Where the system gives no threads: nothing of the bed could run then.
#[expect(
    clippy::expect_used,
    reason = "without threads there is no bed, and no caller could go on"
)]
pub fn runtime() -> &'static Runtime {
    RUNTIME.get_or_init(|| {
        // An earlier choice of the test program stands.
        let _already_chosen = rustls::crypto::ring::default_provider().install_default();
        Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("bed")
            .enable_all()
            .build()
            .expect("the system starts threads")
    })
}

/// Runs a future on the background runtime and waits for it.
pub fn block_on<F: Future>(future: F) -> F::Output {
    runtime().block_on(future)
}
