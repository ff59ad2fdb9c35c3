//! Why Helm did not do what it was to do.

use std::io;

/// Why Helm did not do what it was to do.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HelmError {
    /// There is none.
    #[error("there is no `helm`: neither did one call us, nor is one on the PATH")]
    Missing,
    /// It could not be started, or spoken with.
    #[error("`helm` cannot be run")]
    Run(#[source] io::Error),
    /// It said no version, or took too long.
    #[error("`helm version` says no version")]
    NoVersion,
    /// It cannot keep values over new defaults.
    #[error(
        "`helm` is of version {major}.{minor}; 3.14 is the first that can keep values and take the chart's defaults anew"
    )]
    TooOld {
        /// Its major version.
        major: u64,
        /// Its minor version.
        minor: u64,
    },
    /// What it is told cannot be written down.
    #[error("what `helm` is told could not be written")]
    File(#[source] io::Error),
    /// The credentials have a form that no kubeconfig can hold.
    #[error("no kubeconfig can be made of the credentials")]
    Kubeconfig,
    /// It ended with an error.
    #[error("`helm upgrade` failed: {said}")]
    Failed {
        /// What it said, in one line and without values of the release.
        said: String,
        /// True if it was asked to end.
        was_stopped: bool,
    },
}

impl HelmError {
    /// True if the workstation is to blame, and nothing was begun.
    pub(crate) fn is_workstation(&self) -> bool {
        !matches!(self, Self::Failed { .. })
    }

    /// What to do next.
    pub(crate) fn hints(&self) -> Vec<String> {
        match self {
            Self::Missing | Self::TooOld { .. } | Self::NoVersion => vec![
                "install Helm 3.14 or later, or Helm 4, and call again".to_owned(),
            ],
            Self::Failed { .. } => vec![
                "Helm was told to go back to the revision before by itself; look at what became of it with `helm history`"
                    .to_owned(),
            ],
            Self::Run(_) | Self::File(_) | Self::Kubeconfig => Vec::new(),
        }
    }
}
