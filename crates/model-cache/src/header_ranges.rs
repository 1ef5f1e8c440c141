//! The header of a file that is not stored: range by range, until the parser has what it needs. What was fetched then belongs to
//! the partial download of the file.

use std::ops::Range;
use std::sync::Arc;

use tabagent_hub::TransferRequest;
use tabagent_storage::{BlobName, BlobWriter, ManifestFile, RepoScope, StorageError};

use crate::error::{Error, Result};
use crate::header::{self, Bytes as _, Header, LARGEST_HEADER, Pieces, Stop, Telling};
use crate::inner::Inner;
use crate::inspection::refused;
use crate::patch::PatchSink;
use crate::runtime::blocking;
use crate::transfer::hub_digest;

/// The first request asks for so much (64 KiB). Each that goes on where the last one ended asks for twice as much: some headers are
/// long, and nobody knows how long.
const FIRST: u64 = 64 << 10;

/// No request asks for more on its own account (8 MiB).
const LONGEST: u64 = 8 << 20;

/// So many requests at other places, between the weights of ONNX, may each ask for as little as the first.
const SHORT_REQUESTS: u32 = 32;

/// After these they ask for twice as much, again and again up to this (1 MiB), so that there are at most a few hundred.
const LONGEST_JUMP: u64 = 1 << 20;

/// Most requests for what names a quant, the first time. Between the weights of ONNX that is enough for the largest of them, and the
/// name is then by those.
const MOST_TO_TELL: usize = 16;

/// Most bytes for that (32 MiB).
const LARGEST_TO_TELL: u64 = 32 << 20;

/// One header that is being fetched.
pub(crate) struct HeaderRanges {
    inner: Arc<Inner>,
    scope: RepoScope,
    file: ManifestFile,
    pieces: Pieces,
    fetched: Vec<Range<u64>>,
    /// Where the last range ended, and how long it was.
    last: (u64, u64),
    jumps: u32,
}

impl HeaderRanges {
    pub(crate) fn new(inner: &Arc<Inner>, scope: RepoScope, file: ManifestFile) -> Self {
        let (pieces, inner) = (Pieces::new(file.size), Arc::clone(inner));
        Self { inner, scope, file, pieces, fetched: Vec::new(), last: (0, 0), jumps: 0 }
    }

    /// Fetches and reads the header.
    pub(crate) async fn read(mut self) -> Result<Header> {
        loop {
            let outcome;
            (self, outcome) = self.parse().await?;
            match outcome {
                Ok(header) => {
                    self.keep().await?;
                    return Ok(header);
                }
                Err(Stop::Missing(range)) => self.bring(range).await?,
                Err(stop) => return Err(self.refused(stop)),
            }
        }
    }

    /// What the header says of how the weights are quantized, from no more requests than [`MOST_TO_TELL`], or twice as many for each of
    /// so many tries before. What was fetched is not kept: it would take room for the whole file.
    pub(crate) async fn variant(mut self, tries: u16) -> Result<Telling> {
        loop {
            let told: Telling;
            (self, told) = self.tell().await?;
            match told.missing {
                Some(range) if self.may_go_on(&range, tries) => self.bring(range).await?,
                missing => return Ok(Telling { missing, ..told }),
            }
        }
    }

    fn may_go_on(&self, range: &Range<u64>, tries: u16) -> bool {
        let fetched: u64 = self.fetched.iter().map(|range| range.end - range.start).sum();
        let length = fetched + (range.end - range.start);
        self.fetched.len() >> tries < MOST_TO_TELL && length.div_ceil(1 << tries) <= LARGEST_TO_TELL
    }

    async fn tell(self) -> Result<(Self, Telling)> {
        let token = self.inner.tasks.token();
        blocking(token, move || {
            let told = header::variant(&self.file.path, &self.pieces);
            Ok((self, told))
        })
        .await
    }

    /// Not beside the sockets: a long vocabulary takes a while.
    async fn parse(self) -> Result<(Self, std::result::Result<Header, Stop>)> {
        let token = self.inner.tasks.token();
        blocking(token, move || {
            let outcome = header::read(&self.file.path, &self.pieces);
            Ok((self, outcome))
        })
        .await
    }

