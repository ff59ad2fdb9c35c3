//! What is known of the installed chart version and of the values it runs with: faults that later versions do not have, and values that hold
//! a release still (DOMAIN §11, §13).

use super::{Case, breakers};
use crate::finding::{Code, Finding, Subject};
use crate::profile::Kinship;
use crate::release::{Origin, Release};
use crate::time::counted;
use crate::version::Version;

pub(super) fn judge(case: &Case<'_>, release: &Release) -> Vec<Finding> {
    if case.profile.kinship(release) != Kinship::Ours {
        return Vec::new();
    }
    let version = release.chart.version.as_ref();
    let mut findings = Vec::new();
    if let Some(version) = version {
        findings.extend(missing_fixes(case, release, version));
        if !release.is_by_labels() {
            findings.extend(channel_alias(case, release, version));
            findings.extend(frozen(case, release, version));
        }
    }
    // The rest is about values.
    if release.is_by_labels() {
        return findings;
    }
    findings.extend(pins(case, release));
    findings.extend(held(case, release));
    findings.extend(let_go(case, release));
    findings
}

/// One finding for all faults, as bad as the worst of them.
fn missing_fixes(case: &Case<'_>, release: &Release, version: &Version) -> Option<Finding> {
    let mut faults: Vec<_> = case
        .profile
        .advisories
        .iter()
        .filter(|advisory| {
            // Whether one shows that depends on values is not known without them.
            (advisory.when.is_empty() || !release.is_by_labels())
                && advisory.affects(version, &release.values)
        })
        .collect();
    faults.sort_by_key(|advisory| std::cmp::Reverse(advisory.severity));
    let worst = faults.first()?;
    let count = u64::try_from(faults.len()).unwrap_or(u64::MAX);
    let more = match count {
        1 => String::new(),
        _ => format!(", and {} more", counted(count - 1, "fault")),
    };
    let mut finding = Finding::new(
        Code::MissingFix,
        case.subject(),
        format!(
            "{version} lacks a fix of {}: {}{more}",
            worst.fixed, worst.fault
        ),
    )
    .because(
        faults
            .iter()
            .map(|advisory| format!("fixed in {}: {}", advisory.fixed, advisory.fault)),
    );
    finding.severity = worst.severity;
    Some(finding)
}

/// Charts before a version use the channel's name as the tag, and the tags of old names are not built any more (DOMAIN §3).
fn channel_alias(case: &Case<'_>, release: &Release, version: &Version) -> Option<Finding> {
    let aliases = &case.profile.channel_aliases;
    let (written, _) = release.values.text(&case.profile.values.channel)?;
    let meant = aliases.names.get(&written)?;
    (*version < aliases.since).then(|| {
        Finding::new(
            Code::ChannelAlias,
            case.subject(),
            format!(
                "the channel is `{written}`, which this chart version takes for a tag: its images are old. Versions from {} read it as `{meant}`",
                aliases.since
            ),
        )
        .because([format!("{}={written}", case.profile.values.channel)])
    })
}

/// The stored defaults lack a key that every package of this version has (DOMAIN §8).
fn frozen(case: &Case<'_>, release: &Release, version: &Version) -> Option<Finding> {
    let missing: Vec<_> = case
        .profile
        .defaults
        .iter()
        .filter(|key| key.since <= *version && !release.values.has_default(&key.value))
        .collect();
    let first = missing.first()?;
    let finding = Finding::new(
        Code::ValuesFrozen,
        case.subject(),
        format!(
            "its defaults are those of a version before {}, kept by an upgrade with --reuse-values",
            first.since
        ),
    )
    .because(
        missing
            .iter()
            .map(|key| format!("no default {}", key.value)),
    );
    Some(finding.advise(breakers::anew(case, release, None)))
}

/// Digests that the user's values hold.
fn pins(case: &Case<'_>, release: &Release) -> Vec<Finding> {
    let images = case.profile.images.iter().filter_map(|image| {
        let value = image.digest_value.as_deref()?;
        Some((image.name.as_str(), value))
    });
    images
        .filter_map(|(image, value)| {
            let (digest, origin) = release.values.text(value)?;
            (origin == Origin::User && !digest.is_empty()).then(|| {
                Finding::new(
                    Code::PinStored,
                    image_of(case, image),
                    format!(
                        "the release's value {value} holds {image} still, whatever the chart brings"
                    ),
                )
            })
        })
        .collect()
}

/// A pin of the chart's own: nothing to move.
fn held(case: &Case<'_>, release: &Release) -> Option<Finding> {
    let held = &case.profile.held;
    case.profile.holds(release).then(|| {
        Finding::new(
            Code::PinHeld,
            image_of(case, &held.image),
            format!(
                "the chart holds {} at a tested digest, behind its tag on purpose: leave it",
                held.image
            ),
        )
    })
}

/// A pin of the chart's own that a user switched off (DOMAIN §11).
fn let_go(case: &Case<'_>, release: &Release) -> Option<Finding> {
    let held = &case.profile.held;
    case.profile.lets_go(release).then(|| {
        let back = format!("{}=true", held.switch_value);
        Finding::new(
            Code::HoldReleased,
            image_of(case, &held.image),
            format!(
                "the release's value {} lets {} go from the digest that the chart holds on the channel {} on purpose: it runs what its tag points to",
                held.switch_value, held.image, held.channel
            ),
        )
        .advise(breakers::anew(case, release, Some(("--set", &back))))
        .because([format!("{}=false", held.switch_value)])
    })
}

fn image_of(case: &Case<'_>, image: &str) -> Subject {
    Subject {
        image: Some(image.to_owned()),
        ..case.subject()
    }
}

#[cfg(test)]
mod tests;
