//! Being told to stop (SIGINT, SIGTERM). A reading command stops at once. One that changes something ends the request under way, stops waiting and
//! says where it stands; told a second time it stops at once too (DESIGN §7).

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::watch;

/// What was told so far.
#[derive(Debug)]
pub(crate) struct Interrupt {
    told: watch::Sender<u32>,
    deferred: AtomicBool,
}

impl Interrupt {
    /// Begins with nothing told.
    pub(crate) fn new() -> Self {
        Self {
            told: watch::Sender::new(0),
            deferred: AtomicBool::new(false),
        }
    }

    /// From now on the first word is heeded by whoever asks [`Self::asked`], and only the second stops everything.
    pub(crate) fn defer(&self) {
        self.deferred.store(true, Ordering::Relaxed);
    }

    /// Waits until whatever is going on is to be ended in good order.
    pub(crate) async fn asked(&self) {
        self.told_times(1).await;
    }

    /// True once that is so.
    pub(crate) fn is_asked(&self) -> bool {
        *self.told.borrow() > 0
    }

    /// Waits until everything is to stop, however it stands.
    pub(crate) async fn stop(&self) {
        self.told_times(1).await;
        if self.deferred.load(Ordering::Relaxed) {
            self.told_times(2).await;
        }
    }

    async fn told_times(&self, times: u32) {
        let mut told = self.told.subscribe();
        // The sender lives as long as we do.
        let _told = told.wait_for(|count| *count >= times).await;
    }

    /// Counts the signals, for ever.
    #[cfg(unix)]
    pub(crate) async fn listen(&self) {
        use tokio::signal::unix::{SignalKind, signal};
        let signals = (
            signal(SignalKind::interrupt()),
            signal(SignalKind::terminate()),
        );
        let (Ok(mut interrupt), Ok(mut terminate)) = signals else {
            // Without handlers the system's own way to end us stands.
            return std::future::pending().await;
        };
        loop {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            self.told.send_modify(|count| *count += 1);
        }
    }

    /// Counts the signals, for ever.
    #[cfg(not(unix))]
    pub(crate) async fn listen(&self) {
        while tokio::signal::ctrl_c().await.is_ok() {
            self.told.send_modify(|count| *count += 1);
        }
        std::future::pending().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    async fn is_stopped(interrupt: &Interrupt) -> bool {
        tokio::time::timeout(Duration::from_millis(20), interrupt.stop())
            .await
            .is_ok()
    }

    #[tokio::test]
    async fn the_first_word_stops_a_reading_command_and_the_second_any() {
        let interrupt = Interrupt::new();
        assert!(!is_stopped(&interrupt).await);
        interrupt.told.send_modify(|count| *count += 1);
        assert!(is_stopped(&interrupt).await);
        interrupt.defer();
        assert!(!is_stopped(&interrupt).await);
        assert!(interrupt.is_asked());
        interrupt.told.send_modify(|count| *count += 1);
        assert!(is_stopped(&interrupt).await);
    }
}
