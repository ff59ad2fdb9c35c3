//! `cache`: what is kept on this machine.

use tracebloc_core::time::counted;

use crate::cache::{Cache, Cleared};
use crate::cli::{CacheArgs, CacheCommand};
use crate::context::Surroundings;
use crate::error::{Error, Exit};
use crate::ui::Ui;

pub(crate) fn run(ui: &Ui, args: &CacheArgs) -> Result<Exit, Error> {
    let Surroundings { cache, now } = Surroundings::of_process();
    let Some(directory) = cache else {
        return Err(Error::NoCache);
    };
    match args.command {
        CacheCommand::Clear => {
            let Cleared { files, bytes } =
                Cache::at(&directory, now)
                    .clear()
                    .map_err(|source| Error::CacheClear {
                        directory: directory.clone(),
                        source,
                    })?;
            ui.answer(&format!(
                "{} removed from {}, {}\n",
                counted(files, "file"),
                directory.display(),
                counted(bytes, "byte")
            ))?;
        }
    }
    Ok(Exit::Done)
}
