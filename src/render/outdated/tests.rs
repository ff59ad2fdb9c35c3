use super::*;
use crate::render::sample;
use crate::ui::Styles;

fn look(width: Option<usize>) -> Look {
    Look {
        styles: Styles::PLAIN,
        detail: Detail::Short,
        headers: true,
        width,
    }
}

/// The lines from the headers to the last row.
fn rows_of(text: &str) -> Vec<&str> {
    text.lines()
        .skip(1)
        .take_while(|line| !line.is_empty())
        .collect()
}

/// All lines but those that are there to be copied.
fn prose(text: &str) -> Vec<&str> {
    let copied = |line: &str| line.starts_with("  helm ") || line.starts_with("  kubectl ");
    text.lines().filter(|line| !copied(line)).collect()
}

#[test]
fn a_pipe_gets_everything() {
    let text = table(&sample::report(), &look(None));
    assert!(
        rows_of(&text)[0].starts_with("NAMESPACE   RELEASE"),
        "{text}"
    );
    assert!(
        text.contains("sha256:aaaaaaaaaaaa   sha256:bbbbbbbbbbbb"),
        "{text}"
    );
    assert!(
        text.contains("https://charts.example.com did not answer within 5 seconds, installed"),
        "{text}"
    );
    assert!(
        !text.contains('…') && !text.contains("Namespace:"),
        "{text}"
    );
    assert!(text.lines().any(|line| line.len() > 120), "{text}");
}

#[test]
fn no_line_is_wider_than_the_terminal() {
    let automation = serde_json::json!({"autoUpgrade": {"state": "ok", "nextRun": "2026-02-01T14:23:00Z"}, "imageRefresh": {"state": "suspended"}});
    for width in [60, 80, 100, 120] {
        for mut report in [sample::report(), sample::fleet(300)] {
            for release in &mut report.releases {
                release.automation = Some(serde_json::from_value(automation.clone()).unwrap());
            }
            let text = table(&report, &look(Some(width)));
            for line in prose(&text) {
                assert!(width_of(line) <= width, "{width}: {line}");
            }
            assert!(rows_of(&text).len() > 5, "{text}");
            assert!(
                text.replace("\n  ", " ").contains("not images: suspended"),
                "{text}"
            );
        }
    }
}

#[test]
fn a_namespace_that_all_share_is_told_above_the_table() {
    let text = table(&sample::report(), &look(Some(80)));
    assert!(
        text.starts_with("Context: production-eu  Namespace: edge  "),
        "{text}"
    );
    assert!(rows_of(&text)[0].starts_with("RELEASE"), "{text}");
    let fleet = table(&sample::fleet(3), &look(Some(80)));
    assert!(!fleet.contains("Namespace:"), "{fleet}");
    assert!(rows_of(&fleet)[1].starts_with("customer-000"), "{fleet}");
    let bare = Look {
        headers: false,
        ..look(Some(80))
    };
    let text = table(&sample::report(), &bare);
    assert!(text.lines().all(|line| line.starts_with("edge")), "{text}");
}

#[test]
fn digests_are_shortened_before_notes_are_cut() {
    let mut report = sample::report();
    report.releases.truncate(1);
    report.findings.clear();
    let whole = table(&report, &look(None));
    let widest = rows_of(&whole).into_iter().map(width_of).max().unwrap();
    let text = table(&report, &look(Some(widest - 13)));
    assert!(
        text.contains("aaaaaaaa   bbbbbbbb ") && !text.contains("sha256"),
        "{text}"
    );
    assert!(!text.contains('…'), "{text}");
    let text = table(&report, &look(Some(80)));
    assert!(text.contains('…'), "{text}");
}

#[test]
fn what_a_cut_note_leaves_out_is_told_below() {
    let told = "docker.io did not answer within 5 seconds (digest-unknown)";
    let whole = table(&sample::report(), &look(None));
    assert!(!whole.contains(told), "the note says it: {whole}");
    let text = table(&sample::report(), &look(Some(80)));
    let joined = text.replace("\n  ", " ");
    assert!(joined.contains(told), "{text}");
}

#[test]
fn colour_takes_no_width_and_is_on_the_state() {
    for width in [None, Some(80)] {
        let plain = table(&sample::report(), &look(width));
        let colored = Look {
            styles: Styles::COLORED,
            ..look(width)
        };
        let colored = table(&sample::report(), &colored);
        assert_eq!(anstream::adapter::strip_str(&colored).to_string(), plain);
        assert!(colored.contains("\u{1b}[33mbehind\u{1b}[0m"), "{colored}");
        assert!(colored.contains("\u{1b}[32mcurrent\u{1b}[0m"), "{colored}");
    }
}

#[test]
fn the_wide_form_is_never_shortened() {
    let wide = |width| {
        let look = Look {
            detail: Detail::Wide,
            ..look(width)
        };
        table(&sample::report(), &look)
    };
    assert_eq!(rows_of(&wide(Some(80))), rows_of(&wide(None)));
    assert!(wide(Some(80)).contains(&sample::digest('a')));
}

#[test]
fn a_line_stands_under_what_says_best_what_it_is_for() {
    let title = |advice: &str| {
        let mut report = sample::report();
        report.findings[0].advice = vec![advice.to_owned()];
        let finding = |code: &str, message: &str| {
            let mut value = serde_json::to_value(&report.findings[0]).unwrap();
            value["code"] = code.into();
            value["message"] = message.into();
            serde_json::from_value::<Finding>(value).unwrap()
        };
        let fault = finding("missing-fix", "it lacks a fix");
        let blocked = finding("upgrade-blocked", "an upgrade fails");
        report.findings.insert(0, fault);
        report.findings.push(blocked);
        let text = table(&report, &look(None));
        let next = text.split("Next\n").nth(1).unwrap().to_owned();
        assert_eq!(next.matches(advice).count(), 1, "{next}");
        next.lines().next().unwrap().to_owned()
    };
    let behind =
        "  # edge/behind: client 1.9.28 is 2 versions behind 1.9.51, installed 98 days ago";
    assert_eq!(title("helm upgrade behind client"), behind);
    assert_eq!(
        title("helm upgrade behind client --dry-run=server"),
        format!("{behind}; this line only tries the upgrade, see upgrade-blocked")
    );
    assert_eq!(
        title("kubectl get persistentvolumeclaims"),
        "  # edge/behind: an upgrade fails"
    );
}
