//! What to do about errors of the operating system.

use std::io;

use crate::platform;

/// What to do about an operating system error.
pub(crate) fn advice(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AlreadyExists | io::ErrorKind::NotADirectory | io::ErrorKind::IsADirectory => {
            "choose another folder, or move away what is there"
        }
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            "choose another folder, or allow writing to this one"
        }
        io::ErrorKind::NotFound => "check the path, or create it by opening it for writing once",
        io::ErrorKind::InvalidFilename => "choose a shorter path",
        io::ErrorKind::FileTooLarge => {
            "choose a folder on a file system for larger files, or raise the limit of this process (ulimit -f)"
        }
        io::ErrorKind::OutOfMemory => {
            "raise this process's limit of memory or of addresses (ulimit -v), or close what takes them"
        }
        _ if platform::is_out_of_descriptors(error) => {
            "raise this process's limit of open files (ulimit -n), or close some"
        }
        _ => "check the disk, then try again",
    }
}

/// What to do about what libmdbx passes on from the operating system.
pub(crate) fn advice_of_database(error: &libmdbx::Error) -> String {
    let error = match error {
        libmdbx::Error::Other(code) => io::Error::from_raw_os_error(*code),
        libmdbx::Error::OutOfMemory => io::ErrorKind::OutOfMemory.into(),
        _ => return String::new(),
    };
    format!("; {}", advice(&error))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::io;
    use std::path::{Path, PathBuf};

    use rustix::io::Errno;

    use crate::error::StorageError;

    #[test]
    fn limits_of_the_process_are_told_as_such() {
        let io = |errno: Errno| {
            StorageError::io(
                "open a file",
                Path::new("/s"),
                io::Error::from_raw_os_error(errno.raw_os_error()),
            )
            .to_string()
        };
        assert!(io(Errno::MFILE).ends_with("(ulimit -n), or close some"));
        assert!(io(Errno::NAMETOOLONG).ends_with("; choose a shorter path"));
        assert!(io(Errno::IO).ends_with("; check the disk, then try again"));
        let database = |errno: Errno| {
            let source = libmdbx::Error::from_err_code(errno.raw_os_error());
            StorageError::database("open", Path::new("/s"), source).to_string()
        };
        assert!(database(Errno::NOMEM).contains("(ulimit -v)"), "{}", database(Errno::NOMEM));
        assert!(database(Errno::FBIG).contains("(ulimit -f)"), "{}", database(Errno::FBIG));
        assert!(database(Errno::MFILE).contains("(ulimit -n)"), "{}", database(Errno::MFILE));
        let nowhere = StorageError::Io {
            action: "start threads",
            path: PathBuf::new(),
            source: io::ErrorKind::OutOfMemory.into(),
        };
        assert!(nowhere.to_string().starts_with("cannot start threads: "));
    }
}
