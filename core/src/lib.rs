//! What is true and what may be done: the pure core of kubectl-tracebloc.
//!
//! Facts come in as a [`snapshot::Snapshot`]; [`assess`] turns them into a [`report`] with [`finding`]s, and [`advice`] says what to type next.
//! Nothing here does I/O, reads the environment or looks at a clock, so that every judgement can be tested on plain data (DESIGN §1, §5).

pub mod advice;
pub mod assess;
pub mod change;
pub mod claim;
pub mod cronjob;
pub mod edit;
pub mod finding;
pub mod image;
pub mod index;
pub mod labels;
pub mod manifest;
pub mod name;
mod nearest;
pub mod ownership;
pub mod plan;
pub mod profile;
pub mod release;
pub mod report;
pub mod rights;
pub mod snapshot;
pub mod time;
pub mod version;
pub mod workload;
pub mod yaml;
