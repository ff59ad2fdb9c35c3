//! The images of a release with their four digests: published, recorded, in the spec, running.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use tracebloc_core::image::{Digest, ImageRef, Tag};
use tracebloc_core::report::{DigestKind, ImageReport, RunningDigest};
use tracebloc_core::time::counted;

use super::title;
use crate::render::grid::{Cell, Grid};
use crate::render::rows;
use crate::render::text::{cut_middle, harmless, image_state};
use crate::render::{Detail, Look};

/// So many digits of a digest tell it from the others of a release.
const DIGITS: usize = 8;

/// From so many columns on a terminal has room for names of any length.
const ROOMY: usize = 100;

/// The most columns of a name on a narrower one: both its ends tell it, and the note has room to be broken.
const LONGEST_NAME: usize = 22;

/// The column of the recorded digests.
const RECORDED: usize = 2;

/// What stands for a digest that there is not.
const NONE: &str = "-";

pub(super) fn section(text: &mut String, images: &[ImageReport], look: &Look) {
    if images.is_empty() {
        return;
    }
    title(text, "Images", look);
    match look.detail {
        Detail::Short => short(text, images, look),
        Detail::Wide => wide(text, images, look),
    }
}

/// A text in brief: a digest by its first digits, anything else as it is.
pub(super) fn brief(text: &str) -> String {
    match Digest::parse(text) {
        Ok(digest) => digest.hex().chars().take(DIGITS).collect(),
        Err(_) => text.to_owned(),
    }
}

fn short(text: &mut String, images: &[ImageReport], look: &Look) {
    let is_narrow = look.width.is_some_and(|width| width < ROOMY);
    let longest = if is_narrow { LONGEST_NAME } else { usize::MAX };
    let is_recorded = images.iter().any(|image| image.digest.recorded.is_some());
    // A column without anything in it takes the room of those that have something.
    let is_shown = |column: usize| column != RECORDED || is_recorded || !is_narrow;
    let shown = |cells: [Cell; 6]| {
        let cells = cells.into_iter().enumerate();
        cells.filter_map(move |(column, cell)| is_shown(column).then_some(cell))
    };
    let mut grid = Grid::default();
    grid.row(shown(
        ["IMAGE", "PUBLISHED", "RECORDED", "SPEC", "RUNNING", "STATE"]
            .map(|title| Cell::new(title, look.styles.faint)),
    ));
    for image in images {
        let digest = &image.digest;
        let one = |digest: Option<&Digest>| {
            digest.map_or_else(|| NONE.to_owned(), |digest| brief(&digest.to_string()))
        };
        let running: BTreeSet<&Digest> = digest.running.iter().map(|run| &run.digest).collect();
        let running: Vec<String> = running
            .into_iter()
            .map(|digest| brief(&digest.to_string()))
            .collect();
        let running = match running.as_slice() {
            [] => NONE.to_owned(),
            [one] => one.clone(),
            several => format!("{} kinds", several.len()),
        };
        let mut state = vec![image_state(image.state).to_owned()];
        state.extend(rows::image_notes(image));
        grid.row(shown([
            Cell::from(cut_middle(&name(image), longest)),
            Cell::from(one(digest.published.as_ref())),
            Cell::from(one(digest.recorded.as_ref())),
            Cell::from(spec(image)),
            Cell::from(running),
            Cell::new(&state.join(", "), rows::image_style(image, &look.styles)),
        ]));
    }
    grid.write(text, look.width);
}

fn name(image: &ImageReport) -> String {
    match &image.tag {
        Some(tag) => format!("{}:{tag}", image.name),
        None => image.name.clone(),
    }
}

/// What the workloads' templates name: the tag that the line names already, another one, a digest, or several of these.
fn spec(image: &ImageReport) -> String {
    let own = image.tag.as_deref();
    let specs: BTreeSet<String> = image
        .references
        .iter()
        .map(|reference| match ImageRef::parse(&reference.spec) {
            Ok(image) => match (image.digest(), image.tag()) {
                (Some(digest), _) => brief(&digest.to_string()),
                (None, tag) => match tag.map_or("latest", Tag::as_str) {
                    tag if Some(tag) == own => "tag".to_owned(),
                    tag => format!(":{tag}"),
                },
            },
            Err(_) => "malformed".to_owned(),
        })
        .collect();
    match specs.len() {
        0 => NONE.to_owned(),
        1 => specs.into_iter().collect(),
        several => format!("{several} kinds"),
    }
}

/// Every digest whole, and who runs it.
fn wide(text: &mut String, images: &[ImageReport], look: &Look) {
    for image in images {
        let style = rows::image_style(image, &look.styles);
        let mut state = vec![image_state(image.state).to_owned()];
        state.extend(rows::image_notes(image));
        line!(
            text,
            "  {}  {}  {style}{}{style:#}",
            harmless(&name(image)),
            harmless(&image.repository),
            harmless(&state.join(", "))
        );
        let digest = &image.digest;
        let mut grid = Grid::default();
        for (what, digest) in [
            ("published", &digest.published),
            ("recorded", &digest.recorded),
            ("pinned", &digest.pinned),
            ("carried", &digest.carried),
        ] {
            if let Some(digest) = digest {
                grid.row([
                    Cell::from(format!("  {what}")),
                    Cell::from(digest.to_string()),
                ]);
            }
        }
        for reference in &image.references {
            grid.row([
                Cell::from("  spec"),
                Cell::from(format!("{} in {}", reference.spec, reference.workload)),
            ]);
        }
        for running in &digest.running {
            grid.row([Cell::from("  running"), Cell::from(told(running))]);
        }
        grid.write(text, None);
    }
}

fn told(running: &RunningDigest) -> String {
    let kind = match running.kind {
        DigestKind::Index => " (index)",
        DigestKind::Manifest => " (manifest)",
        DigestKind::Config => " (configuration)",
        DigestKind::Unknown => "",
    };
    let platform = running
        .platform
        .as_ref()
        .map_or_else(String::new, |platform| format!(" on {platform}"));
    let current = match running.current {
        Some(true) => "current",
        Some(false) => "old",
        None => "not compared",
    };
    format!(
        "{}{kind} in {} of {}{platform}, {current}",
        running.digest,
        counted(u64::from(running.pods), "pod"),
        running.workload
    )
}
