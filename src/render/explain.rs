//! The codes of findings, explained.

use std::fmt::Write as _;

use tracebloc_core::finding::{Code, Explanation, Severity};

use super::text::{pad, width_of, wrap};
use crate::ui::Styles;

/// Lines longer than this are hard to read, however wide the terminal is.
const COMFORTABLE: usize = 100;

/// How far the text stands from the left.
const INDENT: &str = "  ";

/// One code in full; on a terminal, whose width is given, its lines are broken between words.
pub(crate) fn one(code: Code, styles: &Styles, width: Option<usize>) -> String {
    let Explanation {
        rests_on,
        cause,
        consequence,
        next_step,
    } = code.explanation();
    let (header, style) = (styles.header, styles.of(code.severity()));
    let mut text = format!(
        "{header}{code}{header:#}  {style}{}{style:#}\n",
        code.severity()
    );
    for (title, body) in [
        ("What it means", code.meaning()),
        ("What it rests on", rests_on),
        ("How it comes about", cause),
        ("What follows", consequence),
        ("What to do", next_step),
    ] {
        text += &format!("\n{header}{title}{header:#}\n");
        let width = width.map(|width| width.min(COMFORTABLE));
        for line in wrap(&format!("{INDENT}{body}"), width, INDENT) {
            line!(text, "{line}");
        }
    }
    text
}

/// Every code with its severity, one a line.
pub(crate) fn all(styles: &Styles) -> String {
    let code_width = widest(Code::ALL.iter().map(|code| code.as_str()));
    let severity_width = widest(Severity::ALL.iter().map(|severity| severity.as_str()));
    let mut text = String::new();
    for code in Code::ALL {
        let style = styles.of(code.severity());
        line!(
            text,
            "{}   {style}{}{style:#}   {}",
            pad(code.as_str(), code_width),
            pad(code.severity().as_str(), severity_width),
            code.meaning()
        );
    }
    text
}

fn widest<'text>(texts: impl Iterator<Item = &'text str>) -> usize {
    texts.map(width_of).max().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_s_lines_are_broken_and_a_pipe_s_are_not() {
        for width in [40, 80] {
            let text = one(Code::DigestBehind, &Styles::PLAIN, Some(width));
            assert!(text.lines().all(|line| width_of(line) <= width), "{text}");
            assert!(text.contains("\n  Pods run other content"), "{text}");
        }
        let text = one(Code::DigestBehind, &Styles::PLAIN, None);
        assert_eq!(text.lines().count(), 16, "{text}");
        assert!(text.starts_with("digest-behind  warning\n"), "{text}");
    }

    #[test]
    fn the_list_has_every_code() {
        let text = all(&Styles::PLAIN);
        assert_eq!(text.lines().count(), Code::ALL.len());
        for code in Code::ALL {
            assert!(text.contains(code.meaning()), "{code}");
        }
    }
}
