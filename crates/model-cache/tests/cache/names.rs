//! Repositories that change their name.

use tabagent_model_cache::CacheOptions;

use crate::hub::{Hub, Repo};

#[tokio::test(flavor = "multi_thread")]
async fn an_old_name_leads_to_the_newest_listing_and_keeps_what_was_stored() {
    let hub = Hub::start().await;
    let files: [(&str, &[u8]); 1] = [("a.bin", &[1; 1000])];
    hub.set("own/old", Repo::new("own/old", 'a', &files));
    let cache = hub.open(CacheOptions::default());
    cache.download_file("own/old", "a.bin", None).await.unwrap();
    hub.set("own/old", Repo::new("own/new", 'b', &[("a.bin", &[2; 1000])]));
    cache.scan_repo("own/old").await.unwrap();

    let manifest = cache.get_manifest("own/old", None).unwrap().unwrap();
    assert_eq!((manifest.repo.as_str(), manifest.commit), ("own/new", "b".repeat(40)));
    assert_eq!(cache.get_file("own/old", "a.bin").unwrap().unwrap()[..], [1; 1000]);
    cache.remove_repo("own/old", None).await.unwrap();
    assert!(cache.get_manifest("own/old", None).unwrap().is_none());
    assert_eq!(cache.stats().unwrap().blobs, 0);
}
