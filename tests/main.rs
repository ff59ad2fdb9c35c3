//! The tests of the product on the real test bed: one binary, one file a capability, one shared control plane.
#![expect(missing_docs, reason = "tests speak for themselves")]

mod architecture;
mod docs;
mod outdated_advice;
mod outdated_chart;
mod outdated_digest;
mod outdated_faults;
mod outdated_input;
mod outdated_scope;
mod support;
