//! Which token services credentials may be sent to: a registry names its own, and a hostile one could name anything.

use std::net::IpAddr;

use crate::http::{Reach, SafeUrl, resolve};

/// Why a token service is not asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RealmError {
    /// It is no URL of a web server.
    #[error("it is not a valid URL")]
    Malformed,
    /// It has a user name or a password in it.
    #[error("its URL carries credentials of its own")]
    UserInfo,
    /// It is asked over http, and the registry is not.
    #[error("it is not asked over https")]
    Insecure,
    /// It is at an address that hands out secrets of the machine.
    #[error("it is at a link-local or metadata address")]
    LinkLocal,
    /// It is on a private network or this machine, and the registry is not.
    #[error("it is at a private address, and the registry is not")]
    Private,
}

/// Judges the realm that the registry at `registry` named, by its text and by the addresses of its name.
pub(super) async fn accept(realm: &str, registry: &SafeUrl) -> Result<SafeUrl, RealmError> {
    let realm = SafeUrl::parse(realm).map_err(|_| RealmError::Malformed)?;
    let (url, own) = (realm.as_url(), registry.as_url());
    if !url.username().is_empty() || url.password().is_some() {
        return Err(RealmError::UserInfo);
    }
    if url.scheme() != "https" && own.scheme() == "https" {
        return Err(RealmError::Insecure);
    }
    let named = Reach::of_host(url);
    if named == Some(Reach::LinkLocal) {
        return Err(RealmError::LinkLocal);
    }
    // The registry's own host has the credentials anyhow.
    if url.host() == own.host() {
        return Ok(realm);
    }
    judge(&resolve(&realm).await, &resolve(registry).await)?;
    Ok(realm)
}

/// The rule for addresses. A name without addresses is resolved by a proxy, if at all, and passes.
fn judge(realm: &[IpAddr], registry: &[IpAddr]) -> Result<(), RealmError> {
    let near = |address: &IpAddr| matches!(Reach::of(*address), Reach::Private | Reach::Loopback);
    if realm
        .iter()
        .any(|address| Reach::of(*address) == Reach::LinkLocal)
    {
        Err(RealmError::LinkLocal)
    } else if realm.iter().any(near) && !(registry.iter().any(near)) {
        Err(RealmError::Private)
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_safe_realms_are_accepted() {
        use RealmError::{Insecure, LinkLocal, Malformed, Private, UserInfo};
        let public = "https://192.0.2.1/";
        let private = "https://10.0.0.1:5000/";
        let plain = "http://127.0.0.1:5000/";
        for (realm, registry, verdict) in [
            ("https://192.0.2.1/token", public, Ok(())),
            ("https://198.51.100.7/token", public, Ok(())),
            ("http://192.0.2.1/token", public, Err(Insecure)),
            ("token", public, Err(Malformed)),
            ("file:///etc/passwd", public, Err(Malformed)),
            ("https://u:p@192.0.2.1/", public, Err(UserInfo)),
            ("https://10.0.0.2/token", public, Err(Private)),
            ("https://127.0.0.1/token", public, Err(Private)),
            ("https://[::1]/token", public, Err(Private)),
            ("https://10.0.0.2/token", private, Ok(())),
            ("http://10.0.0.1:5001/token", private, Err(Insecure)),
            ("http://127.0.0.1:5001/token", plain, Ok(())),
            ("http://127.0.0.2/token", plain, Ok(())),
            ("https://169.254.169.254/", public, Err(LinkLocal)),
            ("http://169.254.169.254/", plain, Err(LinkLocal)),
            ("https://[fe80::1]/", private, Err(LinkLocal)),
            ("https://metadata.google.internal/", private, Err(LinkLocal)),
        ] {
            let registry = SafeUrl::parse(registry).expect(registry);
            assert_eq!(
                accept(realm, &registry).await.map(|_| ()),
                verdict,
                "{realm} for {registry}"
            );
        }
    }

    #[test]
    fn one_bad_address_of_several_is_enough() {
        let addresses = |texts: &[&str]| -> Vec<IpAddr> {
            texts.iter().map(|text| text.parse().expect(text)).collect()
        };
        let public = addresses(&["192.0.2.1"]);
        assert_eq!(
            judge(&addresses(&["192.0.2.2", "169.254.169.254"]), &public),
            Err(RealmError::LinkLocal)
        );
        assert_eq!(
            judge(&addresses(&["192.0.2.2", "10.0.0.1"]), &public),
            Err(RealmError::Private)
        );
        assert_eq!(
            judge(&addresses(&["10.0.0.1"]), &addresses(&["192.168.1.1"])),
            Ok(())
        );
        assert_eq!(judge(&[], &public), Ok(()));
    }
}
