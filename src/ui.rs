//! Where output goes: the answer to stdout, everything else to stderr; colour, width and verbosity.

mod screen;
mod standing;
mod text;

use std::error::Error as _;
use std::io::{self, IsTerminal as _, Write as _};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use anstyle::{AnsiColor, Style};
use tracebloc_core::finding::Severity;

use crate::cli::ColorChoice;
use crate::error::Error;

use screen::{Screen, Size};
use standing::Standing;
pub(crate) use text::{harmless, is_harmful};

/// Styles of the parts of an answer; plain where colour is off.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Styles {
    pub(crate) header: Style,
    pub(crate) good: Style,
    pub(crate) warning: Style,
    pub(crate) danger: Style,
    pub(crate) faint: Style,
}

impl Styles {
    /// No colour at all.
    pub(crate) const PLAIN: Self = Self {
        header: Style::new(),
        good: Style::new(),
        warning: Style::new(),
        danger: Style::new(),
        faint: Style::new(),
    };

    /// All colours.
    pub(crate) const COLORED: Self = Self {
        header: Style::new().bold(),
        good: AnsiColor::Green.on_default(),
        warning: AnsiColor::Yellow.on_default(),
        danger: AnsiColor::Red.on_default().bold(),
        faint: Style::new().dimmed(),
    };

    /// The style of a severity.
    pub(crate) fn of(&self, severity: Severity) -> Style {
        match severity {
            Severity::Info => self.faint,
            Severity::Warning => self.warning,
            Severity::Danger => self.danger,
        }
    }
}

/// The user's terminal, or what stands in its place.
#[derive(Debug)]
pub(crate) struct Ui {
    color: ColorChoice,
    quiet: bool,
    verbose: u8,
    started: Instant,
    screen: Mutex<Screen>,
    standing: Mutex<Standing>,
}

impl Ui {
    pub(crate) fn new(color: ColorChoice, quiet: bool, verbose: u8) -> Self {
        Self {
            color,
            quiet,
            verbose,
            started: Instant::now(),
            screen: Mutex::new(Screen::default()),
            standing: Mutex::default(),
        }
    }

    /// True if a text can be drawn over the one before: stdout is a terminal that can, and nothing is told beside it.
    pub(crate) fn can_redraw(&self) -> bool {
        self.verbose == 0
            && io::stdout().is_terminal()
            && anstyle_query::term_supports_ansi_color()
            && size(&io::stdout()).is_some()
    }

    /// Draws a text over the one that was drawn before, with a line below it.
    pub(crate) fn redraw(&self, text: &str, footer: &str) -> Result<(), Error> {
        let size = size(&io::stdout()).unwrap_or(Size {
            columns: 80,
            rows: 24,
        });
        let drawn = self
            .screen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .draw(text, footer, size);
        self.answer(&drawn)
    }

    /// Styles for stdout.
    pub(crate) fn styles(&self) -> Styles {
        let on = match self.color {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto => {
                anstream::AutoStream::choice(&io::stdout()) != anstream::ColorChoice::Never
            }
        };
        if on { Styles::COLORED } else { Styles::PLAIN }
    }

