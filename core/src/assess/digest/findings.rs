//! What is worth saying about an image's content.

use super::tally::Tally;
use super::usage::Image;
use super::{advise, cache, mirror, platform};
use crate::assess::Case;
use crate::finding::{Code, Finding, Subject};
use crate::release::Release;
use crate::report::{ImageFlag, ImageReport, ImageState};
use crate::time::counted;

/// The findings about an image, of which that was reported.
pub(super) fn found(
    case: &Case<'_>,
    release: &Release,
    image: &Image<'_>,
    tally: &Tally,
    report: &ImageReport,
) -> Vec<Finding> {
    let subject = || Subject {
        image: Some(image.name.clone()),
        ..case.subject()
    };
    let name = || match &report.tag {
        Some(tag) => format!("{}:{tag}", image.name),
        None => image.name.clone(),
    };
    let mut findings = Vec::new();
    match (report.state, &image.pinned) {
        (ImageState::Behind, Some(pinned)) => findings.push(Finding::new(
            Code::DigestPinned,
            subject(),
            format!(
                "{} is pinned to {}, and its tag has moved on",
                name(),
                pinned.short()
            ),
        )),
        (ImageState::Behind, None) => {
            findings.push(
                Finding::new(
                    Code::DigestBehind,
                    subject(),
                    behind_message(&name(), report),
                )
                .advise(advise::move_to_published(
                    case, release, image, tally, report,
                ))
                .because(advise::evidence(image, report)),
            );
            if report.digest.recorded.is_some() && report.digest.recorded == report.digest.published
            {
                findings.push(Finding::new(
                    Code::RecordLies,
                    subject(),
                    format!(
                        "the annotation says that {} was refreshed to what is published, but pods run other content: the chart's own refresh will not act",
                        name()
                    ),
                ));
            }
        }
        (ImageState::Unknown, _) => findings.push(
            Finding::new(
                Code::DigestUnknown,
                subject(),
                format!(
                    "whether {} runs its published content is unknown: {}",
                    name(),
                    report
                        .unknown
                        .as_ref()
                        .map_or("no reason given", |reason| reason.message.as_str())
                ),
            )
            .advise(advise::look_at_pods(case, image, tally)),
        ),
        (ImageState::Current | ImageState::Rolling | ImageState::Idle, _) => {}
    }
    findings.extend(cache::found(case, image, &name()));
    findings.extend(platform::found(case, image, &name()));
    findings.extend(mirror::found(case, image, &name()));
    if report.flags.contains(&ImageFlag::Skewed) && report.state == ImageState::Behind {
        findings.push(Finding::new(
            Code::DigestSkewed,
            subject(),
            format!("pods run different content of {}", name()),
        ));
    }
    findings
}

fn behind_message(name: &str, report: &ImageReport) -> String {
    let verb = if report.pods == 1 { "runs" } else { "run" };
    format!(
        "{} of {} {verb} old content of {name}",
        report.pods_behind,
        counted(u64::from(report.pods), "pod"),
    )
}
