//! How near an address is: what decides whether credentials may go there.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

/// Cloud metadata services outside the link-local ranges: Alibaba's, and the IPv6 ones of AWS and Google.
const METADATA: [IpAddr; 3] = [
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
    IpAddr::V6(Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254)),
];

/// How near an address is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// This machine.
    Loopback,
    /// The same link, or a cloud's metadata service: it hands out secrets to whoever asks.
    LinkLocal,
    /// A private network.
    Private,
    /// Anywhere else.
    Public,
}

impl Reach {
    /// The reach of an address.
    pub(crate) fn of(address: IpAddr) -> Self {
        let address = address.to_canonical();
        if METADATA.contains(&address) {
            return Self::LinkLocal;
        }
        match address {
            IpAddr::V4(v4) if v4.is_loopback() => Self::Loopback,
            IpAddr::V4(v4)
                if v4.is_link_local()
                    || v4.octets()[0] == 0
                    || v4.is_multicast()
                    || v4.is_broadcast() =>
            {
                Self::LinkLocal
            }
            // 100.64.0.0/10 is the carrier's private network (RFC 6598).
            IpAddr::V4(v4)
                if v4.is_private() || (v4.octets()[0] == 100 && v4.octets()[1] & 0xc0 == 64) =>
            {
                Self::Private
            }
            IpAddr::V6(v6) if v6.is_loopback() => Self::Loopback,
            IpAddr::V6(v6)
                if v6.is_unicast_link_local() || v6.is_unspecified() || v6.is_multicast() =>
            {
                Self::LinkLocal
            }
            IpAddr::V6(v6) if v6.is_unique_local() => Self::Private,
            IpAddr::V4(_) | IpAddr::V6(_) => Self::Public,
        }
    }

    /// The reach of a URL's host as far as its text tells: an address, or a name whose meaning is fixed.
    pub(crate) fn of_host(url: &Url) -> Option<Self> {
        if let Some(address) = literal(url) {
            return Some(Self::of(address));
        }
        let name = url.host_str()?.trim_end_matches('.');
        if is_metadata_name(name) {
            Some(Self::LinkLocal)
        } else if name == "localhost" || name.ends_with(".localhost") {
            Some(Self::Loopback)
        } else {
            None
        }
    }
}

/// The address that a URL's host is written as, if it is.
pub(super) fn literal(url: &Url) -> Option<IpAddr> {
    match url.host()? {
        Host::Ipv4(address) => Some(address.into()),
        Host::Ipv6(address) => Some(address.into()),
        Host::Domain(_) => None,
    }
}

/// True for the names under which clouds serve their metadata.
fn is_metadata_name(host: &str) -> bool {
    matches!(
        host.trim_end_matches('.'),
        "metadata" | "metadata.google.internal" | "metadata.goog" | "instance-data"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_told_apart() {
        for (address, reach) in [
            ("127.0.0.1", Reach::Loopback),
            ("127.9.9.9", Reach::Loopback),
            ("::1", Reach::Loopback),
            ("::ffff:127.0.0.1", Reach::Loopback),
            ("169.254.169.254", Reach::LinkLocal),
            ("::ffff:169.254.169.254", Reach::LinkLocal),
            ("fe80::1", Reach::LinkLocal),
            ("fd00:ec2::254", Reach::LinkLocal),
            ("100.100.100.200", Reach::LinkLocal),
            ("0.0.0.0", Reach::LinkLocal),
            ("::", Reach::LinkLocal),
            ("10.1.2.3", Reach::Private),
            ("172.31.0.1", Reach::Private),
            ("192.168.0.1", Reach::Private),
            ("100.64.0.1", Reach::Private),
            ("fd00::1", Reach::Private),
            ("172.32.0.1", Reach::Public),
            ("100.128.0.1", Reach::Public),
            ("8.8.8.8", Reach::Public),
            ("2606:4700::1", Reach::Public),
        ] {
            assert_eq!(
                Reach::of(address.parse().expect(address)),
                reach,
                "{address}"
            );
        }
    }

    #[test]
    fn hosts_are_told_apart_in_every_spelling() {
        for (url, reach) in [
            ("http://localhost:5000/", Some(Reach::Loopback)),
            ("http://2130706433/", Some(Reach::Loopback)),
            ("http://0x7f.1/", Some(Reach::Loopback)),
            ("http://[::ffff:a9fe:a9fe]/", Some(Reach::LinkLocal)),
            ("http://Metadata.Google.Internal./", Some(Reach::LinkLocal)),
            ("https://ghcr.io/", None),
        ] {
            assert_eq!(Reach::of_host(&Url::parse(url).expect(url)), reach, "{url}");
        }
    }
}
