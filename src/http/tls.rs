//! What a server's certificate is held against, and by which certificate we are known, where the user says so for one server.

use std::fmt;

use reqwest::{Certificate, ClientBuilder, Identity};

use super::ExtraRoots;

/// The user's TLS options for one server.
#[derive(Clone, Default)]
pub(crate) struct TlsOptions {
    /// The authorities that are trusted in place of the system's.
    pub(crate) authorities: Option<Vec<Certificate>>,
    /// The client's certificate and key.
    pub(crate) identity: Option<Identity>,
    /// True if the server's certificate is not checked.
    pub(crate) insecure: bool,
}

impl fmt::Debug for TlsOptions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("TlsOptions")
            .field("authorities", &self.authorities.as_ref().map(Vec::len))
            .field("identity", &self.identity.is_some())
            .field("insecure", &self.insecure)
            .finish()
    }
}

impl TlsOptions {
    /// A client under construction with these options; `roots` are trusted beside the system's, where these options name none.
    pub(super) fn apply(&self, builder: ClientBuilder, roots: &ExtraRoots) -> ClientBuilder {
        let mut builder = match &self.authorities {
            Some(authorities) => builder.tls_certs_only(authorities.iter().cloned()),
            None => builder.tls_certs_merge(roots.certificates()),
        };
        if let Some(identity) = &self.identity {
            builder = builder.identity(identity.clone());
        }
        builder.tls_danger_accept_invalid_certs(self.insecure)
    }
}
