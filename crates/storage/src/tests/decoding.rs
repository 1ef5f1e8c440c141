//! Everything that is read from the disk, with bytes that nobody wrote: it is refused or means something, and never more.

use super::fixture::new_store;
use super::mutation::with_mutations;
use crate::chunk::{ChunkHeader, chunk_key, parse_chunk_key};
use crate::digest::{BlobName, Incarnation};
use crate::error::StorageError;
use crate::key::Key;
use crate::layout::{CHUNK_SIZE, PADDING};
use crate::record::{
    AliasRecord, BlobRecord, BlobState, FileMetadata, FormatRecord, HeaderRecord, ImportRecord, ManifestFile,
    ManifestQuant, ManifestRecord, QuantFault, QuantRecord, Record, RefCommit, RefRecord, Segment,
    SortingRecord, UseRecord,
};
use crate::scope::{EndpointId, RepoScope};

/// Whatever is read can be written and read again; whatever is not is damaged. A check says the same.
fn check<R: Record>(bytes: &[u8]) {
    assert_eq!(R::check(bytes).is_ok(), R::decode(bytes).is_ok());
    match R::decode(bytes) {
        Ok(record) => {
            let again = record.encode().unwrap();
            assert!(R::decode(&again).is_ok());
        }
        Err(StorageError::Corrupt { .. }) => {}
        Err(error) => panic!("{error}"),
    }
}

fn sorting() -> SortingRecord {
    let text = |text: &str| text.to_owned();
    SortingRecord {
        sorted_at_ms: 1,
        repo: Some(text("acme/m")),
        library_name: Some(text("mlx")),
        tags: vec![text("onnx"); 3],
        quant_method: Some(text("awq")),
        bits: Some(4),
        dtype: Some(text("BF16")),
        mlx: true,
    }
}

fn samples() -> Vec<Vec<u8>> {
    let text = |text: &str| text.to_owned();
    let segments = (0..5).map(|n| Segment { start: n << 22, length: 1 << 22, crc: 7 }).collect();
    let (state, provisional) = (BlobState::Complete, false);
    let blob =
        BlobRecord { state, size: 20 << 20, incarnation: [3; 16], segments, provisional, last_use_ms: 9 };
    let file = FileMetadata {
        path: text("onnx/model.onnx"),
        blob: [5; 32],
        size: 1,
        git_sha1: Some([6; 20]),
        stored_at_ms: 2,
    };
    let listed = ManifestFile {
        path: text("a.gguf"),
        size: 5,
        sha256: Some([1; 32]),
        git_sha1: None,
        role: text("weights"),
    };
    let manifest = ManifestRecord {
        endpoint: text("https://huggingface.co"),
        repo: text("acme/m"),
        commit: "c".repeat(40),
        pipeline_task: Some(text("text-generation")),
        library_name: None,
        license: Some(text("mit")),
        tags: vec![text("onnx"); 3],
        gated: false,
        scanned_at_ms: 8,
        files: vec![listed; 3],
        quants: vec![ManifestQuant { name: text("Q4_K_M"), format: text("gguf"), files: vec![0, 2] }],
        shared: vec![1],
    };
    let fault = QuantFault { code: text("ERR_NETWORK"), message: text("it broke") };
    let quant = QuantRecord {
        name: text("q8"),
        updated_at_ms: 1,
        completed_at_ms: None,
        keep: true,
        fault: Some(fault),
    };
    let commits = vec![RefCommit { commit: "d".repeat(40), scanned_at_ms: 4 }];
    [
        blob.encode(),
        file.encode(),
        manifest.encode(),
        quant.encode(),
        RefRecord { commits, etag: Some(text("W/\"x\"")) }.encode(),
        AliasRecord { repo: text("acme/m") }.encode(),
        UseRecord { path: text("a.gguf") }.encode(),
        ImportRecord { imported_at_ms: 1 }.encode(),
        HeaderRecord { variant: Some(text("Q4_K_M")), rules: 1 }.encode(),
        sorting().encode(),
        FormatRecord { format: 1 }.encode(),
    ]
    .into_iter()
    .map(Result::unwrap)
    .collect()
}

#[test]
fn a_record_of_any_bytes_is_read_or_damaged() {
    with_mutations(&samples(), |bytes| {
        check::<BlobRecord>(bytes);
        check::<FileMetadata>(bytes);
        check::<ManifestRecord>(bytes);
        check::<QuantRecord>(bytes);
        check::<RefRecord>(bytes);
        check::<AliasRecord>(bytes);
        check::<UseRecord>(bytes);
        check::<ImportRecord>(bytes);
        check::<HeaderRecord>(bytes);
        check::<SortingRecord>(bytes);
        check::<FormatRecord>(bytes);
    });
}

#[test]
fn a_key_of_any_bytes_names_something_or_nothing() {
    let (name, incarnation) = (BlobName([7; 32]), Incarnation([9; 16]));
    let scope =
        RepoScope { endpoint: EndpointId::of("x"), repo: "acme/m".to_owned(), commit: "c".repeat(40) };
    let keys = [Key::file(&scope, "a/b"), Key::usage(&name, &scope, "a/b"), Key::blob(&name)];
    let mut samples: Vec<Vec<u8>> = keys.iter().map(|key| key.as_bytes().to_vec()).collect();
    samples.push(chunk_key(&incarnation, 12).into_bytes());
    with_mutations(&samples, |bytes| {
        if let Some(scope) = RepoScope::in_key(bytes) {
            assert!(!scope.repo.contains('@') && !scope.commit.contains(':'));
        }
        if let Some(name) = Key::blob_name(bytes) {
            assert!(String::from_utf8_lossy(bytes).to_lowercase().contains(&name.to_hex()));
        }
        if let Some((incarnation, n)) = parse_chunk_key(bytes) {
            assert_eq!(parse_chunk_key(chunk_key(&incarnation, n).as_bytes()), Some((incarnation, n)));
        }
    });
}

#[test]
fn a_chunk_header_of_any_bytes_is_that_of_one_chunk_or_of_none() {
    let header = ChunkHeader { incarnation: Incarnation([4; 16]), n: 1, file_size: CHUNK_SIZE + 5 };
    let mut sample = header.encode().to_vec();
    sample.resize(PADDING, 0);
    with_mutations(&[sample.clone()], |bytes| {
        assert!(ChunkHeader::file_size(bytes).is_none() || bytes.starts_with(b"TABCHUNK"));
        assert_eq!(header.matches(bytes), bytes.get(..48) == sample.get(..48));
    });
}

#[test]
fn notes_beside_the_locks_of_any_bytes_are_looked_at_and_no_more() {
    let (_folder, store) = new_store();
    let name = BlobName([7; 32]);
    let lease = store.try_lease(&name).unwrap().unwrap();
    lease.note(Some(&Incarnation([9; 16]))).unwrap();
    let files = std::fs::read_dir(store.locks()).unwrap().map(|entry| entry.unwrap().path());
    let path = files.into_iter().find(|path| path.to_string_lossy().contains("0707")).unwrap();
    let sample = std::fs::read(&path).unwrap();
    assert!(!sample.is_empty());
    with_mutations(&[sample], |bytes| {
        std::fs::write(&path, bytes).unwrap();
        assert_eq!(store.activity().unwrap().leased_bytes(&name), store.leased_bytes(&name));
        store.protected_reservations().unwrap();
    });
    drop(lease);
}
