//! Listings: one request where it suffices, the tree where it does not.

use std::time::Duration;

use serde_json::{Value, json};
use tabagent_hub::{Digest, HubClient, HubError, Listing};
use tokio_util::sync::CancellationToken;

use crate::server::{Reply, Request, Server};
use crate::world::{COMMIT, DIGEST, options};

const SHA1: &str = "cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd";

async fn scan(server: &Server, repo: &str, revision: &str) -> Result<Listing, HubError> {
    let client = HubClient::new(options(server.url())).unwrap();
    client.scan(repo, revision, &CancellationToken::new()).await
}

fn info(siblings: &Value) -> Value {
    json!({
        "id": "Owner/Model", "sha": COMMIT, "gated": "auto", "pipeline_tag": "feature-extraction",
        "library_name": "transformers.js", "tags": ["onnx", "license:mit"], "cardData": { "license": "apache-2.0" },
        "config": { "quantization_config": { "quant_method": "gptq", "bits": 4 } }, "siblings": siblings,
    })
}

fn lfs(path: &str) -> Value {
    json!({ "rfilename": path, "size": 5, "blobId": SHA1, "lfs": { "sha256": DIGEST, "size": 5, "pointerSize": 134 } })
}

fn git(path: &str) -> Value {
    json!({ "rfilename": path, "size": 7, "blobId": SHA1 })
}

#[tokio::test]
async fn one_request_tells_everything() {
    let body = info(&json!([lfs("onnx/model.onnx"), git("config.json")]));
    let server = Server::start(move |_| Reply::json(&body)).await;
    let listing = scan(&server, "owner/model", "refs/pr/3").await.unwrap();
    assert_eq!(server.requests().len(), 1);
    assert_eq!(server.requests()[0].target, "/api/models/owner/model/revision/refs%2Fpr%2F3?blobs=true");
    assert_eq!((listing.repo.as_str(), listing.commit.as_str()), ("Owner/Model", COMMIT));
    assert_eq!(listing.pipeline_task.as_deref(), Some("feature-extraction"));
    assert_eq!(listing.library_name.as_deref(), Some("transformers.js"));
    assert_eq!(listing.license.as_deref(), Some("apache-2.0"));
    assert_eq!(listing.tags, ["onnx", "license:mit"]);
    assert!(listing.gated);
    assert_eq!((listing.hints.quant_method.as_deref(), listing.hints.bits), (Some("gptq"), Some(4)));
    let files: Vec<_> =
        listing.files.iter().map(|file| (file.path.as_str(), file.size, file.digest)).collect();
    let config = ("config.json", 7, Digest::git_sha1(SHA1).unwrap());
    assert_eq!(files, [config, ("onnx/model.onnx", 5, Digest::sha256(DIGEST).unwrap())]);
}

fn page(request: &Request, origin: &str) -> Reply {
    let target = request.target.as_str();
    let link = |cursor: &str| format!("<{origin}/api/any?recursive=true&cursor={cursor}>; rel=\"next\"");
    if !target.contains("/tree/") {
        return Reply::json(&info(&json!([{ "rfilename": "a" }])));
    }
    assert!(target.starts_with(&format!("/api/models/Owner/Model/tree/{COMMIT}?recursive=true")), "{target}");
    if target.ends_with("cursor=two") {
        return Reply::json(&json!([{ "type": "file", "path": "c", "size": 3, "oid": SHA1 }]));
    }
    let (name, next) = if target.ends_with("cursor=one") { ("b", "two") } else { ("a", "one") };
    let file =
        json!({ "type": "file", "path": name, "size": 9, "oid": SHA1, "lfs": { "oid": DIGEST, "size": 9 } });
    let folder = json!({ "type": "directory", "path": "d", "size": 0, "oid": SHA1 });
    Reply::json(&json!([file, folder])).header("Link", &link(next))
}

#[tokio::test]
async fn the_tree_is_read_page_by_page_at_the_commit() {
    let server = Server::start(|request| page(request, "")).await;
    let listing = scan(&server, "owner/model", "main").await.unwrap();
    let paths: Vec<_> = listing.files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(paths, ["a", "b", "c"]);
    assert_eq!(listing.files[0].digest, Digest::sha256(DIGEST).unwrap());
    assert_eq!(server.requests().len(), 4);
}

#[tokio::test]
async fn a_link_to_another_origin_does_not_take_the_client_there() {
    let elsewhere = Server::start(|_| Reply::json(&json!([]))).await;
    let origin = elsewhere.url();
    let server = Server::start(move |request| page(request, &origin)).await;
    let listing = scan(&server, "owner/model", "main").await.unwrap();
    assert_eq!(listing.files.len(), 3);
    assert_eq!(elsewhere.requests().len(), 0);
}

