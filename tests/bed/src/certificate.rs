//! The certificates of a bed: one authority, and what it signs.

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType, date_time_ymd,
};

/// The group whose members may do everything in Kubernetes.
pub const SYSTEM_MASTERS: &str = "system:masters";

/// A certificate could not be made.
#[derive(Debug, thiserror::Error)]
#[error("cannot make the certificate of `{subject}`")]
pub struct CertificateError {
    /// The common name of the certificate.
    pub subject: String,
    /// What the library said.
    pub source: rcgen::Error,
}

/// A certificate and its private key, both in PEM.
#[derive(Clone)]
pub struct Pair {
    /// The certificate.
    pub certificate: String,
    /// The private key (PKCS #8).
    pub key: String,
}

impl std::fmt::Debug for Pair {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Pair { .. }")
    }
}

/// When a certificate is valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Validity {
    /// Now, and for years.
    Current,
    /// It was valid once: what a user sees whose kubeconfig is old.
    Expired,
}

/// A certificate authority.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: String,
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Authority { .. }")
    }
}

impl Authority {
    /// Makes a new authority of that name.
    pub fn new(name: &str) -> Result<Self, CertificateError> {
        let failed = |source| CertificateError {
            subject: name.to_owned(),
            source,
        };
        let mut params = params(name, Validity::Current);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![
            KeyUsagePurpose::DigitalSignature,
            KeyUsagePurpose::KeyCertSign,
            KeyUsagePurpose::CrlSign,
        ];
        let key = KeyPair::generate().map_err(failed)?;
        let certificate = params.self_signed(&key).map_err(failed)?.pem();
        Ok(Self {
            issuer: Issuer::new(params, key),
            certificate,
        })
    }

    /// The certificate of the authority, in PEM.
    pub fn certificate(&self) -> &str {
        &self.certificate
    }

    /// A certificate for a server. Each name is a DNS name or an IP address.
    pub fn server(&self, name: &str, names: &[&str]) -> Result<Pair, CertificateError> {
        let failed = |source| CertificateError {
            subject: name.to_owned(),
            source,
        };
        let mut params = params(name, Validity::Current);
        for name in names {
            params.subject_alt_names.push(match name.parse() {
                Ok(address) => SanType::IpAddress(address),
                Err(_) => SanType::DnsName((*name).try_into().map_err(failed)?),
            });
        }
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self.sign(name, &params)
    }

    /// A certificate for a client. Kubernetes takes the common name as the user and the organisation as a group.
    pub fn client(
        &self,
        user: &str,
        group: Option<&str>,
        validity: Validity,
    ) -> Result<Pair, CertificateError> {
        let mut params = params(user, validity);
        if let Some(group) = group {
            params
                .distinguished_name
                .push(DnType::OrganizationName, group);
        }
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.sign(user, &params)
    }

    fn sign(&self, subject: &str, params: &CertificateParams) -> Result<Pair, CertificateError> {
        let failed = |source| CertificateError {
            subject: subject.to_owned(),
            source,
        };
        let key = KeyPair::generate().map_err(failed)?;
        let certificate = params.signed_by(&key, &self.issuer).map_err(failed)?.pem();
        Ok(Pair {
            certificate,
            key: key.serialize_pem(),
        })
    }
}

/// A new key that signs the tokens of service accounts: private (PKCS #8) and public, both in PEM.
pub fn signing_key() -> Result<(String, String), CertificateError> {
    let key = KeyPair::generate().map_err(|source| CertificateError {
        subject: "service accounts".to_owned(),
        source,
    })?;
    Ok((key.serialize_pem(), key.public_key_pem()))
}

/// What all certificates have in common. The dates are fixed: the bed lives for minutes, and its files never leave the machine.
fn params(name: &str, validity: Validity) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.key_usages = vec![
        KeyUsagePurpose::DigitalSignature,
        KeyUsagePurpose::KeyEncipherment,
    ];
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = match validity {
        Validity::Current => date_time_ymd(2120, 1, 1),
        Validity::Expired => date_time_ymd(2021, 1, 1),
    };
    params
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_and_a_name_both_fit_into_a_server_certificate() {
        let authority = Authority::new("test").unwrap();
        let pair = authority
            .server("server", &["127.0.0.1", "localhost"])
            .unwrap();
        assert!(pair.certificate.starts_with("-----BEGIN CERTIFICATE-----"));
        assert!(pair.key.starts_with("-----BEGIN PRIVATE KEY-----"));
    }

    #[test]
    fn private_keys_are_not_printed() {
        let pair = Authority::new("test")
            .unwrap()
            .client("someone", None, Validity::Expired)
            .unwrap();
        assert!(!format!("{pair:?}").contains("PRIVATE"));
    }
}
