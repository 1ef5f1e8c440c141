//! What differs between operating systems: one small file each, with the same functions.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
pub(crate) use linux::*;
#[cfg(target_os = "linux")]
mod clone_range;
#[cfg(target_os = "linux")]
pub(crate) use clone_range::clone_range;

#[cfg(target_os = "linux")]
mod network;
#[cfg(target_os = "linux")]
pub(crate) use network::network_file_system;

#[cfg(target_os = "linux")]
mod resident;
#[cfg(target_os = "linux")]
pub(crate) use resident::is_resident;

#[cfg(target_os = "macos")]
mod macos;
#[cfg(target_os = "macos")]
pub(crate) use macos::*;

#[cfg(not(target_os = "linux"))]
mod unsupported;
#[cfg(not(target_os = "linux"))]
pub(crate) use unsupported::*;

#[cfg(windows)]
mod windows;
#[cfg(windows)]
pub(crate) use windows::*;
#[cfg(windows)]
mod path_folder;
#[cfg(windows)]
pub(crate) use path_folder::Folder;

#[cfg(unix)]
mod unix;
#[cfg(unix)]
pub(crate) use unix::*;

#[cfg(unix)]
mod address_range;
#[cfg(unix)]
pub(crate) use address_range::AddressRange;

#[cfg(unix)]
mod folder;
#[cfg(unix)]
pub(crate) use folder::Folder;

#[cfg(unix)]
mod fork;
#[cfg(unix)]
pub(crate) use fork::{ForkPause, inherit, open_uninherited, pause_forks};

/// Some bytes of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    /// Offset of the first byte.
    pub(crate) offset: u64,
    /// Bytes.
    pub(crate) length: u64,
}

/// What tells a file from all others.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FileIdentity {
    pub(crate) volume: u64,
    pub(crate) number: u64,
    /// How many names the file has.
    pub(crate) names: u64,
}

impl FileIdentity {
    /// Whether both are of one file.
    pub(crate) fn is_same_file(&self, other: &Self) -> bool {
        (self.volume, self.number) == (other.volume, other.number)
    }
}