#[tokio::test]
async fn pages_that_link_back_end_in_an_error() {
    let server = Server::start(|request| {
        let reply = if request.target.contains("/tree/") { json!([]) } else { info(&json!(null)) };
        Reply::json(&reply).header("Link", "</x?cursor=same>; rel=\"next\"")
    });
    let server = server.await;
    let error = scan(&server, "owner/model", "main").await.unwrap_err();
    assert!(matches!(error, HubError::Integrity { .. }), "{error}");
    assert_eq!(server.requests().len(), 3);
}

#[tokio::test]
async fn a_masked_digest_is_asked_of_the_tree_and_then_refused() {
    let masked =
        json!([{ "rfilename": "a", "path": "a", "size": 5, "lfs": { "sha256": "*".repeat(64), "size": 5 } }]);
    let server = Server::start(move |request| {
        if request.target.contains("/tree/") { Reply::json(&masked) } else { Reply::json(&info(&masked)) }
    });
    let server = server.await;
    let error = scan(&server, "owner/model", "main").await.unwrap_err();
    assert!(matches!(&error, HubError::Integrity { actual, .. } if actual.contains("\"a\"")), "{error}");
}

#[tokio::test]
async fn what_a_listing_masks_is_taken_from_beside_the_address_of_the_file() {
    let masked =
        json!([{ "rfilename": "a", "path": "a", "size": 5, "lfs": { "sha256": "*".repeat(64), "size": 5 } }]);
    let server = Server::start(move |request| match &*request.target {
        tree if tree.contains("/tree/") => Reply::json(&masked),
        file if file.contains("/resolve/") => Reply::redirect(302, "https://cdn.example/a")
            .header("X-Linked-Size", "5")
            .header("X-Linked-Etag", &format!("\"{DIGEST}\"")),
        _ => Reply::json(&info(&masked)),
    });
    let server = server.await;
    let listing = scan(&server, "owner/model", "main").await.unwrap();
    assert_eq!((listing.files[0].size, listing.files[0].digest), (5, Digest::sha256(DIGEST).unwrap()));
    assert_eq!(server.requests().len(), 3);
}

#[tokio::test]
async fn who_may_not_have_a_masked_file_learns_that() {
    let masked = json!([{ "rfilename": "a", "path": "a", "size": 5, "lfs": { "oid": "***", "size": 5 } }]);
    let server = Server::start(move |request| match &*request.target {
        tree if tree.contains("/tree/") => Reply::json(&masked),
        file if file.contains("/resolve/") => {
            Reply::new(403, b"ask for access").header("X-Error-Code", "GatedRepo")
        }
        _ => Reply::json(&info(&masked)),
    });
    let server = server.await;
    let error = scan(&server, "owner/model", "main").await.unwrap_err();
    assert!(matches!(error, HubError::Gated { .. }), "{error}");
}

#[tokio::test]
async fn a_listing_that_trickles_is_as_good_as_none() {
    let server = Server::start(|_| Reply::json(&info(&json!([git("config.json")]))).paced(|| 20)).await;
    let mut options = options(server.url());
    (options.stall_timeout, options.retries) = (Duration::from_secs(1), 0);
    let (client, cancel) = (HubClient::new(options).unwrap(), CancellationToken::new());
    let scanned = client.scan("owner/model", "main", &cancel).await;
    assert!(matches!(scanned, Err(HubError::Network { .. })), "{scanned:?}");
    let news = client.rescan("owner/model", "main", None, &cancel).await;
    assert!(matches!(news, Err(HubError::Network { .. })), "{news:?}");
}

#[tokio::test]
async fn hostile_paths_are_left_out_and_named() {
    let hostile = ["../../etc/passwd", "/etc/passwd", "a/../../b", "", "a\\b", "C:/x", "a\u{0}b"];
    let mut siblings: Vec<_> = hostile.iter().map(|path| git(path)).collect();
    siblings.push(git("good.json"));
    siblings.push(git("good.json"));
    let body = info(&json!(siblings));
    let server = Server::start(move |_| Reply::json(&body)).await;
    let listing = scan(&server, "owner/model", "main").await.unwrap();
    assert_eq!(listing.files.len(), 1);
    assert_eq!(listing.refused, hostile);
}

#[tokio::test]
async fn a_repository_without_files_is_a_listing_too() {
    let server = Server::start(|_| Reply::json(&info(&json!([])))).await;
    let listing = scan(&server, "owner/model", "main").await.unwrap();
    assert_eq!((listing.files.len(), server.requests().len()), (0, 1));
}

#[tokio::test]
async fn answers_that_are_no_listing_are_refused() {
    for body in [json!({}), json!({ "sha": "main", "siblings": [] }), json!([]), json!("hello")] {
        let server = Server::start(move |_| Reply::json(&body)).await;
        let error = scan(&server, "owner/model", "main").await.unwrap_err();
        assert!(matches!(error, HubError::Integrity { .. } | HubError::Http { status: 200, .. }), "{error}");
    }
    let server = Server::start(|_| Reply::new(200, b"<html>a portal</html>")).await;
    let error = scan(&server, "owner/model", "main").await.unwrap_err();
    assert!(error.to_string().contains("check the endpoint"), "{error}");
}

