//! What a process had in its memory stays there: a page of the store has the store's bytes, and zeros where it has none.
#![allow(clippy::unwrap_used, reason = "a failing unwrap is a failing test")]

mod support;

use support::open;
use tabagent_storage::{AliasRecord, Aliases, EndpointId, FileMetadata, Files, Key, RepoScope};

const SECRET: &[u8] = b"authorization: a token";

/// Fills memory that the allocator gives out again with secrets: blocks of the size of a page of M and around it.
fn leave_secrets_behind() {
    let secrets = SECRET.repeat(8192 / SECRET.len());
    let blocks: Vec<Vec<u8>> =
        (0..20_000).map(|n| secrets.get(..3000 + n % 4000).unwrap().to_vec()).collect();
    drop(blocks);
}

fn file(path: &str) -> FileMetadata {
    FileMetadata { path: path.to_owned(), blob: [1; 32], size: 3, git_sha1: None, stored_at_ms: 5 }
}

#[test]
fn no_page_is_written_with_what_memory_had_before() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    leave_secrets_behind();
    let scope = RepoScope {
        endpoint: EndpointId::of("http://hub"),
        repo: "acme/tiny".to_owned(),
        commit: "a".repeat(40),
    };
    for round in 0..20 {
        leave_secrets_behind();
        let paths: Vec<String> = (0..40).map(|n| format!("{round}/{n}")).collect();
        store
            .write(|t| {
                // A value that has pages of its own, the last of them in part.
                let long = AliasRecord { repo: "long ".repeat(1000 + round * 77) };
                t.put::<Aliases>(&Key::alias(&scope.endpoint, &format!("long/{round}")), &long)?;
                paths.iter().try_for_each(|path| t.put::<Files>(&Key::file(&scope, path), &file(path)))
            })
            .unwrap();
    }
    drop(store);
    let bytes = std::fs::read(folder.path().join("store/model_cache_manifests/mdbx.dat")).unwrap();
    assert_eq!(bytes.windows(SECRET.len()).position(|window| window == SECRET), None);
}
