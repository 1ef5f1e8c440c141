//! Windows. Not run yet: type-checked only. Views are copies here: extending a mapped file may make it inaccessible for a moment,
//! and libmdbx suspends only threads it knows.
#![expect(unsafe_code, reason = "two system calls the standard library has no form of")]

use std::convert::Infallible;
use std::fs::File;
use std::io;
use std::mem::MaybeUninit;
use std::os::windows::ffi::OsStrExt as _;
use std::os::windows::fs::FileExt as _;
use std::os::windows::io::{AsHandle as _, AsRawHandle as _, BorrowedHandle, RawHandle};
use std::path::Path;

use super::{FileIdentity, Piece};

/// An open file that someone else owns.
pub(crate) type BorrowedFile<'a> = BorrowedHandle<'a>;

/// Value of a file handle before libmdbx has set it (`INVALID_HANDLE_VALUE`).
pub(crate) const NO_FILE: RawHandle = std::ptr::without_provenance_mut(usize::MAX);

/// Whether files can be mapped into memory here.
pub(crate) const CAN_MAP: bool = false;

#[link(name = "kernel32")]
unsafe extern "system" {
    fn GetDiskFreeSpaceExW(folder: *const u16, free: *mut u64, total: *mut u64, all_free: *mut u64) -> i32;
    fn GetFileInformationByHandle(file: RawHandle, out: *mut FileInformation) -> i32;
}

/// `BY_HANDLE_FILE_INFORMATION`.
#[repr(C)]
struct FileInformation {
    attributes: u32,
    times: [u32; 6],
    volume: u32,
    size: [u32; 2],
    links: u32,
    index: [u32; 2],
}

/// A second handle of the same open file. Closing it leaves libmdbx's locks alone: they belong to the open file.
fn duplicate(file: BorrowedFile<'_>) -> io::Result<File> {
    Ok(File::from(file.try_clone_to_owned()?))
}

/// An open file as the functions here take it.
pub(crate) fn borrow(file: &File) -> BorrowedFile<'_> {
    file.as_handle()
}

/// Writes all of `bytes` at `offset`.
pub(crate) fn write_at(file: BorrowedFile<'_>, mut bytes: &[u8], mut offset: u64) -> io::Result<()> {
    let file = duplicate(file)?;
    while !bytes.is_empty() {
        match file.seek_write(bytes, offset)? {
            0 => return Err(io::ErrorKind::WriteZero.into()),
            n => {
                bytes = bytes.get(n..).unwrap_or_default();
                offset += n as u64;
            }
        }
    }
    Ok(())
}

/// Fills `buffer` from `offset`.
pub(crate) fn read_at(file: BorrowedFile<'_>, buffer: &mut [u8], offset: u64) -> io::Result<()> {
    let file = duplicate(file)?;
    let mut done = 0;
    while let Some(rest) = buffer.get_mut(done..).filter(|rest| !rest.is_empty()) {
        match file.seek_read(rest, offset + done as u64)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            n => done += n,
        }
    }
    Ok(())
}

/// Makes everything written so far durable (`FlushFileBuffers`).
pub(crate) fn sync_data(file: BorrowedFile<'_>) -> io::Result<()> {
    duplicate(file)?.sync_data()
}

/// Bytes this user may still write to the file system that holds `path`.
pub(crate) fn available(path: &Path) -> io::Result<u64> {
    let folder: Vec<u16> = path.as_os_str().encode_wide().chain([0]).collect();
    let (mut free, mut total, mut all_free) = (0, 0, 0);
    // SAFETY: the path ends with a zero, and the three numbers are written before the call returns.
    let done =
        unsafe { GetDiskFreeSpaceExW(folder.as_ptr(), &raw mut free, &raw mut total, &raw mut all_free) };
    if done == 0 { Err(io::Error::last_os_error()) } else { Ok(free) }
}

/// Apparent size and allocated bytes of an open file: the same here, no holes are made.
pub(crate) fn file_size(file: BorrowedFile<'_>) -> io::Result<(u64, u64)> {
    let size = duplicate(file)?.metadata()?.len();
    Ok((size, size))
}

/// Whether `file` is the file that `path` names now.
pub(crate) fn is_file_at(file: &File, path: &Path) -> io::Result<bool> {
    match File::open(path) {
        Ok(named) => Ok(identity(&named)?.is_same_file(&identity(file)?)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// What tells the file at `path` from all others.
pub(crate) fn identity_at(path: &Path) -> io::Result<FileIdentity> {
    identity(&File::open(path)?)
}

fn identity(file: &File) -> io::Result<FileIdentity> {
    let mut out = MaybeUninit::<FileInformation>::zeroed();
    // SAFETY: the handle is open, and the structure is written before the call returns.
    if unsafe { GetFileInformationByHandle(file.as_raw_handle(), out.as_mut_ptr()) } == 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: it is a struct of integers, for which the zeros it was made of are a valid value.
    let FileInformation { volume, index: [high, low], links, .. } = unsafe { out.assume_init() };
    let number = (u64::from(high) << 32) | u64::from(low);
    Ok(FileIdentity { volume: u64::from(volume), number, names: u64::from(links) })
}

/// Bytes of a memory page.
pub(crate) fn page_size() -> u64 {
    4096
}

/// Mapped memory. There is none here: [`CAN_MAP`] is false.
pub(crate) struct AddressRange(Infallible);

impl AddressRange {
    /// Not possible here; the reader copies.
    pub(crate) fn map(_file: BorrowedFile<'_>, _pieces: &[Piece]) -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(crate) fn start(&self) -> *mut u8 {
        match self.0 {}
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        match self.0 {}
    }
}

/// While one lives, no other thread of the process forks: none does here.
pub(crate) struct ForkPause;

/// Nothing to wait for: there is no fork.
#[expect(clippy::unnecessary_wraps, reason = "the same signature as elsewhere")]
pub(crate) fn pause_forks() -> io::Result<ForkPause> {
    Ok(ForkPause)
}

/// Opens a file with `open`: there is no fork child to inherit it.
pub(crate) fn open_uninherited(open: impl FnOnce() -> io::Result<File>) -> io::Result<File> {
    open()
}

/// Ends what [`open_uninherited`] began, before the file is closed.
pub(crate) fn inherit(_: &File) {}

/// Whether this process has as many files open as it may (`ERROR_TOO_MANY_OPEN_FILES`).
pub(crate) fn is_out_of_descriptors(error: &io::Error) -> bool {
    error.raw_os_error() == Some(4)
}
