//! Several paths with the same bytes.

use tabagent_model_cache::{CacheOptions, QuantStatus};

use crate::hub::{Hub, Repo};

#[tokio::test(flavor = "multi_thread")]
async fn every_path_of_the_same_bytes_is_stored_when_its_download_returns() {
    let hub = Hub::start().await;
    let bytes = vec![7; 100_000];
    let paths: Vec<String> = (0..12).map(|n| format!("part-{n}/model.safetensors")).collect();
    for repo in ["own/a", "own/b"] {
        let files: Vec<(&str, &[u8])> = paths.iter().map(|path| (path.as_str(), &bytes[..])).collect();
        hub.set(repo, Repo::new(repo, 'a', &files));
    }
    let cache = hub.open(CacheOptions::default());
    let mut downloads = tokio::task::JoinSet::new();
    for repo in ["own/a", "own/b"] {
        for path in &paths {
            let (cache, path) = (cache.clone(), path.clone());
            downloads.spawn(async move {
                cache.download_file(repo, &path, None).await.unwrap();
                assert!(cache.has_file(repo, &path, None).unwrap(), "{repo} {path}");
            });
        }
    }
    while let Some(done) = downloads.join_next().await {
        done.unwrap();
    }
    let quants = cache.get_manifest("own/a", None).unwrap().unwrap().quants;
    assert!(quants.values().all(|quant| quant.status == QuantStatus::Downloaded));
    assert_eq!(cache.stats().unwrap().blobs, 1);
}