    fn refused(&self, stop: Stop) -> Error {
        refused(&self.scope.repo, &self.file.path, stop)
    }

    /// Bytes that an earlier call or download has left, else new ones.
    async fn bring(&mut self, range: Range<u64>) -> Result<()> {
        let range = self.extend(range);
        self.last = (range.end, range.end - range.start);
        let (inner, name, wanted) = (Arc::clone(&self.inner), self.name()?, range.clone());
        let here =
            blocking(self.inner.tasks.token(), move || Ok(inner.store.read_recorded(&name, wanted)?)).await?;
        if here.is_empty() {
            self.fetch(range).await
        } else {
            self.last.0 = range.start + here.len() as u64;
            self.pieces.insert(range.start, here);
            Ok(())
        }
    }

    /// What to ask for where the parser needs `range`.
    fn extend(&mut self, range: Range<u64>) -> Range<u64> {
        let (end, length) = self.last;
        let length = if end == range.start {
            (length * 2).clamp(FIRST, LONGEST)
        } else {
            self.jumps += 1;
            (FIRST << (self.jumps / SHORT_REQUESTS).min(16)).min(LONGEST_JUMP)
        };
        self.pieces.gap(range.start..range.end.max(range.start.saturating_add(length)))
    }

    async fn fetch(&mut self, range: Range<u64>) -> Result<()> {
        let fetched: u64 = self.fetched.iter().map(|range| range.end - range.start).sum();
        if fetched + (range.end - range.start) > LARGEST_HEADER {
            let what =
                format!("more than {LARGEST_HEADER} bytes of it are needed for that; download it first");
            return Err(self.refused(Stop::Unknown(what)));
        }
        let request = TransferRequest {
            repo: self.scope.repo.clone(),
            commit: self.scope.commit.clone(),
            path: self.file.path.clone(),
            size: self.file.size,
            digest: hub_digest(self.file.digest()?),
            missing: vec![range.clone()],
        };
        let sink = Arc::new(PatchSink::new(&request.missing));
        let cancel = self.inner.closing.child_token();
        let _guard = cancel.clone().drop_guard();
        self.inner.hub.transfer(&request, Arc::clone(&sink) as _, &cancel).await?;
        for patch in sink.take() {
            self.pieces.insert(patch.offset, patch.bytes);
        }
        self.fetched.push(range);
        Ok(())
    }

    /// What was fetched becomes part of the download, where that is possible without waiting and without removing anything: there must
    /// be room for the whole file, although it is not kept.
    async fn keep(self) -> Result<()> {
        if self.fetched.is_empty() || self.inner.is_read_only() {
            return Ok(());
        }
        blocking(self.inner.tasks.token(), move || match self.store() {
            Err(Error::Storage(StorageError::NoSpace { .. })) => Ok(()),
            outcome => outcome,
        })
        .await
    }

    fn store(&self) -> Result<()> {
        let store = &self.inner.store;
        if let Some(limit) = self.inner.options.max_size {
            let usage = store.usage()?;
            if usage.bytes.saturating_add(self.file.size) > limit {
                return Ok(());
            }
        }
        let Some(lease) = store.try_lease(&self.name()?)? else { return Ok(()) };
        let writer = store.writer(lease, self.file.size, self.file.digest()?)?;
        // A look at a header must not cost the disk a whole file.
        writer.yield_room();
        self.fetched.iter().try_for_each(|range| self.write(&writer, range))
    }

    /// What of a range is still missing there.
    fn write(&self, writer: &BlobWriter, range: &Range<u64>) -> Result<()> {
        for missing in writer.missing() {
            let part = missing.start.max(range.start)..missing.end.min(range.end);
            if !part.is_empty() {
                let bytes = self.pieces.get(part.clone()).map_err(|stop| self.refused(stop))?;
                writer.write(part.start, bytes)?;
            }
        }
        Ok(())
    }

    fn name(&self) -> Result<BlobName> {
        Ok(self.file.digest()?.blob_name())
    }
}
