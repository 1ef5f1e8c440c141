use tabagent_storage::Digest;

use super::*;
use crate::fixture::{listed, open, scan};
use crate::manifest::Manifest;
use crate::runtime;

#[test]
fn sizes_that_add_up_to_more_than_a_number_holds_are_never_taken_for_small_ones() {
    let folder = tempfile::tempdir().unwrap();
    let inner = Arc::new(open(&folder));
    let file = |path: &str, digest| listed(path, 1 << 63, Digest::Sha256(digest));
    let (_, record) = scan(&inner, "acme/m", vec![file("a", [1; 32]), file("b", [2; 32])]);
    let record = Arc::new(record);
    let batch = Batch::new(&inner, &record, None, vec![0, 1], &DownloadOptions::default()).unwrap();
    assert_eq!((batch.total(), batch.progress(0, 0.0).total), (u64::MAX, u64::MAX));
    let refused = runtime::handle().unwrap().block_on(batch.run()).unwrap_err();
    assert_eq!(refused.code(), "ERR_NO_SPACE");
    let probe = inner.probe().unwrap();
    let manifest = inner.read(|txn| Manifest::assemble(&probe, txn, (*record).clone(), "main")).unwrap();
    assert_eq!(manifest.quants["q4"].size, u64::MAX);
}
