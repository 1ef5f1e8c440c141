//! Plain files of one store: made, held, counted.

use std::collections::BTreeMap;
use std::fs;
use std::ops::ControlFlow;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::Arc;

use tabagent_storage::{Added, BlobName, Digest, Method, PlainSet, Result, Store};

use super::child::Peer;
use super::{content, no_publish, open};

const MIB: usize = 1 << 20;

/// More than is copied between two looks at whether to go on.
pub(crate) const SIZE: usize = 20 * MIB + 777;

pub(crate) fn put(store: &Arc<Store>, bytes: &[u8]) -> BlobName {
    let name = BlobName::of(bytes);
    store.put_bytes(bytes, &Digest::Sha256(name.0), no_publish).unwrap();
    name
}

pub(crate) type Files<'a> = &'a [(&'a str, BlobName)];

pub(crate) fn claim(store: &Arc<Store>, files: Files<'_>) -> PlainSet {
    let files: BTreeMap<String, BlobName> =
        files.iter().map(|(path, blob)| ((*path).to_owned(), *blob)).collect();
    store.plain_set(&files).unwrap().unwrap()
}

/// Holds a set, made where it is not there, and tells how each file came to be there.
pub(crate) fn hold(store: &Arc<Store>, files: Files<'_>) -> Result<(PlainSet, Vec<Added>)> {
    let set = claim(store, files);
    if set.is_made() {
        return Ok((set, vec![Added::Shared; files.len()]));
    }
    let writer = set.begin()?;
    let add = |(path, blob): &(&str, BlobName)| {
        writer.add(path, &store.reader(blob)?.unwrap(), &mut |_| ControlFlow::Continue(()))
    };
    let added = files.iter().map(add).collect::<Result<Vec<_>>>()?;
    assert!(!added.contains(&Added::Busy));
    Ok((writer.publish()?, added))
}

pub(crate) const COPY: Added = Added::Made(Method::Copy);

/// Everything below the folder of the plain files, and their locks.
pub(crate) fn left(folder: &Path) -> Vec<String> {
    let root = folder.join("store");
    let mut out = Vec::new();
    let mut folders = vec![root.join("plain")];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for path in entries.map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path.clone());
            }
            out.push(path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned());
        }
    }
    let locks = fs::read_dir(root.join("locks")).unwrap().map(|entry| entry.unwrap().file_name());
    out.extend(locks.filter_map(|name| name.into_string().ok()).filter(|name| name.starts_with("plain-")));
    out.retain(|path| !["plain/blobs", "plain/sets"].contains(&path.as_str()));
    out.sort();
    out
}

pub(crate) fn identity(path: &Path) -> (u64, u64) {
    let found = fs::metadata(path).unwrap();
    (found.dev(), found.ino())
}

/// A store with one large blob, in a folder of its own.
pub(crate) struct Scene {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) store: Arc<Store>,
    pub(crate) bytes: Vec<u8>,
    pub(crate) name: BlobName,
}

impl Scene {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = open(folder.path());
        let bytes = content(1, SIZE);
        let name = put(&store, &bytes);
        Self { folder, store, bytes, name }
    }

    pub(crate) fn peer(&self) -> Peer {
        Peer::start("peer", self.folder.path())
    }

    pub(crate) fn hold(&self) -> (PlainSet, Vec<Added>) {
        hold(&self.store, &[("model.gguf", self.name)]).unwrap()
    }

    pub(crate) fn left(&self) -> Vec<String> {
        left(self.folder.path())
    }

    pub(crate) fn collect(&self, kept: bool) -> u64 {
        let foreseen = self.store.collect_plain_files(kept, true).unwrap();
        let gone = self.store.collect_plain_files(kept, false).unwrap();
        assert_eq!(foreseen, gone, "a dry run tells what would go");
        gone.files
    }
}
