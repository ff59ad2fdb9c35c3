//! The certificates that a kubeconfig names or holds.

use std::path::PathBuf;

use jiff::Timestamp;
use kube::config::{AuthInfo, Cluster};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use tracebloc_core::time::age;

use crate::context::{ContextError, certificate};

/// The certificate authorities of a cluster, in DER; `None` means those of the system. Data goes before a file, as in client-go.
pub(super) fn authorities(cluster: &Cluster) -> Result<Option<Vec<Vec<u8>>>, ContextError> {
    let what = "certificate-authority";
    let pem = match (
        &cluster.certificate_authority_data,
        &cluster.certificate_authority,
    ) {
        (Some(data), _) if !data.is_empty() => decode(data, "certificate-authority-data")?,
        (_, Some(path)) if !path.is_empty() => {
            std::fs::read(path).map_err(|error| ContextError::File {
                what,
                path: PathBuf::from(path),
                source: Box::new(error),
            })?
        }
        _ => return Ok(None),
    };
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    match certificates {
        Ok(certificates) if !certificates.is_empty() => Ok(Some(
            certificates
                .into_iter()
                .map(|certificate| certificate.to_vec())
                .collect(),
        )),
        Ok(_) | Err(_) => Err(ContextError::Data { what }),
    }
}

fn decode(data: &str, what: &'static str) -> Result<Vec<u8>, ContextError> {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD
        .decode(data.trim())
        .map_err(|_| ContextError::Data { what })
}

/// The API server answers an expired certificate with a 401 that does not say why, so that it is looked at here.
pub(super) fn refuse_expired(user: &AuthInfo, name: &str) -> Result<(), ContextError> {
    let pem = match (&user.client_certificate_data, &user.client_certificate) {
        (Some(data), _) if !data.is_empty() => decode(data, "client-certificate-data")?,
        (_, Some(path)) if !path.is_empty() => {
            std::fs::read(path).map_err(|error| ContextError::File {
                what: "client-certificate",
                path: PathBuf::from(path),
                source: Box::new(error),
            })?
        }
        _ => return Ok(()),
    };
    let now = Timestamp::now();
    match certificate::expiry(&pem) {
        Some(end) if end < now => Err(ContextError::Expired {
            user: name.to_owned(),
            ago: age(now.duration_since(end)),
            at: end.to_string(),
        }),
        Some(_) | None => Ok(()),
    }
}
