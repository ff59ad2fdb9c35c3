//! The test bed: a real control plane, fake nodes and a real one, a container registry and a chart repository, all on this machine.
//!
//! [`Bed::shared`] is one for all tests of a process, [`Bed::private`] one of a test's own; a [`Tenant`] is a namespace with a registry path and a
//! chart repository of its own. Nothing outlives the process that started it (see [`process`]).

pub mod admission;
pub mod api;
pub mod bed;
pub mod certificate;
pub mod chart;
pub mod chart_job;
pub mod cluster;
pub mod control_plane;
pub mod distribution;
pub mod image;
pub mod kubeconfig;
pub mod kwok;
pub mod loopback;
pub mod node;
pub mod payload;
pub mod port;
pub mod process;
pub mod progress;
pub mod proxy;
pub mod registry;
pub mod repository;
pub mod request_log;
pub mod runtime;
pub mod tenant;
pub mod tools;
pub mod tunnel;

pub use bed::{Bed, BedError};
pub use cluster::{Cluster, Helm, Output, wait_until};
pub use node::{NodeError, RealNode};
pub use tenant::{Install, Tenant};
