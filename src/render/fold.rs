//! Findings of which the same is to be said: images that one cause keeps from being known share a line.

use tracebloc_core::finding::Finding;

use super::text::harmless;

/// What stands between what is not known and why.
const UNKNOWN: &str = " is unknown: ";

/// A finding, and the other images of which it is true.
pub(super) struct Told<'a> {
    pub(super) finding: &'a Finding,
    others: Vec<&'a str>,
}

impl Told<'_> {
    /// The message, harmless for a terminal.
    pub(super) fn message(&self) -> String {
        let message = harmless(&self.finding.message);
        match self.others.split_last() {
            None => message,
            Some((last, [])) => format!("{message}; so with {}", harmless(last)),
            Some((last, rest)) => format!(
                "{message}; so with {} and {}",
                harmless(&rest.join(", ")),
                harmless(last)
            ),
        }
    }
}

/// The findings in their order, those that differ in the image only under the first of them.
pub(super) fn fold<'a>(findings: impl IntoIterator<Item = &'a Finding>) -> Vec<Told<'a>> {
    let mut told: Vec<Told<'a>> = Vec::new();
    for finding in findings {
        let earlier = told.iter_mut().find(|told| is_alike(told.finding, finding));
        match (earlier, &finding.subject.image) {
            (Some(earlier), Some(image)) => earlier.others.push(image),
            (Some(_) | None, _) => told.push(Told {
                finding,
                others: Vec::new(),
            }),
        }
    }
    told
}

fn is_alike(one: &Finding, other: &Finding) -> bool {
    let of = |finding: &Finding| {
        (
            finding.code,
            finding.severity,
            finding.subject.release.clone(),
            finding.advice.clone(),
        )
    };
    match (cause(one), cause(other)) {
        (Some(first), Some(second)) => first == second && of(one) == of(other),
        _ => false,
    }
}

/// Why it is not known, without the repositories, in which the images differ.
fn cause(finding: &Finding) -> Option<Vec<&str>> {
    finding.subject.image.as_ref()?;
    let (_, cause) = finding.message.split_once(UNKNOWN)?;
    let quoted = |(number, part): &(usize, &str)| number % 2 == 0 || !part.contains('/');
    let parts = cause.split('`').enumerate().filter(quoted);
    Some(parts.map(|(_, part)| part).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn finding(image: &str, message: &str) -> Finding {
        let value = json!({
            "code": "cache-unconfirmed", "severity": "info", "message": message,
            "subject": {"image": image}, "evidence": [], "advice": [],
        });
        serde_json::from_value(value).unwrap()
    }

    fn messages(findings: &[Finding]) -> Vec<String> {
        fold(findings).iter().map(Told::message).collect()
    }

    #[test]
    fn images_with_one_cause_share_a_line() {
        let unreachable = |image: &str| {
            finding(
                image,
                &format!(
                    "what {image}:1 has is unknown: `host:9` cannot be reached for `host:9/x/{image}`: refused"
                ),
            )
        };
        let absent = finding("d", "what d:1 has is unknown: `host:9` has no `1` of `x/d`");
        let findings = [unreachable("a"), unreachable("b"), absent, unreachable("c")];
        assert_eq!(
            messages(&findings),
            [
                "what a:1 has is unknown: `host:9` cannot be reached for `host:9/x/a`: refused; so with b and c",
                "what d:1 has is unknown: `host:9` has no `1` of `x/d`",
            ]
        );
    }

    #[test]
    fn what_is_known_stands_for_itself() {
        let findings = [finding("a", "the same"), finding("b", "the same")];
        assert_eq!(messages(&findings), ["the same", "the same"]);
    }
}
