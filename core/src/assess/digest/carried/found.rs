//! What is worth saying about an image that an environment carries.

use super::{Carried, Mover};
use crate::assess::Case;
use crate::assess::digest::advise;
use crate::finding::{Code, Finding, Subject};
use crate::release::Release;
use crate::report::{ImageReport, ImageState};

/// The findings about an image, of which that was reported.
pub(super) fn found(
    case: &Case<'_>,
    release: &Release,
    carried: &Carried<'_>,
    report: &ImageReport,
) -> Vec<Finding> {
    let subject = || Subject {
        image: Some(carried.image.name.clone()),
        ..case.subject()
    };
    let name = carried.name();
    let workload = &carried.container.workload;
    let mut findings = Vec::new();
    match (report.state, carried.mover) {
        (ImageState::Behind, Mover::Refresh) => {
            let is_recorded = report.digest.recorded.is_some();
            let advice = advise::refresh(case, release, &report.name, is_recorded);
            let facts = [
                ("published", &report.digest.published),
                ("carried", &carried.digest),
            ];
            findings.push(
                Finding::new(
                    Code::DigestBehind,
                    subject(),
                    format!("the environment of {workload} names old content of {name}"),
                )
                .advise(vec![advice])
                .because(facts.into_iter().filter_map(|(what, digest)| {
                    Some(format!("{what}: {}", digest.as_ref()?))
                })),
            );
            if report.digest.recorded.is_some() && report.digest.recorded == report.digest.published
            {
                findings.push(Finding::new(
                    Code::RecordLies,
                    subject(),
                    format!("the annotation says that {name} was refreshed to what is published, but the environment of {workload} names other content: the chart's own refresh will not act"),
                ));
            }
        }
        (ImageState::Behind, Mover::Values | Mover::ValuesOrNobody) => findings.push(Finding::new(
            Code::DigestPinned,
            subject(),
            format!(
                "{name} is pinned{} in the environment of {workload}, and its tag has moved on",
                carried
                    .digest
                    .as_ref()
                    .map_or_else(String::new, |digest| format!(" to {}", digest.short()))
            ),
        )),
        (ImageState::Unknown, _) => findings.push(Finding::new(
            Code::DigestUnknown,
            subject(),
            format!(
                "whether the environment of {workload} names the published content of {name} is unknown: {}",
                report
                    .unknown
                    .as_ref()
                    .map_or("no reason given", |reason| reason.message.as_str())
            ),
        )),
        // What is held is told by what holds it; and of what may be a pin nothing is said.
        (ImageState::Behind, Mover::Nobody | Mover::Unknown)
        | (ImageState::Current | ImageState::Rolling | ImageState::Idle, _) => {}
    }
    let unserved = carried.unserved(case.snapshot);
    if let Some(first) = unserved.first() {
        findings.push(
            Finding::new(
                Code::PlatformMissing,
                subject(),
                format!("the digest of {name} in the environment of {workload} has no image for {first}, which nodes of this cluster are: what starts there cannot pull it"),
            )
            .advise(vec![case.advisor.nodes()])
            .because(unserved.iter().map(|platform| format!("nothing for {platform}"))),
        );
    }
    findings
}
