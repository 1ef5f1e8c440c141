//! Which file systems other machines write, too.
//!
//! libmdbx has processes share memory through the map of a file, and lock by it. Both hold for the processes of one kernel: where
//! another machine may have the same files, neither does, even if only one uses them today.

use std::borrow::Cow;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// What all kinds of FUSE say they are.
const FUSE: u64 = 0x6573_5546;

/// FUSE over a block device of this machine (ntfs-3g, exfat): its pages and locks are the kernel's own. Files of any other kind may be
/// anywhere, and libmdbx refuses those whose source names FUSE.
const LOCAL_FUSE: &str = "fuseblk";

/// Name of the network file system that holds `path`, if it is one. libmdbx knows some of them only.
pub(crate) fn network_file_system(path: &Path) -> io::Result<Option<Cow<'static, str>>> {
    let kind = rustix::fs::statfs(path)?.f_type.cast_unsigned() & 0xFFFF_FFFF;
    if kind != FUSE {
        return Ok(network_name(kind).map(Cow::Borrowed));
    }
    let mounts = fs::read("/proc/self/mountinfo").unwrap_or_default();
    // The names of places may be any bytes; they are not looked at.
    Ok(foreign_fuse(&String::from_utf8_lossy(&mounts), fs::metadata(path)?.dev()))
}

/// By the number that Linux tells a kind of file system by (`linux/magic.h`, and those of drivers outside it).
fn network_name(kind: u64) -> Option<&'static str> {
    Some(match kind {
        0x6969 => "NFS",
        0x517B | 0xFF53_4D42 | 0xFE53_4D42 => "SMB",
        0x00C3_6400 => "Ceph",
        0x5346_414F | 0x6B41_4653 => "AFS",
        0x7375_7245 => "Coda",
        0x564C => "NCP",
        0x0BD0_0BD0 => "Lustre",
        0x4750_4653 => "GPFS",
        0x1983_0326 => "BeeGFS",
        0x0102_1997 => "9P",
        0x786F_4256 => "VirtualBox shared folders",
        0xBACB_ACBC => "VMware shared folders",
        0x7C7C_6673 => "Parallels shared folders",
        0x0116_1970 => "GFS2",
        0x7461_636F => "OCFS2",
        0xAAD7_AAEA => "PanFS",
        _ => return None,
    })
}

/// The kind of FUSE that is mounted as `device`, unless it is over a disk of this machine; what nobody tells may be any.
fn foreign_fuse(mounts: &str, device: u64) -> Option<Cow<'static, str>> {
    let kind = mounts.lines().find_map(|mount| fuse_kind(mount, device)).unwrap_or("fuse");
    (kind != LOCAL_FUSE).then(|| Cow::Owned(format!("{kind} (FUSE)")))
}

/// The kind that a line of `/proc/self/mountinfo` tells, if it is about `device`: `ID PARENT MAJOR:MINOR ROOT PLACE OPTIONS... - KIND
/// SOURCE OPTIONS`.
fn fuse_kind(mount: &str, device: u64) -> Option<&str> {
    let number = format!("{}:{}", rustix::fs::major(device), rustix::fs::minor(device));
    let (place, kind) = mount.split_once(" - ")?;
    (place.split(' ').nth(2) == Some(&number)).then(|| kind.split(' ').next())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn network_file_systems_are_told_from_local_ones() {
        let named = [(0xFE53_4D42, "SMB"), (0x00C3_6400, "Ceph"), (0x6969, "NFS"), (0x0102_1997, "9P")];
        for (kind, name) in named {
            assert_eq!(network_name(kind), Some(name));
        }
        for (kind, name) in [
            (0xEF53, "ext4"),
            (0x5846_5342, "XFS"),
            (0x9123_683E, "btrfs"),
            (0x0102_1994, "tmpfs"),
            (0x794C_7630, "overlayfs"),
            (0x2FC1_2FC1, "ZFS"),
            (0xF2F5_2010, "F2FS"),
            (0xCA45_1A4E, "bcachefs"),
        ] {
            assert_eq!(network_name(kind), None, "{name}");
        }
        assert_eq!(network_file_system(&std::env::temp_dir()).unwrap(), None);
    }

    #[test]
    fn fuse_is_local_only_where_its_mount_says_so() {
        let mounts = "\
            27 1 254:0 / / rw,relatime - ext4 /dev/root rw\n\
            42 27 0:39 / /a rw,nodev,noatime - fuse.fuse-overlayfs fuse-overlayfs rw,user_id=0\n\
            43 27 0:40 / /b rw,nosuid shared:7 master:3 - fuse.sshfs host:/folder - rw\n\
            44 27 7:0 / /c rw,relatime - fuseblk /dev/loop0 rw\n\
            45 27 0:41 / /d\\040- rw - virtiofs tag rw\n\
            46 27 0:42 / /e rw - fuse /somewhere rw\n";
        let kind = |major, minor| foreign_fuse(mounts, rustix::fs::makedev(major, minor));
        assert_eq!(kind(7, 0), None);
        for (minor, name) in
            [(39, "fuse.fuse-overlayfs"), (40, "fuse.sshfs"), (41, "virtiofs"), (42, "fuse"), (99, "fuse")]
        {
            assert_eq!(kind(0, minor).unwrap(), format!("{name} (FUSE)"));
        }
    }
}
