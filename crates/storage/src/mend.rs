//! Records of M that cannot be read: each is made again from others where they say the same, and else forgotten, as if what it says
//! had not been seen yet.

use std::ops::ControlFlow;
use std::sync::Arc;

use crate::digest::BlobName;
use crate::error::Result;
use crate::key::Key;
use crate::record::{BlobState, FileMetadata, UseRecord};
use crate::remove::is_used;
use crate::scope::RepoScope;
use crate::store::Store;
use crate::table::{
    Aliases, Blobs, Files, Headers, Imports, Manifests, Quants, Refs, Sortings, Table, Uses, find_damaged,
};
use crate::transaction::WriteTransaction;

/// A record that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DamagedRecord {
    /// Where it is.
    pub key: Key,
    /// What does not fit.
    pub reason: String,
}

impl Store {
    /// Finds the records that cannot be read.
    ///
    /// # Errors
    /// [`crate::StorageError::Corrupt`] when the database itself is damaged.
    pub fn damaged_records(&self) -> Result<Vec<DamagedRecord>> {
        self.read(|t| {
            let mut found = Vec::new();
            find_damaged(t, &mut found)?;
            Ok(found)
        })
    }

    /// Makes the record readable again, or forgets it. False when that was not possible: someone is writing the blob, its bytes are
    /// not here while files say so, or `go_on` said no.
    ///
    /// # Errors
    /// [`crate::StorageError::ReadOnly`], [`crate::StorageError::Database`].
    pub fn mend(self: &Arc<Self>, key: &Key, go_on: &dyn Fn() -> bool) -> Result<bool> {
        self.check_writable()?;
        match table_of(key) {
            "blob" => self.mend_blob(key, go_on),
            "meta" => self.write(|t| mend_file(t, key)),
            "use" => self.write(|t| mend_use(t, key)),
            "manifest" => self.drop_record::<Manifests>(key),
            "ref" => self.drop_record::<Refs>(key),
            "import" => self.drop_record::<Imports>(key),
            "sorting" => self.drop_record::<Sortings>(key),
            "header" => self.drop_record::<Headers>(key),
            "quant" => self.drop_record::<Quants>(key),
            "alias" => self.drop_record::<Aliases>(key),
            // The format: a store that cannot tell it is not opened at all.
            _ => Ok(false),
        }
    }

    fn drop_record<T: Table>(&self, key: &Key) -> Result<bool> {
        self.write(|t| {
            t.delete::<T>(key)?;
            Ok(true)
        })
    }

    fn mend_blob(self: &Arc<Self>, key: &Key, go_on: &dyn Fn() -> bool) -> Result<bool> {
        let Some(name) = Key::blob_name(key.as_bytes()) else { return self.drop_record::<Blobs>(key) };
        let Some(lease) = self.try_lease(&name)? else { return Ok(false) };
        if self.rebuild(&lease, go_on)? {
            return Ok(true);
        }
        // What files say of it stays until it is known whether its bytes can be had again.
        self.write(|t| Ok(!is_used(t, &name)? && go_on() && t.delete::<Blobs>(key)?))
    }
}

fn table_of(key: &Key) -> &str {
    let name = key.as_bytes().split(|byte| *byte == b':').next().unwrap_or_default();
    std::str::from_utf8(name).unwrap_or_default()
}

/// A file of a commit is what its use says, if the bytes are here.
fn mend_file(t: &WriteTransaction<'_>, key: &Key) -> Result<bool> {
    t.delete::<Files>(key)?;
    let Some(scope) = RepoScope::in_key(key.as_bytes()) else { return Ok(true) };
    let Some((name, path)) = use_of(t, key, &scope)? else { return Ok(true) };
    let blob = t.get::<Blobs>(&Key::blob(&name))?.filter(|blob| blob.state != BlobState::Partial);
    let listing = t.get::<Manifests>(&Key::manifest(&scope))?;
    let listed = listing.and_then(|listing| listing.files.into_iter().find(|file| file.path == path));
    if let (Some(blob), Some(listed)) = (blob, listed) {
        let git_sha1 = listed.git_sha1.filter(|_| listed.sha256.is_none());
        let stored_at_ms = blob.last_use_ms;
        t.put::<Files>(key, &FileMetadata { path, blob: name.0, size: blob.size, git_sha1, stored_at_ms })?;
    }
    Ok(true)
}

fn use_of(t: &WriteTransaction<'_>, file: &Key, scope: &RepoScope) -> Result<Option<(BlobName, String)>> {
    let mut found = None;
    t.rows::<Uses>(&Key::all_usages(), |key, used| {
        let is_of = RepoScope::in_key(key).as_ref() == Some(scope);
        if let (true, Ok(used), Some(name)) = (is_of, used, Key::blob_name(key))
            && Key::file(scope, &used.path) == *file
        {
            found = Some((name, used.path));
            return Ok(ControlFlow::Break(()));
        }
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(found)
}

/// A use is what the file says that has these bytes.
fn mend_use(t: &WriteTransaction<'_>, key: &Key) -> Result<bool> {
    t.delete::<Uses>(key)?;
    let (Some(scope), Some(name)) = (RepoScope::in_key(key.as_bytes()), Key::blob_name(key.as_bytes()))
    else {
        return Ok(true);
    };
    let mut path = None;
    t.rows::<Files>(&Key::files(&scope), |_, file| {
        path = file.ok().filter(|file| file.blob_name() == name).map(|file| file.path);
        let is_it = path.as_ref().is_some_and(|path| Key::usage(&name, &scope, path) == *key);
        Ok(if is_it { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    })?;
    if let Some(path) = path.filter(|path| Key::usage(&name, &scope, path) == *key) {
        t.put::<Uses>(key, &UseRecord { path })?;
    }
    Ok(true)
}
