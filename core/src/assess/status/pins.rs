//! The values that keep images from moving: digests, the pin that the chart holds itself, and opt-outs from its refresh.

use crate::profile::Profile;
use crate::release::{Origin, Release};
use crate::report::{PinKind, PinReport, TagSource};

/// The pins in force.
pub(super) fn of(profile: &Profile, release: &Release) -> Vec<PinReport> {
    let pin = |image: &str, pin: PinKind, value: &str| {
        let (text, origin) = release.values.text(value)?;
        (!text.is_empty()).then(|| PinReport {
            image: image.to_owned(),
            pin,
            value: value.to_owned(),
            text,
            source: match origin {
                Origin::User => TagSource::Value,
                Origin::Chart => TagSource::Default,
            },
        })
    };
    let digests = profile.images.iter().filter_map(|image| {
        let runs = image.carried.is_some()
            || release.workloads.iter().any(|workload| {
                workload.containers.iter().any(|container| {
                    profile
                        .image_of(&release.head.id.name, &workload.id, &container.name)
                        .is_some_and(|found| found.name == image.name)
                })
            });
        let value = image.digest_value.as_deref().filter(|_| runs)?;
        pin(&image.name, PinKind::Digest, value)
    });
    let held = &profile.held;
    let by_chart = profile
        .holds(release)
        .then(|| pin(&held.image, PinKind::Held, &held.digest_value))
        .flatten();
    let opt_outs = profile
        .opt_outs
        .iter()
        .filter(|opt_out| opt_out.is_in_force(release))
        .filter_map(|opt_out| pin(&opt_out.image, PinKind::OptOut, &opt_out.value));
    digests.chain(by_chart).chain(opt_outs).collect()
}