#[tokio::test]
async fn a_renamed_repository_is_listed_under_its_new_name() {
    let server = Server::start(|request| {
        let renamed = request.target.replace("/old/name/", "/Owner/Model/");
        let listed = || Reply::json(&info(&json!([git("a")])));
        if renamed == request.target { listed() } else { Reply::redirect(307, &renamed) }
    });
    let server = server.await;
    let listing = scan(&server, "old/name", "main").await.unwrap();
    assert_eq!(listing.repo, "Owner/Model");
    assert!(server.requests().iter().all(|request| request.header("authorization").is_some()));
}

#[tokio::test]
async fn a_listing_is_followed_to_another_origin_and_the_token_is_not() {
    let elsewhere = Server::start(|_| Reply::json(&info(&json!([git("a")])))).await;
    let target = format!("{}/api", elsewhere.url());
    let server = Server::start(move |_| Reply::redirect(301, &target)).await;
    assert_eq!(scan(&server, "owner/model", "main").await.unwrap().files.len(), 1);
    let requests = elsewhere.requests();
    assert_eq!(requests.len(), 1);
    assert!(requests.iter().all(|request| request.header("authorization").is_none()));
}

#[tokio::test]
async fn names_no_repository_can_have_are_refused_without_a_request() {
    let server = Server::start(|_| Reply::json(&json!({}))).await;
    for (repo, revision) in [("a/b/c", "main"), ("..", "main"), ("a b", "main"), ("a/b", ""), ("a/b", "../x")]
    {
        let error = scan(&server, repo, revision).await.unwrap_err();
        assert!(matches!(error, HubError::InvalidArgument { .. }), "{error}");
    }
    assert_eq!(server.requests().len(), 0);
}

#[tokio::test]
async fn many_files_are_listed() {
    let siblings: Vec<_> = (0..20_000).map(|n| git(&format!("data/{n:06}.bin"))).collect();
    let body = Reply::json(&info(&json!(siblings)));
    let server = Server::start(move |_| body.clone()).await;
    let listing = scan(&server, "owner/model", "main").await.unwrap();
    assert_eq!(listing.files.len(), 20_000);
    assert_eq!(listing.files[19_999].path, "data/019999.bin");
}

async fn rescan(server: &Server, etag: Option<&str>) -> Result<Option<Listing>, HubError> {
    let client = HubClient::new(options(server.url())).unwrap();
    client.rescan("owner/model", "main", etag, &CancellationToken::new()).await
}

#[tokio::test]
async fn a_listing_that_is_still_the_newest_is_not_sent_again() {
    let server = Server::start(|request| {
        let listing = || Reply::json(&info(&json!([git("config.json")])));
        match request.header("if-none-match") {
            Some("W/\"new\"") => Reply::new(304, b"").header("ETag", "W/\"new\""),
            _ => listing().header("ETag", "W/\"new\""),
        }
    })
    .await;
    let etag = scan(&server, "owner/model", "main").await.unwrap().etag;
    assert_eq!(etag.as_deref(), Some("W/\"new\""));
    assert!(rescan(&server, etag.as_deref()).await.unwrap().is_none());
    for old in [Some("\"old\""), Some("not\na header"), None] {
        assert_eq!(rescan(&server, old).await.unwrap().unwrap().etag, etag);
    }
    let sent: Vec<_> =
        server.requests().iter().map(|r| r.header("if-none-match").map(str::to_owned)).collect();
    assert_eq!(sent, [None, etag, Some("\"old\"".to_owned()), None, None]);
}

#[tokio::test]
async fn a_redirect_to_the_true_name_takes_the_condition_along() {
    let server = Server::start(|request| {
        match (request.target.contains("/Owner/"), request.header("if-none-match")) {
            (false, _) => Reply::redirect(307, "/api/models/Owner/Model/revision/main?blobs=true"),
            (true, Some("\"known\"")) => Reply::new(304, b""),
            (true, _) => Reply::new(500, b""),
        }
    })
    .await;
    assert!(rescan(&server, Some("\"known\"")).await.unwrap().is_none());
}

#[tokio::test]
async fn who_has_a_listing_is_told_of_a_failure_after_one_try() {
    let server = Server::start(|_| Reply::new(503, b"")).await;
    let error = rescan(&server, Some("\"known\"")).await.unwrap_err();
    assert!(error.is_transient(), "{error}");
    assert_eq!(server.requests().len(), 1);
    let unasked = Server::start(|_| Reply::new(304, b"")).await;
    let error = rescan(&unasked, None).await.unwrap_err();
    assert!(matches!(error, HubError::Http { status: 304, .. }), "{error}");
}