    /// The columns of the terminal that stdout is; `None` where it is none, or does not tell: then nothing is shortened.
    #[expect(
        clippy::unused_self,
        reason = "stdout belongs to the terminal that this stands for"
    )]
    pub(crate) fn width(&self) -> Option<usize> {
        columns(&io::stdout())
    }

    /// Writes the answer.
    #[expect(
        clippy::unused_self,
        reason = "stdout belongs to the terminal that this stands for"
    )]
    pub(crate) fn answer(&self, text: &str) -> Result<(), Error> {
        write_whole(&mut io::stdout().lock(), text).map_err(Error::Output)
    }

    /// Tells something that is no part of the answer.
    pub(crate) fn note(&self, text: &str) {
        if !self.quiet {
            self.to_stderr(&harmless(text));
        }
    }

    /// Tells what is being done, with the time since the start, for `-v`.
    pub(crate) fn detail(&self, text: impl FnOnce() -> String) {
        if self.verbose > 0 {
            self.to_stderr(&format!(
                "{:>6.3} s  {}",
                self.started.elapsed().as_secs_f64(),
                harmless(&text())
            ));
        }
    }

    /// Tells a failure: what, its causes, and what to do next.
    pub(crate) fn error(&self, error: &Error) {
        if error.is_silent() {
            return;
        }
        // Servers, files and clusters are quoted in what follows.
        let mut text = format!("error: {}", harmless(&error.to_string()));
        let mut cause = error.source();
        while let Some(source) = cause {
            let line = harmless(&source.to_string());
            if !text.contains(&line) {
                text.push_str("\n  caused by: ");
                text.push_str(&line);
            }
            cause = source.source();
        }
        for hint in error.hints() {
            text.push_str("\n  hint: ");
            text.push_str(&harmless(&hint));
        }
        self.to_stderr(&text);
    }

    /// Shows on a terminal that something is going on; what it returns is to be kept until then.
    pub(crate) fn progress(&self, text: &str) -> Progress<'_> {
        let erasable = io::stderr().is_terminal() && anstyle_query::term_supports_ansi_color();
        let shown = !self.quiet && self.verbose == 0 && erasable;
        let number = shown.then(|| {
            let (number, line) = self.standing().begin(text, room());
            write_stderr(&line);
            number
        });
        Progress { ui: self, number }
    }

    fn standing(&self) -> MutexGuard<'_, Standing> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn to_stderr(&self, text: &str) {
        write_stderr(&self.standing().beside(&format!("{text}\n"), room()));
    }
}

/// The characters that fit into a line of the terminal that stderr is.
fn room() -> usize {
    columns(&io::stderr()).map_or(usize::MAX, |columns| columns - 1)
}

/// Writes a text at once, however many lines it has: nothing flickers, and nobody sees half a table.
fn write_whole(output: &mut impl io::Write, text: &str) -> io::Result<()> {
    output.write_all(text.as_bytes())?;
    output.flush()
}

/// The columns of a terminal; never none at all.
fn columns(stream: &impl Terminal) -> Option<usize> {
    size(stream).map(|size| size.columns)
}

/// The size of a terminal, of which no side is nothing.
fn size(stream: &impl Terminal) -> Option<Size> {
    let (columns, rows) = terminal_size::terminal_size_of(stream)?;
    let (columns, rows) = (usize::from(columns.0), usize::from(rows.0));
    (columns > 0 && rows > 0).then_some(Size { columns, rows })
}

#[cfg(unix)]
use std::os::fd::AsFd as Terminal;
#[cfg(windows)]
use std::os::windows::io::AsHandle as Terminal;

/// Nobody is left to tell that stderr is gone.
fn write_stderr(text: &str) {
    let _gone = io::stderr().lock().write_all(text.as_bytes());
}

/// Something on the terminal that goes away when what it tells of has ended.
#[derive(Debug)]
pub(crate) struct Progress<'ui> {
    ui: &'ui Ui,
    number: Option<u64>,
}

impl Drop for Progress<'_> {
    fn drop(&mut self) {
        if let Some(number) = self.number {
            write_stderr(&self.ui.standing().end(number, room()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts how often it is written to.
    #[derive(Default)]
    struct Counter {
        writes: usize,
        flushes: usize,
    }

    impl io::Write for Counter {
        fn write(&mut self, text: &[u8]) -> io::Result<usize> {
            self.writes += 1;
            Ok(text.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            self.flushes += 1;
            Ok(())
        }
    }

    #[test]
    fn an_answer_of_many_lines_is_one_write() {
        let mut counter = Counter::default();
        write_whole(&mut counter, &"one line of 300 releases\n".repeat(600)).unwrap();
        assert_eq!((counter.writes, counter.flushes), (1, 1));
    }
}
