//! A small file system of a test's own, on a loop device.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

const MIB: usize = 1 << 20;

/// A small file system, unmounted when this is dropped.
pub(crate) struct SmallDisk {
    _folder: tempfile::TempDir,
    pub(crate) mounted: PathBuf,
}

impl SmallDisk {
    /// Makes and mounts a file system of this kind; `None` where that is not possible.
    pub(crate) fn mount(kind: &str, megabytes: u64) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let (image, mounted) = (folder.path().join("image"), folder.path().join("disk"));
        std::fs::create_dir(&mounted).unwrap();
        File::create(&image).unwrap().set_len(megabytes << 20).unwrap();
        let options: &[&str] = match kind {
            "ext4" => &["-q", "-m", "0"],
            // Without -d, btrfs may keep a third of a small disk for metadata.
            "btrfs" => &["-q", "-m", "single"],
            _ => &["-q"],
        };
        run(&format!("mkfs.{kind}"), options, &[&image])?;
        run("mount", &["-o", "loop"], &[&image, &mounted])?;
        Some(Self { _folder: folder, mounted })
    }

    /// Writes a file until the disk has less than a block left, and returns its path.
    pub(crate) fn fill(&self) -> PathBuf {
        let path = self.mounted.join("filler");
        let mut file = File::create(&path).unwrap();
        for size in [MIB, 4096] {
            let block = vec![1; size];
            while file.write_all(&block).and_then(|()| file.sync_data()).is_ok() {}
        }
        path
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        run("umount", &["-l"], &[&self.mounted]);
    }
}

fn run(program: &str, options: &[&str], paths: &[&Path]) -> Option<()> {
    let output = Command::new(program).args(options).args(paths).output().ok()?;
    output.status.success().then_some(())
}
