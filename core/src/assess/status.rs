//! One release in full: what `outdated` says of it, with where it runs, what holds it, and what was done to it last.

mod pins;
mod workloads;

use super::{Question, history, outdated};
use crate::profile::{Kinship, Profile};
use crate::report::{API_VERSION, OutdatedReport, StatusReport};
use crate::snapshot::{Evidence, Snapshot};

/// Judges the first release of a snapshot; `None` where it has none.
pub fn status(snapshot: &Snapshot, profile: &Profile, question: &Question) -> Option<StatusReport> {
    let observed = snapshot.releases.first()?;
    let OutdatedReport {
        context,
        checked_at,
        mut releases,
        summary,
        mut findings,
        api_version: _,
        kind: _,
    } = outdated(snapshot, profile, question);
    if releases.is_empty() {
        return None;
    }
    let mut report = StatusReport {
        api_version: API_VERSION.to_owned(),
        kind: "StatusReport".to_owned(),
        context,
        kubernetes: snapshot.kubernetes.known().map(ToString::to_string),
        checked_at,
        release: releases.swap_remove(0),
        workloads: Vec::new(),
        pins: Vec::new(),
        changes: history::last(snapshot, profile, observed),
        summary,
        findings: Vec::new(),
    };
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    report.findings = findings;
    if let Evidence::Known(current) = observed.current() {
        report.workloads = workloads::of(snapshot, current);
        if profile.kinship(current) == Kinship::Ours {
            report.pins = pins::of(profile, current);
        }
    }
    Some(report)
}

#[cfg(test)]
mod tests;
