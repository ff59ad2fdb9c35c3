//! The most requests that each host gets.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};

use super::error::{Endpoint, HttpError};

/// How many requests each host has had, and how many it may have. Repeated requests and redirects count, as they do for the host.
#[derive(Debug)]
pub(super) struct Budget {
    limit: NonZeroU32,
    spent: Mutex<HashMap<Endpoint, u32>>,
}

impl Budget {
    /// So many for each host.
    pub(super) fn new(limit: NonZeroU32) -> Self {
        Self {
            limit,
            spent: Mutex::default(),
        }
    }

    /// Counts a request that is about to be sent; an error where it must not be.
    pub(super) fn spend(&self, endpoint: &Endpoint) -> Result<(), HttpError> {
        let mut spent = self.spent.lock().unwrap_or_else(PoisonError::into_inner);
        let spent = spent.entry(endpoint.clone()).or_default();
        if *spent >= self.limit.get() {
            return Err(HttpError::Budget {
                endpoint: endpoint.clone(),
                limit: self.limit,
            });
        }
        *spent += 1;
        Ok(())
    }
}
