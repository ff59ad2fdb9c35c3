//! Storage safety: what an uninstall would delete, and what is left of the data then (DOMAIN §6, §8).

use super::{Case, unknown};
use crate::claim::{ClaimId, DeclaredClaim, LiveClaim, ReclaimPolicy};
use crate::finding::{Code, Finding, Subject};
use crate::release::Release;
use crate::report::ClaimReport;
use crate::snapshot::{Evidence, StorageFacts};

/// Judges the claims that the stored manifest declares.
pub(super) fn judge(case: &Case<'_>, release: &Release) -> (Vec<ClaimReport>, Vec<Finding>) {
    let mut reports = Vec::new();
    let mut findings = Vec::new();
    for declared in &release.claims {
        let report = look(case.snapshot.storage.as_ref(), declared);
        findings.extend(found(case, &report));
        reports.push(report);
    }
    (reports, findings)
}

/// What is known of one claim.
fn look(storage: Option<&StorageFacts>, declared: &DeclaredClaim) -> ClaimReport {
    let mut report = ClaimReport {
        id: declared.id.clone(),
        kept: declared.kept,
        phase: None,
        volume: None,
        reclaim: None,
        unknown: None,
    };
    let Some(storage) = storage else {
        return report;
    };
    let live: Option<&LiveClaim> = match storage.claim(&declared.id) {
        Evidence::Known(live) => live,
        Evidence::Unknown(gap) => {
            report.unknown = Some(unknown(&gap));
            return report;
        }
    };
    report.phase = Some(live.map_or_else(|| "Missing".to_owned(), |live| live.phase.clone()));
    report.volume = live.and_then(|live| live.volume.clone());
    if let Some(volume) = &report.volume {
        match &storage.volumes {
            Evidence::Known(volumes) => report.reclaim = volumes.get(volume).copied(),
            Evidence::Unknown(gap) => report.unknown = Some(unknown(gap)),
        }
    }
    report
}

fn found(case: &Case<'_>, report: &ClaimReport) -> Vec<Finding> {
    let finding = |code, message: String, advice: Vec<String>| {
        let subject = Subject {
            claim: Some(report.id.clone()),
            ..case.subject()
        };
        Finding::new(code, subject, message).advise(advice)
    };
    let name = &report.id.name;
    let retain = || {
        let volume = report.volume.as_deref();
        let is_safe = report.reclaim == Some(ReclaimPolicy::Retain);
        let line = volume.map(|volume| case.advisor.retain(volume));
        line.filter(|_| !is_safe).into_iter().collect::<Vec<_>>()
    };
    let mut findings = Vec::new();
    if !report.kept {
        findings.push(finding(
            Code::PvcNotKept,
            format!("an uninstall deletes claim {name}: {}", fate(report)),
            retain(),
        ));
    }
    match (report.reclaim, &report.volume) {
        (Some(ReclaimPolicy::Retain) | None, _) | (Some(_), None) => {}
        (Some(_), Some(volume)) => findings.push(finding(
            Code::PvNotRetained,
            format!("volume {volume} goes with its claim {name}, since it is not retained"),
            retain(),
        )),
    }
    match report.phase.as_deref() {
        None | Some("Bound") => {}
        Some(phase) => findings.push(finding(
            Code::PvcNotBound,
            format!("claim {name} is {}", phase.to_lowercase()),
            vec![look_at(case, &report.id, phase)],
        )),
    }
    findings
}

/// What is left of the data after the claim is gone.
fn fate(report: &ClaimReport) -> &'static str {
    match (report.reclaim, &report.volume) {
        (Some(ReclaimPolicy::Retain), _) => "its volume stays, and must be bound again by hand",
        (Some(ReclaimPolicy::Delete), _) => "its data is deleted with it",
        (Some(ReclaimPolicy::Recycle), _) => "its data is wiped",
        (Some(ReclaimPolicy::Unknown) | None, Some(_)) => "what becomes of its volume is not known",
        (_, None) if report.unknown.is_some() => "what becomes of its data is not known",
        (_, None) => "no volume of it is known",
    }
}

fn look_at(case: &Case<'_>, claim: &ClaimId, phase: &str) -> String {
    if phase == "Missing" {
        case.advisor.claims(&claim.namespace)
    } else {
        case.advisor.describe_claim(claim)
    }
}

#[cfg(test)]
mod tests;
