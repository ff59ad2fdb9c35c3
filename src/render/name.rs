//! `-o name`: the releases with something behind, to be fed to other programs.

use std::fmt::Write as _;

use tracebloc_core::report::OutdatedReport;

/// One line `release/NAMESPACE/NAME` for each release of which something is behind: a kind and a name as kubectl prints them, with the
/// namespace between, since a release is known by both.
pub(crate) fn names(report: &OutdatedReport) -> String {
    let mut text = String::new();
    for release in &report.releases {
        if release.is_behind() {
            line!(text, "release/{}", release.id());
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::sample;

    #[test]
    fn only_what_is_behind_is_named() {
        let text = names(&sample::report());
        assert_eq!(text, "release/edge/behind\n");
    }
}
