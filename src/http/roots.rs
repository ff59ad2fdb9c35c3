//! Certificate authorities that the user trusts beside those of the system.

use std::path::{Path, PathBuf};

use reqwest::Certificate;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

/// Further certificate authorities.
#[derive(Debug, Clone, Default)]
pub(crate) struct ExtraRoots(Vec<Certificate>);

/// Why a file of certificate authorities is of no use.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RootsError {
    /// It cannot be read.
    #[error("the file `{}` of --ca-file cannot be read", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// There is no certificate in it.
    #[error("the file `{}` of --ca-file holds no certificate (PEM)", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// One of its certificates cannot be read.
    #[error("certificate {number} of the file `{}` of --ca-file is damaged", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Which one, from 1.
        number: usize,
    },
}

impl ExtraRoots {
    /// Reads a file of certificates in PEM. Whatever else is in it is passed over.
    pub(crate) fn read(path: &Path) -> Result<Self, RootsError> {
        let pem = std::fs::read(path).map_err(|source| RootsError::Unreadable {
            path: path.to_owned(),
            source,
        })?;
        let mut roots = Vec::new();
        for (place, certificate) in CertificateDer::pem_slice_iter(&pem).enumerate() {
            let damaged = || RootsError::Damaged {
                path: path.to_owned(),
                number: place + 1,
            };
            let certificate = certificate.map_err(|_| damaged())?;
            // Otherwise it would only show when the client is made, without the file's name.
            RootCertStore::empty()
                .add(certificate.clone())
                .map_err(|_| damaged())?;
            roots.push(Certificate::from_der(&certificate).map_err(|_| damaged())?);
        }
        if roots.is_empty() {
            return Err(RootsError::Empty {
                path: path.to_owned(),
            });
        }
        Ok(Self(roots))
    }

    /// The certificates, for a client.
    pub(super) fn certificates(&self) -> impl Iterator<Item = Certificate> {
        self.0.iter().cloned()
    }
}
