//! What the store holds and nobody refers to: left by processes that died between two steps.

use std::collections::{BTreeMap, HashSet};
use std::ops::ControlFlow;

use crate::chunk::parse_chunk_key;
use crate::digest::{BlobName, Incarnation};
use crate::error::Result;
use crate::key::Key;
use crate::lock_folder::StaleFile;
use crate::record::{BlobRecord, BlobState};
use crate::remove::Freed;
use crate::scope::RepoScope;
use crate::store::Store;
use crate::table::{Blobs, Files, Inlines, Manifests, Quants, Uses};
use crate::transaction::{RECORDS_AT_ONCE, ReadTransaction};
use crate::unused_headers::UnusedHeaders;

/// What nobody refers to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Orphans {
    /// Chunks of C whose reservation neither a record in M names nor a live lease protects.
    chunks: BTreeMap<[u8; 16], Vec<u32>>,
    /// Bytes of these chunks.
    chunk_bytes: u64,
    /// Complete blobs that no file uses, and their bytes.
    blobs: Vec<(BlobName, u64)>,
    /// Bytes in M that no blob names.
    inlines: Vec<BlobName>,
    /// Uses of a blob by a file that has other bytes or none.
    uses: Vec<Key>,
    /// Histories of quants whose listing is gone.
    quants: Vec<Key>,
    /// What headers told of files that no listing has.
    headers: UnusedHeaders,
    /// Files beside the locks that dead processes left.
    files: Vec<StaleFile>,
}

impl Orphans {
    /// How many there are: reservations, blobs, records, and files beside the locks.
    #[must_use]
    pub fn count(&self) -> u64 {
        let records = self.inlines.len() + self.uses.len() + self.quants.len() + self.headers.count();
        (self.chunks.len() + self.blobs.len() + records + self.files.len()) as u64
    }

    /// The blobs among them.
    #[must_use]
    pub fn blobs(&self) -> u64 {
        self.blobs.len() as u64
    }

    /// Bytes of the blobs among them.
    #[must_use]
    pub fn blob_bytes(&self) -> u64 {
        self.blobs.iter().map(|(_, size)| size).sum()
    }

    /// Bytes that go with them.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.chunk_bytes + self.blob_bytes()
    }
}

/// What M names.
#[derive(Default)]
struct Recorded {
    reservations: HashSet<[u8; 16]>,
    partial: HashSet<BlobName>,
}

/// What is in C, by reservation: the numbers of the chunks and their bytes.
type Reservations = BTreeMap<[u8; 16], (Vec<u32>, u64)>;

impl Store {
    /// Finds what nobody refers to. A reservation that its writer has not recorded yet is none of it: it is protected by the
    /// writer's lease, however long that process is stopped between the two.
    ///
    /// # Errors
    /// [`crate::StorageError::Corrupt`] when a record is damaged: what it refers to cannot be told.
    pub fn orphans(&self) -> Result<Orphans> {
        self.orphans_between(|| {})
    }

    /// As [`Store::orphans`]; `between` runs before M is read, where another process may record what it has reserved.
    pub(crate) fn orphans_between(&self, between: impl FnOnce()) -> Result<Orphans> {
        // The order is load-bearing: C, then the leases, then M. See `protected_reservations`.
        let mut reservations = self.reservations()?;
        let protected = self.protected_reservations()?;
        between();
        let (mut orphans, recorded) = self.read(|t| {
            let mut orphans = Orphans::default();
            let recorded = orphans.read(t)?;
            Ok((orphans, recorded))
        })?;
        reservations.retain(|incarnation, _| {
            let free = |protected: &HashSet<_>| !protected.contains(&Incarnation(*incarnation));
            !recorded.reservations.contains(incarnation) && protected.as_ref().is_some_and(free)
        });
        for (incarnation, (chunks, bytes)) in reservations {
            orphans.chunks.insert(incarnation, chunks);
            orphans.chunk_bytes += bytes;
        }
        orphans.files = self.stale_files(&recorded.partial)?;
        Ok(orphans)
    }

    fn reservations(&self) -> Result<Reservations> {
        let mut out = Reservations::new();
        self.chunks.visit(|key, length| {
            if let Some((incarnation, n)) = parse_chunk_key(key) {
                let (chunks, bytes) = out.entry(incarnation.0).or_default();
                chunks.push(n);
                *bytes += length as u64;
            }
        })?;
        Ok(out)
    }

