//! Certificates of authorities that the system does not know.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use reqwest::Certificate;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use crate::error::HubError;

/// Whether each path is a PEM file, or a folder of them, with a certificate. A bundle has hundreds: they are not all read.
pub(crate) fn check(paths: &[PathBuf]) -> Result<(), HubError> {
    let holds_any = |text: &Vec<u8>| CertificateDer::pem_slice_iter(text).any(|found| found.is_ok());
    for path in paths {
        let texts = texts(path).map_err(|error| invalid(path, &error.to_string()))?;
        if !texts.iter().any(holds_any) {
            return Err(invalid(path, "it holds no certificate in PEM form"));
        }
    }
    Ok(())
}

/// The certificates in PEM files, or in the files of a folder.
pub(crate) fn read(paths: &[PathBuf]) -> Result<Vec<Certificate>, String> {
    let mut certificates = Vec::new();
    for path in paths {
        let texts = texts(path).map_err(|error| format!("{}: {error}", path.display()))?;
        certificates.extend(texts.iter().flat_map(|text| usable(text)));
    }
    Ok(certificates)
}

fn texts(path: &Path) -> io::Result<Vec<Vec<u8>>> {
    if !path.is_dir() {
        return Ok(vec![fs::read(path)?]);
    }
    let mut texts = Vec::new();
    for entry in fs::read_dir(path)? {
        let file = entry?.path();
        if file.is_file() {
            texts.push(fs::read(file)?);
        }
    }
    Ok(texts)
}

/// Bundles hold certificates of all ages: one that cannot be used does not spoil the others.
fn usable(pem: &[u8]) -> Vec<Certificate> {
    let mut trial = RootCertStore::empty();
    let certificates = CertificateDer::pem_slice_iter(pem).filter_map(Result::ok);
    let usable = certificates.filter(|certificate| trial.add(certificate.clone()).is_ok());
    usable.filter_map(|certificate| Certificate::from_der(&certificate).ok()).collect()
}

fn invalid(path: &Path, reason: &str) -> HubError {
    HubError::InvalidArgument {
        name: "certificate authority",
        message: format!("{}: {reason}", path.display()),
    }
}
