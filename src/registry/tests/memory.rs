//! What one run keeps for the next.

use super::*;

#[tokio::test]
async fn a_manifest_is_fetched_once_for_all_runs_and_again_where_its_file_is_damaged() {
    let place = Place::new("manifest");
    let server = Server::start(|_| reply(200, IMAGE_TYPE, IMAGE));
    let repository = image(&server, "a").repository().clone();
    let ask = async || {
        let run = place.run("{}");
        run.manifest(&repository, &sha256(IMAGE))
            .await
            .expect("a manifest")
    };
    let first = ask().await;
    assert_eq!(ask().await, first);
    assert_eq!(server.seen().len(), 1);
    let [file] = &place.files("manifests")[..] else {
        panic!("one file")
    };
    let whole = std::fs::read(file).expect("kept");
    let forged = String::from_utf8_lossy(&whole).replace("cccc", "dddd");
    let damaged: [&[u8]; 5] = [
        b"",
        b"{}",
        &whole[..whole.len() - 1],
        b"\n",
        forged.as_bytes(),
    ];
    for (count, bytes) in damaged.into_iter().enumerate() {
        std::fs::write(file, bytes).expect("damaged");
        assert_eq!(ask().await, first);
        assert_eq!(server.seen().len(), count + 2);
        assert_eq!(std::fs::read(file).expect("mended"), whole);
    }
}

#[tokio::test]
async fn neither_credentials_nor_the_repository_are_kept_with_a_manifest() {
    let place = Place::new("personal");
    let server = Server::start(|head| {
        if header_of(head, "authorization").is_some_and(|value| value.starts_with("Basic ")) {
            reply(
                200,
                &format!("{IMAGE_TYPE}ETag: \"1\"\r\n"),
                if head.contains("tags/list") {
                    r#"{"tags":["1"]}"#
                } else {
                    IMAGE
                },
            )
        } else {
            reply(401, "WWW-Authenticate: Basic realm=\"x\"\r\n", "")
        }
    });
    let config = format!(
        r#"{{"auths": {{"{}": {{"username": "u", "password": "hunter2"}}}}}}"#,
        server.address
    );
    let repository = image(&server, "private/name").repository().clone();
    let run = place.run(&config);
    run.manifest(&repository, &sha256(IMAGE))
        .await
        .expect("a manifest");
    run.tags(&repository).await.expect("tags");
    assert_eq!(place.files("tags"), Vec::<PathBuf>::new());
    let [file] = &place.files("manifests")[..] else {
        panic!("one file")
    };
    let text = std::fs::read_to_string(file).expect("kept");
    for word in [
        "hunter2",
        "Basic",
        "private/name",
        &server.address.to_string(),
    ] {
        assert!(
            !text.contains(word) && !file.to_string_lossy().contains(word),
            "{word}"
        );
    }
}

#[tokio::test]
async fn a_list_of_tags_is_asked_about_page_by_page() {
    let place = Place::new("tags");
    let server = Server::start(|head| {
        let condition = header_of(head, "if-none-match");
        let second = head.contains("last=1");
        match (second, condition) {
            (false, Some("\"one\"")) | (true, Some("\"two\"")) => reply(304, "", ""),
            (false, _) => {
                let link =
                    "Link: </v2/a/tags/list?n=1000&last=1>; rel=\"next\"\r\nETag: \"one\"\r\n";
                reply(200, link, r#"{"tags":["1.0"]}"#)
            }
            (true, _) => reply(200, "ETag: \"two\"\r\n", r#"{"tags":["2.0"]}"#),
        }
    });
    let repository = image(&server, "a").repository().clone();
    for run in 0..2 {
        let tags = place.run("{}").tags(&repository).await.expect("tags");
        let tags: Vec<&str> = tags
            .iter()
            .map(tracebloc_core::image::Tag::as_str)
            .collect();
        assert_eq!(tags, ["1.0", "2.0"]);
        assert_eq!(server.seen().len(), 2 * (run + 1));
        let conditional = server
            .seen()
            .iter()
            .filter(|head| head.contains("if-none-match"))
            .count();
        assert_eq!(conditional, 2 * run, "{:?}", server.seen());
    }
}

#[tokio::test]
async fn a_list_that_cannot_be_asked_about_is_not_kept() {
    let place = Place::new("bare-tags");
    let server = Server::start(|_| reply(200, "", r#"{"tags":["1.0"]}"#));
    let repository = image(&server, "a").repository().clone();
    place.run("{}").tags(&repository).await.expect("tags");
    assert_eq!(place.files("tags"), Vec::<PathBuf>::new());
}

#[tokio::test]
async fn not_modified_without_a_copy_is_no_answer() {
    let place = Place::new("bare-304");
    let server = Server::start(|_| reply(304, "", ""));
    let repository = image(&server, "a").repository().clone();
    let error = place
        .run("{}")
        .tags(&repository)
        .await
        .expect_err("nothing");
    assert!(
        matches!(error, RegistryError::Status { status: 304, .. }),
        "{error:?}"
    );
}
