//! A handle opened read-only.

use tabagent_model_cache::CacheOptions;

use crate::hub::{Hub, Repo};

#[tokio::test(flavor = "multi_thread")]
async fn it_never_writes_although_the_process_has_the_store_open_for_writing() {
    let hub = Hub::start().await;
    hub.set("own/a", Repo::new("own/a", 'a', &[("a.bin", &[1; 1000]), ("b.bin", &[2; 1000])]));
    let writable = hub.open(CacheOptions::default());
    writable.download_file("own/a", "a.bin", None).await.unwrap();
    let cache = hub.open(CacheOptions { read_only: true, ..CacheOptions::default() });
    assert_eq!(cache.get_file("own/a", "a.bin").unwrap().unwrap()[..], [1; 1000]);
    for error in [
        cache.download_file("own/a", "b.bin", None).await.unwrap_err(),
        cache.remove_file("own/a", "a.bin", None).await.unwrap_err(),
        cache.remove_repo("own/a", None).await.unwrap_err(),
    ] {
        assert_eq!(error.code(), "ERR_READ_ONLY", "{error}");
    }
    cache.download_file("own/a", "a.bin", None).await.unwrap();
    assert!(writable.has_file("own/a", "a.bin", None).unwrap());
}
