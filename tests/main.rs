//! The tests of the product on the real test bed: one binary, one file a capability, one shared control plane.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a helper of a test fails as its test does"
)]

mod architecture;
mod bed_charts;
mod bed_proxy;
mod chaos;
mod docs;
mod history;
mod labels;
mod outdated_advice;
mod outdated_automation;
mod outdated_cache;
mod outdated_carried;
mod outdated_chart;
mod outdated_connection;
mod outdated_digest;
mod outdated_faults;
mod outdated_image;
mod outdated_index;
mod outdated_input;
mod outdated_knowledge;
mod outdated_mirror;
mod outdated_node;
mod outdated_oci;
mod outdated_outputs;
mod outdated_repositories;
mod outdated_revisions;
mod outdated_rights;
mod outdated_scope;
mod outdated_values;
mod pin;
mod pin_faults;
mod refresh;
mod refresh_any_chart;
mod refresh_back;
mod refresh_chart_script;
mod refresh_faults;
mod refresh_generations;
mod refresh_guards;
mod refresh_meanwhile;
mod refresh_node;
mod refresh_odd_workloads;
mod refresh_parallel;
mod refresh_pause;
mod refresh_prompt;
mod refresh_ready;
mod refresh_requests;
mod refresh_rights;
mod refresh_runs;
mod refresh_tag;
mod refresh_wishes;
mod registry_credentials;
mod registry_memory;
mod registry_requests;
mod status;
mod storage;
mod support;
mod traps;
mod watch;
