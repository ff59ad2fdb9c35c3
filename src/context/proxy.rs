//! Which proxy leads to the API server: Go's rule, which kubectl follows and kube-rs does not (FACTS 4.3).

use std::net::IpAddr;

use super::Environment;

/// The proxy for a server by `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY`, upper case first, as Go's `http.ProxyFromEnvironment` chooses it: by the
/// server's scheme, and never for loopback hosts.
pub(super) fn from_environment(environment: &Environment, server: &http::Uri) -> Option<String> {
    let either = |upper: &str, lower: &str| {
        environment
            .get(upper)
            .or_else(|| environment.get(lower))
            .map(str::to_owned)
    };
    let proxy = if server.scheme_str() == Some("http") {
        either("HTTP_PROXY", "http_proxy")
    } else {
        either("HTTPS_PROXY", "https_proxy")
    }?;
    let exceptions = either("NO_PROXY", "no_proxy").unwrap_or_default();
    let host = server.host()?.trim_matches(['[', ']']).to_ascii_lowercase();
    let port = server
        .port_u16()
        .unwrap_or(if server.scheme_str() == Some("http") {
            80
        } else {
            443
        });
    (!is_excepted(&host, port, &exceptions)).then(|| {
        if proxy.contains("://") {
            proxy
        } else {
            format!("http://{proxy}")
        }
    })
}

fn is_excepted(host: &str, port: u16, exceptions: &str) -> bool {
    let address: Option<IpAddr> = host.parse().ok();
    if host == "localhost" || address.is_some_and(|address| address.is_loopback()) {
        return true;
    }
    exceptions
        .split(',')
        .map(|exception| exception.trim().to_ascii_lowercase())
        .filter(|exception| !exception.is_empty())
        .any(|exception| excepts(&exception, host, address, port))
}

/// One element of `NO_PROXY`: `*`, an address, a network, or a host name, which stands for its subdomains too; host names and addresses may name
/// a port.
fn excepts(exception: &str, host: &str, address: Option<IpAddr>, port: u16) -> bool {
    if exception == "*" {
        return true;
    }
    if let Some((network, bits)) = exception.split_once('/') {
        return match (network.parse(), bits.parse(), address) {
            (Ok(network), Ok(bits), Some(address)) => contains(network, bits, address),
            _ => false,
        };
    }
    if let Ok(excepted) = exception.trim_matches(['[', ']']).parse::<IpAddr>() {
        return address == Some(excepted);
    }
    let (name, wanted_port) = match exception.rsplit_once(':') {
        Some((name, text)) => (name, text.parse::<u16>().ok()),
        None => (exception, None),
    };
    if wanted_port.is_some_and(|wanted| wanted != port) {
        return false;
    }
    let name = name.trim_start_matches('*');
    match name.strip_prefix('.') {
        Some(domain) => host
            .strip_suffix(domain)
            .is_some_and(|rest| rest.ends_with('.')),
        None => {
            host == name
                || host
                    .strip_suffix(name)
                    .is_some_and(|rest| rest.ends_with('.'))
        }
    }
}

fn contains(network: IpAddr, bits: u32, address: IpAddr) -> bool {
    match (network, address) {
        (IpAddr::V4(network), IpAddr::V4(address)) if bits <= 32 => {
            let shift = 32 - bits;
            u64::from(network.to_bits()) >> shift == u64::from(address.to_bits()) >> shift
        }
        (IpAddr::V6(network), IpAddr::V6(address)) if bits <= 128 => {
            let mask = u128::MAX.checked_shl(128 - bits).unwrap_or(0);
            network.to_bits() & mask == address.to_bits() & mask
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_proxy_is_chosen_by_scheme_and_host() {
        let environment = Environment::from([
            ("HTTPS_PROXY", "http://proxy:3128"),
            ("http_proxy", "plain:80"),
            ("NO_PROXY", "a,,.internal, 10.0.0.0/8,api.example.com:6443,"),
        ]);
        for (server, expected) in [
            ("https://k8s.example.com", Some("http://proxy:3128")),
            ("http://k8s.example.com", Some("http://plain:80")),
            ("https://127.0.0.1:6443", None),
            ("https://localhost", None),
            ("https://10.1.2.3", None),
            ("https://11.1.2.3", Some("http://proxy:3128")),
            ("https://x.internal", None),
            ("https://internal", Some("http://proxy:3128")),
            ("https://api.example.com:6443", None),
            ("https://api.example.com", Some("http://proxy:3128")),
            ("https://a", None),
            ("https://b.a", None),
        ] {
            let server: http::Uri = server.parse().unwrap();
            assert_eq!(
                from_environment(&environment, &server).as_deref(),
                expected,
                "{server}"
            );
        }
    }
}