    /// Removes what was found, as far as still nobody refers to it.
    ///
    /// # Errors
    /// As [`Store::remove_blobs`]. What was removed before stays removed.
    pub fn remove_orphans(&self, orphans: &Orphans) -> Result<Freed> {
        self.check_writable()?;
        self.remove_unused_records(orphans)?;
        self.remove_unused_headers(&orphans.headers)?;
        // An incarnation is never used again, so what was an orphan once is one for good.
        let chunks = orphans.chunks.iter();
        let chunks: Vec<(Incarnation, u32)> = chunks
            .flat_map(|(incarnation, chunks)| chunks.iter().map(|n| (Incarnation(*incarnation), *n)))
            .collect();
        self.delete_chunks(&chunks)?;
        let blobs: Vec<BlobName> = orphans.blobs.iter().map(|(name, _)| *name).collect();
        let mut freed = self.remove_blobs(&blobs)?;
        if !chunks.is_empty() {
            freed.freed += self.release_space()?;
            freed.reusable = self.reusable()?;
        }
        self.remove_stale_files(&orphans.files)?;
        Ok(freed)
    }

    fn remove_unused_records(&self, orphans: &Orphans) -> Result<()> {
        for names in orphans.inlines.chunks(RECORDS_AT_ONCE) {
            self.write(|t| {
                for name in names {
                    if !t.contains::<Blobs>(&Key::blob(name))? {
                        t.delete::<Inlines>(&Key::inline(name))?;
                    }
                }
                Ok(())
            })?;
        }
        for keys in orphans.quants.chunks(RECORDS_AT_ONCE) {
            self.write(|t| {
                for key in keys {
                    let scope = RepoScope::in_key(key.as_bytes());
                    if !scope.map_or(Ok(true), |scope| t.contains::<Manifests>(&Key::manifest(&scope)))? {
                        t.delete::<Quants>(key)?;
                    }
                }
                Ok(())
            })?;
        }
        for keys in orphans.uses.chunks(RECORDS_AT_ONCE) {
            self.write(|t| {
                for key in keys {
                    let Some(record) = t.get::<Uses>(key)? else { continue };
                    let file = |file: &Key| t.get::<Files>(file);
                    if !is_true_use(key.as_bytes(), &record.path, file)? {
                        t.delete::<Uses>(key)?;
                    }
                }
                Ok(())
            })?;
        }
        Ok(())
    }
}

impl Orphans {
    /// Reads M.
    fn read(&mut self, t: &ReadTransaction<'_>) -> Result<Recorded> {
        let used = self.read_uses(t)?;
        let mut recorded = Recorded::default();
        let mut inline = HashSet::new();
        t.scan::<Blobs>(&Key::blobs(), |key, record: BlobRecord| {
            let Some(name) = Key::blob_name(key) else { return Ok(ControlFlow::Continue(())) };
            if record.state == BlobState::Inline {
                inline.insert(name);
            } else {
                recorded.reservations.insert(record.incarnation);
            }
            if record.state == BlobState::Partial {
                recorded.partial.insert(name);
            } else if !used.contains(&name) {
                self.blobs.push((name, record.size));
            }
            Ok(ControlFlow::Continue(()))
        })?;
        t.keys::<Inlines>(&Key::inlines(), |key| {
            self.inlines.extend(Key::blob_name(key).filter(|name| !inline.contains(name)));
            Ok(())
        })?;
        t.keys::<Quants>(&Key::all_quants(), |key| {
            if let Some(scope) = RepoScope::in_key(key)
                && !t.contains::<Manifests>(&Key::manifest(&scope))?
            {
                self.quants.push(Key::stored(key));
            }
            Ok(())
        })?;
        self.headers = UnusedHeaders::find(t)?;
        Ok(recorded)
    }

    /// Returns the blobs that files use.
    fn read_uses(&mut self, t: &ReadTransaction<'_>) -> Result<HashSet<BlobName>> {
        let mut used = HashSet::new();
        t.scan::<Uses>(&Key::all_usages(), |key, record| {
            if is_true_use(key, &record.path, |file| t.get::<Files>(file))? {
                used.extend(Key::blob_name(key));
            } else {
                self.uses.push(Key::stored(key));
            }
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(used)
    }
}

/// Whether the file of a use has the bytes of the blob it uses. A key that cannot be read counts as one.
fn is_true_use(
    key: &[u8],
    path: &str,
    get: impl FnOnce(&Key) -> Result<Option<crate::record::FileMetadata>>,
) -> Result<bool> {
    let (Some(scope), Some(name)) = (RepoScope::in_key(key), Key::blob_name(key)) else { return Ok(true) };
    Ok(get(&Key::file(&scope, path))?.is_some_and(|file| file.blob_name() == name))
}
