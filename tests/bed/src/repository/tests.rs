use std::collections::BTreeMap;

use reqwest::header::HeaderValue;

use super::*;
use crate::runtime::block_on;

fn chart(version: &str) -> Chart {
    let document = format!("apiVersion: v2\nname: small\nversion: {version}\n");
    Chart::from_files(BTreeMap::from([(
        "Chart.yaml".to_owned(),
        document.into_bytes(),
    )]))
    .expect("a usable chart")
}

fn get(address: &str, header: Option<(&str, &HeaderValue)>) -> (StatusCode, HeaderMap, Bytes) {
    let _runtime_with_cryptography = crate::runtime::runtime();
    let client = reqwest::Client::builder()
        .no_proxy()
        .build()
        .expect("a client");
    let mut request = client.get(address);
    if let Some((name, value)) = header {
        request = request.header(name, value);
    }
    block_on(async {
        let response = request.send().await.expect("an answer");
        let (status, headers) = (response.status(), response.headers().clone());
        (status, headers, response.bytes().await.expect("a body"))
    })
}

#[test]
fn an_unchanged_index_is_not_sent_again() {
    let repository = Repository::serve([chart("0.1.0")]).expect("a free port");
    let address = format!("{}/index.yaml", repository.url());
    let (status, headers, first) = get(&address, None);
    assert_eq!(status, StatusCode::OK);
    let (tag, modified) = (&headers["etag"], &headers["last-modified"]);
    assert_eq!(modified, "Fri, 21 Aug 2026 13:56:51 GMT");
    assert_eq!(
        get(&address, Some(("if-none-match", tag))).0,
        StatusCode::NOT_MODIFIED
    );
    assert_eq!(
        get(&address, Some(("if-modified-since", modified))).0,
        StatusCode::NOT_MODIFIED
    );

    repository.publish(chart("0.2.0"));
    let (status, _, second) = get(&address, Some(("if-none-match", tag)));
    assert_eq!(status, StatusCode::OK);
    assert_ne!(first, second);
    assert_eq!(
        get(&address, Some(("if-modified-since", modified))).0,
        StatusCode::OK
    );

    let statuses: Vec<_> = repository
        .log()
        .all()
        .into_iter()
        .filter_map(|request| request.status)
        .collect();
    let expected = [
        StatusCode::OK,
        StatusCode::NOT_MODIFIED,
        StatusCode::NOT_MODIFIED,
        StatusCode::OK,
        StatusCode::OK,
    ];
    assert_eq!(statuses, expected);
    assert_eq!(
        repository.log().all()[3].response_bytes,
        second.len() as u64
    );
}

#[test]
fn the_archives_are_where_the_index_says_and_have_its_digest() {
    let repository = Repository::serve([chart("0.1.0"), chart("0.2.0")]).expect("a free port");
    let index: serde_json::Value =
        serde_saphyr::from_slice(&repository.index()).expect("the index is YAML");
    let versions = index["entries"]["small"]
        .as_array()
        .expect("a list of versions");
    assert_eq!(versions[0]["version"], "0.2.0");
    for version in versions {
        let address = version["urls"][0].as_str().expect("an address");
        let (status, _, bytes) = get(address, None);
        assert_eq!(status, StatusCode::OK);
        assert_eq!(version["digest"], sha256_hex(&bytes));
    }
    assert!(repository.remove("small", "0.2.0"));
    assert!(!repository.remove("small", "0.2.0"));
    assert_eq!(
        get(versions[0]["urls"][0].as_str().expect("an address"), None).0,
        StatusCode::NOT_FOUND
    );
}

#[test]
fn the_addresses_of_the_archives_can_be_chosen() {
    let repository = Repository::serve([chart("0.1.0")]).expect("a free port");
    let first_url = || {
        let index: serde_json::Value =
            serde_saphyr::from_slice(&repository.index()).expect("the index is YAML");
        index["entries"]["small"][0]["urls"][0]
            .as_str()
            .expect("an address")
            .to_owned()
    };
    assert_eq!(first_url(), format!("{}/small-0.1.0.tgz", repository.url()));
    repository.chart_urls(ChartUrls::Relative);
    assert_eq!(first_url(), "small-0.1.0.tgz");
    repository.chart_urls(ChartUrls::Below("http://127.0.0.1:9/charts".to_owned()));
    assert_eq!(first_url(), "http://127.0.0.1:9/charts/small-0.1.0.tgz");
}

#[test]
fn the_index_can_be_anything() {
    let repository = Repository::serve([chart("0.1.0")]).expect("a free port");
    let address = format!("{}/index.yaml", repository.url());
    repository.replace_index("entries: [");
    assert_eq!(get(&address, None).2, "entries: [");
    repository.restore_index();
    assert_eq!(get(&address, None).2, repository.index());
}

#[test]
fn credentials_can_be_required() {
    let repository = Repository::serve([chart("0.1.0")]).expect("a free port");
    repository.require_basic("reader", "secret");
    let address = format!("{}/index.yaml", repository.url());
    let (status, headers, _) = get(&address, None);
    assert_eq!(
        (status, &headers["www-authenticate"]),
        (
            StatusCode::UNAUTHORIZED,
            &HeaderValue::from_static("Basic realm=\"charts\"")
        )
    );
    let wrong = HeaderValue::from_static("Basic cmVhZGVyOndyb25n");
    assert_eq!(
        get(&address, Some(("authorization", &wrong))).0,
        StatusCode::UNAUTHORIZED
    );
    let right = HeaderValue::from_static("Basic cmVhZGVyOnNlY3JldA==");
    assert_eq!(
        get(&address, Some(("authorization", &right))).0,
        StatusCode::OK
    );
    assert_eq!(
        repository.log().all()[2].header("authorization"),
        Some("Basic")
    );
    assert!(!format!("{repository:?}").contains("cmVhZGVy"));
}

#[test]
fn the_port_is_closed_when_the_repository_goes() {
    let repository = Repository::serve([]).expect("a free port");
    let address = repository.address();
    assert!(std::net::TcpStream::connect(address).is_ok());
    drop(repository);
    assert!(std::net::TcpStream::connect(address).is_err());
}
